"""Floor 2a: rows that add two or three words, and the trees of them (`hw.plan.sums`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import Sign, SumRow, SumTree, Word
from hw.rtl.bits import extend, named
from hw.rtl.library import Library, place
from hw.rtl.xilinx import Function, carry_chain, dual_lut, native


@dataclass(frozen=True, slots=True)
class Summand:
    """A word to add and what stands beside it: its sign, its pending carry, or None.

    A `flipped` word is added inverted.
    """

    value: Value
    pending: Value | None
    flipped: bool = False


def pending_bit(ports: wiring.Component, suffix: str = "") -> Value | None:
    """Return a component's sign or pending carry beside a word, if it has one."""
    for name in ("negate", "carry"):
        if hasattr(ports, name + suffix):
            bit: Value = getattr(ports, name + suffix)
            return bit
    return None


class SignPairs(wiring.Component):
    """Signs of two products: ``negate = weight ^ activation``, of two bits each. Combinational."""

    def __init__(self) -> None:
        super().__init__({"weight": In(2), "activation": In(2), "negate": Out(2)})

    def elaborate(self, platform: object) -> Module:
        """Compare, in one LUT6_2."""
        m = Module()
        library = native(platform)
        if library is None:
            m.d.comb += self.negate.eq(self.weight ^ self.activation)
            return m
        signs = dual_lut(
            m,
            library,
            "signs",
            [*self.weight, *self.activation],
            lambda w, _w, a, _a: w ^ a,
            lambda _w, w, _a, a: w ^ a,
        )
        m.d.comb += self.negate.eq(Cat(*signs))
        return m


class SumRowAdder(wiring.Component):
    """``sum`` of `word0`, `word1` and perhaps `word2` as the row says.

    Ports: the words; `negate0` … for words with a sign of their own, `carry1` … for the pending
    bits of words after the first; `sum`. Combinational; one site per bit.
    """

    def __init__(self, plan: SumRow) -> None:
        self.plan = plan
        ports: dict[str, object] = {}
        for place_, word in enumerate(plan.words):
            ports[f"word{place_}"] = In(word.bounds.bits)
            if word.sign is Sign.NEGATE:
                ports[f"negate{place_}"] = In(1)
            elif word.pending and place_:
                ports[f"carry{place_}"] = In(1)
        super().__init__(ports | {"sum": Out(plan.width)})

    def elaborate(self, platform: object) -> Module:
        """Add, by name of the primitives where they may be used."""
        m = Module()
        numbers = range(len(self.plan.words))
        operands = [
            Summand(getattr(self, f"word{number}"), getattr(self, f"negate{number}", None))
            for number in numbers
        ]
        pending = [pending_bit(self, str(number)) for number in numbers[1:]]
        carries = [bit for bit in pending if bit is not None]
        m.d.comb += self.sum.eq(
            add_words(m, platform, self.plan.words, operands, carries, self.plan.width)
        )
        return m


def add_words(
    m: Module,
    platform: object,
    words: Sequence[Word],
    operands: Sequence[Summand],
    carries: Sequence[Value],
    width: int,
) -> Value:
    """Return the sum of two or three words and as many carry bits as words but one, or fewer.

    `operands` are the words' bits with, where their sign stands apart, what inverts them.
    """
    library = native(platform)
    dual = len(words) == 3 or all(word.sign is Sign.NEGATE for word in words)
    if library is None or not dual:
        return _plain(m, words, operands, carries, width)
    bits = [
        (extend(operand.value, width, word.bounds.signed), operand.pending)
        for word, operand in zip(words, operands, strict=True)
    ]
    free = [*carries, Const(0), Const(0)]
    if len(words) == 2:
        return _inverting(m, library, bits, free[0], width)
    flipped = tuple(operand.flipped for operand in operands)
    return _ternary(m, library, bits, free[0], free[1], width, flipped)


