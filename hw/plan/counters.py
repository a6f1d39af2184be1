"""Floor 1c: heaps of bits compressed by look-up tables alone, for any FPGA.

A counter takes some bits of a column and of the next, and gives their sum: a LUT for each bit of
it. Products are not built alone: a net of `Tables.waiting` is a function of operand bits that a
counter takes into its own LUTs, if these have inputs left.

- LUTs of four inputs: a full adder reads three nets, so that a product of two nets fits in one
  that adds two more. ``K`` such products take ``(K + 1) / 4`` full adders of three and as many less
  one that add two sums and a product, about 1.5 LUTs a product.
- LUTs of six inputs: a full adder of three products of two nets; counters of six bits, of five and
  one, of three and two (Preusser, Generic and universal parallel matrix summation, FPL 2017):
  a bit less for each LUT.

Every LUT is a module of its own to Yosys, which else maps such trees to more LUTs than they have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hw.plan.cells import CONSTANTS, LUT_INPUTS, Lut, lookup
from hw.plan.heap import Heap

Limit = Callable[[int], int]
"""How many bits may be left in a column."""
FULL_ADDER = 3


@dataclass(slots=True)
class Tables:
    """A heap whose counters are LUTs.

    Parameters
    ----------
    heap
        Nets by column, and the LUTs.
    lut_inputs
        Inputs of a LUT: 4 or 6.
    waiting
        Nets in the heap no LUT drives yet, by name.

    """

    heap: Heap
    lut_inputs: int
    waiting: dict[str, Lut] = field(default_factory=dict)

    def wait(self, inputs: tuple[str, ...], truth: int) -> str:
        """Return the net of a function that has no LUT yet."""
        found = lookup(self.heap.net(), inputs, truth)
        self.waiting[found.output] = found
        return found.output

    def make(self, net: str) -> None:
        """Give a net its LUT, if it still waits for one."""
        found = self.waiting.pop(net, None)
        if found is not None:
            self.heap.luts.append(found)

    def count(self, low: list[str], high: list[str], most: int) -> list[str]:
        """Return the bits of ``Σ low + 2 Σ high``, which is at most `most`, lowest first.

        Functions that wait are taken in as long as every bit is one LUT.
        """
        bits = most.bit_length()
        while True:
            nets = tuple(dict.fromkeys(n for net in (*low, *high) for n in self._reads(net)))
            if len(nets) <= LUT_INPUTS:
                truths = self._truths(nets, low, high, bits)
                made = [lookup("", nets, truth) for truth in truths]
                if all(len(lut.inputs) <= self.lut_inputs for lut in made):
                    break
            taken = [net for net in (*low, *high) if net in self.waiting]
            self.make(max(taken, key=lambda net: len(self.waiting[net].inputs)))
        for net in (*low, *high):
            self.waiting.pop(net, None)
        return [self._placed(lut) for lut in made]

    def compress(self, limit: Limit) -> None:
        """Add counters until no column is higher than its limit."""
        heap, column = self.heap, 0
        while column <= max(heap.columns):
            while heap.height(column) > limit(column):
                low, high = self._choice(heap.height(column), heap.height(column + 1))
                self.add(column, heap.take(column, low), heap.take(column + 1, high))
            column += 1
        for nets in heap.columns.values():
            for net in nets:
                self.make(net)

    def add(self, column: int, low: list[str], high: list[str], most: int = 0) -> None:
        """Put the sum of nets of a column and the next, at most `most` if given, into the heap."""
        for place, net in enumerate(self.count(low, high, most or len(low) + 2 * len(high))):
            if net != "0":
                self.heap.put(column + place, net)

    def add_products(self, column: int, products: list[str], limit: int) -> None:
        """Add full adders of nets that wait until few are left.

        With LUTs of six inputs each takes three. With those of four inputs a fourth of them takes
        three, and the others two sums and one product.
        """
        left, size = list(products), FULL_ADDER
        first = len(left) // size if self.lut_inputs >= 2 * size else (len(left) + 1) // 4
        for _ in range(first):
            self.add(column, left[:size], [])
            left = left[size:]
        while left and self.heap.height(column) + len(left) > max(limit, size - 1):
            sums = self.heap.take(column, size - 1)
            more = size - len(sums)
            if len(left) < more:
                self.heap.columns[column] = sums + self.heap.columns[column]
                break
            self.add(column, sums + left[:more], [])
            left = left[more:]
        for net in left:
            self.heap.put(column, net)

    def _choice(self, here: int, above: int) -> tuple[int, int]:
        """Return how many bits of a column and of the next a counter takes."""
        if self.lut_inputs < LUT_INPUTS:
            if here in (3, 4):
                return here, 0
            return (FULL_ADDER, 0) if here > 4 else (2, 2 if above >= 2 else 0)
        if here >= 4:
            return min(here, LUT_INPUTS), min(above, 1 if here < LUT_INPUTS else 0)
        return here, 2 if above >= 2 else 0

    def _reads(self, net: str) -> tuple[str, ...]:
        """Return what a LUT reads for a net."""
        if net in CONSTANTS:
            return ()
        return self.waiting[net].inputs if net in self.waiting else (net,)

    def _truths(
        self, nets: tuple[str, ...], low: list[str], high: list[str], bits: int
    ) -> list[int]:
        """Return the table of each bit of the sum."""
        truths = [0] * bits
        for code in range(1 << len(nets)):
            known = {net: code >> place & 1 for place, net in enumerate(nets)}
            total = sum(self._value(net, known) for net in low)
            total += 2 * sum(self._value(net, known) for net in high)
            for bit in range(bits):
                truths[bit] |= (total >> bit & 1) << code
        return truths

    def _value(self, net: str, known: dict[str, int]) -> int:
        if net in CONSTANTS:
            return CONSTANTS[net]
        if net not in self.waiting:
            return known[net]
        found = self.waiting[net]
        return found.truth >> sum(known[n] << i for i, n in enumerate(found.inputs)) & 1

    def _placed(self, lut: Lut) -> str:
        """Return the net of a bit of a sum."""
        if not lut.inputs:
            return str(lut.truth)
        if lut.is_wire:
            return lut.inputs[0]
        if len(lut.inputs) == 1:  # an inverter is left to who reads it
            return self.wait(lut.inputs, lut.truth)
        made = Lut(self.heap.net(), lut.inputs, lut.truth)
        self.heap.luts.append(made)
        return made.output
