"""Floor 1c: cores of the mode "once": an exact sum, and what fits it to what is shown.

The sum is that of the same design with an exact accumulator, whatever structure that has; what is
shown of it (`hw.plan.accumulate`: a register) is rounded to a minifloat or clamped behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Protocol

from hw.accumulators import MAXIMUM_ACCUMULATOR_BITS, Accumulator
from hw.design import Design, WeightStationaryArray
from hw.plan.rounding import ClampPlan, RoundPlan

REFUSED = ("packed",)
"""Structures that end in accumulators of their own."""


class ExactCore(Protocol):
    """The core of an exact sum: a `CorePlan`, `CompressorCorePlan` or `HeapCorePlan`."""

    def parts(self) -> Counter[Hashable]:
        """Return the primitives of the core with their counts."""
        ...


@dataclass(frozen=True, slots=True)
class OnceCorePlan:
    """An exact core and what fits its total.

    Parameters
    ----------
    exact
        The core of the sum.
    fit
        Rounds or clamps.
    flags
        Those that are ports; the exact core has those of special products, too.
    weight_bits, activation_bits
        Operands of a step.

    """

    exact: ExactCore
    fit: RoundPlan | ClampPlan
    flags: tuple[str, ...]
    weight_bits: int
    activation_bits: int

    def parts(self) -> Counter[Hashable]:
        """Return the primitives of the core with their counts."""
        return self.exact.parts() + Counter[Hashable]([self.fit])


def exact_design(design: Design) -> Design:
    """Return the design that keeps the sum of a design of the mode once, with the same structure.

    Raises
    ------
    ValueError
        If it has no exact register of at most 80 bits, or its total is not at hand in one cycle.

    """
    if isinstance(design, WeightStationaryArray):
        raise ValueError(
            f"accumulators of weight-stationary arrays have no mode once: {design.accumulator}; "
            f"the nearest is the dataflow output-stationary"
        )
    if design.structure in REFUSED:
        raise ValueError(
            f"structure {design.structure} has accumulators without the mode once, not "
            f"{design.accumulator}: the nearest is structure auto"
        )
    if design.exact_bits > MAXIMUM_ACCUMULATOR_BITS:
        raise ValueError(
            f"the exact register of {design.accumulator} has at most {MAXIMUM_ACCUMULATOR_BITS} "
            f"bits, for {design.weight} × {design.activation} it has {design.exact_bits}: the "
            f"nearest rounds once per step"
        )
    return replace(design, accumulator=Accumulator.exact(design.accumulator.terms))


def fitted(design: Design, exact: ExactCore) -> OnceCorePlan:
    """Return the core of a design around that of its exact sum."""
    register = exact_design(design)
    format = design.accumulator.format
    fit: RoundPlan | ClampPlan
    if format is None:
        fit = ClampPlan(register.accumulator_bits, design.accumulator_bits)
    else:
        grid = design.product_lsb_exponent - format.lsb_exponent + 1
        fit = RoundPlan(format, register.accumulator_bits, grid, design.product_flags)
    operands = (side.bits * design.lanes for side in (design.weight, design.activation))
    return OnceCorePlan(exact, fit, design.flags, *operands)
