"""Floor 4. Energy of a design: toggles of its mapped netlist under an operand stream, times pJ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from costmodel.activity import KINDS
from costmodel.energy import Energy, Rates, price
from hw.design import (
    Design,
    OutputStationaryArray,
    SerialDesign,
    WeightStationaryArray,
    from_record,
)
from hw.design.constant_dot import ConstantDot
from hw.design.square import SquareSum
from hw.rtl import Emitted
from sim.netlist import Activity, Netlist, netlist_of
from sim.netlist_check import port_words
from sim.netlist_parts import Kind
from sim.ports import Bits, Layout, input_layout, operand_bits
from sweeps.streams import OperandStream

FED = (ConstantDot, SquareSum)
"""Kinds with ports of their own that streams feed."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Toggles of a netlist.

    Parameters
    ----------
    netlist, activity
        What was run, and the toggles of each net.
    macs_per_cycle
        Products that the design takes per cycle.

    """

    netlist: Netlist
    activity: Activity
    macs_per_cycle: float

    @property
    def rates(self) -> Rates:
        """Toggles per cycle by what drives the net, and the number of flip-flops."""
        per_cycle = self.activity.per_cycle(self.netlist.graph)
        return Rates(
            per_cycle[Kind.INPUT],
            per_cycle[Kind.LOGIC],
            per_cycle[Kind.CARRY],
            per_cycle[Kind.REGISTER],
            len(self.netlist.graph.registers),
        )


def measure(emitted: Emitted, stream: OperandStream, target: str = "") -> Measured:
    """Return the toggles of an emitted design under a stream.

    Every cycle brings operands; results of an array are always taken. The registers start at
    reset, and the first step is not counted.

    Raises
    ------
    ValueError
        As `sim.netlist.netlist_of`.
    hw.errors.MissingTool
        If Yosys or the C++ compiler is missing.

    """
    design = from_record(emitted.record["design"])
    if isinstance(design, WeightStationaryArray):
        raise ValueError(
            f"operand streams keep no weights, so the energy of {design.slug} is not known: "
            f"the nearest is an output-stationary array, or a dot of {design.lanes} lanes"
        )
    if isinstance(design, SerialDesign) and not isinstance(design, FED):
        raise ValueError(
            f"operand streams bring whole words in every step, so the energy of {design.slug} is "
            f"not known: kinds with energy are {', '.join(KINDS)}"
        )
    netlist = netlist_of(emitted, target)
    rows = _rows(design, input_layout(design), stream)
    streams = len(stream.last)
    shown, activity = netlist.count(port_words(netlist, input_layout(design), rows, streams))
    return Measured(netlist, activity, _macs(design, netlist, shown))


def priced(emitted: Emitted, stream: OperandStream, mapped: str, priced_as: str) -> Energy:
    """Return the energy of an emitted design under a stream.

    Parameters
    ----------
    emitted, stream
        As for `measure`.
    mapped
        What it is mapped to: "" is its own target.
    priced_as
        Whose constants are taken (`costmodel.energy.constants`).

    """
    found = measure(emitted, stream, mapped)
    return price(found.rates, found.macs_per_cycle, priced_as)


def _rows(design: Design, layout: Layout, stream: OperandStream) -> Bits:
    """Return the input bits of every step, stream after stream."""
    streams, steps = stream.last.shape
    count = streams * steps
    one, zero = np.ones((count, 1), np.uint8), np.zeros((count, 1), np.uint8)
    last = stream.last.reshape(count, 1).astype(np.uint8)
    values: dict[str, Bits] = {"rst": zero, "result_ready": one}
    values |= {"valid": one, "operands_valid": one, "last": last, "operands_last": last}
    for name, codes, format in (
        ("weight", stream.weight, design.weight),
        ("activation", stream.activation, design.activation),
    ):
        values[name] = operand_bits(design, codes.reshape(count, -1), format.bits)
    return layout.pack(values)


def _macs(design: Design, netlist: Netlist, shown: Any) -> float:
    """Return the products taken per cycle: all of them, of an array those it was ready for."""
    each = float(design.lanes * design.cores)
    if isinstance(design, ConstantDot):
        return each * design.outputs
    if not isinstance(design, OutputStationaryArray):
        return each
    first = 0
    for name, bits in netlist.graph.outputs.items():
        if name == "operands_ready":
            return each * float(np.bitwise_count(shown[1:, first]).mean()) / 64
        first += len(bits)
    raise ValueError(f"{design.slug} has no port operands_ready")
