"""Floor 2c: merged lanes and rows, which a plan gives LUT by LUT."""

from __future__ import annotations

from functools import cache

from costmodel.accumulate import control_luts
from costmodel.chain import function_luts, is_chain
from costmodel.coefficients import Coefficients
from costmodel.collapse import collapsed_luts
from costmodel.cost import Cost, luts, total
from costmodel.lanes import gate_luts, special_luts
from hw.formats import MinifloatFormat
from hw.plan import MergedAccumulatePlan, MergedLanePlan, MergedRow, OperandPlan
from hw.plan.carry_count import CarryCount
from hw.plan.cells import CARRY_BITS, Chain, Lut, Netlist
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
        if "pos_inf" not in flags:  # what says that a product is NaN keeps it out
            return luts(count)
        return luts(count + gate_luts(answers, target) + 1)
    return luts(count) + netlist_cost(kill_netlist(operands), packed, target)


@cache
def merged_lane_cells(plan: MergedLanePlan, target: Coefficients) -> Cost:
    """Return the cost of product, exponent sum and fine shift."""
    return netlist_cost(plan.netlist, plan.packed, target)


@cache
def merged_row(plan: MergedRow, target: Coefficients) -> Cost:
    """Return the cost of a row: a site per bit, each with a LUT if there is something to add to."""
    if plan.packed and plan.previous and not plan.carries:
        return Cost(plan.width, plan.width, carry=-(-plan.width // CARRY_BITS))
    return netlist_cost(plan.netlist, plan.packed, target)


@cache
def carry_count(plan: CarryCount, target: Coefficients) -> Cost:
    """Return the cost of the tree that counts carries and signs."""
    return netlist_cost(plan.netlist, True, target)


@cache
def merged_accumulate(plan: MergedAccumulatePlan, target: Coefficients) -> Cost:
    """Return the cost of the row that places a product, its registers and control."""
    count = control_luts(plan.flags, plan.total_on_last, target, plan.row.packed)
    return merged_row(plan.row, target) + luts(count, ff=plan.ff)


def netlist_cost(netlist: Netlist, packed: bool, target: Coefficients) -> Cost:
    """Return the cost of given cells: as they are, or as Yosys maps them one by one."""
    if packed:
        return Cost(netlist.sites - netlist.bare_sites, netlist.sites, carry=netlist.carries)
    plain = target.of("merged", "remapped") * collapsed_luts(netlist, target.lut_inputs)
    return total([luts(plain), *(_chain_cost(chain, target) for chain in netlist.chains)])


def _chain_cost(chain: Chain, target: Coefficients) -> Cost:
    """Return the cost of a chain that Yosys maps: a LUT per bit, and per function at DI."""
    width = len(chain.bits) + bool(chain.carry_out)
    bits = [bit for bit in chain.bits if not bit.select.is_wire]
    if not is_chain(width, target):
        reads = {net for bit in bits for net in bit.select.inputs}
        return luts(len(bits) * function_luts(max(len(reads), 2), target.lut_inputs))
    found = sum(function_luts(max(len(bit.select.inputs), 2), target.lut_inputs) for bit in bits)
    sites = found + width - len(bits)
    direct = {
        (bit.direct.inputs, bit.direct.truth)
        for bit in chain.bits
        if isinstance(bit.direct, Lut) and not bit.direct.is_wire
    }
    return Cost(found + len(direct), sites + len(direct), carry=-(-width // CARRY_BITS))
