"""Floor 0: logarithms and powers to base 2 by whole numbers, exact to every digit asked for."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import isqrt

_WORKING_BITS = 256


def floor_log2(value: Fraction, fraction_bits: int) -> int:
    """Return ``floor(log2(value) * 2**fraction_bits)`` of a positive value, exactly.

    Squaring the significand of an interval of integers gives one bit of the logarithm at a time;
    where the ends disagree, the interval is made finer. That ends: no rational number but a power
    of two has a logarithm on the grid.
    """
    whole = value.numerator.bit_length() - value.denominator.bit_length()
    whole -= value < Fraction(2) ** whole
    significand = value / Fraction(2) ** whole
    if significand == 1:
        return whole << fraction_bits
    bits = _WORKING_BITS
    while (rest := _log2_digits(significand, fraction_bits, bits)) is None:
        bits *= 2
    return (whole << fraction_bits) + rest


def _log2_digits(significand: Fraction, count: int, bits: int) -> int | None:
    """Return `count` bits of the logarithm of 1 < significand < 2, or None if `bits` are few."""
    low = (significand.numerator << bits) // significand.denominator
    high, digits = low + 1, 0
    for _ in range(count):
        low, high = low * low >> bits, (high * high >> bits) + 1
        digit = low >> (bits + 1)
        if digit != high >> (bits + 1):
            return None
        low, high = low >> digit, (high >> digit) + digit
        digits = digits << 1 | digit
    return digits


@cache
def _roots(count: int) -> tuple[int, ...]:
    """Return ``2^(1/2), 2^(1/4), …`` in units of 2^-256, each less than two units too small."""
    roots, root = [], 2 << _WORKING_BITS
    for _ in range(count):
        root = isqrt(root << _WORKING_BITS)
        roots.append(root)
    return tuple(roots)


def power(logarithm: int, fraction_bits: int, precision: int, slack: int = 0) -> Fraction:
    """Return ``2^(logarithm / 2^fraction_bits)`` rounded to nearest, to a precision in bits.

    `slack` says that the logarithm may be too small by so many units, at least 8 bits below the
    precision. A power too near to a rounding boundary to be sure raises ArithmeticError.
    """
    whole, part = logarithm >> fraction_bits, logarithm & (1 << fraction_bits) - 1
    product = 1 << _WORKING_BITS
    for place, root in enumerate(_roots(fraction_bits)):
        if part >> (fraction_bits - 1 - place) & 1:
            product = product * root >> _WORKING_BITS
    drop = _WORKING_BITS + 1 - precision
    # Roots are less than two units of 2^-256 too small, each product loses one more; all below 2.
    error = 10 * fraction_bits * (part > 0)
    error += slack << max(_WORKING_BITS + 1 - fraction_bits, 0)
    low, high = ((product + more + (1 << (drop - 1))) >> drop for more in (0, error))
    if low != high:
        raise ArithmeticError(f"2^({logarithm}/2^{fraction_bits}) lies too near to a tie")
    return Fraction(low) * Fraction(2) ** (whole + 1 - precision)
