"""Floor 1c: heaps of the bits of a sum (`hw.plan.terms`), compressed to one or two words.

What is taken away from the terms is one constant. With a power of two added that is at least this
constant, and more than the sum can be, the heap is never negative, its highest bit is the sign,
inverted, and the words that are left add up to the sum exactly, each extended by itself. The
difference of power and constant is put into the heap as ones.

On Xilinx slices a LUT6_2 takes two products of two nets and one net more, and gives both bits of
their sum: no product is built alone. Such cells stand in rows, each with the sum of the one before,
the first with a carry of the column below; the heap that is left is compressed by
`hw.plan.heap`. A site with two products removes one bit, any other at most two, so that a product
costs 3/4 of a site at best, its share of the tree included. Elsewhere a full adder of two LUTs
takes a product of two nets and two nets more (`hw.plan.counters`): two LUTs for a product. The two
words that are left are added by a row on the carry chain.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache

from hw.plan.bit_products import inverted
from hw.plan.cells import LUT_INPUTS, Lut, Netlist, lookup
from hw.plan.counters import FULL_ADDER, Tables
from hw.plan.digits import Bounds
from hw.plan.heap import Heap, compress
from hw.plan.sums import Sign, SumRow, Word
from hw.plan.terms import OWN, BitSum, HeapSource, Term

ROW_CELLS = 6
"""Cells of a row that hand their sum on: as many LUTs stand one after the other."""
CELL_NETS = 4
"""Nets of the products in a LUT6_2 beside one net more."""
WORDS = 2
"""Words a heap leaves at most."""


@dataclass(frozen=True, slots=True)
class BitHeapPlan:
    """The heap of a sum.

    Parameters
    ----------
    source
        What is summed.
    lut_inputs
        0: sites of LUT6_2 and carry chains by name. Else LUTs of so many inputs alone.

    """

    source: HeapSource
    lut_inputs: int = 0

    @property
    def netlist(self) -> Netlist:
        """The cells."""
        return _made(self).netlist

    @property
    def outputs(self) -> tuple[tuple[str, ...], ...]:
        """For each word its nets, lowest first."""
        return _made(self).words

    @property
    def words(self) -> tuple[Word, ...]:
        """What is left to add; the range of all together is kept with the first."""
        total = self.source.bit_sum().bounds
        found = []
        for number, nets in enumerate(self.outputs):
            signed = number == 0 and _frame(self.source.bit_sum())[1]
            half = 1 << (len(nets) - 1)
            bounds = Bounds(-half, half - 1) if signed else Bounds(0, 2 * half - 1)
            found.append(Word(bounds, Bounds(0, 0) if number else total, Sign.PLAIN))
        return tuple(found)

    @property
    def sites(self) -> int:
        """Sites of the cells, and bits of the row behind them."""
        row = self.final_row
        own = len(self.netlist.luts) if self.lut_inputs else self.netlist.sites
        return own + (0 if row is None else row.width)

    @property
    def passing(self) -> int:
        """Lowest bits of the first word that need no row: there the second has none."""
        if len(self.outputs) < WORDS:
            return len(self.outputs[0])
        return next(place for place, net in enumerate(self.outputs[1]) if net != "0")

    @property
    def final_row(self) -> SumRow | None:
        """The row that adds the words above what passes by, where nothing else takes both."""
        if not self.lut_inputs or len(self.outputs) < WORDS:
            return None
        first, second = (
            Bounds(word.bounds.low >> self.passing, word.bounds.high >> self.passing)
            for word in self.words
        )
        none = Bounds(0, 0)
        return SumRow((Word.plain(first), Word(second, none, Sign.PLAIN)))


@dataclass(frozen=True, slots=True)
class _Made:
    netlist: Netlist
    words: tuple[tuple[str, ...], ...]


@cache
def _made(plan: BitHeapPlan) -> _Made:
    """Return the heap's cells."""
    total = plan.source.bit_sum()
    top, signed = _frame(total)
    heap = Heap({}, luts=list(total.luts), top=top)
    constant = total.constant + (signed << top)
    for column in range(top + 1):
        if constant >> column & 1:
            heap.put(column, "1")
    if plan.lut_inputs:
        _count(heap, total, plan.lut_inputs)
    else:
        _fill(heap, total)
        compress(heap, lambda column: WORDS if column < top else 1)
    nets = {column: list(found) for column, found in heap.columns.items() if found}
    if signed:
        nets[top] = [inverted(heap, nets.get(top, ["0"])[0])]
    netlist = Netlist(tuple(heap.luts), tuple(heap.chains))
    first = tuple(nets.get(column, ["0"])[0] for column in range(top + 1))
    rest = [nets[c][1] if len(nets.get(c, ())) > 1 else "0" for c in range(top + 1)]
    while rest and rest[-1] == "0":
        rest.pop()
    return _Made(netlist, (first, tuple(rest)) if rest else (first,))


