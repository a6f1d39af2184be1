"""Floor 4: settle ``structure: auto``."""

from __future__ import annotations

from typing import TypeVar

from hw.design import Design
from hw.plan import structures
from hw.target import Target

D = TypeVar("D", bound=Design)


def resolve(design: D, target: Target) -> D:
    """Return the design with its structure settled; unchanged unless the structure is "auto".

    A DSP block is never chosen: it must be asked for.
    """
    if design.structure != "auto":
        return design
    known = structures(design)
    return design.with_structure(
        next(name for name in ("table", "rows", "behavioural") if name in known)
    )
