"""Merged windows with pipeline stages: the exponent ahead of the sums, bit for bit the same."""

import pytest

from hw.design import from_record
from hw.pipeline import Unreachable
from hw.plan import plan
from hw.plan.core import plan_unstaged
from hw.plan.running_window import larger_netlist
from hw.synthesis import synthesize
from hw.target import load
from sim import runner
from sweeps import workflow
from sweeps.clocking import for_clock
from tests.mutants import Mutant

MERGED = {"structure": "merged", "accumulator": "window:24"}
RECORDS = [
    {"kind": "dot", "weight": "e4m3fn", "lanes": 4, "pipeline": 3} | MERGED,
    {"kind": "dot", "weight": "e5m2", "lanes": 3, "pipeline": 2} | MERGED,
    {"kind": "mac", "weight": "e5m2", "activation": "e4m3fn", "pipeline": 1}
    | MERGED
    | {"accumulator": "window:30"},
    {"kind": "array", "weight": "e5m2", "rows": 2, "columns": 2, "pipeline": 4} | MERGED,
    {"kind": "tile", "weight": "e4m3fn", "rows": 2, "columns": 1, "lanes": 2, "pipeline": 6}
    | MERGED,
]
MUTANTS = [
    Mutant("maximum kept over sums", "", r"assign (clear_2) = rst \| \w+;", r"assign \1 = rst;"),
    Mutant("sum never shifted", "", r"\.d\(distance\)", ".d(6'h00)"),
    Mutant("distance a cycle early", "", r"\.distance\(d_late1\)", ".distance(d)"),
]


@pytest.fixture(
    scope="module", params=["xcup", pytest.param("xcup:portable", marks=pytest.mark.slow)]
)
def cases(request):
    return [
        workflow.case_of(workflow.emit(from_record(record), request.param)) for record in RECORDS
    ]


def test_golden_and_hardware_agree_and_mutants_do_not(cases):
    wrong = [mutant.of(cases[1]) for mutant in MUTANTS]
    found = runner.simulate([*cases, *wrong], vectors=1200)
    assert [verdict.mismatches for verdict in found[: len(cases)]] == [0] * len(cases)
    assert sum(verdict.vectors for verdict in found[: len(cases)]) > 66536 + 4 * 1200
    assert all(verdict.mismatches > 50 for verdict in found[len(cases) :])
    for case, record in zip(cases, RECORDS, strict=True):
        plain = plan(from_record(record | {"pipeline": 0}), load("xcup")).latency_cycles
        assert case.latency_cycles == plain + record["pipeline"]


def test_the_larger_of_two_exponents():
    checked = 0
    for bits in range(1, 8):
        luts = larger_netlist(bits).luts
        for code in range(1 << 2 * bits):
            m, h = code & (1 << bits) - 1, code >> bits
            nets = {f"{n}{i}": w >> i & 1 for n, w in (("m", m), ("h", h)) for i in range(bits)}
            for lut in luts:
                index = sum(nets[net] << i for i, net in enumerate(lut.inputs))
                nets[lut.output] = lut.truth >> index & 1
            assert sum(nets[f"r{i}"] << i for i in range(bits)) == max(m, h)
            checked += 1
    assert checked == sum(4**bits for bits in range(1, 8))


def test_without_stages_the_plan_is_what_it_was():
    design = from_record(RECORDS[0] | {"pipeline": 0})
    assert plan(design, load("xcup")).core.running is None
    ahead = plan_unstaged(design, load("xcup"))
    assert ahead.design == design
    assert ahead.core.running is not None
    assert not ahead.core.maximum.so_far


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "xc7"])
def test_the_formula_counts_what_yosys_maps(target):
    for record in RECORDS[:3]:
        design = from_record(record)
        emitted = workflow.emit(design, target)
        measured = synthesize(emitted.verilog, emitted.top, target)
        estimate = workflow.estimate(design, target)
        assert (estimate["ff"], estimate["carry"]) == (measured.ff, measured.carry)
        assert abs(estimate["lut"] - measured.lut) <= 2
        assert abs(estimate["sites"] - measured.sites) <= 2


@pytest.mark.slow
def test_the_loop_that_is_left_bounds_the_clock():
    design = from_record(RECORDS[0] | {"pipeline": 0, "lanes": 8})
    target = load("xcup")
    found = for_clock(design, target, 150)
    assert found.design.pipeline > 0
    with pytest.raises(Unreachable, match=r"within \S+, which takes .* at most \d+ MHz") as refused:
        for_clock(design, target, 600)
    assert for_clock(design, target, refused.value.most_mhz).design.pipeline > found.design.pipeline
