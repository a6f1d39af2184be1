"""Floor 2c: merged lanes and rows, which a plan gives LUT by LUT."""

from __future__ import annotations

from functools import cache

from costmodel.accumulate import control_luts
from costmodel.chain import Row, Wire, function_luts, is_chain, row_cost
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts, total
from costmodel.lanes import gate_luts, special_luts
from costmodel.rows import narrow_luts
from hw.formats import MinifloatFormat
from hw.plan import MergedAccumulatePlan, MergedLanePlan, MergedRow, OperandPlan
from hw.plan.cells import Chain, ChainBit, Lut, Netlist
from hw.plan.merged_cells import kill_netlist


@cache
def merged_lane_glue(plan: MergedLanePlan, target: Coefficients) -> Cost:
    """Return the cost of unpacking and of special flags."""
    return unpack_cost(plan.operands, plan.flags, plan.packed, target)


def unpack_cost(
    operands: tuple[OperandPlan, OperandPlan],
    flags: tuple[str, ...],
    packed: bool,
    target: Coefficients,
) -> Cost:
    """Return the cost of unpacking two minifloats, their sign left out, and of special flags.

    Each takes its hidden bit; and what keeps special operands out is one function of the bits that
    tell them, or of the classifiers' answers.
    """
    count = special_luts(*operands, flags, target)
    for operand in operands:
        assert isinstance(operand.format, MinifloatFormat)
        count += gate_luts(operand.format.exponent_bits, target)
    gated = [operand for operand in operands if operand.gated]
    if not gated:
        return luts(count)
    if flags:
        answers = sum(1 + operand.has_infinity for operand in gated)
        return luts(count + gate_luts(answers, target))
    return luts(count) + netlist_cost(kill_netlist(operands), packed, target)


@cache
def merged_lane_cells(plan: MergedLanePlan, target: Coefficients) -> Cost:
    """Return the cost of product, exponent sum and fine shift."""
    return netlist_cost(plan.netlist, plan.packed, target)


@cache
def merged_row(plan: MergedRow, target: Coefficients) -> Cost:
    """Return the cost of a row: a site per bit."""
    return netlist_cost(plan.netlist, plan.packed, target)


@cache
def merged_accumulate(plan: MergedAccumulatePlan, target: Coefficients) -> Cost:
    """Return the cost of the row that places a product, its registers and control."""
    count = control_luts(plan.flags, plan.total_on_last, target, plan.row.packed)
    return merged_row(plan.row, target) + luts(count, ff=plan.ff)


def netlist_cost(netlist: Netlist, packed: bool, target: Coefficients) -> Cost:
    """Return the cost of given cells: as they are, or as Yosys maps them one by one."""
    if packed:
        return Cost(netlist.sites - netlist.bare_sites, netlist.sites, carry=netlist.carries)
    plain = sum(function_luts(len(lut.inputs), target.lut_inputs) for lut in netlist.luts)
    return total([luts(plain), *(_chain_cost(chain, target) for chain in netlist.chains)])


def _chain_cost(chain: Chain, target: Coefficients) -> Cost:
    bits = tuple(_operands(bit) for bit in chain.bits)
    bits += (((), ()),) if chain.carry_out else ()
    carry_in: Wire = () if chain.carry_in == "0" else (chain.carry_in,)
    row = Row(bits, carry_in)
    if is_chain(row.width, target):
        return row_cost(row, target)
    return luts(narrow_luts(row, target))


def _operands(bit: ChainBit) -> tuple[Wire, Wire]:
    """Return what a bit adds: what DI reads, and what makes the select of it."""
    if isinstance(bit.direct, Lut):
        direct: Wire = bit.direct.inputs
        other = tuple(net for net in bit.select.inputs if net not in direct)
        return direct, other or bit.select.inputs
    direct = () if bit.direct == "0" else (bit.direct,)
    return direct, tuple(net for net in bit.select.inputs if net != bit.direct)
