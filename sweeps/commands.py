"""Floor 4. The commands about one format or one design; each takes parsed arguments and returns
an exit code. What they do is in `sweeps.workflow`; here is only what they print.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from sweeps.arguments import design_of
from sweeps.files import json_text

FINE, CHECK_FAILED = 0, 1


def formats(arguments: argparse.Namespace) -> int:
    """``macloom formats [NAME]``."""
    from sweeps import describe

    if arguments.name is None:
        rows = describe.catalogue()
        print(json_text(rows) if arguments.json else describe.catalogue_text(rows))
        return FINE
    record = describe.record(arguments.name)
    print(json_text(record) if arguments.json else describe.text(arguments.name))
    return FINE


def generate(arguments: argparse.Namespace) -> int:
    """``macloom generate``."""
    from sweeps import workflow

    emitted = workflow.emit(*design_of(arguments))
    if arguments.output is None:
        if arguments.json:
            print(json_text({**emitted.record, "verilog": emitted.verilog}))
        else:
            sys.stdout.write(emitted.verilog)
        return FINE
    paths = workflow.write(emitted, arguments.output)
    _show(arguments, {**emitted.record, "files": [str(path) for path in paths]}, paths)
    return FINE


def doctor(arguments: argparse.Namespace) -> int:
    """``macloom doctor``."""
    from sweeps import doctor as examination

    pieces = examination.examine()
    if arguments.json:
        print(json_text([piece.to_record() for piece in pieces]))
    else:
        print(examination.text(pieces))
    return FINE


def _show(arguments: argparse.Namespace, record: dict[str, Any], lines: list[Any]) -> None:
    """Print a record, or lines for people."""
    print(json_text(record) if arguments.json else "\n".join(map(str, lines)))
