"""Pipeline stages of bit planes, squares and constant weights: the same outputs, later."""

import pytest

from hw.design import from_record
from hw.target import load
from sim import cycle_bulk, runner
from sim.cycles import stimulus
from sweeps import workflow
from sweeps.clocking import for_clock
from tests.mutants import Mutant

RECORDS = [
    {"kind": "bitplane", "weight": "int8", "lanes": 8, "accumulator": "wrap:32", "pipeline": 2},
    {"kind": "bitplane", "organisation": "parallel", "weight": "int4", "activation": "int6"}
    | {"lanes": 8, "rows": 2, "columns": 2, "pipeline": 3},
    {"kind": "bitplane", "organisation": "both-serial", "weight": "bipolar3", "lanes": 6}
    | {"pipeline": 1},
    {"kind": "square", "activation": "int6", "lanes": 3, "pipeline": 3},
    {"kind": "constdot", "weights": [[3, -5, 7, 100], [1, 2, -33, 9]], "activation": "int8"}
    | {"pipeline": 2},
]


@pytest.fixture(scope="module")
def emissions():
    return [workflow.emit(from_record(record), "xcup") for record in RECORDS]


def test_the_design_does_the_same_later(emissions):
    cases = [workflow.case_of(emitted) for emitted in emissions]
    wrong = [
        Mutant("early", "", r"clear_late2 <= clear_late1;", "clear_late2 <= clear;").of(cases[0])
    ]
    wrong.append(Mutant("late", "", r"ended_0 <= \w+;", "ended_0 <= 1'h0;").of(cases[1]))
    found = runner.simulate([*cases, *wrong], vectors=300)
    assert [verdict.mismatches for verdict in found[:5]] == [0] * 5
    assert all(verdict.vectors >= 250 for verdict in found[:5])
    assert all(verdict.mismatches > 20 for verdict in found[5:])
    for emitted, record in zip(emissions, RECORDS, strict=True):
        assert emitted.record["latency_cycles"] == 1 + record["pipeline"]
        assert from_record(emitted.record["design"]).to_record() == emitted.record["design"]


@pytest.mark.slow
def test_bulk_agrees(emissions):
    for emitted in emissions[:1] + emissions[3:]:
        verdict = cycle_bulk.check(emitted.verilog, from_record(emitted.record["design"]), 5000, 1)
        assert verdict.mismatches == 0
        assert verdict.vectors >= 4000


def test_runs_are_moved_whole():
    plain = from_record({k: v for k, v in RECORDS[3].items() if k != "pipeline"})
    before, after = stimulus(plain, 50, 1), stimulus(from_record(RECORDS[3]), 50, 1)
    assert (after.expected[3:] == before.expected).all()
    assert (after.words[:-3] == before.words).all()
    assert not after.words[-3:].any()
    assert not after.care[:3].any()
    assert after.vectors == before.vectors > 0


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "ecp5"])
def test_the_registers_are_those_yosys_leaves(target):
    exact = 0
    for record in RECORDS:
        design = from_record(record)
        estimate = workflow.estimate(design, target)
        measured = workflow.synthesize(design, target)
        exact += estimate["ff"] == measured["ff"]
        assert abs(estimate["ff"] / measured["ff"] - 1) < 0.03, design.slug
        assert abs(estimate["lut"] / measured["lut"] - 1) < 0.01, design.slug
        assert estimate["clock"]["fmax_mhz"] > 50
    assert exact >= 3


@pytest.mark.slow
def test_a_clock_asks_for_stages():
    design = from_record({k: v for k, v in RECORDS[1].items() if k != "pipeline"})
    stages = [for_clock(design, load("ecp5"), mhz).design.pipeline for mhz in (50, 120)]
    assert stages == sorted(stages)
    assert stages[0] < stages[1]
    with pytest.raises(ValueError, match="bitmod takes no pipeline stages"):
        for_clock(from_record({"kind": "bitmod", "activation": "fp16"}), load("ecp5"), 100)
