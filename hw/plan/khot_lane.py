"""Floor 1c: one lane of shift-add hardware: the bits that a weight of few digits adds to a heap.

A digit ``±2^p`` times an activation is the activation, inverted by the sign and shifted, plus the
sign, which stands for the 1 of ``−x = ~x + 1``. What comes in below while shifting is the sign too,
so that the 1 stays in the lowest place. Shifts are dealt with in up to three ways, whichever takes
fewer sites (`Way`):

- levels: multiplexers of two by one bit of the shift, as in a barrel shifter; two bits fit in a
  LUT6_2, and the first level inverts as well;
- products: each of the coarse places has a select, and the heap takes in the products of select and
  bits, which makes zeros for nothing;
- direct: one LUT per bit chooses among few places, zero and sign at once.

The sets of codes that selects and signs stand for come from the values alone
(`hw.plan.hot_digits`), and become LUTs of the code's bits (`hw.plan.recode`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from hw.formats import Format
from hw.plan.cells import CONSTANTS, LUT_INPUTS, Lut, Netlist, bitwise, function
from hw.plan.hot_digits import Slot, schemes
from hw.plan.recode import Recoder
from hw.plan.terms import OWN, Term, word_nets

MOST_LEVELS = 3
BIT, PRODUCT = 2, 3
"""Quarters of a site that a bit, and a product of two nets with it, cost in a heap of LUT6_2."""
SITE = 4
PAIR = 2
"""Nets of a product."""
COUNTED = 8
"""Quarters of a LUT that a bit costs in a heap of LUTs alone."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a slot is shifted.

    Parameters
    ----------
    levels
        Levels of multiplexers of two, for the lowest bits of the shift.
    direct
        Whether one LUT per bit chooses among the places that are left, instead of products.

    """

    levels: int
    direct: bool


@dataclass(frozen=True, slots=True)
class KHotLane:
    """What one lane adds. Nets: ``c<i>`` and ``a<i>`` are the operands' bits.

    Parameters
    ----------
    luts
        Functions that terms read.
    terms
        Bits with their weight.
    constant
        Added to them.

    """

    luts: tuple[Lut, ...]
    terms: tuple[Term, ...]
    constant: int

    def named(self, rename: Callable[[str], str]) -> KHotLane:
        """Return the lane with other names of its nets."""
        return KHotLane(
            tuple(
                Lut(rename(lut.output), tuple(map(rename, lut.inputs)), lut.truth)
                for lut in self.luts
            ),
            tuple(Term(t.column, tuple(map(rename, t.nets)), t.truth) for t in self.terms),
            self.constant,
        )

    def price(self, lut_inputs: int) -> int:
        """Return about what the lane costs with its share of the heap, in quarters of a site."""
        terms = [Lut(f"t{n}", t.nets, t.truth) for n, t in enumerate(self.terms)]
        if lut_inputs:
            alone = sum(len(term.inputs) > PAIR for term in terms)
            return SITE * (len(self.luts) + alone) + COUNTED * len(terms)
        products = [term for term in terms if len(term.inputs) == PAIR]
        built = [t for t in terms if len(t.inputs) != PAIR and not (t.is_wire or t.truth == OWN)]
        sites = Netlist((*self.luts, *built), ()).sites
        return SITE * sites + PRODUCT * len(products) + BIT * (len(terms) - len(products))


class _Builder:
    """Collects the cells and terms of a lane."""

    def __init__(self, code_bits: int, activation: Format, lut_inputs: int) -> None:
        self.recoder = Recoder.of([f"c{i}" for i in range(code_bits)], lut_inputs)
        self.activation = activation
        self.luts: list[Lut] = []
        self.terms: list[Term] = []
        self.constant = 0
        self._known: dict[tuple[tuple[str, ...], int], str] = {}

    def done(self) -> KHotLane:
        """Return the lane."""
        return KHotLane((*self.recoder.luts, *self.luts), tuple(self.terms), self.constant)

    def net(self, inputs: tuple[str, ...], rule: Callable[..., int]) -> str:
        """Return the net of a function, built once."""
        made = bitwise(f"d{len(self.luts) + 1}", inputs, rule)
        if made.is_wire:
            return made.inputs[0] if made.inputs else str(made.truth)
        if (made.inputs, made.truth) not in self._known:
            self._known[made.inputs, made.truth] = made.output
            self.luts.append(made)
        return self._known[made.inputs, made.truth]

    def put(self, column: int, made: Lut, negative: bool = False) -> None:
        """Add ``±2^column`` where a function is 1."""
        self.constant -= negative << column
        truth = made.truth ^ ((1 << (1 << len(made.inputs))) - 1) * negative
        if made.inputs:
            self.terms.append(Term(column, made.inputs, truth))
        else:
            self.constant += truth << column

    def add(self, slot: Slot, way: Way) -> None:
        """Add the digits of a slot."""
        sign = self.recoder.function(slot.negative, slot.signed_where)
        word = _Word.of(self.activation, sign)
        for level in range(way.levels):
            word = self._shifted(word, slot, level)
        coarse = _coarse(slot, way.levels)
        if way.direct:
            self._direct(word, slot, way, coarse)
            return
        if word.late:
            bits = tuple(self.net((bit, sign), _inverted) for bit in word.bits)
            word = replace(word, bits=bits, late=False)
        for place, codes in coarse:
            select = self.recoder.function(codes)
            for i, bit in enumerate(word.bits):
                minus = word.signed and i == len(word.bits) - 1
                self.put(place + i, bitwise("", (bit, select), _both), minus)
            self.put(place, bitwise("", (sign, select), _both))

    def add_word(self, values: Sequence[int]) -> None:
        """Add the products of the bits of the weight as a word in two's complement."""
        low, high = min(values), max(values)
        bits = max((~low if low < 0 else 0).bit_length(), high.bit_length()) + (low < 0)
        lefts = []
        for i in range(bits):
            codes = sum(1 << code for code, value in enumerate(values) if value >> i & 1)
            lefts.append((self.recoder.function(codes), low < 0 and i == bits - 1))
        rights = word_nets("a", 0, self.activation.bits, self.activation.signed)
        for i, (left, minus) in enumerate(lefts):
            for j, (right, other) in enumerate(rights):
                self.put(i + j, bitwise("", (left, right), _both), minus != other)

    def _shifted(self, word: _Word, slot: Slot, level: int) -> _Word:
        """Shift by ``2^level`` where that bit of the shift is set."""
        codes = sum(found for p, found in slot.at if p - slot.base >> level & 1)
        select = self.recoder.function(codes, slot.hot)
        mask = (2 << level) - 1
        reach = max(p - slot.base & mask for p, _ in slot.at)
        sign = word.sign if word.late else "0"
        made = tuple(
            self.net((word.at(i), word.at(i - (1 << level)), select, sign), _level)
            for i in range(len(_Word.of(self.activation, word.sign).bits) + reach)
        )
        return replace(word, bits=made, late=False)

    def _direct(
        self, word: _Word, slot: Slot, way: Way, coarse: tuple[tuple[int, int], ...]
    ) -> None:
        """Add one function per bit: of the places, of what chooses among them, and of the sign."""
        classes = [codes for _, codes in coarse]
        zero = self.recoder.codes & ~slot.hot
        chosen = self._selects([*classes, zero], len(coarse) + (word.sign not in CONSTANTS))
        index = _read_as([*classes, zero], chosen, self.recoder)
        last = coarse[-1][0] - slot.base
        for column in range(len(word.bits) + last):
            data = [word.at(column - (place - slot.base)) for place, _ in coarse]
            names = (*data, *chosen, word.sign)
            rule = _chooser(index, len(data), len(chosen), word.late)
            top = word.signed and column == len(word.bits) + last - 1
            self.put(slot.base + column, function("", names, rule), top)
        self.put(slot.base, bitwise("", (word.sign,), _same))

    def _selects(self, classes: Sequence[int], others: int) -> tuple[str, ...]:
        """Return the nets that tell the places apart, as few as leave room for others."""
        found = self.recoder.smallest(classes, max(self.recoder.lut_inputs - others, 0))
        if found is not None:
            return found
        live = [codes for codes in classes if codes]
        return tuple(
            self.recoder.function(sum(c for number, c in enumerate(live) if number >> bit & 1))
            for bit in range((len(live) - 1).bit_length())
        )


