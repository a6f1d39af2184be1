"""Floor 2c: compressor trees, which a plan gives LUT by LUT."""

from __future__ import annotations

from functools import cache

from costmodel.coefficients import Coefficients
from costmodel.cost import Cost
from costmodel.merged import netlist_cost
from hw.plan import CompressorPlan


@cache
def compressor(plan: CompressorPlan, target: Coefficients) -> Cost:
    """Return the cost of the tree from the operands to the accumulator's words."""
    return netlist_cost(plan.netlist, True, target)
