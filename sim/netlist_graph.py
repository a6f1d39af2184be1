"""Floor 3: a mapped netlist as gates in order, between inputs, registers and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sim.netlist_cells import parts_of
from sim.netlist_parts import Gate, Kind, Net, Register

_REGISTER_PINS = ("data", "enable", "reset")


@dataclass(frozen=True, slots=True)
class Graph:
    """What one clock cycle evaluates.

    Parameters
    ----------
    inputs, outputs
        Nets of each port, lowest bit first; without the clock.
    registers
        Those that an output depends on.
    gates
        Likewise, every gate after those that drive it.
    cells
        Cells of the netlist by type, all of them.
    names
        A name for nets that have one.
    clock
        Name of the clock's port, "" without registers.

    """

    inputs: dict[str, list[Net]]
    outputs: dict[str, list[Net]]
    registers: tuple[Register, ...]
    gates: tuple[Gate, ...]
    cells: dict[str, int]
    names: dict[Net, str]
    clock: str

    @property
    def nets(self) -> list[Net]:
        """Every net once: registers, inputs, gates in order; the order of all counts."""
        ports = [bit for bits in self.inputs.values() for bit in bits]
        return [r.output for r in self.registers] + ports + [g.output for g in self.gates]

    @property
    def kinds(self) -> list[Kind]:
        """What drives each of `nets`."""
        ports = sum(map(len, self.inputs.values()))
        own = [Kind.REGISTER] * len(self.registers) + [Kind.INPUT] * ports
        return own + [gate.kind for gate in self.gates]


def graph_of(module: Mapping[str, Any]) -> Graph:
    """Return the graph of a flat module of Yosys' JSON.

    Raises
    ------
    ValueError
        If a cell has no model, registers have different clocks, the clock is computed or used as
        data, two cells drive one net, or gates form a loop.

    """
    drivers: dict[Net, Gate] = {}
    registers: dict[Net, Register] = {}
    cells: dict[str, int] = {}
    for name, cell in module["cells"].items():
        cells[cell["type"]] = cells.get(cell["type"], 0) + 1
        for part in parts_of(name, cell):
            _add(part, drivers, registers)
    ports = module["ports"]
    clock = _clock(ports, registers)
    inputs = {
        name: list(port["bits"])
        for name, port in ports.items()
        if port["direction"] == "input" and name != clock
    }
    outputs = {
        name: list(port["bits"]) for name, port in ports.items() if port["direction"] == "output"
    }
    known = {bit for bits in inputs.values() for bit in bits}
    order, kept = _ordered(
        [b for bits in outputs.values() for b in bits], drivers, registers, known
    )
    names: dict[Net, str] = {}
    for name, net in module["netnames"].items():
        for place, bit in enumerate(net["bits"]):
            label = name if len(net["bits"]) == 1 else f"{name}[{place}]"
            names[bit] = min(names.get(bit, label), label, key=lambda text: (len(text), text))
    return Graph(inputs, outputs, kept, order, dict(sorted(cells.items())), names, clock)


def _add(part: Gate | Register, drivers: dict[Net, Gate], registers: dict[Net, Register]) -> None:
    """Note a part; an asynchronous reset that can act becomes a gate behind the register."""
    if isinstance(part, Register) and part.asynchronous and _can_act(part.reset):
        assert part.reset is not None
        net, level = part.reset
        state: Net = f"{part.output}/state"
        rows = sum((part.value if (row >> 1) == level else row & 1) << row for row in range(4))
        _add(Gate(part.output, (state, net), rows, Kind.REGISTER), drivers, registers)
        fields = (part.data, part.clock, part.initial, part.enable, part.reset, part.value)
        part = Register(state, *fields)
    if part.output in drivers or part.output in registers:
        raise ValueError(f"every net has one driver, net {part.output} has two")
    if isinstance(part, Gate):
        drivers[part.output] = part
    else:
        registers[part.output] = part


def _can_act(reset: tuple[Net, int] | None) -> bool:
    return reset is not None and reset[0] != str(1 - reset[1])


def _clock(ports: Mapping[str, Any], registers: Mapping[Net, Register]) -> str:
    """Return the name of the port that clocks all registers."""
    clocks = {register.clock for register in registers.values()}
    if not clocks:
        return ""
    for name, port in ports.items():
        if port["direction"] == "input" and set(port["bits"]) == clocks:
            return str(name)
    raise ValueError(f"all registers have one clock, an input of the design, not {len(clocks)}")


def pins_of(part: Gate | Register) -> list[Net]:
    """Return the nets a part reads, its clock aside."""
    if isinstance(part, Gate):
        return list(part.inputs)
    return [part.data, *(pin[0] for pin in (part.enable, part.reset) if pin is not None)]


def _ordered(
    outputs: list[Net],
    drivers: Mapping[Net, Gate],
    registers: Mapping[Net, Register],
    inputs: set[Net],
) -> tuple[tuple[Gate, ...], tuple[Register, ...]]:
    """Return the gates and registers below some outputs; gates depth first, operands first."""
    order: list[Gate] = []
    kept: list[Register] = []
    done: set[Net] = {"0", "1", "x", "z", *inputs}
    begun: set[Net] = set()
    roots = list(outputs)
    for root in roots:  # grows by what registers read
        stack = [root]
        while stack:
            net = stack[-1]
            if net in done:
                stack.pop()
            elif net in registers:
                done.add(net)
                kept.append(registers[net])
                roots += pins_of(registers[net])
            elif net not in drivers:
                raise ValueError(f"net {net} is read but nothing drives it (the clock is no data)")
            elif missing := [pin for pin in drivers[net].inputs if pin not in done]:
                if net in begun:
                    raise ValueError(f"gates must not form a loop; net {net} is part of one")
                begun.add(net)
                stack += missing
            else:
                done.add(net)
                order.append(drivers[net])
    return tuple(order), tuple(kept)
