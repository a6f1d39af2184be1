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

The worked row of TBT's quantisers and these kernels are reproduced in the tests. No function leaves
a site twice: a full adder has both outputs of its LUT, a chain's O5 ends at the chain, so that the
sites counted are those of a device (see `hw.area`).

What bounds this from below: a site that holds two products of two nets removes one bit, any other
at most two. For K = 64 signs that is 32 + (57 − 32) / 2 = 44.5 sites and the accumulator's row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cache

from hw.accumulators import AccumulatorKind
from hw.design import Design, is_signs
from hw.formats import FixedFormat, Format
from hw.plan.accumulate import AccumulatePlan
from hw.plan.cells import Chain, ChainBit, Lut, Netlist, bitwise
from hw.plan.digits import Bounds
from hw.plan.heap import Heap, compress, majority, parity
from hw.plan.operand import OperandPlan
from hw.plan.sums import Sign, Word
from hw.target import Target

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

    """

    weight: Format
    activation: Format
    lanes: int

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
        return _kind(self.weight, self.activation) == "signs" and self.lanes % 2 == 0

    @property
    def constant(self) -> int:
        """What is taken away from the heap's value."""
        kind = _kind(self.weight, self.activation)
        if kind == "bits":
            return 0
        if kind == "signs":
            return self.lanes // 2 if self.halved else self.lanes
        return 2 * self.lanes if kind == "mixed" else self.lanes

    @property
    def reach(self) -> tuple[int, int]:
        """Least and greatest sum of a step, in units of the words."""
        most = self.lanes // (2 if self.halved else 1)
        return (0 if _kind(self.weight, self.activation) == "bits" else -most), most


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
    """Whether a design is a sum of many products of one- and two-bit operands, on Xilinx.

    Half an even sum does not saturate where the sum does: saturating accumulators have other trees.
    """
    is_saturating = design.accumulator.kind is AccumulatorKind.SATURATE
    return (
        target.primitives
        and design.lanes > 1
        and not (design.is_window or design.is_floating or is_saturating)
        and _kind(design.weight, design.activation) != ""
    )


def plan_compressor(design: Design, on_last: bool) -> CompressorCorePlan:
    """Return the core of a design that `can_compress`."""
    tree = CompressorPlan(design.weight, design.activation, design.lanes)
    kept = AccumulatePlan(
        design.accumulator.kind,
        design.accumulator_bits - tree.halved,
        tree.words,
        design.flags,
        on_last,
        lean=True,
    )
    weight, activation = OperandPlan(design.weight), OperandPlan(design.activation)
    return CompressorCorePlan(design.lanes, weight, activation, tree, kept)


def _kind(weight: Format, activation: Format) -> str:
    """Return which products these formats have: signs, mixed, bits, digits; "" for others."""
    sides = {_side(weight), _side(activation)}
    if "" in sides:
        return ""
    if "ternary" in sides:
        return "digits"
    if sides == {"sign"}:
        return "signs"
    return "bits" if sides == {"bit"} else "mixed"


def _side(format: Format) -> str:
    if is_signs(format):
        return "sign" if format.bits == 1 else "ternary"
    plain = isinstance(format, FixedFormat) and not format.signed and format.bits == 1
    return "bit" if plain else ""


@dataclass(frozen=True, slots=True)
class _Made:
    netlist: Netlist
    words: tuple[tuple[str, ...], ...]
    pending: tuple[str, ...]


@cache
def _tree(plan: CompressorPlan) -> _Made:
    """Return the smallest of the trees with rows of various lengths; of large ones the last."""
    least = 2 if plan.lanes <= MOST_TRIED else ROW_CELLS
    return min(
        (_made(plan, cells) for cells in range(least, ROW_CELLS + 1)),
        key=lambda made: made.netlist.sites,
    )


def _made(plan: CompressorPlan, row_cells: int) -> _Made:
    """Return the tree with rows of so many cells."""
    heap = Heap({})
    kind = _kind(plan.weight, plan.activation)
    largest = _fill(plan, heap, kind, row_cells)
    sign = _constant(heap, plan.constant, largest) if plan.constant else None
    compress(heap, lambda c: 1 if sign is not None and c >= sign else 4 if c == 0 else 2)
    nets = {column: list(found) for column, found in heap.columns.items() if found}
    if sign is not None:
        for column in [c for c in nets if c > sign]:
            _drop(heap, nets.pop(column))
        nets[sign] = [_inverted(heap, nets.get(sign, ["0"])[0])]
    pending = tuple(nets.get(0, ())[2:])
    width = max(nets) + 1
    first = tuple(nets.get(c, ["0"])[0] for c in range(width))
    rest = [nets[c][1] if len(nets.get(c, ())) > 1 else "0" for c in range(width)]
    while rest and rest[-1] == "0":
        rest.pop()
    words = (first, tuple(rest)) if rest else (first,)
    return _Made(Netlist(tuple(heap.luts), tuple(heap.chains)), words, pending)