@dataclass(frozen=True, slots=True)
class _Word:
    """The activation on its way: bits, the sign of the digit, and whether it is still to invert."""

    bits: tuple[str, ...]
    sign: str
    signed: bool
    late: bool

    @classmethod
    def of(cls, activation: Format, sign: str) -> _Word:
        """Return an activation; without a sign of its own it gets a bit for that of the digit."""
        plain = tuple(f"a{i}" for i in range(activation.bits))
        extended = sign != "0" and not activation.signed
        signed = activation.signed or sign != "0"
        return cls(plain + ("0",) * extended, sign, signed, late=sign != "0")

    def at(self, place: int) -> str:
        """Return the bit at a place, what stands below and above included."""
        if place < 0:
            return "0" if self.late else self.sign
        if place < len(self.bits):
            return self.bits[place]
        return self.bits[-1] if self.signed else "0"


def _inverted(bit: int, sign: int) -> int:
    return bit ^ sign


def _same(bit: int) -> int:
    return bit


def _both(bit: int, select: int) -> int:
    return bit & select


def _level(here: int, below: int, select: int, sign: int) -> int:
    return ((below & select) | (here & ~select)) ^ sign


def _coarse(slot: Slot, levels: int) -> tuple[tuple[int, int], ...]:
    """Return the places that levels leave to choose among, and the codes of each."""
    found: dict[int, int] = {}
    for place, codes in slot.at:
        rest = slot.base + (place - slot.base >> levels << levels)
        found[rest] = found.get(rest, 0) | codes
    return tuple(sorted(found.items()))


