"""Estimates of a grid of designs, one estimate, a search of structures, and the first use of all.

What is asked stands as the peer "asked": at least so many points per second, at most so many
milliseconds.
"""

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from measure import Row, least_seconds

from costmodel import activity, estimate, timing
from costmodel.grid import Extra, Grid, Table, prepare
from costmodel.grid_columns import Column, clock_column, energy_column
from hw.accumulators import parse_accumulator
from hw.design import DotProduct
from hw.formats import Format, parse
from hw.plan import plan
from hw.target import load
from sweeps.activity import stream_statistics
from sweeps.autotune import resolve

FOLDER = str(Path(__file__).parent)
SIDES = tuple(range(1, 65))
FRESH = 3
"""Fresh processes, of which the fastest counts."""
IMPORTS = 7
ASKED = "asked"
ASKED_POINTS = 5.0
"""Million points per second."""
ASKED_ESTIMATE, ASKED_SEARCH, ASKED_IMPORT, ASKED_USE = 1.0, 2.0, 50.0, 100.0
"""Milliseconds."""
FIRST_USE = (
    "from hw.design import Mac; from hw.formats import parse; from hw.target import load; "
    "int4 = parse('int4'); costmodel.estimate(Mac(weight=int4, activation=int4, structure='rows'), "
    "load('xcup'))"
)


def rows() -> Iterator[Row]:
    """Points and cores per second, and milliseconds of what stands at the start of a session."""
    yield from first_rows()
    yield from warm_rows()
    yield from search_rows()
    yield from single_rows()
    numpy = import_seconds("import numpy")
    for what, code, asked in (
        ("import costmodel", "", ASKED_IMPORT),
        ("import the model and make the first estimate", FIRST_USE, ASKED_USE),
    ):
        ours = import_seconds(f"import numpy, costmodel\n{code}") - numpy
        yield Row(f"{what}, CPU beside NumPy's {1e3 * numpy:.0f}", 1e3 * ours, "ms", asked, ASKED)


def grid() -> Grid:
    """Return a grid of a million points."""
    return Grid(
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


def first_pass() -> None:
    """Print cores, points and CPU seconds of plans, of energy and clock, and of all points."""
    times = [time.process_time()]
    table = prepare(grid())
    times.append(time.process_time())
    extras = columns_of(table)
    times.append(time.process_time())
    drain(table, extras)
    times.append(time.process_time())
    print(len(table.cores), table.points, *np.diff(times))


def first_rows() -> Iterator[Row]:
    """Million points per second where all is new, in fresh processes."""
    code = f"import sys; sys.path.insert(0, {FOLDER!r}); import bench_grid; bench_grid.first_pass()"
    call = [sys.executable, "-c", code]
    found = [
        tuple(map(float, subprocess.run(call, check=True, capture_output=True).stdout.split()))
        for _ in range(FRESH)
    ]
    cores, points, planning, made, rest = min(found, key=lambda one: sum(one[2:]))
    yield Row("plan the cores of a grid, each (CPU)", 1e3 * planning / cores, "ms")
    yield Row("energy and clock of a grid's cores, each (CPU)", 1e3 * made / cores, "ms")
    whole = planning + made + rest
    what = f"{points / 1e6:.1f} M points, planned, with energy and clock"
    yield Row(f"{what}: first pass", 1e-6 * points / whole, "M points/s", ASKED_POINTS, ASKED)


def warm_rows() -> Iterator[Row]:
    """Million points per second of a grid that is planned."""
    table = prepare(grid())
    extras = columns_of(table)
    plain, whole = least_seconds(lambda: drain(table), lambda: drain(table, extras), runs=5)
    one, target = table.design(table.points - 1), table.target(table.points - 1)
    (single,) = least_seconds(lambda: estimate(one, target))
    points = table.points / 1e6
    peer = 1e-6 / single
    yield Row("grid of arrays, planned before", points / plain, "M points/s", peer, "estimate")
    what = "the same with energy and clock"
    yield Row(what, points / whole, "M points/s", ASKED_POINTS, ASKED)
    covered = extras["energy_pj_per_mac"].covered & extras["fmax_mhz"].covered
    yield Row("cores whose energy and clock are both known", 100 * float(covered.mean()), "%")


def columns_of(table: Table) -> dict[str, Column]:
    """Return the columns of energy and clock."""
    return {
        "energy_pj_per_mac": energy_column(table, stream_statistics(), "mask"),
        "fmax_mhz": clock_column(table, "mask"),
    }


def drain(table: Table, extras: Mapping[str, Extra] | None = None) -> None:
    """Compute all points of a grid."""
    for _ in table.chunks(extras=extras):
        pass


def pairs(count: int) -> list[tuple[Format, Format]]:
    """Return pairs of formats drawn from all finite minifloats and integers of 2 to 8 bits."""
    names = [f"e{e}m{m}finite" for e in range(1, 6) for m in range(6) if e + m < 8]
    names += [f"int{bits}" for bits in range(2, 9)]
    found = list(itertools.product(map(parse, names), repeat=2))
    return [found[n] for n in np.random.default_rng(7).permutation(len(found))[:count]]


def single_rows() -> Iterator[Row]:
    """CPU milliseconds of one estimate of formats that were seen, in a size that was not."""
    target, statistics = load("xcup"), stream_statistics()
    rng = np.random.default_rng(8)
    designs = []
    for weight, activation in pairs(200):
        lanes = rng.permutation(np.arange(2, 33))[:2].tolist()
        seen, new = (
            DotProduct(weight=weight, activation=activation, lane_count=n, structure="rows")
            for n in lanes
        )
        estimate(seen, target)
        statistics(new)
        designs.append(new)

    def all_three(design: DotProduct) -> None:
        estimate(design, target)
        timing.clock(plan(design, target))
        activity.estimate(design, target, statistics(design))

    found = (
        ("estimate", _median_ms(lambda design: estimate(design, target), designs)),
        ("with clock and energy, operands drawn", _median_ms(all_three, designs)),
        ("the same asked again at once", _median_ms(all_three, designs, again=True)),
    )
    for what, milliseconds in found:
        yield Row(f"{what}, median", milliseconds, "ms", ASKED_ESTIMATE, ASKED)


def _median_ms(call, designs, again: bool = False) -> float:
    """Return the median CPU time of a call for each design or pair, the first or the second."""
    times = []
    for design in designs:
        if again:
            call(design)
        start = time.process_time()
        call(design)
        times.append(time.process_time() - start)
    return 1e3 * float(np.median(times))


def search_rows() -> Iterator[Row]:
    """CPU milliseconds of a search for a pair never seen."""
    target = load("xcup")

    def search(pair: tuple[Format, Format]) -> None:
        design = DotProduct(weight=pair[0], activation=pair[1], lane_count=16)
        estimate(resolve(design, target), target)

    found = _median_ms(search, pairs(200))
    yield Row("structures of a new pair, median", found, "ms", ASKED_SEARCH, ASKED)


def import_seconds(code: str) -> float:
    """Return the least CPU time of a fresh interpreter."""
    code += "\nimport time; print(time.process_time())"
    call = [sys.executable, "-c", code]
    found = [subprocess.run(call, check=True, capture_output=True).stdout for _ in range(IMPORTS)]
    return min(map(float, found))
