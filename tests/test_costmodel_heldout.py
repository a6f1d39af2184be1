"""costmodel: error on whole designs that nothing was fitted on, drawn by a seed."""

import csv

import pytest
import yaml

from costmodel.expected import expected
from hw.plan import structures
from hw.target import load
from sweeps.calibrate import DATA, EXACT_KINDS, SEED, errors, held_out, measure
from sweeps.heldout import Drawn, distribution, draw
from sweeps.primitives import PARTS, measure_primitives
from sweeps.residuals import expected_yaml, groups, judged, rank_correlation

TARGETS = ("xcup", "xc7", "ecp5", "ice40", "gowin")
MEAN, PERCENTILE_95 = 3.0, 8.0
WORST = 20.0
WORST_CORE = {"ecp5": 22.0, "xc7": 24.0}
"""12 % but for two designs: one of 218 on ECP5, where ABC maps the gate of special codes of ten
bits in one way alone and in another beside its lane; and one of 70 on xc7, an array of merged e2m2
without primitives, whose cells Yosys maps 12 LUTs larger than their functions need."""
LEAST_RANK = {"xc7": 0.997}


@pytest.mark.parametrize("target", TARGETS)
def test_the_designs_are_those_of_the_seed(target):
    known = held_out(target)
    drawn = draw(load(target), SEED, len(known), version=1)
    assert len(known) == distribution(1)["count"][target]
    for one, expected_one in zip(known, drawn, strict=True):
        assert (one.asked, one.target) == (expected_one.asked, expected_one.target)
        if one.asked != "auto":
            assert one.design == expected_one.design
        else:  # settled by the estimates of its time
            assert one.design.with_structure("auto") == expected_one.design.with_structure("auto")
            assert one.design.structure in structures(one.design, one.target)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("resource", ["lut", "sites"])
def test_error_of_luts_and_sites(target, resource):
    found = groups(held_out(target))
    whole = errors(found["all"], resource)
    core = errors(found["mac, dot, array"], resource)
    assert whole.designs >= 40
    assert core.designs == sum(one.design.kind in EXACT_KINDS for one in found["all"])
    assert whole.mean <= MEAN
    assert whole.percentile_95 <= PERCENTILE_95
    limit = WORST_CORE.get(target, 12.0)
    assert core.worst <= limit
    assert whole.worst <= max(WORST, limit)


@pytest.mark.parametrize("target", TARGETS)
def test_order_of_designs(target):
    least = LEAST_RANK.get(target, 0.999)
    assert rank_correlation(groups(held_out(target))["all"]) >= least


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("resource", ["ff", "dsp"])
def test_registers_and_blocks_are_exact(target, resource):
    assert errors(held_out(target), resource, least_lut=0).exact == 1


@pytest.mark.parametrize("target", TARGETS)
def test_carry_is_exact_but_for_floating_accumulators(target):
    fixed = [one for one in held_out(target) if not one.design.is_floating]
    assert len(fixed) >= 30
    least = 0.98 if target == "ecp5" else 0.99  # plain products of words beyond those measured
    assert errors(fixed, "carry", least_lut=0).exact >= least


def test_the_shipped_errors_are_those_of_the_designs():
    text = (DATA / "residuals.yaml").read_text(encoding="utf-8")
    assert text == expected_yaml(judged())
    assert set(yaml.safe_load(text)) == set(TARGETS)


def test_expected_error_of_a_design():
    one = next(one for one in held_out("xcup") if one.design.kind == "dot")
    found = expected(one.design, load("xcup"), 100)
    assert found is not None
    assert 0 <= found.mean <= found.percent <= PERCENTILE_95
    assert not found.outside
    far = expected(one.design, load("xcup"), 10**6)
    assert far is not None
    assert far.percent == 2 * found.percent
    assert "LUT 1000000" in far.outside[0]
    assert expected(one.design, load("asic"), 100) is None


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_the_stored_measurements_are_real(target):
    some = held_out(target)[3::20]
    found = measure(Drawn(one.design, one.asked, one.target) for one in some)
    assert len(found) == len(some) >= 2
    assert [one.numbers for one in found] == [one.numbers for one in some]


@pytest.mark.slow
@pytest.mark.parametrize("part", ["exponent_maximum", "magnitude", "narrow_adder", "leading_digit"])
def test_the_stored_parts_are_real(part):
    assert part in PARTS
    text = (DATA / "measured_ecp5.csv").read_text(encoding="utf-8")
    stored = [row for row in csv.DictReader(text.splitlines()) if row["part"] == part]
    measured = measure_primitives(load("ecp5"), (part,))
    assert len(stored) > 5
    assert [{name: str(value) for name, value in row.items()} for row in measured] == stored
