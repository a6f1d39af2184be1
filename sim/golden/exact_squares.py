"""Floor 2b: which of two sums of squared differences is smaller, exactly, for many groups at once.

Differences of one group become integers of at most 51 bits times one power of two; their squares
are summed in three 64-bit limbs. Groups that do not fit are said to be unknown.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

WIDTH = 51
"""Bits of a difference's magnitude."""
HALF = 26
"""Bits of its lower limb."""
MOST_TERMS = 1 << 10
"""Terms whose squares a 64-bit limb holds."""


def smaller(new: Floats, old: Floats, values: NDArray[Any]) -> tuple[Truths, Truths]:
    """Return (where ``Σ (new - value)²`` is below ``Σ (old - value)²``, where that is known).

    Parameters
    ----------
    new, old : arrays of float64, shape (groups, terms)
        What the values are approximated by.
    values : array, the same shape
        The values; infinite ones count in neither sum.

    """
    wide = values.astype(np.float64)
    counted = np.isfinite(wide)
    wide = np.where(counted, wide, 0.0)
    first, first_exact = _difference(np.where(counted, new, 0.0), wide)
    second, second_exact = _difference(np.where(counted, old, 0.0), wide)
    top = np.maximum(np.abs(first), np.abs(second)).max(axis=1, keepdims=True)
    shift = WIDTH - np.frexp(top)[1]
    scaled = [np.ldexp(difference, shift) for difference in (first, second)]
    whole = [(each == np.rint(each)) for each in scaled]
    few = values.shape[1] <= MOST_TERMS
    known = np.array([first_exact, second_exact, *whole]).all(axis=(0, 2)) & few
    return _is_below(*(each.astype(np.int64) for each in scaled)), known


def _difference(left: Floats, right: Floats) -> tuple[Floats, Truths]:
    """Return (left - right, where float64 holds it); Knuth's two-sum."""
    difference = left - right
    shadow = left - difference
    lost = (left - (difference + shadow)) + (shadow - right)
    return difference, lost == 0


def _is_below(left: NDArray[np.int64], right: NDArray[np.int64]) -> Truths:
    """Return where the sum of squares on the left is the smaller one."""
    mask = (1 << HALF) - 1
    high, low = zip(*((each >> HALF, each & mask) for each in (left, right)), strict=True)
    tops = (high[0] ** 2 - high[1] ** 2).sum(axis=1)
    middles = 2 * (high[0] * low[0] - high[1] * low[1]).sum(axis=1)
    bottoms = (low[0] ** 2 - low[1] ** 2).sum(axis=1)
    middles += bottoms >> HALF
    below: Truths = (tops + (middles >> HALF)) < 0
    return below
