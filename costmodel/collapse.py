"""Floor 2c: given LUTs as a synthesiser maps them anew: what one place alone reads goes into it."""

from __future__ import annotations

from collections import Counter

from costmodel.chain import function_luts
from hw.plan.cells import Chain, Lut, Netlist


def collapsed_luts(netlist: Netlist, lut_inputs: int) -> int:
    """Return the LUTs of a netlist, those in front of chains not counted.

    A function that only one LUT reads disappears in it while their inputs fit together.
    """
    alive = {lut.output: set(lut.inputs) for lut in netlist.luts if not lut.is_wire}
    _follow_wires(netlist.luts, alive)
    fixed = [read for chain in netlist.chains for read in _chain_reads(chain)]
    merged = True
    while merged:
        merged = False
        readers = Counter(net for inputs in alive.values() for net in inputs)
        readers.update(net for inputs in fixed for net in inputs)
        for output in list(alive):
            hosts = [other for other, inputs in alive.items() if output in inputs]
            if readers[output] != 1 or len(hosts) != 1:
                continue
            union = (alive[hosts[0]] - {output}) | alive[output]
            if len(union) <= lut_inputs:
                alive[hosts[0]] = union
                del alive[output]
                merged = True
                break
    return sum(function_luts(max(len(inputs), 2), lut_inputs) for inputs in alive.values())


def _follow_wires(luts: tuple[Lut, ...], alive: dict[str, set[str]]) -> None:
    """Read through LUTs that are other names of nets."""
    names = {lut.output: lut.inputs[0] for lut in luts if lut.is_wire and lut.inputs}
    for inputs in alive.values():
        for net in [net for net in inputs if net in names]:
            inputs.remove(net)
            inputs.add(names[net])


def _chain_reads(chain: Chain) -> list[tuple[str, ...]]:
    """Return the nets each LUT of a chain reads, and its bare ones."""
    found: list[tuple[str, ...]] = [(chain.carry_in,)]
    for bit in chain.bits:
        found.append(bit.select.inputs)
        found.append((bit.direct,) if isinstance(bit.direct, str) else bit.direct.inputs)
    return found