def _plain(
    m: Module,
    words: Sequence[Word],
    operands: Sequence[Summand],
    carries: Sequence[Value],
    width: int,
) -> Value:
    total: Value = Const(0, width)
    for number, (word, operand) in enumerate(zip(words, operands, strict=True)):
        value = extend(operand.value, width, word.bounds.signed)
        if operand.pending is not None:
            value = named(m, f"inverted{number}", value ^ operand.pending.replicate(width))
        if operand.flipped:
            value = named(m, f"flipped{number}", ~value)
        total = value if number == 0 else total + value
    for carry in carries:
        total = total + carry
    return total[:width]


Operand = tuple[Value, Value | None]


def _inverting(
    m: Module, library: Library, bits: Sequence[Operand], carry: Value, width: int
) -> Value:
    (left, left_sign), (right, right_sign) = bits
    assert left_sign is not None
    assert right_sign is not None
    selects, direct = [], []
    for i in range(width):
        o5, o6 = dual_lut(
            m,
            library,
            f"bit{i}",
            (left[i], left_sign, right[i], right_sign),
            lambda a, p, b, q: a ^ p,
            lambda a, p, b, q: a ^ p ^ b ^ q,
        )
        selects.append(o6)
        direct.append(o5)
    return carry_chain(m, library, "chain", Cat(*selects), Cat(*direct), carry)


def _ternary(
    m: Module,
    library: Library,
    bits: Sequence[Operand],
    carry: Value,
    second: Value,
    width: int,
    flipped: tuple[bool, ...],
) -> Value:
    """Three words: majorities one place up, with the second carry in the lowest place."""
    words = [value for value, _ in bits]
    signs = [(number, sign) for number, (_, sign) in enumerate(bits) if sign is not None]
    majority: list[Value] = [second]
    selects: list[Signal] = []
    for i in range(width):
        inputs = [word[i] for word in words] + [majority[i]]
        if signs:
            ((inverted, sign),) = signs
            o5, o6 = dual_lut(
                m, library, f"bit{i}", [*inputs, sign], *_functions(inverted, flipped)
            )
        else:
            o5, o6 = dual_lut(m, library, f"bit{i}", inputs, *_functions(None, flipped))
        majority.append(o5)
        selects.append(o6)
    return carry_chain(m, library, "chain", Cat(*selects), Cat(*majority[:width]), carry)


def _functions(inverted: int | None, flipped: tuple[bool, ...]) -> tuple[Function, Function]:
    """Return majority and sum of three words' bits, one of them inverted by the fifth input."""

    def words(values: tuple[int, ...]) -> list[int]:
        bits = [value ^ flip for value, flip in zip(values[:3], flipped, strict=True)]
        if inverted is not None:
            bits[inverted] ^= values[4]
        return bits

    return (
        lambda *values: sum(words(values)) >= 2,
        lambda *values: (sum(words(values)) + values[3]) & 1,
    )


def sum_row_name(row: SumRow) -> str:
    """Return the module name of a row: the words it adds and its width."""
    kinds = {Sign.PLAIN: "", Sign.CARRY: "c", Sign.NEGATE: "n"}
    words = "_".join(
        f"{'s' if w.bounds.signed else 'u'}{w.bounds.bits}{kinds[w.sign]}" for w in row.words
    )
    return f"sum_{words}_{row.width}"


def build_sums(m: Module, platform: object, plan: SumTree, addends: list[Summand]) -> list[Summand]:
    """Add the tree's rows to a module and return what is left for the accumulator."""
    known = list(addends)
    for number, (row, operands) in enumerate(plan.rows):
        adder = SumRowAdder(row)
        place(m, platform, sum_row_name(row), adder, number)
        for position, operand in enumerate(operands):
            m.d.comb += getattr(adder, f"word{position}").eq(known[operand].value)
            for name in (f"negate{position}", f"carry{position}"):
                if hasattr(adder, name):
                    m.d.comb += getattr(adder, name).eq(known[operand].pending)
        known.append(Summand(adder.sum, known[operands[0]].pending))
    return [known[root] for root in plan.roots]
