"""Floor 2c: the shell of a systolic array."""

from __future__ import annotations

from functools import cache

from costmodel.chain import function_luts
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts
from costmodel.measured import measured
from hw.plan import ArrayPlan

SHORTEST_SHIFT_REGISTER = 3
"""Registers in a row without a tap that Xilinx flows turn into one SRL per bit."""
SHIFT_REGISTER_DEPTH = 32
SINGLE_CELL_CONTROL_FF = 1
"""In an array of one cell, what is busy is what drains."""


@cache
def array_shell(plan: ArrayPlan, target: Coefficients) -> Cost:
    """Return the cost of operand registers, control, row counter and row selection."""
    return words_shell(plan, target) + _control(plan, target) + _next_row(plan)


def words_shell(plan: ArrayPlan, target: Coefficients) -> Cost:
    """Return the same without control and row counter: what depends on the bits of words."""
    return luts(selection_luts(plan, target)) + _registers(plan, target)


def _control(plan: ArrayPlan, target: Coefficients) -> Cost:
    """Return the cost of control with its comparisons, measured at these rows or fewer."""
    keys = ["1x1"] if plan.diagonals == 1 else [str(rows) for rows in range(plan.rows, 0, -1)]
    for key in keys:
        found = measured(target.target, "array_control", key)
        if found is not None:
            return found
    raise ValueError(f"the cost model of {target.target} has no arrays")


def selection_luts(plan: ArrayPlan, target: Coefficients) -> int:
    """Return the LUTs that choose a row's results: one per multiplexer and bit."""
    per_bit = _selection_luts(plan.selection, target.lut_inputs)
    return per_bit * plan.result_bits * plan.columns


@cache
def _selection_luts(selection: tuple[tuple[int, ...], ...], lut_inputs: int) -> int:
    """Return the LUTs per bit of a selection."""
    return sum(
        function_luts(ways + (ways - 1).bit_length(), lut_inputs)
        for level in selection
        for ways in level
        if ways > 1
    )


def _next_row(plan: ArrayPlan) -> Cost:
    """Return the cost of the row counter's table; the lowest bit of 2, 4, 8, … rows is an INV."""
    if plan.rows == 1:
        return Cost()
    bits = plan.row_index_bits
    plain = plan.rows & (plan.rows - 1) == 0
    return Cost(lut=bits - plain, sites=bits)


def _registers(plan: ArrayPlan, target: Coefficients) -> Cost:
    """Return the registers: operands on their way, valid and last of each diagonal, control."""
    control = 2 if plan.diagonals > 1 else SINGLE_CELL_CONTROL_FF
    registers = plan.operand_ff + 2 * (plan.diagonals - 1) + plan.row_index_bits + control
    if target.family != "xilinx":
        return Cost(ff=registers)
    moved = memories = 0
    for lanes, bits in ((plan.rows, plan.activation_bits), (plan.columns, plan.weight_bits)):
        shifted, places = _skewed(lanes)
        moved += shifted * bits
        memories += places * bits
    return Cost(sites=memories, ff=registers - moved)


@cache
def _skewed(lanes: int) -> tuple[int, int]:
    """Return per bit the registers that move into memories in a skew, and these memories."""
    moved = memories = 0
    for depth in range(SHORTEST_SHIFT_REGISTER, lanes):
        whole = depth - (depth > 16 and depth % 16 == 1)
        moved += whole
        memories += -(-whole // SHIFT_REGISTER_DEPTH)
    return moved, memories


def register_chain(length: int, family: str) -> Cost:
    """Return the cost of registers in a row, one bit wide and without a tap."""
    if family != "xilinx" or length < SHORTEST_SHIFT_REGISTER:
        return Cost(ff=length)
    whole = length - (length > 16 and length % 16 == 1)
    return Cost(sites=-(-whole // SHIFT_REGISTER_DEPTH), ff=length - whole)
