"""Floor 0: power-exponent codes: the value is a power of a uniform code (PowerQuant, NUPES)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from hw.formats.rules import Rule
from hw.formats.table import TableFormat

MOST_EXPONENT = 4


@dataclass(frozen=True, slots=True)
class PowerFormat(TableFormat):
    """``power<B,p>``: a sign and a B − 1 bit magnitude q, value ``±q^p``; ``upower<B,p>``: q^p.

    The authors quantise ``t = |x|^a`` uniformly and decode ``(|q| s)^(1/a)``. Decoding is exact
    where p = 1/a is whole, which is the restriction here (p = 2 is a squarer); s^p is the scale,
    outside. `encode` takes the nearest value; the authors' rounding, uniform in t, is
    `encode_in_t`, in which p = 1 is the same.

    Parameters
    ----------
    width
        B, 2 to 16 bits.
    exponent
        p, 1 to 4.
    is_signed
        Whether the first bit is a sign.

    Sources: PowerQuant, arXiv 2301.09858; NUPES, arXiv 2308.05600.

    """

    width: int
    exponent: int
    is_signed: bool = True

    def __post_init__(self) -> None:
        """Reject impossible widths and exponents."""
        if not 2 <= self.width <= 16:
            raise ValueError(f"the width lies in 2..16, not {self.width}")
        if not 1 <= self.exponent <= MOST_EXPONENT:
            raise ValueError(
                f"the exponent lies in 1..{MOST_EXPONENT} (decoding is exact), not {self.exponent}"
            )

    @property
    def bits(self) -> int:
        """Width of a code: B."""
        return self.width

    @property
    def name(self) -> str:
        """``power<B,p>`` or ``upower<B,p>``."""
        return f"{'' if self.is_signed else 'u'}power<{self.width},{self.exponent}>"

    def table(self) -> tuple[Fraction, ...]:
        """Return the values of all codes, in code order."""
        return _table(self)

    def encode_in_t(self, value: Fraction | int | float) -> int:
        """Return the code whose q is nearest to ``|value|^(1/p)``, ties to even, saturating.

        Negative values without a sign give 0.
        """
        exact = Fraction(value)
        most = (1 << (self.width - self.is_signed)) - 1
        magnitude = abs(exact) if self.is_signed or exact > 0 else Fraction(0)
        nearest = min(_nearest_root(magnitude, self.exponent, most), most)
        negative = exact < 0 and nearest > 0
        return nearest | negative << (self.width - 1)


def _nearest_root(value: Fraction, exponent: int, most: int) -> int:
    """Return the integer nearest to the root of a value, ties to even; at most `most` + 1."""
    low, high = 0, most + 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**exponent <= value else (low, middle - 1)
    half = Fraction(2 * low + 1, 2) ** exponent
    return low + (value > half or (value == half and low % 2 == 1))


@cache
def _table(format: PowerFormat) -> tuple[Fraction, ...]:
    count = 1 << (format.width - format.is_signed)
    magnitudes = [Fraction(q**format.exponent) for q in range(count)]
    return (*magnitudes, *(-value for value in magnitudes if format.is_signed))


def _named(match: re.Match[str]) -> PowerFormat:
    return PowerFormat(int(match["width"]), int(match["exponent"]), not match["unsigned"])


RULES = (
    Rule(
        re.compile(r"(?P<unsigned>u?)power[<_](?P<width>\d{1,3})[,_](?P<exponent>\d{1,3})>?"),
        _named,
    ),
)
