"""Floor 1c: alignment windows: products placed relative to the largest exponent of the sum.

Inside, exponents are those of `hw.plan.shift.ExponentPlan`, `offset` too large: only differences
count. A product of zero has exponent 0 and never raises the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

from hw.design import Design
from hw.plan.operand import OperandPlan, gated_apart
from hw.plan.product import Bounds, ProductPlan, plan_product
from hw.plan.shift import ExponentPlan, ShiftLevel, plan_exponents, plan_levels
from hw.target import Target


@dataclass(frozen=True, slots=True)
class WindowLanePlan:
    """Sign, magnitude product of significands and exponent of one lane.

    Parameters
    ----------
    weight, activation
        The operands, fixed point split into sign and magnitude.
    product
        Product of the significands.
    exponents
        The exponent sum, None where every exponent is the same (it is 0).
    flags
        Special outputs of the lane.

    """

    weight: OperandPlan
    activation: OperandPlan
    product: ProductPlan
    exponents: ExponentPlan | None
    flags: tuple[str, ...]

    @property
    def exponent_bits(self) -> int:
        """Width of the exponent sum."""
        return 1 if self.exponents is None else self.exponents.amount_bits

    @property
    def offset(self) -> int:
        """What exponents are too large by."""
        return 0 if self.exponents is None else self.exponents.offset


@dataclass(frozen=True, slots=True)
class ExponentMaximum:
    """Larger of two exponents."""

    exponent_bits: int


@dataclass(frozen=True, slots=True)
class DistancePlan:
    """How far an exponent is below a reference, at most ``2**live_bits − 1``.

    Parameters
    ----------
    exponent_bits
        Width of both exponents.
    live_bits
        Bits of the distance; larger distances give the largest.

    """

    exponent_bits: int
    live_bits: int


@dataclass(frozen=True, slots=True)
class AlignPlan:
    """Shift a product right by its distance to the largest exponent, cut toward zero.

    It is the mirror of a shift to the left: both words are reversed, so that what leaves the
    window is what passes its limit.

    Parameters
    ----------
    product_bits
        Magnitude product, placed at the top of the window.
    window_bits
        Bits kept.
    distance
        The distance; its largest value moves the product out.
    levels
        Multiplexer levels on the reversed word.

    """

    product_bits: int
    window_bits: int
    distance: DistancePlan
    levels: tuple[ShiftLevel, ...]


@dataclass(frozen=True, slots=True)
class RightShiftLevel:
    """One level of an arithmetic shift to the right, by 0…2^bits − 1 steps of ``2**low_bit``."""

    low_bit: int
    bits: int
    width: int


@dataclass(frozen=True, slots=True)
class WindowAccumulatePlan:
    """Accumulator that follows the running maximum exponent.

    Parameters
    ----------
    bits
        Width of the accumulator.
    addend
        Range of what one step adds; its sign comes apart.
    exponent_bits
        Width of the exponent inside.
    offset
        What exponents are too large by.
    shown_bits
        Width of the exponent that is shown, its offset taken off.
    distance
        How far the maximum has grown; its largest value leaves only the sign.
    levels
        Levels that shift the sum.
    flags
        Sticky flags kept beside the sum.
    total_on_last
        As in `AccumulatePlan`.

    """

    bits: int
    addend: Bounds
    exponent_bits: int
    offset: int
    shown_bits: int
    distance: DistancePlan
    levels: tuple[RightShiftLevel, ...]
    flags: tuple[str, ...]
    total_on_last: bool

    @property
    def ff(self) -> int:
        """Registers: accumulator, exponent and flags, twice, and ``total_valid``."""
        return 2 * (self.bits + self.exponent_bits + len(self.flags)) + 1


def plan_window_lane(design: Design, target: Target) -> WindowLanePlan:
    """Return the lane of a window design."""
    weight, activation = (
        gated_apart(OperandPlan(format, split_sign=True), design.product_flags, target)
        for format in (design.weight, design.activation)
    )
    product = plan_product(
        design.structure,
        Bounds(weight.low, weight.high),
        weight.significand_bits,
        Bounds(activation.low, activation.high),
        activation.significand_bits,
    )
    exponents = plan_exponents((weight, activation), target.lut_inputs)
    flags = tuple(name for name in design.flags if name != "overflow")
    return WindowLanePlan(weight, activation, product, exponents, flags)


def plan_align(lane: WindowLanePlan, window_bits: int, target: Target) -> AlignPlan:
    """Return the aligner of a lane's products."""
    product_bits = lane.product.bounds.bits
    distance = _distance(window_bits, lane.exponent_bits)
    levels = plan_levels(distance.live_bits, product_bits, False, window_bits, target.lut_inputs)
    return AlignPlan(product_bits, window_bits, distance, levels)


def plan_window_accumulate(
    design: Design, lane: WindowLanePlan, addend: Bounds, on_last: bool, target: Target
) -> WindowAccumulatePlan:
    """Return the accumulator of a window design."""
    bits = design.accumulator_bits
    distance = _distance(bits - 1, lane.exponent_bits)
    step = 2 if target.lut_inputs >= 6 else 1
    levels = tuple(
        RightShiftLevel(low, min(step, distance.live_bits - low), bits)
        for low in range(0, distance.live_bits, step)
    )
    return WindowAccumulatePlan(
        bits,
        addend,
        lane.exponent_bits,
        lane.offset,
        design.exponent_bits,
        distance,
        levels,
        design.flags,
        on_last,
    )


def _distance(enough: int, exponent_bits: int) -> DistancePlan:
    """Return a distance whose largest value is at least `enough`, if exponents allow it."""
    return DistancePlan(exponent_bits, min(enough.bit_length(), exponent_bits))
