"""Floor 2c: what a tile of BitMoD elements has beside them: control, special values, columns.

Each is a module of its own whose size depends on a side of the tile, and of a column also on the
widths of its words, bit by bit alike. They are measured (`costmodel.bitmod.known_cost`) for some
numbers of rows and columns; between these the cost is on a line.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cache

from costmodel.accumulate import accumulate, control_luts
from costmodel.bitmod import Named, known_cost, scale_row_name
from costmodel.coefficients import Coefficients, Formulas
from costmodel.cost import Cost
from costmodel.floating import float_accumulate
from hw.plan.bitmod_tile import OutputStepPlan, SpecialBankPlan, TileColumnPlan, TileControlPlan
from hw.plan.floating import FloatAccumulatePlan

SIDES = (1, 2, 3, 4, 8, 16)
"""Rows and columns that are measured."""
BEYOND = SIDES.index(8), SIDES.index(16)
"""The line on which those beyond are."""
COLUMN_BITS = (24, 40)
"""Widths of the sums and of the outputs of a measured column."""


def bank_name(columns: int) -> Named:
    """Return the name under which the special values of columns are measured."""
    return "special_bank", str(columns)


def control_name(rows: int) -> Named:
    """Return the name under which the control of rows is measured."""
    return "tile_control", str(rows)


def column_name(rows: int, bits: int) -> Named:
    """Return the name under which a column is measured, sums and outputs of `bits` bits each."""
    return "tile_column", f"{rows}:{bits}"


@cache
def special_bank(plan: SpecialBankPlan, target: Coefficients) -> Cost:
    """Return the cost of writing, of FP3's or FP4's half, of a selection per column, and watch."""
    select = known_cost(("special_select", ""), target)
    sides = _around(plan.columns)
    rest = _between(plan.columns, [(n, known_cost(bank_name(n), target)) for n in sides])
    return rest + select * plan.columns + Cost(ff=plan.ff)


@cache
def tile_control(plan: TileControlPlan, target: Coefficients) -> Cost:
    """Return the cost of the counters."""
    return known_cost(control_name(plan.rows), target) + Cost(ff=plan.ff)


@cache
def tile_column(plan: TileColumnPlan, target: Coefficients) -> Cost:
    """Return the cost of the choice among the rows, the row that scales, and the writes."""
    bits = plan.captured_bits + plan.output_bits
    sides = [(rows, _column(rows, bits, target)) for rows in _around(plan.rows)]
    row = known_cost(scale_row_name(plan.bits), target)
    return _between(plan.rows, sides) + row + Cost(ff=plan.ff)


def _column(rows: int, bits: int, target: Coefficients) -> Cost:
    """Return the cost of a measured number of rows, words of both kinds taking so many bits."""
    return _between(
        bits, [(2 * width, known_cost(column_name(rows, width), target)) for width in COLUMN_BITS]
    )


def _around(side: int) -> tuple[int, ...]:
    """Return the measured numbers next to one, or itself."""
    if side > SIDES[-1]:
        return tuple(SIDES[place] for place in BEYOND)
    place = bisect_left(SIDES, side)
    return (side,) if SIDES[place] == side else SIDES[place - 1 : place + 1]


def _between(at: float, known: list[tuple[int, Cost]]) -> Cost:
    """Return the cost on the line through one or two known ones."""
    (first, low), (last, high) = known[0], known[-1]
    if first == last:
        return low
    share = (at - first) / (last - first)
    lut, sites = (a + (b - a) * share for a, b in ((low.lut, high.lut), (low.sites, high.sites)))
    return Cost(lut, sites, carry=low.carry)


@cache
def output_step(plan: OutputStepPlan, target: Coefficients) -> Cost:
    """Return the cost of an accumulator without its registers and control."""
    inner = plan.accumulate
    if isinstance(inner, FloatAccumulatePlan):
        whole, lean = float_accumulate(inner, target), False
    else:
        whole, lean = accumulate(inner, target), inner.lean
    control = control_luts((), inner.total_on_last, target, lean)
    return Cost(whole.lut - control, whole.sites - control, 0, whole.carry)


BITMOD_TILE_FORMULAS: Formulas = {
    SpecialBankPlan: (("special values", special_bank),),
    TileControlPlan: (("tile control", tile_control),),
    TileColumnPlan: (("dequantiser of a column", tile_column),),
    OutputStepPlan: (("output of a column", output_step),),
}
"""The formulas of a tile's parts (see `costmodel.model.FORMULAS`)."""
