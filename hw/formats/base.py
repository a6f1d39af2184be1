"""Floor 0: what every number format has.

A format is an immutable value that gives each of its codes an exact meaning.
Nothing here uses floating point: values are `fractions.Fraction`, grid points
are Python integers.
"""

from __future__ import annotations

import enum
import math
from abc import ABC, abstractmethod
from fractions import Fraction

from hw.formats.rounding import (
    Between,
    Overflow,
    Rounding,
    RoundingMode,
    Stochastic,
    mirrored,
    round_to_integer,
    rounds_away,
)

MAXIMUM_TABLE_BITS = 16
"""Formats wider than this print no value table (2^16 rows is the most)."""


class Specials(enum.Enum):
    """Which codes of a minifloat are not numbers.

    FINITE: none. FN: NaN at S.1…1, no infinity. FNUZ: NaN at the code of −0, no infinity.
    IEEE: infinities and NaNs fill the top exponent. EXTENDED: infinity at S.1…1 and NaN at the
    code of −0 (signed), or NaN at 1…1 and infinity one below (unsigned): P3109's extended domain.
    """

    FINITE = "finite"
    FN = "fn"
    FNUZ = "fnuz"
    IEEE = "ieee"
    EXTENDED = "extended"


class Special(enum.Enum):
    """A code that is not a number; the value is its name in reports."""

    NAN = "nan"
    POS_INF = "inf"
    NEG_INF = "-inf"


Value = Fraction | Special
Number = Fraction | int | float


def classify(value: Number | Special) -> Value:
    """Turn a Python number into an exact value, with float NaN and infinities as specials."""
    if isinstance(value, Special):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            return Special.NAN
        return Special.POS_INF if value > 0 else Special.NEG_INF
    return Fraction(value)


def number_text(value: Value) -> str:
    """Exact decimal text of a dyadic value, or "nan", "inf", "-inf"."""
    if isinstance(value, Special):
        return value.value
    twos = value.denominator.bit_length() - 1
    digits = str(abs(value.numerator) * 5**twos).rjust(twos + 1, "0")
    sign = "-" if value < 0 else ""
    if twos == 0:
        return sign + digits
    fraction = digits[-twos:].rstrip("0")
    return f"{sign}{digits[:-twos]}{'.' if fraction else ''}{fraction}"


class Format(ABC):
    """An immutable number format: every code has one exact meaning.

    Subclasses are frozen dataclasses with a `bits` and a `signed` attribute or property.
    Every finite value is an integer multiple of ``2**lsb_exponent``.
    """

    @property
    @abstractmethod
    def bits(self) -> int:
        """Width of a code, in bits."""

    @property
    @abstractmethod
    def signed(self) -> bool:
        """Whether negative values exist."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Canonical name; ``parse(name)`` gives the format back."""

    @property
    @abstractmethod
    def lsb_exponent(self) -> int:
        """Exponent of the finest step: every finite value is a multiple of 2 to this power."""

    @property
    @abstractmethod
    def has_specials(self) -> bool:
        """Whether some codes are NaN or infinite."""

    @abstractmethod
    def special(self, code: int) -> Special | None:
        """Return the special a code stands for, or None for a number."""

    @abstractmethod
    def integer(self, code: int) -> int:
        """Return the value of a code in units of ``2**lsb_exponent``; specials give 0."""

    @abstractmethod
    def encode(
        self,
        value: Number | Special,
        rounding: RoundingMode = Rounding.TIES_TO_EVEN,
        overflow: Overflow = Overflow.SATURATE,
        random: int = 0,
    ) -> int:
        """Return the code nearest to a value, rounded once from the exact rational.

        `random` is the R of stochastic rounding.

        Raises
        ------
        ValueError
            For NaN in a format without NaN, or an overflow mode the format does not have.

        """

    @property
    def slug(self) -> str:
        """Name made of letters, digits and underscores, for files, modules and shells.

        A minus sign is spelt ``n``.
        """
        return self.name.replace("<", "_").replace(",", "_").replace(">", "").replace("-", "n")

    def check_code(self, code: int) -> int:
        """Return the code, or raise ValueError if it is not one of this format."""
        if not 0 <= code < 1 << self.bits:
            raise ValueError(f"a code of {self.name} lies in 0..{(1 << self.bits) - 1}, not {code}")
        return code

    def decode(self, code: int) -> Value:
        """Return the exact value of a code, or the special it stands for."""
        special = self.special(self.check_code(code))
        if special is not None:
            return special
        return Fraction(self.integer(code)) * Fraction(2) ** self.lsb_exponent

    def values(self) -> list[Value]:
        """Return the values of all codes, in code order (formats of at most 16 bits)."""
        if self.bits > MAXIMUM_TABLE_BITS:
            raise ValueError(
                f"a value table needs at most {MAXIMUM_TABLE_BITS} bits, "
                f"{self.name} has {self.bits}"
            )
        return [self.decode(code) for code in range(1 << self.bits)]

    @property
    @abstractmethod
    def maximum_integer(self) -> int:
        """Largest finite value in units of ``2**lsb_exponent``."""

    @property
    @abstractmethod
    def minimum_integer(self) -> int:
        """Smallest (most negative) finite value in units of ``2**lsb_exponent``."""

    @property
    def maximum(self) -> Fraction:
        """Largest finite value."""
        return self.maximum_integer * Fraction(2) ** self.lsb_exponent

    @property
    def minimum(self) -> Fraction:
        """Smallest (most negative) finite value."""
        return self.minimum_integer * Fraction(2) ** self.lsb_exponent

    @property
    def magnitude_bits(self) -> int:
        """Bits of the largest magnitude in units of ``2**lsb_exponent``."""
        return max(self.maximum_integer, -self.minimum_integer).bit_length()

    def __str__(self) -> str:
        return self.name


__all__ = [
    "MAXIMUM_TABLE_BITS",
    "Between",
    "Format",
    "Number",
    "Overflow",
    "Rounding",
    "RoundingMode",
    "Special",
    "Specials",
    "Stochastic",
    "Value",
    "classify",
    "mirrored",
    "number_text",
    "round_to_integer",
    "rounds_away",
]
