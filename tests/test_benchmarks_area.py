"""benchmarks/area: rows as the goals name them, two small designs through table and figure."""

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

import area
import area_clock
import area_figure
import area_measure
import area_signs
from area_measure import Area, Result
from area_rows import FILE, TARGETS, load_rows

from hw import timing
from hw.design import from_record
from hw.timing import Clock
from sim import bulk

ROWS, FLAGS = load_rows()
SMALL = """
defaults: {specials: ignore}
groups:
  dot:
    title: dot product of 2 lanes
    unit: LUT per lane
    per: lane
    targets: [xcup, ecp5]
    design: {kind: dot, lanes: 2}
    rows:
      - {weight: int3, asked: 30, peer: nobody, peers: {xcup: 99.5}}
      - {weight: e2m1fn, asked: 2}
flags:
  design: {kind: dot, lanes: 2}
  rows: [{weight: e2m1, specials: ignore}, {weight: e2m1, specials: flag}]
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "rows.yaml"
    path.write_text(SMALL)
    return load_rows(path)


def result(**changes):
    usual = {"group": "dot", "name": "int8", "target": "xcup", "structure": "rows"}
    areas = {"ours": Area(40.0, 41.0), "baseline": Area(80.0, 82.0), "asked": 54.0}
    return Result(**{**usual, **areas, **changes})


@pytest.mark.parametrize(
    ("weight", "activation"),
    [
        ("binary", "binary"),
        ("uint1", "binary"),
        ("ternary", "ternary"),
        ("binary", "ternary"),
        ("ternary", "int4"),
        ("uint3", "binary"),
    ],
)
def test_the_plain_verilog_of_signs_is_right(weight, activation):
    record = {"kind": "dot", "weight": weight, "activation": activation, "lanes": 5}
    design = from_record(record | {"structure": "rows"})
    text = area_signs.plain_verilog(design)
    assert bulk.check(text, design, 3000).passed
    assert not bulk.check(text.replace("sum + step", "sum - step"), design, 3000).passed


def test_no_plain_verilog_of_others():
    design = from_record({"kind": "dot", "weight": "int4", "lanes": 5})
    with pytest.raises(ValueError, match="no plain Verilog"):
        area_signs.plain_verilog(design)


def test_every_row_of_the_goals_is_there():
    rows = {"dot": 10, "mac": 7, "float": 6, "signs": 4, "packed": 3}
    assert Counter(row.group.key for row in ROWS) == rows
    assert [row.name for row in ROWS if row.asked is None] == [
        "binary × uint1",
        "ternary × binary",
        "ternary",
    ]
    widths = {row.name: row.design.accumulator_bits for row in ROWS if row.group.key == "mac"}
    assert widths == {row.name: int(row.name.split()[1]) for row in ROWS if row.group.key == "mac"}
    assert all(row.design.lanes == 32 for row in ROWS if row.group.key in ("dot", "packed"))
    assert [design.specials for design in FLAGS if design.has_specials].count("flag") == 3
    assert len({(row.group.key, row.name) for row in ROWS}) == len(ROWS)


def test_exact_accumulators_hold_what_the_goals_say():
    checked = 0
    for row in ROWS:
        if row.group.key == "mac" and row.design.weight.name not in ("int8", "int6", "int4"):
            assert row.design.accumulator_bits == row.design.product_bits + 8
            checked += 1
    assert checked == 4


def test_divisors():
    divisors = {row.group.key: row.divisor for row in ROWS if row.name != "int8"}
    assert divisors == {"dot": 32, "mac": 1, "float": 1, "signs": 64, "packed": 128}


def test_as_asked_needs_lut_and_sites_and_blocks():
    assert result().met is True
    assert result(ours=Area(54.0, 54.0)).met is True
    assert result(ours=Area(50.0, 54.1)).met is False
    assert result(ours=Area(54.1, 50.0)).met is False
    assert result(asked=None).met is None
    assert result(asked_per_dsp=2, products_per_dsp=1.9).met is False
    assert result(asked_per_dsp=2, products_per_dsp=2.0).met is True
    assert result(asked_per_dsp=2).met is False
    assert result().ratio == 2.0
    assert result().to_record()["ratio"] == 2.0


def test_table_tells_each_row(small):
    rows, _ = small
    results = [
        result(name="int3", peer="nobody", peer_lut=99.5, vectors=1000),
        result(name="e2m1fn", asked=2.0),
        result(name="int3", target="ecp5", asked=None),
    ]
    text = area.table(results, {"dot": rows[0].group})
    lines = text.splitlines()
    assert "1 of 2 as asked" in lines[-2]
    first, second, third = (
        line.split() for line in lines if line.startswith("  int3 ") or "e2m1fn" in line
    )
    assert first[:6] == ["int3", "54", "40.0", "41.0", "rows", "82.0"]
    assert first[6:] == ["2.00", "99.5", "2.43", "yes", "nobody,", "1000", "vectors"]
    assert second[-1] == "no"
    assert third == ["int3", "40.0", "41.0", "rows", "82.0", "2.00"]
    assert text.count("dot product of 2 lanes") == 2


def test_two_small_designs_from_end_to_end(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(area, "load_rows", lambda: small)
    folder = tmp_path / "out"
    mixed = []
    monkeypatch.setattr(area.area_mixed, "run", lambda *given: mixed.append(given) or 0)
    assert area.main(["--only", "xcup", "--folder", str(folder)]) == 0
    assert mixed == [(["xcup"], folder)]
    shown = capsys.readouterr().out
    record = json.loads((folder / "area.json").read_text())
    assert record["complete"] is True
    assert [row["name"] for row in record["rows"]] == ["int3", "e2m1fn"]
    for row in record["rows"]:
        assert 0 < row["ours"]["sites"] <= row["baseline"]["sites"]
        assert row["structure"] not in row["others"]
        assert f"{row['ours']['sites']:.1f}" in shown
    assert record["rows"][0]["met"] is True
    assert record["rows"][1]["met"] is False
    ignored, flagged = (row["sites"] for row in record["flags"])
    assert ignored < flagged
    for name in ("area", "area_flags"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (folder / f"{name}.svg").read_text()


def test_the_clock_is_told_with_its_seeds(monkeypatch):
    reached = {True: (190.0, 201.5, 230.0), False: (40.0,)}
    asked = []

    def measure(verilog, top, seeds):
        piped = "_p" in top
        asked.append((piped, seeds))
        assert f"module {top}" in verilog
        return Clock(sorted(reached[piped])[len(reached[piped]) // 2], reached[piped], "tool")

    monkeypatch.setattr(timing, "measure", measure)
    speed = area_clock.measure_clock(str)
    assert asked == [(True, timing.SEEDS), (False, (1,))]
    assert speed.met
    assert speed.design["pipeline"] >= 5
    line = speed.line()
    assert "reached 201.5 (seeds 190, 202, 230), behavioural without stages 40.0" in line
    assert line.endswith("a*b without stages 48.7: yes\n")
    assert speed.to_record()["met"] is True


def test_a_stop_keeps_what_was_measured(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(area, "load_rows", lambda: small)
    asked = []

    def measure(row, target, *_, step):
        asked.append(row.name)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return result(name=row.name, target=target)

    monkeypatch.setattr(area, "measure_row", measure)
    assert area.main(["--rows", "dot", "--folder", str(tmp_path)]) == 130
    shown = capsys.readouterr()
    assert "the same command goes on" in shown.err
    assert "int3" in shown.out
    record = json.loads((tmp_path / "area.json").read_text())
    assert record["complete"] is False
    assert len(record["rows"]) == 1


def test_hardware_that_is_wrong_is_no_figure(small, monkeypatch):
    rows, _ = small
    monkeypatch.setattr(area_measure, "map_design", lambda *_: result().ours)

    def fail(design, target, vectors):
        raise RuntimeError(f"{design.slug} is wrong")

    monkeypatch.setattr(area_measure, "_checked", fail)
    with pytest.raises(RuntimeError, match="is wrong"):
        area_measure.measure_row(rows[0], "ecp5", vectors=1, step=str)
    found = area_measure.measure_row(rows[0], "ecp5", step=str)
    assert found.asked is None
    assert found.ours.lut == 20.0


def test_the_figure_has_a_panel_per_group_and_all_marks():
    results = [
        result(others={"merged": Area(50.0, 50.0)}, peer="p", peer_lut=99.0),
        result(group="mac", structure="behavioural"),
        result(group="packed", structure="packed", products_per_dsp=2.0),
        result(target="ecp5"),
    ]
    groups = {row.group.key: row.group for row in ROWS}
    figure = area_figure.draw_areas(results, groups)
    assert len(figure.axes) == 2
    marks = {line.get_marker() for line in figure.axes[0].get_lines()}
    assert marks == {"None", "X", "D", "s", "o"}
    assert {line.get_label() for line in area_figure._legend(results[:1])} >= {
        "best peer (LUT)",
        "asked: at most",
    }
    with pytest.raises(ValueError, match="needs a row on xcup"):
        area_figure.draw_areas(results[2:], groups)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--only", "xcpu"], "target is one of xcup, xc7, ecp5, ice40, not 'xcpu'"),
        (
            ["--rows", "dots"],
            "group is one of dot, mac, float, signs, packed, flags, clock, mixed, not 'dots'",
        ),
        (["--vectors", "-1"], "--vectors is at least 0, not -1"),
    ],
)
def test_wrong_words_are_told(words, told, capsys):
    assert area.main(words) == 2
    assert told in capsys.readouterr().err


def test_a_group_has_a_known_unit(tmp_path):
    path = tmp_path / "rows.yaml"
    path.write_text(FILE.read_text().replace("per: mac", "per: rack"))
    with pytest.raises(ValueError, match="per is one of lane, mac, design, not 'rack'"):
        load_rows(path)
    assert TARGETS == ("xcup", "xc7", "ecp5", "ice40")
