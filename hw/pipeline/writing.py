"""Floor 2a: placed modules as netlists, with their registers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from hw.pipeline.netlist import ENABLE, Bit, Module, Netlist
from hw.pipeline.placing import Placed

if TYPE_CHECKING:
    from hw.pipeline.job import Job


CONTROL = ("valid", "last", "rst", "clear", "show")
"""Inputs of a core that are 0 until something comes: their registers start so."""


class Writer:
    """Writes placed modules with their registers."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.modules: dict[str, Netlist] = dict(job.netlist["modules"])
        self._own: dict[str, dict[int, int]] = {}
        self._parts: dict[str, list[str]] = {}

    def write(self, module: Module, placed: Placed, in_place: bool = False) -> None:
        """Add the module `placed.name`, and the versions of modules in it."""
        if placed.name in self._own:
            return
        record = {**module.record, "cells": {}, "netnames": dict(module.record["netnames"])}
        moves = self._moves(module, record, placed)
        self._own[placed.name] = {}
        chains = self._delay(module, record, placed, moves)
        parts = []
        for cell in (*module.plain, *module.holding):
            original = module.record["cells"][cell.name]
            kind = placed.kinds.get(cell.name, cell.kind)
            connections = {
                port: self._delayed(bits, placed.uses.get((cell.name, port)), chains)
                for port, bits in cell.ports.items()
            }
            inner = self.job.modules.get(cell.kind)
            if kind != cell.kind:
                connections |= {port: [bit] for port, bit in moves.items()}
            record["cells"][cell.name] = {**original, "type": kind, "connections": connections}
            if "port_directions" in original and kind != cell.kind:
                directions = {**original["port_directions"], **dict.fromkeys(moves, "input")}
                record["cells"][cell.name]["port_directions"] = directions
            if inner is not None:
                parts.append(kind)
                made = next((p for p in self.job.made.values() if p.name == kind), None)
                if made is not None and kind != cell.kind:
                    self.write(inner, made)
        self._parts[placed.name] = parts
        self.modules[placed.name] = record

    def _moves(self, module: Module, record: Netlist, placed: Placed) -> dict[str, Bit]:
        """Return the clock of a module's registers, and what enables them; new ports for these."""
        wanted = ["clk", *([ENABLE] if self.job.enabled else [])]
        if not placed.delayed and not placed.kinds:
            return {port: module.ports[port][0] if port in module.ports else "x" for port in wanted}
        found: dict[str, Bit] = {}
        for port in wanted:
            if port in module.ports:
                found[port] = module.ports[port][0]
                continue
            bit = _highest(record) + 1
            record["ports"] = {**record["ports"], port: {"direction": "input", "bits": [bit]}}
            record["netnames"][port] = {"hide_name": 0, "bits": [bit], "attributes": {}}
            found[port] = bit
        return found

    def _delay(
        self, module: Module, record: Netlist, placed: Placed, moves: Mapping[str, Bit]
    ) -> dict[tuple[Bit, int], Bit]:
        """Add the registers; return each delayed net by its source and cycles."""
        free = _highest(record) + 1
        chains: dict[tuple[Bit, int], Bit] = {}
        control = {b for p in CONTROL for b in module.ports.get(p, ())}
        own = self._own[placed.name]
        for taps in placed.delayed.values():
            before = 0
            for tap in sorted(taps):
                own[tap - before] = own.get(tap - before, 0) + 1
                before = tap
        depth = max((max(taps) for taps in placed.delayed.values()), default=0)
        for cycle in range(1, depth + 1):
            for word, bits in _words(record, placed.delayed, cycle):
                name = f"{word}_late{cycle}"
                new = list(range(free, free + len(bits)))
                free += len(bits)
                source = [chains.get((bit, cycle - 1), bit) for bit in bits]
                chains.update({(bit, cycle): q for bit, q in zip(bits, new, strict=True)})
                attributes = {}
                if control.intersection(bits):
                    attributes = {"init": "0" * len(bits)}
                record["netnames"][name] = {
                    "hide_name": 0,
                    "bits": new,
                    "attributes": attributes,
                }
                record["cells"][f"$pipe${name}"] = _register(source, new, moves)
        return chains

    @staticmethod
    def _delayed(
        bits: Iterable[Bit],
        late: tuple[tuple[Bit, int], ...] | None,
        chains: Mapping[tuple[Bit, int], Bit],
    ) -> list[Bit]:
        if late is None:
            return list(bits)
        return [chains.get((bit, n), bit) for bit, n in late]

    def chains(self, name: str) -> dict[int, int]:
        """Return the chains of registers of a module and all in it, by length."""
        found = dict(self._own.get(name, {}))
        for part in self._parts.get(name, ()):
            for length, count in self.chains(part).items():
                found[length] = found.get(length, 0) + count
        return found


def _register(source: list[Bit], held: list[int], moves: Mapping[str, Bit]) -> Netlist:
    """Return the cell of a register of a pipeline."""
    parameters = {"CLK_POLARITY": f"{1:032b}", "WIDTH": f"{len(held):032b}"}
    connections = {"CLK": [moves["clk"]], "D": source, "Q": held}
    if ENABLE in moves:
        parameters["EN_POLARITY"] = f"{1:032b}"
        connections["EN"] = [moves[ENABLE]]
    return {
        "hide_name": 1,
        "type": "$dffe" if ENABLE in moves else "$dff",
        "parameters": parameters,
        "attributes": {},
        "port_directions": {port: "output" if port == "Q" else "input" for port in connections},
        "connections": connections,
    }


def _highest(record: Netlist) -> int:
    bits = [b for net in record["netnames"].values() for b in net["bits"] if isinstance(b, int)]
    bits += [
        bit
        for cell in record["cells"].values()
        for connection in cell["connections"].values()
        for bit in connection
        if isinstance(bit, int)
    ]
    bits += [b for p in record["ports"].values() for b in p["bits"] if isinstance(b, int)]
    return max(bits, default=1)


def _words(
    record: Netlist, delayed: Mapping[Bit, set[int]], cycle: int
) -> Iterator[tuple[str, list[Bit]]]:
    """Give the nets delayed by so many cycles, as words named after a net they are of."""
    left = {bit for bit, taps in delayed.items() if max(taps) >= cycle}
    names = sorted(record["netnames"], key=lambda n: (record["netnames"][n]["hide_name"], n))
    for name in names:
        if "_late" in name:
            continue
        bits = [b for b in dict.fromkeys(record["netnames"][name]["bits"]) if b in left]
        if bits:
            left.difference_update(bits)
            yield "".join(c if c.isalnum() else "_" for c in name), bits
    for bit in sorted(left, key=str):
        yield f"net{bit}", [bit]
