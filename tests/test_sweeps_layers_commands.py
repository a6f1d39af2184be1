"""Formats layer by layer from the command line: costs by hand, files both ways, refusals."""

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest

import macloom
from sweeps.allocation import allocate
from sweeps.cli import main
from sweeps.layer_costs import Pair, Units, layer_costs, macs, parse_pairs, shares
from sweeps.models import load
from sweeps.problem_files import read_problem, to_csv

SMALL = ("--network", "digits_cnn", "--formats", "int2×uint2,int4*uint4", "--inputs", "20")
LAYERS = ("conv1", "conv2", "dense")
SUMS = (8 * 8 * 16, 2 * 2 * 32, 10)
"""Sums of products of each layer, for one image."""
ROWS = Units(structure="rows")


@pytest.fixture(autouse=True, scope="module")
def kept(tmp_path_factory):
    """Losses are measured once for all tests here."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("kept"))
    yield
    os.chdir(before)


def run(capsys, *words):
    assert main([str(word) for word in words]) == 0
    return capsys.readouterr().out


def refused(capsys, *words):
    try:
        code = main([str(word) for word in words])
    except SystemExit as leave:
        code = leave.code
    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == ""
    return printed.err.splitlines()[-1]


def test_pairs_are_read():
    found = parse_pairs("int4×uint4, e4m3fn ,fixed<8,4>*int3")
    assert [str(pair) for pair in found] == ["int4×uint4", "e4m3fn×e4m3fn", "fixed<8,4>×int3"]
    for wrong in ("", "int4×", "int4×int4×int4", "int4,int4×int4", "int4,,int3", "int4×nothing"):
        with pytest.raises(ValueError):
            parse_pairs(wrong)


def test_costs_are_those_counted_by_hand():
    network = load("digits_cnn")
    pairs = parse_pairs("int4×uint4,int8×uint3")
    found = layer_costs(network, pairs, ("lut", "sites", "memory", "bops"))
    weights = np.array([layer.weight.size for layer in network.weighted])
    assert found["memory"].tolist() == np.outer(weights, (4, 8)).tolist()
    assert macs(network).sum() == network.macs
    assert shares(network).sum() == pytest.approx(1)
    assert found["bops"].tolist() == np.outer(macs(network), (16, 24)).tolist()
    count = 0
    for (i, layer), (j, pair) in itertools.product(enumerate(network.weighted), enumerate(pairs)):
        design = macloom.design(
            "dot",
            pair.weight,
            pair.activation,
            lanes=16,
            accumulator=f"exact:{max(layer.terms, 16)}",
            specials="ignore",
        )
        estimate = macloom.estimate(design)
        assert (found["lut"][i, j], found["sites"][i, j]) == (estimate["lut"], estimate["sites"])
        count += 1
    assert count == 6
    rows = layer_costs(network, pairs, ("energy",), "xcup", ROWS)["energy"]
    assert (np.diff(rows, axis=1) > 0).all()
    steps = [
        -(-layer.terms // 16) * work for layer, work in zip(network.weighted, SUMS, strict=True)
    ]
    cycles = layer_costs(network, pairs, ("cycles",))["cycles"]
    assert cycles.tolist() == [[n + 1, n + 1] for n in steps], "a step a cycle, and the last total"
    with pytest.raises(ValueError, match=r"a cost is one of lut, sites, .*not 'area'"):
        layer_costs(network, pairs, ("area",))


def test_latencies_follow_from_steps_bits_and_units():
    network = load("digits_cnn")
    pairs = parse_pairs("int2×uint2,int4×uint4")

    def cycles(**more):
        return layer_costs(network, pairs, ("cycles",), "xcup", Units(**more))["cycles"]

    plain = cycles()
    weight, both = cycles(kind="weight-serial"), cycles(kind="both-serial")
    for column, bits in enumerate((2, 4)):
        assert (weight[:, column] - 1).tolist() == (bits * (plain[:, column] - 1)).tolist()
        assert (both[:, column] - 1).tolist() == (bits**2 * (plain[:, column] - 1)).tolist()
    assert (cycles(count=2) - 1).tolist() == ((plain - 1) / 2).tolist(), "sums share out evenly"
    assert (cycles(lanes=1024)[0] == [SUMS[0] + 1] * 2).all()
    area = [layer_costs(network, pairs, ("lut",), "xcup", Units(count=n))["lut"] for n in (1, 3)]
    assert (3 * area[0] == area[1]).all()
    timed = layer_costs(network, pairs, ("latency",), "xcup", Units(mhz=250.0))["latency"]
    assert timed == pytest.approx(plain / 250)
    own = layer_costs(network, pairs, ("latency",), "ecp5", ROWS)["latency"]
    clock = macloom.estimate(ROWS.design(network, network.multiplying[0], pairs[0]), "ecp5")
    assert own[0, 0] == pytest.approx(plain[0, 0] / clock["clock"]["fmax_mhz"])
    with pytest.raises(ValueError, match=r"needs a clock \(--mhz\), or is given in cycles"):
        layer_costs(network, pairs, ("latency",), "gowin", Units(kind="both-serial"))
    for wrong in ({"kind": "tile"}, {"kind": "both-serial", "structure": "rows"}):
        with pytest.raises(ValueError, match="unit"):
            Units(**wrong)


def test_a_latency_is_a_budget_like_the_others(capsys):
    words = ("allocate", *SMALL, "--unit", "weight-serial", "--json")
    most = json.loads(run(capsys, *words, "--max-latency", 1e9))
    cycles = most["totals"]["cycles"]
    assert set(most["formats"].values()) == {"int4×uint4"}
    less = json.loads(run(capsys, *words, "--max-latency", cycles - 1))
    assert less["totals"]["cycles"] < cycles
    assert less["loss"] > most["loss"]
    micro = json.loads(run(capsys, *words, "--max-latency", f"{cycles / 100}us", "--mhz", 100))
    assert micro["formats"] == most["formats"]
    assert micro["totals"]["latency"] == pytest.approx(cycles / 100)
    front = json.loads(run(capsys, *words, "--front", "cycles"))["front"]
    assert len(front) >= 3
    assert front[-1]["totals"]["cycles"] == cycles
    both = ("--budget", "lut=100000", "--budget", f"bops={most['totals']['bops']}")
    assert json.loads(run(capsys, *words, *both, "--max-latency", cycles))["formats"]
    least = front[0]["totals"]["cycles"]
    cases = [
        (("--max-latency", 10), f"10 for cycles cannot be met: the least is {least:g}"),
        (("--max-latency", "5 parsecs"), "a number of cycles, or a time such as 50us"),
        (("--max-latency", 9, "--budget", "cycles=9"), "cycles has two"),
        (("--front", "latency", "--target", "gowin"), "needs a clock"),
        (("--front", "cycles", "--unit", "serial"), "must be one of dot"),
        (("--front", "cycles", "--mhz", "0"), "above 0"),
        (("--front", "energy"), "bitplane"),
    ]
    for words_of_case, expected in cases:
        assert expected in refused(capsys, *words, *words_of_case), words_of_case
    assert len(cases) == 7


def test_products_of_activations_take_the_activation_format_twice_and_store_nothing():
    network = load("digits_vit")
    (pair,) = parse_pairs("int2×int5")
    products = [i for i, n in enumerate(network.multiplying) if len(n.inputs) == 2]
    assert products
    found = layer_costs(network, [pair], ("memory", "bops"))
    work = macs(network)
    for i, _ in enumerate(network.multiplying):
        assert found["bops"][i, 0] == work[i] * (25 if i in products else 10)
        assert (found["memory"][i, 0] == 0) == (i in products)
    assert isinstance(pair, Pair)


def test_sensitivities_come_as_a_table_a_file_and_a_figure(capsys, tmp_path):
    table, figure = tmp_path / "losses.csv", tmp_path / "losses.png"
    words = ("sensitivity", *SMALL, "--target", "ecp5", "-o", table, "--plot", figure)
    printed = run(capsys, *words)
    assert [line.split()[0] for line in printed.splitlines()[3:6]] == list(LAYERS)
    assert figure.read_bytes().startswith(b"\x89PNG")
    record = json.loads(run(capsys, "sensitivity", *SMALL, "--json"))
    problem = read_problem(table)
    assert problem.layers == tuple(record["layers"]) == LAYERS
    assert np.allclose(problem.loss, record["loss"], rtol=1e-9)
    assert set(problem.costs) == {"lut", "sites", "memory", "bops"}
    assert (np.diff(problem.loss, axis=1) < 0).all()
    traces = json.loads(run(capsys, "sensitivity", *SMALL, "--method", "hessian", "--json"))
    assert (np.diff(traces["loss"], axis=1) < 0).all()


def test_an_allocation_is_the_best_of_all_and_is_measured_jointly(capsys, tmp_path):
    figure = tmp_path / "map.svg"
    words = ("allocate", *SMALL, "--budget", "lut=450", "--budget", "memory=20000")
    record = json.loads(run(capsys, *words, "--plot", figure, "--json"))
    assert "<svg" in figure.read_text()
    assert record["totals"]["lut"] <= 450
    assert record["totals"]["memory"] <= 20000
    assert record["joint_loss"] > 0
    assert 0 <= record["score"] <= 1
    found = json.loads(run(capsys, "sensitivity", *SMALL, "--target", "xcup", "--json"))
    loss, costs = np.array(found["loss"]), {k: np.array(v) for k, v in found["costs"].items()}
    best = min(
        float(loss[range(3), choice].sum())
        for choice in itertools.product(range(2), repeat=3)
        if costs["lut"][range(3), choice].sum() <= 450
        and costs["memory"][range(3), choice].sum() <= 20000
    )
    assert record["loss"] == pytest.approx(best)
    text = run(capsys, *words, "--cost-of", "macs")
    assert "measured jointly" in text
    assert "held-out accuracy" in text


def test_a_front_and_its_figure(capsys, tmp_path):
    figure = tmp_path / "front.pdf"
    words = ("allocate", *SMALL, "--front", "memory", "--plot", figure, "--json")
    front = json.loads(run(capsys, *words))["front"]
    assert figure.read_bytes().startswith(b"%PDF")
    memory, loss = ([one["totals"]["memory"] for one in front], [one["loss"] for one in front])
    assert len(front) >= 3
    assert memory == sorted(memory)
    assert loss == sorted(loss, reverse=True)
    assert all(one["joint_loss"] > 0 for one in front)


PUBLISHED = """\
layer,format,loss,size
a,w4,3.0,4
a,w8,1.0,8
b,w4,0.5,40
b,w8,,80
"""


def test_problems_come_from_files_too(capsys, tmp_path):
    table = tmp_path / "published.csv"
    table.write_text(PUBLISHED)
    record = json.loads(
        run(capsys, "allocate", "--problem", table, "--budget", "size=48", "--json")
    )
    assert record["formats"] == {"a": "w8", "b": "w4"}
    assert record["loss"] == 1.5
    assert "joint_loss" not in record
    arrays = {
        "layers": ["a", "b"],
        "formats": ["w4", "w8"],
        "loss": [[3, 1], [0.5, None]],
        "costs": {"size": [[4, 8], [40, 80]]},
        "tied": [["a", "b"]],
    }
    (tmp_path / "p.json").write_text(json.dumps(arrays))
    text = run(capsys, "allocate", "--problem", tmp_path / "p.json", "--front", "size")
    assert "w4 w4" in text
    problem = read_problem(table)
    again = tmp_path / "again.csv"
    again.write_text(to_csv(problem.layers, problem.formats, problem.loss, problem.costs))
    found = read_problem(again)
    assert np.array_equal(found.loss, problem.loss)
    assert allocate(found, {"size": 44}).formats == ("w4", "w4")


def test_bad_input_is_refused_in_one_line(capsys, tmp_path):
    table = tmp_path / "p.csv"
    table.write_text(PUBLISHED)
    given = ("allocate", "--problem", table)
    cases = [
        ((*given, "--budget", "size=43"), "a budget of 43 for size cannot be met: the least is 44"),
        ((*given, "--budget", "lut=43"), "a budget is for one of size, not for 'lut'"),
        ((*given, "--budget", "size"), "COST=MOST"),
        ((*given, "--budget", "size=nan"), "COST=MOST"),
        ((*given, "--budget", "size=9", "--budget", "size=8"), "size has two"),
        (given, "needs a --budget"),
        ((*given, "--front", "size", "--budget", "size=9"), "leave out --budget"),
        ((*given, "--network", "digits_cnn", "--front", "size"), "one of the two"),
        (("allocate", "--budget", "lut=9"), "one of the two"),
        ((*given, "--front", "size", "--formats", "int4"), "a problem file has its own"),
        ((*given, "--front", "lut"), "a cost is one of size"),
        ((*given, "--front", "size", "--plot", "x.bmp"), "a figure is one of"),
        (("allocate", *SMALL, "--budget", "lut=9", "--target", "no"), "no"),
        (("sensitivity", "--network", "digits_cn"), "did you mean digits_cnn"),
        (("sensitivity", *SMALL, "--method", "hessians"), "did you mean"),
    ]
    for words, expected in cases:
        assert expected in refused(capsys, *words), words
    broken = [
        ("layer,format\na,b\n", "no column 'loss'"),
        ("layer,format,loss\na,b,x\n", ":2: loss is a number, not 'x'"),
        ("layer,format,loss\na,b,1\na,b,2\n", ":3: layer a has format b twice"),
        ("layer,format,loss\na,b,nan\n", "not NaN"),
        ("layer,format,loss\n", "no row"),
    ]
    for text, expected in broken:
        table.write_text(text)
        assert expected in refused(capsys, *given, "--front", "size"), text
    assert len(cases) + len(broken) == 20
