"""Floor 2a: dot products with constant weights (`hw.plan.constant_dot`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import Word
from hw.plan.constant_dot import ConstantDotPlan
from hw.plan.constant_rows import ConstantRow
from hw.rtl.bits import extend
from hw.rtl.library import place
from hw.rtl.sums import Summand, add_words


class ConstantRowAdder(wiring.Component):
    """``sum`` of shifted words, some taken away, as the row says.

    Ports: `word0` …, `sum`. Combinational; a site per bit that is added.
    """

    def __init__(self, plan: ConstantRow) -> None:
        self.plan = plan
        ports = {f"word{n}": In(word.bits) for n, word in enumerate(plan.words)}
        super().__init__(ports | {"sum": Out(plan.bounds.bits)})

    def elaborate(self, platform: object) -> Module:
        """Add what does not pass by."""
        m = Module()
        plan, low = self.plan, self.plan.passing
        words = [
            extend(Cat(Const(0, shift), getattr(self, f"word{n}")), plan.width, word.signed)
            for n, (word, shift) in enumerate(zip(plan.words, plan.shifts, strict=True))
        ]
        first = min(range(len(words)), key=lambda n: plan.shifts[n])
        above = self._added(m, platform, [word[low:] for word in words])
        m.d.comb += self.sum.eq(Cat(words[first][:low], above)[plan.drop :])
        return m

    def _added(self, m: Module, platform: object, words: list[Value]) -> Value:
        width, negative = len(words[0]), self.plan.negative
        if len(words) == 1:
            return (-words[0])[:width]
        if len(words) == 2:
            if not any(negative):
                return (words[0] + words[1])[:width]
            plus, minus = (words[negative.index(side)] for side in (False, True))
            return (plus - minus)[:width]
        operands = [
            Summand(word, None, flipped=minus) for word, minus in zip(words, negative, strict=True)
        ]
        ranges = [Word.plain(word) for word in self.plan.words]
        carries: list[Value] = [Const(1, 1)] * sum(negative)
        return add_words(m, platform, ranges, operands, carries, width)


class ConstantDotProduct(wiring.Component):
    """Rows and registers.

    Ports and protocol: `hw.design.constant_dot.ConstantDot`. Latency 1 cycle, initiation interval
    1; `rst` clears `total_valid`; totals are exact.
    """

    def __init__(self, plan: ConstantDotPlan) -> None:
        self.plan = plan
        design = plan.design
        super().__init__(
            {
                "valid": In(1),
                "activation": In(design.activation.bits * design.lanes),
                "total": Out(design.total_bits * design.outputs),
                "total_valid": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect rows to the activations, to each other and to the registers."""
        m = Module()
        plan, design = self.plan, self.plan.design
        bits = design.activation.bits
        nodes: list[Value] = [self.activation.word_select(i, bits) for i in range(design.lanes)]
        for number, (row, sources) in enumerate(plan.rows):
            adder = ConstantRowAdder(row)
            place(m, platform, row.name, adder, number)
            for n, source in enumerate(sources):
                m.d.comb += getattr(adder, f"word{n}").eq(nodes[source])
            nodes.append(adder.sum)
        kept: dict[int, tuple[Value, bool]] = {}
        for node, bounds in plan.kept:
            register = Signal(bounds.bits, name=f"kept_{node}", reset_less=True)
            m.d.sync += register.eq(nodes[node])
            kept[node] = register, bounds.signed
        totals: list[Value] = []
        for output in plan.outputs:
            value, signed = (Const(0, 1), False) if output is None else kept[output[0]]
            shift = 0 if output is None else output[1]
            totals.append(extend(Cat(Const(0, shift), value), design.total_bits, signed))
        m.d.sync += self.total_valid.eq(self.valid)
        m.d.comb += self.total.eq(Cat(*totals))
        return m
