"""Floor 2c: energy and clock of a grid's points, as columns beside its counts.

What a core spends and how long its path is are found once per core, when a column is made; chunks
then take them times the sides. Points are what `costmodel.energy.estimate` and
`costmodel.timing.clock` say of their designs. Where a model does not cover a core, the column is
refused, or by choice masked there: no number stands in for one that is not known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.activity import Statistics, check_covered
from costmodel.activity_grid import TERMS, core_terms, side_factors
from costmodel.energy import constants
from costmodel.grid import Chunk, Core, Table
from costmodel.grid_shell import all_sides
from costmodel.paths import CROWD, CROWDED_LUTS, core_path
from costmodel.timing import delays
from hw.design import Design

Floats = NDArray[np.float64]
REFUSE, MASK = "refuse", "mask"
UNCOVERED = (REFUSE, MASK)
"""What becomes of a column that a model does not cover the whole of."""


@dataclass(frozen=True)
class Column:
    """A column for `Table.chunks`: gives one number per point of a chunk.

    Parameters
    ----------
    covered
        For each core of the table whether it is known.
    reasons
        Why not, by number of the core.
    values
        The numbers of cores first … last − 1 of a chunk.

    A chunk with a core that is not covered has a masked array (`numpy.ma`), others a plain one.
    """

    covered: NDArray[np.bool_]
    reasons: dict[int, str]
    values: Callable[[Chunk], Floats]

    def __call__(self, chunk: Chunk) -> NDArray[Any]:
        """Return the numbers of a chunk's points."""
        found = self.values(chunk)
        known = self.covered[chunk.first : chunk.last]
        if known.all():
            return found
        return np.ma.masked_array(found, np.repeat(~known, chunk.table.sides))


def energy_column(
    table: Table, statistics: Callable[[Design], Statistics], uncovered: str = REFUSE
) -> Column:
    """Return the column of pJ per multiply-accumulate.

    Parameters
    ----------
    table
        The grid.
    statistics
        Gives the word statistics of a design's operands (`sweeps.activity.stream_statistics`); it
        is asked once per core, of one row and one column.
    uncovered
        "refuse", or "mask".

    Raises
    ------
    ValueError
        If a core is not covered and `uncovered` is "refuse" (the first reason is given).

    """

    def terms(core: Core) -> Floats:
        check_covered(core.design, core.target)
        return np.array(core_terms(core.design, core.target, statistics(core.design), core.built))

    found, reasons = _each(table, terms, len(TERMS), uncovered)
    found /= table.lanes[:, None]
    grid = table.grid
    is_array = grid.kind == "array"
    cells = np.multiply.outer(np.array(grid.rows), np.array(grid.columns)).reshape(-1).astype(float)
    matrices: dict[Any, Floats] = {}

    def values(chunk: Chunk) -> Floats:
        target = table.cores[chunk.first].target
        if not found[chunk.first : chunk.last].any():
            return np.zeros((chunk.last - chunk.first) * table.sides)
        if target not in matrices:
            factors = all_sides(
                grid.rows,
                grid.columns,
                lambda r, c: np.array(side_factors(target, is_array, r, c)),
            )
            matrices[target] = factors / cells
        clock = constants(target.name).clock / table.lanes[chunk.first : chunk.last, None] / cells
        block = found[chunk.first : chunk.last] @ matrices[target]
        clock *= chunk.columns["ff"].reshape(block.shape)
        block += clock
        return block.reshape(-1)

    return _column(table, reasons, values)


def clock_column(table: Table, uncovered: str = REFUSE) -> Column:
    """Return the column of clocks in MHz; parameters and errors as for `energy_column`."""

    def base(core: Core) -> Floats:
        known = delays(core.target.name)
        period = known.period_ns(core_path(core.built))
        return np.array([period, known.things_ns[CROWD]])

    found, reasons = _each(table, base, 2, uncovered)
    found[list(reasons), 0] = 1.0  # masked; keeps the division defined
    grid = table.grid
    cells = np.multiply.outer(np.array(grid.rows), np.array(grid.columns)).reshape(-1).astype(float)

    def values(chunk: Chunk) -> Floats:
        period, crowd = found[chunk.first : chunk.last].T
        share = 1 / (CROWDED_LUTS * cells)
        block: Floats = chunk.columns["lut"].reshape(-1, len(cells)) * share
        np.maximum(block, 1.0, out=block)
        np.log2(block, out=block)
        block *= crowd[:, None]
        block += period[:, None]
        return np.divide(1000.0, block, out=block).reshape(-1)

    return _column(table, reasons, values)


def _each(
    table: Table, numbers: Callable[[Core], Floats], width: int, uncovered: str
) -> tuple[Floats, dict[int, str]]:
    """Return the numbers of each core, 0 where there are none, and why there are none."""
    if uncovered not in UNCOVERED:
        raise ValueError(f"uncovered is one of {', '.join(UNCOVERED)}, not {uncovered!r}")
    found = np.zeros((len(table.cores), width))
    reasons: dict[int, str] = {}
    for number, core in enumerate(table.cores):
        try:
            found[number] = numbers(core)
        except ValueError as error:
            if uncovered == REFUSE:
                raise
            reasons[number] = str(error)
    return found, reasons


def _column(table: Table, reasons: dict[int, str], values: Callable[[Chunk], Floats]) -> Column:
    covered = np.ones(len(table.cores), bool)
    covered[list(reasons)] = False
    return Column(covered, reasons, values)
