"""Floor 4. Non-dominated points for two to four objectives, all minimised.

A point is dominated if another is no worse in every objective and better in one. Of points that
are equal in all objectives only the first is kept, so that a front names each trade-off once.

Most points of a large set are dominated by a few good ones; these go first (pivots). The rest is
sorted by the first objective, whereupon nothing can be dominated by what comes after it. Two
objectives need one running minimum. Three go block by block: a staircase of the other two keeps
what all blocks before have reached, and within a block halves are compared (`sweeps.dominance`).
Four are halved by the first objective: the front of the earlier half drops what it dominates of the
later, of which the front is then taken.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sweeps.dominance import covered_by, covered_by_earlier, new_minima, rising

FEWEST_OBJECTIVES, MOST_OBJECTIVES = 2, 4
_SAMPLE = 2048
_CANDIDATES = 128
_PIVOTS = 24
_SMALL = 4096
_BLOCK = 8192
_LEAF = 256
_WORTHWHILE = 0.2
"""Pivots go on while each removes at least this share of what is left."""

Costs = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


def non_dominated(costs: npt.ArrayLike) -> Mask:
    """Which points nothing dominates.

    Parameters
    ----------
    costs
        Array (point, objective), 2 to 4 objectives, lower is better; infinities are allowed.

    Returns
    -------
    Boolean array (point,); of equal points only the first is true.

    Raises
    ------
    ValueError
        For another shape, or NaN.

    """
    columns = _checked(costs)
    mask = np.zeros(columns.shape[1], dtype=bool)
    mask[front_of(columns)] = True
    return mask


def front(costs: npt.ArrayLike) -> Numbers:
    """Numbers of the non-dominated points in lexicographic order; parameters, errors as above."""
    return front_of(_checked(costs))


def front_of(columns: Costs) -> Numbers:
    """As `front`, for a checked array (objective, point)."""
    left, numbers = _after_pivots(columns)
    if not len(numbers):
        return numbers
    if len(left) == 2:
        return numbers[_front_of_two(left)]
    if np.isposinf(left.max()):  # which stands for no value at all in `sweeps.dominance`
        left = np.array([_dense_ranks(row) for row in left], dtype=np.float64)
    order = _lexicographic(left)
    find = _front_of_three if len(left) == 3 else _front_of_four
    return numbers[order[find(_taken(left, order))]]


def _taken(columns: Costs, numbers: Numbers) -> Costs:
    """The columns of some points; row by row, which NumPy does several times as fast."""
    taken = np.empty((len(columns), len(numbers)))
    for row, column in zip(taken, columns, strict=True):
        np.take(column, numbers, out=row)
    return taken


def _checked(costs: npt.ArrayLike) -> Costs:
    table = np.asarray(costs, dtype=np.float64)
    if table.ndim != 2 or not FEWEST_OBJECTIVES <= table.shape[1] <= MOST_OBJECTIVES:
        raise ValueError(
            f"costs must be points × {FEWEST_OBJECTIVES}..{MOST_OBJECTIVES} objectives, "
            f"not shape {table.shape}"
        )
    columns = np.ascontiguousarray(table.T)
    if np.isnan(columns.min(initial=np.inf)):
        point = int(np.isnan(table).any(axis=1).argmax())
        raise ValueError(f"an objective must be a number, point {point} has NaN")
    return columns


def _after_pivots(columns: Costs) -> tuple[Costs, Numbers]:
    """Drop what a few good points dominate; the rest, and which points they are."""
    count = columns.shape[1]
    numbers = np.arange(count)
    if count <= _SMALL:
        return columns, numbers
    for pivot in _pivots(columns[:, :: max(2, -(-count // _SAMPLE))]):
        keep = columns[0] < pivot[0]
        equal = columns[0] == pivot[0]
        for column, value in zip(columns[1:], pivot[1:], strict=True):
            keep |= column < value
            equal &= column == value
        keep |= equal
        kept = np.flatnonzero(keep)
        if len(kept) > (1 - _WORTHWHILE) * columns.shape[1]:
            break
        columns, numbers = _taken(columns, kept), numbers[kept]
    return columns, numbers


def _pivots(sample: Costs) -> Costs:
    """The points of a sample's front that dominate most of it, best first; (pivot, objective)."""
    best = sample[:, front_of(sample)]
    best = best[:, :: -(-best.shape[1] // _CANDIDATES)]
    power = (best[:, :, None] <= sample[:, None, :]).all(axis=0).sum(axis=1)
    return best[:, np.argsort(-power, kind="stable")[:_PIVOTS]].T


def _lexicographic(columns: Costs) -> Numbers:
    """Order by the first objective, then the next; of equal points only the first is there."""
    order = np.argsort(columns[0])
    first = columns[0][order]
    same = first[1:] == first[:-1]
    if not same.any():
        return order
    key, size = np.zeros(len(order), dtype=np.int64), 1
    for column in columns:
        ranks = _dense_ranks(column)
        several = int(ranks.max()) + 1
        size *= several
        if size >= 1 << 62:
            return np.lexsort(columns[::-1])
        key = key * several + ranks
    order = np.argsort(key)
    return np.minimum.reduceat(order, _starts(key[order]))


def _dense_ranks(values: Costs) -> Numbers:
    """The place of each value among the distinct ones."""
    order = np.argsort(values)
    found = values[order]
    ranks = np.empty(len(values), dtype=np.intp)
    ranks[order] = np.cumsum(np.r_[False, found[1:] != found[:-1]])
    return ranks


def _starts(rising: npt.NDArray[Any]) -> Numbers:
    """Where runs of equal values begin in a sorted sequence that has at least one."""
    return np.flatnonzero(np.r_[True, rising[1:] != rising[:-1]])


def _front_of_two(columns: Costs) -> Numbers:
    """The front by each new minimum of the second objective along the first."""
    order = np.argsort(columns[0])
    second = columns[1][order]
    starts = _starts(columns[0][order])
    if len(starts) == len(order):
        return order[new_minima(second)]
    least = np.minimum.reduceat(second, starts)  # where the first objective is equal
    chosen = np.zeros(len(starts), dtype=bool)
    chosen[new_minima(least)] = True
    lengths = np.diff(starts, append=len(order))
    best = np.repeat(chosen, lengths) & (second == np.repeat(least, lengths))
    members = np.flatnonzero(best)
    return np.minimum.reduceat(order[members], _starts(columns[0][order[members]]))


def _front_of_three(rows: Costs) -> Numbers:
    """The front of points in lexicographic order, as places in it."""
    chosen: list[Numbers] = [np.empty(0, dtype=np.intp)]
    stairs = np.empty((2, 0))  # first row rising, second falling
    end = 0
    while end < rows.shape[1]:
        start, end = end, end + max(_BLOCK, stairs.shape[1])  # merged as often as they double
        block = rows[1:, start:end]
        edge = np.append(stairs[1], np.nan)  # step -1: nothing is as good in the first row
        steps = np.searchsorted(stairs[0], block[0], side="right") - 1
        alive = np.flatnonzero(~(edge[steps] <= block[1]))
        if not len(alive):
            continue
        block = _taken(block, alive)
        order = rising(block[0])
        chosen.append(alive[~covered_by_earlier(block[0], block[1], order)] + start)
        lowest = _taken(block, order)
        stairs = np.concatenate([stairs, lowest[:, new_minima(lowest[1])]], axis=1)
        stairs = _taken(stairs, _lexicographic(stairs))
        stairs = _taken(stairs, new_minima(stairs[1]))
    return np.concatenate(chosen)


def _front_of_four(rows: Costs) -> Numbers:
    """As of three, by halves."""
    count = rows.shape[1]
    if count <= _LEAF:
        return np.flatnonzero(~_covered_pairwise(rows[1:]))
    half = count // 2
    early = _front_of_four(rows[:, :half])
    late = np.flatnonzero(~covered_by(rows[1:, early], rows[1:, half:])) + half
    return np.concatenate([early, late[_front_of_four(_taken(rows, late))]])


def _covered_pairwise(rows: Costs) -> Mask:
    """Whether an earlier column is no worse than each column."""
    no_worse = np.ones((rows.shape[1], rows.shape[1]), dtype=bool)
    for row in rows:
        no_worse &= row[:, None] <= row[None, :]
    covered: Mask = np.any(np.triu(no_worse, 1), axis=0)
    return covered
