"""Floor 2b: conversion in any mode as a staircase over the floats, asked from the specification.

Under one rounding and one overflow mode the code of a format is a staircase over the float64
numbers in order. `staircase` finds every step exactly: it asks `Format.encode`, the scalar
specification, on both sides of the place where a step must be, and searches by halves where the
first guess is not it. Nothing is assumed of the format but that the order of values is kept.

A number then meets its code by comparison alone. The upper 16 bits of float32 name a bucket; where
no bucket has two steps, one table gives the step to compare with, another the code on either side.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.formats import Format, Overflow, Rounding, TableFormat
from hw.formats.rounding import Between, mirrored
from sim.golden.tables import value_table

Keys = NDArray[np.int64]

TOP = struct.unpack("<q", struct.pack("<d", float("inf")))[0]
"""Key of infinity; keys of finite numbers lie between its negatives (that of −infinity is less)."""
_BUCKETS = 1 << 16
_NO_CODE = -1
_HALF = Fraction(1, 2)
_SMALL, _LARGE = 2.0**-1000, 2.0**1000


def key_of(value: float) -> int:
    """Return the place of a float64 among all, 0 for +0, -1 for −0, in order."""
    word: int = struct.unpack("<q", struct.pack("<d", value))[0]
    return word if word >= 0 else word ^ ((1 << 63) - 1)


def number_at(key: int) -> float:
    """Return the float64 at a place."""
    word = key if key >= 0 else key ^ ((1 << 63) - 1)
    value: float = struct.unpack("<d", struct.pack("<q", word))[0]
    return value


def keys_of(values: NDArray[np.float64]) -> Keys:
    """Return the places of float64 numbers."""
    words = values.view(np.int64)
    return np.asarray(words ^ ((words >> 63) & ((1 << 63) - 1)))


def _bits(key: int) -> int:
    """Return the significant bits of the number at a key."""
    if not -TOP <= key < TOP:
        return 1
    whole = abs(Fraction(number_at(key)).numerator)
    return whole.bit_length() - ((whole & -whole).bit_length() - 1) if whole else 1


@dataclass(frozen=True, eq=False)
class Staircase:
    """What a format makes of every float64 but NaN: ``codes[number of steps at or before it]``.

    Parameters
    ----------
    steps
        Keys at which the code changes, ascending.
    codes
        One more than steps; −1 where the format refuses the number (an infinity).
    values
        What the codes mean.

    """

    steps: Keys
    codes: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def decision_bits(self) -> int:
        """Most significant bits of the numbers at, or one place before, a step."""
        return max((min(_bits(key), _bits(key - 1)) for key in self.steps.tolist()), default=1)


@lru_cache(maxsize=256)
def staircase(format: Format, rounding: Rounding, overflow: Overflow) -> Staircase:
    """Return the staircase of a format of at most 16 bits.

    Raises
    ------
    ValueError
        For an overflow mode that the format does not have, or that is not in order (wrap).

    """
    ask = _Asked(format, rounding, overflow)
    levels = _levels(format)
    zeros = {key_of(0.0), key_of(-0.0)}
    under = sorted(key for key in zeros if key < levels[0])
    over = sorted(key for key in zeros if key > levels[-1])
    before = list(_all_between(ask, sorted({-TOP - 1, -TOP, *under, levels[0]})))
    after = list(_all_between(ask, sorted({levels[-1], *over, TOP - 1, TOP})))
    steps, inner = _inner_steps(format, rounding)
    codes = [*map(ask, [-TOP - 1, *before]), *inner, *map(ask, after)]
    meanings = np.append(value_table(format) + 0.0, np.nan)
    return Staircase(
        np.array([*before, *steps, *after], np.int64), np.array(codes), meanings[codes]
    )


MOST_ASKED = 1 << 10
"""Formats of more values have their steps worked out, and only a sample of them asked for."""
SAMPLE = 1 << 8


@lru_cache(maxsize=256)
def _inner_steps(format: Format, rounding: Rounding) -> tuple[list[int], list[int]]:
    """Return the steps between the least and the largest value, and the codes after them.

    All overflow modes have these.
    """
    ask = _Asked(format, rounding, Overflow.SATURATE)
    levels = _levels(format)
    ties = _ties(format) if rounding in _NEAREST else {}
    if len(levels) > MOST_ASKED:
        guessed = _guessed(ask, levels, ties, rounding)
        sample = range(0, len(guessed), len(guessed) // SAMPLE)
        if all(ask(guessed[i][0]) == guessed[i][1] != ask(guessed[i][0] - 1) for i in sample):
            return [step for step, _ in guessed], [code for _, code in guessed]
    zeros = {key for key in (key_of(0.0), key_of(-0.0)) if levels[0] < key < levels[-1]}
    steps = list(_all_between(ask, sorted({*levels, *zeros}), ties))
    return steps, [ask(step) for step in steps]


@lru_cache(maxsize=64)
def _levels(format: Format) -> tuple[int, ...]:
    """Return the keys of the finite values, ascending; zero once."""
    values = value_table(format) + 0.0
    return tuple(np.unique(keys_of(values[np.isfinite(values)])).tolist())


def _ties(format: Format) -> dict[int, tuple[int, bool]]:
    """Return for the key of each level the first key at or after the tie above, and if it is at."""
    levels = _levels(format)
    own = isinstance(format, TableFormat) and type(format).tie is not TableFormat.tie
    if own:
        assert isinstance(format, TableFormat)
        ties = [format.tie(index) for index in range(len(levels) - 1)]
        return {low: _at_or_after(tie) for low, tie in zip(levels, ties, strict=False)}
    return {low: _middle(low, high) for low, high in itertools.pairwise(levels)}


def _middle(low: int, high: int) -> tuple[int, bool]:
    """Return the first key at or after the middle of two numbers, and whether it is at."""
    below, above = number_at(low), number_at(high)
    total = below + above
    part = total - below
    error = (below - (total - part)) + (above - part)  # exact (Knuth)
    if error or not _SMALL < abs(total) < _LARGE:
        return _at_or_after((Fraction(below) + Fraction(above)) / 2)
    return key_of(total / 2), True


def _at_or_after(value: Fraction) -> tuple[int, bool]:
    nearest = float(value)
    return key_of(nearest) + (nearest < value), nearest == value


def _guessed(
    ask: _Asked, levels: tuple[int, ...], ties: dict[int, tuple[int, bool]], rounding: Rounding
) -> list[tuple[int, int]]:
    """Return the steps that directions, ties and the parity of codes imply, and their codes."""
    codes = _codes_of_levels(ask.format)
    steps = [(0, ask(0))] if ask(-1) != ask(0) else []
    for low, high in itertools.pairwise(levels):
        if low < 0 < high:
            found = _between(ask, low, high, ties[low][0] if ties else None)
            steps.extend((step, ask(step)) for step in found)
            continue
        falls = high <= 0
        near, far = (high, low) if falls else (low, high)
        gap = Between(_HALF, codes[near], codes[far])
        upward = gap.goes_far(mirrored(rounding) if falls else rounding) != falls
        step = low + 1 if upward else (high or key_of(-0.0))
        if ties:
            tie, exact = ties[low]
            step = max(tie + (exact and not upward), low + 1)
        steps.append((step, codes[high] if high else ask(step)))
    return sorted(steps)


def _codes_of_levels(format: Format) -> dict[int, int]:
    """Return the lowest code of every finite value, by the value's key."""
    codes: dict[int, int] = {}
    keys = keys_of(value_table(format) + 0.0).tolist()
    for code, key in enumerate(keys):
        codes.setdefault(key, code)
    return codes


