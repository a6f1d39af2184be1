"""Grids of designs: every point is what the estimate of that design says, exactly."""

import random
import subprocess
import sys

import numpy as np
import pytest

import costmodel
from costmodel import estimate
from costmodel.grid import COUNTS, Grid, prepare
from hw.accumulators import parse_accumulator
from hw.formats import parse
from hw.target import load

ACCUMULATORS = ("exact", "exact:1000", "wrap:32", "saturate:20", "window:24", "fp32")


def grid(kind, **axes):
    """Return a grid whose axes are given by names."""
    readers = {
        "weights": parse,
        "activations": parse,
        "targets": load,
        "accumulators": parse_accumulator,
    }
    plain = {"activations": ("int8",), "targets": ("xcup",)} | axes
    return Grid(
        kind=kind, **{k: tuple(map(readers.get(k, lambda v: v), v)) for k, v in plain.items()}
    )


GRIDS = {
    "mac": {
        "weights": ("int4", "int8", "e2m1fn", "e4m3fn", "e5m2"),
        "activations": ("int8", "uint5", "e4m3fn", "e3m2fn"),
        "targets": ("xcup", "xcup:portable", "xc7", "ecp5", "ice40"),
        "structures": ("behavioural", "rows", "table", "merged", "dsp"),
        "accumulators": ACCUMULATORS,
    },
    "dot": {
        "weights": ("int3", "e4m3fn", "e2m3fn"),
        "activations": ("int8", "e2m1fn"),
        "targets": ("xcup", "ecp5"),
        "structures": ("behavioural", "rows", "table", "merged", "packed"),
        "accumulators": ACCUMULATORS,
        "lanes": (1, 2, 5, 16, 40),
    },
    "mxdot": {
        "weights": ("e2m1fn", "e4m3fn"),
        "activations": ("e2m1fn",),
        "targets": ("xcup", "ecp5"),
        "structures": ("rows", "merged"),
        "accumulators": ("fp32", "bfloat16"),
        "lanes": (4, 32),
    },
    "array": {
        "weights": ("int4", "e4m3fn"),
        "activations": ("int8", "e4m3fn"),
        "targets": ("xcup", "xc7", "ecp5", "ice40"),
        "structures": ("behavioural", "rows", "merged", "table", "packed"),
        "accumulators": ACCUMULATORS,
        "lanes": (1, 3),
        "rows": (1, 2, 3, 4, 5, 8, 17, 33, 64),
        "columns": (1, 2, 3, 4, 7, 16, 18, 36, 64),
    },
    "tile": {
        "weights": ("int4", "e2m1fn"),
        "activations": ("int4", "e2m1fn"),
        "targets": ("xcup", "ice40"),
        "structures": ("rows", "table", "packed"),
        "lanes": (2, 8),
        "rows": (1, 2, 4, 6),
        "columns": (1, 2, 8),
    },
}


def check(kind, samples, seed):
    """Compare points drawn at random with their estimates; return how many."""
    table = prepare(grid(kind, **GRIDS[kind]))
    chunks = list(table.chunks(points=1000))
    columns = {name: np.concatenate([c.columns[name] for c in chunks]) for name in COUNTS}
    assert all(len(column) == table.points for column in columns.values())
    drawn = random.Random(seed).sample(range(table.points), min(samples, table.points))
    for point in drawn:
        found = estimate(table.design(point), table.target(point))
        expected = tuple(getattr(found, name) for name in COUNTS)
        assert tuple(columns[name][point] for name in COUNTS) == expected, table.design(point)
    return len(drawn)


@pytest.mark.parametrize(
    ("kind", "number"), [("mac", 150), ("dot", 100), ("mxdot", 8), ("array", 150), ("tile", 100)]
)
def test_points_are_the_estimates_of_their_designs(kind, number):
    assert check(kind, number, seed=1) == number


