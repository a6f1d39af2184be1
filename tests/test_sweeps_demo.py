"""sweeps.demo: the whole job in small; that the real one covers what it must."""

import json

import pytest

from sweeps import demo, spec
from sweeps.cli import main

SPEC = """\
version: 1
network: digits_cnn
weights: [int3, e2m1fn]
activations: [uint4]
measure_front: true
"""
SMALL = (
    {"kind": "mac"},
    {"kind": "dot", "lanes": 2},
    {"kind": "array", "rows": 1, "columns": 2},
)


@pytest.fixture
def small(monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "PAIRS", (("int2", "int2"), ("int2", "e2m1fn")))
    monkeypatch.setattr(demo, "SIZES", SMALL)
    monkeypatch.setattr(demo, "VECTORS", 200)
    monkeypatch.setattr(spec, "SPECS", tmp_path)
    (tmp_path / "digits.yaml").write_text(SPEC)
    return tmp_path / "demo"


def test_the_demo_covers_what_the_issue_names():
    pairs = set(demo.PAIRS)
    for name in ("int8", "int4", "fixed<8,4>", "e4m3fn", "e5m2", "e3m2fn", "e2m3fn", "e2m1fn"):
        assert (name, name) in pairs
    assert ("int4", "int8") in pairs
    assert [size["kind"] for size in demo.SIZES] == ["mac", "dot", "array"]
    assert demo.VECTORS >= 10_000
    assert len(demo.designs()) == len(pairs) * 3


def test_the_demo_in_small(small, capsys):
    assert main(["demo", "-o", str(small)]) == 0
    printed = capsys.readouterr()
    assert "int2 × e2m1fn" in printed.out
    assert "[5/5]" in printed.err
    names = {path.name for path in small.iterdir()}
    assert {"points.csv", "pareto.png", "pareto.svg"} <= names
    sidecars = sorted(small.glob("*.json"))
    assert len(sidecars) == 6
    for sidecar in sidecars:
        record = json.loads(sidecar.read_text())
        assert sidecar.with_suffix(".v").exists()
        assert record["verdict"]["mismatches"] == 0
        assert record["verdict"]["vectors"] > 0
        assert record["estimate"]["lut"] > 0
        assert ("measured" in record) == (record["design"]["kind"] == "dot")


def test_the_demo_fails_on_a_mismatch(small, monkeypatch, capsys):
    from sim import runner

    def lying(cases, simulator, **options):
        found = [runner.Verdict(case.name, 9, 0, False, 9, 0.1, "none") for case in cases]
        found[0] = runner.Verdict(found[0].design, 9, 3, False, 9, 0.1, "none")
        return found

    monkeypatch.setattr(runner, "simulate", lying)
    assert main(["demo", "-o", str(small), "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["mismatches"] == 3
    assert [row["mismatches"] for row in record["formats"]] == [3, 0]
    assert len(record["seconds"]) == 5
    assert record["points"] == 2
