"""Floor 2c: what fits an exact sum to what is shown: rounding to a minifloat, clamping."""

from __future__ import annotations

from functools import cache

from costmodel.accumulate import fits_luts
from costmodel.chain import function_luts
from costmodel.coefficients import Coefficients, Formulas
from costmodel.cost import Cost, luts
from costmodel.float_result import choice, wide_gate
from costmodel.floating import rounding_cost
from costmodel.normalize import dropped_luts
from hw.formats import Specials
from hw.plan import ClampPlan, RoundPlan


@cache
def rounding(plan: RoundPlan, target: Coefficients) -> Cost:
    """Return the cost of `hw.rtl.once.Rounding`: also the or of sticky bits, and specials."""
    infinite = plan.format.has_infinity and "pos_inf" in plan.flags
    several = sum(dropped_luts(level, target) > 0 for level in plan.normalize_levels) > 1
    exact = plan.normalized_bits <= plan.precision
    glue = several + 2 * infinite - exact * function_luts(4, target.lut_inputs)
    return rounding_cost(plan, target) + _chosen(plan, target) + luts(glue)


def _chosen(plan: RoundPlan, target: Coefficients) -> Cost:
    """Return the cost of the choice of the code: wires where nothing can overflow or be special."""
    if plan.rounded_bits >= plan.bits - 1 or plan.flags:
        return choice(plan, bool(plan.flags), False, target)
    signless = plan.format.specials is Specials.FNUZ
    return luts(wide_gate(plan.rounded_bits + 1, target) * signless)


@cache
def clamping(plan: ClampPlan, target: Coefficients) -> Cost:
    """Return the cost of `hw.rtl.once.Clamping`: a LUT per bit but the highest, and the check."""
    top = plan.register_bits - plan.bits + 1
    return luts(plan.bits - 1 + fits_luts(top, target)) if top > 1 else Cost()


ONCE_FORMULAS: Formulas = {
    RoundPlan: (("rounding", rounding),),
    ClampPlan: (("clamping", clamping),),
}
"""The formulas of what fits an exact sum (see `costmodel.model.FORMULAS`)."""
