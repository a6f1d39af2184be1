"""Floor 4: small modules around cores whose mapped size no rule gives: flags, control of arrays."""

from __future__ import annotations

from collections.abc import Iterator

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.accumulators import Accumulator
from hw.design import MAXIMUM_SIDE, OutputStationaryArray
from hw.formats import parse_element
from hw.plan import plan
from hw.rtl.bits import any_of
from hw.rtl.emit import FlatArray
from hw.target import Target

Found = Iterator[tuple[str, wiring.Component, bool]]


def flag_gates(target: Target) -> Found:
    """Yield the or of one flag over the lanes of a dot product."""
    for lanes in (*range(2, 65), 80, 96, 128, 192, 256):
        yield str(lanes), FlagGate(lanes), False


class FlagGate(wiring.Component):
    """Or of many bits, as `hw.rtl.core` has it: `seen`, `any`. Combinational."""

    def __init__(self, lanes: int) -> None:
        super().__init__({"seen": In(lanes), "any": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Join."""
        m = Module()
        m.d.comb += self.any.eq(any_of(list(self.seen)))
        return m


def array_controls(target: Target) -> Found:
    """Yield narrow arrays; their shells hold control besides registers."""
    sides = [(rows, 1) for rows in (*range(2, 18), 24, 32, 33, 48, MAXIMUM_SIDE)]
    for rows, columns in [(1, 1), (1, 2), *sides]:
        design = OutputStationaryArray(
            weight=parse_element("int2"),
            activation=parse_element("int2"),
            accumulator=Accumulator.exact(4),
            structure="rows",
            rows=rows,
            columns=columns,
        )
        key = "1x1" if rows * columns == 1 else str(rows)
        yield key, FlatArray(plan(design, target)), True
