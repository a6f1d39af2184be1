"""Floor 1c: adder rows between inputs and constant multiples of them.

Nodes are the inputs, numbered from 0, and the rows; each is known by its coefficients, one per
input, and so its range is exact. A row adds up to two words, three on Xilinx slices, each shifted
by wires and perhaps taken away; the lowest bits where only one positive word has any pass by.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hw.plan.digits import Bounds


@dataclass(frozen=True, slots=True)
class ConstantRow:
    """``Σ ± word << shift``.

    Parameters
    ----------
    words
        Ranges of the words, one to three.
    shifts
        How far each is shifted.
    negative
        Whether each is taken away; not all of several.
    bounds
        Range of the result.
    drop
        Lowest bits of the sum, always 0, that are left out of the result.

    """

    words: tuple[Bounds, ...]
    shifts: tuple[int, ...]
    negative: tuple[bool, ...]
    bounds: Bounds
    drop: int = 0

    @property
    def width(self) -> int:
        """Bits of the sum, those dropped included."""
        return self.bounds.bits + self.drop

    @property
    def passing(self) -> int:
        """Lowest bits that one word passes by the adder."""
        if len(self.words) == 1:
            return 0 if self.negative[0] else self.width
        order = sorted(range(len(self.shifts)), key=lambda n: self.shifts[n])
        return 0 if self.negative[order[0]] else min(self.shifts[order[1]], self.width)

    @property
    def sites(self) -> int:
        """Bits that are added."""
        return self.width - self.passing

    @property
    def name(self) -> str:
        """A name for the module, the same for equal rows only."""
        parts = [
            f"{'m' if minus else 'p'}{'s' if word.signed else 'u'}{word.bits}l{shift}"
            for word, shift, minus in zip(self.words, self.shifts, self.negative, strict=True)
        ]
        return f"constant_{'_'.join(parts)}_{self.bounds.bits}d{self.drop}"


Term = tuple[int, int, int]
"""A node, how far it is shifted, and its sign, 1 or −1."""


@dataclass(slots=True)
class Rows:
    """Rows that are collected.

    Parameters
    ----------
    inputs
        Range of every input.
    coefficients
        Of every node.
    made
        The rows and the nodes they read.

    """

    inputs: tuple[Bounds, ...]
    coefficients: list[tuple[int, ...]] = field(default_factory=list)
    made: list[tuple[ConstantRow, tuple[int, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Number the inputs."""
        count = len(self.inputs)
        if not self.coefficients:
            self.coefficients = [
                tuple(int(i == lane) for i in range(count)) for lane in range(count)
            ]

    def bounds(self, node: int) -> Bounds:
        """Return the range of a node."""
        return self.range_of(self.coefficients[node])

    def range_of(self, coefficients: tuple[int, ...]) -> Bounds:
        """Return the range of a sum of inputs."""
        ends = [
            (min(c * b.low, c * b.high), max(c * b.low, c * b.high))
            for c, b in zip(coefficients, self.inputs, strict=True)
            if c
        ]
        return Bounds(sum(e[0] for e in ends), sum(e[1] for e in ends))

    def sum_of(self, terms: tuple[Term, ...]) -> tuple[int, ...]:
        """Return the coefficients of a sum of nodes."""
        total = [0] * len(self.inputs)
        for node, shift, sign in terms:
            for lane, coefficient in enumerate(self.coefficients[node]):
                total[lane] += sign * coefficient << shift
        return tuple(total)

    def add(self, terms: tuple[Term, ...], keep_sign: bool = False) -> Term:
        """Add a row and return its node, with what is still to be shifted and its sign.

        Signs are turned so that not all are negative and, unless they are to be kept, so that the
        lowest word can pass by. The shift all terms share is left to the wires.
        """
        base = min(shift for _, shift, _ in terms)
        lowest = min(terms, key=lambda term: term[1])[2]
        count = sum(sign < 0 for _, _, sign in terms)
        turn = count == len(terms) or (not keep_sign and lowest < 0)
        sign = -1 if turn else 1
        used = tuple((node, shift - base, sign * own) for node, shift, own in terms)
        total = self.sum_of(used)
        drop = min((c & -c).bit_length() - 1 for c in total if c) if any(total) else 0
        kept = tuple(c >> drop for c in total)
        if kept in self.coefficients:
            return self.coefficients.index(kept), base + drop, sign
        row = ConstantRow(
            tuple(self.bounds(node) for node, _, _ in used),
            tuple(shift for _, shift, _ in used),
            tuple(own < 0 for _, _, own in used),
            self.range_of(kept),
            drop,
        )
        self.coefficients.append(kept)
        self.made.append((row, tuple(node for node, _, _ in used)))
        return len(self.coefficients) - 1, base + drop, sign

    def reduce(self, terms: list[Term], most: int) -> Term | None:
        """Add rows until one node is left, smallest words first; None of no terms."""
        left = list(terms)
        while len(left) > 1:
            left.sort(key=lambda term: (self.bounds(term[0]).bits + term[1], term[1]))
            count = 2 if most == 2 or len(left) % 2 == 0 else most
            group, left = tuple(left[:count]), left[count:]
            left.append(self.add(group, keep_sign=not left))
        return left[0] if left else None

    @property
    def sites(self) -> int:
        """Sites of all rows."""
        return sum(row.sites for row, _ in self.made)
