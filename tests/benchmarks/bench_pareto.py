"""The front of a million points, spread at random, crowded along it or all on it, and of grids.

The peer is moocore's `is_nondominated` (C), in turns with ours; the least of some runs each.
"""

import itertools
from collections.abc import Iterator

import moocore
import numpy as np
from measure import Row, least_seconds

from costmodel.grid import Grid, prepare
from hw.formats import parse
from hw.target import load
from sweeps.grid_front import front_of_grid
from sweeps.pareto import non_dominated

COUNT = 1_000_000
COUNT_OF_FOUR = 100_000


def rows() -> Iterator[Row]:
    """Seconds per million points, and millions of grid points per second."""
    for objectives in (2, 3, 4):
        count = COUNT if objectives < 4 else COUNT_OF_FOUR
        for name, costs in point_sets(count, objectives).items():
            on_front = int(non_dominated(costs).sum())

            def peer(costs=costs):
                return moocore.is_nondominated(costs, keep_weakly=False)

            assert on_front == int(peer().sum())
            ours, theirs = least_seconds(lambda costs=costs: non_dominated(costs), peer, runs=3)
            label = f"{objectives} of {count // 1000}k, {name}: {on_front} on it"
            yield Row(label, ours, "s", theirs, "moocore")
    yield from grids()


def point_sets(count: int, objectives: int) -> dict[str, np.ndarray]:
    """Points of each kind, seeded."""
    random = np.random.default_rng(objectives)
    sphere = np.abs(random.normal(size=(count, objectives)))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    whole = random.integers(0, 1000, (count, objectives))
    whole[:, -1] += 1000 * objectives - whole.sum(axis=1)
    return {
        "random": random.random((count, objectives)),
        "crowded": 1 - sphere + 0.01 * random.random((count, 1)),
        "on a sphere": 1 - sphere,
        "whole numbers": whole.astype(float),
    }


def grids() -> Iterator[Row]:
    """A grid of 1.2 million tiles, by objectives: more of these keep more points."""
    widths = tuple(parse(f"int{bits}") for bits in range(2, 9))
    sides = tuple(range(1, 65))
    table = prepare(
        Grid(
            kind="tile",
            weights=widths,
            activations=widths,
            targets=(load("xcup"),),
            lanes=(2, 4, 8, 12, 16, 32),
            rows=sides,
            columns=sides,
        )
    )
    random = np.random.default_rng(1)
    losses = {
        (w, a): 2.0 ** -(w.bits + a.bits) + 1e-4 * float(random.random())
        for w, a in itertools.product(widths, widths)
    }
    kinds = (
        ("loss", "sites_per_product"),
        ("loss", "lut", "products"),
        ("loss", "lut", "ff", "products"),
    )
    for objectives in kinds:
        found = max(
            (front_of_grid(table, losses, objectives) for _ in range(3)),
            key=lambda found: found.points_per_second,
        )
        label = f"grid of {found.points}, {len(objectives)}: {len(found.numbers)} on the front"
        yield Row(label, found.points_per_second / 1e6, "M points/s")
