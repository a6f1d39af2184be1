"""Floor 2c: the longest path of a circuit that a plan gives LUT by LUT."""

from __future__ import annotations

from functools import cache

from costmodel.path_things import Counted
from hw.plan.cells import Chain, Lut, Netlist

Depth = tuple[float, int, int]
"""Levels of LUTs, carry chains and the bits of these, one after the other."""
CHAIN_LEVELS, BIT_LEVELS = 1.5, 0.05
"""What a chain, and a bit of it, counts in levels where the longest path is looked for."""
WIDE_LEVELS = 1.25
"""A function of one or two inputs more than a LUT has: LUTs and the multiplexer beside them."""


def cells(found: Counted, netlist: Netlist, lut_inputs: int) -> None:
    """Put a circuit on the path."""
    luts, chains, bits = depth(netlist, lut_inputs)
    found.add("cells", luts)
    found.add("chains", chains)
    found.add("chain_bits", bits)


@cache
def depth(netlist: Netlist, lut_inputs: int) -> Depth:
    """Return the longest path between the ports of a circuit."""
    cell_of: dict[str, Lut | Chain] = {lut.output: lut for lut in netlist.luts}
    for chain in netlist.chains:
        cell_of |= dict.fromkeys(chain.outputs, chain)
    known: dict[int, Depth] = {}

    def after(cell: Lut | Chain) -> Depth:
        if id(cell) not in known:
            known[id(cell)] = (0.0, 0, 0)  # a loop would be a fault of the plan's own
            before = [after(cell_of[net]) for net in cell.inputs if net in cell_of]
            luts, chains, bits = max(before, key=_levels, default=(0.0, 0, 0))
            if isinstance(cell, Chain):
                known[id(cell)] = luts, chains + 1, bits + len(cell.bits)
            else:
                known[id(cell)] = luts + _lut_levels(cell, lut_inputs), chains, bits
        return known[id(cell)]

    return max((after(cell) for cell in cell_of.values()), key=_levels, default=(0.0, 0, 0))


def _levels(found: Depth) -> float:
    luts, chains, bits = found
    return luts + CHAIN_LEVELS * chains + BIT_LEVELS * bits


def _lut_levels(lut: Lut, lut_inputs: int) -> float:
    if lut.is_wire:
        return 0.0
    return 1.0 if len(lut.inputs) <= lut_inputs else WIDE_LEVELS
