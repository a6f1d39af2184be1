"""Floor 1c: compressor trees: a heap of bits becomes few words, in LUT6_2 and carry chains.

A heap holds nets by column; its value is the sum of ``net · 2^column``. Counters take nets away and
put fewer back. On Xilinx slices two full adders fit a site, one in the LUT and one on the carry
chain, so that no counter removes more than two bits per site; those used here:

- ``6``: six bits of a column and the carry that comes in, two sites. The first site adds the sixth
  bit and the carry to the parity of the others, the second adds bits 1 and 2 of their sum. A run of
  these on one chain is the (6,0,6;5) counter of Kumm and Zipf (Pipelined compressor tree
  optimization, FPL 2014) with its carry-in used: two bits per site.
- ``41``: four bits of a column and one of the next, two sites (the 1,4 atom of Preusser, Generic
  and universal parallel matrix summation, FPL 2017): 1.5 bits per site.
- ``2``: two bits of a column, one site: one bit per site.
- the full adder in a LUT6_2: one bit per site, without a chain.

`compress` takes, again and again, the chain of counters that removes most bits per site.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hw.plan.cells import CARRY_BITS, CONSTANTS, Chain, ChainBit, Lut, bitwise

LONGEST_CHAIN = 16
"""Sites of one chain at most."""
MOST_OF_PARITY = 5
"""Nets of the highest column in one LUT, which another can share."""
Limit = Callable[[int], int]
"""How many bits may be left in a column."""


def parity(*tables: int) -> int:
    """Return the exclusive or."""
    result = 0
    for table in tables:
        result ^= table
    return result


def majority(a: int, b: int, c: int) -> int:
    """Return whether two of three are set."""
    return (a & b) | (c & (a | b))


def sum_bit(*tables_and_place: int) -> int:
    """Return one bit of the sum of the tables; its place is the last argument."""
    *tables, place = tables_and_place
    bits = [0, 0, 0]
    for table in tables:
        carry = table
        for i, bit in enumerate(bits):
            bits[i], carry = bit ^ carry, bit & carry
    return bits[place]


def _majority_and_one(a: int, b: int, c: int, other: int) -> int:
    return majority(a, b, c) ^ other


@dataclass(frozen=True, slots=True)
class Atom:
    """One counter of a chain: so many bits of its column and of the next, in one or two sites."""

    low: int
    high: int
    sites: int


SIX, FOUR_ONE, TWO = Atom(6, 0, 2), Atom(4, 1, 2), Atom(2, 0, 1)
ATOMS = (SIX, FOUR_ONE, TWO)


@dataclass(slots=True)
class Heap:
    """Nets by column, and the cells that made some of them.

    Parameters
    ----------
    columns
        For each column its nets, those available first in front.
    prefix
        Starts the names of nets that are made.
    top
        The highest column: what would be put above it is dropped. None keeps everything.

    """

    columns: dict[int, list[str]]
    prefix: str = "h"
    luts: list[Lut] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    made: int = 0
    top: int | None = None

    def net(self) -> str:
        """Return a new name."""
        self.made += 1
        return f"{self.prefix}{self.made}"

    def put(self, column: int, net: str) -> None:
        """Add a net."""
        self.columns.setdefault(column, []).append(net)

    def take(self, column: int, count: int) -> list[str]:
        """Remove and return up to so many nets of a column, the oldest first."""
        nets = self.columns.get(column, [])
        taken, self.columns[column] = nets[:count], nets[count:]
        return taken

    def height(self, column: int) -> int:
        """Return the number of nets in a column."""
        return len(self.columns.get(column, ()))

    def places(self, column: int) -> int:
        """Return how many columns there are from one on; enough for any chain without a highest."""
        return 2 * LONGEST_CHAIN if self.top is None else self.top + 1 - column

    def take_net(self, column: int) -> str:
        """Remove and return the oldest net of a column, a constant only if there is no other."""
        nets = self.columns[column]
        return nets.pop(next((n for n, net in enumerate(nets) if net not in CONSTANTS), 0))

    def full_adder(self, column: int) -> None:
        """Replace three nets of a column (or two) by sum and carry, in one LUT6_2."""
        if column == self.top:
            made = bitwise(self.net(), tuple(self.take(column, MOST_OF_PARITY)), parity)
            self.luts.append(made)
            self.put(column, made.output)
            return
        self.add(column, parity, majority, self.take(column, 3))

    def add(
        self,
        column: int,
        low: Callable[..., int],
        high: Callable[..., int],
        nets: Iterable[str],
    ) -> None:
        """Put two functions of the same nets, for a column and the next."""
        three = (*nets, "0", "0")[: max(3, len(tuple(nets)))]
        for place, rule in ((column, low), (column + 1, high)):
            if self.top is not None and place > self.top:
                continue
            made = bitwise(self.net(), three, rule)
            self.luts.append(made)
            if made.inputs or made.truth:
                self.put(place, made.output if made.inputs else "1")


@dataclass(frozen=True, slots=True)
class Run:
    """A chain of atoms from a column on.

    Parameters
    ----------
    column
        Of the first atom.
    atoms
        With the bits each takes: of its column, of the next.
    carry_in
        Whether a bit of the first column enters the chain's carry input.
    removed
        Bits it takes less those it puts back.
    sites
        Sites it takes.

    """

    column: int
    atoms: tuple[tuple[Atom, int, int], ...]
    carry_in: bool
    removed: int
    sites: int


def compress(heap: Heap, limit: Limit) -> None:
    """Add counters until no column is higher than its limit.

    Parameters
    ----------
    heap
        It is changed in place.
    limit
        At least 1 for every column, 2 below the highest.

    """
    while True:
        first = next((c for c in sorted(heap.columns) if heap.height(c) > limit(c)), None)
        if first is None:
            return
        run = _best_run(heap, limit)
        if run is not None:
            _build(heap, run)
        else:
            heap.full_adder(first)


def _best_run(heap: Heap, limit: Limit) -> Run | None:
    """Return the chain that removes most bits per site, if more than a full adder does."""
    runs = [
        run
        for column in sorted(heap.columns)
        if heap.height(column) > limit(column)
        for length in range(2, LONGEST_CHAIN + 1)
        if (run := _run(heap, column, length)) is not None
    ]
    best = max(runs, key=lambda r: (r.removed / r.sites, r.removed, -r.column), default=None)
    return best if best is not None and best.removed > best.sites else None


def _run(heap: Heap, start: int, length: int) -> Run | None:
    """Return the atoms that take most bits in so many sites from a column on."""
    if heap.top is not None and start + length > heap.top + 1:
        return None
    free = [heap.height(start + i) - (i == 0) for i in range(length + 1)]
    taken = [0] * (length + 2)
    chosen: list[tuple[Atom, int, int] | None] = [None] * (length + 1)
    for i in reversed(range(length)):
        best = -1
        for atom in ATOMS:
            if i + atom.sites > length:
                continue
            low = min(atom.low, max(free[i], 0))
            high = min(atom.high, max(free[i + 1], 0)) if i + 1 < length else 0
            if low + high + taken[i + atom.sites] > best:
                best = low + high + taken[i + atom.sites]
                chosen[i] = (atom, low, high)
        taken[i] = best
    atoms, i, value = [], 0, 1
    while i < length:
        picked = chosen[i]
        assert picked is not None
        atom, low, high = picked
        if not low + high:
            return None
        atoms.append(picked)
        value += (low << i) + (high << i + 1)
        i += atom.sites
    outputs = min(value.bit_length(), heap.places(start))
    carries = outputs > length
    sites = length + (carries and length % CARRY_BITS > 0)
    return Run(start, tuple(atoms), True, taken[0] + 1 - min(outputs, length + 1), sites)


def _build(heap: Heap, run: Run) -> None:
    """Add the chain of a run."""
    carry_in = heap.take_net(run.column)
    bits: list[ChainBit] = []
    value, column = 1, run.column
    outputs: list[tuple[int, str]] = []
    for atom, low, high in run.atoms:
        nets, others = heap.take(column, low), heap.take(column + 1, high)
        bits += _bits(heap, atom, nets, others)
        place = column - run.column
        value += (low << place) + (high << place + 1)
        column += atom.sites
    outputs = [(run.column + i, bit.output) for i, bit in enumerate(bits)]
    width = min(value.bit_length(), heap.places(run.column))
    carry_out = heap.net() if width > len(bits) else ""
    heap.chains.append(Chain(carry_in, tuple(bits), carry_out))
    for place, net in outputs[:width]:
        heap.put(place, net)
    if carry_out:
        heap.put(column, carry_out)


def _bits(heap: Heap, atom: Atom, nets: list[str], others: list[str]) -> list[ChainBit]:
    """Return the sites of an atom for these nets."""
    *first, last = sorted(nets, key=lambda net: net not in CONSTANTS) or ["0"]
    select = bitwise("", (*first, last), parity)
    bits = [ChainBit(heap.net(), select, last)]
    if atom.sites == 1:
        return bits
    if others:
        three = (*first, "0", "0", "0")[:3]
        select = bitwise("", (*three, others[0]), _majority_and_one)
        return [*bits, ChainBit(heap.net(), select, others[0])]
    select = bitwise("", tuple(first), sum_bit, 1)
    direct = bitwise("", tuple(first), sum_bit, 2) if len(first) > 3 else None
    return [*bits, ChainBit(heap.net(), select, "0" if direct is None else direct)]
