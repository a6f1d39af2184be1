"""Structures where a clock is asked for: the cheapest that reaches it, with what is said of why."""

from dataclasses import replace

import pytest

from costmodel import estimate
from hw.design import from_record
from hw.plan import plan
from hw.synthesis import synthesize
from hw.target import load
from sim import runner
from sweeps import autotune, cli, workflow
from sweeps.clocking import for_clock, for_stages

E4M3 = {"kind": "dot", "weight": "e4m3fn", "lanes": 16}


@pytest.mark.slow
def test_chains_are_as_long_as_the_clock_pays_for():
    target = load("xcup")
    design = from_record(E4M3)
    assert autotune.resolve(design, target).to_record() == design.to_record() | {
        "structure": "merged"
    }
    lengths = {}
    for mhz in (60, 240):
        found = for_clock(design, target, mhz)
        assert found.design.structure == "merged"
        chain = plan(replace(found.design, pipeline=0), target).core.chain
        lengths[mhz] = len(chain.chains[0])
        assert found.candidates[0].structure in found.reason
        sites = [one.sites for one in found.candidates]
        assert sites[0] == min(sites)
        left = found.left_out["behavioural"]
        assert "places without registers, more than" in left
    assert lengths[60] == 16 > lengths[240] >= 2


@pytest.mark.slow
def test_a_structure_that_is_never_fast_enough_is_not_chosen():
    """The heap of bits is the cheapest 32-lane int4 dot product on ECP5, but never reaches 200."""
    target = load("ecp5")
    design = from_record({"kind": "dot", "weight": "int4", "lanes": 32})
    assert autotune.resolve(design, target).structure == "baugh-wooley"
    found = for_clock(design, target, 200)
    assert found.design.structure == "rows"
    assert 5 <= found.design.pipeline <= 16
    assert "pipeline lies in" in found.left_out["baugh-wooley"]
    assert found.to_record()["reason"] == found.reason


def test_an_impossible_clock_tells_the_nearest():
    design = from_record(E4M3)
    with pytest.raises(
        ValueError, match=r"no structure of dot16.* reaches 400 MHz; the nearest is"
    ):
        for_clock(design, load("ecp5"), 400)
    with pytest.raises(ValueError, match="registers alone allow at most"):
        for_clock(design, load("xcup"), 5000)
    with pytest.raises(ValueError, match="positive, not -1"):
        for_clock(design, load("ecp5"), -1)


@pytest.mark.slow
def test_stages_alone_choose_the_least_places_per_speed():
    target = load("xcup")
    found = for_stages(from_record(E4M3 | {"pipeline": 2}), target)
    assert found.design.pipeline == 2
    prices = [one.sites * one.path_ns for one in found.candidates]
    assert prices[0] == min(prices)
    assert len(prices) > 3
    assert workflow.settle(from_record(E4M3 | {"pipeline": 2}), "xcup")[0] == found.design


@pytest.mark.slow
def test_chains_of_a_given_length_are_bit_exact():
    target = load("xcup")
    cases = []
    for chain in (2, 4):
        design = from_record(E4M3 | {"structure": "merged", "chain": chain, "lanes": 8})
        assert from_record(design.to_record()) == design
        emitted = workflow.emit(design, "xcup")
        rows = plan(design, target).core.chain.chains
        assert [len(one) for one in rows] == [chain] * (8 // chain)
        cases.append(workflow.case_of(emitted))
    wrong = cases[0].verilog.replace(".previous(", ".previous(~", 1)
    assert wrong != cases[0].verilog
    cases.append(replace(cases[0], verilog=wrong))
    found = runner.simulate(cases, vectors=1500)
    assert [one.mismatches for one in found[:2]] == [0, 0]
    assert all(one.vectors >= 1500 for one in found[:2])
    assert found[2].mismatches > 500


@pytest.mark.slow
def test_estimates_of_chains_are_what_yosys_maps():
    checked = 0
    for target in (load("xcup"), load("xc7")):
        for chain in (2, 4, 8):
            design = from_record(E4M3 | {"structure": "merged", "chain": chain})
            emitted = workflow.emit(design, target.name)
            measured = synthesize(emitted.verilog, emitted.top, target.name)
            cost = estimate(design, target)
            assert (cost.ff, cost.carry) == (measured.ff, measured.carry)
            assert abs(cost.lut / measured.lut - 1) < 0.005
            checked += 1
    assert checked == 6


def test_refused_chains():
    merged = E4M3 | {"structure": "merged"}
    with pytest.raises(ValueError, match="divide the 16 lanes, not 5: the nearest is 4"):
        from_record(merged | {"chain": 5})
    with pytest.raises(ValueError, match="chain is 0 with structure rows, not 4"):
        from_record(E4M3 | {"structure": "rows", "chain": 4})
    array = {"kind": "array", "weight": "e4m3fn", "dataflow": "weight-stationary"}
    with pytest.raises(ValueError, match="one chain down its column: chain is 0, not 2"):
        from_record(array | {"structure": "merged", "chain": 2})


def test_the_command_says_why(capsys, tmp_path):
    words = ["generate", "dot", "--weight", "e2m1fn", "--lanes", "8", "--target", "ecp5"]
    words += ["--target-mhz", "150", "-o"]
    assert cli.main([*words, str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert "for 150 MHz:" in said
    assert "the least for 150 MHz" in said
    (sidecar,) = tmp_path.glob("*.json")
    assert '"choice"' in sidecar.read_text()
