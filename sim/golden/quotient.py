"""Floor 2b: quotients that a later rounding may take for exact.

A quotient rounded to float64 and then to a format is rounded twice: it may have reached a midpoint
that the exact one only neared. `divide` therefore rounds to odd where that could happen: a quotient
with few significant bits is compared with the exact one by an error-free product, and moved one
last place towards it if they differ. Every midpoint and every value of a format has few bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_BITS = 50
"""Decisions of at most so many significant bits are not disturbed by a move of one last place."""
_SPLIT = 2.0**27 + 1
_LARGEST = float(np.finfo(np.float64).max)
_LEAST = 2.0**-1074


def divide(values: NDArray[Any], divisor: Floats, bits: int, out: Floats) -> None:
    """Write quotients that decide as the exact ones to `out`.

    Parameters
    ----------
    values
        float32 or float64; infinities and NaN stay.
    divisor
        Positive, finite; of the shape of `values` or one number.
    bits
        Most significant bits of a number at which a later rounding turns, at most `MOST_BITS`.

    """
    np.divide(values, divisor, out=out, dtype=np.float64, casting="same_kind")
    words = out.view(np.int64) & ((1 << (53 - bits)) - 1)
    short = words == 0
    short &= np.asarray(values) != 0
    short &= np.isfinite(values)
    if short.any():
        dividends = np.asarray(values[short], np.float64)
        divisors = np.broadcast_to(divisor, values.shape)[short]
        out[short] = _odd(dividends, divisors, out[short])


def divide_by_power(values: NDArray[Any], divisor: Floats, out: Floats) -> None:
    """Write quotients by powers of two; only those that leave float64 are not exact."""
    np.divide(values, divisor, out=out, dtype=np.float64, casting="same_kind")
    if out.size and not _LEAST * 2.0**53 <= float(divisor.min()) <= float(divisor.max()) <= 1.0:
        lost = np.isinf(out) | (np.abs(out) < 2.0**-1021)
        lost &= np.isfinite(values) & (np.asarray(values) != 0)
        if lost.any():
            divisors = np.broadcast_to(divisor, values.shape)[lost]
            out[lost] = _odd(np.asarray(values[lost], np.float64), divisors, out[lost])


def _odd(values: Floats, divisors: Floats, quotients: Floats) -> Floats:
    """Return quotients, not zero, moved off even last places that they reached by rounding."""
    quotients = np.clip(quotients, -_LARGEST, _LARGEST)
    quotients = np.where(quotients == 0, np.copysign(_LEAST, values), quotients)
    error = _error(values, divisors, quotients)
    even = quotients.view(np.int64) & 1 == 0
    with np.errstate(over="ignore", under="ignore"):
        moved = np.nextafter(quotients, np.copysign(np.inf, error))
    moved = np.where(np.isinf(moved), quotients, moved)
    return np.where(even & (error != 0) & (moved != 0), moved, quotients)


def _error(values: Floats, divisors: Floats, quotients: Floats) -> Floats:
    """Return numbers with the sign of ``values / divisors - quotients``, exactly."""
    value, value_exponent = np.frexp(values)
    divisor, divisor_exponent = np.frexp(divisors)
    quotient, quotient_exponent = np.frexp(quotients)
    high = quotient * divisor
    quotient_high, quotient_low = _split(quotient)
    divisor_high, divisor_low = _split(divisor)
    low = quotient_high * divisor_high - high
    low += quotient_high * divisor_low
    low += quotient_low * divisor_high
    low += quotient_low * divisor_low
    shift = np.clip(value_exponent - divisor_exponent - quotient_exponent, -900, 900)
    return np.asarray((np.ldexp(value, shift) - high) - low)


def _split(values: Floats) -> tuple[Floats, Floats]:
    """Return halves of at most 26 bits, whose sum is exact (Dekker 1971)."""
    scaled = values * _SPLIT
    high = scaled - (scaled - values)
    return high, values - high
