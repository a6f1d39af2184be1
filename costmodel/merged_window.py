"""Floor 2c: merged lanes of alignment windows, which a plan gives LUT by LUT."""

from __future__ import annotations

from functools import cache

from costmodel.accumulate import control_luts
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts
from costmodel.merged import netlist_cost, unpack_cost
from costmodel.window import shown_luts
from hw.plan import MaximumPlan, MergedWindowAccumulatePlan, MergedWindowLanePlan
from hw.plan.running_window import ExponentDistancePlan, RunningMaximumPlan


@cache
def merged_window_glue(plan: MergedWindowLanePlan, target: Coefficients) -> Cost:
    """Return the cost of unpacking and of special flags."""
    return unpack_cost(plan.operands, plan.flags, plan.packed, target)


@cache
def merged_window_product(plan: MergedWindowLanePlan, target: Coefficients) -> Cost:
    """Return the cost of product and exponent sum."""
    return netlist_cost(plan.product, plan.packed, target)


@cache
def merged_window_alignment(plan: MergedWindowLanePlan, target: Coefficients) -> Cost:
    """Return the cost of distance and fine shift."""
    return netlist_cost(plan.alignment, plan.packed, target)


@cache
def maximum(plan: MaximumPlan, target: Coefficients) -> Cost:
    """Return the cost of the search of the largest exponent."""
    return netlist_cost(plan.netlist, plan.packed, target)


@cache
def running_maximum(plan: RunningMaximumPlan, target: Coefficients) -> Cost:
    """Return the cost of the larger of two exponents, its register, and what clears that."""
    return netlist_cost(plan.netlist, plan.packed, target) + luts(1, ff=plan.ff)


@cache
def exponent_distance(plan: ExponentDistancePlan, target: Coefficients) -> Cost:
    """Return the cost of how far the largest exponent has grown."""
    return netlist_cost(plan.netlist, plan.packed, target)


@cache
def merged_window_accumulate(plan: MergedWindowAccumulatePlan, target: Coefficients) -> Cost:
    """Return the cost of realigning, the adder row, registers and control."""
    count = control_luts(plan.flags, plan.total_on_last, target, plan.packed)
    count += shown_luts(plan.exponent_bits, target) if plan.offset else 0
    return netlist_cost(plan.netlist, plan.packed, target) + luts(count, ff=plan.ff)
