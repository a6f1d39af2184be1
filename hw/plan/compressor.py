"""Floor 1c: dot products of one- and two-bit operands as compressor trees: popcounts.

Sources and readings: Liu et al., Binary and ternary natural language generation (TBT),
arXiv 2306.01841, for what is computed; BISMO, arXiv 1806.08862, for the popcount unit. Of ``K``
products

- of signs (±1 · ±1) the sum is ``2 · popcount(xnor) − K`` (TBT's kernels say K − 2 popcount(xor));
- of bits and signs (0, 1 · ±1) it is ``Σ a − 2 popcount(a & negative)``, here with the popcount of
  the inverse, so that nothing is taken away but a constant;
- of bits it is ``popcount(a & w)``;
- of a ternary operand and another of these, every product plus one is a digit 0, 1 or 2.

An exclusive or is never built alone: a LUT6_2 has five inputs, which are two products of two nets
and one net more, or one product of four nets and one more, and gives both bits of their sum. Such
cells stand in short rows, each with the sum of the one before. The heap of their carries and what
the rows leave is compressed by `hw.plan.heap` to two words, which the accumulator's row of three
takes. The constant is put into the heap as ones and what is left, a power of two, becomes the sign
of a word. An even number of odd products gives even sums, whose lowest bit is no hardware.

That is for Xilinx slices; without their primitives the tree is LUTs alone (`hw.plan.tabulated`).

The worked row of TBT's quantisers and these kernels are reproduced in the tests. No function leaves
a site twice: a full adder has both outputs of its LUT, a chain's O5 ends at the chain, so that the
sites counted are those of a device (see `hw.area`).

What bounds this from below: a site that holds two products of two nets removes one bit, any other
at most two. For K = 64 signs that is 32 + (57 − 32) / 2 = 44.5 sites and the accumulator's row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache

from hw.accumulators import AccumulatorKind
from hw.design import Design
from hw.formats import Format
from hw.plan.accumulate import AccumulatePlan
from hw.plan.bit_products import (
    Rules,
    digit_rules,
    drop,
    inverted,
    kind_of,
    nets_of,
    product_of,
    side_of,
    take_away,
)
from hw.plan.cells import Netlist, bitwise
from hw.plan.digits import Bounds
from hw.plan.heap import Heap, compress, majority, parity
from hw.plan.operand import OperandPlan
from hw.plan.sums import Sign, Word
from hw.plan.tabulated import tabulate
from hw.target import ASIC, Target

MOST_TRIED = 128
"""Up to so many lanes rows of all lengths are tried."""
ROW_CELLS = 6
"""Cells of a row that hand their sum on: as many LUTs stand one after the other."""


@dataclass(frozen=True, slots=True)
class CompressorPlan:
    """The tree from all operands of a step to one or two words.

    Parameters
    ----------
    weight, activation
        Formats.
    lanes
        Products.
    lut_inputs
        0: sites of LUT6_2 and carry chains by name. Else LUTs of so many inputs alone
        (`hw.plan.counters`).

    """

    weight: Format
    activation: Format
    lanes: int
    lut_inputs: int = 0

    @property
    def netlist(self) -> Netlist:
        """The cells; nets ``w0 …`` and ``a0 …`` are the bits of the operands."""
        return _tree(self).netlist

    @property
    def outputs(self) -> tuple[tuple[str, ...], ...]:
        """For each word its nets, lowest first, then for each the net that is still to be added."""
        tree = _tree(self)
        return (*tree.words, tree.pending)

    @property
    def words(self) -> tuple[Word, ...]:
        """What the accumulator adds; their range is that of both together, kept with the first."""
        tree = _tree(self)
        least, most = self.reach
        found = []
        for number, nets in enumerate(tree.words):
            signed = number == 0 and self.constant > 0
            half = 1 << (len(nets) - 1)
            bounds = Bounds(-half, half - 1) if signed else Bounds(0, 2 * half - 1)
            total = Bounds(least, most) if number == 0 else Bounds(0, 0)
            sign = Sign.CARRY if number < len(tree.pending) else Sign.PLAIN
            found.append(Word(bounds, total, sign))
        return tuple(found)

    @property
    def halved(self) -> bool:
        """Whether all sums are even, and words are half of them."""
        return kind_of(self.weight, self.activation) == "signs" and self.lanes % 2 == 0

    @property
    def constant(self) -> int:
        """What is taken away from the heap's value."""
        kind = kind_of(self.weight, self.activation)
        if kind == "bits":
            return 0
        if kind == "signs":
            return self.lanes // 2 if self.halved else self.lanes
        return 2 * self.lanes if kind == "mixed" and not self.lut_inputs else self.lanes

    @property
    def reach(self) -> tuple[int, int]:
        """Least and greatest sum of a step, in units of the words."""
        most = self.lanes // (2 if self.halved else 1)
        return (0 if kind_of(self.weight, self.activation) == "bits" else -most), most


@dataclass(frozen=True, slots=True)
class CompressorCorePlan:
    """A core whose products and adder tree are one compressor tree.

    Parameters
    ----------
    lanes, weight, activation
        Products of a step and the operands.
    tree
        What makes words of them.
    accumulate
        What adds the words.

    """

    lanes: int
    weight: OperandPlan
    activation: OperandPlan
    tree: CompressorPlan
    accumulate: AccumulatePlan

    def parts(self) -> Counter[Hashable]:
        """Return the primitives of the core with their counts."""
        return Counter({self.tree: 1, self.accumulate: 1})

    @property
    def bits(self) -> int:
        """Bits of ``total``."""
        return self.accumulate.bits + self.tree.halved


