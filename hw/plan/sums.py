"""Floor 1c: adder trees of rows that add up to three words, as Xilinx slices allow.

A row of ``a + b + c`` takes one LUT6_2 per bit: O5 is the majority of three bits, which the carry
chain adds one place higher to their exclusive or (O6); US patent 7274211 has the circuit. A device
has one output for O5 and the sum, so the row takes one place per bit where its sum is registered
(accumulators, pipelines); in a combinational row a placer repeats the majorities in LUTs of their
own, and then it costs what two rows of two words cost. Yosys and `hw.area` count one LUT6_2.

A row of two words whose signs stand apart takes one too: O5 is one inverted word, O6 the exclusive
or of both. Signs cost nothing otherwise: a word is inverted where it is added, and the 1 that two's
complement asks for enters at the carry inputs, of which a row has one less than words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache

from hw.plan.product import Bounds


class Sign(Enum):
    """What stands beside the bits of a word."""

    PLAIN = "plain"
    """Nothing: the value is the word."""
    NEGATE = "negate"
    """A sign: the value is ``(−1)^negate · word``."""
    CARRY = "carry"
    """A bit still to be added: the value is ``word + carry``."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word to add.

    Parameters
    ----------
    bounds
        Range of the bits as they are: of the magnitude for `Sign.NEGATE`.
    total
        Range of the value, the pending sign or carry included.
    sign
        What stands beside the bits.

    """

    bounds: Bounds
    total: Bounds
    sign: Sign

    @classmethod
    def plain(cls, bounds: Bounds) -> Word:
        """Return a word that is its value."""
        return cls(bounds, bounds, Sign.PLAIN)

    @classmethod
    def negated(cls, bounds: Bounds) -> Word:
        """Return a word with a sign of its own."""
        reach = bounds.magnitude
        return cls(bounds, Bounds(-reach, reach), Sign.NEGATE)

    @property
    def added(self) -> Bounds:
        """Range of what a row adds before the pending bit: inverted if the sign is negative."""
        if self.sign is not Sign.NEGATE:
            return self.bounds
        low, high = self.bounds.low, self.bounds.high
        return Bounds(min(low, ~high), max(high, ~low))

    @property
    def pending(self) -> bool:
        """Whether a bit is still to be added."""
        return self.sign is not Sign.PLAIN


@dataclass(frozen=True, slots=True)
class SumRow:
    """Sum of two or three words in one row of the carry chain, a site per bit.

    The pending bit of the first word stays pending, those of the others are added.

    Parameters
    ----------
    words
        Two words, or three of which at most one is `Sign.NEGATE`.

    """

    words: tuple[Word, ...]

    @property
    def result(self) -> Word:
        """Word that leaves the row."""
        first, rest = self.words[0], self.words[1:]
        low, high = sum(w.total.low for w in rest), sum(w.total.high for w in rest)
        bounds = Bounds(first.added.low + low, first.added.high + high)
        if not first.pending:
            return Word.plain(bounds)
        return Word(bounds, Bounds(first.total.low + low, first.total.high + high), Sign.CARRY)

    @property
    def width(self) -> int:
        """Bits of the result."""
        return self.result.bounds.bits

    @property
    def carries(self) -> tuple[bool, ...]:
        """For each word but the first: whether it brings a bit to a carry input."""
        return tuple(word.pending for word in self.words[1:])

    @property
    def dual(self) -> bool:
        """Whether each bit takes a LUT6_2: three words, or two to be inverted."""
        return len(self.words) == 3 or all(word.sign is Sign.NEGATE for word in self.words)


@dataclass(frozen=True, slots=True)
class SumTree:
    """Rows that add the words of all lanes up to one or two, which the accumulator takes.

    Parameters
    ----------
    lanes
        Number of words that come in, equal in kind; they are numbered from 0.
    rows
        The rows and the numbers of the words each adds; a result takes the next number.
    roots
        Numbers of the words that are left.
    words
        These words.

    """

    lanes: int
    rows: tuple[tuple[SumRow, tuple[int, ...]], ...]
    roots: tuple[int, ...]
    words: tuple[Word, ...]

    def parts(self) -> Iterator[SumRow]:
        """Give the rows."""
        return (row for row, _ in self.rows)


FULL_SEARCH = 36
"""Up to so many lanes every way to split a tree is tried; beyond, nearly equal parts."""


@cache
def plan_sums(lanes: int, word: Word) -> SumTree:
    """Return the tree of fewest sites for so many equal words, the shallowest of these."""
    shape = _shape(word)
    parts = _roots(lanes, shape)
    rows: list[tuple[SumRow, tuple[int, ...]]] = []
    free = iter(range(lanes))

    def build(count: int) -> tuple[int, Word]:
        if count == 1:
            return next(free), word
        made = [build(part) for part in _best(count, shape)[2]]
        made.sort(key=lambda item: item[1].sign is Sign.NEGATE)
        row = SumRow(tuple(part for _, part in made))
        rows.append((row, tuple(number for number, _ in made)))
        return lanes + len(rows) - 1, row.result

    roots = [build(part) for part in parts]
    roots.sort(key=lambda item: item[1].sign is Sign.NEGATE)
    return SumTree(lanes, tuple(rows), tuple(n for n, _ in roots), tuple(w for _, w in roots))


Shape = tuple[int, int, int, int, bool]
"""What the best tree depends on: range of a word as added and of its value, and its sign."""


def _shape(word: Word) -> Shape:
    added, total = word.added, word.total
    return added.low, added.high, total.low, total.high, word.sign is Sign.NEGATE


def _roots(lanes: int, shape: Shape) -> tuple[int, ...]:
    """Return the lanes in each word that is left for the accumulator, which takes two for one."""
    limit = 1 if shape[-1] else 2
    ways = [(lanes,), *(p for p in _pairs(lanes) if p.count(1) <= limit)]

    def price(parts: tuple[int, ...]) -> tuple[int, int]:
        best = [_best(part, shape) for part in parts]
        return sum(b[0] for b in best), max(b[1] for b in best)

    return min(ways, key=price)


@cache
def _best(lanes: int, shape: Shape) -> tuple[int, int, tuple[int, ...]]:
    """Return sites and depth of the best tree of so many lanes, and the lanes of its operands."""
    if lanes == 1:
        return 0, 0, ()
    low, high, total_low, total_high, negates = shape
    ways, sizes = _ways(lanes, 1 if negates else 3)
    known = {size: _best(size, shape) for size in sizes}
    prices = []
    for parts in ways:
        best = [known[part] for part in parts]
        prices.append((sum([b[0] for b in best]), max([b[1] for b in best]), parts))
    sites, depth, parts = min(prices)
    rest = lanes - 1
    total = Bounds(low + rest * total_low, high + rest * total_high)
    return sites + total.bits, depth + 1, parts


@cache
def _ways(lanes: int, limit: int) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """Return ways to split lanes in two or three, at most `limit` of three being 1; the sizes."""
    ways: list[tuple[int, ...]] = list(_pairs(lanes))
    ways += [(a, *rest) for a in _near(lanes, 3) for rest in _pairs(lanes - a) if a <= rest[0]]
    allowed = tuple(parts for parts in ways if len(parts) == 2 or parts.count(1) <= limit)
    return allowed, tuple(sorted({part for parts in allowed for part in parts}))


def _pairs(lanes: int) -> list[tuple[int, int]]:
    """Return ways to split lanes in two, the smaller part first."""
    return [(a, lanes - a) for a in _near(lanes, 2)]


def _near(lanes: int, parts: int) -> range:
    """Return sizes of the smallest of so many parts: all, or those near equal ones."""
    most = lanes // parts
    return range(1 if lanes <= FULL_SEARCH else max(most - 2, 1), most + 1)
