"""Floor 2a: packed operands, chains of DSP blocks, and what adds their fields."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import PackedCell, PackedChain, PackedOperand
from hw.plan.packed import entries, upper_entries
from hw.rtl.accumulate import Accumulator
from hw.rtl.bits import extend, named
from hw.rtl.dsp48 import multiply_add
from hw.rtl.library import Library, place
from hw.rtl.multiplier import multiply
from hw.rtl.product import lookup
from hw.rtl.sb_mac16 import BlockChain
from hw.rtl.sums import Summand, build_sums
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
            if plan.borrows > 1 and not plan.adds:
                upper = UpperTable(plan)
                place(m, platform, f"upper_{plan.format.slug}", upper, number)
                m.d.comb += upper.index.eq(index)
                return upper.value
            return table(m, platform, f"upper{number}", upper_entries(plan), index, width)
        value = self._value(m, platform, number)
        return named(m, f"upper{number}", extend(value, width, signed=True) - borrow, width)


class UpperTable(wiring.Component):
    """A value less a borrow, by code and borrow. Ports: `index`, `value`. Combinational.

    A module of its own where borrows follow one another, which would be mapped as one function.
    """

    def __init__(self, plan: PackedOperand) -> None:
        self.plan = plan
        super().__init__({"index": In(plan.format.bits + 1), "value": Out(plan.upper.bits)})

    def elaborate(self, platform: object) -> Module:
        """Look the value up."""
        m = Module()
        words, width = upper_entries(self.plan), self.plan.upper.bits
        m.d.comb += self.value.eq(table(m, platform, "upper", words, self.index, width))
        return m


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


def add_chain(
    m: Module,
    platform: object,
    plan: PackedChain,
    index: str,
    wides: list[Pack],
    narrows: list[Pack],
) -> Value:
    """Add a chain of blocks to a module, or one that stands alone; return its sum."""
    block = plan.block
    if not (block.adds or block.chains):
        return multiply(m, platform, plan, index, wides[0].word0, narrows[0].word0)
    chain = Cascade(plan) if block.adds else BlockChain(plan)
    place(m, platform, f"cascade_{plan.links}", chain, index)
    m.d.comb += chain.wide.eq(Cat(pack.word0 for pack in wides))
    if isinstance(chain, Cascade):
        none = Const(0, block.wide)
        m.d.comb += chain.added.eq(Cat(getattr(pack, "word1", none) for pack in wides))
    m.d.comb += chain.narrow.eq(Cat(pack.word0 for pack in narrows))
    return chain.sum


def add_cell(
    m: Module,
    platform: object,
    cell: PackedCellCore,
    index: str,
    fields: list[tuple[Value, int]],
    step: tuple[Value, Value],
) -> None:
    """Add a cell to a module: fields as a sum and a place in it, `valid` and `last` of a step."""
    plan = cell.plan
    name = "packed_cell" if plan.word.pending else "first_packed_cell"
    place(m, platform, name, cell, index, clocked=True)
    m.d.comb += [cell.valid.eq(step[0]), cell.last.eq(step[1])]
    for number, (total, offset) in enumerate(fields):
        word = getattr(cell, f"word{number}")
        m.d.comb += word.eq(total[offset : offset + len(word)])
        if plan.word.pending:
            m.d.comb += getattr(cell, f"carry{number}").eq(total[offset - 1])
