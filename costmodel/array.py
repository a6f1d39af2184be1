"""Floor 2c: the shell of a systolic array."""

from __future__ import annotations

from functools import cache

from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts
from hw.plan import ArrayPlan


@cache
def array_shell(plan: ArrayPlan, target: Coefficients) -> Cost:
    """Return the cost of operand registers, control and the row multiplexer of the results."""
    per_bit = target.row("array", "multiplexer")[plan.rows - 1]
    control = target.row("array", "control")[plan.rows - 1]
    return luts(per_bit * plan.result_bits * plan.columns + control) + Cost(
        ff=plan.operand_ff + 2 * (plan.diagonals - 1) + plan.row_index_bits + 2
    )
