"""Floor 1c: several products in one DSP block: packed operands, their fields, and guard bits.

A tile multiplies each weight of a lane by the activations of all rows. With the weights of some
columns packed into one word, ``Σ w[c]·2**x[c]``, and the activations of some rows into another,
``Σ a[r]·2**y[r]``, one multiplier makes all their products, each in a field of its own at
``x[c] + y[r]``. The blocks of several lanes add up along their cascade, so that a field is taken
out once per chain. A field below 0 borrows 1 from the next one: that is the highest bit of the
slice below it, which the adder rows take as a pending carry.

How many blocks may be chained follows from the bounds of the formats alone: so many products, less
the borrow, must fit a field. With int8 in fields of 18 bits it is 7, with int4 in 11 bits 15.

Six products of three bits fit the DSP48: three values in the narrow operand, two in the wide one,
fields of 7 bits. Five would be five values in one operand, whose topmost bit lies beyond 27: four
fields of 6 bits and three bits, 4 · −2**24 less what is below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from hw.formats import Format
from hw.plan.digits import Bounds
from hw.plan.packed_block import (
    BLOCKS,
    MULTIPLIERS,
    Block,
    PackedOperand,
    check_links,
    entries,
    most_sums,
    upper_entries,
)

__all__ = [
    "BLOCKS",
    "MULTIPLIERS",
    "Block",
    "PackedOperand",
    "Packing",
    "best_packing",
    "entries",
    "packings",
    "upper_entries",
]

MOST_WIDE, MOST_NARROW = 4, 3
"""Values one operand can hold."""
MOST_PRODUCTS = 8


@dataclass(frozen=True, slots=True)
class Packing:
    """Which products a block makes at once, and where.

    Parameters
    ----------
    block
        The block.
    weight, activation
        Its operands: weights of neighbouring columns, activations of neighbouring rows.
    step
        Bits of a field, but of the highest one, which has what is left of the sum.

    """

    block: Block
    weight: PackedOperand
    activation: PackedOperand
    step: int

    @property
    def rows(self) -> int:
        """Rows of cells a block serves."""
        return len(self.activation.offsets)

    @property
    def columns(self) -> int:
        """Columns of cells a block serves."""
        return len(self.weight.offsets)

    @property
    def products(self) -> int:
        """Products per block."""
        return self.rows * self.columns

    @property
    def bounds(self) -> Bounds:
        """Range of a product."""
        return self.weight.values * self.activation.values

    def offset(self, row: int, column: int) -> int:
        """Return the place of a product's field."""
        place = self.activation.offsets[row] + self.weight.offsets[column]
        return 2 * place if self.block.halves else place

    def field(self, links: int, offset: int) -> Bounds:
        """Return the range of a field's slice after so many products, the borrow taken off."""
        low, high = self.bounds.low, self.bounds.high
        borrows = low < 0 and offset > 0 and not self.block.halves
        return Bounds(links * low - borrows, links * high)

    def room(self, offset: int) -> Bounds:
        """Return the range a field's slice can hold."""
        highest = offset == self.step * (self.products - 1)
        bits = self.block.sum - offset if highest else self.step
        if self.block.halves and not self.bounds.signed:
            return Bounds(0, (1 << self.step) - 1)
        if self.bounds.signed:
            return Bounds(-1 << (bits - 1), (1 << (bits - 1)) - 1)
        return Bounds(0, (1 << (bits - highest)) - 1)

    @property
    def most_links(self) -> int:
        """Blocks that may be chained, at most; 0 if not even one product fits."""
        found = []
        for offset in (self.step * field for field in range(self.products)):
            room, borrow = self.room(offset), self.field(0, offset).low
            found.append(most_sums(Bounds(room.low - borrow, room.high), self.bounds))
        return min(found) if self.block.adds else min(*found, 1)

    def check(self, links: int) -> None:
        """Refuse a chain longer than the guard bits allow.

        Raises
        ------
        ValueError
            With the longest chain that works.

        """
        check_links(self, self.most_links, links)


def packings(
    weight: Format, activation: Format, rows: int, columns: int, block: Block
) -> Iterator[Packing]:
    """Return every way to make the products of so many rows and columns in one block.

    Either operand may be the wide one, either may have the smaller steps; fields are as wide as
    operands allow, and hold one product at least.
    """
    if block.halves:
        yield from _in_halves(weight, activation, rows, columns, block)
        return
    for weight_is_wide, weight_is_fine in product((True, False), repeat=2):
        wide, narrow = (columns, rows) if weight_is_wide else (rows, columns)
        if wide > MOST_WIDE or narrow > MOST_NARROW:
            continue
        spacing = (1, columns) if weight_is_fine else (rows, 1)
        for step in range(block.sum // (rows * columns), 1, -1):
            found = Packing(
                block,
                _operand(weight, columns, step * spacing[0], block, weight_is_wide),
                _operand(activation, rows, step * spacing[1], block, not weight_is_wide),
                step,
            )
            if found.weight.fits and found.activation.fits:
                if found.most_links:
                    yield found
                break


def _operand(
    format: Format, count: int, spacing: int, block: Block, is_wide: bool
) -> PackedOperand:
    offsets = tuple(spacing * number for number in range(count))
    width = block.wide if is_wide else block.narrow
    return PackedOperand(format, offsets, width, is_wide, block.adds)


def _in_halves(
    weight: Format, activation: Format, rows: int, columns: int, block: Block
) -> Iterator[Packing]:
    """Return the packing of two values beside one, if that is asked for and they fit a half."""
    if {rows, columns} != {1, 2}:
        return
    half, sides = block.wide // 2, []
    for format, count in ((weight, columns), (activation, rows)):
        wide = count == 2
        offsets = (0, half) if wide else (0,)
        width = block.wide if wide else block.narrow
        sides.append(PackedOperand(format, offsets, width, wide, False, wide))
    if all(side.values.bits <= half for side in sides):
        yield Packing(block, sides[0], sides[1], block.sum // 2)


def best_packing(
    weight: Format,
    activation: Format,
    rows: int,
    columns: int,
    blocks: Block | Iterable[Block],
    lanes: int,
) -> Packing | None:
    """Return the packing of most products per block that divides a tile, then of longest chains.

    None if no block can make two products.
    """
    found = [
        packing
        for high in range(1, rows + 1)
        for across in range(1, columns + 1)
        if rows % high == 0 and columns % across == 0 and 1 < high * across <= MOST_PRODUCTS
        for block in ((blocks,) if isinstance(blocks, Block) else blocks)
        for packing in packings(weight, activation, high, across, block)
    ]
    return max(found, key=lambda way: _merit(way, lanes), default=None)


def _merit(packing: Packing, lanes: int) -> tuple[int, bool, int, int, bool]:
    """Return what a packing is preferred by: products, few chains, few borrows, wide weights.

    Before the chains stands that the narrow operand holds two values at most.
    """
    chains = -(-lanes // packing.most_links)
    borrows = sum(side.borrows for side in (packing.weight, packing.activation))
    narrow = packing.activation if packing.weight.is_wide else packing.weight
    few = len(narrow.offsets) < MOST_NARROW
    return packing.products, few, -chains, -borrows, packing.weight.is_wide