class _Asked:
    """The code of the number at a key, remembered."""

    def __init__(self, format: Format, rounding: Rounding, overflow: Overflow) -> None:
        self.format, self.modes = format, (rounding, overflow)
        self._known: dict[int, int] = {}
        largest = key_of(float(np.finfo(np.float64).max))
        for end in (-largest - 1, largest):
            self.specified(end)

    def specified(self, key: int) -> int:
        return self.format.encode(number_at(key), *self.modes)

    def __call__(self, key: int) -> int:
        if key not in self._known:
            try:
                self._known[key] = self.specified(key)
            except ValueError:
                self._known[key] = _NO_CODE
        return self._known[key]


def _all_between(
    ask: Callable[[int], int],
    places: list[int] | tuple[int, ...],
    ties: dict[int, tuple[int, bool]] | None = None,
) -> Iterator[int]:
    """Yield the steps between places, each at most one code away from the next."""
    for low, high in itertools.pairwise(places):
        tie = (ties or {}).get(low)
        yield from _between(ask, low, high, tie and tie[0])


def _between(ask: Callable[[int], int], low: int, high: int, tie: int | None) -> Iterator[int]:
    """Yield the keys after `low`, up to `high`, at which the code changes."""
    before, after = ask(low), ask(high)
    if before == after:
        return
    guesses = (high, low + 1) if tie is None else (tie, tie + 1)
    for guess in guesses:
        if low < guess <= high and ask(guess) == after and ask(guess - 1) == before:
            yield guess
            return
    while high - low > 1:
        middle = (low + high) // 2
        if ask(middle) == before:
            low = middle
        elif ask(middle) == after:
            high = middle
        else:
            yield from _between(ask, low, middle, None)
            yield from _between(ask, middle, high, None)
            return
    yield high


