"""Floor 1c: trees that add words, each first gated by a bit of its own.

The gate is an AND, or for planes of +1 and -1 an XNOR. It costs nothing in a row of the carry
chain: with LUT6_2 a row adds two gated words (O5 is one, O6 the exclusive or of both), or three
words of which one is gated (`hw.plan.sums` has the circuit), one LUT per bit. Gated bits are
counted in twos (one LUT6_2) or threes (two LUT6) before rows add the counts.

A bipolar code u of n > 1 bits means ``2q + 1`` with q the code whose highest bit is inverted, read
as two's complement; so ``±(2q + 1) = 2q' + 1`` where q' is q or its complement, which are the bits
of u, complemented unless the plane is 1, but for the highest, which is complemented if it is. A
bipolar bit is counted if it equals the plane.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from hw.plan.digits import Bounds
from hw.target import Target

AND, XNOR, NOT = "and", "xnor", "not"
GATES = (AND, XNOR)
FULL_SEARCH = 36
"""Up to so many lanes every way to split a tree is tried; beyond, nearly equal parts."""
COUNTED = 3
"""Gated bits counted in one table: their inputs are those of a LUT6."""


@dataclass(frozen=True, slots=True)
class PlaneWord:
    """A word to add.

    Parameters
    ----------
    bounds
        Range of its bits as they come.
    gate
        "and" or "xnor" with a bit of its own; "" for the word itself, "not" for its complement
        ``-1 - word``.

    """

    bounds: Bounds
    gate: str = ""

    @property
    def added(self) -> Bounds:
        """Range of what the row adds."""
        low, high = self.bounds.low, self.bounds.high
        if self.gate == AND:
            return Bounds(min(low, 0), max(high, 0))
        return Bounds(~high, ~low) if self.gate == NOT else self.bounds


@dataclass(frozen=True, slots=True)
class PlaneRow:
    """Sum of two or three words and of `carries` (0 to 2) ones, in one row of the carry chain.

    Parameters
    ----------
    words
        Two words of which both may be gated, or three of which one may be.
    carries
        Ones added at the carry inputs, of which there is one less than words.
    native
        Whether the row is made of LUT6_2 and CARRY4 by name.

    """

    words: tuple[PlaneWord, ...]
    carries: int
    native: bool

    @property
    def width(self) -> int:
        """Bits of the sum."""
        return self.bounds.bits

    @property
    def bounds(self) -> Bounds:
        """Range of the sum."""
        added = [word.added for word in self.words]
        return Bounds(
            sum(word.low for word in added) + self.carries,
            sum(word.high for word in added) + self.carries,
        )


@dataclass(frozen=True, slots=True)
class PlaneCount:
    """How many of two or three gated bits are 1."""

    bits: int
    gate: str
    native: bool

    @property
    def bounds(self) -> Bounds:
        """Range of the count."""
        return Bounds(0, self.bits)


@dataclass(frozen=True, slots=True)
class PlaneSum:
    """Sum of a gated word per lane.

    Parameters
    ----------
    lanes
        Words that come in, numbered from 0, each with a bit to gate it.
    word
        One of them.
    nodes
        Rows and counts with the numbers of what each takes; a result takes the next number.

    """

    lanes: int
    word: PlaneWord
    nodes: tuple[tuple[PlaneRow | PlaneCount, tuple[int, ...]], ...]

    @property
    def bounds(self) -> Bounds:
        """Range of the sum."""
        return self.nodes[-1][0].bounds

    def parts(self) -> Iterator[PlaneRow | PlaneCount]:
        """Give rows and counts."""
        return (node for node, _ in self.nodes)


def plan_plane_sum(lanes: int, word: PlaneWord, target: Target) -> PlaneSum:
    """Return the tree of fewest LUTs for so many equal gated words.

    A lone lane is one row that adds 0 to it.
    """
    native, inputs_of = target.primitives, target.lut_inputs
    nodes: list[tuple[PlaneRow | PlaneCount, tuple[int, ...]]] = []
    free = iter(range(lanes))

    def build(count: int) -> tuple[int, PlaneWord]:
        parts = _best(count, word, native, inputs_of)[2]
        if not parts:
            return next(free), word
        node: PlaneRow | PlaneCount
        if parts == (count,):
            node, inputs = PlaneCount(count, word.gate, native), [next(free) for _ in range(count)]
        else:
            made = sorted((build(part) for part in parts), key=lambda item: item[1].gate == "")
            node, inputs = PlaneRow(tuple(w for _, w in made), 0, native), [n for n, _ in made]
        nodes.append((node, tuple(inputs)))
        return lanes + len(nodes) - 1, PlaneWord(node.bounds)

    if lanes == 1:
        row = PlaneRow((word, PlaneWord(Bounds(0, 0))), 0, native)
        return PlaneSum(1, word, ((row, (0,)),))
    build(lanes)
    return PlaneSum(lanes, word, tuple(nodes))


@cache
def _best(
    lanes: int, word: PlaneWord, native: bool, lut_inputs: int
) -> tuple[int, int, tuple[int, ...]]:
    """Return LUTs and depth of the best tree of so many lanes, and the lanes of its operands."""
    if lanes == 1:
        return 0, 0, ()
    ways: list[tuple[int, int, tuple[int, ...]]] = []
    if word.bounds.bits == 1 and not word.bounds.signed and lanes <= COUNTED:
        ways.append((count_luts(lanes, native, lut_inputs), 1, (lanes,)))
    added = word.added
    width = Bounds(lanes * added.low, lanes * added.high).bits
    splits: list[tuple[int, ...]] = [(a, lanes - a) for a in _near(lanes, 2)]
    if native:
        for a in _near(lanes, 3):
            rest = lanes - a
            splits += [(a, b, rest - b) for b in _near(rest, 2) if a <= b]
    for parts in splits:
        if len(parts) == 3 and parts.count(1) > 1:
            continue
        best = [_best(part, word, native, lut_inputs) for part in parts]
        gated = parts.count(1)
        luts = width * (1 if native else 1 + gated)
        ways.append((luts + sum(b[0] for b in best), 1 + max(b[1] for b in best), parts))
    return min(ways)


def count_luts(bits: int, native: bool, lut_inputs: int) -> int:
    """Return the LUTs of `PlaneCount`."""
    if bits == 2:
        return 1 if native else 2
    return 2 if 2 * bits <= lut_inputs else 8


def _near(lanes: int, parts: int) -> range:
    """Return sizes of the smallest of so many parts: all, or those near equal ones."""
    most = lanes // parts
    return range(1 if lanes <= FULL_SEARCH else max(most - 2, 1), most + 1)