def can_compress(design: Design, target: Target) -> bool:
    """Whether a design is a sum of many products of one- and two-bit operands, on an FPGA.

    Half an even sum does not saturate where the sum does: saturating accumulators have other trees.
    """
    is_saturating = design.accumulator.kind is AccumulatorKind.SATURATE
    return (
        target.name != ASIC
        and design.lanes > 1
        and not (design.is_window or design.is_floating or is_saturating)
        and kind_of(design.weight, design.activation) != ""
    )


def plan_compressor(design: Design, target: Target, on_last: bool) -> CompressorCorePlan:
    """Return the core of a design that `can_compress`."""
    inputs = 0 if target.primitives else target.lut_inputs
    tree = CompressorPlan(design.weight, design.activation, design.lanes, inputs)
    kept = AccumulatePlan(
        design.accumulator.kind,
        design.accumulator_bits - tree.halved,
        tree.words,
        design.flags,
        on_last,
        lean=target.primitives,
    )
    weight, activation = OperandPlan(design.weight), OperandPlan(design.activation)
    return CompressorCorePlan(design.lanes, weight, activation, tree, kept)


@dataclass(frozen=True, slots=True)
class _Made:
    netlist: Netlist
    words: tuple[tuple[str, ...], ...]
    pending: tuple[str, ...]


@cache
def _tree(plan: CompressorPlan) -> _Made:
    """Return the smallest of the trees with rows of various lengths; of large ones the last."""
    if plan.lut_inputs:
        luts, word, pending = tabulate(
            plan.weight, plan.activation, plan.lanes, plan.constant, plan.lut_inputs
        )
        return _Made(Netlist(luts, ()), (word,), pending)
    least = 2 if plan.lanes <= MOST_TRIED else ROW_CELLS
    return min(
        (_made(plan, cells) for cells in range(least, ROW_CELLS + 1)),
        key=lambda made: made.netlist.sites,
    )


def _made(plan: CompressorPlan, row_cells: int) -> _Made:
    """Return the tree with rows of so many cells."""
    heap = Heap({})
    kind = kind_of(plan.weight, plan.activation)
    largest = _fill(plan, heap, kind, row_cells)
    sign = take_away(heap, plan.constant, largest) if plan.constant else None
    compress(heap, lambda c: 1 if sign is not None and c >= sign else 4 if c == 0 else 2)
    nets = {column: list(found) for column, found in heap.columns.items() if found}
    if sign is not None:
        for column in [c for c in nets if c > sign]:
            drop(heap, nets.pop(column))
        nets[sign] = [inverted(heap, nets.get(sign, ["0"])[0])]
    pending = tuple(nets.get(0, ())[2:])
    width = max(nets) + 1
    first = tuple(nets.get(c, ["0"])[0] for c in range(width))
    rest = [nets[c][1] if len(nets.get(c, ())) > 1 else "0" for c in range(width)]
    while rest and rest[-1] == "0":
        rest.pop()
    words = (first, tuple(rest)) if rest else (first,)
    return _Made(Netlist(tuple(heap.luts), tuple(heap.chains)), words, pending)


def _fill(plan: CompressorPlan, heap: Heap, kind: str, row_cells: int) -> int:
    """Add the cells that hold the products; return the greatest value of the heap."""
    lanes = range(plan.lanes)
    if kind == "digits":
        digits = [nets_of(plan.weight, plan.activation, lane) for lane in lanes]
        rule = (side_of(plan.weight), side_of(plan.activation))
        _rows(heap, 0, [(nets,) for nets in digits], row_cells, digit_rules(rule))
        return 2 * plan.lanes
    pairs = [nets_of(plan.weight, plan.activation, lane) for lane in lanes]
    groups = [tuple(pairs[i : i + 2]) for i in range(0, plan.lanes, 2)]
    if kind == "mixed":
        sign_first = side_of(plan.weight) == "sign"
        for weight, activation in pairs:
            heap.put(0, activation if sign_first else weight)
        rules = _pair_rules("implies" if sign_first else "implied")
        _rows(heap, 1, groups, row_cells, rules)
        return 3 * plan.lanes
    rules = _pair_rules("xnor" if kind == "signs" else "and")
    column = 0 if plan.halved or kind == "bits" else 1
    _rows(heap, column, groups, row_cells, rules)
    return plan.lanes << column


def _rows(
    heap: Heap,
    column: int,
    groups: list[tuple[tuple[str, ...], ...]],
    row_cells: int,
    rules: Rules,
) -> None:
    """Add cells of products in rows, the sum of each going into the next."""
    before = "0"
    for number, group in enumerate(groups):
        products = tuple(net for nets in group for net in nets)
        low, high = rules[len(products)]
        ends = number % row_cells == row_cells - 1 or number == len(groups) - 1
        total = bitwise(heap.net(), (*products, before), low)
        carry = bitwise(heap.net(), (*products, before), high)
        heap.luts += [total, carry]
        heap.put(column + 1, carry.output)
        before = total.output
        if ends:
            heap.put(column, before)
            before = "0"


@cache
def _pair_rules(kind: str) -> Rules:
    def one_low(w: int, a: int, more: int) -> int:
        return product_of(kind, w, a) ^ more

    def one_high(w: int, a: int, more: int) -> int:
        return product_of(kind, w, a) & more

    def low(w: int, a: int, v: int, b: int, more: int) -> int:
        return parity(product_of(kind, w, a), product_of(kind, v, b), more)

    def high(w: int, a: int, v: int, b: int, more: int) -> int:
        return majority(product_of(kind, w, a), product_of(kind, v, b), more)

    return {2: (one_low, one_high), 4: (low, high)}
