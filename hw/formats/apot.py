"""Floor 0: powers of two: alone (PoT) and as sums of a few, one from each of n sets (APoT).

``pot<B>`` and ``upot<B>`` are minifloats without fraction bits and the largest value 1: 0 and
``2^-i``, ``i < 2^k - 1``, in k bits, with or without a sign (the sets of the authors' program).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product

from hw.formats.base import Specials
from hw.formats.minifloat import MinifloatFormat
from hw.formats.rules import Rule
from hw.formats.table import TableFormat

_LEAST_EXPONENT = -256


@dataclass(frozen=True, slots=True)
class ApotFormat(TableFormat):
    """``apot<B,k>``: a sign and n = (B − 1) / k terms; ``uapot<B,k>``: n = B / k terms, no sign.

    Term i (from 0) is 0 or one of ``2^-i, 2^-(i+n), …, 2^-(i+(2^k-2)·n)``: field f of k bits means
    0 for 0, else ``2^-(i+(f-1)·n)``. The code is the sign, then the fields, term 0 first. The
    scale γ, which makes the largest value a chosen bound, lies outside. k = 2 may be left out of
    the name. As in the authors' program, a magnitude of 3 or 5 bits with k = 2 has a last term of
    one bit: its one power is taken out of the others' sequence.

    Parameters
    ----------
    width
        B, bits of a code.
    base
        k, bits of a term.
    is_signed
        Whether the first bit is a sign.

    Source: Li, Dong and Wang, ICLR 2020, arXiv 1909.13144, and the authors' program for odd widths
    (values there are divided by the largest).

    """

    width: int
    base: int = 2
    is_signed: bool = True

    def __post_init__(self) -> None:
        """Reject impossible widths."""
        least = 1 + self.is_signed
        if not least <= self.width <= 16:
            raise ValueError(f"the width lies in {least}..16, not {self.width}")
        if self.base < 1:
            raise ValueError(f"a term has at least 1 bit, not {self.base}")
        if self._magnitude_bits % self.base and (self.base, self._magnitude_bits) not in _ODD:
            raise ValueError(
                f"terms of {self.base} bits do not fill {self._magnitude_bits} bits of magnitude"
            )
        terms = self._magnitude_bits // self.base
        if -(terms - 1 + ((1 << self.base) - 2) * terms) < _LEAST_EXPONENT:
            raise ValueError(f"terms of {self.base} bits reach below 2^{_LEAST_EXPONENT}")

    @property
    def _magnitude_bits(self) -> int:
        return self.width - self.is_signed

    @property
    def bits(self) -> int:
        """Width of a code: B."""
        return self.width

    @property
    def name(self) -> str:
        """``apot<B>`` where k is 2, else ``apot<B,k>``; ``u`` in front without a sign."""
        base = "" if self.base == 2 else f",{self.base}"
        return f"{'' if self.is_signed else 'u'}apot<{self.width}{base}>"

    def terms(self) -> tuple[tuple[Fraction, ...], ...]:
        """Return the values of each term by its field, term 0 first."""
        exponents = _ODD.get((self.base, self._magnitude_bits))
        if exponents is None:
            number, most = self._magnitude_bits // self.base, (1 << self.base) - 1
            exponents = tuple(
                tuple(-(term + step * number) for step in range(most)) for term in range(number)
            )
        return tuple(
            (Fraction(0), *(Fraction(2) ** exponent for exponent in term)) for term in exponents
        )

    def table(self) -> tuple[Fraction, ...]:
        """Return the values of all codes, in code order."""
        return _table(self)


_ODD: dict[tuple[int, int], tuple[tuple[int, ...], ...]] = {
    (2, 3): ((0, -1, -3), (-2,)),
    (2, 5): ((0, -2, -5), (-1, -3, -6), (-4,)),
}
"""Exponents by term where the last term has one bit: (k, bits of magnitude)."""


@cache
def _table(format: ApotFormat) -> tuple[Fraction, ...]:
    magnitudes = [sum(chosen, Fraction(0)) for chosen in product(*format.terms())]
    return (*magnitudes, *(-value for value in magnitudes if format.is_signed))


def _named(match: re.Match[str]) -> ApotFormat:
    return ApotFormat(int(match["width"]), int(match["base"] or 2), not match["unsigned"])


def _pot(match: re.Match[str]) -> MinifloatFormat:
    signed = not match["unsigned"]
    exponent_bits = int(match["width"]) - signed
    if not 1 <= exponent_bits <= 8:
        raise ValueError(
            f"powers of two have {1 + signed}..{8 + signed} bits, not {match['width']}"
        )
    bias = (1 << exponent_bits) - 1
    return MinifloatFormat(exponent_bits, 0, Specials.FINITE, bias, signed=signed)


RULES = (
    Rule(re.compile(r"(?P<unsigned>u?)pot[<_](?P<width>\d{1,3})>?"), _pot),
    Rule(
        re.compile(r"(?P<unsigned>u?)apot[<_](?P<width>\d{1,3})(?:[,_](?P<base>\d{1,3}))?>?"),
        _named,
    ),
)
