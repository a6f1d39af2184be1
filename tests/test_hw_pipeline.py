"""Pipeline registers: the same outputs, later; as many registers as said; shorter paths."""

from dataclasses import replace

import pytest

from costmodel.pipeline import pipeline_registers
from hw.design import from_record
from hw.pipeline import insert, levels, stages_for
from hw.rtl import emit
from hw.rtl.emit import netlist, stages_for_clock
from hw.synthesis import synthesize
from hw.target import load
from sim import runner
from sweeps import workflow
from sweeps.autotune import resolve

RECORDS = [
    {"kind": "dot", "weight": "int8", "lanes": 4, "pipeline": 6},
    {"kind": "mac", "weight": "int8", "pipeline": 3},
    {"kind": "dot", "weight": "e4m3fn", "lanes": 3, "pipeline": 4},
    {"kind": "dot", "weight": "e2m1fn", "activation": "int4", "lanes": 8, "pipeline": 2},
    {"kind": "dot", "weight": "e5m2", "lanes": 2, "accumulator": "window:24", "pipeline": 2},
    {"kind": "tile", "weight": "int4", "rows": 2, "columns": 2, "lanes": 3, "pipeline": 3},
]


def piped(target: str) -> list:
    technology = load(target)
    return [resolve(from_record(record), technology) for record in RECORDS]


@pytest.fixture(scope="module", params=["ecp5", "xcup"])
def emissions(request):
    target = load(request.param)
    return target, [(design, emit(design, target)) for design in piped(request.param)]


def test_the_design_does_the_same_later(emissions):
    _target, made = emissions
    cases = [
        runner.Case(design, emitted.verilog, emitted.top, emitted.record["latency_cycles"])
        for design, emitted in made
    ]
    found = runner.simulate(cases, vectors=2000)
    assert [verdict.mismatches for verdict in found] == [0] * len(RECORDS)
    assert all(verdict.vectors >= 2000 for verdict in found)
    for case, record in zip(cases, RECORDS, strict=True):
        assert case.latency_cycles == 1 + record["pipeline"]


@pytest.mark.slow
def test_the_registers_are_those_of_the_record(emissions):
    target, made = emissions
    for design, emitted in made[:3] + made[5:]:
        measured = synthesize(emitted.verilog, emitted.top, target)
        plain = emit(replace(design, pipeline=0), target)
        before = synthesize(plain.verilog, plain.top, target)
        chains = {int(k): n for k, n in emitted.record["pipeline_chains"].items()}
        added = pipeline_registers(chains, target)
        assert measured.ff - before.ff == added.ff, design.slug
        memories = sum(n for kind, n in measured.by_cell.items() if kind.startswith("SRL"))
        assert memories == added.sites, design.slug
        assert abs(measured.lut / before.lut - 1) < 0.04, design.slug


def test_a_register_left_out_is_found_out(emissions):
    _target, made = emissions
    design, emitted = made[0]
    wrong = emitted.verilog.replace("valid_late2 <= valid_late1", "valid_late2 <= valid", 1)
    assert wrong != emitted.verilog
    case = runner.Case(design, wrong, emitted.top, emitted.record["latency_cycles"])
    (verdict,) = runner.simulate([case], vectors=500)
    assert verdict.mismatches > 100


def test_more_stages_make_shorter_paths_until_the_accumulator_is_left():
    target = load("ecp5")
    modules, top = netlist(replace(piped("ecp5")[0], pipeline=0), target)
    paths = [insert(modules, top, stages, 4).path_ns for stages in range(9)]
    assert paths == sorted(paths, reverse=True)
    assert paths[0] > 3 * paths[6]
    assert paths[6] == paths[8]
    registers = [insert(modules, top, stages, 4).registers for stages in (0, 1, 6)]
    assert registers[0] == 0 < registers[1] < registers[2]


def test_stages_for_a_clock_are_the_fewest():
    target = load("ecp5")
    design = replace(piped("ecp5")[0], pipeline=0)
    stages = [stages_for_clock(design, target, 1000 / mhz) for mhz in (40, 100, 150, 200)]
    assert stages == sorted(stages)
    assert stages[0] < stages[-1]
    with pytest.raises(ValueError, match=r"no registers can be placed within \S+, which.*MHz"):
        stages_for_clock(design, target, 1000 / 400)


def test_levels_of_look_up_tables():
    assert [levels(n, 4) for n in (0, 1, 2, 4, 5, 6, 7, 16)] == [0, 0, 1, 1, 1.25, 1.25, 2, 2]
    assert [levels(n, 6) for n in (6, 8, 9, 36)] == [1, 1.25, 2, 2]


def test_combinational_blocks_lead_nowhere():
    modules, _top = netlist(replace(piped("ecp5")[0], pipeline=0), load("ecp5"))
    adder = next(name for name in modules["modules"] if "_add_" in name)
    with pytest.raises(ValueError, match="has no registers that a pipeline could lead to"):
        stages_for(modules, adder, 5.0, 4)


def test_estimates_count_the_registers():
    for target in ("ecp5", "xcup"):
        design = from_record(RECORDS[0])
        estimate = workflow.estimate(design, target)
        measured = workflow.synthesize(design, target)
        assert estimate["ff"] == measured["ff"]
        assert abs(estimate["sites"] / measured["sites"] - 1) < 0.03


def test_records_and_refusals():
    design = from_record(RECORDS[0])
    assert design.slug.endswith("_p6")
    assert from_record(design.to_record()) == design
    assert "pipeline" not in replace(design, pipeline=0).to_record()
    with pytest.raises(ValueError, match=r"pipeline lies in 0\.\.64, not 65"):
        from_record({"kind": "mac", "weight": "int4", "pipeline": 65})
    with pytest.raises(ValueError, match=r"delays are known of ecp5, .* only, not of asic"):
        workflow.clocked(from_record({"kind": "mac", "weight": "int4"}), "asic", 200)
    assert workflow.clocked(from_record(RECORDS[1]), "ecp5", 150).pipeline > 0
