"""Floor 0: posits: floating point whose exponent field grows with the magnitude."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from hw.formats.base import Overflow, Special, Value
from hw.formats.rules import Rule
from hw.formats.table import TableFormat

STANDARD_EXPONENT_BITS = 2
MAXIMUM_EXPONENT_BITS = 6
_NEVER = 1 << 4096


@dataclass(frozen=True, slots=True)
class PositFormat(TableFormat):
    """``posit<n,es>``: sign, regime, es exponent bits, fraction; ``posit8`` means ``posit<8,2>``.

    Code 0 is 0 and ``10…0`` is NaR ("not a real", here `Special.NAN`); negative values are the
    two's complement of the code of their magnitude. After the sign, a run of m equal bits ended by
    the other bit (or by the end of the code) is the regime k: m − 1 for ones, −m for zeros. The
    next es bits are the exponent e, the rest the fraction f; bits past the end are zeros. The
    value is ``(1 + f) · 2^(k·2^es + e)``.

    Modes to nearest round the code, not the value: the tie between neighbours is the posit of
    n + 1 bits between them. No value but 0 rounds to 0 under them, and none beyond the largest
    becomes NaR, whatever the overflow mode. Infinities and NaN are NaR. The standard has ties to
    even only; directed and stochastic modes here go by value, so they may give 0.

    Parameters
    ----------
    width
        n, 2 to 16 bits.
    exponent_bits
        es, 0 to 6 (2 in the standard).

    Source: Standard for Posit Arithmetic (2022).

    """

    width: int
    exponent_bits: int = STANDARD_EXPONENT_BITS

    def __post_init__(self) -> None:
        """Reject impossible widths."""
        if not 2 <= self.width <= 16:
            raise ValueError(f"the width of a posit lies in 2..16, not {self.width}")
        if not 0 <= self.exponent_bits <= MAXIMUM_EXPONENT_BITS:
            raise ValueError(f"es lies in 0..{MAXIMUM_EXPONENT_BITS}, not {self.exponent_bits}")

    @property
    def bits(self) -> int:
        """Width of a code: n."""
        return self.width

    @property
    def name(self) -> str:
        """``posit<n,es>``."""
        return f"posit<{self.width},{self.exponent_bits}>"

    def table(self) -> tuple[Value, ...]:
        """Return the values of all codes, in code order."""
        return _table(self.width, self.exponent_bits)

    def tie(self, index: int) -> Fraction:
        """Return the posit of n + 1 bits between two neighbours.

        Next to 0, where there is none, it is 2^-4096, below any float; `encode` takes every value
        but 0 off it.
        """
        low = index - (1 << (self.width - 1)) + 1  # the lower code, read as two's complement
        if low in (-1, 0):
            return Fraction(2 * low + 1, _NEVER)
        between = _positive(abs(2 * low + 1), self.width + 1, self.exponent_bits)
        return between if low > 0 else -between

    def side_of_tie(self, value: Fraction, index: int) -> int:
        """Return -1, 0 or 1: a value is below, at or above the tie; see `TableFormat`."""
        tie = self.tie(index)
        if abs(tie) * _NEVER == 1:
            return 1 if tie > 0 else -1
        return (value > tie) - (value < tie)

    def _code_of_special(self, special: Special, overflow: Overflow) -> int:
        return 1 << (self.width - 1)

    def _code_beyond(self, positive: bool, overflow: Overflow) -> int:
        largest = (1 << (self.width - 1)) - 1
        return largest if positive else largest + 2


@cache
def _table(width: int, exponent_bits: int) -> tuple[Value, ...]:
    positive = [_positive(code, width, exponent_bits) for code in range(1, 1 << (width - 1))]
    return (Fraction(0), *positive, Special.NAN, *(-value for value in reversed(positive)))


def _positive(code: int, width: int, exponent_bits: int) -> Fraction:
    """Return the value of a code between 0 and NaR."""
    body = width - 1  # bits after the sign
    leading_one = code >> (body - 1) & 1
    inverted = code ^ (1 << body) - 1 if leading_one else code
    run = body - inverted.bit_length()
    regime = run - 1 if leading_one else -run
    rest_bits = max(body - run - 1, 0)  # after the bit that ends the run
    rest = code & (1 << rest_bits) - 1
    fraction_bits = max(rest_bits - exponent_bits, 0)
    exponent = rest >> fraction_bits << max(exponent_bits - rest_bits, 0)
    fraction = rest & (1 << fraction_bits) - 1
    significand = Fraction((1 << fraction_bits) + fraction, 1 << fraction_bits)
    return significand * Fraction(2) ** ((regime << exponent_bits) + exponent)


def _named(match: re.Match[str]) -> PositFormat:
    if match["exponent"] is None:
        return PositFormat(int(match["width"]))
    return PositFormat(int(match["width"]), int(match["exponent"]))


RULES = (
    Rule(re.compile(r"posit[<_]?(?P<width>\d{1,3})(?:[,_](?P<exponent>\d{1,3})>?)?>?"), _named),
)
