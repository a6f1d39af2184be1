"""Fronts of grids joined with losses: against all points at once, in any chunks, for a million."""

import csv
import itertools
import json
import tracemalloc

import numpy as np
import pytest

from costmodel import estimate
from costmodel.grid import Grid, prepare
from hw.design import from_record
from hw.formats import parse
from hw.target import load
from sweeps.cli import main
from sweeps.grid_front import front_of_grid
from sweeps.known import energy_pj_per_mac, fmax_mhz
from sweeps.limits import Limit, parse_limit
from sweeps.pareto import front
from sweeps.store import Store

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


def test_limits_and_what_is_not_known_leave_points_out(table, singly):
    losses = losses_of(table.grid)
    names = ("loss", "sites_per_product", "products")
    costs = np.array([[values[name] for name in names] for values in singly])
    limits = [Limit("lut", "<=", 400), Limit("loss", "<", 40), Limit("products", ">=", 8)]
    meets = (np.array([v["lut"] for v in singly]) <= 400) & (costs[:, 0] < 40) & (-costs[:, 2] >= 8)
    assert 10 < meets.sum() < len(meets) - 10
    for chunk in (7, 10**6):
        found = front_of_grid(table, losses, names, chunk, limits=limits)
        expected = np.flatnonzero(meets)[front(costs[meets])]
        assert sorted(found.numbers) == sorted(expected)
        assert (found.points, found.met, found.unknown) == (len(costs), meets.sum(), 0)
        assert np.array_equal(found.costs, costs[found.numbers])

    def odd(chunk):
        numbers = np.arange(chunk.start, chunk.start + len(chunk.rows))
        return np.ma.masked_array(np.zeros(len(numbers)), numbers % 2 == 1)

    found = front_of_grid(table, losses, ("loss", "odd"), 7, {"odd": odd})
    assert (found.numbers % 2 == 0).all(), "never 0 where nothing is known"
    assert found.unknown == len(costs) // 2
    every = front_of_grid(table, losses, names, limits=[Limit("loss", "<", -1)])
    assert len(every.numbers) == 0


def test_limits_are_read():
    found = parse_limit("sites<=2e3", ("sites", "lut"))
    assert (found.name, found.relation, found.value) == ("sites", "<=", 2000.0)
    assert str(parse_limit("mhz >= 200 MHz", ("fmax",), {"mhz": "fmax"})) == "fmax >= 200"
    for text, message in (
        ("sites", "compares a figure with a number"),
        ("sites <= lut", "compares"),
        ("site <= 4", "did you mean 'sites'"),
    ):
        with pytest.raises(ValueError, match=message):
            parse_limit(text, ("sites", "lut"))


SPEC = """\
network: digits_cnn
weights: [{family: integers, bits: 2..3}, int4]
activations: [uint2, {family: integers, bits: 4, signed: false}]
accumulators: [exact:network, saturate:8]
kind: tile
structures: [rows, table]
lanes: [4, 8]
rows: 1..4
columns: [1, 3..4]
targets: [xcup, ecp5]
objectives: [loss, sites_per_product, energy]
where: [accuracy >= 90, sites <= 1000, products >= 8]
"""


def test_a_file_crosses_lanes_accumulators_structures_and_targets(tmp_path, capsys):
    spec = tmp_path / "grid.yaml"
    spec.write_text(SPEC)
    words = ["grid", str(spec), "-o", str(tmp_path), "--workers", "1"]
    assert main([*words, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["points"] + record["refused"] == 2 * 2 * 3 * 2 * 2 * 2 * 4 * 3
    assert 0 < record["within_constraints"] < record["points"] - record["unknown"]
    front_points = record["front"]
    assert len(front_points) >= 4
    for one in front_points:
        design, target = from_record(one["design"]), load(one["target"])
        cost = estimate(design, target)
        products = design.rows * design.columns * design.lanes
        assert cost.sites <= 1000
        assert products >= 8
        assert one["loss"] <= 10
        assert one["sites_per_product"] == pytest.approx(cost.sites / products)
        assert one["energy_pj_per_mac"] == pytest.approx(energy_pj_per_mac(design, target))
    assert {one["design"]["accumulator"] for one in front_points} >= {"saturate:8"}
    with Store(tmp_path / "points.sqlite") as store:
        kept = len(store)
    assert main([*words, "--objectives", "loss,clock", "--targets", "ecp5", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    for one in record["front"]:
        mhz = fmax_mhz(from_record(one["design"]), load("ecp5"))
        assert one["period_ns"] == pytest.approx(1000 / mhz)
    with Store(tmp_path / "points.sqlite") as store:
        assert len(store) - kept <= 40, "accuracies are joined from those kept"
    refused = [
        (("--where", "accuracy >= 100.5"), "none of"),
        (("--where", "bits <= 2"), "not 'bits'"),
        (("--where", "sites == 3"), "compares a figure"),
        (("--objectives", "loss,clock", "--targets", "gowin"), "no clock of the grid is known"),
        (("--kind", "mac"), "must be one of"),
    ]
    for more, expected in refused:
        try:
            code = main([*words, *more])
        except SystemExit as leave:
            code = leave.code
        assert code == 2, more
        assert expected in capsys.readouterr().err
    assert len(refused) == 5
    spec.write_text(SPEC.replace("lanes", "lane"))
    assert main(words) == 2
    assert "did you mean 'lanes'" in capsys.readouterr().err
    assert main(["grid"]) == 2
    assert "needs --network N" in capsys.readouterr().err


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
