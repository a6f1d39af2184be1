"""Floor 4. What ``macloom estimate`` prints and writes beside its lines for people."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from sweeps.files import json_text
from sweeps.interchange import FORMATS, document, missing_energy


def add_exports(parser: argparse.ArgumentParser) -> None:
    """Declare ``--format`` and ``--plot``."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="accelergy: component class and area table; zigzag: operational array",
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="draw LUTs and flip-flops of each part (.png, .svg, .pdf)",
    )


def show_estimate(arguments: argparse.Namespace, found: dict[str, Any], lines: list[str]) -> None:
    """Print an estimate in the format asked for; draw its parts first if that was asked for.

    Raises
    ------
    ValueError
        If ``--json`` and another format are asked for, or as `sweeps.breakdown_figure.render`.
    OSError
        If the figure cannot be written.

    """
    if arguments.json and arguments.format not in ("text", "json"):
        raise ValueError(f"--json is --format json, not {arguments.format}: give one of them")
    if arguments.plot is not None:
        from sweeps.breakdown_figure import save_figure

        found["files"] = [str(save_figure(found, arguments.plot))]
        lines = [*lines, *found["files"]]
    if arguments.json or arguments.format == "json":
        print(json_text(found))
    elif arguments.format == "text":
        print("\n".join(lines))
    else:
        print(document(found, arguments.format), end="")
        note = missing_energy(found, arguments.format)
        if note:
            print(f"note: {note}", file=sys.stderr)
