"""Floor 2b: sums of squares (`hw.design.square`), cycle by cycle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hw.design.square import SquareSum

Cycle = tuple[bool, bool, bool, Sequence[int]]
"""Reset, valid, last, and the codes of the lanes."""
Shown = tuple[int, bool, bool]
"""Total, whether it is valid, and whether the sum left the accumulator."""


def run(design: SquareSum, cycles: Iterable[Cycle]) -> Iterator[Shown]:
    """Give what is shown after each cycle, in Python integers."""
    bits = design.accumulator_bits
    half, kept, left = 1 << (bits - 1), 0, False
    total, overflow = 0, False
    for reset, valid, last, codes in cycles:
        ended = False
        if reset:
            kept, left, total, overflow = 0, False, 0, False
        elif valid:
            exact = kept + sum(design.activation.integer(code) ** 2 for code in codes)
            total = (exact + half) % (2 * half) - half
            left = left or exact != total
            overflow, ended = left, last
            kept, left = (0, False) if last else (total, left)
        yield total, ended, overflow


def run_many(
    design: SquareSum,
    reset: NDArray[np.bool_],
    valid: NDArray[np.bool_],
    last: NDArray[np.bool_],
    codes: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the same for all cycles at once: totals, whether valid, whether out of range.

    Parameters
    ----------
    design
        What is computed.
    reset, valid, last
        Shape (cycles,).
    codes
        Shape (cycles, lanes).

    """
    bits, width = design.accumulator_bits, design.activation.bits
    values = codes.astype(np.int64)
    if design.activation.signed:
        values = values - ((values >> (width - 1)) << width)
    counts = valid & ~reset
    steps = np.where(counts, (values * values).sum(axis=1), 0)
    ends = reset | (counts & last)
    begins = np.concatenate([[True], ends[:-1]])
    sums = np.cumsum(steps)
    first = np.maximum.accumulate(np.where(begins, np.arange(len(steps)), 0))
    exact = sums - (sums - steps)[first]
    half = np.int64(1) << (bits - 1)
    left = np.where(counts, (exact + half) >> bits != (exact - steps + half) >> bits, False)
    crossed = np.cumsum(left)
    out = crossed - (crossed - left)[first] > 0
    shown = np.maximum.accumulate(np.where(counts | reset, np.arange(len(steps)), -1))
    wrapped = (exact + half) % (2 * half) - half
    total = np.where((shown >= 0) & ~reset[shown], wrapped[shown], 0)
    overflow = (shown >= 0) & ~reset[shown] & out[shown]
    return total, counts & last, overflow
