"""Floor 2c: compressor trees, which a plan gives LUT by LUT."""

from __future__ import annotations

from functools import cache

from costmodel.accumulate import inverter
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts
from costmodel.merged import netlist_cost
from hw.plan import CompressorPlan


@cache
def compressor(plan: CompressorPlan, target: Coefficients) -> Cost:
    """Return the cost of the tree from the operands to the accumulator's words."""
    if plan.lut_inputs:
        inverters = sum(len(lut.inputs) == 1 for lut in plan.netlist.luts)
        return luts(len(plan.netlist.luts) - inverters) + inverter(target) * inverters
    return netlist_cost(plan.netlist, True, target)
