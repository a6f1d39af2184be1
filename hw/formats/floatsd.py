"""Floor 0: FloatSD: floating point whose significand is a few groups of signed digits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product

from hw.formats.rules import Rule
from hw.formats.table import TableFormat


@dataclass(frozen=True, slots=True)
class FloatSdFormat(TableFormat):
    """``floatsd<E,G1,G2,…>``: an exponent and groups of digits with at most one non-zero each.

    A group of G digits is 0 or ``±2^j``, j < G; the significand is the groups side by side, the
    first the most significant, so a product is one shifted addition per group. The value is the
    significand times ``2^e``, e the exponent field, in units of the last digit; scale lies
    outside. ``floatsd8`` is E = 3 with groups of 3 and 2 digits: 31 significands, −18 … 18, and a
    range of ±2304.

    The code is ours: sign, exponent field, and the rank of the significand's magnitude among those
    that are possible (leftover ranks stand for the greatest). Values of several codes encode to
    the lowest one, that of the smallest exponent.

    Parameters
    ----------
    exponent_bits
        E, 0 to 5.
    groups
        Digits of each group, 1 to 5 groups of 1 to 8.

    Source: Lin, Sun, Kung and Chiueh, "FloatSD: A New Weight Representation and Associated Update
    Method for Efficient Convolutional Neural Network Training", IEEE JETCAS 9(2), 2019.

    """

    exponent_bits: int
    groups: tuple[int, ...]

    def __post_init__(self) -> None:
        """Reject impossible sizes."""
        if not 0 <= self.exponent_bits <= 5:
            raise ValueError(f"exponent_bits lies in 0..5, not {self.exponent_bits}")
        if not 1 <= len(self.groups) <= 5:
            raise ValueError(f"FloatSD has 1 to 5 groups of digits, not {len(self.groups)}")
        for digits in self.groups:
            if not 1 <= digits <= 8:
                raise ValueError(f"a group has 1 to 8 digits, not {digits}")
        if self.bits > 16:
            raise ValueError(f"a code has at most 16 bits, {self.name} would have {self.bits}")

    @property
    def bits(self) -> int:
        """Width of a code: sign, exponent field, rank."""
        return 1 + self.exponent_bits + (len(self.significands()) - 1).bit_length()

    @property
    def name(self) -> str:
        """``floatsd<E,G1,G2,…>``; ``floatsd8`` for <3,3,2>."""
        if (self.exponent_bits, self.groups) == _FLOATSD8:
            return "floatsd8"
        return f"floatsd<{','.join(map(str, (self.exponent_bits, *self.groups)))}>"

    def significands(self) -> tuple[int, ...]:
        """Return the magnitudes of the significand, ascending from 0."""
        return _significands(self.groups)

    def table(self) -> tuple[Fraction, ...]:
        """Return the values of all codes, in code order."""
        return _table(self)


_FLOATSD8 = (3, (3, 2))


@cache
def _significands(groups: tuple[int, ...]) -> tuple[int, ...]:
    choices, place = [], 0
    for digits in reversed(groups):
        powers = [1 << (place + digit) for digit in range(digits)]
        choices.append([0, *powers, *(-power for power in powers)])
        place += digits
    return tuple(sorted({total for chosen in product(*choices) if (total := sum(chosen)) >= 0}))


@cache
def _table(format: FloatSdFormat) -> tuple[Fraction, ...]:
    ranks = format.significands()
    room = 1 << (len(ranks) - 1).bit_length()
    ranks += ranks[-1:] * (room - len(ranks))
    exponents = range(1 << format.exponent_bits)
    magnitudes = [Fraction(rank << exponent) for exponent in exponents for rank in ranks]
    return (*magnitudes, *(-magnitude for magnitude in magnitudes))


def _named(match: re.Match[str]) -> FloatSdFormat:
    if match["sizes"] is None:
        return FloatSdFormat(*_FLOATSD8)
    exponent_bits, *groups = map(int, re.split("[,_]", match["sizes"]))
    return FloatSdFormat(exponent_bits, tuple(groups))


RULES = (Rule(re.compile(r"floatsd(?:8|[<_](?P<sizes>\d{1,2}(?:[,_]\d{1,2})+)>?)"), _named),)
