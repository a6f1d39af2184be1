"""Fronts of grids joined with losses: against all points at once, in any chunks, for a million."""

import csv
import itertools
import json
import tracemalloc

import numpy as np
import pytest

from costmodel import estimate
from costmodel.grid import Grid, prepare
from hw.formats import parse
from hw.target import load
from sweeps.cli import main
from sweeps.grid_front import front_of_grid
from sweeps.pareto import front

FORMATS = tuple(parse(name) for name in ("int2", "int4", "e2m1fn"))


def small(**more):
    options = {
        "lanes": (2, 4),
        "rows": (1, 2, 3),
        "columns": (1, 4),
        "structures": ("rows", "table"),
    }
    return Grid(
        kind="tile", weights=FORMATS, activations=FORMATS, targets=(load("xcup"),), **options | more
    )


@pytest.fixture(scope="module")
def table():
    return prepare(small())


def losses_of(grid, seed=1):
    generator = np.random.default_rng(seed)
    return {
        pair: float(generator.integers(0, 50))
        for pair in itertools.product(grid.weights, grid.activations)
    }


@pytest.fixture(scope="module")
def singly(table):
    """All that may be an objective, of each design by itself."""
    losses = losses_of(table.grid)
    found = []
    for number in range(table.points):
        design = table.design(number)
        cost = estimate(design, table.target(number))
        products = design.lanes * design.rows * design.columns
        found.append(
            {
                "loss": losses[design.weight, design.activation],
                "products": -products,
                "sites_per_product": cost.sites / products,
                **{name: getattr(cost, name) for name in ("lut", "sites", "ff")},
            }
        )
    return found


@pytest.mark.parametrize(
    "objectives",
    [
        ("loss", "sites_per_product"),
        ("loss", "lut", "products"),
        ("loss", "ff", "sites", "products"),
    ],
)
def test_it_is_the_front_of_all_points_in_any_chunks(table, singly, objectives):
    losses = losses_of(table.grid)
    costs = np.array([[values[name] for name in objectives] for values in singly])
    expected = sorted(front(costs))
    assert len(objectives) <= len(expected) < table.points
    for chunk in (1, 30, 10**6):
        found = front_of_grid(table, losses, objectives, chunk)
        assert found.points == table.points == len(costs)
        assert sorted(found.numbers) == expected
        assert np.array_equal(found.costs, costs[found.numbers])


def test_columns_of_ones_own_are_objectives_too(table):
    def delay(chunk):
        return np.arange(chunk.start, chunk.start + len(chunk.rows), dtype=float)

    found = front_of_grid(table, losses_of(table.grid), ("loss", "delay"), 7, {"delay": delay})
    assert found.numbers[0] == 0
    assert (np.diff(found.costs[:, 1]) > 0).all()


def test_a_million_points_take_little_memory():
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
    losses = losses_of(table.grid)
    tracemalloc.start()
    found = front_of_grid(table, losses)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.points == table.points > 1_000_000
    assert peak < 32e6, "a chunk and the front, not all points"
    assert found.points_per_second > 2e5, "several millions, on a machine at rest"
    assert len(found.numbers) >= 2


def test_what_cannot_be_joined_is_refused(table):
    losses = losses_of(table.grid)
    with pytest.raises(ValueError, match="an objective is one of loss, products, lut"):
        front_of_grid(table, losses, ("loss", "area"))
    with pytest.raises(ValueError, match="objectives"):
        front_of_grid(table, losses, ("loss",))
    del losses[FORMATS[0], FORMATS[1]]
    with pytest.raises(ValueError, match="every pair needs a loss, int2×int4 has none"):
        front_of_grid(table, losses)
    losses[FORMATS[0], FORMATS[1]] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        front_of_grid(table, losses)


WORDS = (
    "grid",
    "--network",
    "digits_cnn",
    "--weights",
    "int2,int4",
    "--activations",
    "uint2,uint4",
)


def test_the_command_writes_the_front(tmp_path, capsys):
    words = [*WORDS, "--lanes", "4,8", "--rows", "1..3", "--columns", "1,2", "--workers", "1"]
    words += ["--objectives", "loss,lut,products", "-o", str(tmp_path)]
    assert main([*words, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["points"] + record["refused"] == 2 * 2 * 2 * 2 * 3 * 2
    assert record["points_per_second"] > 0
    rows = list(csv.DictReader((tmp_path / "front.csv").read_text().splitlines()))
    assert len(rows) == len(record["front"]) >= 4
    assert all(row["command"].startswith("macloom generate tile --weight int") for row in rows)
    assert {float(row["products"]) for row in rows} >= {4.0, 48.0}
    assert main(words) == 0
    assert "M points/s" in capsys.readouterr().out
    refused = [
        ((*WORDS, "--rows", "0..3"), "rows are numbers such as 4,8 or 1..16"),
        ((*WORDS, "--objectives", "loss,area", "-o", str(tmp_path)), "an objective is one of"),
        ((*WORDS, "--structures", "auto"), "settled"),
        ((*WORDS, "--targets", "xcupp"), "xcup"),
        ((*WORDS, "--rows", "65"), "64"),
    ]
    for given, expected in refused:
        assert main([str(one) for one in given]) == 2, given
        assert expected in capsys.readouterr().err
    assert len(refused) == 5
