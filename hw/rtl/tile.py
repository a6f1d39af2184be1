"""Floor 2a: the broadcast tile: rows × columns accumulation cores that share their operands."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design import BroadcastTile
from hw.plan import Plan
from hw.rtl.cores import core_of
from hw.rtl.library import place


def tile_ports(design: BroadcastTile) -> dict[str, object]:
    """Return the ports of a tile, whatever it is made of; their meaning is told by `Tile`."""
    cells = design.cores
    ports: dict[str, object] = {
        "valid": In(1),
        "last": In(1),
        "weight": In(design.weight.bits * design.lanes * design.columns),
        "activation": In(design.activation.bits * design.lanes * design.rows),
        "total": Out(design.accumulator_bits * cells),
        "total_valid": Out(1),
    }
    if design.exponent_bits:
        ports["exponent"] = Out(design.exponent_bits * cells)
    return ports | {flag: Out(cells) for flag in design.flags}


class Tile(wiring.Component):
    """A core per row and column; cell (r, c) takes the activations of row r, weights of column c.

    Ports: `valid`, `last`; `weight` (column c, lane k in word ``c·lanes + k``) and `activation`
    (row r likewise); `total` (cell (r, c) in word ``r·columns + c``), `total_valid`, `exponent`
    (alignment windows) and sticky flags, a word or bit per cell. Latency 1 cycle, initiation
    interval 1, synchronous reset to 0; the cells' meaning is that of `hw.design`.
    """

    def __init__(self, plan: Plan) -> None:
        assert isinstance(plan.design, BroadcastTile)
        self.plan = plan
        self.design = plan.design
        super().__init__(tile_ports(plan.design))

    def elaborate(self, platform: object) -> Module:
        """Place the cells and join their outputs."""
        m = Module()
        design = self.design
        cells = []
        for row in range(design.rows):
            for column in range(design.columns):
                cell = core_of(self.plan.core)
                place(m, platform, "processing_element", cell, f"{row}_{column}", clocked=True)
                m.d.comb += [
                    cell.valid.eq(self.valid),
                    cell.last.eq(self.last),
                    cell.weight.eq(self.weight.word_select(column, len(cell.weight))),
                    cell.activation.eq(self.activation.word_select(row, len(cell.activation))),
                ]
                cells.append(cell)
        names = ("total", *(["exponent"] if design.exponent_bits else []), *design.flags)
        for name in names:
            m.d.comb += getattr(self, name).eq(Cat(getattr(cell, name) for cell in cells))
        m.d.comb += self.total_valid.eq(cells[0].total_valid)
        return m
