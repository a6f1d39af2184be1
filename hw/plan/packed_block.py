"""Floor 1c: DSP blocks, what packed operands are, chains of blocks, and what adds their fields.

Ports as in AMD UG579 (DSP48E2) and UG479 (DSP48E1): the pre-adder adds two words into the wide
operand, so two values there are packed by wiring; where a word holds several signed values, each
above another is less 1 if what is below it is negative.

Blocks without a pre-adder and a cascade hold each operand in one word and stand alone: MULT18X18D
of ECP5 (Lattice FPGA-TN-02205), SB_MAC16 of iCE40 as one product of 16 × 16 bits (FPGA-TN-02007).
SB_MAC16 as two products of 8 × 8 bits needs no guard bits: its halves add up nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Protocol

from hw.formats import FixedFormat, Format
from hw.plan.accumulate import AccumulatePlan
from hw.plan.digits import Bounds
from hw.plan.sums import SumTree, Word


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
    chains
        Whether it adds another block's sum, though it has no pre-adder (`hw.plan.packed_dot`).

    """

    name: str
    wide: int
    narrow: int
    sum: int
    adds: bool = True
    halves: bool = False
    chains: bool = False

    @property
    def title(self) -> str:
        """Its name, and how it is used if there is a choice."""
        return f"{self.name} in halves" if self.halves else self.name

    @property
    def record(self) -> dict[str, str]:
        """What a sidecar says of it: its title, and how to synthesise what Yosys mistakes."""
        how = {"synthesis": "synth_ice40 without -dsp"} if self.halves else {}
        return {"block": self.title} | how


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
        return _values(self.format)

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


@cache
def _values(format: Format) -> Bounds:
    return Bounds(format.minimum_integer, format.maximum_integer)


def entries(operand: PackedOperand) -> tuple[int, ...]:
    """Return the value of every code."""
    return tuple(operand.format.integer(code) for code in range(1 << operand.format.bits))


def upper_entries(operand: PackedOperand) -> tuple[int, ...]:
    """Return the value of every code, then of every code less a borrow."""
    values = entries(operand)
    return values + tuple(value - 1 for value in values)


@dataclass(frozen=True, slots=True)
class PackedChain:
    """Blocks whose sum passes from one to the next.

    Parameters
    ----------
    block
        Kind of block.
    links
        How many; 1 where blocks have no cascade.
    wide_signed, narrow_signed
        Signs of the operands, where the block asks for them.

    """

    block: Block
    links: int
    wide_signed: bool = True
    narrow_signed: bool = True


@dataclass(frozen=True, slots=True)
class PackedCell:
    """What adds one field of all chains: rows and an accumulator.

    Parameters
    ----------
    word
        What a chain hands over.
    tree
        The rows over the chains.
    accumulate
        The accumulator.

    """

    word: Word
    tree: SumTree
    accumulate: AccumulatePlan


class Packed(Protocol):
    """What packings have in common: a block, its operands, and bits of a field."""

    @property
    def block(self) -> Block:
        """The block."""

    @property
    def weight(self) -> PackedOperand:
        """Its weights."""

    @property
    def activation(self) -> PackedOperand:
        """Its activations."""

    @property
    def step(self) -> int:
        """Bits of a field."""


def check_links(packing: Packed, most: int, links: int) -> None:
    """Refuse a chain of other than 1 to `most` blocks.

    Raises
    ------
    ValueError
        With the longest chain that works.

    """
    block, sides = packing.block, f"{packing.weight.format} × {packing.activation.format}"
    if most == links == 1:
        return
    if most == 1:
        raise ValueError(
            f"a chain of {block.name} holds 1 product of {sides}, not {links}: the nearest that "
            f"works is 1"
        )
    if not 1 <= links <= most:
        raise ValueError(
            f"a chain of {block.name} holds 1 to {most} products of {sides} in fields of "
            f"{packing.step} bits, not {links}: the nearest that works is "
            f"{min(max(links, 1), most)}"
        )


def most_sums(room: Bounds, each: Bounds) -> int:
    """Return how many values of a range, not only 0, a room holds whatever they are."""
    ends = [(room.low, each.low)] if each.low < 0 else []
    if each.high > 0:
        ends.append((room.high, each.high))
    return max(0, min(space // end for space, end in ends))
