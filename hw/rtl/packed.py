"""Floor 2a: the broadcast tile whose products share DSP blocks (`hw.plan.packed`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import wiring

from hw.design import BroadcastTile
from hw.plan import PackedOperand, PackedTilePlan, Plan
from hw.rtl.library import place
from hw.rtl.packed_block import Pack, PackedCellCore, add_cell, add_chain
from hw.rtl.tile import tile_ports


class PackedTile(wiring.Component):
    """A broadcast tile with several products per DSP block.

    Ports, latency and meaning are those of `hw.rtl.tile.Tile`.
    """

    def __init__(self, plan: Plan) -> None:
        assert isinstance(plan.design, BroadcastTile)
        assert isinstance(plan.core, PackedTilePlan)
        self.plan = plan.core
        self.design = plan.design
        super().__init__(tile_ports(plan.design))

    def elaborate(self, platform: object) -> Module:
        """Pack the operands, chain the blocks, and add each field up."""
        m = Module()
        plan, design = self.plan, self.design
        packing = plan.packing
        weights = self._packs(m, platform, "weight", packing.weight)
        activations = self._packs(m, platform, "activation", packing.activation)
        cells: dict[tuple[int, int], PackedCellCore] = {}
        for high in range(design.rows // packing.rows):
            for across in range(design.columns // packing.columns):
                sums = self._chains(
                    m, platform, f"{high}_{across}", weights[across], activations[high]
                )
                for row in range(packing.rows):
                    for column in range(packing.columns):
                        where = high * packing.rows + row, across * packing.columns + column
                        cells[where] = self._cell(m, platform, where, (row, column), sums)
        ordered = [cells[where] for where in sorted(cells)]
        for name in ("total", *design.flags):
            m.d.comb += getattr(self, name).eq(Cat(getattr(cell, name) for cell in ordered))
        m.d.comb += self.total_valid.eq(ordered[0].total_valid)
        return m

    def _packs(
        self, m: Module, platform: object, side: str, operand: PackedOperand
    ) -> list[list[Pack]]:
        """Return the packed operands of each group of columns or rows, one per lane."""
        codes, lanes, together = getattr(self, side), self.plan.lanes, len(operand.offsets)
        bits = operand.format.bits
        groups = len(codes) // (bits * lanes * together)
        found: list[list[Pack]] = []
        for group in range(groups):
            packs = []
            for lane in range(lanes):
                pack = Pack(operand)
                place(m, platform, f"pack_{side}", pack, f"{group}_{lane}")
                places = ((group * together + i) * lanes + lane for i in range(together))
                m.d.comb += pack.codes.eq(Cat(codes.word_select(i, bits) for i in places))
                packs.append(pack)
            found.append(packs)
        return found

    def _chains(
        self,
        m: Module,
        platform: object,
        group: str,
        weights: list[Pack],
        activations: list[Pack],
    ) -> list[Value]:
        """Return the sums of a group's chains."""
        plan = self.plan
        weight_is_wide = plan.packing.weight.is_wide
        sums: list[Value] = []
        lane = 0
        for number, links in enumerate(plan.chains):
            lanes = slice(lane, lane + links)
            wides, narrows = weights[lanes], activations[lanes]
            if not weight_is_wide:
                wides, narrows = narrows, wides
            chain, index = plan.chain(links), f"{group}_{number}"
            sums.append(add_chain(m, platform, chain, index, wides, narrows))
            lane += links
        return sums

    def _cell(
        self,
        m: Module,
        platform: object,
        where: tuple[int, int],
        field: tuple[int, int],
        sums: list[Value],
    ) -> PackedCellCore:
        """Add the cell of a field."""
        cell = PackedCellCore(self.plan.cell(*field))
        offset = self.plan.packing.offset(*field)
        fields = [(total, offset) for total in sums]
        step = self.valid, self.last
        add_cell(m, platform, cell, f"{where[0]}_{where[1]}", fields, step)
        return cell
