"""Estimates of a grid of designs, with planning apart; one estimate; a search of structures."""

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

import numpy as np
from measure import Row, least_seconds

from costmodel import estimate
from costmodel.grid import Extra, Grid, Table, prepare
from costmodel.grid_columns import Column, clock_column, energy_column
from hw.accumulators import parse_accumulator
from hw.design import DotProduct
from hw.formats import parse
from hw.target import load
from sweeps.activity import stream_statistics
from sweeps.autotune import resolve

SIDES = tuple(range(1, 65))
IMPORTS = 7


def rows() -> Iterator[Row]:
    """Points and cores per second, and milliseconds of what stands at the start of a session."""
    yield from grid_rows()
    yield from search_rows()
    numpy = import_seconds("import numpy")
    for what, code in (("import costmodel", ""), ("import costmodel.grid, the model", ".grid")):
        ours = import_seconds(f"import numpy, costmodel{code}") - numpy
        yield Row(f"{what}, beside NumPy", 1e3 * ours, "ms", 1e3 * numpy, "NumPy")


def grid_rows() -> Iterator[Row]:
    """Millions of points per second, and milliseconds to plan a core that was never seen."""
    grid = Grid(
        kind="array",
        weights=tuple(map(parse, ("int4", "int8", "e2m1fn", "e4m3fn"))),
        activations=tuple(map(parse, ("int8", "e4m3fn", "uint4"))),
        targets=(load("xcup"), load("ecp5")),
        structures=("rows", "merged", "table"),
        accumulators=tuple(map(parse_accumulator, ("exact", "wrap:32", "fp32"))),
        lanes=(1, 4, 16),
        rows=SIDES,
        columns=SIDES,
    )
    times = [time.process_time()]
    table = prepare(grid)
    times.append(time.process_time())
    extras = columns_of(table)
    times.append(time.process_time())
    drain(table, extras)
    times.append(time.process_time())
    planning, made, first = np.diff(times).tolist()
    (warm,) = least_seconds(lambda: drain(table), runs=5)
    cores = len(table.cores)
    yield Row("plan the cores of a grid, each (CPU)", 1e3 * planning / cores, "ms")
    yield Row("energy and clock of a grid's cores, each (CPU)", 1e3 * made / cores, "ms")
    points = table.points / 1e6
    yield Row("grid with energy and clock, its shells first", points / first, "M points/s")
    whole = planning + made + first
    yield Row("the same with planning: all for the first time", points / whole, "M points/s")
    one = table.design(table.points - 1)
    (single,) = least_seconds(lambda: estimate(one, table.target(table.points - 1)))
    yield Row(
        "grid of arrays, planned before", points / warm, "M points/s", 1e-6 / single, "estimate"
    )
    yield from column_rows(table, extras)


def columns_of(table: Table) -> dict[str, Column]:
    """Return the columns of energy and clock."""
    return {
        "energy_pj_per_mac": energy_column(table, stream_statistics(), "mask"),
        "fmax_mhz": clock_column(table, "mask"),
    }


def column_rows(table: Table, extras: Mapping[str, Column]) -> Iterator[Row]:
    """Millions of points per second with energy and clock."""
    plain, warm = least_seconds(lambda: drain(table), lambda: drain(table, extras), runs=5)
    points = table.points / 1e6
    yield Row(
        "grid with energy and clock", points / warm, "M points/s", points / plain, "counts alone"
    )
    covered = extras["energy_pj_per_mac"].covered & extras["fmax_mhz"].covered
    yield Row("cores whose energy and clock are both known", 100 * float(covered.mean()), "%")


def drain(table: Table, extras: Mapping[str, Extra] | None = None) -> None:
    """Compute all points of a grid."""
    for _ in table.chunks(extras=extras):
        pass


def search_rows() -> Iterator[Row]:
    """CPU milliseconds of a search for a pair never seen, and of an estimate of another size."""
    names = [f"e{e}m{m}finite" for e in range(1, 6) for m in range(6) if e + m < 8]
    names += [f"int{bits}" for bits in range(2, 9)]
    pairs = list(itertools.product(map(parse, names), repeat=2))
    chosen = [pairs[n] for n in np.random.default_rng(7).permutation(len(pairs))[:200]]
    target = load("xcup")
    searches, others = [], []
    for weight, activation in chosen:
        start = time.process_time()
        settled = resolve(DotProduct(weight=weight, activation=activation, lane_count=16), target)
        estimate(settled, target)
        middle = time.process_time()
        other = DotProduct(
            weight=weight, activation=activation, lane_count=12, structure=settled.structure
        )
        estimate(other, target)
        searches.append(middle - start)
        others.append(time.process_time() - middle)
    for what, found in (("structures of a new pair", searches), ("other lanes of a pair", others)):
        for share in (50, 95):
            yield Row(f"{what}, {share} % within", 1e3 * float(np.percentile(found, share)), "ms")


def import_seconds(code: str) -> float:
    """Return the least wall time of a fresh interpreter."""
    times = []
    for _ in range(IMPORTS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - start)
    return min(times)
