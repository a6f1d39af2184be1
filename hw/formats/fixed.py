"""Floor 0: two's complement and unsigned fixed point; integers are the case without fraction."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from hw.formats.base import (
    Format,
    Number,
    Overflow,
    Rounding,
    RoundingMode,
    Special,
    classify,
    round_to_integer,
)
from hw.formats.rules import Rule, whole

MAXIMUM_FIXED_BITS = 64


@dataclass(frozen=True, slots=True)
class FixedFormat(Format):
    """Fixed point ``fixed<W,I>``: a W-bit integer times ``2**-(W-I)``.

    Parameters
    ----------
    width
        Bits of a code, 1 to 64; the one bit of ``int1`` is its sign: 0 and -1.
    integer_bits
        Bits left of the binary point, sign included; may be negative or exceed `width`.
    is_signed
        Two's complement if true, else unsigned.

    Source: the `ap_fixed` type of high-level synthesis (AMD HLS manual).

    """

    width: int
    integer_bits: int
    is_signed: bool = True

    def __post_init__(self) -> None:
        """Reject impossible widths."""
        if not 1 <= self.width <= MAXIMUM_FIXED_BITS:
            raise ValueError(
                f"a fixed-point width lies in 1..{MAXIMUM_FIXED_BITS}, not {self.width}"
            )
        if not -1024 <= self.integer_bits <= 1024:
            raise ValueError(f"integer_bits lies in -1024..1024, not {self.integer_bits}")

    @property
    def bits(self) -> int:
        """Width of a code, in bits."""
        return self.width

    @property
    def signed(self) -> bool:
        """Whether the format is two's complement."""
        return self.is_signed

    @property
    def fraction_bits(self) -> int:
        """Bits right of the binary point (negative if the step exceeds 1)."""
        return self.width - self.integer_bits

    @property
    def name(self) -> str:
        """``int8``/``uint8`` without fraction, else ``fixed<W,I>``/``ufixed<W,I>``."""
        prefix = "" if self.is_signed else "u"
        if self.fraction_bits == 0:
            return f"{prefix}int{self.width}"
        return f"{prefix}fixed<{self.width},{self.integer_bits}>"

    @property
    def lsb_exponent(self) -> int:
        """Exponent of the step between neighbours."""
        return -self.fraction_bits

    @property
    def has_specials(self) -> bool:
        """Fixed point has neither NaN nor infinity."""
        return False

    def special(self, code: int) -> Special | None:
        """Return None: every code is a number."""
        self.check_code(code)
        return None

    def integer(self, code: int) -> int:
        """Return the two's complement (or unsigned) reading of a code."""
        self.check_code(code)
        if self.is_signed and code >> (self.width - 1):
            return code - (1 << self.width)
        return code

    @property
    def maximum_integer(self) -> int:
        """Largest integer."""
        return (1 << (self.width - self.is_signed)) - 1

    @property
    def minimum_integer(self) -> int:
        """Smallest integer."""
        return -(1 << (self.width - 1)) if self.is_signed else 0

    def encode(
        self,
        value: Number | Special,
        rounding: RoundingMode = Rounding.TIES_TO_EVEN,
        overflow: Overflow = Overflow.SATURATE,
        random: int = 0,
    ) -> int:
        """Round to the grid, then resolve overflow on the rounded integer n.

        SATURATE, SATURATE_PROPAGATE: the nearer end; infinities too.
        SATURATE_SYMMETRIC: the same between ±maximum, so the most negative code never arises.
        TO_ZERO: 0 for whatever lies beyond the ends, infinities too.
        WRAP: the lowest W bits of n.
        WRAP_SIGN_MAGNITUDE: the lowest W bits of n, all of them inverted if their sign bit differs
        from bit W of n (the lowest bit deleted), so that the sign becomes that bit: the values go
        up and down instead of jumping. Signed formats only; numbers in range stay.

        Raises
        ------
        ValueError
            For NaN, TO_INFINITY, infinities under a wrapping mode, and WRAP_SIGN_MAGNITUDE of an
            unsigned format.

        Source: the modes of `ap_fixed`, with no saturated bits (AMD UG1399; IEEE 1666).

        """
        self._check_overflow(overflow)
        exact = classify(value)
        if isinstance(exact, Special):
            return self._code_of_special(exact, overflow)
        integer = round_to_integer(exact / Fraction(2) ** self.lsb_exponent, rounding, random)
        return self._resolved(integer, overflow) & self._mask

    def _check_overflow(self, overflow: Overflow) -> None:
        if overflow is Overflow.TO_INFINITY:
            raise ValueError(f"overflow to_infinity needs a format with infinities, not {self}")
        if overflow is Overflow.WRAP_SIGN_MAGNITUDE and not self.is_signed:
            raise ValueError(f"overflow {overflow.value} needs a signed format, not {self}")

    @property
    def _mask(self) -> int:
        return (1 << self.width) - 1

    def _resolved(self, integer: int, overflow: Overflow) -> int:
        """Return the integer to keep; of the wrapping modes, its lowest bits only."""
        match overflow:
            case Overflow.WRAP:
                return integer
            case Overflow.WRAP_SIGN_MAGNITUDE:
                deleted, sign = integer >> self.width & 1, integer >> (self.width - 1) & 1
                return integer if deleted == sign else ~integer
            case Overflow.TO_ZERO if not self._holds(integer):
                return 0
            case Overflow.SATURATE_SYMMETRIC if self.is_signed:
                return min(max(integer, -self.maximum_integer), self.maximum_integer)
        return min(max(integer, self.minimum_integer), self.maximum_integer)

    def _holds(self, integer: int) -> bool:
        return self.minimum_integer <= integer <= self.maximum_integer

    def _code_of_special(self, special: Special, overflow: Overflow) -> int:
        wraps = overflow in (Overflow.WRAP, Overflow.WRAP_SIGN_MAGNITUDE)
        if special is Special.NAN or wraps:
            raise ValueError(f"{self.name} has no code for {special.value}")
        beyond = self._mask + 1
        return (
            self._resolved(beyond if special is Special.POS_INF else -beyond, overflow) & self._mask
        )


def _integer(match: re.Match[str]) -> FixedFormat:
    width = int(match["width"])
    return FixedFormat(width, width, is_signed=not match["unsigned"])


def _fixed(match: re.Match[str]) -> FixedFormat:
    width, integer_bits = int(match["width"]), whole(match["integer"])
    return FixedFormat(width, integer_bits, is_signed=not match["unsigned"])


RULES = (
    Rule(re.compile(r"(?P<unsigned>u?)int(?P<width>\d{1,4})"), _integer),
    Rule(
        re.compile(r"(?P<unsigned>u?)fixed[<_](?P<width>\d{1,4})[,_](?P<integer>[-n]?\d{1,5})>?"),
        _fixed,
    ),
)
