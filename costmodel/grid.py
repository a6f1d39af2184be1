"""Floor 2c: estimates of many designs at once: a grid of formats, structures, sizes and targets.

A design costs its cores and, in an array, the shell around them. Cores are planned one by one and
once (`prepare`: about a millisecond each); what they cost together with the shell is a matrix
product for all rows and columns. Costs of parts are multiples of a fraction of two
(`costmodel.cost.GRAIN`), so sums are exact in any order, and every point is what
`costmodel.estimate` says of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel import coefficients
from costmodel.grid_axes import Core, Grid, Refusal, Values, combinations_of
from costmodel.grid_shell import COUNTS, FEATURES, shell_matrix
from costmodel.model import estimate, parts_cost
from hw.design import Design
from hw.plan import PackedTilePlan, Plan, plan
from hw.target import Target

__all__ = ["CHUNK_POINTS", "COUNTS", "Chunk", "Core", "Grid", "Refusal", "Table", "prepare"]

Numbers = NDArray[np.int64]
Extra = Callable[["Chunk"], NDArray[Any]]
"""A column more: from the counts and features of a chunk, one number per point."""

CHUNK_POINTS = 1 << 14
"""So few that a column of a chunk stays in the cache."""


@dataclass(frozen=True)
class Table:
    """A grid whose cores are planned; points are numbered core by core, row by row.

    Parameters
    ----------
    grid
        The grid.
    cores
        The cores that can be built, those of a target together.
    refused
        The combinations that cannot.
    features
        For each core the factors of `FEATURES`, for each of `COUNTS`: shape counts × cores × 5.
    whole
        Counts by row and column of cores that do not repeat (packed tiles), by number.

    """

    grid: Grid
    cores: tuple[Core, ...]
    refused: tuple[Refusal, ...]
    features: NDArray[np.float64]
    whole: Mapping[int, NDArray[np.float64]]

    @property
    def sides(self) -> int:
        """Points of one core: rows times columns."""
        return len(self.grid.rows) * len(self.grid.columns)

    @property
    def points(self) -> int:
        """All points."""
        return len(self.cores) * self.sides

    @cached_property
    def axes(self) -> Numbers:
        """For each core its numbers in the axes, as in `Core`: shape cores × 6."""
        return np.array([core.axes for core in self.cores], np.int64).reshape(-1, 6)

    @cached_property
    def lanes(self) -> Numbers:
        """For each core its lanes."""
        return np.array([core.design.lanes for core in self.cores], np.int64)

    def target(self, point: int) -> Target:
        """Return the target of a point."""
        return self.cores[point // self.sides].target

    def design(self, point: int) -> Design:
        """Return the design of a point."""
        grid = self.grid
        core, place = divmod(point, self.sides)
        row, column = divmod(place, len(grid.columns))
        one = self.cores[core].design
        return grid.design(
            one.weight,
            one.activation,
            one.accumulator,
            one.structure,
            one.lanes,
            grid.rows[row],
            grid.columns[column],
        )

    def chunks(
        self, points: int = CHUNK_POINTS, extras: Mapping[str, Extra] | None = None
    ) -> Iterator[Chunk]:
        """Give all points in order, about so many at a time and whole cores.

        Parameters
        ----------
        points
            Most points of a chunk, but for one core's.
        extras
            Columns more, by name: an energy, a clock.

        """
        most = max(points // self.sides, 1)
        start = 0
        while start < len(self.cores):
            target = self.cores[start].target
            stop = start + 1
            while stop < min(start + most, len(self.cores)) and self.cores[stop].target is target:
                stop += 1
            chunk = Chunk(self, start, stop, self._counts(start, stop, target))
            for name, extra in (extras or {}).items():
                chunk.columns[name] = extra(chunk)
            yield chunk
            start = stop

    def _counts(self, start: int, stop: int, target: Target) -> dict[str, NDArray[Any]]:
        grid = self.grid
        matrix = shell_matrix(target, grid.kind == "array", grid.rows, grid.columns)
        columns: dict[str, NDArray[Any]] = {}
        for number, name in enumerate(COUNTS):
            block = self.features[number, start:stop] @ matrix[number]
            for core in self.whole:
                if start <= core < stop:
                    block[core - start] = self.whole[core][number]
            columns[name] = np.rint(block, out=block).astype(np.int64).reshape(-1)
        return columns


@dataclass(frozen=True)
class Chunk:
    """Consecutive points of a table.

    Parameters
    ----------
    table
        The table.
    first, last
        Its cores first … last − 1.
    columns
        By name one number per point: those of `COUNTS`, and what was asked for beside.

    """

    table: Table
    first: int
    last: int
    columns: dict[str, NDArray[Any]]

    @property
    def start(self) -> int:
        """Number of the first point."""
        return self.first * self.table.sides

    @cached_property
    def core(self) -> Numbers:
        """For each point the number of its core in the table."""
        return np.repeat(np.arange(self.first, self.last), self.table.sides)

    @cached_property
    def rows(self) -> Numbers:
        """For each point its rows."""
        grid = self.table.grid
        each = np.repeat(np.array(grid.rows, np.int64), len(grid.columns))
        return np.tile(each, self.last - self.first)

    @cached_property
    def columns_of_points(self) -> Numbers:
        """For each point its columns."""
        grid = self.table.grid
        each = np.tile(np.array(grid.columns, np.int64), len(grid.rows))
        return np.tile(each, self.last - self.first)

    @cached_property
    def products(self) -> Numbers:
        """For each point the products it computes in a step: rows · columns · lanes."""
        return self.rows * self.columns_of_points * self.table.lanes[self.core]


def prepare(grid: Grid) -> Table:
    """Return a grid with all its cores planned: the slow part, once per core.

    Raises
    ------
    ValueError
        If no combination can be built (the first reason is given), or a side is out of range.

    """
    cores: list[Core] = []
    refused: list[Refusal] = []
    features: list[NDArray[np.float64]] = []
    whole: dict[int, NDArray[np.float64]] = {}
    for axes, target, values in combinations_of(grid):
        try:
            design = grid.design(*values)
            built = plan(design, target)
            if isinstance(built.core, PackedTilePlan):
                whole[len(cores)] = _each(grid, values, target)
                features.append(np.zeros((len(COUNTS), len(FEATURES))))
            else:
                features.append(_features(built))
        except ValueError as error:
            refused.append(Refusal(axes, str(error)))
            continue
        cores.append(Core(axes, design, target, built))
    if not cores:
        raise ValueError(f"nothing in the grid can be built: {refused[0].reason}")
    return Table(grid, tuple(cores), tuple(refused), np.stack(features, axis=1), whole)


def _features(built: Plan) -> NDArray[np.float64]:
    """Return what the counts of a design depend on linearly: shape counts × features."""
    design = built.design
    cost = parts_cost(built.core.parts().items(), coefficients.load(built.target.name))
    shell = (
        design.activation.bits * design.lanes,
        design.weight.bits * design.lanes,
        0 if built.array is None else built.array.result_bits,
        1,
    )
    return np.array([(getattr(cost, name), *shell) for name in COUNTS], np.float64)


def _each(grid: Grid, values: Values, target: Target) -> NDArray[np.float64]:
    """Return the counts of designs that have no core to repeat: shape counts × (rows · columns)."""
    found = [
        estimate(grid.design(*values, rows, columns), target)
        for rows in grid.rows
        for columns in grid.columns
    ]
    return np.array([[getattr(e, name) for e in found] for name in COUNTS], np.float64)
