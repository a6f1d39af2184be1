"""Floor 1c: lone dot products in DSP blocks: lanes that share a block, chains, and their sums.

No operand of a dot product serves two products, yet blocks can add while they multiply. With the
weights of n lanes in one word, ``Σ w[i]·2**(i·s)``, and their activations in another the other way
round, ``Σ a[i]·2**((n−1−i)·s)``, the field at ``(n−1)·s`` of the product is ``Σ w[i]·a[i]``: all
other fields are products of different lanes, which nobody wants. What stands below must not pass
the field's lower end, but for a borrow of 1 that its highest bit tells; what stands above may do
what it likes. Blocks add up along their cascade, so both bounds grow with the chain: with int4 in
steps of 13 bits, two lanes per DSP48, 31 blocks may be chained, with FP4 (e2m1) 14.

Operands that leave no room for two lanes take a block each, whose cascade adds everything up to 48
bits: int8 needs no adder of LUTs at all.

SB_MAC16 of iCE40 makes two products of 8 × 8 bits, each in a half with an adder of 16 bits (Lattice
FPGA-TN-02007): the halves of a chain add up the products of a lane each. Together they are a
product of 16 × 16 bits with an adder of 32. MULT18X18D of ECP5 only multiplies; what adds there,
ALU54B, Yosys neither infers nor describes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from hw.design import Design
from hw.formats import Format
from hw.plan.accumulate import AccumulatePlan
from hw.plan.digits import Bounds
from hw.plan.packed_block import (
    BLOCKS,
    MULTIPLIERS,
    Block,
    PackedCell,
    PackedChain,
    PackedOperand,
    check_links,
    most_sums,
)
from hw.plan.signs import pair_sums
from hw.plan.sums import Sign, Word, plan_sums
from hw.target import Target

DOT_BLOCKS = {
    **{name: (block,) for name, block in BLOCKS.items()},
    "MULT18X18D": MULTIPLIERS["MULT18X18D"],
    "SB_MAC16": (
        Block("SB_MAC16", 16, 16, 32, adds=False, chains=True),
        Block("SB_MAC16", 16, 16, 32, adds=False, halves=True, chains=True),
    ),
}
"""Blocks as dot products use them: each in every way."""
MOST_TOGETHER = 4
"""Lanes that one block can hold: of five, operands of one bit would not fit."""


@dataclass(frozen=True, slots=True)
class DotPacking:
    """Which lanes of a dot product a block adds, and where their sum stands.

    Parameters
    ----------
    block
        The block.
    weight, activation
        Its operands: lane i is value i of the weights, and value n − 1 − i of the activations, or
        i where a block has halves.
    step
        Bits of the field that holds the sum: the distance of values, or what a half or a lane of
        its own has.

    """

    block: Block
    weight: PackedOperand
    activation: PackedOperand
    step: int

    @property
    def products(self) -> int:
        """Lanes of a block."""
        return len(self.weight.offsets)

    @property
    def fields(self) -> tuple[int, ...]:
        """Places of the fields to be added."""
        return (0, self.step) if self.block.halves else ((self.products - 1) * self.step,)

    @property
    def bounds(self) -> Bounds:
        """Range of a product."""
        return self.weight.values * self.activation.values

    @property
    def borrows(self) -> bool:
        """Whether what stands below the field may be negative."""
        return self.bounds.low < 0 and self.fields[0] > 0

    def field(self, links: int) -> Bounds:
        """Return the range of a field's slice after so many blocks, the borrow taken off."""
        count = links * (self.products // len(self.fields))
        return Bounds(count * self.bounds.low - self.borrows, count * self.bounds.high)

    def below(self, links: int) -> Bounds:
        """Return the range of what stands below the field: field f sums f + 1 products a block."""
        weight = sum((f + 1) << f * self.step for f in range(self.products - 1))
        weight *= links * (not self.block.halves)
        return Bounds(weight * self.bounds.low, weight * self.bounds.high)

    @property
    def most_links(self) -> int:
        """Blocks that may be chained, at most; 0 if not even one holds its products."""
        low, high = -1 << (self.step - 1), (1 << (self.step - 1)) - 1
        if not self.bounds.signed and (self.block.halves or self.products > 1):
            low, high = 0, (1 << self.step) - 1
        one = Bounds(self.field(1).low + self.borrows, self.field(1).high)
        most = most_sums(Bounds(low + self.borrows, high), one)
        if self.fields[0]:
            rest = self.fields[0] - self.borrows
            room = Bounds(-1 << rest if self.borrows else 0, (1 << rest) - 1)
            most = min(most, most_sums(room, self.below(1)))
        return most if self.block.adds or self.block.chains else min(most, 1)


@cache
def dot_packings(weight: Format, activation: Format, block: Block) -> tuple[DotPacking, ...]:
    """Return every way to make products of lanes in one block, of most lanes in widest fields."""
    if block.halves:
        sides = [
            PackedOperand(format, (0, block.wide // 2), block.wide, wide, False, True)
            for format, wide in ((weight, True), (activation, False))
        ]
        found = DotPacking(block, sides[0], sides[1], block.sum // 2)
        return (found,) if all(side.fits for side in sides) else ()
    return tuple(
        way
        for count in range(1, MOST_TOGETHER + 1)
        for is_wide in (True, False)
        for way in _widest(weight, activation, block, count, is_wide)
    )


def _widest(
    weight: Format, activation: Format, block: Block, count: int, weight_is_wide: bool
) -> Iterator[DotPacking]:
    """Return the packing of so many lanes in the widest field that operands and sum allow."""
    for step in range(block.sum // count, 1, -1):
        offsets = tuple(step * number for number in range(count))
        sides = [
            PackedOperand(format, offsets, block.wide if wide else block.narrow, wide, block.adds)
            for format, wide in ((weight, weight_is_wide), (activation, not weight_is_wide))
        ]
        if all(side.fits for side in sides):
            found = DotPacking(block, sides[0], sides[1], step)
            if found.most_links:
                yield found
            return


@cache
def best_dot_packing(
    weight: Format, activation: Format, lanes: int, blocks: tuple[Block, ...]
) -> DotPacking | None:
    """Return the packing of fewest blocks, then fewest words to add and borrows to take off.

    None if blocks that cannot be chained hold one lane only, or others none. Lanes that are missing
    in the last block multiply codes 0, one of which must be the value 0.
    """
    fills = weight.integer(0) * activation.integer(0) == 0
    found = [
        way
        for block in blocks
        for way in dot_packings(weight, activation, block)
        if way.products <= lanes
        and (fills or lanes % way.products == 0)
        and (way.products > 1 or block.adds or block.chains)
    ]
    return max(found, key=lambda way: _merit(way, lanes), default=None)


def _merit(packing: DotPacking, lanes: int) -> tuple[int, int, bool]:
    """Return what a packing is preferred by; a word to add is a row, as a borrow to take off is."""
    blocks = -(-lanes // packing.products)
    words = -(-blocks // packing.most_links) * len(packing.fields)
    borrows = blocks * (packing.weight.borrows + packing.activation.borrows)
    return -blocks, -words - borrows, packing.weight.is_wide


@dataclass(frozen=True, slots=True)
class PackedDotPlan:
    """What a dot product in DSP blocks is made of.

    Parameters
    ----------
    lanes
        Products.
    packing
        The lanes of one block.
    chains
        Blocks of each chain.
    cell
        What adds the fields of all chains.

    """

    lanes: int
    packing: DotPacking
    chains: tuple[int, ...]
    cell: PackedCell

    def __post_init__(self) -> None:
        """Refuse chains that overflow a field."""
        check_links(self.packing, self.packing.most_links, max(self.chains))

    @property
    def blocks(self) -> int:
        """DSP blocks."""
        return sum(self.chains)

    def chain(self, links: int) -> PackedChain:
        """Return the chain of so many links."""
        packing = self.packing
        if not packing.block.halves:
            return PackedChain(packing.block, links)
        signs = packing.weight.values.signed, packing.activation.values.signed
        return PackedChain(packing.block, links, *signs)

    def parts(self) -> Counter[Hashable]:
        """Return the primitives of the dot product with their counts."""
        found: Counter[Hashable] = Counter()
        for operand in (self.packing.weight, self.packing.activation):
            found[operand] += self.blocks
        for links in self.chains:
            found[self.chain(links)] += 1
        found[self.cell.accumulate] += 1
        for row, _ in self.cell.tree.rows:
            found[row] += 1
        return found

    def to_record(self) -> dict[str, Any]:
        """Return what a sidecar says of the packing."""
        return {
            **self.packing.block.record,
            "blocks": self.blocks,
            "lanes_per_block": self.packing.products,
            "weight_offsets": list(self.packing.weight.offsets),
            "activation_offsets": list(self.packing.activation.offsets),
            "fields": list(self.packing.fields),
            "chains": list(self.chains),
            "longest_chain": self.packing.most_links,
        }


def plan_packed_dot(
    design: Design, target: Target, blocks: tuple[Block, ...], on_last: bool, links: int | None
) -> PackedDotPlan:
    """Return the dot product of a design in blocks of a target, chains of `links` at most.

    Raises
    ------
    ValueError
        If the operands do not fit, or the chain is longer than its guard bits allow; the message
        tells the nearest that works.

    """
    if design.pipeline:
        blocks = tuple(block for block in blocks if not block.chains)
    packing = best_dot_packing(design.weight, design.activation, design.lanes, blocks)
    if packing is None:
        raise ValueError(_reason(design, target))
    count = -(-design.lanes // packing.products)
    most = packing.most_links if links is None else links
    check_links(packing, packing.most_links, most)
    chains = -(-count // most)
    plain = Bounds(*_summed(packing, -(-count // chains)))
    word = Word.plain(plain)
    if packing.borrows:
        word = Word(packing.field(-(-count // chains)), plain, Sign.CARRY)
    words = chains * len(packing.fields)
    tree = plan_sums(words, word) if target.primitives else pair_sums(words, word)
    accumulate = AccumulatePlan(
        design.accumulator.kind,
        design.accumulator_bits,
        tree.words,
        design.flags,
        total_on_last=on_last,
        lean=target.primitives,
    )
    lengths = tuple(len(range(number, count, chains)) for number in range(chains))
    return PackedDotPlan(design.lanes, packing, lengths, PackedCell(word, tree, accumulate))


def _summed(packing: DotPacking, links: int) -> tuple[int, int]:
    """Return the range of a field's sum after so many blocks."""
    field = packing.field(links)
    return field.low + packing.borrows, field.high


def _reason(design: Design, target: Target) -> str:
    """Return why no block of a target holds a design's operands."""
    names = f"{design.weight} × {design.activation}"
    block = DOT_BLOCKS[target.dsp][0]
    if design.pipeline and block.chains:
        return (
            f"structure packed adds products of {names} inside blocks of kind {block.name}, which "
            f"pipeline registers do not pass: pipeline is 0, not {design.pipeline}; the nearest is "
            f"structure dsp"
        )
    if block.adds or block.chains:
        return (
            f"structure packed multiplies {names} in a {block.name}, but they do not fit its "
            f"operands of {block.wide} and {block.narrow} bits: the nearest is structure auto"
        )
    return (
        f"structure packed makes two lanes or more of a dot product in a {block.name}, which adds "
        f"nothing itself, but two of {names} do not fit its operands of {block.wide} and "
        f"{block.narrow} bits: the nearest is structure dsp"
    )
