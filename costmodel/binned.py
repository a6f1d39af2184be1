"""Floor 2c: exponent-binned accumulators: shifter within a bin, the bins, rows that join them."""

from __future__ import annotations

from functools import cache

from costmodel.accumulate import control_luts
from costmodel.chain import Row, Wire, function_luts, is_chain, row_cost
from costmodel.coefficients import Coefficients, Formulas
from costmodel.cost import Cost, luts
from costmodel.rows import narrow_luts, operand_wire
from costmodel.shift import levels_cost
from hw.plan.binned import BinBankPlan, BinRow, BinShiftPlan

GROUPS = {"xilinx": (4, 1), "ecp5": (4, 4), "ice40": (4, 2), "gowin": (8, 16)}
"""Words that are chosen from at once where there are more than four, and the LUTs of a bit."""


@cache
def bin_shift(plan: BinShiftPlan, target: Coefficients) -> Cost:
    """Return the cost of moving a product within its bin."""
    return levels_cost(plan.levels, plan.bits, plan.signed, 0, target)


def choice_luts(words: int, target: Coefficients) -> int:
    """Return the LUTs of a bit chosen among words: exact up to four, else by groups of words."""
    group, each = GROUPS[target.family]
    if words <= 4:
        return function_luts(words + (words - 1).bit_length(), target.lut_inputs)
    if words <= group:
        return each
    full, rest = divmod(words, group)
    last = choice_luts(rest, target) if rest else 0
    return full * each + last + choice_luts(full + (rest > 0), target)


@cache
def bin_bank(plan: BinBankPlan, target: Coefficients) -> Cost:
    """Return the cost of `hw.rtl.binned.BinBank`.

    A choice and a row, a LUT per bit each; what enables a bin and what clears its copy; control and
    sticky flags, with what tells overflow among them.
    """
    bins, negate = plan.bins, (("negate",) if plan.relative else ())
    bits: tuple[tuple[Wire, Wire], ...] = tuple(
        (
            operand_wire("chosen", i, bins.bits, True),
            operand_wire("addend", i, plan.addend_bits, plan.addend_signed) + negate,
        )
        for i in range(bins.bits)
    )
    row = Row(bits, negate)
    added = row_cost(row, target) if is_chain(bins.bits, target) else luts(narrow_luts(row, target))
    count: float = bins.bits * choice_luts(bins.count, target)
    count += control_luts(plan.flags, False, target)
    count += bins.count * 2 * function_luts(plan.index_bits + 1, target.lut_inputs)
    return added + luts(count, ff=plan.ff)


@cache
def bin_row(plan: BinRow, target: Coefficients) -> Cost:
    """Return the cost of a row that joins a bin to those below."""
    bits: tuple[tuple[Wire, Wire], ...] = tuple(
        (operand_wire("a", i, plan.below_bits, True), operand_wire("b", i, plan.bits, True))
        for i in range(plan.width)
    )
    row = Row(bits)
    return row_cost(row, target) if is_chain(plan.width, target) else luts(narrow_luts(row, target))


BINNED_FORMULAS: Formulas = {
    BinShiftPlan: (("shifter", bin_shift),),
    BinBankPlan: (("bins", bin_bank),),
    BinRow: (("adder row", bin_row),),
}
"""The formulas of exponent-binned accumulators (see `costmodel.model.FORMULAS`)."""
