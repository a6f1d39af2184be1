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

    """

    numbers: Numbers
    costs: Values
    objectives: tuple[str, ...]
    points: int
    seconds: float

    @property
    def points_per_second(self) -> float:
        """Points joined, priced and compared per second."""
        return self.points / self.seconds if self.seconds else float("inf")


def front_of_grid(
    table: Table,
    losses: Mapping[tuple[Format, Format], float],
    objectives: Sequence[str] = (LOSS, "sites" + PER_PRODUCT),
    chunk_points: int = CHUNK_POINTS,
    extras: Mapping[str, Extra] | None = None,
) -> GridFront:
    """Return the points of a grid that no other dominates.

    Parameters
    ----------
    table
        The grid, its cores planned.
    losses
        What the network loses in each (weight, activation) pair, less is better; infinite where it
        cannot be said. Accuracies are of exact accumulators, so the grid's should be exact.
    objectives
        2 to 4 of `OBJECTIVES` or of the names of `extras`.
    chunk_points
        Most points in memory.
    extras
        Columns more, as for `costmodel.grid.Table.chunks`.

    Raises
    ------
    ValueError
        For an unknown objective, too few or too many, a pair without a loss, or NaN.

    """
    known = (*OBJECTIVES, *(n for e in (extras or {}) for n in (e, f"{e}{PER_PRODUCT}")))
    for name in objectives:
        if name not in known:
            raise ValueError(f"an objective is one of {', '.join(known)}, not {name!r}")
    by_core = _losses_of_cores(table, losses)
    start = time.perf_counter()
    best = np.empty((0, len(objectives)))
    numbers = np.empty(0, dtype=np.int64)
    points = 0
    waiting: list[tuple[Values, Numbers]] = []
    for chunk in table.chunks(chunk_points, extras):
        costs = _costs(chunk, by_core, objectives)
        waiting.append((costs, np.arange(points, points + len(costs))))
        points += len(costs)
        if sum(len(few) for few, _ in waiting) >= max(len(best), _AT_LEAST):
            best, numbers = _reduced([(best, numbers), *waiting])
            waiting = []
    best, numbers = _reduced([(best, numbers), *waiting])
    order = np.lexsort(best.T)
    seconds = time.perf_counter() - start
    return GridFront(numbers[order], best[order], tuple(objectives), points, seconds)


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


def _costs(chunk: Chunk, losses: Values, objectives: Sequence[str]) -> Values:
    """Return array (point, objective) of a chunk."""
    products: Numbers | None = None
    columns: list[npt.NDArray[Any]] = []
    for name in objectives:
        if name == LOSS:
            columns.append(np.repeat(losses[chunk.first : chunk.last], chunk.table.sides))
            continue
        if name == PRODUCTS or name.endswith(PER_PRODUCT):
            products = chunk.products if products is None else products
        if name == PRODUCTS:
            columns.append(-chunk.products)
        elif name.endswith(PER_PRODUCT):
            columns.append(chunk.columns[name.removesuffix(PER_PRODUCT)] / products)
        else:
            columns.append(chunk.columns[name])
    return np.column_stack(columns).astype(np.float64, copy=False)
