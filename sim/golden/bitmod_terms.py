"""Floor 2b: weights as BitMoD terms, by the definition (scalar) and as tables (vectorised).

A term is ``(−1)^sign · man · 2^(exponent + bsig)``: one bit per weight and cycle, with a bit
significance that all weights of a cycle share. FP3 and FP4: the leading one of the integer part
I3…I0 in cycle 0 (bsig 0), then the leading one of what is left of I2…F0 in cycle 1 (bsig −1). That
the first one is masked is our reading: 2 and 1.5 would count twice otherwise. Integers: Booth digit
i of radix 4, in {0, ±1, ±2}, in cycle i with bsig 2i.

Source: BitMoD, HPCA 2025, arXiv 2411.11745; the masking is not in its text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hw.formats.bitmod_datatypes import WeightDatatype, special_code, special_value

EXPONENT_STEPS = 8
"""Largest exponent + bsig + 1."""


@dataclass(frozen=True, slots=True)
class Term:
    """What one weight gives in one cycle.

    Parameters
    ----------
    sign
        1 for minus; of no meaning where `man` is 0.
    exponent
        0…3.
    man
        Whether there is a term.
    bsig
        Bit significance, the same for all weights of the cycle: −1, 0, 2, 4 or 6.

    """

    sign: int
    exponent: int
    man: int
    bsig: int

    @property
    def shift(self) -> int:
        """Exponent and bit significance in one number that is never negative (0 … 8)."""
        return self.exponent + self.bsig + 1

    @property
    def value(self) -> Fraction:
        """What it is worth."""
        magnitude = self.man * Fraction(2) ** (self.exponent + self.bsig)
        return -magnitude if self.sign else magnitude


def terms(datatype: WeightDatatype, code: int, special: Fraction | int = 0) -> tuple[Term, ...]:
    """Return the terms of a weight, one per cycle.

    Raises
    ------
    ValueError
        If the code, or the special value, is none of the datatype's.

    """
    value = datatype.value(code, special)
    if not datatype.floating:
        return _booth(int(value), datatype.cycles)
    special_code(value)
    sign, halves = int(value < 0), int(2 * abs(value))
    first = _leading(halves >> 1)
    left = halves if first < 0 else halves & ~(1 << (first + 1))
    second = _leading(left & 0b1111)
    return (
        Term(sign, max(first, 0), int(first >= 0), 0),
        Term(sign, max(second, 0), int(second >= 0), -1),
    )


def _leading(word: int) -> int:
    return word.bit_length() - 1


def _booth(value: int, digits: int) -> tuple[Term, ...]:
    found = []
    below = 0
    for number in range(digits):
        low, high = value >> 2 * number & 1, value >> (2 * number + 1) & 1
        digit = low + below - 2 * high
        found.append(Term(high, int(abs(digit) == 2), int(digit != 0), 2 * number))
        below = high
    return tuple(found)


@cache
def shift_table(datatype: WeightDatatype, special: int) -> NDArray[np.uint8]:
    """Return `Term.shift` by cycle and code, shape (cycles, codes); `special` is an entry."""
    return _table(datatype, special, lambda t: t.shift).astype(np.uint8)


@cache
def value_table(datatype: WeightDatatype, special: int) -> NDArray[np.float32]:
    """Return the values of terms by cycle and code, shape (cycles, codes)."""
    return _table(datatype, special, lambda t: float(t.value)).astype(np.float32)


def _table(
    datatype: WeightDatatype, special: int, of: Callable[[Term], float]
) -> NDArray[np.float64]:
    value = special_value(special)
    rows = [[of(t) for t in terms(datatype, code, value)] for code in range(1 << datatype.bits)]
    return np.array(rows).T.copy()
