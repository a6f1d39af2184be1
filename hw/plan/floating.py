"""Floor 1c: floating accumulators: an exact addend and a minifloat, added and rounded once.

Exponents are counted as a minifloat's own field counts them: a number with exponent e has its last
significand bit worth ``2**(e - 1)`` smallest subnormals of the accumulator's format. The addend is
an integer S with an exponent that a port brings or that is the same in all steps. The accumulator's
significand C, p bits, is placed in a window above and below S::

    bit  D+X+p      D+X+p-1 … X+D     …     X+|S|-1 … X    X-1 … 0
         carry      C at distance 0         S              extension

and moved right by the distance ``r = B − e(C)``, where B is the exponent C has at distance 0. What
leaves at the right is a sticky bit. The window is so long that

- an accumulator above it (r < 0) is not changed by S at all: ``|S| < ulp(C) / 4``;
- a bit that leaves lies below the rounding bit of every sum whose S is not 0; S = 0 is told apart.

The sum is two's complement and is normalised as it stands: leading bits equal to the sign are
counted, at most B, where the field becomes 0. Its ones' complement serves as magnitude; the one
that is missing is part of the rounding (`hw.rtl.rounding`).
"""

from __future__ import annotations

from dataclasses import dataclass

from hw.plan.operand import OperandPlan
from hw.plan.product import Bounds, ProductPlan
from hw.plan.rounding import RoundedSum
from hw.plan.shift import ExponentPlan


@dataclass(frozen=True, slots=True)
class FloatLanePlan:
    """Sign, product of significands and exponent sum of one lane.

    Parameters
    ----------
    weight, activation
        The operands.
    product
        Product of the significands.
    exponents
        The exponent sum.
    flags
        Special outputs of the lane.

    """

    weight: OperandPlan
    activation: OperandPlan
    product: ProductPlan
    exponents: ExponentPlan
    flags: tuple[str, ...]

    @property
    def has_negate(self) -> bool:
        """Whether the sign leaves the lane apart from the product."""
        return self.weight.has_sign or self.activation.has_sign


@dataclass(frozen=True, slots=True)
class RightLevel:
    """One level of a shift to the right: by 0…2^bits − 1 steps of ``2**low_bit``.

    Words have their highest bit first in common: a level is `bits_in` bits wide, and `width` after.
    """

    low_bit: int
    bits: int
    bits_in: int
    width: int


@dataclass(frozen=True, slots=True)
class FloatAccumulatePlan(RoundedSum):
    """Adds an exact addend to a minifloat, rounds once to nearest even, keeps the code.

    Parameters
    ----------
    format
        Of the accumulator.
    addend
        Range of S, its separate sign left out.
    relative
        Whether S comes with a sign of its own.
    exponent_max
        Largest value of the exponent port; 0 means there is no port.
    grid
        Exponent of S is the port plus this.
    anchor
        B is the port plus this.
    extension
        X, bits of the window below S.
    loses_bits
        Whether the accumulator can leave the window at the right.
    zero_apart
        Whether S = 0 must be told apart.
    flags
        Special inputs: what the addend is, if not a number.
    negative_zero
        Whether a sum of negative zeros alone must be told apart.
    total_on_last
        As in `AccumulatePlan`.
    """

    addend: Bounds
    relative: bool
    exponent_max: int
    grid: int
    anchor: int
    extension: int
    loses_bits: bool
    zero_apart: bool
    flags: tuple[str, ...]
    negative_zero: bool
    total_on_last: bool

    @property
    def exponent_bits(self) -> int:
        """Width of the exponent port (0: none)."""
        return self.exponent_max.bit_length()

    @property
    def top_exponent(self) -> int:
        """Largest exponent of an accumulator."""
        return max(self.format.maximum_field, 1)

    @property
    def highest(self) -> int:
        """Largest B."""
        return self.exponent_max + self.anchor

    @property
    def rise(self) -> int:
        """D, how far the accumulator at distance 0 stands above S."""
        return self.anchor - self.grid

    @property
    def aligned_bits(self) -> int:
        """Bits of the window the accumulator can stand in."""
        return self.rise + self.extension + self.precision

    @property
    def sum_bits(self) -> int:
        """Bits of the sum: a carry and a sign more."""
        return self.aligned_bits + 2

    @property
    def distance_bits(self) -> int:
        """Bits of the distance after it is clamped to 0…2^bits − 1.

        On a fixed grid nothing is clamped: an accumulator that is not 0 stays in the window.
        """
        most = self.aligned_bits - (not self.exponent_bits)
        return max(min(most.bit_length(), (self.highest - 1).bit_length()), 1)

    @property
    def may_pass_above(self) -> bool:
        """Whether r can be negative."""
        return self.exponent_bits > 0 and self.anchor < self.top_exponent

    @property
    def difference_bits(self) -> int:
        """Width of r before it is clamped, two's complement if it can be negative."""
        if not self.exponent_bits:
            return self.distance_bits
        if not self.may_pass_above:
            return self.highest_bits
        least = max(self.top_exponent - self.anchor, 1)
        return max(least.bit_length(), self.highest_bits) + 1

    @property
    def align_levels(self) -> tuple[RightLevel, ...]:
        """Levels that move the accumulator right; the last one is in front of the adder row."""
        levels: list[RightLevel] = []
        width = self.precision
        for low in range(0, self.distance_bits, 2):
            bits = min(2, self.distance_bits - low)
            last = low + bits == self.distance_bits
            after = width + (((1 << bits) - 1) << low)
            if last:
                after = self.aligned_bits
            levels.append(RightLevel(low, bits, width, after))
            width = after
        return tuple(levels)

    @property
    def tail_bits(self) -> int:
        """Zeros below the sum, so that the complement of −1 has a leading bit where it counts.

        Where the limit is reached before, or bits leave the window, such a sum does not count.
        """
        return int(not self.exponent_bits and self.highest > self.aligned_bits)

    @property
    def longest_count(self) -> int:
        """Most leading bits that count: where bits leave the window, one less."""
        return self.normalized_bits - 1 - (self.loses_bits and self.precision > 1)

    @property
    def ff(self) -> int:
        """Registers: accumulator, total, and ``total_valid``."""
        return 2 * self.bits + 1
