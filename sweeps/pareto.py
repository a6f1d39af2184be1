"""Floor 4. Non-dominated points for two to four objectives, all minimised.

A point is dominated if another is no worse in every objective and better in one. Of points that
are equal in all objectives only the first is kept, so that a front names each trade-off once.

Most points of a large set are dominated by a few good ones; these go first (pivots). The rest is
sorted by the first objective, whereupon nothing can be dominated by what comes after it: two
objectives need one running minimum, more are compared block by block with the front so far.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FEWEST_OBJECTIVES, MOST_OBJECTIVES = 2, 4
_SAMPLE = 2048
_PIVOTS = 24
_SMALL = 4096
_BLOCK = 256
_WORTHWHILE = 0.02
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
    mask = np.zeros(len(table), dtype=bool)
    mask[front_of(columns)] = True
    return mask


def front(costs: npt.ArrayLike) -> Numbers:
    """Numbers of the non-dominated points, rising in the first objective; errors as above."""
    table = np.asarray(costs, dtype=np.float64)
    chosen = np.flatnonzero(non_dominated(table))
    return chosen[np.lexsort(table[chosen].T[::-1])]


def front_of(columns: Costs) -> Numbers:
    """As `front`, in no order, for a checked array (objective, point)."""
    left, numbers = _after_pivots(columns)
    order = np.lexsort(left[::-1]) if left.shape[0] > 2 else _order_of_two(left)
    rows, numbers = left[:, order], numbers[order]
    if left.shape[0] == 2:
        return numbers[_rising_front(rows)]
    return numbers[_front_by_blocks(rows)]


def _after_pivots(columns: Costs) -> tuple[Costs, Numbers]:
    """Drop what a few good points dominate; the rest, and which points they are."""
    count = columns.shape[1]
    numbers = np.arange(count)
    if count <= _SMALL:
        return columns, numbers
    for pivot in _pivots(columns[:, :: -(-count // _SAMPLE)]):
        keep = columns[0] < pivot[0]
        equal = columns[0] == pivot[0]
        for column, value in zip(columns[1:], pivot[1:], strict=True):
            keep |= column < value
            equal &= column == value
        keep |= equal
        kept = np.flatnonzero(keep)
        if len(kept) > (1 - _WORTHWHILE) * columns.shape[1]:
            break
        columns, numbers = columns[:, kept], numbers[kept]
    return columns, numbers


def _pivots(sample: Costs) -> Costs:
    """The points of a sample's front that dominate most of it, best first; (pivot, objective)."""
    best = sample[:, front_of(sample)]
    power = (best[:, :, None] <= sample[:, None, :]).all(axis=0).sum(axis=1)
    return best[:, np.argsort(-power, kind="stable")[:_PIVOTS]].T


def _order_of_two(columns: Costs) -> Numbers:
    """Order by the first objective, then the second, then the number, as `lexsort` but faster."""
    order = np.argsort(columns[0], kind="stable")
    first = columns[0, order]
    if (first[1:] == first[:-1]).any():
        return np.lexsort(columns[::-1])
    return order


def _rising_front(rows: Costs) -> Numbers:
    """The front of two objectives in lexicographic order: each new minimum of the second."""
    least = np.minimum.accumulate(rows[1])
    new = np.empty(len(least), dtype=bool)
    new[:1] = True
    new[1:] = least[1:] < least[:-1]
    return np.flatnonzero(new)


def _front_by_blocks(rows: Costs) -> Numbers:
    """The front of points in lexicographic order, compared with the front so far and each other."""
    chosen: list[Numbers] = []
    best = np.empty((rows.shape[0] - 1, 0))
    for start in range(0, rows.shape[1], _BLOCK):
        block = rows[1:, start : start + _BLOCK]
        alive = np.flatnonzero(~_covered(best, block))
        block = block[:, alive]
        alive = alive[~_covered_by_earlier(block)]
        chosen.append(alive + start)
        best = _lower_edge(np.concatenate([best, rows[1:, alive + start]], axis=1))
    return np.concatenate(chosen) if chosen else np.empty(0, dtype=np.intp)


def _covered(best: Costs, block: Costs) -> Mask:
    """Whether some column of `best` is no worse than each column of `block`.

    For two rows `best` is a staircase (first row rising, second falling).
    """
    if best.shape[0] == 2:
        edge = np.append(best[1], np.nan)  # step -1: nothing is as good in the first row
        covered: Mask = edge[np.searchsorted(best[0], block[0], side="right") - 1] <= block[1]
        return covered
    covered = np.any((best[:, :, None] <= block[:, None, :]).all(axis=0), axis=0)
    return covered


def _covered_by_earlier(block: Costs) -> Mask:
    """Whether an earlier column is no worse than each column."""
    no_worse = np.ones((block.shape[1], block.shape[1]), dtype=bool)
    for row in block:
        no_worse &= row[:, None] <= row[None, :]
    covered: Mask = np.any(np.triu(no_worse, 1), axis=0)
    return covered


def _lower_edge(best: Costs) -> Costs:
    """What of `best` later points need be compared with: for two rows its staircase."""
    if best.shape[0] != 2:
        return best
    best = best[:, np.lexsort(best[::-1])]
    return best[:, _rising_front(best)]
