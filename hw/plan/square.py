"""Floor 1c: sums of squares as one heap of bits.

Of the products of a word's bits with each other those off the diagonal come in pairs,
``2·x_i·x_j``, one product a column higher, and those on it are the bits themselves: half the heap
of a product (Dadda, Squarers for binary numbers in serial form, ARITH 1985). With blocks of
several bits the squares of the blocks are tables, whose bits are single LUTs of at most six inputs,
and only products of bits of different blocks are left; blocks of one to six bits are tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from hw.design.square import SquareSum
from hw.formats import Format
from hw.plan.accumulate import AccumulatePlan
from hw.plan.bit_heap import BitHeapPlan
from hw.plan.digits import Bounds
from hw.plan.heap_core import added_words
from hw.plan.serial import SerialCorePlan
from hw.plan.terms import BitSum, HeapSource, Term, Terms, product_terms, word_nets
from hw.plan.truth import columns_of, supported
from hw.target import ASIC, Target

MOST_BLOCK = 6
"""Bits of a block: inputs of a LUT."""


@dataclass(frozen=True, slots=True)
class Squares(HeapSource):
    """``Σ activation[i]²`` over lanes.

    Parameters
    ----------
    operand
        Format.
    lanes
        Squares.
    block
        Bits that are squared by tables; 1: none.

    """

    operand: Format
    lanes: int
    block: int

    @property
    def inputs(self) -> tuple[tuple[str, int], ...]:
        """The operands, lane i in bits ``[i·w +: w]``."""
        return (("x", self.operand.bits * self.lanes),)

    @property
    def bounds(self) -> Bounds:
        """Range of the sum."""
        ends = self.operand.minimum_integer, self.operand.maximum_integer
        least = 0 if ends[0] <= 0 <= ends[1] else min(e * e for e in ends)
        return Bounds(least * self.lanes, max(e * e for e in ends) * self.lanes)

    def bit_sum(self) -> BitSum:
        """Return squares of blocks, and products of bits of different blocks."""
        terms, bits = Terms(), self.operand.bits
        for lane in range(self.lanes):
            word = word_nets("x", lane * bits, bits, self.operand.signed)
            starts = range(0, bits, self.block)
            for start in starts:
                block = word[start : start + self.block]
                _add_square(terms, 2 * start, block)
                for other in range(start + self.block, bits, self.block):
                    column = start + other + 1
                    product_terms(terms, block, word[other : other + self.block], column)
        return terms.done(self.bounds)


def _add_square(terms: Terms, column: int, block: list[tuple[str, bool]]) -> None:
    """Add the square of some bits, by a table."""
    nets = tuple(net for net, _ in block)
    entries = tuple(
        sum((-1 if minus else 1) << i for i, (_, minus) in enumerate(block) if code >> i & 1) ** 2
        for code in range(1 << len(block))
    )
    for place, truth in enumerate(columns_of(entries, max(entries).bit_length())):
        kept, own = supported(truth, len(nets))
        if own:
            read = nets if kept is None else tuple(nets[n] for n in kept)
            terms.found.append(Term(column + place, read, own))


@dataclass(frozen=True, slots=True)
class SquarePlan(SerialCorePlan):
    """A heap and its accumulator.

    Parameters
    ----------
    design
        What is built.
    heap
        What makes words of the operands.
    accumulate
        What adds them.

    """

    design: SquareSum
    heap: BitHeapPlan
    accumulate: AccumulatePlan

    @property
    def latency_cycles(self) -> int:
        """Cycles from operands to the sum."""
        return 1

    @property
    def initiation_interval(self) -> int:
        """A step in every cycle."""
        return 1

    def parts(self) -> Counter[Hashable]:
        """Return heap and accumulator."""
        return Counter([self.heap, self.accumulate])


def plan_square(design: SquareSum, target: Target) -> SquarePlan:
    """Return the heap of fewest sites over the sizes of blocks, the smallest of these.

    Raises
    ------
    ValueError
        On the target asic.

    """
    if target.name == ASIC:
        raise ValueError("sums of squares are for FPGAs, not asic")
    inputs = 0 if target.primitives else target.lut_inputs
    most = min(inputs or MOST_BLOCK, design.activation.bits)
    heaps = [
        BitHeapPlan(Squares(design.activation, design.lanes, block), inputs)
        for block in range(1, most + 1)
    ]
    heap = min(heaps, key=lambda heap: heap.sites)
    kept = AccumulatePlan(
        design.accumulator.kind,
        design.accumulator_bits,
        added_words(heap),
        design.flags,
        False,
        lean=target.primitives,
    )
    return SquarePlan(design, heap, kept)
