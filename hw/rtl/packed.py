"""Floor 2a: the broadcast tile whose products share DSP blocks (`hw.plan.packed`)."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design import BroadcastTile
from hw.plan import PackedCell, PackedChain, PackedOperand, PackedTilePlan, Plan
from hw.plan.packed import entries, upper_entries
from hw.rtl.accumulate import Accumulator
from hw.rtl.bits import extend, named
from hw.rtl.dsp48 import multiply_add
from hw.rtl.library import Library, place
from hw.rtl.multiplier import multiply
from hw.rtl.product import lookup
from hw.rtl.sums import Summand, build_sums
from hw.rtl.tile import tile_ports
from hw.rtl.xilinx import SHARED_INPUTS, lut6_2, native


class Pack(wiring.Component):
    """One operand of a block from the codes of its values.

    Ports: `codes`, the lowest value's first; `word0` and, with a pre-adder for it, `word1`, whose
    sum is the packed operand, as two's complement numbers. Combinational.
    """

    def __init__(self, plan: PackedOperand) -> None:
        self.plan = plan
        words = {f"word{number}": Out(plan.width) for number in range(len(plan.words))}
        super().__init__({"codes": In(plan.format.bits * len(plan.offsets))} | words)

    def elaborate(self, platform: object) -> Module:
        """Recode, and take borrows off."""
        m = Module()
        plan = self.plan
        for number, values in enumerate(plan.words):
            port = getattr(self, f"word{number}")
            m.d.comb += port.eq(self._word(m, platform, values))
        return m

    def _word(self, m: Module, platform: object, values: tuple[int, ...]) -> Value:
        """Return the sum of values, each less the borrow of what is below it."""
        plan = self.plan
        places, signed = plan.offsets, plan.values.signed
        borrows = signed and not plan.apart
        found = self._value(m, platform, values[0])
        bits: list[Value] = [Const(0, places[values[0]])]
        for below, number in pairwise(values):
            bits.append(extend(found, places[number] - places[below], signed))
            if borrows:
                found = self._upper(m, platform, number, found[-1])
            else:
                found = self._value(m, platform, number)
        return extend(Cat(*bits, found), plan.width, signed)

    def _code(self, number: int) -> Value:
        return self.codes.word_select(number, self.plan.format.bits)

    def _value(self, m: Module, platform: object, number: int) -> Value:
        """Return a value as a number."""
        plan, code = self.plan, self._code(number)
        if not plan.recodes:
            return code
        return table(m, platform, f"value{number}", entries(plan), code, plan.values.bits)

    def _upper(self, m: Module, platform: object, number: int, borrow: Value) -> Value:
        """Return a value less the borrow."""
        plan, code = self.plan, self._code(number)
        width = plan.upper.bits
        if plan.tabulates:
            index = Cat(code, borrow)
            return table(m, platform, f"upper{number}", upper_entries(plan), index, width)
        value = self._value(m, platform, number)
        return named(m, f"upper{number}", extend(value, width, signed=True) - borrow, width)


def table(
    m: Module, platform: object, name: str, words: tuple[int, ...], index: Value, width: int
) -> Value:
    """Return a table's entry, two bits per LUT6_2 where the index and the target allow it."""
    bits = list(lookup(words, index, width))
    library = native(platform)
    if library is None or len(index) > SHARED_INPUTS:
        return Cat(*bits)
    for low in range(0, width, 2):
        five, six = (
            sum((word >> bit & 1) << place for place, word in enumerate(words))
            for bit in (low, low + 1)
        )
        made = lut6_2(m, library, f"{name}_{low}", list(index), five, six)
        bits[low : low + 2] = made[: width - low]
    return Cat(*bits)


