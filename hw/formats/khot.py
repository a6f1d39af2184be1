"""Floor 0: K-hot fixed point: constants with at most K non-zero digits, so that K shifts and
K − 1 additions multiply by them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from hw.formats.base import MAXIMUM_TABLE_BITS
from hw.formats.rules import Rule, whole
from hw.formats.table import TableFormat


@dataclass(frozen=True, slots=True)
class KHotFormat(TableFormat):
    """``khot<W,I,K>``, ``csd<W,I,K>``: a sign and a W − 1 bit magnitude of few non-zero digits.

    The code is the plain sign-magnitude word, sign first, in units of ``2**-(W-I)``. Magnitudes
    are those with at most K ones (`khot`), or at most K non-zero digits −1, 0, 1 in their sparsest
    form, the canonical signed-digit one (`csd`). Any other word stands for the greatest such
    magnitude below its own; nothing encodes to it. K = 1 is power-of-two.

    `encode` takes the nearest value. For `khot` that is the default reading of the source: round
    the magnitude to K significant ones, that is at the place of its K-th one, and keep those. The
    other reading, K times the power of two nearest to what is left, is `greedy`; within the range
    it comes as near as the nearest value of `csd` with the same W, I and K.

    Parameters
    ----------
    width
        W, bits of the word, sign included: 2 to 16.
    integer_bits
        I, bits left of the binary point, sign included.
    ones
        K, 1 to W − 1.
    signed_digits
        Whether digits may be −1.

    Source: QFX, arXiv 2401.17544 (K-hot); canonical signed digits: Reitwiesner 1960.

    """

    width: int
    integer_bits: int
    ones: int
    signed_digits: bool = False

    def __post_init__(self) -> None:
        """Reject impossible widths."""
        if not 2 <= self.width <= MAXIMUM_TABLE_BITS:
            raise ValueError(f"the width lies in 2..{MAXIMUM_TABLE_BITS}, not {self.width}")
        if not -1024 <= self.integer_bits <= 1024:
            raise ValueError(f"integer_bits lies in -1024..1024, not {self.integer_bits}")
        if not 1 <= self.ones < self.width:
            raise ValueError(
                f"at most {self.width - 1} of {self.width} bits are ones, at least 1; "
                f"not {self.ones}"
            )

    @property
    def bits(self) -> int:
        """Width of a code: W."""
        return self.width

    @property
    def name(self) -> str:
        """``khot<W,I,K>`` or ``csd<W,I,K>``."""
        family = "csd" if self.signed_digits else "khot"
        return f"{family}<{self.width},{self.integer_bits},{self.ones}>"

    def table(self) -> tuple[Fraction, ...]:
        """Return the values of all codes, in code order."""
        return _table(self)

    def digits(self, code: int) -> list[tuple[int, int]]:
        """Return the non-zero digits of a code's value as (sign, exponent), most significant first.

        The value is the sum of ``sign * 2**exponent``.
        """
        unit = self.integer_bits - self.width
        integer = int(self.table()[self.check_code(code)] / Fraction(2) ** unit)
        found = signed_digits(integer) if self.signed_digits else _ones(integer)
        return [(sign, place + unit) for sign, place in found]

    def greedy(self, value: Fraction | int | float) -> Fraction:
        """Return the value that K times taking the nearest power of two leads to.

        Powers below the step are not taken; between two as near, the lower is. The result may use
        both signs, so it is a value of `csd` with the same W, I and K unless it passes its range.
        """
        unit = Fraction(2) ** (self.integer_bits - self.width)
        rest, total = Fraction(value) / unit, Fraction(0)
        for _ in range(self.ones):
            power = _nearest_power(rest)
            total, rest = total + power, rest - power
        return total * unit


@cache
def _table(format: KHotFormat) -> tuple[Fraction, ...]:
    unit = Fraction(2) ** (format.integer_bits - format.width)
    sparse = [
        magnitude
        for magnitude in range(1 << (format.width - 1))
        if _weight(magnitude, format.signed_digits) <= format.ones
    ]
    magnitudes = [
        sparse[bisect_right(sparse, word) - 1] * unit for word in range(1 << (format.width - 1))
    ]
    return (*magnitudes, *(-magnitude for magnitude in magnitudes))


def _weight(magnitude: int, signed: bool) -> int:
    """Return the number of non-zero digits; the canonical signed form has those of n xor 3n."""
    return (magnitude ^ 3 * magnitude).bit_count() if signed else magnitude.bit_count()


def _ones(integer: int) -> list[tuple[int, int]]:
    sign = -1 if integer < 0 else 1
    places = range(abs(integer).bit_length() - 1, -1, -1)
    return [(sign, place) for place in places if abs(integer) >> place & 1]


def signed_digits(integer: int) -> list[tuple[int, int]]:
    """Return the canonical signed-digit form as (sign, place), most significant first.

    No two neighbouring digits are non-zero, and no other form has fewer non-zero digits.
    """
    digits, place = [], 0
    while integer:
        if integer & 1:
            digit = 2 - (integer & 3)
            digits.append((digit, place))
            integer -= digit
        integer, place = integer >> 1, place + 1
    return digits[::-1]


def _nearest_power(value: Fraction) -> Fraction:
    """Return the signed power of two from 1 on, or 0, nearest to a value; the lower of two."""
    magnitude = abs(value)
    if magnitude <= Fraction(1, 2):
        return Fraction(0)
    lower = 1 << max(int(magnitude).bit_length() - 1, 0)
    nearest = 2 * lower if magnitude - lower > 2 * lower - magnitude else lower
    return Fraction(nearest if value > 0 else -nearest)


def _named(match: re.Match[str]) -> KHotFormat:
    sizes = (int(match["width"]), whole(match["integer"]), int(match["ones"]))
    return KHotFormat(*sizes, signed_digits=match["family"] == "csd")


RULES = (
    Rule(
        re.compile(
            r"(?P<family>khot|csd)[<_](?P<width>\d{1,3})[,_](?P<integer>[-n]?\d{1,5})"
            r"[,_](?P<ones>\d{1,3})>?"
        ),
        _named,
    ),
)
