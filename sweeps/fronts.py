"""Floor 4. What a front is worth and what it offers: hypervolume, knees, best under constraints.

All objectives are minimised, as in `sweeps.pareto`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from sweeps.pareto import Costs, front, non_dominated


def hypervolume(costs: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return the volume that points dominate, up to a reference point.

    Exact: two objectives by one pass over the staircase, three by a staircase that grows along the
    third (Fonseca, Paquete, Lopez-Ibanez 2006), four slice by slice.

    Parameters
    ----------
    costs
        Array (point, objective), 2 to 4 objectives; points beyond the reference add nothing.
    reference
        Worst value of each objective.

    Raises
    ------
    ValueError
        For another shape, NaN, or a reference that is not finite.

    """
    table = np.asarray(costs, dtype=np.float64)
    worst = np.asarray(reference, dtype=np.float64)
    if table.ndim != 2 or worst.shape != table.shape[1:]:
        raise ValueError(
            f"a reference has one number per objective, not shape {worst.shape} for costs of "
            f"shape {table.shape}"
        )
    if not np.isfinite(worst).all():
        raise ValueError("a reference point is finite")
    keep = non_dominated(table) & (table < worst).all(axis=1)
    inside = table[keep]
    if not len(inside):
        return 0.0
    if np.isneginf(inside).any():
        return float("inf")
    return _volume(inside, worst)


def _volume(points: Costs, worst: Costs) -> float:
    if points.shape[1] == 2:
        return _area(points, worst)
    if points.shape[1] == 3:
        return _volume_of_three(points, worst)
    order = np.argsort(points[:, -1], kind="stable")
    points = points[order]
    ends = np.append(points[1:, -1], worst[-1])
    total = 0.0
    for i, (start, end) in enumerate(zip(points[:, -1], ends, strict=True)):
        if end > start:
            below = points[: i + 1, :-1]
            total += _volume(below[non_dominated(below)], worst[:-1]) * (end - start)
    return total


def _area(points: Costs, worst: Costs) -> float:
    rows = points[np.lexsort((points[:, 1], points[:, 0]))]
    least = np.minimum.accumulate(rows[:, 1])
    new = np.r_[True, least[1:] < least[:-1]]
    rows = rows[new]
    heights = np.r_[worst[1], rows[:-1, 1]] - rows[:, 1]
    return float(((worst[0] - rows[:, 0]) * heights).sum())


def _volume_of_three(points: Costs, worst: Costs) -> float:
    """Sweep along the third objective; the staircase below keeps its area as points join."""
    rows = points[np.argsort(points[:, 2], kind="stable")]
    firsts: list[float] = [-np.inf, float(worst[0])]
    seconds: list[float] = [float(worst[1]), -np.inf]
    area, total = 0.0, 0.0
    for i, (x, y, z) in enumerate(rows.tolist()):
        place = bisect_left(firsts, x)
        if seconds[place - 1] > y and not (firsts[place] == x and seconds[place] <= y):
            end, height = place, seconds[place - 1]
            left = x
            while seconds[end] >= y:
                area += (firsts[end] - left) * (height - y)
                left, height = firsts[end], seconds[end]
                end += 1
            area += (firsts[end] - left) * (height - y)
            firsts[place:end], seconds[place:end] = [x], [y]
        upper = rows[i + 1, 2] if i + 1 < len(rows) else worst[2]
        total += area * (upper - z)
    return float(total)


def knee(costs: npt.ArrayLike) -> int:
    """Return the number of the point of most bend: farthest below the chord of the front's ends.

    Objectives are scaled to 0..1 over the front first; with two points or fewer it is the first.

    Parameters
    ----------
    costs
        Array (point, 2).

    Raises
    ------
    ValueError
        For no points, or not two objectives.

    """
    table = np.asarray(costs, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 2 or not len(table):
        raise ValueError(f"a knee is of points with two objectives, not shape {table.shape}")
    chosen = front(table)
    best = table[chosen]
    span = best.max(axis=0) - best.min(axis=0)
    scaled = (best - best.min(axis=0)) / np.where(span > 0, span, 1.0)
    return int(chosen[np.argmin(scaled.sum(axis=1))])


def best_within(
    columns: Mapping[str, npt.ArrayLike], objective: str, limits: Mapping[str, float]
) -> npt.NDArray[np.intp]:
    """Return the points that meet upper limits, best in one objective first (ε-constraint).

    Parameters
    ----------
    columns
        A number per point, by name.
    objective
        Which is minimised; ties go to the earlier point.
    limits
        Most of some of the columns.

    Raises
    ------
    ValueError
        For an unknown name, or if no point meets all limits: the message tells the nearest values
        that some point reaches with the other limits kept.

    """
    arrays = {name: np.asarray(column, dtype=np.float64) for name, column in columns.items()}
    for name in (objective, *limits):
        if name not in arrays:
            raise ValueError(f"a column is one of {', '.join(arrays)}, not {name!r}")
    meets = {name: arrays[name] <= limit for name, limit in limits.items()}
    every = np.logical_and.reduce([np.ones(len(arrays[objective]), bool), *meets.values()])
    numbers = np.flatnonzero(every)
    if not len(numbers):
        raise ValueError(f"no point meets all limits: {_nearest(arrays, limits, meets)}")
    return numbers[np.argsort(arrays[objective][numbers], kind="stable")]


def _nearest(
    arrays: Mapping[str, Costs], limits: Mapping[str, float], meets: Mapping[str, object]
) -> str:
    """Say for each limit how little it would have to be with the others kept."""
    found = []
    for name, limit in limits.items():
        others = [np.asarray(mask) for other, mask in meets.items() if other != name]
        kept = np.logical_and.reduce([np.ones(len(arrays[name]), bool), *others])
        if kept.any():
            found.append(f"{name} {arrays[name][kept].min():g} instead of {limit:g}")
    return "; or ".join(found) if found else "not even with any one of them given up"
