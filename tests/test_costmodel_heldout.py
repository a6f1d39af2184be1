"""costmodel: error on whole designs that nothing was fitted on, drawn by two seeds."""

import csv

import pytest
import yaml

from costmodel.expected import expected
from hw.design import SerialDesign, WeightStationaryArray
from hw.plan import structures
from hw.target import load
from sweeps.calibrate import DATA, EXACT_KINDS, errors, held_out, measure
from sweeps.heldout import SEEDS, VERSION, Drawn, distribution, draw
from sweeps.primitives import PARTS, measure_primitives
from sweeps.residuals import expected_yaml, groups, judged, rank_correlation

TARGETS = ("xcup", "xc7", "ecp5", "ice40", "gowin")
MEAN, PERCENTILE_95 = 3.0, 8.0
WORST = 20.0
WORST_CORE = 12.0
LEAST_RANK = 0.999


@pytest.mark.parametrize("target", TARGETS)
def test_the_designs_are_those_of_the_seeds(target):
    known = held_out(target)
    counts = {version: distribution(version)["count"][target] for version in SEEDS}
    assert len(known) == sum(counts.values())
    first = known[: counts[min(counts)]]
    assert len({(one.design.slug, one.target.label) for one in first}) == len(first)
    drawn = draw(load(target), SEEDS[VERSION])
    for one, expected_one in zip(known[-counts[VERSION] :], drawn, strict=True):
        assert (one.asked, one.target) == (expected_one.asked, expected_one.target)
        if one.asked != "auto" or isinstance(one.design, SerialDesign):
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
    assert core.worst <= WORST_CORE
    assert whole.worst <= WORST


@pytest.mark.parametrize("target", TARGETS)
def test_order_of_designs(target):
    assert rank_correlation(groups(held_out(target))["all"]) >= LEAST_RANK


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("resource", ["ff", "dsp", "bram", "carry"])
def test_registers_carry_and_blocks_are_exact(target, resource):
    assert errors(held_out(target), resource, least_lut=0).exact == 1


def test_all_that_can_be_generated_is_judged():
    judged = [one.design for target in TARGETS for one in held_out(target)]
    assert {design.kind for design in judged} >= set(distribution()["kinds"])
    assert sum(isinstance(design, WeightStationaryArray) for design in judged) >= 15
    assert sum(design.structure == "packed" for design in judged) >= 25
    assert sum(design.kind == "array" and design.pipeline > 0 for design in judged) >= 5
    assert sum(one.target.is_portable for target in TARGETS for one in held_out(target)) >= 60
    assert sum(design.pipeline > 0 for design in judged) >= 60
    signs = [d for d in judged if {"binary", "ternary"} & {d.weight.name, d.activation.name}]
    assert len(signs) >= 40
    assert sum(one.chains != {} for one in held_out("ecp5")) >= 15


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
