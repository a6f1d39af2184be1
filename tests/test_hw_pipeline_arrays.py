"""Pipeline registers in the cells of arrays: the same results, later; every beat still taken."""

import re
from dataclasses import replace

import pytest
from amaranth.sim import Simulator

from costmodel.pipeline import staged
from hw.design import from_record
from hw.plan import plan
from hw.rtl import build, emit
from hw.rtl.emit import stages_for_clock
from hw.synthesis import synthesize
from hw.target import load
from sim import runner
from sweeps.autotune import resolve

STATIONARY = {"dataflow": "weight-stationary"}
RECORDS = [
    {"weight": "int8", "rows": 2, "columns": 3, "pipeline": 3},
    {"weight": "int4", "rows": 3, "columns": 2, "pipeline": 2} | STATIONARY,
    {"weight": "e4m3fn", "rows": 2, "columns": 2, "pipeline": 3},
    {"weight": "e4m3fn", "rows": 2, "columns": 2, "lanes": 2, "pipeline": 3} | STATIONARY,
    {"weight": "e5m2", "rows": 2, "columns": 1, "pipeline": 2} | STATIONARY,
    {"weight": "ternary", "activation": "int8", "lanes": 4, "rows": 2, "columns": 2}
    | {"pipeline": 1}
    | STATIONARY,
    {"weight": "int4", "lanes": 4, "rows": 3, "columns": 1, "accumulator": "saturate:12"}
    | {"pipeline": 4},
    {"weight": "e5m2", "rows": 2, "columns": 2, "accumulator": "window:24", "structure": "rows"}
    | {"pipeline": 2},
]
PACKED = [
    {"weight": "int4", "rows": 2, "columns": 2, "lanes": 4, "pipeline": 2},
    {"weight": "int8", "rows": 2, "columns": 2, "lanes": 6, "pipeline": 3},
    {"weight": "int8", "rows": 1, "columns": 2, "lanes": 4, "pipeline": 2}
    | {"accumulator": "saturate:18"},
]
"""Tiles whose products share DSP blocks: registers stand before and behind the cascades."""
CHANGES = {
    "sums shown too early": (0, r"= array_finished_2 \?", "= array_finished_1 ?"),
    "valid not late": (0, r"\.valid\(valid_late3\)", ".valid(valid_late2)"),
    "goes on while a result waits": (1, r"^    if \(advance\) (\w+_late\w* <=)", r"    \1"),
    "valid too early": (1, r"(array_step =) array_valid_7", r"\1 array_valid_6"),
}
"""Changes of the Verilog of a design (its number) that the bench must catch."""


def made(record, target="xcup"):
    technology = load(target)
    return resolve(from_record({"kind": "array"} | record), technology), technology


def case(record, target):
    emitted = emit(*made(record, target))
    design = from_record(emitted.record["design"])
    return runner.Case(design, emitted.verilog, emitted.top, emitted.record["latency_cycles"])


@pytest.fixture(scope="module")
def verdicts():
    """All designs, in turns for both targets, and the mutants, in one run."""
    cases = [case(record, ("xcup", "ecp5")[i > 1 and i % 2]) for i, record in enumerate(RECORDS)]
    tile = {"kind": "tile", "structure": "packed"}
    packed = [case(tile | record, "xcup") for record in PACKED]
    for number, pattern, replacement in CHANGES.values():
        right = cases[number]
        text, count = re.subn(pattern, replacement, right.verilog, flags=re.MULTILINE)
        assert count, pattern
        cases.append(replace(right, verilog=text))
    found = runner.simulate(cases + packed, vectors=1000)
    return found[: len(cases)], found[len(cases) :]


@pytest.mark.slow
def test_the_arrays_do_the_same_later(verdicts):
    right = verdicts[0][: len(RECORDS)] + verdicts[1]
    assert [verdict.mismatches for verdict in right] == [0] * len(right)
    assert all(verdict.vectors >= 1000 for verdict in right)


@pytest.mark.parametrize("number", range(len(CHANGES)), ids=list(CHANGES))
def test_the_bench_catches(verdicts, number):
    assert verdicts[0][len(RECORDS) + number].mismatches > 0


