"""Floor 0: how finely a format covers its range: values per binade and unit round-off."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from hw.formats.base import Format
from hw.formats.scale import floor_log2
from hw.formats.table import TableFormat


@dataclass(frozen=True, slots=True)
class Binade:
    """The positive values from ``2**exponent`` up to, not including, ``2**(exponent + 1)``.

    Parameters
    ----------
    exponent
        Of its lower end.
    count
        Number of distinct values in it.
    roundoff
        Half the gap between one of them and its upper neighbour, over the value itself: the
        largest such number. None where the binade is empty or its one value is the largest of all.

    """

    exponent: int
    count: int
    roundoff: Fraction | None


@dataclass(frozen=True, slots=True)
class Roundoff:
    """The least `Binade.roundoff` of a format, and the longest run of binades that have it.

    For a minifloat that is ``2**-precision`` and the range of its normal numbers.

    Parameters
    ----------
    value
        The largest in the run; others of the run differ by less than 1 %.
    low, high
        Smallest value of the run, and the value that ends its last gap.

    """

    value: Fraction
    low: Fraction
    high: Fraction


def binades(format: Format) -> tuple[Binade, ...]:
    """Return the binades from that of the smallest positive value to that of the largest.

    None where no value is positive. The width of the format does not matter.
    """
    return tuple(_binades(_Positive(format)))


def unit_roundoff(format: Format) -> Roundoff | None:
    """Return the relative precision of a format at its best; None with fewer than two values > 0.

    The relative error of rounding to nearest is at most this in the run, or half as much again
    where the format rounds elsewhere than in the middle (posits, logarithmic numbers).
    """
    positive = _Positive(format)
    found = list(_binades(positive))
    known = [binade.roundoff for binade in found if binade.roundoff is not None]
    if not known:
        return None
    most = min(known) * Fraction(101, 100)
    run = max(_runs(found, most), key=len)
    end = positive.first_from(Fraction(2) ** (run[-1].exponent + 1))
    return Roundoff(
        max(binade.roundoff for binade in run if binade.roundoff is not None),
        positive[positive.first_from(Fraction(2) ** run[0].exponent)],
        positive[min(end, len(positive) - 1)],
    )


def _runs(found: list[Binade], most: Fraction) -> Iterator[list[Binade]]:
    """Yield the runs of binades whose round-off is known and at most `most`."""
    run: list[Binade] = []
    for binade in found:
        if binade.roundoff is not None and binade.roundoff <= most:
            run.append(binade)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _binades(positive: _Positive) -> Iterator[Binade]:
    if not len(positive):
        return
    start = 0
    top = floor_log2(positive[len(positive) - 1])
    for exponent in range(floor_log2(positive[0]), top + 1):
        end = positive.first_from(Fraction(2) ** (exponent + 1))
        yield Binade(exponent, end - start, positive.largest_gap(start, end))
        start = end


class _Positive:
    """The positive values of a format in rising order, distinct.

    Codes of fixed point and minifloats rise with their positive values and have one gap per
    binade, so that no table of them is needed.
    """

    def __init__(self, format: Format) -> None:
        self._format = format
        self._levels: tuple[Fraction, ...] | None = None
        if isinstance(format, TableFormat):
            self._levels = tuple(level for level in format.levels() if level > 0)
            self._codes = range(len(self._levels))
        else:
            last = format.encode(format.maximum)
            first = _first(last + 1, lambda code: format.integer(code) > 0)
            self._codes = range(first, last + 1)

    def __len__(self) -> int:
        return self._codes.stop - self._codes.start

    def __getitem__(self, place: int) -> Fraction:
        if self._levels is not None:
            return self._levels[place]
        unit = Fraction(2) ** self._format.lsb_exponent
        return self._format.integer(self._codes[place]) * unit

    def first_from(self, value: Fraction) -> int:
        """Return the place of the first value that is at least this one."""
        if self._levels is not None:
            return bisect_left(self._levels, value)
        return _first(len(self), lambda place: self[place] >= value)

    def largest_gap(self, start: int, end: int) -> Fraction | None:
        """Return half the largest gap that begins at places start…end - 1, over its lower end."""
        end = min(end, len(self) - 1)
        if start >= end:
            return None
        if self._levels is None:
            return (self[start + 1] - self[start]) / (2 * self[start])
        pairs = pairwise(self._levels[start : end + 1])
        return max((high - low) / (2 * low) for low, high in pairs)


def _first(count: int, holds: Callable[[int], bool]) -> int:
    """Return the first of 0…count - 1 for which a condition holds that all later ones fulfil."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


__all__ = ["Binade", "Roundoff", "binades", "unit_roundoff"]
