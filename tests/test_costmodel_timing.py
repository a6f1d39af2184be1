"""Clocks by formula against nextpnr's, on designs held out; what the paths are made of."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

import costmodel
from costmodel.path_cells import depth
from costmodel.timing import THINGS, clock, delays, path
from hw.design import from_record
from hw.logical import published
from hw.plan import plan
from hw.plan.cells import Chain, ChainBit, Lut, Netlist
from hw.target import load
from sweeps import clock as calibration
from sweeps.clock_draw import draw_others, is_usual
from sweeps.workflow import estimate

TARGET = load("ecp5")
DATA = Path(costmodel.__file__).parent / "data"
ROWS = calibration.read(DATA / "clock_ecp5.csv")


def rows(chosen):
    return [row for row in ROWS if row.chosen == chosen]


def built(**keys):
    return plan(from_record(keys), TARGET)


def test_clocks_held_out_are_within_twelve_percent():
    held_out = rows(calibration.HELD_OUT)
    assert len(held_out) >= 40
    size = np.abs(calibration.judged(ROWS, TARGET))
    assert len(size) == len(held_out)
    assert size.mean() <= 12
    assert size.mean() == pytest.approx(delays("ecp5").error_percent, abs=0.1)
    assert not {row.design.slug for row in held_out} & {
        row.design.slug for row in rows(calibration.FIT)
    }


def test_medians_are_those_of_three_seeds():
    assert len(ROWS) >= 270
    judged = 0
    for row in ROWS:
        assert len(row.seed_mhz) == 3 or row.chosen == calibration.FIT
        assert row.fmax_mhz == pytest.approx(float(np.median(row.seed_mhz)), abs=0.01)
        assert (row.stage_ns is not None) == bool(row.design.pipeline)
        judged += row.chosen == calibration.HELD_OUT
    assert judged >= 58


def test_kinds_beyond_the_usual_are_judged_too():
    others = [row for row in rows(calibration.HELD_OUT) if not is_usual(row.design)]
    kinds = Counter(row.design.kind for row in others)
    assert set(kinds) == {"bitplane", "dot", "bitmodtile", "memory"}
    assert len(others) >= 12
    assert np.abs(calibration.errors_percent(others, TARGET)).mean() <= 12


def test_the_times_are_what_the_measurements_fit():
    found = calibration.fitted(rows(calibration.FIT), TARGET)
    kept = yaml.safe_load((DATA / "clock_ecp5.yaml").read_text())
    assert set(kept["things_ns"]) == set(THINGS)
    assert min(kept["things_ns"].values()) >= 0
    for name, time in found["things_ns"].items():
        assert time == pytest.approx(kept["things_ns"][name], abs=0.05), name
    assert found["stage_ns"] == pytest.approx(kept["stage_ns"], abs=0.01)


def test_a_fit_finds_times_that_were_put_in():
    """Measurements made up from known times give these times' clocks back."""
    some = [row for row in rows(calibration.FIT) if not row.design.pipeline]
    times = {name: 0.3 + 0.05 * i for i, name in enumerate(THINGS)}
    made = []
    for row in some:
        period = sum(times[n] * c for n, c in path(plan(row.design, TARGET)).items())
        made.append(replace(row, fmax_mhz=1000 / period))
    staged = [row for row in rows(calibration.FIT) if row.design.pipeline]
    made += [replace(row, fmax_mhz=1000 / (2 + 0.5 * (row.stage_ns or 0))) for row in staged]
    found = calibration.fitted(made, TARGET)
    assert (found["stage_ns"], found["stage_factor"]) == (2, 0.5)
    for row in made[: len(some)]:
        counts = path(plan(row.design, TARGET))
        period = sum(found["things_ns"][n] * c for n, c in counts.items())
        assert 1000 / period == pytest.approx(row.fmax_mhz, rel=0.05)


