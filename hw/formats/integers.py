"""Floor 0: integers but two's complement and unsigned ones: symmetric, ternary, bipolar, binary.

Sign-magnitude integers (``sm4``) are minifloats without exponent bits, `hw.formats.minifloat`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from hw.formats.base import MAXIMUM_TABLE_BITS, Special, Value
from hw.formats.rules import Rule, whole
from hw.formats.table import TableFormat


@dataclass(frozen=True, slots=True)
class SymmetricFormat(TableFormat):
    """Two's complement without its most negative code: ``int8s`` holds -127…127.

    The code 10…0 is no number: it decodes as NaN, and NaN encodes to it.

    Parameters
    ----------
    width
        Bits of a code, 2 to 16. ``ternary`` is the format of 2 bits: -1, 0, 1.
    integer_bits
        Bits left of the binary point, sign included, as in `FixedFormat`.

    """

    width: int
    integer_bits: int

    def __post_init__(self) -> None:
        """Reject impossible widths."""
        if not 2 <= self.width <= MAXIMUM_TABLE_BITS:
            raise ValueError(f"a symmetric width lies in 2..{MAXIMUM_TABLE_BITS}, not {self.width}")
        if not -1024 <= self.integer_bits <= 1024:
            raise ValueError(f"integer_bits lies in -1024..1024, not {self.integer_bits}")

    @property
    def bits(self) -> int:
        """Width of a code."""
        return self.width

    @property
    def name(self) -> str:
        """``int8s``, ``fixed<8,2>s`` with a fraction, ``ternary`` for 2 bits without."""
        if self.width != self.integer_bits:
            return f"fixed<{self.width},{self.integer_bits}>s"
        return "ternary" if self.width == 2 else f"int{self.width}s"

    def table(self) -> tuple[Value, ...]:
        """Return the values of all codes, in code order."""
        return _symmetric_table(self)


@dataclass(frozen=True, slots=True)
class BipolarFormat(TableFormat):
    """Odd integers: bit i of the code means ``+2^i`` or ``-2^i``, so code u means ``2u - (2^n-1)``.

    ``binary`` is the format of 1 bit: code 0 means -1, code 1 means +1. Zero is no value: it
    encodes as +1 (sign(0) = +1).

    Parameters
    ----------
    width
        Bits n of a code, 1 to 16.

    Source: bipolar-INT, Ma et al., arXiv 2409.17870; the reinterpretation of LUT Tensor Core,
    arXiv 2408.06003.

    """

    width: int

    def __post_init__(self) -> None:
        """Reject impossible widths."""
        if not 1 <= self.width <= MAXIMUM_TABLE_BITS:
            raise ValueError(f"a bipolar width lies in 1..{MAXIMUM_TABLE_BITS}, not {self.width}")

    @property
    def bits(self) -> int:
        """Width of a code."""
        return self.width

    @property
    def name(self) -> str:
        """``bipolar3``; ``binary`` for 1 bit."""
        return "binary" if self.width == 1 else f"bipolar{self.width}"

    def table(self) -> tuple[Value, ...]:
        """Return the values of all codes, in code order."""
        return _bipolar_table(self)


@cache
def _symmetric_table(format: SymmetricFormat) -> tuple[Value, ...]:
    half = 1 << (format.width - 1)
    step = Fraction(2) ** (format.integer_bits - format.width)
    return (
        *(code * step for code in range(half)),
        Special.NAN,
        *((code - 2 * half) * step for code in range(half + 1, 2 * half)),
    )


@cache
def _bipolar_table(format: BipolarFormat) -> tuple[Value, ...]:
    top = (1 << format.width) - 1
    return tuple(Fraction(2 * code - top) for code in range(top + 1))


def _symmetric(match: re.Match[str]) -> SymmetricFormat:
    width = int(match["width"])
    return SymmetricFormat(width, width)


def _symmetric_fixed(match: re.Match[str]) -> SymmetricFormat:
    return SymmetricFormat(int(match["width"]), whole(match["integer"]))


def _bipolar(match: re.Match[str]) -> BipolarFormat:
    return BipolarFormat(int(match["width"]))


RULES = (
    Rule(re.compile(r"int(?P<width>\d{1,4})s"), _symmetric),
    Rule(
        re.compile(r"fixed[<_](?P<width>\d{1,4})[,_](?P<integer>[-n]?\d{1,5})>?s"),
        _symmetric_fixed,
    ),
    Rule(re.compile(r"bipolar(?P<width>\d{1,4})"), _bipolar),
)
ALIASES = {"ternary": "int2s", "binary": "bipolar1"}
