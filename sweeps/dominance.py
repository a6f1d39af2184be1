"""Floor 4. Which of many points others are no worse than, by divide and conquer over whole arrays.

Points have an order (what comes later cannot matter to what comes before), a place along a second
objective, and a value in a third. Lying in blocks by the order and within each along the second,
those of a block's later half are held against the running minimum of its earlier half; then every
block is split into its halves, and so on. That takes ``log2(points)`` passes over flat arrays,
however many points are on the front (Bentley 1980; Kung, Luccio and Preparata 1975).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Costs = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

_PAIRWISE = 16
"""In blocks of so many places, all pairs are compared."""


def rising(values: Costs) -> Numbers:
    """Return the stable order of some values; as NumPy's, but quick where none are equal."""
    order: Numbers = np.argsort(values)
    found = values[order]
    if (found[1:] == found[:-1]).any():
        order = np.argsort(values, kind="stable")
    return order


def new_minima(values: Costs) -> Numbers:
    """Return the places where a sequence falls below all that came before."""
    least = np.minimum.accumulate(values)
    new = np.empty(len(least), dtype=bool)
    new[:1] = True
    new[1:] = least[1:] < least[:-1]
    return np.flatnonzero(new)


def covered_by_earlier(second: Costs, third: Costs, order: Numbers) -> Mask:
    """Return for each point whether an earlier one is no worse in both objectives.

    Parameters
    ----------
    second, third
        Objectives of the points, each below infinity.
    order
        `rising` of the second.
    """
    count = len(second)
    place = np.arange(_padded(count), dtype=np.int32)
    place[:count] = order
    value = np.full(len(place), np.inf)
    value[:count] = third[order]
    return _covered(place, value, value)[:count]


def covered_by(sources: Costs, targets: Costs) -> Mask:
    """Return for each target whether some source is no worse in three objectives.

    Parameters
    ----------
    sources, targets
        Arrays (3, point), each number below infinity.
    """
    columns = np.concatenate([sources, targets], axis=1)
    count, given = columns.shape[1], sources.shape[1]
    by_first = rising(columns[0])  # of equal ones sources go first: they come first in the array
    rank = np.empty(count, dtype=np.int32)
    rank[by_first] = np.arange(count, dtype=np.int32)
    by_second = rising(columns[1])
    place = np.arange(_padded(count), dtype=np.int32)
    place[:count] = rank[by_second]
    source, target = np.full((2, len(place)), np.inf)
    target[:] = -np.inf
    value, is_source = columns[2][by_second], by_second < given
    source[:count] = np.where(is_source, value, np.inf)
    target[:count] = np.where(is_source, -np.inf, value)
    return _covered(place, source, target)[rank[given:]]


def _padded(count: int) -> int:
    return max(1 << max(count - 1, 1).bit_length(), _PAIRWISE)


def _covered(place: npt.NDArray[np.int32], source: Costs, target: Costs) -> Mask:
    """Return by place in the order whether a point's target is covered by an earlier source.

    Arrays lie along the second objective and have a power of two of entries; a point that is no
    source has infinity there, one that is no target minus infinity (and its answer is void).
    """
    covered = np.zeros(len(place), dtype=bool)
    width, same = len(place), source is target
    while width > _PAIRWISE:
        half = width // 2
        is_late = (place & half) != 0
        early = np.where(is_late, np.inf, source).reshape(-1, width)
        least = np.minimum.accumulate(early, axis=1, out=early).ravel()
        covered[place[np.flatnonzero(is_late & (least <= target))]] = True
        halves = [np.flatnonzero(mask).reshape(-1, half) for mask in (~is_late, is_late)]
        split = np.concatenate(halves, axis=1).ravel()
        place, source = place[split], source[split]
        target = source if same else target[split]
        width = half
    places = np.ascontiguousarray(place.reshape(-1, width).T)
    sources = np.ascontiguousarray(source.reshape(-1, width).T)
    targets = sources if same else np.ascontiguousarray(target.reshape(-1, width).T)
    hit = np.zeros(places.shape, dtype=bool)
    for step in range(1, width):
        hit[step:] |= (sources[:-step] <= targets[step:]) & (places[:-step] < places[step:])
    covered[places[hit]] = True
    return covered
