"""Floor 2c: heaps of bits, which a plan gives LUT by LUT, and the row that adds their words."""

from __future__ import annotations

from functools import cache

from costmodel.accumulate import inverter
from costmodel.coefficients import Coefficients, Formulas
from costmodel.cost import Cost, luts
from costmodel.merged import netlist_cost
from costmodel.rows import sum_row
from hw.plan.bit_heap import BitHeapPlan


@cache
def bit_heap(plan: BitHeapPlan, target: Coefficients) -> Cost:
    """Return the cost of the heap from its inputs to its words."""
    netlist = plan.netlist
    if not plan.lut_inputs:
        return netlist_cost(netlist, True, target)
    cells = [lut for lut in netlist.luts if not lut.is_wire]
    inverters = sum(len(lut.inputs) == 1 for lut in cells)
    return luts(len(cells) - inverters) + inverter(target) * inverters


def final_row(plan: BitHeapPlan, target: Coefficients) -> Cost:
    """Return the cost of the row that adds two words."""
    return Cost() if plan.final_row is None else sum_row(plan.final_row, target)


BIT_HEAP_FORMULAS: Formulas = {
    BitHeapPlan: (("bit heap", bit_heap), ("adder row", final_row)),
}
