"""Floor 0: codes that are nothing but an exponent: the scales of blocks, E8M0 above all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from hw.formats.base import Special, Value
from hw.formats.rules import Rule, whole
from hw.formats.table import TableFormat


@dataclass(frozen=True, slots=True)
class ExponentFormat(TableFormat):
    """Code c means ``2^(c - bias)``; there is neither a zero nor a sign.

    Parameters
    ----------
    width
        Bits of a code, 1 to 8.
    bias
        What is taken off the code; -1024 to 1024.
    has_nan
        Whether the code of all ones is NaN.

    Source: E8M0 of OCP MX v1.0: 8 bits, bias 127, NaN at 0xFF.

    """

    width: int
    bias: int
    has_nan: bool = False

    def __post_init__(self) -> None:
        """Reject impossible widths."""
        if not 1 <= self.width <= 8:
            raise ValueError(f"an exponent scale has 1..8 bits, not {self.width}")
        if not -1024 <= self.bias <= 1024:
            raise ValueError(f"bias lies in -1024..1024, not {self.bias}")

    @property
    def bits(self) -> int:
        """Width of a code."""
        return self.width

    @property
    def name(self) -> str:
        """``e8m0fnu``: ``eEm0[bB]`` and ``fnu`` with NaN, ``finiteu`` without."""
        usual = (1 << (self.width - 1)) - 1
        bias = "" if self.bias == usual else f"b{self.bias}"
        return f"e{self.width}m0{bias}{'fnu' if self.has_nan else 'finiteu'}"

    def table(self) -> tuple[Value, ...]:
        """Return the values of all codes, in code order."""
        return _table(self)


@cache
def _table(format: ExponentFormat) -> tuple[Value, ...]:
    powers: list[Value] = [Fraction(2) ** (c - format.bias) for c in range(1 << format.width)]
    if format.has_nan:
        powers[-1] = Special.NAN
    return tuple(powers)


def _exponent(match: re.Match[str]) -> ExponentFormat:
    width = int(match["width"])
    bias = whole(match["bias"]) if match["bias"] else (1 << (width - 1)) - 1
    return ExponentFormat(width, bias, match["kind"] == "fnu")


E8M0 = ExponentFormat(8, 127, has_nan=True)
RULES = (
    Rule(
        re.compile(r"e(?P<width>\d{1,2})m0(?:b(?P<bias>[-n]?\d{1,5}))?(?P<kind>fnu|finiteu)"),
        _exponent,
    ),
)
