"""Floor 2b: exact matrix products too long for float64, from four of half the length.

Each operand is cut into two digits with the sign of their number. The three sums of digit products
that belong to one power of two are exact in float64; adding them rounds once, to nearest even, by
error-free sums and one rounding to odd (Boldo and Melquiond, "Emulation of a FMA and correctly
rounded sums", IEEE TC 57(4), 2008, algorithm for three numbers).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.golden.bounds import FLOAT64_BITS
from sim.golden.operand import Operand, Values

AT_ONCE = 1 << 14
LEAST_ROWS = 128
"""Sums, and rows, taken at a time: they stay in the cache, and the BLAS keeps its speed."""


def digit_bits(left: Operand, right: Operand) -> int:
    """Return the length of the lower digits of either operand."""
    return (max(left.bits, right.bits) + 1) // 2


def suits(left: Operand, right: Operand) -> bool:
    """Whether two digits do: every sum of two products of digits per term stays below 2^53."""
    growth = len(right.values).bit_length()
    return 2 * digit_bits(left, right) + growth + 1 <= FLOAT64_BITS


def product(left: Operand, right: Operand) -> Values:
    """Return ``left @ right``, each sum rounded once to float64."""
    bits, unit = digit_bits(left, right), 2.0 ** (left.finest + right.finest)
    digits = _digits(right.values, right.finest, bits)
    result = np.empty((len(left.values), right.values.shape[1]))
    rows = max(AT_ONCE // result.shape[1], LEAST_ROWS)
    for start in range(0, len(result), rows):
        piece = slice(start, start + rows)
        total = _rows(_digits(left.values[piece], left.finest, bits), digits, bits)
        np.multiply(total, unit, out=result[piece])
    return result


def _rows(left: tuple[Values, Values], right: tuple[Values, Values], bits: int) -> Values:
    middle = left[0] @ right[1]
    middle += left[1] @ right[0]
    middle *= 2.0**bits
    high = left[1] @ right[1]
    high *= 2.0 ** (2 * bits)
    return sum_of_three(high, middle, left[0] @ right[0])


def _digits(values: Values, finest: int, bits: int) -> tuple[Values, Values]:
    """Return the lower digit of numbers and what is above it, both whole numbers."""
    whole = values * 2.0**-finest
    high = np.trunc(whole * 2.0**-bits)
    return whole - high * 2.0**bits, high


def sum_of_three(first: Values, second: Values, third: Values) -> Values:
    """Return the sum of three numbers, rounded once to nearest even."""
    low_sum, low_error = _two_sum(second, third)
    high_sum, high_error = _two_sum(first, low_sum)
    return np.asarray(high_sum + _odd_sum(high_error, low_error))


def _two_sum(first: Values, second: Values) -> tuple[Values, Values]:
    """Return the rounded sum of two numbers and its exact error (Knuth)."""
    total = first + second
    part = total - first
    return total, (first - (total - part)) + (second - part)


def _odd_sum(first: Values, second: Values) -> Values:
    """Return the sum of two numbers, rounded to odd."""
    total, error = _two_sum(first, second)
    words: NDArray[np.int64] = total.view(np.int64)
    # Towards the exact sum by one place, if the last bit is even: the magnitude of a float is
    # in order with its word.
    grows = (error > 0) == (total > 0)
    step = np.where(grows, 1, -1) * ((error != 0) & (words & 1 == 0))
    return np.asarray((words + step).view(np.float64))
