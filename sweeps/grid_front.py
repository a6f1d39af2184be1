"""Floor 4. The front of millions of designs: a grid's estimates joined with a network's losses.

Costs come chunk by chunk from `costmodel.grid`, each point's loss from its pair of formats. As soon
as so many wait as there are on the front so far, and a few chunks' at least, the front of both is
taken: often enough that memory holds a few chunks and the front, however many points there are, and
so seldom that a point is looked at a few times only, however long the front is. A point dominated
among some is dominated for good.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.grid import CHUNK_POINTS, COUNTS, Chunk, Extra, Table
from hw.formats import Format
from sweeps.limits import Limit, Mask
from sweeps.pareto import front

Values = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

LOSS, PRODUCTS = "loss", "products"
PER_PRODUCT = "_per_product"
OBJECTIVES = (LOSS, PRODUCTS, *COUNTS, *(f"{name}{PER_PRODUCT}" for name in COUNTS))
"""What may be an objective: the loss, products per step (more is better), counts of the whole
design, and counts per product of a step; and columns asked for beside (`extras`), the same way."""

_AT_LEAST = 1 << 17
"""Points that wait before they are reduced."""


@dataclass(frozen=True, slots=True)
class GridFront:
    """The best points of a grid.

    Parameters
    ----------
    numbers
        Of the points in their table, rising in the last objective.
    costs
        Array (point, objective); products negated, so that all are minimised.
    objectives
        Their names.
    points
        How many were looked at.
    seconds
        How long that took.
    unknown
        Points left out because an objective of them is not known.
    met
        Points that are known and meet the limits.

    """

    numbers: Numbers
    costs: Values
    objectives: tuple[str, ...]
    points: int
    seconds: float
    unknown: int = 0
    met: int = 0

    @property
    def points_per_second(self) -> float:
        """Points joined, priced and compared per second."""
        return self.points / self.seconds if self.seconds else float("inf")


def front_of_grid(
    table: Table,
    losses: Mapping[tuple[Format, Format], float] | Values,
    objectives: Sequence[str] = (LOSS, "sites" + PER_PRODUCT),
    chunk_points: int = CHUNK_POINTS,
    extras: Mapping[str, Extra] | None = None,
    limits: Sequence[Limit] = (),
) -> GridFront:
    """Return the points of a grid that no other dominates.

    Parameters
    ----------
    table
        The grid, its cores planned.
    losses
        What the network loses in each (weight, activation) pair, less is better; infinite where it
        cannot be said: those of exact accumulators. Or an array with the loss of each core, where
        accumulators lose something.
    objectives
        2 to 4 of `OBJECTIVES` or of the names of `extras`.
    chunk_points
        Most points in memory.
    extras
        Columns more, as for `costmodel.grid.Table.chunks`. Where one of them is masked in what is
        an objective or limited, the point is left out.
    limits
        What points must meet, of anything that may be an objective.

    Raises
    ------
    ValueError
        For an unknown objective, too few or too many, a pair without a loss, or NaN.

    """
    _check_names((*objectives, *(limit.name for limit in limits)), extras or {})
    by_core = _losses_of_cores(table, losses) if isinstance(losses, Mapping) else losses
    start = time.perf_counter()
    best = np.empty((0, len(objectives)))
    numbers = np.empty(0, dtype=np.int64)
    points, unknown, met = 0, 0, 0
    waiting: list[tuple[Values, Numbers]] = []
    for chunk in table.chunks(chunk_points, extras):
        costs, is_known = _costs(chunk, by_core, objectives)
        kept = _meeting(is_known, chunk, by_core, limits)
        chosen = np.arange(points, points + len(costs))
        waiting.append((costs, chosen) if kept.all() else (costs[kept], chosen[kept]))
        points += len(costs)
        unknown += int(len(costs) - is_known.sum())
        met += int(kept.sum())
        if sum(len(few) for few, _ in waiting) >= max(len(best), _AT_LEAST):
            best, numbers = _reduced([(best, numbers), *waiting])
            waiting = []
    best, numbers = _reduced([(best, numbers), *waiting])
    order = np.lexsort(best.T)
    seconds = time.perf_counter() - start
    return GridFront(numbers[order], best[order], tuple(objectives), points, seconds, unknown, met)


def _check_names(names: Sequence[str], extras: Mapping[str, Extra]) -> None:
    """Refuse what is no objective."""
    known = (*OBJECTIVES, *(n for e in extras for n in (e, f"{e}{PER_PRODUCT}")))
    for name in names:
        if name not in known:
            raise ValueError(f"an objective is one of {', '.join(known)}, not {name!r}")


def _meeting(is_known: Mask, chunk: Chunk, by_core: Values, limits: Sequence[Limit]) -> Mask:
    """Return which known points of a chunk meet all limits."""
    kept = is_known.copy()
    for limit in limits:
        column = _column(chunk, by_core, limit.name)
        kept &= limit.meets(-column if limit.name == PRODUCTS else column)
    return kept


def _reduced(parts: Sequence[tuple[Values, Numbers]]) -> tuple[Values, Numbers]:
    """Return the front of all parts together, by number."""
    costs = np.concatenate([part for part, _ in parts])
    numbers = np.concatenate([part for _, part in parts])
    kept = np.sort(front(costs))
    return costs[kept], numbers[kept]


def _losses_of_cores(table: Table, losses: Mapping[tuple[Format, Format], float]) -> Values:
    """Return the loss of each core's pair."""
    grid = table.grid
    used = {(core.design.weight, core.design.activation) for core in table.cores}
    missing = [pair for pair in used if pair not in losses]
    if missing:
        weight, activation = min(missing, key=str)
        raise ValueError(f"every pair needs a loss, {weight.name}×{activation.name} has none")
    matrix = np.array(
        [[losses.get((w, a), np.inf) for a in grid.activations] for w in grid.weights], np.float64
    )
    found: Values = matrix[table.axes[:, 2], table.axes[:, 3]]
    return found


def _costs(chunk: Chunk, losses: Values, objectives: Sequence[str]) -> tuple[Values, Mask]:
    """Return array (point, objective) of a chunk, and of which points all of them are known."""
    columns = [_column(chunk, losses, name) for name in objectives]
    is_known = np.ones(len(columns[0]), bool)
    for column in columns:
        if isinstance(column, np.ma.MaskedArray):
            is_known &= ~np.ma.getmaskarray(column)
    table = np.column_stack([np.ma.getdata(column) for column in columns])
    return table.astype(np.float64, copy=False), is_known


def _column(chunk: Chunk, losses: Values, name: str) -> npt.NDArray[Any]:
    """Return one number per point, to be minimised."""
    if name == LOSS:
        return np.repeat(losses[chunk.first : chunk.last], chunk.table.sides)
    if name == PRODUCTS:
        return -chunk.products
    if name.endswith(PER_PRODUCT):
        return chunk.columns[name.removesuffix(PER_PRODUCT)] / chunk.products
    return chunk.columns[name]
