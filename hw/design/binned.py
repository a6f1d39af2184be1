"""Floor 1a: the bins of an exponent-binned accumulator: how many, how wide, which product where.

A product is its significand, an integer, times ``2**shift``; its place is ``shift + n``, where n
counts the operands with exponents, so that it is the sum of their exponent fields, subnormals
having 1. Bin i holds products of the places ``i · 2**K`` to ``(i + 1) · 2**K − 1``, each moved left
by the low K bits of its place. The sum of all products is ``Σ bin[i] · 2**(i · 2**K − n)``.

A bin is as wide as `terms` of the largest products that it can hold, so it cannot overflow before;
then it wraps and the flag ``overflow`` is raised, whether or not the sum of all still fits.
"""

from __future__ import annotations

from dataclasses import dataclass

from hw.accumulators import MAXIMUM_ACCUMULATOR_BITS
from hw.design.base import Design
from hw.design.operands import largest_shift, signed_bits, significand_bounds


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of a design.

    Parameters
    ----------
    step_bits
        K, low bits of a place that a bin does not tell.
    offset
        n, what a place is above the shift of its product.
    first, count
        The lowest bin that products have, and the number of bins.
    bits
        Of a bin.
    total_bits
        Of their sum.

    """

    step_bits: int
    offset: int
    first: int
    count: int
    bits: int
    total_bits: int

    @property
    def step(self) -> int:
        """Places of a bin."""
        return 1 << self.step_bits

    def total(self, sums: list[int]) -> int:
        """Return the sum of all bins."""
        placed = (one << (self.first + i) * self.step for i, one in enumerate(sums))
        return sum(placed) >> self.offset


def bins_of(design: Design) -> Bins:
    """Return the bins of a design with a binned accumulator.

    Raises
    ------
    ValueError
        If no operand has an exponent, or the sum has more than 80 bits.

    """
    offset = sum(largest_shift(side) > 0 for side in (design.weight, design.activation))
    if not design.largest_exponent:
        raise ValueError(
            f"products of {design.weight} × {design.activation} have one exponent, so an "
            f"accumulator {design.accumulator} has nothing to tell apart: the nearest is "
            f"exact:{design.accumulator.terms}"
        )
    if design.exact_bits > MAXIMUM_ACCUMULATOR_BITS:
        raise ValueError(
            f"a binned sum has at most {MAXIMUM_ACCUMULATOR_BITS} bits, that of {design.weight} × "
            f"{design.activation} has {design.exact_bits}: the nearest is a window"
        )
    step_bits = design.accumulator.bits
    corners = [
        w * a
        for w in significand_bounds(design.weight)
        for a in significand_bounds(design.activation)
    ]
    scale = design.accumulator.terms << ((1 << step_bits) - 1)
    first, last = offset >> step_bits, (offset + design.largest_exponent) >> step_bits
    return Bins(
        step_bits,
        offset,
        first,
        last - first + 1,
        signed_bits(min(corners) * scale, max(corners) * scale),
        design.exact_bits,
    )
