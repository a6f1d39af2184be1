"""Energy and clock as objectives of a sweep: those known as the models say, others blank."""

import csv

import pytest

from hw.design import from_record
from hw.target import load
from sweeps import known
from sweeps.cli import main
from sweeps.figure_columns import wanted
from sweeps.points import front_numbers, read_points
from sweeps.spec import parse_spec

SPEC = """\
version: 1
network: digits_cnn
weights: [int2, int4, e2m1fn]
activations: [uint2, uint4]
inputs: 60
objectives: [error_percent, energy_pj_per_mac, sites_per_lane, period_ns]
target: ecp5
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("energy")
    (found / "s.yaml").write_text(SPEC)
    assert main(["sweep", str(found / "s.yaml"), "-o", str(found), "--workers", "1"]) == 0
    return found


def test_columns_are_those_of_the_models_and_the_front_is_theirs(folder):
    points = read_points(folder / "points.csv")
    assert len(points) == 6
    objectives = parse_spec(SPEC).objectives
    assert wanted(parse_spec(SPEC)) == list(known.QUANTITIES)
    for point in points:
        (command,) = {point.command}
        words = command.split()
        record = {"kind": "dot", "lanes": 16, "specials": "ignore"}
        record |= {name: words[words.index(f"--{name}") + 1] for name in ("weight", "activation")}
        record |= {"accumulator": point.accumulator, "structure": point.structure}
        design = from_record(record)
        energy = known.energy_pj_per_mac(design, load("ecp5"))
        assert point.energy_pj_per_mac == pytest.approx(energy)
        assert point.period_ns == pytest.approx(1000 / known.fmax_mhz(design, load("ecp5")))
        assert point.unknown == ""
    front = {points[n].pair for n in front_numbers(points, objectives)}
    assert front == {point.pair for point in points if point.on_front}
    assert len(front) >= 3


def test_figures_have_energy_across(folder):
    assert (folder / "pareto_energy.png").read_bytes().startswith(b"\x89PNG")
    text = (folder / "pareto_energy.svg").read_text()
    assert "<svg" in text
    with (folder / "points.csv").open() as stream:
        assert {"energy_pj_per_mac", "period_ns", "unknown"} <= set(
            csv.DictReader(stream).fieldnames
        )


def test_what_is_not_known_is_blank_with_its_reason_and_on_no_front(tmp_path, monkeypatch, capsys):
    from sweeps import figure_columns

    usual = known.figures

    def partly(record):
        if record["design"]["weight"] == "int4":
            return {"unknown": "no formula covers it"}
        return usual(record)

    monkeypatch.setattr(figure_columns, "figures", partly)
    spec = tmp_path / "s.yaml"
    spec.write_text(SPEC.replace(", sites_per_lane, period_ns", ""))
    assert main(["sweep", str(spec), "-o", str(tmp_path / "a"), "--workers", "1"]) == 0
    points = read_points(tmp_path / "a" / "points.csv")
    blank = [point for point in points if point.energy_pj_per_mac is None]
    assert [point.weight for point in blank] == ["int4", "int4"]
    assert all(p.unknown == "no formula covers it" and not p.on_front for p in blank)
    assert any(point.on_front for point in points)
    assert "pJ/MAC" in capsys.readouterr().out
    monkeypatch.setattr(figure_columns, "figures", lambda record: {"unknown": "nothing known"})
    assert main(["sweep", str(spec), "-o", str(tmp_path / "b"), "--workers", "1"]) == 2
    assert "no energy known: nothing known" in capsys.readouterr().err


def test_another_structure_serves_where_the_smallest_has_no_formula():
    target = load("ecp5")
    record = {"kind": "dot", "weight": "int4", "activation": "int4", "lanes": 4}
    plain = from_record(record | {"structure": "rows"})
    assert known.settled_for(plain, target, ["energy", "clock"]) == plain
    packed = {"kind": "tile", "weight": "int3", "rows": 2, "columns": 2, "structure": "packed"}
    assert known.settled_for(from_record(packed), target, ["energy"]).structure != "packed"
    loaded = {"kind": "array", "dataflow": "weight-stationary", "weight": "int4"}
    array = from_record(loaded | {"structure": "rows"})
    with pytest.raises(ValueError, match=r"energy|activity"):
        known.settled_for(array, target, ["energy"])
    record = {"design": array.to_record(), "target": "ecp5", "needs": ["energy"]}
    assert set(known.figures(record)) == {"unknown"}
