import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw.design import from_record
from hw.formats import parse
from sweeps import runs
from sweeps.accuracy import Scores
from sweeps.evaluators import (
    ACCURACY_SOURCES,
    ESTIMATE_SOURCES,
    ROOT,
    Evaluators,
    Network,
    describe_network,
    standard,
)
from sweeps.metrics import pack, summary, unpack
from sweeps.points import read_points
from sweeps.progress import Progress
from sweeps.spec import parse_spec
from sweeps.store import Store

Record = Mapping[str, Any]
TEXT = """\
version: 1
network: digits_cnn
weights: [int2, int4, e2m1fn, int8]
activations:
  - {family: integers, bits: [2, 4, 8], signed: false}
  - e4m3finite
measure_front: true
measure_from_percent: 60
target: [xcup, ice40]
"""
SWEEP = parse_spec(TEXT, "small.yaml")
CALLS: list[Record] = []
LIGHT = ("hw/__init__.py", "sim/__init__.py", "sweeps/__init__.py", "hw/errors.py")


def accuracy(record: Record) -> Record:
    """Made up: more bits, more images right."""
    CALLS.append(record)
    bits = parse(record["weight"]).bits + parse(record["activation"]).bits
    correct = min(20 + 5 * bits, 98)
    return {
        "metric": "accuracy",
        "inputs": 100,
        "method": "mse",
        "value": correct,
        "low": correct - 1,
        "high": correct + 1,
        "float_value": 99.0,
        "float_low": 98.0,
        "float_high": 100.0,
        "scores": pack(np.arange(100) < correct),
    }


def bits(record: Record) -> Record:
    """Made up: bits per byte of ten contexts; wide pairs differ by chance only."""
    CALLS.append(record)
    total = parse(record["weight"]).bits + parse(record["activation"]).bits
    noise = np.random.default_rng(total).normal(0, 0.02, 10)
    scores = -(2 + (max(12 - total, 0) / 10) + noise)
    return summary("bits_per_byte", Scores(scores, np.full(10, -2.0), "mse"))


def estimate(record: Record) -> Record:
    """Made up: the product of the bits, dearer on iCE40."""
    CALLS.append(record)
    design = from_record(record["design"])
    sites = design.weight.bits * design.activation.bits * (16 if record["target"] == "xcup" else 30)
    return {"structure": "rows", "lut": sites - 1, "sites": sites, "ff": 3, "carry": 2, "dsp": 0}


def measure(designs, target, workers, report):
    """Made up: a tenth more than the estimate."""
    found = []
    for done, design in enumerate(designs, start=1):
        record = {"design": design.to_record(), "target": target}
        assert design.structure == "rows"
        found.append({k: 1.1 * v for k, v in estimate(record).items() if k != "structure"})
        report(done, len(designs), note=design.slug)
    return found


TOOLS = Evaluators(
    network=lambda network, dataset: Network(144, f"{network} {dataset}"),
    accuracy=accuracy,
    estimate=estimate,
    measure=measure,
)


class Silent(Progress):
    """Progress that nobody sees."""

    def _write(self, text: str) -> None:
        pass


def run(path: Path, sweep=SWEEP, tools=TOOLS):
    CALLS.clear()
    with Store(path / runs.STORE_NAME) as store:
        return runs.run(sweep, store, workers=1, reporter=Silent, evaluators=tools)


def test_accuracy_and_area_are_joined(tmp_path):
    points = run(tmp_path)
    assert len(points) == 4 * 4 * 2
    point = next(p for p in points if p.pair == "int4×uint8" and p.target == "ice40")
    assert point.accuracy_percent == 80
    assert (point.accuracy_low_percent, point.accuracy_high_percent) == (79, 81)
    assert (point.error_percent, point.float_accuracy_percent) == (20, 99)
    assert (point.sites, point.sites_per_lane, point.lut) == (960, 60, 959)
    assert (point.accumulator, point.accumulator_bits) == ("exact:144", 20)
    assert point.design == "dot16_int4_uint8_exact144"
    assert point.structure == "rows"
    assert point.family == "integer × integer"