_NEAREST = frozenset(mode for mode in Rounding if mode.name.startswith("TIES"))


class Steps:
    """A staircase made ready for one float type, with buffers for pieces of so many elements.

    Parameters
    ----------
    stairs
        What to apply.
    float_type
        Of the numbers that come.
    results
        One for each stretch of the staircase: codes or values, in the type wanted.
    size
        Elements of the largest piece.

    """

    def __init__(self, stairs: Staircase, float_type: Any, results: Any, size: int) -> None:
        self.stairs, self.results = stairs, results
        self.float_type = np.dtype(float_type)
        self._tables = _buckets(stairs)
        if self._tables is not None:
            self.bounds = _bounds(self._tables.bounds, self.float_type)
            self.either = results[self._tables.either]
            self.index, self.met = np.empty(size, np.intp), np.empty(size, self.float_type)
            self.narrow = np.empty(size, np.float32)
            self.over = np.empty(size, np.bool_)

    def convert(self, source: NDArray[Any], out: Any) -> None:
        """Write the result of every number of a piece; what NaN gives is without meaning."""
        if self._tables is None:
            places = np.searchsorted(
                self.stairs.steps, keys_of(source.astype(np.float64)), side="right"
            )
            np.copyto(out, self.results[places])
            return
        flat, count = source.reshape(-1), source.size
        index, met, over = self.index[:count], self.met[:count], self.over[:count]
        singles = flat if self.float_type == np.float32 else self._narrowed(flat)
        np.right_shift(singles.view(np.uint32), 16, out=index, casting="unsafe")
        np.take(self.bounds, index, out=met, mode="clip")
        np.greater_equal(flat, met, out=over)
        index += index
        index += over
        if out.flags.c_contiguous:
            np.take(self.either, index, out=out.reshape(-1), mode="clip")
        else:
            out[...] = self.either[index].reshape(out.shape)

    def _narrowed(self, flat: NDArray[Any]) -> NDArray[np.float32]:
        singles = self.narrow[: flat.size]
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            np.copyto(singles, flat, casting="same_kind")
        return singles


@dataclass(frozen=True, eq=False)
class _Buckets:
    """For each upper half of a float32: the step within, and the stretches on its sides (equal
    where there is no step)."""

    bounds: NDArray[np.float64]
    either: NDArray[np.intp]


def _buckets(stairs: Staircase) -> _Buckets | None:
    """Return the tables of a staircase, None where some bucket holds more than one step.

    Rounding to float32 keeps the order, so steps of other buckets are before or after all numbers
    of this one, whether those come as float32 or as float64. The buckets of −0 and +0 are two.
    """
    numbers = np.array([number_at(int(key)) for key in stairs.steps])
    with np.errstate(over="ignore", under="ignore"):
        bucket = numbers.astype(np.float32).view(np.uint32) >> 16
    counts = np.bincount(bucket, minlength=_BUCKETS)
    if counts.max(initial=0) > 1:
        return None
    half = _BUCKETS // 2
    order = np.concatenate([np.arange(_BUCKETS - 1, half - 1, -1), np.arange(half)])
    below = np.empty(_BUCKETS, np.intp)
    ordered = counts[order]
    below[order] = np.cumsum(ordered) - ordered
    bounds = np.zeros(_BUCKETS)
    bounds[bucket] = numbers
    either = np.stack([below, below + counts], axis=1).reshape(-1)
    return _Buckets(bounds, either)


def _bounds(bounds: NDArray[np.float64], float_type: np.dtype[Any]) -> NDArray[Any]:
    """Return bounds in a float type: the least number of it at or after each."""
    if float_type == np.float64:
        return bounds
    with np.errstate(over="ignore", under="ignore"):
        singles = bounds.astype(np.float32)
        less = singles.astype(np.float64) < bounds
        return np.where(less, np.nextafter(singles, np.float32(np.inf)), singles)
