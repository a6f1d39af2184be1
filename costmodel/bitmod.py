"""Floor 2c: BitMoD's element, which a plan gives LUT by LUT, and what surrounds it.

The parts that are given as cells cost what they are on targets with primitives. Elsewhere they cost
what each function takes alone; mapping them together saves or loses some of that, which a measured
ratio tells.
"""

from __future__ import annotations

from functools import cache

from costmodel.chain import Row, function_luts, is_chain, row_cost
from costmodel.coefficients import Coefficients, Formulas
from costmodel.cost import Cost, luts
from costmodel.merged import netlist_cost
from costmodel.rows import dual_row, operand_wire, sum_row
from hw.plan.bitmod import (
    BitmodCells,
    BitmodElementPlan,
    BitmodIntPlan,
    BitmodRow,
    DequantiserPlan,
    OutputMark,
    SequencerPlan,
    SpecialValuesPlan,
)
from hw.plan.bitmod_decode import TermCells
from hw.plan.cells import Netlist

GROUP = "bitmod"
"""Coefficients' group."""


@cache
def bitmod_cells(plan: BitmodCells | TermCells, target: Coefficients) -> Cost:
    """Return the cost of a part that is given LUT by LUT."""
    if plan.packed:
        return netlist_cost(plan.netlist, True, target)
    apart = functions_apart(plan.netlist, target.lut_inputs)
    chains = [len(chain.bits) for chain in plan.netlist.chains if is_chain(len(chain.bits), target)]
    per_cell = int(target.of(GROUP, "counter_bits_per_carry"))
    name = plan.name
    if isinstance(plan, TermCells) and name == "weight" and not plan.summed:
        name = "weight_exponent"
    count = apart * target.of(GROUP, name)
    return Cost(count, count, carry=sum(-(-bits // per_cell) for bits in chains))


def functions_apart(netlist: Netlist, lut_inputs: int) -> int:
    """Return the LUTs of a netlist's functions, each by itself; carry bits are functions, too."""
    functions = [*netlist.luts, *(bit.select for chain in netlist.chains for bit in chain.bits)]
    return sum(function_luts(len(one.inputs), lut_inputs) for one in functions)


@cache
def bitmod_row(plan: BitmodRow, target: Coefficients) -> Cost:
    """Return the cost of a row of two or three words."""
    row = plan.row
    if plan.packed:
        return dual_row(row.width) if row.dual else sum_row(row, target)
    count = target.of(GROUP, f"words_{len(row.words)}") * row.width
    cells = -(-row.width // int(target.of(GROUP, "counter_bits_per_carry")))
    return Cost(count, count, carry=(len(row.words) - 1) * cells)


@cache
def bitmod_element(plan: BitmodElementPlan, target: Coefficients) -> Cost:
    """Return the cost of signs, clear, sticky flag and registers."""
    flagged = target.of(GROUP, "flag") if plan.flagged else 0
    signs = 2 if plan.packed else 4
    return luts(signs + 1 + flagged, ff=plan.ff)


@cache
def bitmod_int(plan: BitmodIntPlan, target: Coefficients) -> Cost:
    """Return the cost of the row of the accumulator, its clear and registers."""
    bits = tuple(
        (operand_wire("state", i, plan.bits, True), operand_wire("y", i, plan.moved_bits, True))
        for i in range(plan.bits)
    )
    return row_cost(Row(bits, ("carry",)), target) + luts(1, ff=plan.ff)


@cache
def special_values(plan: SpecialValuesPlan, target: Coefficients) -> Cost:
    """Return the cost of the special values' register and its selection."""
    return luts(target.of(GROUP, "special_values"), ff=plan.ff)


@cache
def sequencer(plan: SequencerPlan, target: Coefficients) -> Cost:
    """Return the cost of the counters: those that do not end by themselves compare more."""
    lut = target.of(GROUP, "sequencer")
    for name, size in (("step", plan.steps), ("group", plan.groups)):
        lut += target.of(GROUP, f"{name}_bit") * (size - 1).bit_length()
        lut += target.of(GROUP, "odd_count") * (size & size - 1 > 0)
    chains = [bits for bits in (plan.step_bits, plan.group_bits) if bits and is_chain(bits, target)]
    bare = sum(chains) * target.of(GROUP, "counter_bit_sites")
    per_cell = target.of(GROUP, "counter_bits_per_carry")
    carry = sum(-(-bits // int(per_cell)) for bits in chains)
    return Cost(lut=lut, sites=lut + bare, ff=plan.ff, carry=carry)


@cache
def dequantiser(plan: DequantiserPlan, target: Coefficients) -> Cost:
    """Return the cost of the row and of what loads, shifts and counts."""
    bits = tuple(
        (operand_wire("high", i, plan.bits, True), (*operand_wire("word", i, plan.bits, True), "b"))
        for i in range(plan.bits + 1)
    )
    row = row_cost(Row(bits), target)
    control = target.of(GROUP, "dequantiser")
    inverters = target.of(GROUP, "dequantiser_sites")
    carries = int(target.of(GROUP, "dequantiser_carries"))
    return row + Cost(control, control + inverters, ff=plan.ff, carry=carries)


def output_mark(plan: OutputMark, target: Coefficients) -> Cost:
    """Return the cost of a register."""
    del target
    return Cost(ff=plan.ff)


BITMOD_FORMULAS: Formulas = {
    BitmodCells: (("element", bitmod_cells),),
    BitmodRow: (("element", bitmod_row),),
    BitmodElementPlan: (("element", bitmod_element),),
    BitmodIntPlan: (("element", bitmod_int),),
    TermCells: (("term generator", bitmod_cells),),
    SpecialValuesPlan: (("special values", special_values),),
    SequencerPlan: (("sequencer", sequencer),),
    OutputMark: (("sequencer", output_mark),),
    DequantiserPlan: (("dequantiser", dequantiser),),
}
"""The formulas of BitMoD's parts (see `costmodel.model.FORMULAS`)."""
