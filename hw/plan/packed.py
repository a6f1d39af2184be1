"""Floor 1c: several products in one DSP block: packed operands, their fields, and guard bits.

A tile multiplies each weight of a lane by the activations of all rows. With the weights of some
columns packed into one word, ``Σ w[c]·2**x[c]``, and the activations of some rows into another,
``Σ a[r]·2**y[r]``, one multiplier makes all their products, each in a field of its own at
``x[c] + y[r]``. The blocks of several lanes add up along their cascade, so that a field is taken
out once per chain. A field below 0 borrows 1 from the next one: that is the highest bit of the
slice below it, which the adder rows take as a pending carry.

How many blocks may be chained follows from the bounds of the formats alone: so many products, less
the borrow, must fit a field. With int8 in fields of 18 bits it is 7, with int4 in 11 bits 15.

Ports as in AMD UG579 (DSP48E2) and UG479 (DSP48E1): the pre-adder adds two words into the wide
operand, so two values there are packed by wiring; where a word holds several signed values, each
above another is less 1 if what is below it is negative.

Blocks without a pre-adder and a cascade hold each operand in one word and stand alone: MULT18X18D
of ECP5 (Lattice FPGA-TN-02205), SB_MAC16 of iCE40 as one product of 16 × 16 bits (FPGA-TN-02007).
SB_MAC16 as two products of 8 × 8 bits needs no guard bits: its halves add up nothing.

Six products of three bits fit the DSP48: three values in the narrow operand, two in the wide one,
fields of 7 bits. Five would be five values in one operand, whose topmost bit lies beyond 27: four
fields of 6 bits and three bits, 4 · −2**24 less what is below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from hw.formats import FixedFormat, Format
from hw.plan.digits import Bounds


@dataclass(frozen=True, slots=True)
class Block:
    """A DSP block: the widths of its operands and of its sum, all two's complement.

    Parameters
    ----------
    name
        The primitive.
    wide, narrow, sum
        Widths.
    adds
        Whether it has a pre-adder for the wide operand and a cascade for sums.
    halves
        Whether the wide operand and the sum are two halves that know nothing of each other.

    """

    name: str
    wide: int
    narrow: int
    sum: int
    adds: bool = True
    halves: bool = False

    @property
    def title(self) -> str:
        """Its name, and how it is used if there is a choice."""
        return f"{self.name} in halves" if self.halves else self.name


BLOCKS = {
    block.name: block for block in (Block("DSP48E2", 27, 18, 48), Block("DSP48E1", 25, 18, 48))
}
MULTIPLIERS = {
    "MULT18X18D": (Block("MULT18X18D", 18, 18, 36, adds=False),),
    "SB_MAC16": (
        Block("SB_MAC16", 16, 16, 32, adds=False),
        Block("SB_MAC16", 16, 8, 32, adds=False, halves=True),
    ),
}
"""Blocks that only multiply, in each way to use them."""
TABLE_INPUTS = 6
SHORT = 4
"""Bits of a sum for which ECP5 makes no carry chain."""
MOST_WIDE, MOST_NARROW = 4, 3
"""Values one operand can hold."""
MOST_PRODUCTS = 8


@dataclass(frozen=True, slots=True)
class PackedOperand:
    """Values of one format in one operand of a block.

    Parameters
    ----------
    format
        The number format; minifloats are packed as integers on their grid.
    offsets
        Place of each value.
    width
        Width of the operand.
    is_wide
        Whether it is the wide operand, which in some blocks is the sum of two words.
    adds
        Whether a block adds the two words.
    apart
        Whether the values stand in halves that know nothing of each other.

    """

    format: Format
    offsets: tuple[int, ...]
    width: int
    is_wide: bool
    adds: bool = True
    apart: bool = False

    @property
    def values(self) -> Bounds:
        """Range of a value."""
        return Bounds(self.format.minimum_integer, self.format.maximum_integer)

    @property
    def bounds(self) -> Bounds:
        """Range of the packed operand."""
        weight = sum(1 << offset for offset in self.offsets)
        return Bounds(self.values.low * weight, self.values.high * weight)

    @property
    def fits(self) -> bool:
        """Whether the operand holds them."""
        if self.apart:
            return self.values.bits <= self.width // len(self.offsets)
        reach = 1 << (self.width - 1)
        return -reach <= self.bounds.low and self.bounds.high < reach

    @property
    def recodes(self) -> bool:
        """Whether codes must be turned into integers."""
        return not isinstance(self.format, FixedFormat)

    @property
    def words(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of the values in each of the words that the block adds."""
        everything = tuple(range(len(self.offsets)))
        if not (self.is_wide and self.adds) or len(everything) == 1:
            return (everything,)
        return everything[0::2], everything[1::2]

    @property
    def borrows(self) -> int:
        """Values that stand above another of their word, which may be negative."""
        if self.apart or not self.values.signed:
            return 0
        return sum(len(word) - 1 for word in self.words)

    @property
    def tabulates(self) -> bool:
        """Whether a value less a borrow is a table: six inputs at most, or too short for a row.

        Targets whose blocks do not add have LUTs of four inputs.
        """
        return self.format.bits < TABLE_INPUTS if self.adds else self.upper.bits <= SHORT

    @property
    def upper(self) -> Bounds:
        """Range of a value above another in its word, the borrow taken off."""
        low, high = self.values.low, self.values.high
        return Bounds(low - 1, high) if low < 0 else self.values


def entries(operand: PackedOperand) -> tuple[int, ...]:
    """Return the value of every code."""
    return tuple(operand.format.integer(code) for code in range(1 << operand.format.bits))


def upper_entries(operand: PackedOperand) -> tuple[int, ...]:
    """Return the value of every code, then of every code less a borrow."""
    values = entries(operand)
    return values + tuple(value - 1 for value in values)


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

    def holds(self, links: int) -> bool:
        """Tell whether no field can overflow when so many blocks are chained."""
        for offset in (self.step * field for field in range(self.products)):
            field, room = self.field(links, offset), self.room(offset)
            if field.low < room.low or field.high > room.high:
                return False
        return True

    @property
    def most_links(self) -> int:
        """Blocks that may be chained, at most; 0 if not even one product fits."""
        if not self.block.adds:
            return int(self.holds(1))
        links, reach = 0, 1 << self.block.sum
        while reach:
            links += reach if self.holds(links + reach) else 0
            reach >>= 1
        return links

    def check(self, links: int) -> None:
        """Refuse a chain longer than the guard bits allow.

        Raises
        ------
        ValueError
            With the longest chain that works.

        """
        most = self.most_links
        if most == links == 1:
            return
        if most == 1:
            raise ValueError(
                f"a chain of {self.block.name} holds 1 product of {self.weight.format} × "
                f"{self.activation.format}, not {links}: the nearest that works is 1"
            )
        if not 1 <= links <= most:
            raise ValueError(
                f"a chain of {self.block.name} holds 1 to {most} products of "
                f"{self.weight.format} × {self.activation.format} in fields of {self.step} bits, "
                f"not {links}: the nearest that works is {min(max(links, 1), most)}"
            )


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