@pytest.mark.slow
def test_thousands_of_points_are_the_estimates_of_their_designs():
    checked = sum(check(kind, 2500, seed) for seed, kind in enumerate(GRIDS))
    assert checked > 5000


def test_chunks_hold_whole_cores_of_one_target_in_order():
    axes = {"weights": ("int4", "int8"), "targets": ("xcup", "ecp5"), "lanes": (1, 2, 4)}
    table = prepare(grid("array", **axes, rows=(1, 2, 3), columns=(1, 4)))
    assert (table.points, table.sides, len(table.cores)) == (2 * 2 * 3 * 6, 6, 12)
    starts, point = [], 0
    for chunk in table.chunks(points=15):
        starts.append(chunk.start)
        assert len({id(table.cores[core].target) for core in chunk.core}) == 1
        places = zip(chunk.core, chunk.rows, chunk.columns_of_points, chunk.products, strict=True)
        for core, rows, columns, products in places:
            design = table.design(point)
            assert (design.rows, design.columns) == (rows, columns)
            assert products == rows * columns * design.lanes
            assert table.axes[core][5] == (1, 2, 4).index(design.lanes)
            point += 1
        assert all(len(column) == len(chunk.core) for column in chunk.columns.values())
    assert point == table.points
    assert starts == [0, 12, 24, 36, 48, 60]


def test_columns_of_ones_own_stand_beside_the_counts():
    table = prepare(grid("array", weights=("int4",), rows=(1, 2), columns=(1, 2)))
    extras = {"sites_per_product": lambda chunk: chunk.columns["sites"] / chunk.products}
    (chunk,) = table.chunks(extras=extras)
    assert list(chunk.columns) == [*COUNTS, "sites_per_product"]
    for place in range(4):
        design = table.design(place)
        sites = estimate(design, load("xcup")).sites
        assert chunk.columns["sites_per_product"][place] == sites / (design.rows * design.columns)


def test_what_cannot_be_built_is_named():
    table = prepare(grid("mac", weights=("int8", "e2m1fn"), structures=("rows", "table")))
    assert [core.axes for core in table.cores] == [(0, 0, n, 0, 0, 0) for n in (0, 1)]
    assert [refusal.axes for refusal in table.refused] == [(0, 1, n, 0, 0, 0) for n in (0, 1)]
    assert "structure table cannot serve int8 × int8" in table.refused[0].reason
    with pytest.raises(ValueError, match=r"nothing in the grid can be built: structure table"):
        prepare(grid("mac", weights=("int8",), structures=("table",)))


@pytest.mark.parametrize(
    ("kind", "axes", "words"),
    [
        ("mac", {"structures": ("auto",)}, "settled, not auto"),
        ("mac", {"lanes": (2,)}, r"one lane: lanes is \(1,\), not \(2,\)"),
        ("dot", {"rows": (1, 2)}, "only arrays and tiles have rows and columns, not dot"),
        ("dot", {"lanes": (2, 2)}, "lanes has one twice"),
        ("dot", {"lanes": ()}, "lanes has none"),
        ("array", {"rows": (65,)}, "rows"),
        ("dit", {}, "dit"),
        ("mac", {"targets": ("asic",)}, "targets with LUTs, not asic"),
    ],
)
def test_bad_axes_are_refused(kind, axes, words):
    with pytest.raises(ValueError, match=words):
        grid(kind, weights=("int4",), **axes)


def test_the_model_is_loaded_with_the_first_name_of_it():
    code = (
        "import sys, costmodel\n"
        "heavy = ('numpy', 'yaml', 'amaranth', 'cocotb', 'hw')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "costmodel.estimate\n"
        "print('hw.plan' in sys.modules, 'yaml' in sys.modules, 'amaranth' in sys.modules)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split("\n")[:2] == ["[]", "True False False"]
    with pytest.raises(AttributeError, match="no attribute 'estimates'"):
        _ = costmodel.estimates