def _constant(heap: Heap, constant: int, largest: int) -> int:
    """Put ones into a heap so that what is to be taken away is a power of two; return which."""
    place = 0
    while (1 << place) < constant or (1 << place) - constant + largest >= 2 << place:
        place += 1
    ones = (1 << place) - constant
    for column in range(ones.bit_length()):
        if ones >> column & 1:
            heap.columns.setdefault(column, []).insert(0, "1")
    return place


def _fill(plan: CompressorPlan, heap: Heap, kind: str, row_cells: int) -> int:
    """Add the cells that hold the products; return the greatest value of the heap."""
    lanes = range(plan.lanes)
    if kind == "digits":
        digits = [_nets(plan, lane) for lane in lanes]
        rule = (_side(plan.weight), _side(plan.activation))
        _rows(heap, 0, [(nets,) for nets in digits], row_cells, _digit_rules(rule))
        return 2 * plan.lanes
    pairs = [_nets(plan, lane) for lane in lanes]
    groups = [tuple(pairs[i : i + 2]) for i in range(0, plan.lanes, 2)]
    if kind == "mixed":
        sign_first = _side(plan.weight) == "sign"
        for weight, activation in pairs:
            heap.put(0, activation if sign_first else weight)
        rules = _pair_rules("implies" if sign_first else "implied")
        _rows(heap, 1, groups, row_cells, rules)
        return 3 * plan.lanes
    rules = _pair_rules("xnor" if kind == "signs" else "and")
    column = 0 if plan.halved or kind == "bits" else 1
    _rows(heap, column, groups, row_cells, rules)
    return plan.lanes << column


def _nets(plan: CompressorPlan, lane: int) -> tuple[str, ...]:
    """Return the nets of a lane, the weight's first."""
    sides = (("w", plan.weight.bits), ("a", plan.activation.bits))
    return tuple(f"{name}{lane * bits + i}" for name, bits in sides for i in range(bits))


Rules = dict[int, tuple[Callable[..., int], Callable[..., int]]]
"""Sum and carry of a cell by how many nets its products have."""


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


def _product(kind: str, weight: int, activation: int) -> int:
    """Return a product of two nets as a table."""
    if kind == "xnor":
        return ~(weight ^ activation)
    if kind == "and":
        return weight & activation
    return weight | ~activation if kind == "implies" else activation | ~weight


@cache
def _pair_rules(kind: str) -> Rules:
    def one_low(w: int, a: int, more: int) -> int:
        return _product(kind, w, a) ^ more

    def one_high(w: int, a: int, more: int) -> int:
        return _product(kind, w, a) & more

    def low(w: int, a: int, v: int, b: int, more: int) -> int:
        return parity(_product(kind, w, a), _product(kind, v, b), more)

    def high(w: int, a: int, v: int, b: int, more: int) -> int:
        return majority(_product(kind, w, a), _product(kind, v, b), more)

    return {2: (one_low, one_high), 4: (low, high)}


@cache
def _digit_rules(sides: tuple[str, str]) -> Rules:
    """Return sum and carry of ``product + 1 + more``."""
    split = 2 if sides[0] == "ternary" else 1

    def planes(*nets: int) -> tuple[int, int]:
        nonzero, negative = -1, 0
        for side, read in zip(sides, (nets[:split], nets[split:]), strict=True):
            if side == "bit":
                nonzero &= read[0]
            elif side == "sign":
                negative ^= ~read[0]
            else:
                nonzero &= read[0]
                negative ^= read[1]
        return nonzero, negative

    def low(*nets: int) -> int:
        nonzero, _ = planes(*nets[:-1])
        return ~nonzero ^ nets[-1]

    def high(*nets: int) -> int:
        nonzero, negative = planes(*nets[:-1])
        return (nonzero & ~negative) | (~nonzero & nets[-1])

    return dict.fromkeys((2, 3, 4), (low, high))


def _drop(heap: Heap, nets: list[str]) -> None:
    """Remove LUTs whose nets nothing reads: carries that are always 0."""
    heap.luts = [lut for lut in heap.luts if lut.output not in nets]


def _inverted(heap: Heap, net: str) -> str:
    """Return the inverse of the one net of the highest column, which nothing else reads."""
    if net in ("0", "1"):
        return "1" if net == "0" else "0"
    for number, lut in enumerate(heap.luts):
        if lut.output == net:
            full = (1 << (1 << len(lut.inputs))) - 1
            heap.luts[number] = replace(lut, truth=lut.truth ^ full)
            return net
    for number, chain in enumerate(heap.chains):
        if chain.carry_out == net:
            top = ChainBit(net, Lut("", (), 1), "0")
            heap.chains[number] = Chain(chain.carry_in, (*chain.bits, top), "")
            return net
        if not chain.carry_out and chain.bits[-1].output == net:
            select = chain.bits[-1].select
            full = (1 << (1 << len(select.inputs))) - 1
            top = replace(chain.bits[-1], select=replace(select, truth=select.truth ^ full))
            heap.chains[number] = replace(chain, bits=(*chain.bits[:-1], top))
            return net
    heap.luts.append(Lut(made := heap.net(), (net,), 0b01))
    return made
