"""Floor 2b: stochastic rounding to the levels of a table, by exact thresholds.

Between two levels the random integer R decides at one place: the magnitude goes up where its
part of the gap, in units of 2^-N, reaches ``2^N - R`` (variant a; b and c likewise in halves of a
unit). That place is a float64 number whenever levels and gaps have few bits, and the number to
round is compared with it: nothing is rounded on the way.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.formats import Format, Overflow, Stochastic, TableFormat

Floats = NDArray[np.float64]

_PRECISION = 53
_LARGEST = float(np.finfo(np.float64).max)


@lru_cache(maxsize=256)
def _most_bits(format: TableFormat) -> int:
    """Return the most bits that two neighbours and their gap need in a common unit."""
    most = 1
    for low, high in itertools.pairwise(format.levels()):
        numbers = [number for number in (low, high, high - low) if number]
        unit = min(Fraction(n.numerator & -n.numerator, n.denominator) for n in numbers)
        most = max(most, *(int(abs(number) / unit).bit_length() for number in numbers))
    return most


def is_exact(format: Format, rounding: Stochastic) -> bool:
    """Whether float64 holds every threshold of this rounding to this format."""
    if not isinstance(format, TableFormat):
        return False
    return _most_bits(format) + rounding.bits + 2 <= _PRECISION


class Intervals:
    """The levels of a format under stochastic rounding (see `is_exact`) and an overflow mode."""

    def __init__(self, format: TableFormat, rounding: Stochastic, overflow: Overflow) -> None:
        self.format, self.rounding, self.overflow = format, rounding, overflow
        self.levels = np.array([float(level) for level in format.levels()])
        self.codes = np.array([format.encode(level) for level in format.levels()], np.int64)
        self.decision_bits = _most_bits(format) + rounding.bits + 2

    def encode(self, values: Floats, random: NDArray[Any]) -> NDArray[np.int64]:
        """Return codes of float64 numbers; NaN counts as the lowest level."""
        known = np.where(np.isnan(values), self.levels[0], values)
        inside = np.clip(known, self.levels[0], self.levels[-1])
        below = np.searchsorted(self.levels, inside, side="right") - 1
        below = np.minimum(below, len(self.levels) - 2)
        low, high = self.levels[below], self.levels[below + 1]
        falling = high <= 0
        near, far = np.where(falling, high, low), np.where(falling, low, high)
        place, inclusive = self._place(random)
        threshold = near + (far - near) * place
        past = np.where(falling, inside < threshold, inside > threshold)
        past |= (inside == threshold) & inclusive
        past = np.where(inside == near, False, past | (inside == far))
        codes = self.codes[below + (past ^ falling)]
        return self._beyond(known, codes)

    def _place(self, random: NDArray[Any]) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the part of the gap that goes up, and whether its own place does."""
        whole = 1 << self.rounding.bits
        needed = whole - random.astype(np.int64)
        match self.rounding.variant:
            case "a":
                return needed / whole, np.ones(random.shape, np.bool_)
            case "b":
                return (2 * needed - 1) / (2 * whole), np.ones(random.shape, np.bool_)
        return (2 * needed - 1) / (2 * whole), needed % 2 == 0

    def _beyond(self, values: Floats, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Resolve what lies beyond the ends."""
        for end, outside in (
            (-_LARGEST, values < self.levels[0]),
            (_LARGEST, values > self.levels[-1]),
        ):
            for number, there in (
                (end, outside & np.isfinite(values)),
                (end * np.inf, outside & np.isinf(values)),
            ):
                if there.any():
                    codes[there] = self.format.encode(number, overflow=self.overflow)
        return codes
