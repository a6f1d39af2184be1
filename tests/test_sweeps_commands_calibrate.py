"""macloom calibrate: a user's target from reports and from synthesis, and where it is accepted."""

import json

import pytest
import yaml

import costmodel
from costmodel import user
from hw.design import from_record
from hw.target import load
from sweeps.autotune import resolve
from sweeps.cli import main
from sweeps.heldout import draw
from sweeps.user_fit import Point, fit_user

SUMMARY = """\
Fitter Status : Successful
Quartus Prime Version : 22.1std.1 Build 917
Top-level Entity Name : {name}
Logic utilization (in ALMs) : {lut:,} / 41,910 ( 3 % )
Total registers : 12
"""
DESIGNS = [
    {"kind": "dot", "weight": f"int{w}", "activation": f"int{a}", "lanes": lanes}
    for w, a, lanes in ((4, 4, 4), (4, 8, 4), (8, 8, 2), (3, 5, 8), (6, 6, 4), (5, 8, 6), (2, 8, 8))
]


def theirs(design):
    """What a tool would count that needs 0.8 of our LUTs for products and 1.1 for the rest."""
    found = costmodel.estimate(resolve(design, load("xcup")), load("xcup"))
    return round(sum((0.8 if p.label == "product" else 1.1) * p.lut for p in found.breakdown))


@pytest.fixture
def reports(tmp_path):
    """Write a file of designs and a report for each."""
    (tmp_path / "designs.yaml").write_text(yaml.safe_dump(DESIGNS))
    folder = tmp_path / "reports"
    folder.mkdir()
    for record in DESIGNS:
        design = from_record(record)
        text = SUMMARY.format(name=design.slug, lut=theirs(design))
        (folder / f"{design.slug}.fit.summary").write_text(text)
    return tmp_path


def run(*words):
    return main([str(word) for word in words])


def calibrated(folder):
    code = run(
        *("calibrate", "--from-reports", folder / "reports"),
        *("--designs", folder / "designs.yaml", "-o", folder / "out"),
    )
    assert code == 0
    return folder / "out" / "xcup.yaml"


def test_a_target_from_reports_speaks_the_users_tool(reports, capsys):
    file = calibrated(reports)
    said = capsys.readouterr().out
    assert "7 designs on xcup, measured by 22.1std.1" in said
    known = user.load(str(file))
    assert known.designs == 7
    assert known.weights["product"] < 0.95 < known.weights["adder row"]
    left_out = from_record({"kind": "dot", "weight": "int5", "activation": "int6", "lanes": 5})
    wanted = theirs(left_out)
    ours = costmodel.estimate(resolve(left_out, load("xcup")), load("xcup")).lut
    settled = resolve(left_out, load(str(file)))
    corrected = costmodel.estimate(settled, load(str(file)))
    assert abs(corrected.lut - wanted) < 0.35 * abs(ours - wanted)
    assert corrected.target == str(file)


def test_the_target_is_accepted_where_a_name_is(reports, capsys):
    file = calibrated(reports)
    capsys.readouterr()
    words = ("dot", "--weight", "int4", "--activation", "int8", "--lanes", "4", "--target", file)
    assert run("estimate", *words, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["target"] == str(file)
    assert found["expected_error"]["designs"] == 7
    assert run("generate", *words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["target"] == str(file)
    assert run("estimate", *words, "--portable") == 0
    assert f"{file}:portable" in capsys.readouterr().out


def test_outside_the_designs_is_refused_or_flagged(reports, capsys):
    file = calibrated(reports)
    words = ("mac", "--weight", "int12", "--target", file)
    assert run("estimate", *words) == 2
    refused = capsys.readouterr().err
    assert "lies outside the designs of" in refused
    assert "kind mac (calibrated: dot)" in refused
    assert "operand bits 12/12 (calibrated: 2 … 8)" in refused
    assert run("estimate", *words, "--extrapolate", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["expected_error"]["outside"]) >= 2
    known = user.load(str(file))
    assert found["expected_error"]["percent"] == pytest.approx(2 * known.percentile_95, abs=0.1)


def test_a_mapping_names_designs(reports, capsys):
    first = from_record(DESIGNS[0])
    old = reports / "reports" / f"{first.slug}.fit.summary"
    old.write_text(old.read_text().replace(first.slug, "top"))
    old.rename(reports / "reports" / "first.fit.summary")
    words = ("calibrate", "--from-reports", reports / "reports", "-o", reports / "out")
    words = (*words, "--designs", reports / "designs.yaml")
    assert run(*words) == 2
    assert "no design is called 'top' or 'first'; --map FILE" in capsys.readouterr().err
    (reports / "map.yaml").write_text(f"top: {first.slug}\n")
    assert run(*words, "--map", reports / "map.yaml") == 0
    (reports / "map.yaml").write_text("top: nothing\n")
    assert run(*words, "--map", reports / "map.yaml") == 2
    assert "no design 'nothing'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ("--from-reports", "gone.rpt", "--designs", "designs.yaml"),
            "no report gone.rpt",
        ),
        (("--from-reports", "reports"), "reports need --designs"),
        (("--from-reports", "reports", "--designs", "gone.yaml"), "gone.yaml"),
        (("--target", "spartan"), "target is one of"),
        (("--show", "--target", "asic"), "held-out designs are there for"),
    ],
)
def test_bad_input(reports, monkeypatch, capsys, words, why):
    monkeypatch.chdir(reports)
    assert run("calibrate", *words) == 2
    assert why in capsys.readouterr().err


def test_files_that_are_no_target(tmp_path):
    file = tmp_path / "mine.yaml"
    for text, why in (
        ("base: nothing\n", "base of a user's target is one of"),
        ("[1, 2]\n", "not None"),
        ("base: [", "not None"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=why):
            load.__wrapped__(str(file))
    file.write_text("base: xcup\nversion: 1\n")
    with pytest.raises(ValueError, match="needs the key"):
        user.load.__wrapped__(str(file))
    file.write_text("base: xcup\nversion: 7\n")
    with pytest.raises(ValueError, match="version is 1"):
        user.load.__wrapped__(str(file))


def test_exact_weights_are_found_and_few_designs_refused():
    designs = [one.design for one in draw(load("ecp5"), 3, 14, version=1)]
    base = load("ecp5")
    points = []
    for design in designs:
        numbers = costmodel.estimate(design, base)
        points.append(Point(design, max(round(0.7 * numbers.lut), 1), "test"))
    fitted = fit_user(points, base)
    assert fitted.before.mean > 30
    assert fitted.after.mean < 1
    with pytest.raises(ValueError, match="at least 3 designs, not 2"):
        fit_user(points[:2], base)
    with pytest.raises(ValueError, match="test: a design has at least one LUT"):
        fit_user([*points[:3], Point(designs[0], 0, "test")], base)


@pytest.mark.slow
def test_designs_are_synthesised_when_there_are_no_reports(reports, capsys):
    words = ("calibrate", "--designs", reports / "designs.yaml", "-o", reports / "out", "--json")
    assert run(*words, "--target", "ecp5") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["designs"] == 7
    assert found["before"]["worst"] < 12
    assert (reports / "out" / "designs_ecp5.csv").is_file()
    assert user.load(str(reports / "out" / "ecp5.yaml")).tool.startswith("Yosys")
