"""Floor 2c: what stands around the cells of a weight-stationary array."""

from __future__ import annotations

from functools import cache

from costmodel.array import register_chain
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts, total
from hw.plan import StationaryShell


@cache
def stationary_shell(plan: StationaryShell, target: Coefficients) -> Cost:
    """Return the cost of weights, skew, waves and control (`hw.rtl.stationary`)."""
    held = total(
        register_chain(length, target.family) * bits for length, bits in plan.chains.items()
    )
    return held + luts(_control_luts(plan, target), ff=plan.tapped_ff)


def _control_luts(plan: StationaryShell, target: Coefficients) -> float:
    if plan.rows == 1:
        return plan.columns + target.of("stationary", "single_row")
    per_row = target.of("stationary", "per_row")
    if plan.columns > 1:
        per_row += target.of("stationary", "per_row_across")
    return plan.columns + target.of("stationary", "control") + per_row * plan.rows
