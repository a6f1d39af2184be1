"""Floor 2c: rows that add a constant to a word, or take a word from a constant.

What a constant does to a chain follows from its bits:

- below its lowest 1 (of a difference: below its lowest 0) bits pass by, or are inverted;
- the lowest bit of what is left needs no adder, its result is the word's bit;
- above the word's highest bit all results are the last carry, its inverse or constant, so that the
  chain ends at the first of them; an inverse beside the carry itself is one inverter.

A single bit that is left needs no chain at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.chain import function_luts, is_chain
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts

CELL_BITS = {"xilinx": 4, "ecp5": 2, "gowin": 1}
"""Sum bits of a carry cell; iCE40 has a cell per carry, not per sum."""


@dataclass(frozen=True, slots=True)
class ConstantRow:
    """A row with a constant.

    Parameters
    ----------
    constant
        Taken modulo 2**width.
    bits
        Of the word, unsigned.
    width
        Of the result, at least `bits`.
    subtracts
        Whether the word is taken from the constant.
    makes_lowest
        Whether the word's lowest bit is itself a function of two nets.

    """

    constant: int
    bits: int
    width: int
    subtracts: bool = False
    makes_lowest: bool = False

    @property
    def low(self) -> int:
        """Bits below the first that is added; `bits` if there is none."""
        word = (self.constant ^ -self.subtracts) & ((1 << self.bits) - 1)
        return self.bits if not word else (word & -word).bit_length() - 1

    @property
    def active(self) -> int:
        """Bits of the word that are added."""
        return self.bits - self.low

    @property
    def above(self) -> int:
        """The constant's bits above the word."""
        return (self.constant & ((1 << self.width) - 1)) >> self.bits

    @property
    def has_top(self) -> bool:
        """Whether there are results above the word."""
        return self.width > self.bits

    @property
    def top_is_inverse(self) -> bool:
        """Whether the first result above the word is the carry's inverse."""
        return self.has_top and bool(self.above & 1) != self.subtracts

    @property
    def takes_both(self) -> bool:
        """Whether both the carry and its inverse stand above the word."""
        full = (1 << (self.width - self.bits)) - 1
        return self.top_is_inverse and self.above != (0 if self.subtracts else full)

    @property
    def alu_bits(self) -> int:
        """Width of the adder before mapping: a sum ends where nothing can be carried further."""
        if self.subtracts:
            return self.width - self.low
        place = self.bits
        while place < self.width - 1 and self.constant >> place & 1:
            place += 1
        return min(place + 1, self.width) - self.low

    @property
    def chain_bits(self) -> int:
        """Bits of the chain."""
        return self.active + self.has_top


def constant_row(row: ConstantRow, target: Coefficients) -> Cost:
    """Return the cost of a row with a constant."""
    xilinx = target.family == "xilinx"
    inverted = row.low if row.subtracts else int(row.active > 0)
    made = row.makes_lowest and row.low == 0
    if row.active <= 1:
        top = row.active and row.subtracts and (not row.top_is_inverse or row.takes_both)
        extra = int(top and row.has_top) + (made and row.active > 0)
        if xilinx:
            return Cost(int(row.makes_lowest), inverted + extra)
        return luts(inverted + extra)
    if not is_chain(row.alu_bits, target):
        return _narrow(row, target)
    if target.family == "ice40":
        return _ice40(row)
    cells = -(-row.chain_bits // CELL_BITS[target.family])
    if xilinx:
        low = row.low if row.subtracts else 0
        sites = low + row.chain_bits + row.takes_both + made
        return Cost(row.makes_lowest + made, sites, carry=cells)
    word = row.bits if row.subtracts else 1
    count = cells * CELL_BITS[target.family] + word + made + row.takes_both
    return Cost(count, count, carry=cells)


def _narrow(row: ConstantRow, target: Coefficients) -> Cost:
    """Return the cost of logic: each result a function of the word's bits up to it."""
    made = row.makes_lowest and row.low == 0
    first = row.low + made if row.subtracts else 1
    inputs = [number + made for number in range(2, row.active + 1)]
    inputs += [row.active + made] * row.has_top
    count = sum(function_luts(number, target.lut_inputs) for number in inputs) + row.takes_both
    if target.family != "xilinx":
        return luts(first + count)
    return Cost(count + row.makes_lowest, first + count)


def _ice40(row: ConstantRow) -> Cost:
    """Return the cost on iCE40: inverters of subtracted bits stand before the carries."""
    sums = row.active - 1
    carries = sums - (not row.has_top)
    count = sums + row.top_is_inverse
    if row.subtracts:
        made = row.makes_lowest and row.low == 0
        count += row.low + made + (carries + 1 if carries else 0)
    else:
        count += 1
    return Cost(count, count + (carries > 0), carry=carries)
