"""Floor 1c: alignment windows: products placed relative to the largest exponent of the sum."""

from __future__ import annotations

from dataclasses import dataclass

from hw.design import Design
from hw.plan.operand import OperandPlan
from hw.plan.product import Bounds


@dataclass(frozen=True, slots=True)
class WindowLanePlan:
    """Sign, magnitude product of significands and exponent of one lane.

    Parameters
    ----------
    weight, activation
        The operands, fixed point split into sign and magnitude.
    product
        Range of the magnitude product.
    exponent_bits
        Width of the exponent sum (0 for a zero product).
    flags
        Special outputs of the lane.

    """

    weight: OperandPlan
    activation: OperandPlan
    product: Bounds
    exponent_bits: int
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExponentMaximum:
    """Larger of two exponents."""

    exponent_bits: int


@dataclass(frozen=True, slots=True)
class AlignPlan:
    """Shift a product right by its distance to the largest exponent, cut toward zero.

    Parameters
    ----------
    product_bits
        Magnitude product, placed at the top of the window.
    window_bits
        Bits kept.
    exponent_bits
        Width of both exponents.

    """

    product_bits: int
    window_bits: int
    exponent_bits: int

    @property
    def distance_bits(self) -> int:
        """Bits of the distances that leave something in the window."""
        return min((self.window_bits - 1).bit_length(), self.exponent_bits)


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
        Width of the exponent register.
    flags
        Sticky flags kept beside the sum.
    total_on_last
        As in `AccumulatePlan`.

    """

    bits: int
    addend: Bounds
    exponent_bits: int
    flags: tuple[str, ...]
    total_on_last: bool

    @property
    def distance_bits(self) -> int:
        """Bits of the distances that leave more than the sign of the accumulator."""
        return min((self.bits - 1).bit_length(), self.exponent_bits)

    @property
    def ff(self) -> int:
        """Registers: accumulator, exponent and flags, twice, and ``total_valid``."""
        return 2 * (self.bits + self.exponent_bits + len(self.flags)) + 1


def plan_window_lane(design: Design) -> WindowLanePlan:
    """Return the lane of a window design."""
    weight = OperandPlan(design.weight, split_sign=True)
    activation = OperandPlan(design.activation, split_sign=True)
    product = Bounds(0, weight.high * activation.high)
    flags = tuple(name for name in design.flags if name != "overflow")
    return WindowLanePlan(weight, activation, product, design.exponent_bits, flags)
