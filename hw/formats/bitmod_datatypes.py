"""Floor 0: the weight datatypes a BitMoD processing element takes, and what their codes are worth.

A datatype is chosen per group of weights at run time: FP3 and FP4 with one of four special values
in place of −0, or two's complement integers of 5, 6 or 8 bits. Weights are taken apart into
*terms*, one per clock cycle: the ones of an FP3/FP4 magnitude (two at most), or the radix-4 Booth
digits of an integer.

Source: BitMoD, HPCA 2025, arXiv 2411.11745, sections III and IV.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from hw.formats.bitmod import bitmod_codebooks

SPECIAL_IDS = 4
"""Special values a datatype chooses from, per group."""
SPECIAL_BITS = 6
"""A special value: sign, I3, I2, I1, I0, F0: an integer in −15.5 … 15.5 in steps of a half."""
MOST_ONES = 2
"""Ones a magnitude may have, one per cycle."""


@dataclass(frozen=True, slots=True)
class WeightDatatype:
    """A datatype as the term generator knows it.

    Parameters
    ----------
    name
        Such as ``fp4`` or ``int6``.
    select
        Its number on the port `datatype`.
    bits
        Width of a code; codes stand in the low bits of an 8-bit port.
    cycles
        Terms of a weight, and so clock cycles per weight.
    floating
        Whether it is FP3 or FP4.

    """

    name: str
    select: int
    bits: int
    cycles: int
    floating: bool

    def value(self, code: int, special: Fraction | int = 0) -> Fraction:
        """Return what a code stands for.

        Parameters
        ----------
        code
            0 to ``2**bits - 1``.
        special
            What the code of −0 stands for (FP3 and FP4).

        Raises
        ------
        ValueError
            If the code is out of range.

        """
        if not 0 <= code < 1 << self.bits:
            raise ValueError(f"a code of {self.name} is 0 to {(1 << self.bits) - 1}, not {code}")
        if not self.floating:
            return Fraction(code - (code >> (self.bits - 1) << self.bits))
        if code == 1 << (self.bits - 1):
            return Fraction(special)
        value = bitmod_codebooks(self.bits)[0].decode(code)
        assert isinstance(value, Fraction)
        return value

    @property
    def specials(self) -> tuple[Fraction, ...]:
        """The paper's special values in the order of their ids; none for integers."""
        if not self.floating:
            return ()
        found = (book.decode(1 << (self.bits - 1)) for book in bitmod_codebooks(self.bits))
        return tuple(value for value in found if isinstance(value, Fraction))


DATATYPES = (
    WeightDatatype("fp3", 0, 3, 2, True),
    WeightDatatype("fp4", 1, 4, 2, True),
    WeightDatatype("int5", 2, 5, 3, False),
    WeightDatatype("int6", 3, 6, 3, False),
    WeightDatatype("int8", 4, 8, 4, False),
)
BY_NAME = {datatype.name: datatype for datatype in DATATYPES}


def weight_datatype(name: str) -> WeightDatatype:
    """Return a datatype by name.

    Raises
    ------
    ValueError
        If the term generator does not know it.

    """
    if name not in BY_NAME:
        raise ValueError(f"a BitMoD term generator knows {', '.join(BY_NAME)}, not {name!r}")
    return BY_NAME[name]


def special_code(value: Fraction | int) -> int:
    """Return the register entry of a special value: sign and magnitude in halves.

    Raises
    ------
    ValueError
        If it is no multiple of a half in −15.5 … 15.5, or has more than two ones.

    """
    halves = 2 * abs(Fraction(value))
    if halves.denominator != 1 or halves >= 1 << (SPECIAL_BITS - 1):
        raise ValueError(f"a special value is a multiple of 0.5 in -15.5 … 15.5, not {value}")
    if int(halves).bit_count() > MOST_ONES:
        raise ValueError(f"a special value has at most {MOST_ONES} ones, {value} has more")
    return int(value < 0) << (SPECIAL_BITS - 1) | int(halves)


def special_value(code: int) -> Fraction:
    """Return the value of a register entry."""
    magnitude = Fraction(code & (1 << (SPECIAL_BITS - 1)) - 1, 2)
    return -magnitude if code >> (SPECIAL_BITS - 1) else magnitude


def default_specials() -> tuple[int, ...]:
    """Return the eight register entries after reset: FP3's four, then FP4's."""
    chosen: Iterable[WeightDatatype] = (d for d in DATATYPES if d.floating)
    return tuple(special_code(value) for datatype in chosen for value in datatype.specials)
