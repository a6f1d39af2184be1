"""Floor 2a: a dot product whose lanes share DSP blocks (`hw.plan.packed_dot`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import wiring

from hw.plan import PackedDotPlan, PackedOperand
from hw.rtl.accumulate import core_ports
from hw.rtl.library import place
from hw.rtl.packed_block import Pack, PackedCellCore, add_cell, add_chain


class PackedDot(wiring.Component):
    """``total = Σ weight[i]·activation[i]`` over lanes and steps, several lanes per DSP block.

    Ports, latency (1 cycle), initiation interval (1) and meaning are those of `hw.rtl.core.Core`;
    synchronous reset to 0. Chains cannot overflow, which `hw.plan.packed_dot` proves; the
    accumulator overflows as that of any design.
    """

    def __init__(self, plan: PackedDotPlan) -> None:
        self.plan = plan
        accumulate, packing = plan.cell.accumulate, plan.packing
        sides = packing.weight, packing.activation
        weight, activation = (side.format.bits * plan.lanes for side in sides)
        super().__init__(core_ports(weight, activation, accumulate.bits, accumulate.flags))

    def elaborate(self, platform: object) -> Module:
        """Pack the operands, chain the blocks, and add their fields up."""
        m = Module()
        packing = self.plan.packing
        weights = self._packs(m, platform, "weight", packing.weight)
        activations = self._packs(m, platform, "activation", packing.activation)
        sides = weights, activations
        wides, narrows = sides if packing.weight.is_wide else sides[::-1]
        fields: list[tuple[Value, int]] = []
        first = 0
        for number, links in enumerate(self.plan.chains):
            blocks = slice(first, first + links)
            chain = self.plan.chain(links)
            total = add_chain(m, platform, chain, str(number), wides[blocks], narrows[blocks])
            fields += [(total, place) for place in packing.fields]
            first += links
        cell = PackedCellCore(self.plan.cell)
        add_cell(m, platform, cell, "", fields, (self.valid, self.last))
        for name in ("total", "total_valid", *cell.plan.accumulate.flags):
            m.d.comb += getattr(self, name).eq(getattr(cell, name))
        return m

    def _packs(self, m: Module, platform: object, side: str, operand: PackedOperand) -> list[Pack]:
        """Return the packed operand of each block; activations are packed the other way round."""
        codes, bits = getattr(self, side), operand.format.bits
        together = len(operand.offsets)
        turns = side == "activation" and not operand.apart
        packs = []
        for block in range(self.plan.blocks):
            pack = Pack(operand)
            place(m, platform, f"pack_{side}", pack, block)
            lanes = range(block * together, (block + 1) * together)
            words = [
                codes.word_select(lane, bits) if lane < self.plan.lanes else Const(0, bits)
                for lane in (reversed(lanes) if turns else lanes)
            ]
            m.d.comb += pack.codes.eq(Cat(*words))
            packs.append(pack)
        return packs