def test_each_accuracy_is_evaluated_once_for_all_targets(tmp_path):
    run(tmp_path)
    assert sum("weight" in record for record in CALLS) == 16
    order = [record["activation"] for record in CALLS if "weight" in record]
    assert order == sorted(order)
    again = run(tmp_path)
    assert not [record for record in CALLS if "weight" in record]
    assert again == run(tmp_path)


@pytest.mark.parametrize(
    ("change", "evaluated"),
    [
        ({"scales": ("max",)}, 16),
        ({"first_layer": "float"}, 16),
        ({"accumulators": ("wrap:20",)}, 16),
        ({"targets": ("xcup",)}, 0),
        ({"weights": (parse("int4"), parse("int5"))}, 4),
        ({"design": (("kind", "mac"),)}, 0),
        ({"inputs": 256}, 16),
    ],
)
def test_what_accuracy_depends_on_is_in_its_key(tmp_path, change, evaluated):
    run(tmp_path)
    run(tmp_path, replace(SWEEP, **change))
    assert sum("weight" in record for record in CALLS) == evaluated


def test_new_code_or_another_network_computes_anew(tmp_path):
    run(tmp_path)
    run(tmp_path, tools=replace(TOOLS, accuracy_salt="2"))
    assert sum("weight" in record for record in CALLS) == 16
    run(tmp_path, tools=replace(TOOLS, network=lambda *names: Network(144, "other")))
    assert sum("weight" in record for record in CALLS) == 16


def test_fronts_are_per_target_and_family(tmp_path):
    points = run(tmp_path)
    for target in SWEEP.targets:
        own = [p for p in points if p.target == target]
        for p in own:
            better = [
                q
                for q in own
                if (q.error_percent, q.sites_per_lane) != (p.error_percent, p.sites_per_lane)
                and q.error_percent <= p.error_percent
                and q.sites_per_lane <= p.sites_per_lane
            ]
            assert not (p.on_front and better)
            assert p.on_family_front or any(q.family == p.family for q in better) or not p.on_front
    assert sum(p.on_front for p in points) >= 8


def test_the_front_is_measured_from_an_accuracy_on(tmp_path):
    points = run(tmp_path)
    measured = [p for p in points if p.sites_measured is not None]
    assert measured == [p for p in points if p.on_front and p.accuracy_percent >= 60]
    assert 0 < len(measured) < sum(p.on_front for p in points)
    first = measured[0]
    assert first.sites_per_lane_measured == pytest.approx(1.1 * first.sites_per_lane)
    unmeasured = run(tmp_path, replace(SWEEP, measure_front=False))
    assert all(p.sites_measured is None for p in unmeasured)
    assert runs.measure_front(unmeasured, SWEEP, reporter=Silent, evaluators=TOOLS) == points


def test_results_are_one_table_and_a_figure_per_target(tmp_path):
    points = run(tmp_path)
    paths = runs.write_results(points, tmp_path / "out")
    assert [path.name for path in paths] == [
        "points.csv",
        "pareto_xcup.png",
        "pareto_xcup.svg",
        "pareto_ice40.png",
        "pareto_ice40.svg",
        "pareto.png",
    ]
    assert read_points(paths[0]) == points
    one = [p for p in points if p.target == "xcup"]
    names = [path.name for path in runs.write_results(one, tmp_path / "one")]
    assert names == ["points.csv", "pareto.png", "pareto.svg"]


