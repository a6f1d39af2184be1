"""sweeps.asic: the target of gates on the command line, and the table of others' designs."""

import csv
import json
from importlib.resources import files

import pytest

from hw import asic
from hw.design import from_record
from sweeps.asic_calibrate import measured
from sweeps.asic_published import anchors
from sweeps.cli import main

LIBRARY = files("costmodel") / "data" / "example.lib"
DESIGN = ["mac", "--weight", "int3", "--accumulator", "wrap:8", "--structure", "rows"]
DESIGN += ["--target", "asic"]


def test_estimate_and_measurement_have_the_same_keys(capsys):
    assert main(["estimate", *DESIGN, "--json"]) == 0
    estimated = json.loads(capsys.readouterr().out)
    assert main(["synthesize", *DESIGN, "--json", "--liberty", str(LIBRARY)]) == 0
    found = json.loads(capsys.readouterr().out)
    names = ("lut", "sites", "ff", "carry", "dsp", "transistors", "gates", "target", "design")
    for name in names:
        assert name in estimated
        assert name in found
    assert estimated["ff"] == found["ff"] == 17
    assert estimated["transistors"] == pytest.approx(found["transistors"], rel=0.1)
    assert estimated["gates"] == pytest.approx(found["gates"], rel=0.1)
    assert found["gate_equivalents"] == found["transistors"] / 4
    assert found["liberty"]["library"] == "macloom_example"
    assert found["liberty"]["delay_ns"] > 0


def test_lines_for_people(capsys):
    assert main(["estimate", *DESIGN, "--breakdown"]) == 0
    told = capsys.readouterr().out
    assert "on asic, estimated" in told
    assert "accumulator" in told
    assert main(["synthesize", *DESIGN, "--liberty", str(LIBRARY)]) == 0
    told = capsys.readouterr().out
    assert "2-input gates" in told
    assert "macloom_example: area" in told


def test_the_cheapest_structure_for_gates_is_chosen(capsys):
    chosen = {}
    for weight, activation in (("int8", "int8"), ("e2m1fn", "e2m1fn")):
        options = ["--weight", weight, "--activation", activation, "--target", "asic", "--json"]
        prices = {}
        for structure in ("auto", "rows", "behavioural"):
            assert main(["estimate", "mac", *options, "--structure", structure]) == 0
            found = json.loads(capsys.readouterr().out)
            prices[structure] = found["transistors"]
            chosen[weight] = found["design"]["structure"]
        assert prices["auto"] <= min(prices["rows"], prices["behavioural"])
    assert len(chosen) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target", "xcup"], "a Liberty file is for the target asic, not xcup"),
        (["--target", "asic"], "line 2: area is followed by ':' or '(', not 3"),
    ],
)
def test_bad_input_is_one_line_and_code_2(tmp_path, capsys, options, message):
    file = tmp_path / "own.lib"
    file.write_text("library (x) {\n  area 3;\n}\n", encoding="utf-8")
    words = ["synthesize", *DESIGN[:-2], *options, "--liberty", str(file)]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_dsp_blocks_and_missing_files_are_refused(tmp_path, capsys):
    assert main(["estimate", "mac", "--weight", "int8", "--structure", "dsp", *DESIGN[-2:]]) == 2
    assert "structure dsp cannot serve" in capsys.readouterr().err
    assert main(["synthesize", *DESIGN, "--liberty", str(tmp_path / "none.lib")]) == 2
    assert "none.lib: no such file" in capsys.readouterr().err


def test_the_table_of_others_designs():
    text = (files("costmodel") / "data" / "anchors_asic.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 6
    assert all(int(row["transistors"]) < int(row["peer_transistors"]) for row in rows)
    assert len(anchors().splitlines()) == 7
    # One of them anew: ours, and the behavioural MAC beside it.
    record = {"kind": "mac", "weight": "int4", "accumulator": "wrap:20", "structure": "rows"}
    ours = measured(from_record({**record, "specials": "ignore"}))
    theirs = asic.measure(
        "module mac(input clk, input rst, input signed [3:0] a, input signed [3:0] b,\n"
        "           output reg signed [19:0] total);\n"
        "  always @(posedge clk) if (rst) total <= 0; else total <= total + a * b;\nendmodule\n",
        "mac",
    )
    (row,) = (row for row in rows if row["design"] == "mac int4 wrap:20")
    assert (ours.transistors, ours.ff) == (int(row["transistors"]), int(row["ff"]))
    assert theirs.ff == int(row["peer_ff"])
    assert theirs.transistors == pytest.approx(int(row["peer_transistors"]), rel=0.02)
