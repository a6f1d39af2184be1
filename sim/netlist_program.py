"""Floor 3: a netlist's graph as a program of three-input word operations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.netlist_graph import Graph
from sim.netlist_logic import Program
from sim.netlist_parts import Net, Register

ZERO, ONES, FIRST = "zero", "ones", 2
"""Places 0 and 1 hold constants; nets start at `FIRST`, in the order of `Graph.nets`."""
_CONSTANTS = {"0": ZERO, "1": ONES, "x": ZERO, "z": ZERO}
_COPY = 0b10101010


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """What is run once per cycle.

    Parameters
    ----------
    operations
        Rows of (table, place, place, place, place of the result), shape (n, 5).
    places
        Words there are: constants, nets, then intermediate results.
    nets
        How many nets.
    inputs
        Places of the inputs' nets.
    outputs
        Places that are shown.
    registers, following
        Places of the registers, and of what they hold next.
    initial
        Value of each register at power-up.

    """

    operations: NDArray[np.int32]
    places: int
    nets: int
    inputs: NDArray[np.int32]
    outputs: NDArray[np.int32]
    registers: NDArray[np.int32]
    following: NDArray[np.int32]
    initial: NDArray[np.uint8]


def compile_graph(graph: Graph) -> Compiled:
    """Return the program of a graph: gates in order, then what the registers hold next."""
    place: dict[Net, int] = {net: FIRST + number for number, net in enumerate(graph.nets)}
    writer = _Writer(FIRST + len(place))
    for gate in graph.gates:
        writer.write(gate.table, [_name(net, place) for net in gate.inputs], place[gate.output])
    following = []
    for register in graph.registers:
        table, nets = next_table(register)
        following.append(writer.write(table, [_name(net, place) for net in nets], None))
    ports = (bit for bits in graph.inputs.values() for bit in bits)
    shown = (bit for bits in graph.outputs.values() for bit in bits)
    return Compiled(
        np.array(writer.rows, np.int32).reshape(-1, 5),
        writer.places,
        len(place),
        _array(place[bit] for bit in ports),
        _array(_place(_name(bit, place)) for bit in shown),
        _array(place[register.output] for register in graph.registers),
        _array(following),
        np.array([register.initial for register in graph.registers], np.uint8),
    )


class _Writer:
    """Rows of operations; the words of one function can be used again by the next."""

    def __init__(self, first: int) -> None:
        self.first = self.places = first
        self.rows: list[tuple[int, int, int, int, int]] = []

    def write(self, table: int, names: list[str], result: int | None) -> int:
        """Add a function of named places; return where its value is, `result` if that is given."""
        program = Program("t")
        found = program.name(*_folded(table, names))
        known: dict[str, int] = {}
        for number, (rows, operands) in enumerate(program.steps):
            one, two, three = (known[name] if name in known else _place(name) for name in operands)
            own = f"t{number}"
            last = own == found and number == len(program.steps) - 1
            known[own] = result if last and result is not None else self._new(result, number)
            self.rows.append((rows, one, two, three, known[own]))
        place = known[found] if found in known else _place(found)
        if result is not None and place != result:
            self.rows.append((_COPY, place, place, place, result))
            return result
        return place

    def _new(self, result: int | None, number: int) -> int:
        """Return a place for an intermediate word; one that must last (no result) is its own."""
        if result is None:
            self.places += 1
            return self.places - 1
        self.places = max(self.places, self.first + number + 1)
        return self.first + number


def _name(net: Net, place: dict[Net, int]) -> str:
    known = _CONSTANTS.get(net) if isinstance(net, str) else None
    return known if known is not None else f"p{place[net]}"


def _place(name: str) -> int:
    return {ZERO: 0, ONES: 1}[name] if name in (ZERO, ONES) else int(name[1:])


def _array(numbers: Iterable[int]) -> NDArray[np.int32]:
    return np.array(list(numbers), np.int32)


def _folded(table: int, names: list[str]) -> tuple[int, tuple[str, ...]]:
    """Return a table without inputs that are constant or come twice."""
    distinct = tuple(name for name in dict.fromkeys(names) if name not in (ZERO, ONES))
    rows = 0
    for row in range(1 << len(distinct)):
        bits = {name: row >> k & 1 for k, name in enumerate(distinct)} | {ZERO: 0, ONES: 1}
        old = sum(bits[name] << k for k, name in enumerate(names))
        rows |= (table >> old & 1) << row
    return rows, distinct


def next_table(register: Register) -> tuple[int, list[Net]]:
    """Return what a register holds next, as a table of data, itself, enable and reset."""
    enable, enable_level = register.enable or ("1", 1)
    reset, reset_level = register.reset or ("0", 1)
    rows = 0
    for row in range(16):
        data, old, enable_bit, reset_bit = (row >> k & 1 for k in range(4))
        enabled = enable_bit == enable_level
        resets = reset_bit == reset_level and (enabled or not register.reset_needs_enable)
        rows |= (register.value if resets else data if enabled else old) << row
    return rows, [register.data, register.output, enable, reset]