def test_other_metrics_have_columns_of_their_own(tmp_path):
    tools = replace(
        TOOLS, accuracy=bits, network=lambda *names: Network(640, "kjv", "bits_per_byte")
    )
    sweep = replace(SWEEP, objectives=("bits_per_byte", "sites_per_lane"), measure_from_percent=99)
    points = run(tmp_path, sweep, tools)
    assert len(points) == 32
    for point in points:
        assert point.accuracy_percent is point.images is point.error_percent is None
        assert (point.contexts, point.inputs) == (10, 10)
        assert point.value == point.loss == point.bits_per_byte
        low, high = point.interval
        assert low < point.value < high < low + 0.06
        assert point.float_value == point.float_bits_per_byte_low == 2
        assert point.float_interval == (2, 2)
        assert (point.sites_measured is not None) == point.on_front
    assert read_points(runs.write_results(points, tmp_path / "out")[0]) == points
    best = {t: min(p.value for p in points if p.target == t) for t in sweep.targets}
    same = [p for p in points if p.indistinct_from_best]
    assert {p.target for p in same} == set(best)
    assert all(p.on_front and p.value < best[p.target] + 0.05 for p in same)
    assert any(p.on_front and not p.indistinct_from_best for p in points)
    with pytest.raises(ValueError, match="judged by bits_per_byte, which `objectives` must name"):
        run(tmp_path, SWEEP, tools)


def test_front_points_that_differ_by_chance_are_marked(tmp_path):
    points = [p for p in run(tmp_path) if p.target == "xcup" and p.on_front]
    ranked = sorted(points, key=lambda p: p.error_percent)
    marks = [p.indistinct_from_best for p in ranked]
    assert marks == [p.error_percent - ranked[0].error_percent < 5 for p in ranked]
    assert 1 <= sum(marks) < len(marks)


def test_the_design_of_a_point(tmp_path):
    for point in run(tmp_path):
        design = runs.design_of(point, SWEEP)
        assert design.with_structure("auto").slug == point.design
        assert design.structure == "rows"


def test_arrays_count_all_their_cells(tmp_path):
    sweep = replace(SWEEP, design=(("kind", "array"), ("rows", 2), ("columns", 4)))
    point = run(tmp_path, sweep)[0]
    assert (point.lanes, point.sites_per_lane) == (8, point.sites / 8)


def test_a_network_is_described_by_its_files(tmp_path):
    network = describe_network("digits_cnn", "digits")
    assert network.terms == 144
    assert len(network.digest) == 16
    with pytest.raises(ValueError, match="did you mean digits_cnn"):
        describe_network("digit_cnn", "digits")
    with pytest.raises(OSError, match=r"none\.npz"):
        describe_network(str(tmp_path / "none.npz"), "digits")


def test_the_standard_tools_salt_keys_with_their_code():
    tools = standard()
    assert len(tools.accuracy_salt) == len(tools.estimate_salt) == 16
    assert tools.accuracy_salt != tools.estimate_salt


def test_the_standard_accuracy_is_that_of_the_golden_arithmetic():
    record = {
        "weight": "int8",
        "activation": "uint8",
        "accumulator": "exact:144",
        "method": "max",
        "digest": "ignored",
    }
    result = standard().accuracy(record)
    assert (result["metric"], result["inputs"], result["method"]) == ("accuracy", 540, "max")
    correct = unpack(result["scores"]).sum()
    assert result["value"] == 100 * correct / 540
    assert abs(result["value"] - result["float_value"]) <= 1
    assert result["low"] < result["value"] < result["high"]
    few = standard().accuracy({**record, "inputs": 100})
    assert np.array_equal(unpack(few["scores"]), unpack(result["scores"])[:100])
    with pytest.raises(ValueError, match=r"inputs must lie in 1\.\.540.*not 541"):
        standard().accuracy({**record, "inputs": 541})


@pytest.mark.parametrize(
    ("module", "covered"),
    [("sweeps.accuracy", ACCURACY_SOURCES), ("sweeps.autotune, costmodel", ESTIMATE_SOURCES)],
)
def test_the_salt_covers_all_the_code_that_is_imported(module, covered):
    program = f"import sys, {module}\nprint(*(m.__file__ for m in sys.modules.values() if m))"
    program = program.replace("if m)", "if getattr(m, '__file__', None))")
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    files = [Path(name) for name in found.stdout.split()]
    own = [f.relative_to(ROOT) for f in files if f.is_relative_to(ROOT)]
    own = [f for f in own if f.parts[0] in ("hw", "sim", "costmodel", "sweeps")]
    assert len(own) > 5, found.stderr
    paths = [Path(name) for name in (*covered, *LIGHT)]
    assert [f for f in own if not any(f.is_relative_to(path) for path in paths)] == []
