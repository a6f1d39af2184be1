"""Floor 2c: packed products: operands put together, and chains of DSP blocks."""

from __future__ import annotations

from functools import cache

from costmodel.chain import Row, function_luts, row_cost
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts
from costmodel.rows import CARRY_BITS
from hw.plan import Bounds, PackedChain, PackedOperand
from hw.plan.packed import entries, upper_entries

DUAL_INPUTS = 5


def packed_chain(plan: PackedChain, target: Coefficients) -> Cost:
    """Return the cost of a chain: its blocks, which add by themselves."""
    return Cost(dsp=plan.links)


@cache
def pack(plan: PackedOperand, target: Coefficients) -> Cost:
    """Return the cost of an operand (`hw.rtl.packed.Pack`): tables of values, and borrows.

    Fixed point that stands alone in its word, or above no sign, is wires.
    """
    if not plan.adds:
        return _pack_of_four(plan, target)
    count = len(plan.offsets)
    uppers = plan.borrows
    recoded = count - uppers if plan.tabulates else count
    cost = Cost()
    if plan.recodes:
        cost = cost + table(plan.format.bits, plan.values.bits, target) * recoded
    if not plan.tabulates:
        return cost + subtraction(plan.upper.bits) * uppers
    return cost + table(plan.format.bits + 1, plan.upper.bits, target) * uppers


def subtraction(width: int) -> Cost:
    """Return the cost of a word less one bit: the word is bare at the carry chain but twice."""
    return Cost(lut=2, sites=width + 1, carry=-(-width // CARRY_BITS))


def table(inputs: int, width: int, target: Coefficients) -> Cost:
    """Return the cost of a table: two bits per LUT6_2 of up to five inputs, else a bit each."""
    if inputs <= DUAL_INPUTS:
        return luts(-(-width // 2))
    return luts(width * function_luts(inputs, target.lut_inputs))


def _pack_of_four(plan: PackedOperand, target: Coefficients) -> Cost:
    """Return the cost of an operand where LUTs have four inputs: each bit by what it depends on."""
    uppers = plan.borrows
    cost = Cost()
    if plan.recodes:
        plain = len(plan.offsets) - (uppers if plan.tabulates else 0)
        cost = cost + truth_luts(entries(plan), target) * plain
    if plan.tabulates:
        return cost + truth_luts(upper_entries(plan), target) * uppers
    bits = tuple(((("value", i),), ("borrow",)) for i in range(plan.upper.bits))
    return cost + row_cost(Row(bits, ()), target) * uppers


@cache
def truth_luts(words: tuple[int, ...], target: Coefficients) -> Cost:
    """Return the cost of a table whose bits are functions of those inputs that matter to them."""
    width = max(Bounds(min(words), max(words)).bits, 1)
    inputs = (len(words) - 1).bit_length()
    return luts(
        sum(
            function_luts(len(_live(words, bit, inputs)), target.lut_inputs) for bit in range(width)
        )
    )


def _live(words: tuple[int, ...], bit: int, inputs: int) -> list[int]:
    """Return the inputs that a bit of a table depends on."""
    return [
        place
        for place in range(inputs)
        if any((word ^ words[i ^ 1 << place]) >> bit & 1 for i, word in enumerate(words))
    ]
