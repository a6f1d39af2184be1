"""Floor 2c: what a tile of BitMoD elements has beside them: control, special values, columns."""

from __future__ import annotations

from functools import cache

from costmodel.accumulate import accumulate
from costmodel.chain import Row, row_cost
from costmodel.coefficients import Coefficients, Formulas
from costmodel.cost import Cost, luts
from costmodel.floating import float_accumulate
from costmodel.rows import operand_wire
from hw.formats.bitmod_datatypes import SPECIAL_BITS, SPECIAL_IDS
from hw.plan.bitmod_tile import OutputStepPlan, SpecialBankPlan, TileColumnPlan, TileControlPlan
from hw.plan.floating import FloatAccumulatePlan

WATCH_LUTS, WATCH_LUTS_PER_COLUMN = 2, 1.25
"""Of comparing the ids of a group with those held: measured on 1 to 16 columns, within 2."""
CONTROL_LUTS = 6
"""Measured on 1 to 16 rows, within 1."""


def mux_luts(ways: int, target: Coefficients) -> int:
    """Return the LUTs of one bit chosen out of some: four (two) in a LUT6 (LUT4) and so on.

    Yosys joins those of a LUT6 by LUTs, and beyond eight ways less well than it could.
    """
    if target.lut_inputs < 6:
        return -(-ways // 2) if ways > 1 else 0
    return -(-(ways - 1) // 3) if ways <= 8 else -(-3 * ways // 8)


@cache
def special_bank(plan: SpecialBankPlan, target: Coefficients) -> Cost:
    """Return the cost of writing, of FP3's or FP4's half, of a selection per column, and watch."""
    writes = 2 * SPECIAL_IDS
    halves = SPECIAL_IDS * SPECIAL_BITS
    selections = plan.columns * SPECIAL_BITS * mux_luts(SPECIAL_IDS, target)
    watch = WATCH_LUTS + WATCH_LUTS_PER_COLUMN * plan.columns
    return luts(writes + halves + selections + watch, ff=plan.ff)


@cache
def tile_control(plan: TileControlPlan, target: Coefficients) -> Cost:
    """Return the cost of the counters, whose bits may stand in a chain of their own."""
    return Cost(
        lut=CONTROL_LUTS,
        sites=CONTROL_LUTS + 3 + plan.row_bits,
        ff=plan.ff,
        carry=-(-(3 + plan.row_bits) // 4),
    )


@cache
def tile_column(plan: TileColumnPlan, target: Coefficients) -> Cost:
    """Return the cost of the choice among the rows, the row that scales, and the writes."""
    chosen = (plan.captured_bits + plan.output_bits) * mux_luts(plan.rows, target)
    scale = mux_luts(8, target)
    bits = tuple(
        (operand_wire("high", i, plan.bits, True), (*operand_wire("word", i, plan.bits, True), "b"))
        for i in range(plan.bits + 1)
    )
    return row_cost(Row(bits), target) + luts(chosen + scale + plan.rows + 2, ff=plan.ff)


@cache
def output_step(plan: OutputStepPlan, target: Coefficients) -> Cost:
    """Return the cost of an accumulator without its registers and the zero at its end."""
    inner = plan.accumulate
    if isinstance(inner, FloatAccumulatePlan):
        whole = float_accumulate(inner, target)
    else:
        whole = accumulate(inner, target)
    return Cost(whole.lut - 1, whole.sites - 1, 0, whole.carry)


BITMOD_TILE_FORMULAS: Formulas = {
    SpecialBankPlan: (("special values", special_bank),),
    TileControlPlan: (("tile control", tile_control),),
    TileColumnPlan: (("dequantiser of a column", tile_column),),
    OutputStepPlan: (("output of a column", output_step),),
}
"""The formulas of a tile's parts (see `costmodel.model.FORMULAS`)."""
