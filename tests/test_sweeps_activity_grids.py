"""Arrays and tiles by the activity formula, against netlists that it was not fitted to."""

from collections import Counter

import numpy as np
import pytest

from costmodel import energy
from costmodel.activity_grid import GRID_ERRORS
from costmodel.energy import Rates
from hw.design import from_record
from hw.target import load
from sweeps.activity import JUDGED, rows_of
from sweeps.activity_grids import draw, read_grids
from sweeps.cli import main as cli

BOUNDS = {"array": (15, 50), "tile": (17, 62)}
"""Most mean error, and 95th percentile, in percent of toggle energy."""
WIDE_BOUND = 10
"""Most mean error of operands of three bits and more."""


def off(row, target):
    """Return the relative error of the toggle energy in percent, inputs included, clock not."""
    found = energy.estimate(row.design, load(target), row.statistics)
    macs = row.design.cores * row.design.lanes
    toggles = found.energy_pj_per_cycle - found.parts["clock"] * macs
    return 100 * (toggles / energy.toggle_energy_pj(Rates(**row.rates), target) - 1)


@pytest.mark.parametrize(("target", "designs"), [("xcup", 24), ("ecp5", 8)])
def test_errors_are_those_that_are_stated(target, designs):
    rows = read_grids(target)
    assert {row.design.slug for row in rows} == {design.slug for design in draw(target)}
    assert len({row.design.slug for row in rows}) == designs
    checked = Counter(row.design.kind for row in rows)
    assert min(checked.values()) >= designs
    for kind, (mean, percentile) in BOUNDS.items():
        found = np.abs([off(row, target) for row in rows if row.design.kind == kind])
        assert found.mean() <= mean
        assert np.percentile(found, 95) <= percentile
        assert found.mean() == pytest.approx(GRID_ERRORS[target][kind], abs=0.1)
    wide = [r for r in rows if min(r.design.weight.bits, r.design.activation.bits) > 2]
    assert len(wide) >= len(rows) / 3
    assert np.mean([abs(off(row, target)) for row in wide]) <= WIDE_BOUND


def test_a_tile_of_one_cell_is_its_dot_product():
    record = {"weight": "int4", "activation": "e2m1fn", "lanes": 3, "structure": "rows"}
    row = next(row for row in read_grids("xcup") if row.design.lanes == 4)
    tile, dot = (
        energy.estimate(from_record(record | more), load("xcup"), row.statistics)
        for more in ({"kind": "tile", "rows": 1, "columns": 1}, {"kind": "dot"})
    )
    assert tile.parts == dot.parts


def test_operands_of_larger_grids_are_shared():
    row = next(row for row in read_grids("xcup") if row.design.kind == "array")
    record = {"kind": "tile", "weight": "int8", "structure": "rows"}
    small, large = (
        energy.estimate(from_record(record | sides), load("xcup"), row.statistics).parts
        for sides in ({"rows": 2, "columns": 2}, {"rows": 8, "columns": 8})
    )
    assert large["inputs"] < 0.3 * small["inputs"]
    assert large["product"] == pytest.approx(small["product"])


@pytest.mark.slow
def test_the_stored_toggles_of_grids_are_real():
    checked = 0
    for design in draw("xcup")[:2]:
        stored = {row.stream: row for row in read_grids("xcup") if row.design == design}
        for again in rows_of(design, "xcup", JUDGED):
            for name, value in stored[again["stream"]].rates.items():
                assert again[name] == pytest.approx(value, rel=1e-6)
            checked += 1
    assert checked == 6


@pytest.mark.parametrize(("format", "words"), [("accelergy", "energy:"), ("zigzag", "unit_energy")])
def test_exports_have_energy_with_its_error(format, words, capsys):
    arguments = ["estimate", "array", "--weight", "int4", "--rows", "2", "--columns", "3"]
    assert cli([*arguments, "--structure", "rows", "--format", format]) == 0
    shown = capsys.readouterr()
    assert words in shown.out
    assert "uniform operands" in shown.out
    assert "energy is left out" not in shown.err
    floating = ["--accumulator", "fp32", "--structure", "rows", "--format", format]
    assert cli([*arguments, *floating]) == 0
    shown = capsys.readouterr()
    assert words not in shown.out
    assert "energy is left out" in shown.err
    assert "not accumulator float" in shown.err
