"""Floor 0: logarithmic numbers: a sign and the logarithm to base 2 in fixed point."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from hw.formats.logarithms import floor_log2, power
from hw.formats.rules import Rule
from hw.formats.table import TableFormat

_TIE_BITS = 160
_FLOAT64_PRECISION = 53
_MOST_RANGE_BITS = 9


@dataclass(frozen=True, slots=True)
class LogFormat(TableFormat):
    """``lns<w,f>``: a sign and a logarithm of w − 1 bits, f of them fraction: ``±2^(L / 2^f)``.

    The field of the logarithm is biased, ``L + 2^(w-2)``, so that magnitudes rise with their
    codes; field 0 is zero. `log2` gives the exact logarithm of a code.
    Values are irrational but for whole logarithms: decoding gives the float64 nearest to each,
    ties to even, and that is the value of the code wherever one is asked for.

    Modes to nearest round the logarithm of the value exactly, so the tie between neighbours is
    their geometric mean (no rational number but a power of two has a rational logarithm, so no
    value is at a tie); a logarithm that rounds to the field of zero or below gives zero. The other
    modes go by the values.

    Parameters
    ----------
    width
        w, 3 to 16 bits.
    fraction_bits
        f, 0 to 14, and at least w − 11, so that all values are normal float64 numbers.

    Source: Coleman et al., "Arithmetic on the European Logarithmic Microprocessor", IEEE TC 49(7),
    2000, for the kind of number; bias and zero are ours.

    """

    width: int
    fraction_bits: int

    def __post_init__(self) -> None:
        """Reject impossible widths."""
        if not 3 <= self.width <= 16:
            raise ValueError(f"the width lies in 3..16, not {self.width}")
        least = max(self.width - 2 - _MOST_RANGE_BITS, 0)
        if not least <= self.fraction_bits <= 14:
            raise ValueError(
                f"fraction_bits lies in {least}..14 for {self.width} bits, not {self.fraction_bits}"
            )

    @property
    def bits(self) -> int:
        """Width of a code: w."""
        return self.width

    @property
    def name(self) -> str:
        """``lns<w,f>``."""
        return f"lns<{self.width},{self.fraction_bits}>"

    def log2(self, code: int) -> Fraction | None:
        """Return the exact logarithm of the magnitude of a code; None for zero."""
        logarithm = self._logarithm(self.check_code(code))
        return None if logarithm is None else Fraction(logarithm, 1 << self.fraction_bits)

    def _logarithm(self, code: int) -> int | None:
        field = code & (1 << (self.width - 1)) - 1
        return field - (1 << (self.width - 2)) if field else None

    def table(self) -> tuple[Fraction, ...]:
        """Return the float64 nearest to the value of each code, in code order."""
        return _table(self)

    def tie(self, index: int) -> Fraction:
        """Return the geometric mean of neighbours, within 2^-160 of itself.

        No float64 number lies that near; `encode` compares exactly.
        """
        sign, doubled = self._tie_logarithm(index)
        return sign * power(doubled, self.fraction_bits + 1, _TIE_BITS)

    def side_of_tie(self, value: Fraction, index: int) -> int:
        """Return -1 or 1: the logarithm of a value is below or above that of the tie."""
        sign, doubled = self._tie_logarithm(index)
        if value == 0 or (value < 0) != (sign < 0):
            return -sign
        above = floor_log2(abs(value), self.fraction_bits + 1) >= doubled
        return sign if above else -sign

    def _tie_logarithm(self, index: int) -> tuple[int, int]:
        """Return sign and logarithm, times 2^(f+1), of the tie above level `index`.

        Levels are: the negative ones, zero, the positive ones; as many on both sides.
        """
        count = (1 << (self.width - 1)) - 1
        sign, place = (1, index - count) if index >= count else (-1, count - 1 - index)
        return sign, 2 * (place - (1 << (self.width - 2))) + 1


@cache
def _table(format: LogFormat) -> tuple[Fraction, ...]:
    logarithms = [format._logarithm(code) for code in range(1 << (format.width - 1))]
    magnitudes = [
        Fraction(0)
        if logarithm is None
        else power(logarithm, format.fraction_bits, _FLOAT64_PRECISION)
        for logarithm in logarithms
    ]
    return (*magnitudes, *(-magnitude for magnitude in magnitudes))


def _named(match: re.Match[str]) -> LogFormat:
    return LogFormat(int(match["width"]), int(match["fraction"]))


RULES = (Rule(re.compile(r"lns[<_](?P<width>\d{1,3})[,_](?P<fraction>\d{1,3})>?"), _named),)
