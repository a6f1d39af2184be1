"""Estimates for other tools: the fields of their own schemas, units, and no energy that is not."""

import csv
import io
import json
import re
from dataclasses import asdict

import pytest
import yaml

from costmodel import estimate
from hw.design import from_record
from hw.target import load
from sweeps import breakdown_figure, workflow
from sweeps.cli import main
from sweeps.interchange import accelergy, document, missing_energy, zigzag

DESIGNS = (
    {"kind": "mac", "weight": "int8", "structure": "rows"},
    {"kind": "dot", "weight": "int4", "activation": "int8", "lanes": 16, "structure": "rows"},
    {"kind": "array", "weight": "e4m3fn", "rows": 4, "columns": 3, "structure": "merged"},
    {"kind": "tile", "weight": "int4", "rows": 2, "columns": 2, "lanes": 8, "structure": "rows"},
)
ENERGY = {"energy": {"energy_pj_per_mac": 0.25}}

# The schema of ZigZag 3's operational array (zigzag/parser/accelerator_validator.py), for arrays
# that compute outside memories: type of each field, and whether it must be there.
ZIGZAG_ARRAY = {
    "dimensions": (list, True),
    "sizes": (list, True),
    "input_precision": (list, False),
    "unit_energy": (float, False),
    "unit_area": (float, False),
}


def found_of(record, target="xcup"):
    """Return an estimate as `sweeps.workflow.estimate` does, with its parts."""
    result = estimate(from_record(record), load(target))
    return result.to_record() | {"parts": [asdict(part) for part in result.breakdown]}


@pytest.mark.parametrize("record", DESIGNS, ids=lambda r: r["kind"])
@pytest.mark.parametrize("energy", [{}, ENERGY], ids=["area", "energy"])
def test_zigzag_has_the_fields_of_its_schema(record, energy):
    found = found_of(record) | energy
    read = yaml.safe_load(document(found, "zigzag"))
    assert read == zigzag(found)
    assert set(read) == {"name", "memories", "operational_array"}
    array = read["operational_array"]
    assert set(array) <= set(ZIGZAG_ARRAY)
    for name, (kind, needed) in ZIGZAG_ARRAY.items():
        assert name in array or not needed
        assert isinstance(array.get(name, kind()), kind)
    assert all(re.fullmatch(r"D\d", name) for name in array["dimensions"])
    assert len(array["dimensions"]) == len(array["sizes"])
    assert ("unit_energy" in array) == bool(energy)
    units = 1
    for size in array["sizes"]:
        units *= size
    assert array["unit_area"] * units == pytest.approx(found["sites"])
    design = from_record(record)
    assert array["input_precision"] == [design.activation.bits, design.weight.bits]


@pytest.mark.parametrize("record", DESIGNS, ids=lambda r: r["kind"])
@pytest.mark.parametrize("energy", [{}, ENERGY], ids=["area", "energy"])
def test_accelergy_has_a_class_and_its_tables(record, energy):
    found = found_of(record) | energy
    read = yaml.safe_load(document(found, "accelergy"))
    assert read == accelergy(found)
    assert set(read) == {"version", "classes", "ART", *(["ERT"] if energy else [])}
    (component,) = read["classes"]
    assert set(component) == {"name", "attributes", "actions"}
    assert component["actions"] == [{"name": "compute"}]
    attributes = component["attributes"]
    assert (attributes["technology"], attributes["area_unit"]) == ("xcup", "sites")
    assert attributes["lut"] == found["lut"]
    (area,) = read["ART"]["tables"]
    assert area == {"name": component["name"], "area": found["sites"]}
    if energy:
        (table,) = read["ERT"]["tables"]
        (action,) = table["actions"]
        assert set(action) == {"name", "arguments", "energy"}
        assert table["name"] == component["name"]
        assert action["energy"] == 0.25 * attributes["products_per_compute"]
    products = from_record(record).lanes * from_record(record).cores
    assert attributes["products_per_compute"] == products


def test_csv_has_a_head_and_a_row():
    found = found_of(DESIGNS[2])
    (row,) = csv.DictReader(io.StringIO(document(found, "csv")))
    assert {name: int(row[name]) for name in ("lut", "sites", "ff", "carry", "dsp")} == {
        name: found[name] for name in ("lut", "sites", "ff", "carry", "dsp")
    }
    assert (row["kind"], row["rows"], row["columns"], row["lanes"]) == ("array", "4", "3", "1")
    assert "energy_pj_per_mac" not in row
    (row,) = csv.DictReader(io.StringIO(document(found | ENERGY, "csv")))
    assert row["energy_pj_per_mac"] == "0.25"


def test_an_energy_that_is_not_there_is_said():
    found = found_of(DESIGNS[0], "ice40")
    assert missing_energy(found, "zigzag") == "energy is left out: the estimate on ice40 has none"
    assert missing_energy(found, "csv") == ""
    assert missing_energy(found | ENERGY, "accelergy") == ""
    with pytest.raises(ValueError, match="csv, accelergy or zigzag, not 'xml'"):
        document(found, "xml")


WORDS = ["estimate", "mac", "--weight", "int4", "--structure", "rows"]


def test_the_command_prints_each_format(capsys):
    assert main([*WORDS, "--format", "json"]) == 0
    assert "energy" not in json.loads(capsys.readouterr().out)
    packed = ["estimate", "tile", "--weight", "int4", "--lanes", "8", "--structure", "packed"]
    for words, known in ((WORDS, True), (packed, False)):
        assert main([*words, "--format", "json"]) == 0
        design = from_record(json.loads(capsys.readouterr().out)["design"])
        given = workflow.estimate(design, "xcup", energy=True)
        assert ("energy" in given, "energy_left_out" in given) == (known, not known)
        for name in ("csv", "accelergy", "zigzag"):
            assert main([*words, "--format", name]) == 0
            printed = capsys.readouterr()
            assert printed.out == document(given, name)
            note = missing_energy(given, name)
            assert bool(note) == (not known and name != "csv")
            assert printed.err == (f"note: {note}\n" if note else "")
    assert main([*WORDS, "--format", "csv", "--json"]) == 2
    assert "--json is --format json, not csv" in capsys.readouterr().err


def test_the_command_draws_the_parts(tmp_path, capsys):
    heads = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for kind, head in heads.items():
        path = tmp_path / f"parts.{kind}"
        assert main([*WORDS, "--plot", str(path)]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == str(path)
        assert path.read_bytes().startswith(head)
    assert main([*WORDS, "--plot", str(tmp_path / "parts.bmp")]) == 2
    assert "png, svg, pdf, not 'bmp'" in capsys.readouterr().err
    assert not (tmp_path / "parts.bmp").exists()


def test_bars_are_the_parts():
    found = found_of(DESIGNS[2])
    parts = [part for part in found["parts"] if part["lut"] or part["ff"]]
    figure = breakdown_figure.draw(found, parts)
    (axes,) = figure.axes
    for container, name in zip(axes.containers, ("lut", "ff"), strict=True):
        drawn = sorted(bar.get_width() for bar in container)
        assert drawn == sorted(part[name] for part in parts)
        assert sum(drawn) == found[name]
    labels = {label.get_text() for label in axes.get_yticklabels()}
    assert labels == {f"{part['label']} × {part['count']}" for part in parts}
    assert "number" in axes.get_xlabel()
    assert breakdown_figure.render(found, "svg") == breakdown_figure.render(found, "svg")


def test_a_breakdown_of_nothing_is_not_drawn():
    with pytest.raises(ValueError, match="there is none"):
        breakdown_figure.render(found_of(DESIGNS[0]) | {"parts": []}, "png")
