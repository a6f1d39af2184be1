"""Floor 2c: exponent sums and shifter levels."""

from __future__ import annotations

from functools import cache

from costmodel.chain import Row, function_luts, is_chain, row_cost
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts, total
from costmodel.measured import measured
from costmodel.rows import narrow_luts
from hw.plan import ExponentPlan, ShiftLevel, ShiftPlan


@cache
def shift(plan: ShiftPlan, target: Coefficients) -> Cost:
    """Return the cost of an exponent sum and its shifter."""
    levels = levels_cost(plan.levels, plan.input_bits, plan.input_signed, plan.offset, target)
    return exponent_sum(plan.exponents, target) + levels


@cache
def exponent_sum(plan: ExponentPlan, target: Coefficients) -> Cost:
    """Return the cost of `hw.rtl.shift.ExponentSum`.

    A table has a LUT per bit. An adder replaces the lowest bit of each field by
    ``field[0] | ~normal``, a LUT each before the chain, or in it where the LUT is the chain's own.
    """
    if plan.from_table:
        return luts(plan.amount_bits)
    lowest = [("field", n) for n in range(len(plan.field_bits))]
    if len(plan.field_bits) == 1:
        return luts(1)
    bits = []
    for i in range(plan.amount_bits):
        wires = [
            (() if i >= width else ((name, i), ("normal", name)) if i == 0 else ((name, i),))
            for name, width in zip(lowest, plan.field_bits, strict=True)
        ]
        bits.append((wires[0], wires[1]))
    if is_chain(plan.amount_bits, target):
        return row_cost(Row(tuple(bits)), target)
    key = "_".join(str(field) for field in sorted(plan.field_bits))
    known = measured(target.target, "narrow_exponent_sum", key)
    return luts(narrow_luts(Row(tuple(bits)), target)) if known is None else known


@cache
def levels_cost(
    levels: tuple[ShiftLevel, ...], word_bits: int, signed: bool, offset: int, target: Coefficients
) -> Cost:
    """Return the cost of multiplexer levels; the last one drops `offset` bits."""
    costs = []
    for number, level in enumerate(levels):
        drop = offset if number == len(levels) - 1 else 0
        costs.append(luts(level_luts(level, word_bits, signed, drop, target)))
        word_bits = level.width - drop
    return total(costs)


def level_luts(
    level: ShiftLevel, word_bits: int, signed: bool, drop: int, target: Coefficients
) -> int:
    """Return the LUTs of one level: distinct result bits that are not bare nets."""
    seen = set()
    count = 0
    for position in range(drop, level.width):
        sources = tuple(
            _source(position - (way << level.low_bit), word_bits, signed)
            for way in range(level.ways)
        )
        if sources in seen or len(set(sources)) == 1:
            continue
        seen.add(sources)
        live = {source for source in sources if source >= 0}
        count += function_luts(len(live) + level.bits, target.lut_inputs)
    return count


def _source(index: int, word_bits: int, signed: bool) -> int:
    """Return which bit of the word stands at an index; -1 for a constant 0."""
    if index < 0 or (index >= word_bits and not signed):
        return -1
    return min(index, word_bits - 1)