@pytest.mark.parametrize("record", RECORDS, ids=str)
def test_latency_grows_by_the_stages_and_the_interval_stays(record):
    design, technology = made(record)
    piped, plain = plan(design, technology), plan(replace(design, pipeline=0), technology)
    assert piped.latency_cycles == plain.latency_cycles + record["pipeline"]
    assert piped.initiation_interval == plain.initiation_interval == 1
    assert design.slug == f"{replace(design, pipeline=0).slug}_p{record['pipeline']}"
    assert from_record(design.to_record()) == design


@pytest.mark.parametrize(("number", "target"), [(0, "ecp5"), (1, "xcup")])
def test_the_registers_are_those_of_the_record(number, target):
    design, technology = made(RECORDS[number], target)
    emitted = emit(design, technology)
    chains = {int(length): count for length, count in emitted.record["pipeline_chains"].items()}
    estimate = staged(design, chains, technology)
    measured = synthesize(emitted.verilog, emitted.top, technology)
    assert estimate.ff == measured.ff
    assert abs(estimate.sites / measured.sites - 1) < 0.03


def test_packed_tiles_keep_their_cascades_whole():
    design, technology = made(PACKED[0] | {"kind": "tile", "structure": "packed"})
    paths = [
        emit(replace(design, pipeline=stages), technology).record["path_ns"] for stages in (1, 2, 3)
    ]
    assert paths[0] > paths[1] == paths[2]
    assert plan(design, technology).latency_cycles == 3


def test_refusals():
    with pytest.raises(ValueError, match="of a bitmod stand where its cycles are, so pipeline"):
        from_record({"kind": "bitmod", "activation": "fp16", "pipeline": 2})


@pytest.mark.parametrize("number", [0, 1])
def test_a_clock_asks_for_stages_in_the_cells(number):
    design, technology = made(RECORDS[number], "ecp5")
    plain = replace(design, pipeline=0)
    stages = [stages_for_clock(plain, technology, 1000 / mhz) for mhz in (40, 100, 150)]
    assert stages == sorted(stages)
    assert stages[0] < stages[-1]
    with pytest.raises(ValueError, match=r"no registers can be placed within \S+, which.*MHz"):
        stages_for_clock(plain, technology, 1000 / 400)


def test_more_stages_make_shorter_paths():
    design, technology = made(RECORDS[1] | {"weight": "int8"}, "ecp5")
    paths = [
        emit(replace(design, pipeline=stages), technology).record["path_ns"] for stages in (1, 2, 4)
    ]
    assert paths == sorted(paths, reverse=True)
    assert paths[0] > 1.3 * paths[2]


@pytest.mark.parametrize("beats", [4, 5, 6, 7])
def test_tiles_whose_sums_stay_follow_without_a_bubble(beats):
    """From 2·rows + columns − 1 beats on; shorter ones wait for the results of the one before."""
    record = {"weight": "int2", "rows": 2, "columns": 3, "structure": "rows"}
    array = build(plan(*made(record, "ecp5")))
    waits = 0

    async def feed(ctx):
        nonlocal waits
        ctx.set(array.results.ready, 1)
        ctx.set(array.operands.valid, 1)
        beat = 0
        while beat < 5 * beats:
            ctx.set(array.operands.p.last, beat % beats == beats - 1)
            ready = ctx.get(array.operands.ready)
            await ctx.tick()
            beat += ready
            waits += not ready

    simulator = Simulator(array)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.run()
    assert waits == 4 * max(2 * 2 + 3 - 1 - beats, 0)


@pytest.mark.slow
def test_every_array_on_both_targets():
    cases = [case(record, target) for target in ("xcup", "ecp5") for record in RECORDS]
    found = runner.simulate(cases, vectors=20_000)
    assert [verdict.mismatches for verdict in found] == [0] * len(cases)
    assert all(verdict.vectors >= 20_000 for verdict in found)
    print(sum(verdict.vectors for verdict in found), "vectors, 0 mismatches")
