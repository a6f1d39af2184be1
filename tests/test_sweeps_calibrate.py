"""sweeps.calibrate, sweeps.residuals: the files of designs, how errors are counted, the table."""

import pytest

from costmodel import estimate
from hw.target import load
from sweeps.calibrate import (
    COLUMNS,
    RESOURCES,
    Measured,
    errors,
    errors_of,
    measure,
    read_csv,
    to_csv,
)
from sweeps.heldout import draw
from sweeps.residuals import groups, rank_correlation, table


def measured(count, seed=2, off=0):
    found = []
    for one in draw(load("xcup"), seed, count, version=1):
        numbers = estimate(one.design, one.target)
        counts = {name: getattr(numbers, name) for name in RESOURCES}
        counts["lut"] += off
        found.append(Measured(one.design, one.asked, one.target, counts, "Yosys 0.70"))
    return found


def test_a_file_is_read_back(tmp_path):
    known = measured(6)
    file = tmp_path / "designs.csv"
    file.write_text(to_csv(one.to_row() for one in known))
    assert file.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert read_csv(file) == known


def test_errors_are_those_of_the_estimates():
    exact = errors(measured(12), "lut", least_lut=1)
    assert (exact.designs, exact.mean, exact.worst, exact.exact) == (12, 0, 0, 1)
    found = errors_of([(110, 100), (95, 100), (100, 100), (50, 100)])
    assert (found.mean, found.worst, found.bias, found.exact) == (16.25, 50, -11.25, 0.25)
    assert 15 < found.percentile_95 < 50
    assert errors(measured(12, off=3), "lut", least_lut=1).bias < 0
    with pytest.raises(ValueError, match="at least one design"):
        errors_of([])


def test_small_designs_are_left_out():
    known = measured(20)
    large = [one for one in known if one.numbers["lut"] >= 50]
    assert errors(known, "lut").designs == len(large) < 20


def test_groups_and_table():
    known = measured(40)
    found = groups(known)
    assert sum(len(found[kind]) for kind in found if kind in ("mac", "dot", "array")) == len(
        found["mac, dot, array"]
    )
    assert rank_correlation(found["all"]) == pytest.approx(1)
    text = table([{"target": "xcup", "designs of": "all", "number": 3, "lut mean": 0.5}])
    assert text.splitlines()[0].split() == ["target", "designs", "of", "number", "lut", "mean"]


def test_measuring_reports_progress_and_keeps_the_order():
    drawn = [one for one in draw(load("xcup"), 9, 12, version=1) if one.design.kind == "mac"][:2]
    seen = []
    found = measure(drawn, 2, lambda done, total: seen.append((done, total)))
    assert [one.design for one in found] == [one.design for one in drawn]
    assert seen == [(1, 2), (2, 2)]
    assert all(one.numbers["lut"] > 0 and one.tool.startswith("Yosys") for one in found)
