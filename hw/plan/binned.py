"""Floor 1c: exponent-binned accumulators: a product goes to the bin of its exponent.

The low bits of the exponent sum move the product of significands, the others choose a bin; one row
adds to it. What is shown is the sum of copies of the bins, behind registers::

    product ─► shift by place[K-1:0] ─► + ─► bin[place[:K]] ─► shown bins ─► rows ─► total
                                        ▲        │
                                        └─ choice ◄┘

The copies last until the next sum's first step, which clears those it does not add to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, replace

from hw.design import Design, Mac
from hw.design.binned import Bins, bins_of
from hw.plan.float_sums import plan_float_lane
from hw.plan.floating import FloatLanePlan
from hw.plan.shift import ShiftLevel, plan_levels
from hw.target import Target

STRUCTURES = ("behavioural", "rows")
"""How the product of significands is made."""


@dataclass(frozen=True, slots=True)
class BinShiftPlan:
    """Moves a product within its bin.

    Parameters
    ----------
    bits, signed
        The product.
    levels
        Multiplexer levels; none if a bin is one exponent.

    """

    bits: int
    signed: bool
    levels: tuple[ShiftLevel, ...]

    @property
    def width(self) -> int:
        """Bits of the result."""
        return self.levels[-1].width if self.levels else self.bits


@dataclass(frozen=True, slots=True)
class BinBankPlan:
    """The bins, the row that adds to one of them, and their copies that are shown.

    Parameters
    ----------
    bins
        How many and how wide.
    index_bits
        Of the number of a bin.
    addend_bits, addend_signed
        What is added.
    relative
        Whether it has a sign apart.
    flags
        Sticky flags kept beside the sum.

    """

    bins: Bins
    index_bits: int
    addend_bits: int
    addend_signed: bool
    relative: bool
    flags: tuple[str, ...]

    @property
    def ff(self) -> int:
        """Registers: bins and flags twice, ``total_valid``, whether a sum begins."""
        return 2 * (self.bins.count * self.bins.bits + len(self.flags)) + 2


@dataclass(frozen=True, slots=True)
class BinRow:
    """A row that adds a bin to the sum of those below, in bits the bin has.

    Parameters
    ----------
    below_bits
        Bits of the sum of those below that stand above the bin's last bit.
    bits
        Of the bin.
    width
        Of the sum.

    """

    below_bits: int
    bits: int
    width: int


@dataclass(frozen=True, slots=True)
class BinnedCorePlan:
    """One lane, its shifter, the bins and the rows that add them up.

    Parameters
    ----------
    lane
        Product of significands, sign, exponent sum.
    shift
        Within a bin.
    bank
        The bins.
    rows
        From the second bin on.

    """

    lane: FloatLanePlan
    shift: BinShiftPlan
    bank: BinBankPlan
    rows: tuple[BinRow, ...]

    def parts(self) -> Counter[Hashable]:
        """Return the primitives of the core with their counts."""
        alone = (self.lane, self.lane.product, self.shift, self.bank)
        return Counter[Hashable](alone) + Counter[Hashable](self.rows)


def plan_binned(design: Design, target: Target) -> BinnedCorePlan:
    """Return the core of a design with a binned accumulator.

    Raises
    ------
    ValueError
        If it adds more than one product per step, its products have one exponent, or their sum has
        more than 80 bits.

    """
    if not isinstance(design, Mac):
        raise ValueError(
            f"a binned accumulator takes one product per step and belongs to a mac, not a "
            f"{design.kind}: the nearest is exact:{design.accumulator.terms}"
        )
    bins = bins_of(design)
    lane = plan_float_lane(design, target)
    assert lane is not None
    largest = design.largest_exponent + bins.offset
    places = replace(
        lane.exponents, from_table=False, offset=bins.offset, amount_bits=largest.bit_length()
    )
    lane = replace(lane, exponents=places)
    product = lane.product.bounds
    levels = plan_levels(
        bins.step_bits,
        product.bits,
        product.signed,
        product.bits + bins.step - 1,
        target.lut_inputs,
    )
    shift = BinShiftPlan(product.bits, product.signed, levels)
    index = max(places.amount_bits - bins.step_bits, 0)
    bank = BinBankPlan(bins, index, shift.width, product.signed, lane.has_negate, design.flags)
    return BinnedCorePlan(lane, shift, bank, _rows(bins))


def _rows(bins: Bins) -> tuple[BinRow, ...]:
    """Return the rows that add the bins up, lowest first, as far as the sum reaches."""
    rows: list[BinRow] = []
    below = bins.bits
    for number in range(1, bins.count):
        above = max(below - bins.step, 1)
        reach = bins.total_bits + bins.offset - (bins.first + number) * bins.step
        width = max(min(max(above, bins.bits) + 1, reach), 1)
        rows.append(BinRow(above, bins.bits, width))
        below = width
    return tuple(rows)
