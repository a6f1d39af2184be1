"""Floor 4: settle ``structure: auto`` by what each structure costs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TypeVar

from costmodel import estimate
from hw.design import DSP_STRUCTURES, Design
from hw.plan import plan, structures
from hw.plan.baugh_wooley import STRUCTURE as BAUGH_WOOLEY
from hw.plan.baugh_wooley import bit_products, least_sites
from hw.plan.khot import STRUCTURE as KHOT
from hw.plan.khot import heap_terms
from hw.target import Target

D = TypeVar("D", bound=Design)

UNASKED = DSP_STRUCTURES
"""Structures that are never chosen by themselves: DSP blocks must be asked for."""
MOST_TRIED = 1024
"""Products of bits in a heap that is planned unasked."""


def resolve(design: D, target: Target) -> D:
    """Return the design with its structure settled; unchanged unless the structure is "auto".

    The structure with the fewest estimated sites wins, then the one with fewer LUTs, then the
    plainer one; on the target asic that with the fewest transistors. A DSP block is never chosen:
    it must be asked for.
    """
    if design.structure != "auto":
        return design
    found = _cheapest(replace(design, pipeline=0), target)
    return design.with_structure(found)


@cache
def _cheapest(design: Design, target: Target) -> str:
    candidates = [
        design.with_structure(structure)
        for structure in structures(design, target)
        if structure not in UNASKED
    ]
    if not candidates:
        plan(design.with_structure(KHOT), target)  # says why it cannot be built
    if len(candidates) == 1:
        return candidates[0].structure
    best = _price(candidates[0], target), candidates[0].structure
    for candidate in candidates[1:]:
        if not worth_planning(candidate, target, best[0][1]):
            continue
        price = _price(candidate, target)
        if price < best[0]:
            best = price, candidate.structure
    return best[1]


def worth_planning(design: Design, target: Target, sites: int) -> bool:
    """Whether a structure may take at most so many sites, and be planned in a second or two."""
    if design.structure == KHOT:
        return heap_terms(design, target) <= 2 * MOST_TRIED
    return design.structure != BAUGH_WOOLEY or _may_win(design, target, sites)


def _may_win(design: Design, target: Target, sites: int) -> bool:
    """Whether a heap of bits is worth planning, which takes a second per thousand products."""
    return bit_products(design) <= MOST_TRIED and least_sites(design, target) <= sites


def _price(design: Design, target: Target) -> tuple[int, int, int]:
    cost = estimate(design, target)
    return cost.transistors, cost.sites, cost.lut
