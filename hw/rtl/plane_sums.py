"""Floor 2a: rows and counts of gated words, and the trees of them (`hw.plan.plane_sums`)."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan.plane_sums import AND, GATES, NOT, XNOR, PlaneCount, PlaneRow, PlaneSum, PlaneWord
from hw.rtl.bits import extend, named
from hw.rtl.library import Library, place
from hw.rtl.xilinx import carry_chain, dual_lut, native


class PlaneRowAdder(wiring.Component):
    """``sum`` of `word0`, `word1` and perhaps `word2`, each as the row gates it, and its ones.

    Ports: the words; `gate0` … for gated ones; `sum`. Combinational; with LUT6_2 a site per bit.
    """

    def __init__(self, plan: PlaneRow) -> None:
        self.plan = plan
        ports: dict[str, object] = {}
        for number, word in enumerate(plan.words):
            ports[f"word{number}"] = In(word.bounds.bits)
            if word.gate in GATES:
                ports[f"gate{number}"] = In(1)
        super().__init__(ports | {"sum": Out(plan.width)})

    def elaborate(self, platform: object) -> Module:
        """Add, by name of the primitives where they may be used."""
        m = Module()
        library = native(platform) if self.plan.native else None
        if library is None:
            m.d.comb += self.sum.eq(self._plain(m))
        else:
            m.d.comb += self.sum.eq(self._chained(m, library))
        return m

    def _gate(self, number: int) -> Value | None:
        gate: Value | None = getattr(self, f"gate{number}", None)
        return gate

    def _plain(self, m: Module) -> Value:
        """Return the sum in plain Verilog."""
        width = self.plan.width
        total: Value | None = None
        for number, word in enumerate(self.plan.words):
            bits = extend(getattr(self, f"word{number}"), width, word.bounds.signed)
            gate = self._gate(number)
            if word.gate:
                gated = [
                    gated_bit(word, i, bits[i], Const(0) if gate is None else gate)
                    for i in range(width)
                ]
                bits = named(m, f"gated{number}", Cat(*gated))
            total = bits if total is None else total + bits
        assert total is not None
        for _ in range(self.plan.carries):
            total = total + Const(1, 1)
        return total[:width]

    def _chained(self, m: Module, library: Library) -> Value:
        """Return the sum of LUT6_2 and CARRY4: O5 feeds the chain, O6 is the exclusive or of all.

        Of three words O5 is the majority, which goes to the place above.
        """
        plan, width = self.plan, self.plan.width
        words = [
            extend(getattr(self, f"word{number}"), width, word.bounds.signed)
            for number, word in enumerate(plan.words)
        ]
        gates = [gate for n in range(len(words)) if (gate := self._gate(n)) is not None]
        three = len(words) == 3
        direct: list[Value] = [Const(int(plan.carries > 1))] if three else []
        selects: list[Value] = []
        for i in range(width):
            inputs = [word[i] for word in words] + ([direct[i]] if three else []) + gates
            five, six = _functions(plan, i)
            o5, o6 = dual_lut(m, library, f"bit{i}", inputs, five, six)
            selects.append(o6)
            direct.append(o5)
        carry = Const(int(plan.carries > 0), 1)
        return carry_chain(m, library, "chain", Cat(*selects), Cat(*direct[:width]), carry)


def _functions(plan: PlaneRow, place_: int) -> tuple[_Truth, _Truth]:
    """Return what O5 and O6 are at a place."""
    return _Truth(plan, place_, False), _Truth(plan, place_, True)


class _Truth:
    """A function of the bits of a row at one place: words, the link of three words, gates."""

    def __init__(self, plan: PlaneRow, place_: int, select: bool) -> None:
        self.plan = plan
        self.place = place_
        self.select = select

    def __call__(self, *values: int) -> bool:
        words = self.plan.words
        count = len(words)
        three = count == 3
        gates = list(values[count + three :])
        bits = []
        for number, word in enumerate(words):
            gate = gates.pop(0) if word.gate in GATES else 0
            bits.append(gated_value(word, self.place, values[number], gate))
        if self.select:
            return bool((sum(bits) + (values[count] if three else 0)) & 1)
        return sum(bits) >= 2 if three else bool(bits[0])


def gated_value(word: PlaneWord, place_: int, bit: int, gate: int) -> int:
    """Return a bit of a gated word."""
    if word.gate == AND:
        return bit & gate
    if word.gate == NOT:
        return 1 - bit
    if word.gate == XNOR:
        if place_ >= word.bounds.bits and not word.bounds.signed:
            return 0
        top = word.bounds.signed and place_ >= word.bounds.bits - 1
        return bit ^ gate ^ (not top)
    return bit


def gated_bit(word: PlaneWord, place_: int, bit: Value, gate: Value) -> Value:
    """Return a bit of a gated word as logic; the same function as `gated_value`."""
    if word.gate == AND:
        return bit & gate
    if word.gate == NOT:
        return ~bit
    if word.gate == XNOR:
        if place_ >= word.bounds.bits and not word.bounds.signed:
            return Const(0)
        top = word.bounds.signed and place_ >= word.bounds.bits - 1
        return bit ^ gate if top else ~(bit ^ gate)
    return bit


class PlaneCounter(wiring.Component):
    """How many of two or three bits, gated by as many others, are 1. Ports: `bits`, `gates`, `sum`.

    Combinational; one LUT6_2 for two, a LUT6 per bit of the count for three.
    """

    def __init__(self, plan: PlaneCount) -> None:
        self.plan = plan
        super().__init__({"bits": In(plan.bits), "gates": In(plan.bits), "sum": Out(2)})

    def elaborate(self, platform: object) -> Module:
        """Count."""
        m = Module()
        word = PlaneWord(self.plan.bounds, self.plan.gate)
        library = native(platform) if self.plan.native else None
        if library is not None and self.plan.bits == 2:
            both = dual_lut(
                m,
                library,
                "count",
                [*self.bits, *self.gates],
                lambda a, b, x, y: gated_value(word, 0, a, x) & gated_value(word, 0, b, y),
                lambda a, b, x, y: gated_value(word, 0, a, x) ^ gated_value(word, 0, b, y),
            )
            m.d.comb += self.sum.eq(Cat(both[1], both[0]))
            return m
        found = [
            gated_bit(word, 0, bit, gate) for bit, gate in zip(self.bits, self.gates, strict=True)
        ]
        low, high = found[0] ^ found[1], found[0] & found[1]
        if self.plan.bits == 3:
            low, high = low ^ found[2], high | (low & found[2])
        m.d.comb += self.sum.eq(Cat(low, high))
        return m


def row_name(row: PlaneRow) -> str:
    """Return the module name of a row: the words it adds and its width."""
    words = "_".join(
        f"{'s' if word.bounds.signed else 'u'}{word.bounds.bits}{word.gate}" for word in row.words
    )
    return f"plane_{words}{'_c' * row.carries}_{row.width}"


def place_row(
    m: Module,
    platform: object,
    row: PlaneRow,
    words: Sequence[Value],
    gates: Sequence[Value],
    index: object,
) -> Value:
    """Add a row to a module; `gates` are those of its gated words. Return the sum."""
    adder = PlaneRowAdder(row)
    place(m, platform, row_name(row), adder, index)
    left = list(gates)
    for number, word in enumerate(row.words):
        m.d.comb += getattr(adder, f"word{number}").eq(words[number])
        if word.gate in GATES:
            m.d.comb += getattr(adder, f"gate{number}").eq(left.pop(0))
    return adder.sum


def build_plane_sum(
    m: Module,
    platform: object,
    plan: PlaneSum,
    words: Sequence[Value],
    gates: Sequence[Value],
    index: object,
) -> Value:
    """Add the rows and counts of a tree to a module and return its sum."""
    known = list(words)
    for number, (node, inputs) in enumerate(plan.nodes):
        name = f"{index}_{number}"
        operands = [known[i] for i in inputs]
        gating = [gates[i] for i in inputs if i < plan.lanes]
        if isinstance(node, PlaneCount):
            counter = PlaneCounter(node)
            place(m, platform, f"plane_count_{node.bits}_{node.gate}", counter, name)
            m.d.comb += [counter.bits.eq(Cat(*operands)), counter.gates.eq(Cat(*gating))]
            known.append(counter.sum)
            continue
        if len(operands) < len(node.words):
            operands.append(Const(0, 1))
        known.append(place_row(m, platform, node, operands, gating, name))
    return known[-1]