def test_longer_paths_are_slower():
    dot = {"kind": "dot", "weight": "int8", "activation": "int8", "structure": "rows"}
    few, many = (clock(built(**dot, lanes=lanes)) for lanes in (2, 16))
    assert many.fmax_mhz < few.fmax_mhz
    assert few.fmax_mhz == pytest.approx(1000 / few.path_ns)
    narrow = clock(built(**(dot | {"weight": "int4"}), lanes=2))
    assert narrow.fmax_mhz > few.fmax_mhz
    saturating = clock(built(**dot, lanes=2, accumulator="saturate:20"))
    assert saturating.fmax_mhz < clock(built(**dot, lanes=2, accumulator="wrap:20")).fmax_mhz


def test_every_thing_on_a_path_has_a_time():
    names = {name for row in ROWS for name in path(plan(replace(row.design, pipeline=0), TARGET))}
    assert names <= set(THINGS)
    assert len(names) >= 25


def test_what_has_no_model_is_refused():
    mac = {"kind": "mac", "weight": "int4", "activation": "int4", "structure": "rows"}
    with pytest.raises(ValueError, match=r"clocks are estimated for ecp5, .*, not for asic"):
        clock(plan(from_record(mac), load("asic")))
    with pytest.raises(ValueError, match="depends on where its registers are placed"):
        clock(built(**mac, pipeline=2))
    known = replace(delays("ecp5"), unknown=("booth_rows",))
    with pytest.raises(ValueError, match="no time here for rows of a product"):
        known.period_ns(path(built(**mac)))


@pytest.mark.parametrize(("name", "least", "most"), [("ice40", 36, 12), ("xcup", 50, 15)])
def test_other_targets_are_judged_by_times_not_fitted(name, least, most):
    target = load(name)
    some = calibration.read(DATA / f"clock_{name}.csv")
    assert len(some) >= least
    size = np.abs(calibration.judged(some, target))
    assert len(size) == len(some)
    assert size.mean() <= most
    known = delays(name)
    assert known.calibrated == (name == "ice40")
    stated = known.error_percent if known.calibrated else known.formula_error_percent
    assert size.mean() == pytest.approx(stated, abs=0.5)
    if not known.calibrated:
        assert np.percentile(size, 95) < known.error_percent


def test_blocks_of_another_family_are_not_taken_over():
    assert set(calibration.BLOCKS) <= set(delays("ice40").unknown) | {"memory"}
    mac = {"kind": "mac", "weight": "int8", "activation": "int8", "structure": "dsp"}
    with pytest.raises(ValueError, match="no time here for a product in a DSP block"):
        clock(plan(from_record(mac), load("ice40")))
    assert clock(plan(from_record(mac), load("xcup"))).fmax_mhz > 100


def test_a_circuit_given_lut_by_lut_is_as_deep_as_its_longest_path():
    """Two LUTs, a chain of three bits, a wide LUT; wires and the shorter way count nothing."""
    sums = tuple(ChainBit(f"s{i}", Lut(f"x{i}", ("b", "c"), 6), "c") for i in range(3))
    netlist = Netlist(
        (
            Lut("a", ("p", "q"), 8),
            Lut("b", ("a", "q"), 8),
            Lut("w", ("s2",), 2),
            Lut("z", ("w", "p", "q", "r", "t"), 1),
            Lut("short", ("p", "z"), 1),
        ),
        (Chain("0", sums, ""),),
    )
    assert depth(netlist, 6) == (4.0, 1, 3)
    assert depth(netlist, 4) == (4.25, 1, 3)


def test_other_kinds_are_drawn_the_same_from_the_start():
    few, more = draw_others(TARGET, 3, 5), draw_others(TARGET, 3, 11)
    assert more[:5] == few
    assert not any(is_usual(design) for design in more)


def test_the_command_shows_it():
    found = estimate(from_record({"kind": "mac", "weight": "int8", "activation": "int8"}), "ecp5")
    assert 30 < found["clock"]["fmax_mhz"] < 120
    other = estimate(from_record({"kind": "mac", "weight": "int8", "activation": "int8"}))["clock"]
    assert other["fmax_mhz"] > found["clock"]["fmax_mhz"]
    assert (other["calibrated"], found["clock"]["calibrated"]) == (False, True)
    assert other["error_percent"] > published("xcup").error_percent
    assert estimate(from_record({"kind": "mac", "weight": "int8"}), "asic")["clock"] is None
