"""Floor 1c: dot products of weights of few powers of two as one heap of shifted activations.

No product is built: each lane adds its few digits (`hw.plan.khot_lane`), those of all lanes, with
their signs, are one heap, and the constants of the signs one number.
"""

from __future__ import annotations

from dataclasses import dataclass

from hw.design import Design, WeightStationaryArray, adds_shifts
from hw.formats import FixedFormat, Format
from hw.plan.cells import Lut
from hw.plan.digits import Bounds
from hw.plan.khot_lane import khot_lane
from hw.plan.terms import BitSum, HeapSource, Term
from hw.target import ASIC, Target

STRUCTURE = "khot"
MOST_TERMS = 4096
"""Bits in one heap: planning takes seconds beyond."""


@dataclass(frozen=True, slots=True)
class ShiftedSum(HeapSource):
    """``Σ weight[i]·activation[i]`` over lanes, the products shifts and additions.

    Parameters
    ----------
    weight
        Sums of a few powers of two.
    activation
        Fixed point.
    lanes
        Products.
    lut_inputs
        0: LUT6_2 and carry chains. Else LUTs of so many inputs alone.

    """

    weight: Format
    activation: Format
    lanes: int
    lut_inputs: int

    @property
    def inputs(self) -> tuple[tuple[str, int], ...]:
        """The operands, lane i in bits ``[i·w +: w]``."""
        return (("w", self.weight.bits * self.lanes), ("a", self.activation.bits * self.lanes))

    def bit_sum(self) -> BitSum:
        """Return the terms of all lanes and the cells that make some of their nets."""
        lane = khot_lane(self.weight, self.activation, self.lut_inputs)
        luts: list[Lut] = []
        terms: list[Term] = []
        for number in range(self.lanes):
            one = lane.named(_Names(number, self.weight.bits, self.activation.bits))
            luts += one.luts
            terms += one.terms
        return BitSum(tuple(terms), lane.constant * self.lanes, self.bounds, tuple(luts))

    @property
    def bounds(self) -> Bounds:
        """Range of the sum."""
        one = Bounds(*_range(self.weight)) * Bounds(*_range(self.activation))
        return Bounds(one.low * self.lanes, one.high * self.lanes)


class _Names:
    """Nets of one lane among all: operand bits by their place, others by the lane's number."""

    def __init__(self, lane: int, weight_bits: int, activation_bits: int) -> None:
        self._lane = lane
        self._starts = {"c": ("w", lane * weight_bits), "a": ("a", lane * activation_bits)}

    def __call__(self, net: str) -> str:
        if net[0] not in self._starts:
            return f"k{self._lane}_{net}"
        name, start = self._starts[net[0]]
        return f"{name}{start + int(net[1:])}"


def _range(format: Format) -> tuple[int, int]:
    return format.minimum_integer, format.maximum_integer


def heap_terms(design: Design, target: Target) -> int:
    """Return the bits that the lanes of a step put into the heap."""
    inputs = 0 if target.primitives else target.lut_inputs
    return len(khot_lane(design.weight, design.activation, inputs).terms) * design.lanes


def why_no_shifts(design: Design, target: Target) -> str:
    """Return why a design cannot be a heap of shifted activations; "" if it can."""
    if not adds_shifts(design.weight):
        return "its weights are sums of a few powers of two (khot, csd, pot, apot, floatsd, …)"
    if not isinstance(design.activation, FixedFormat):
        return "it shifts integers and fixed point"
    if target.name == ASIC:
        return "heaps of bits are for FPGAs, such as xcup"
    if design.is_window or design.is_floating:
        return "a heap of bits adds to an integer accumulator"
    if isinstance(design, WeightStationaryArray):
        return (
            "its lanes end in one heap, and cells that keep their weights hand words on (the "
            "nearest dataflow is output-stationary)"
        )
    terms = heap_terms(design, target)
    if terms > MOST_TERMS:
        return f"a heap has at most {MOST_TERMS} bits of lanes, not {terms}"
    return ""
