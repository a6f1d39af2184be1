"""Floor 2b: sums of float64 numbers rounded to odd: what lets a second rounding be exact.

Rounding to odd keeps an exact result, and otherwise takes whichever neighbour has its last bit set.
The result then rounds to any format of at most 51 bits of precision as the exact sum would
(S. Boldo and G. Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using
rounding to odd", IEEE Trans. Computers 57(4), 2008).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def two_sum(left: Values, right: Values) -> tuple[Values, Values]:
    """Return (sum rounded to nearest, its error): exact together, without overflow (Knuth)."""
    total = left + right
    part = total - left
    return total, (left - (total - part)) + (right - part)


def to_odd(total: Values, rest: Values) -> Values:
    """Return ``total + rest`` rounded to odd; `rest` is at most half a step of `total`, or NaN.

    Infinite and NaN totals stay.
    """
    words = total.view(np.int64)
    moved = ((rest < 0) | (rest > 0)) & (words & 1 == 0) & np.isfinite(total)
    away = (rest < 0) == (total < 0)
    return np.asarray((words + np.where(moved, np.where(away, 1, -1), 0)).view(np.float64))


def odd_sum_of_two(left: Values, right: Values) -> Values:
    """Return ``left + right`` rounded to odd; specials and zeros as IEEE 754 adds them."""
    with np.errstate(invalid="ignore"):
        return to_odd(*two_sum(left, right))


def odd_sum(addends: Sequence[Values]) -> Values:
    """Return the sum of arrays of one shape, rounded to odd from the exact sum.

    Specials are those of IEEE 754; a zero sum is −0 only if every addend is −0. Finite sums and
    their steps must stay within the normal numbers of float64.
    """
    if len(addends) == 2:
        return odd_sum_of_two(*addends)
    plain = addends[0].copy()
    negative = np.signbit(plain)
    with np.errstate(invalid="ignore"):
        for addend in addends[1:]:
            plain += addend
            negative = negative & np.signbit(addend)
    finite = np.isfinite(plain)
    parts = distilled([np.where(finite, addend, 0.0) for addend in addends])
    total = to_odd(parts[-1], parts[-2]) if len(parts) > 1 else parts[-1]
    zero = total == 0
    total[zero] = np.where(negative[zero], -0.0, 0.0)
    return np.where(finite, total, plain)


def distilled(parts: list[Values]) -> list[Values]:
    """Return finite numbers of the same exact sum, each at most half a step of the next.

    The last is the sum rounded to nearest, up to a tie; zeros come first. Passes of `two_sum` go on
    until nothing changes (G. Bohlender, IEEE Trans. Computers C-26(7), 1977).
    """
    parts = list(parts)
    changed = len(parts) > 1
    while changed:
        changed = False
        carry = parts[0]
        for i in range(1, len(parts)):
            total, error = two_sum(parts[i], carry)
            changed = changed or not np.array_equal(total, parts[i])
            parts[i - 1], carry = error, total
        parts[-1] = carry
    return parts
