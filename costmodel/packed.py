"""Floor 2c: packed products: operands put together, and chains of DSP blocks."""

from __future__ import annotations

from functools import cache

from costmodel.chain import function_luts
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts
from costmodel.rows import CARRY_BITS
from hw.plan import PackedChain, PackedOperand

DUAL_INPUTS = 5


def packed_chain(plan: PackedChain, target: Coefficients) -> Cost:
    """Return the cost of a chain: its blocks, which add by themselves."""
    return Cost(dsp=plan.links)


@cache
def pack(plan: PackedOperand, target: Coefficients) -> Cost:
    """Return the cost of an operand (`hw.rtl.packed.Pack`): tables of values, and borrows.

    Fixed point that stands alone in its word, or above no sign, is wires.
    """
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
