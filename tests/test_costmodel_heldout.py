"""costmodel: error on whole designs that nothing was fitted on, drawn by a seed."""

import csv
import json
from importlib.resources import files

import pytest

from hw.target import load
from sweeps.calibrate import COUNT, DATA, SEED, draw, errors, measure, read_csv
from sweeps.primitives import PARTS, measure_primitives

TARGETS = ("xcup", "xc7", "ecp5", "ice40")
# Mean, 95th percentile and worst absolute error in percent, of LUT and of sites.
BOUNDS = {
    "xcup": (0.5, 2.0, 6.0),
    "xc7": (0.5, 2.0, 6.0),
    "ecp5": (0.5, 2.0, 6.0),
    "ice40": (0.8, 3.0, 8.0),
}


def held_out(target):
    return list(read_csv(DATA / f"heldout_{target}.csv"))


@pytest.mark.parametrize("target", TARGETS)
def test_the_designs_are_those_of_the_seed(target):
    drawn = draw(SEED, COUNT)
    assert len(drawn) >= 60
    assert [design for design, _ in held_out(target)] == drawn


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("resource", ["lut", "sites"])
def test_error_of_luts_and_sites(target, resource):
    found = errors(held_out(target), load(target), resource)
    mean, percentile_95, worst = BOUNDS[target]
    assert found.designs == COUNT
    assert found.mean <= mean
    assert found.percentile_95 <= percentile_95
    assert found.worst <= worst


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("resource", ["ff", "dsp", "carry"])
def test_registers_blocks_and_carry_are_exact(target, resource):
    assert errors(held_out(target), load(target), resource).exact == 1


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_the_stored_measurements_are_real(target):
    some = held_out(target)[3::20]
    measured = measure([design for design, _ in some], load(target))
    for (design, stored), row in zip(some, measured, strict=True):
        assert json.loads(row["design"]) == design.to_record()
        assert {name: row[name] for name in stored} == stored


@pytest.mark.slow
@pytest.mark.parametrize("part", ["exponent_maximum", "magnitude", "narrow_adder"])
def test_the_stored_parts_are_real(part):
    assert part in PARTS
    text = (files("costmodel") / "data" / "measured_ecp5.csv").read_text(encoding="utf-8")
    stored = [row for row in csv.DictReader(text.splitlines()) if row["part"] == part]
    measured = measure_primitives(load("ecp5"), (part,))
    assert [{name: str(value) for name, value in row.items()} for row in measured] == stored