class Cascade(wiring.Component):
    """A chain of DSP blocks: ``sum = Σ (wide[i] + added[i])·narrow[i]``. Combinational."""

    def __init__(self, plan: PackedChain) -> None:
        self.plan = plan
        block, links = plan.block, plan.links
        super().__init__(
            {
                "wide": In(block.wide * links),
                "added": In(block.wide * links),
                "narrow": In(block.narrow * links),
                "sum": Out(block.sum),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Chain the blocks; without primitives, say what they do."""
        m = Module()
        block, library = self.plan.block, native(platform)
        total: Value = Const(0, block.sum)
        onward: Value | None = None
        for number in range(self.plan.links):
            wide = self.wide.word_select(number, block.wide)
            added = self.added.word_select(number, block.wide)
            narrow = self.narrow.word_select(number, block.narrow)
            if isinstance(library, Library):
                operands = wide, added, narrow
                total, onward = multiply_add(m, library, block, number, operands, onward)
            else:
                both = named(m, f"both{number}", wide + added, block.wide)
                product = both.as_signed() * narrow.as_signed()
                total = named(m, f"sum{number}", total.as_signed() + product, block.sum)
        m.d.comb += self.sum.eq(total)
        return m


class PackedCellCore(wiring.Component):
    """Adds one field of every chain to an accumulator.

    Ports: `valid`, `last`; `word0` … with `carry0` … where a borrow of the field below is to be
    given back; `total`, `total_valid`, `overflow` if the accumulator counts terms. Latency 1 cycle,
    initiation interval 1, synchronous reset to 0.
    """

    def __init__(self, plan: PackedCell) -> None:
        self.plan = plan
        ports: dict[str, object] = {"valid": In(1), "last": In(1)}
        for number in range(plan.tree.lanes):
            ports[f"word{number}"] = In(plan.word.bounds.bits)
            if plan.word.pending:
                ports[f"carry{number}"] = In(1)
        ports |= {"total": Out(plan.accumulate.bits), "total_valid": Out(1)}
        super().__init__(ports | {flag: Out(1) for flag in plan.accumulate.flags})

    def elaborate(self, platform: object) -> Module:
        """Build rows and accumulator."""
        m = Module()
        accumulator = Accumulator(self.plan.accumulate)
        name = "accumulate" if self.plan.word.pending else "first_accumulate"
        place(m, platform, name, accumulator, clocked=True)
        words = [
            Summand(getattr(self, f"word{number}"), getattr(self, f"carry{number}", None))
            for number in range(self.plan.tree.lanes)
        ]
        accumulator.take(m, build_sums(m, platform, self.plan.tree, words))
        m.d.comb += [accumulator.valid.eq(self.valid), accumulator.last.eq(self.last)]
        for name in ("total", "total_valid", *self.plan.accumulate.flags):
            m.d.comb += getattr(self, name).eq(getattr(accumulator, name))
        return m


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
            sums.append(self._chain(m, platform, links, f"{group}_{number}", wides, narrows))
            lane += links
        return sums

    def _chain(
        self,
        m: Module,
        platform: object,
        links: int,
        index: str,
        wides: list[Pack],
        narrows: list[Pack],
    ) -> Value:
        """Add a chain, or a block that stands alone; return its sum."""
        plan = self.plan.chain(links)
        if not plan.block.adds:
            return multiply(m, platform, plan, index, wides[0].word0, narrows[0].word0)
        chain = Cascade(plan)
        place(m, platform, f"cascade_{links}", chain, index)
        none = Const(0, plan.block.wide)
        m.d.comb += [
            chain.wide.eq(Cat(pack.word0 for pack in wides)),
            chain.added.eq(Cat(getattr(pack, "word1", none) for pack in wides)),
            chain.narrow.eq(Cat(pack.word0 for pack in narrows)),
        ]
        return chain.sum

    def _cell(
        self,
        m: Module,
        platform: object,
        where: tuple[int, int],
        field: tuple[int, int],
        sums: list[Value],
    ) -> PackedCellCore:
        """Add the cell of a field."""
        plan = self.plan.cell(*field)
        offset = self.plan.packing.offset(*field)
        cell = PackedCellCore(plan)
        name = "packed_cell" if plan.word.pending else "first_packed_cell"
        place(m, platform, name, cell, f"{where[0]}_{where[1]}", clocked=True)
        m.d.comb += [cell.valid.eq(self.valid), cell.last.eq(self.last)]
        for number, total in enumerate(sums):
            word = getattr(cell, f"word{number}")
            m.d.comb += word.eq(total[offset : offset + len(word)])
            if plan.word.pending:
                m.d.comb += getattr(cell, f"carry{number}").eq(total[offset - 1])
        return cell
