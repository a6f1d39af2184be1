"""Floor 2a: the modules of a netlist in Yosys' JSON, their cells in topological order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

ARITHMETIC = ("$add", "$sub", "$neg", "$alu", "$lt", "$le", "$gt", "$ge", "$mul", "$macc")
REGISTERS = ("$dff", "$dffe", "$sdff", "$sdffe", "$sdffce", "$adff", "$adffe", "$aldff")
DSP_BLOCKS = ("dsp48e1", "dsp48e2")
_PRIMITIVE_OUTPUTS = {
    "lut6_2": ("O5", "O6"),
    "carry4": ("O", "CO"),
    **dict.fromkeys(DSP_BLOCKS, ("P", "PCOUT")),
}

ENABLE = "advance"
"""The input of a cell without which nothing in it moves, registers of a pipeline included."""
ABOVE = "above"
"""The input of a cell, and the end of inputs' names, that comes when the pipeline ends."""

RUNNING = "running_"
"""In the names of modules whose registers are a loop of their own: they stand whole in the stage in
which their inputs are ready, and what they give in that cycle goes on through the pipeline."""

Netlist = dict[str, Any]
Bit = int | str
"""A net of one module, or a constant."""


@dataclass(frozen=True)
class Cell:
    """One cell: its nets by direction; `ports` keeps them by port, `settings` its parameters."""

    name: str
    kind: str
    ports: Mapping[str, tuple[Bit, ...]]
    outputs: tuple[str, ...]
    settings: Mapping[str, str]

    @cached_property
    def reads(self) -> tuple[Bit, ...]:
        """Nets it reads, constants left out."""
        return tuple(
            bit
            for port, bits in self.ports.items()
            if port not in self.outputs
            for bit in bits
            if isinstance(bit, int)
        )

    @cached_property
    def drives(self) -> tuple[Bit, ...]:
        """Nets it drives."""
        return tuple(bit for port in self.outputs for bit in self.ports[port])


class Module:
    """A module as cells in topological order, with what its registers feed."""

    def __init__(self, name: str, record: Netlist, modules: Mapping[str, Module]) -> None:
        self.name = name
        self.record = record
        self.ports: dict[str, tuple[Bit, ...]] = {
            port: tuple(found["bits"]) for port, found in record["ports"].items()
        }
        self.inputs = [p for p, f in record["ports"].items() if f["direction"] == "input"]
        self.outputs = [p for p, f in record["ports"].items() if f["direction"] == "output"]
        self.modules = modules
        self.late = {p for p in self.inputs if p in (ENABLE, ABOVE) or p.endswith(f"_{ABOVE}")}
        cells = [_cell(n, c, modules) for n, c in record["cells"].items()]
        self.holding = [c for c in cells if self._holds(c)]
        self.plain = list(_ordered([c for c in cells if not self._holds(c)]))
        self.sequential = bool(self.holding)
        self.running = RUNNING in name
        self.fixed = self._downstream()

    def _holds(self, cell: Cell) -> bool:
        inner = self.modules.get(cell.kind)
        if inner is not None:
            return inner.sequential and not inner.running
        return cell.kind in REGISTERS

    def _downstream(self) -> set[str]:
        """Return the cells that a register or a late input feeds: they stay where they are."""
        reached = {bit for cell in self.holding for bit in cell.drives}
        reached |= {bit for port in self.late for bit in self.ports[port] if isinstance(bit, int)}
        found = set()
        for cell in self.plain:
            if reached.intersection(cell.reads):
                found.add(cell.name)
                reached.update(cell.drives)
        return found

    @property
    def is_leaf(self) -> bool:
        """Whether it holds no module of the design's own."""
        return not any(cell.kind in self.modules for cell in (*self.plain, *self.holding))

    @cached_property
    def has_rows(self) -> bool:
        """Whether any of its own cells is arithmetic, a carry chain or a DSP block."""
        ends = ("carry4", *DSP_BLOCKS)
        return any(c.kind in ARITHMETIC or c.kind.endswith(ends) for c in self.plain)


def _cell(name: str, record: Netlist, modules: Mapping[str, Module]) -> Cell:
    kind = record["type"]
    ports = {port: tuple(bits) for port, bits in record["connections"].items()}
    inner = modules.get(kind)
    if inner is not None:
        outputs = tuple(port for port in inner.outputs if port in ports)
    elif kind.startswith("$"):
        outputs = tuple(port for port in ports if port in ("Y", "Q", "X", "CO"))
    else:
        known = next((o for end, o in _PRIMITIVE_OUTPUTS.items() if kind.endswith(end)), None)
        if known is None:
            raise ValueError(f"registers can be placed around modules of the design, not {kind}")
        outputs = tuple(port for port in known if port in ports)
    return Cell(name, kind, ports, outputs, record.get("parameters", {}))


def _ordered(cells: list[Cell]) -> Iterator[Cell]:
    """Give cells so that each comes after those whose nets it reads."""
    driver = {bit: cell for cell in cells for bit in cell.drives if isinstance(bit, int)}
    done: set[str] = set()
    for start in cells:
        stack = [(start, iter(start.reads))]
        while stack:
            cell, reads = stack[-1]
            if cell.name in done:
                stack.pop()
                continue
            before = next((driver[b] for b in reads if b in driver), None)
            if before is None:
                done.add(cell.name)
                stack.pop()
                yield cell
            elif before.name not in done:
                if any(before is held for held, _ in stack):
                    raise ValueError(
                        f"{before.name} is on both sides of a loop, so no registers can be placed "
                        f"around it: a pipeline needs another structure"
                    )
                stack.append((before, iter(before.reads)))


def read_modules(netlist: Netlist) -> dict[str, Module]:
    """Return all modules, those that are instantiated first."""
    found: dict[str, Module] = {}

    def read(name: str) -> None:
        if name in found:
            return
        record = netlist["modules"][name]
        for cell in record["cells"].values():
            if cell["type"] in netlist["modules"]:
                read(cell["type"])
        found[name] = Module(name, record, found)

    for name in netlist["modules"]:
        read(name)
    return found
