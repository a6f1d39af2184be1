"""Floor 4: settle ``structure: auto`` by what each structure costs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TypeVar

from costmodel import estimate
from hw.design import DSP_STRUCTURES, Design
from hw.plan import structures
from hw.target import Target

D = TypeVar("D", bound=Design)

UNASKED = DSP_STRUCTURES
"""Structures that are never chosen by themselves: DSP blocks must be asked for."""
LOOPING = ("merged",)
"""Structures whose lanes are in the loop of an alignment window, where no registers can be."""


def resolve(design: D, target: Target) -> D:
    """Return the design with its structure settled; unchanged unless the structure is "auto".

    The structure with the fewest estimated sites wins, then the one with fewer LUTs, then the
    plainer one; on the target asic that with the fewest transistors. A DSP block is never chosen:
    it must be asked for.
    """
    if design.structure != "auto":
        return design
    through_lanes = design.is_window and design.pipeline > 0
    found = _cheapest(replace(design, pipeline=0), target, LOOPING if through_lanes else ())
    return design.with_structure(found)


@cache
def _cheapest(design: Design, target: Target, without: tuple[str, ...] = ()) -> str:
    candidates = [
        design.with_structure(structure)
        for structure in structures(design, target)
        if structure not in (*UNASKED, *without)
    ]
    if len(candidates) == 1:
        return candidates[0].structure
    return min(candidates, key=lambda candidate: _price(candidate, target)).structure


def _price(design: Design, target: Target) -> tuple[int, int, int]:
    cost = estimate(design, target)
    return cost.transistors, cost.sites, cost.lut