def _frame(total: BitSum) -> tuple[int, bool]:
    """Return the highest column of a heap, and whether it is a sign."""
    bounds = total.bounds
    if bounds.low >= 0 and total.constant >= 0:
        return bounds.bits - 1, False
    return max(bounds.high, -bounds.low - 1, -total.constant - 1).bit_length(), True


def _by_column(total: BitSum, top: int) -> list[tuple[int, list[Term]]]:
    """Return the terms of each column up to the highest one, lowest column first."""
    columns: dict[int, list[Term]] = defaultdict(list)
    for term in total.terms:
        if term.column <= top:
            columns[term.column].append(term)
    return [(column, columns[column]) for column in range(top + 1)]


def _fill(heap: Heap, total: BitSum) -> None:
    """Add the terms to a heap, products of two nets in rows of cells."""
    assert heap.top is not None
    for column, terms in _by_column(total, heap.top):
        pairs = [term for term in terms if len(term.nets) == CELL_NETS // 2]
        odd = pairs[len(pairs) - len(pairs) % 2 :]
        for term in terms:
            if term not in pairs or term in odd:
                heap.put(column, _alone(heap, term))
        for start in range(0, len(pairs) - len(odd), 2 * ROW_CELLS):
            _row(heap, column, pairs[start : min(start + 2 * ROW_CELLS, len(pairs) - len(odd))])


def _alone(heap: Heap, term: Term) -> str:
    """Return the net of a term, in a LUT of its own if it is not a bare net."""
    if len(term.nets) == 1 and term.truth == OWN:
        return term.nets[0]
    made = Lut(heap.net(), term.nets, term.truth)
    heap.luts.append(made)
    return made.output


def _row(heap: Heap, column: int, terms: list[Term]) -> None:
    """Add cells of two products each; the sum of each goes into the next."""
    carried = [net for net in heap.columns.get(column, []) if net not in ("0", "1")]
    before = carried[0] if carried else "0"
    if carried:
        heap.columns[column].remove(before)
    for start in range(0, len(terms), 2):
        one, two = terms[start : start + 2]
        nets = (*one.nets, *two.nets, *(() if before == "0" else (before,)))
        low, high = _cell_truths(one.truth, two.truth, len(nets) > CELL_NETS)
        total = lookup(heap.net(), nets, low)
        heap.luts.append(total)
        if heap.top is None or column < heap.top:
            carry = lookup(heap.net(), nets, high)
            heap.luts.append(carry)
            heap.put(column + 1, carry.output)
        before = total.output
    heap.put(column, before)


@cache
def _cell_truths(one: int, two: int, more: bool) -> tuple[int, int]:
    """Return sum and carry of two functions of two nets each and perhaps a net more."""
    low = high = 0
    for code in range(1 << (CELL_NETS + more)):
        count = (one >> (code & 3) & 1) + (two >> (code >> 2 & 3) & 1) + (code >> CELL_NETS)
        low |= (count & 1) << code
        high |= (count >> 1) << code
    return low, high


def _count(heap: Heap, total: BitSum, lut_inputs: int) -> None:
    """Compress a heap by LUTs alone; products wait until a full adder takes them in."""
    assert heap.top is not None
    tables = Tables(heap, lut_inputs)
    for column, terms in _by_column(total, heap.top):
        waiting: list[str] = []
        for term in terms:
            if len(term.nets) == 1 and term.truth == OWN:
                heap.put(column, term.nets[0])
            else:
                waiting.append(tables.wait(term.nets, term.truth))
        _add_waiting(tables, column, waiting)
        while heap.height(column) > (WORDS if column < heap.top else 1):
            here = min(heap.height(column), FULL_ADDER)
            tables.add(column, heap.take(column, here), [])
    for nets in heap.columns.values():
        for net in nets:
            tables.make(net)


def _add_waiting(tables: Tables, column: int, waiting: list[str]) -> None:
    """Add full adders until no product of a column waits, or too few bits are left to add.

    Each takes as many products as its LUTs have inputs for: three of six inputs, else one and two
    nets, as long as there are nets.
    """
    heap = tables.heap
    whole = FULL_ADDER if tables.lut_inputs >= LUT_INPUTS else 1
    limit = WORDS if heap.top is None or column < heap.top else 1
    while waiting and heap.height(column) + len(waiting) > limit:
        count = min(FULL_ADDER, heap.height(column) + len(waiting))
        products = max(min(whole, len(waiting)), count - heap.height(column))
        low = heap.take(column, count - products) + waiting[:products]
        waiting = waiting[products:]
        tables.add(column, low, [])
    for net in waiting:
        heap.put(column, net)
