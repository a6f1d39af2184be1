"""Arrays and tiles by the activity formula, against netlists that it was not fitted to."""

from collections import Counter

import numpy as np
import pytest

from costmodel import activity, energy
from hw.design import from_record
from hw.target import load
from sweeps.activity import JUDGED, errors, rows_of
from sweeps.activity_grids import draw, read_grids
from sweeps.cli import main as cli

MOST = 8
"""Most mean error in percent of toggle energy, of each kind under each stream."""


@pytest.mark.parametrize(("target", "designs"), [("xcup", 24), ("ecp5", 16)])
def test_errors_are_those_that_are_stated(target, designs):
    rows = read_grids(target)
    assert [row.design for row in rows if row.stream == "uniform"] == draw(target)
    assert len({row.design.slug for row in rows}) == designs
    assert {row.chosen for row in rows} == {JUDGED}
    off = 100 * np.abs(errors(target, rows))
    checked = Counter()
    for kind, streams in activity.errors()[target].items():
        for stream, stored in streams.items() if kind in ("array", "tile") else ():
            found = [
                value
                for value, row in zip(off, rows, strict=True)
                if row.design.kind == kind and stream in (row.stream, "all")
            ]
            checked[kind] += len(found)
            assert np.mean(found) <= MOST
            assert np.mean(found) == pytest.approx(stored["mean"], abs=0.1)
            assert np.percentile(found, 95) == pytest.approx(stored["percentile_95"], abs=0.1)
    assert min(checked["array"], checked["tile"]) >= 2 * designs


def test_a_tile_of_one_cell_is_its_dot_product():
    record = {"weight": "int4", "activation": "e2m1fn", "lanes": 3, "structure": "rows"}
    row = next(row for row in read_grids("xcup") if row.design.lanes == 4)
    given = row.statistics
    tile, dot = (
        energy.estimate(from_record(record | more), load("xcup"), given)
        for more in ({"kind": "tile", "rows": 1, "columns": 1}, {"kind": "dot"})
    )
    assert tile.parts == dot.parts


def test_operands_of_larger_grids_are_shared():
    given = next(r for r in read_grids("xcup") if r.design.lanes == 1).statistics
    record = {"kind": "tile", "weight": "int8", "structure": "rows"}
    small, large = (
        energy.estimate(from_record(record | sides), load("xcup"), given).parts
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
    packed = ["estimate", "tile", "--weight", "int4", "--rows", "2", "--columns", "2"]
    assert cli([*packed, "--lanes", "8", "--structure", "packed", "--format", format]) == 0
    shown = capsys.readouterr()
    assert words not in shown.out
    assert "energy is left out" in shown.err
    assert "not structure packed" in shown.err
