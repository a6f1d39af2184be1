"""Floor 0: what every number format has, and the exact rounding they share.

A format is an immutable value that gives each of its codes an exact meaning.
Nothing here uses floating point: values are `fractions.Fraction`, grid points
are Python integers.
"""

from __future__ import annotations

import enum
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction

MAXIMUM_TABLE_BITS = 16
"""Formats wider than this print no value table (2^16 rows is the most)."""


class Rounding(enum.Enum):
    """How a value between two neighbours of a format is resolved."""

    TIES_TO_EVEN = "ties_to_even"
    TIES_TO_AWAY = "ties_to_away"
    TIES_TOWARD_ZERO = "ties_toward_zero"
    TIES_TOWARD_NEGATIVE = "ties_toward_negative"
    TIES_TOWARD_POSITIVE = "ties_toward_positive"
    TOWARD_ZERO = "toward_zero"
    TOWARD_NEGATIVE = "toward_negative"
    TOWARD_POSITIVE = "toward_positive"
    TO_ODD = "to_odd"


@dataclass(frozen=True, slots=True)
class Stochastic:
    """Stochastic rounding of IEEE P3109: away from zero with a probability, by N random bits.

    With ``nu`` the part of a magnitude beyond its last kept bit and R a random integer of
    ``0 … 2^N - 1``, the magnitude rounds up where

    - a: ``floor(nu·2^N) + R >= 2^N``,
    - b: ``floor(nu·2^(N+1)) + 2R + 1 >= 2^(N+1)``,
    - c: ``ties_to_even(nu·2^N) + R >= 2^N``.

    Parameters
    ----------
    variant
        "a", "b" or "c".
    bits
        N, 1 to 32.

    Source: IEEE P3109 interim report 4.0 (draft).

    """

    variant: str
    bits: int

    def __post_init__(self) -> None:
        """Reject unknown variants and impossible widths."""
        if self.variant not in ("a", "b", "c"):
            raise ValueError(f"stochastic rounding is variant a, b or c, not {self.variant!r}")
        if not 1 <= self.bits <= 32:
            raise ValueError(f"stochastic rounding takes 1..32 random bits, not {self.bits}")


RoundingMode = Rounding | Stochastic


class Overflow(enum.Enum):
    """What happens to a rounded value beyond the largest finite one.

    SATURATE takes infinities to the largest finite value too (P3109 SatFinite);
    SATURATE_PROPAGATE keeps them (SatPropagate); TO_INFINITY is IEEE 754 and P3109 OvfInf.
    The others are those of fixed point in high-level synthesis: SAT_SYM, SAT_ZERO, WRAP, WRAP_SM.
    """

    SATURATE = "saturate"
    SATURATE_SYMMETRIC = "saturate_symmetric"
    SATURATE_PROPAGATE = "saturate_propagate"
    TO_ZERO = "to_zero"
    TO_INFINITY = "to_infinity"
    WRAP = "wrap"
    WRAP_SIGN_MAGNITUDE = "wrap_sign_magnitude"


class Specials(enum.Enum):
    """Which codes of a minifloat are not numbers.

    FINITE: none. FN: NaN at S.1…1, no infinity. FNUZ: NaN at the code of −0, no infinity.
    IEEE: infinities and NaNs fill the top exponent.
    """

    FINITE = "finite"
    FN = "fn"
    FNUZ = "fnuz"
    IEEE = "ieee"


class Special(enum.Enum):
    """A code that is not a number; the value is its name in reports."""

    NAN = "nan"
    POS_INF = "inf"
    NEG_INF = "-inf"


Value = Fraction | Special
Number = Fraction | int | float


def round_to_integer(value: Fraction, rounding: RoundingMode, random: int = 0) -> int:
    """Round an exact rational to an integer.

    Parameters
    ----------
    value
        Any rational number.
    rounding
        The direction; the modes named ties round to nearest.
    random
        R of stochastic rounding, ``0 … 2^bits - 1``; no other mode reads it.

    """
    floor = math.floor(value)
    rest = value - floor
    if rest == 0:
        return floor
    if isinstance(rounding, Stochastic):
        magnitude = math.floor(abs(value))
        away = magnitude + rounds_away(abs(value) - magnitude, rounding, random)
        return away if value > 0 else -away
    match rounding:
        case Rounding.TOWARD_NEGATIVE:
            return floor
        case Rounding.TOWARD_POSITIVE:
            return floor + 1
        case Rounding.TOWARD_ZERO:
            return floor if floor >= 0 else floor + 1
        case Rounding.TO_ODD:
            return floor if floor % 2 else floor + 1
    half = Fraction(1, 2)
    if rest != half:
        return floor + (rest > half)
    match rounding:
        case Rounding.TIES_TO_AWAY:
            return floor + (floor >= 0)
        case Rounding.TIES_TOWARD_ZERO:
            return floor + (floor < 0)
        case Rounding.TIES_TOWARD_NEGATIVE:
            return floor
        case Rounding.TIES_TOWARD_POSITIVE:
            return floor + 1
    return floor + floor % 2


def rounds_away(rest: Fraction, rounding: Stochastic, random: int) -> bool:
    """Whether stochastic rounding takes a magnitude with this rest (0 <= rest < 1) up by one."""
    if not 0 <= random < 1 << rounding.bits:
        raise ValueError(f"R lies in 0..{(1 << rounding.bits) - 1}, not {random}")
    whole = 1 << rounding.bits
    match rounding.variant:
        case "a":
            return math.floor(rest * whole) + random >= whole
        case "b":
            return math.floor(rest * 2 * whole) + 2 * random + 1 >= 2 * whole
    return round_to_integer(rest * whole, Rounding.TIES_TO_EVEN) + random >= whole


def mirrored(rounding: RoundingMode) -> RoundingMode:
    """Return the mode that rounds a magnitude as `rounding` rounds its negative."""
    return rounding if isinstance(rounding, Stochastic) else _MIRROR.get(rounding, rounding)


_MIRROR = {
    Rounding.TOWARD_NEGATIVE: Rounding.TOWARD_POSITIVE,
    Rounding.TOWARD_POSITIVE: Rounding.TOWARD_NEGATIVE,
    Rounding.TIES_TOWARD_NEGATIVE: Rounding.TIES_TOWARD_POSITIVE,
    Rounding.TIES_TOWARD_POSITIVE: Rounding.TIES_TOWARD_NEGATIVE,
}


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
