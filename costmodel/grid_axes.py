"""Floor 2c: the axes of a grid of designs (`costmodel.grid`), and its combinations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import product

import numpy as np

from hw.accumulators import DEFAULT_TERMS, Accumulator
from hw.design import KINDS, MAXIMUM_SIDE, Design
from hw.design import Grid as GridDesign
from hw.design.checks import one_of, within
from hw.formats import Format
from hw.plan import Plan
from hw.target import ASIC, Target

Axes = tuple[int, int, int, int, int, int]
Values = tuple[Format, Format, Accumulator, str, int]
GRID_KINDS = ("mac", "dot", "mxdot", "array", "tile")
"""Kinds whose cost is that of equal cores, and of an array's shell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Axes of a grid; its points are the combinations that can be built.

    Parameters
    ----------
    kind
        Kind of design: "mac", "dot", "mxdot", "array" or "tile".
    weights, activations
        Formats of the operands.
    targets
        Technologies other than asic.
    structures
        Settled product structures (not "auto").
    accumulators
        Accumulators.
    lanes
        Products per core and step; (1,) for a mac.
    rows, columns
        Sides of arrays and tiles; (1,) for others.
    specials
        What becomes of NaN and infinities, "flag" or "ignore".

    """

    kind: str
    weights: tuple[Format, ...]
    activations: tuple[Format, ...]
    targets: tuple[Target, ...]
    structures: tuple[str, ...] = ("rows",)
    accumulators: tuple[Accumulator, ...] = (Accumulator.exact(DEFAULT_TERMS),)
    lanes: tuple[int, ...] = (1,)
    rows: tuple[int, ...] = (1,)
    columns: tuple[int, ...] = (1,)
    specials: str = "flag"

    def __post_init__(self) -> None:
        """Reject empty axes, values twice, and axes the kind does not have."""
        one_of("kind", self.kind, GRID_KINDS)
        for field in fields(self):
            values = getattr(self, field.name)
            if isinstance(values, tuple) and len(set(values)) != len(values):
                raise ValueError(f"values of an axis differ, {field.name} has one twice")
            if not values:
                raise ValueError(f"an axis has a value at least, {field.name} has none")
        if "auto" in self.structures:
            raise ValueError("structures of a grid are settled, not auto")
        if any(target.name == ASIC for target in self.targets):
            raise ValueError("grids are of targets with LUTs, not asic")
        for target in self.targets:
            if target.calibration:
                raise ValueError(f"grids are of targets as they come, not {target.calibration}")
        if not self._has_sides and (self.rows, self.columns) != ((1,), (1,)):
            raise ValueError(f"only arrays and tiles have rows and columns, not {self.kind}")
        if self.kind == "mac" and self.lanes != (1,):
            raise ValueError(f"a mac has one lane: lanes is (1,), not {self.lanes}")
        for name in ("rows", "columns"):
            for side in getattr(self, name):
                within(name, side, 1, MAXIMUM_SIDE)

    @property
    def _has_sides(self) -> bool:
        return issubclass(KINDS[self.kind], GridDesign)

    @property
    def combinations(self) -> int:
        """Points there would be if every combination could be built."""
        sizes = [len(v) for f in fields(self) if isinstance(v := getattr(self, f.name), tuple)]
        return int(np.prod(sizes, dtype=np.int64))

    def design(
        self,
        weight: Format,
        activation: Format,
        accumulator: Accumulator,
        structure: str,
        lanes: int,
        rows: int = 1,
        columns: int = 1,
    ) -> Design:
        """Return one design of the grid, or raise what its kind raises."""
        sizes = {} if self.kind == "mac" else {"lane_count": lanes}
        sizes |= {"rows": rows, "columns": columns} if self._has_sides else {}
        return KINDS[self.kind](
            weight=weight,
            activation=activation,
            accumulator=accumulator,
            structure=structure,
            specials=self.specials,
            **sizes,
        )


@dataclass(frozen=True, slots=True)
class Core:
    """One accumulator with its lanes.

    Parameters
    ----------
    axes
        Numbers of target, structure, weight, activation, accumulator and lanes in the axes.
    design
        The design of one row and one column.
    target
        The technology.
    built
        Its plan.

    """

    axes: Axes
    design: Design
    target: Target
    built: Plan


@dataclass(frozen=True, slots=True)
class Refusal:
    """A combination that cannot be built, and why; its numbers in the axes as in `Core`."""

    axes: Axes
    reason: str


def combinations_of(grid: Grid) -> Iterator[tuple[Axes, Target, Values]]:
    """Yield the combinations of a grid without its sides, target by target."""
    axes = (
        *(grid.targets, grid.structures, grid.weights),
        *(grid.activations, grid.accumulators, grid.lanes),
    )
    for t, s, w, a, k, n in product(*(range(len(axis)) for axis in axes)):
        values = (
            *(grid.weights[w], grid.activations[a], grid.accumulators[k]),
            *(grid.structures[s], grid.lanes[n]),
        )
        yield (t, s, w, a, k, n), grid.targets[t], values
