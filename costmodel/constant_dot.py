"""Floor 2c: dot products with constant weights: adder rows and registers."""

from __future__ import annotations

from functools import cache

from costmodel.chain import Row, Wire, is_chain, row_cost
from costmodel.coefficients import Coefficients, Formulas
from costmodel.cost import Cost, luts
from costmodel.rows import dual_row, narrow_luts
from hw.plan.constant_dot import ConstantRegisters
from hw.plan.constant_rows import ConstantRow

TERNARY = 3
INVERTING = ("ice40",)
"""Families whose carry cells take inverted bits from LUTs."""


@cache
def constant_row(plan: ConstantRow, target: Coefficients) -> Cost:
    """Return the cost of a row: a site per bit of LUT6_2, or what Yosys makes of two words.

    The lowest bit of a difference needs no carry: Yosys for Xilinx makes it beside what enters the
    chain. A constant 1 that enters a row of three is an inverter to it. A sum of words that
    share no place is wires.
    """
    if plan.sites <= 0:
        return Cost()
    if len(plan.words) == TERNARY:
        return dual_row(plan.sites) + Cost(sites=sum(plan.negative))
    row = Row(tuple(_bits(plan, target)), ())
    if not any(plan.negative) and not any(left and right for left, right in row.bits):
        return Cost()
    if not is_chain(row.width, target):
        return luts(narrow_luts(row, target))
    left, right = row.bits[0]
    again = any(plan.negative) and left and right and target.family == "xilinx"
    return row_cost(row, target) + luts(int(bool(again)))


def _bits(plan: ConstantRow, target: Coefficients) -> list[tuple[Wire, Wire]]:
    """Return the operand bits of a row, lowest first, the word taken away second."""
    words = sorted(
        zip(plan.words, plan.shifts, plan.negative, strict=True), key=lambda word: word[2]
    )
    rows: list[tuple[Wire, Wire]] = []
    for place in range(plan.passing, plan.width):
        wires: list[Wire] = []
        for name, (word, shift, minus) in zip("ab", words, strict=False):
            index = min(place - shift, word.bits - 1) if word.signed else place - shift
            wire: Wire = ((name, index),) if 0 <= index < word.bits else ()
            inverts = minus and wire and target.family in INVERTING
            wires.append((*wire, (name, "inverted")) if inverts else wire)
        rows.append((wires[0], wires[1] if len(wires) > 1 else ()))
    return rows


def constant_registers(plan: ConstantRegisters, target: Coefficients) -> Cost:
    """Return the registers."""
    return Cost(ff=plan.bits)


CONSTANT_FORMULAS: Formulas = {
    ConstantRow: (("constant row", constant_row),),
    ConstantRegisters: (("registers", constant_registers),),
}