def _read_as(
    classes: Sequence[int], chosen: Sequence[str], recoder: Recoder
) -> tuple[int | None, ...]:
    """Return for each reading of the selects which place it means; None for zero."""
    found: list[int | None] = []
    for index in range(1 << len(chosen)):
        codes = recoder.pattern(chosen, index)
        meant = [number for number, one in enumerate(classes) if one & codes]
        found.append(meant[0] if meant and meant[0] < len(classes) - 1 else None)
    return tuple(found)


def _chooser(
    index: tuple[int | None, ...], places: int, selects: int, late: bool
) -> Callable[..., bool]:
    """Return the rule of a bit: what is chosen, inverted by the sign if it is not yet."""

    def rule(*values: int) -> bool:
        sign = values[-1]
        read = sum(v << i for i, v in enumerate(values[places : places + selects]))
        number = index[read]
        if number is None:
            return bool(sign)
        return bool(values[number] ^ sign if late else values[number])

    return rule


def _ways(slot: Slot, lut_inputs: int) -> Iterator[Way]:
    """Yield the ways a slot can be shifted."""
    yield Way(0, direct=False)
    if not slot.single:
        return
    for levels in range(min(slot.reach.bit_length(), MOST_LEVELS) + 1):
        if levels:
            yield Way(levels, direct=False)
        places = len(_coarse(slot, levels))
        if places + places.bit_length() < lut_inputs:
            yield Way(levels, direct=True)


def _built(
    activation: Format, code_bits: int, slots: Sequence[tuple[Slot, Way]], lut_inputs: int
) -> KHotLane:
    builder = _Builder(code_bits, activation, lut_inputs or LUT_INPUTS)
    for slot, way in slots:
        builder.add(slot, way)
    return builder.done()


@cache
def khot_lane(weight: Format, activation: Format, lut_inputs: int) -> KHotLane:
    """Return the leanest lane found for two formats.

    Parameters
    ----------
    weight
        Every code a number.
    activation
        Fixed point.
    lut_inputs
        0: LUT6_2 and carry chains. Else LUTs of so many inputs alone.

    """
    values = [weight.integer(code) for code in range(1 << weight.bits)]
    plain = _Builder(weight.bits, activation, lut_inputs or LUT_INPUTS)
    plain.add_word(values)
    lanes = [plain.done()]
    for slots in schemes(values):
        chosen = []
        for slot in slots:
            ways = list(_ways(slot, lut_inputs or LUT_INPUTS))
            prices = [
                _built(activation, weight.bits, [(slot, way)], lut_inputs).price(lut_inputs)
                for way in ways
            ]
            chosen.append((slot, ways[prices.index(min(prices))]))
        lanes.append(_built(activation, weight.bits, chosen, lut_inputs))
    return min(lanes, key=lambda lane: lane.price(lut_inputs))
