"""Floor 4. The command line that writes the Verilog of a design."""

from __future__ import annotations

import shlex

from hw.design import Design
from hw.formats import Format


def generate_command(design: Design, target: str) -> str:
    """Return ``macloom generate …`` with everything the design is made of, for a shell."""
    record = design.to_record()
    words = ["macloom", "generate", str(record.pop("kind"))]
    for name in ("weight", "activation"):
        if record.pop(name, None):
            words += [f"--{name}", _word(getattr(design, name))]
    for name, value in record.items():
        value = ",".join(value) if isinstance(value, list) else value
        words += [f"--{name}", str(value)] if value not in (None, 0, "") else []
    return shlex.join([*words, "--target", target, "-o", "out"])


def _word(format: Format) -> str:
    """Return the name, or the slug where a shell would take `<` for something else."""
    return format.slug if "<" in format.name else format.name
