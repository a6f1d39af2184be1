"""``--optimize``: structures ranked by formula or by measurement, and why one was chosen."""

import json

import pytest

from hw.design import from_record
from hw.plan import structures
from hw.target import load
from sweeps import cli
from sweeps.autotune import resolve
from sweeps.choice import choose

XCUP = load("xcup")
DOT = from_record({"kind": "dot", "weight": "e2m1fn", "lanes": 4})


def test_the_default_objective_is_what_auto_means():
    for record in (
        {"kind": "dot", "weight": "int8", "lanes": 2},
        {"kind": "mac", "weight": "e3m2fn"},
        {"kind": "dot", "weight": "e2m1fn", "lanes": 4},
    ):
        design = from_record(record)
        assert choose(design, XCUP, "sites").design == resolve(design, XCUP)


def test_all_structures_are_ranked():
    choice = choose(DOT, XCUP, "lut")
    assert [c.lut for c in choice.candidates] == sorted(c.lut for c in choice.candidates)
    known = set(structures(DOT, XCUP)) - {"dsp", "packed"}
    assert {c.structure for c in choice.candidates} == known
    assert choice.design.structure == choice.candidates[0].structure


def test_dsp_blocks_are_chosen_where_they_are_allowed():
    design = from_record({"kind": "mac", "weight": "int8"})
    assert choose(design, XCUP, "lut").candidates[0].dsp == 0
    best = choose(design, XCUP, "dsp").candidates[0]
    assert best.dsp > 0
    assert best.lut < choose(design, XCUP, "lut").candidates[0].lut


def test_the_shortest_path_is_asked_of_the_netlist():
    choice = choose(from_record({"kind": "mac", "weight": "int6"}), load("ecp5"), "fmax")
    paths = [c.path_ns for c in choice.candidates]
    assert paths == sorted(paths)
    assert 3 < paths[0] < 20


def test_the_best_are_measured_when_asked():
    choice = choose(DOT, XCUP, "lut", verify=2)
    assert [c.verified for c in choice.candidates[:3]] == [True, True, False]
    assert choice.candidates[0].lut <= choice.candidates[1].lut


def test_the_reason_is_in_the_sidecar(tmp_path, capsys):
    words = [
        "generate",
        "dot",
        "--weight",
        "e2m1fn",
        "--lanes",
        "4",
        "--optimize",
        "lut",
        "--verify",
        "1",
        "-o",
    ]
    assert cli.main([*words, str(tmp_path)]) == 0
    captured = capsys.readouterr()
    (sidecar,) = tmp_path.glob("*.json")
    record = json.loads(sidecar.read_text())
    assert record["choice"]["objective"] == "lut"
    assert record["choice"]["candidates"][0]["structure"] == record["design"]["structure"]
    assert captured.err.startswith("for lut:\nstructure")
    assert "measured" in captured.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--optimize power", "must be one of sites, lut, ff, dsp, fmax, energy, not 'power'"),
        ("--optimize lut --structure rows", "only structure auto leaves a choice"),
        ("--verify 2", "--verify measures the best of --optimize"),
        ("--target-mhz 200 --target ecp5 --pipeline 2", "leave out --pipeline"),
        ("--target-mhz 200 --target asic", "only, not of asic"),
        ("--target-mhz 2000 --target ecp5", "no registers can be placed within"),
    ],
)
def test_refusals_are_one_line(capsys, words, message):
    try:
        code = cli.main(["generate", "mac", "--weight", "int4", *words.split()])
    except SystemExit as left:
        code = left.code
    assert code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_least_energy_is_chosen_and_simulated_when_asked():
    choice = choose(DOT, XCUP, "energy", verify=2)
    assert [c.verified for c in choice.candidates[:3]] == [True, True, False]
    found = [c.energy_pj_per_mac for c in choice.candidates]
    assert found[0] <= found[1]
    assert found[2:] == sorted(found[2:])
    estimated = {c.structure: c for c in choose(DOT, XCUP, "energy").candidates}
    for candidate in choice.candidates[:2]:
        guess = estimated[candidate.structure].energy_pj_per_mac
        assert candidate.energy_pj_per_mac == pytest.approx(guess, rel=0.15)
        assert candidate.energy_pj_per_mac != guess
    record = choice.to_record()
    assert record["stream"] == "uniform"
    assert record["reason"].startswith(f"{choice.design.structure} has the least energy_pj_per_mac")


def test_structures_without_energy_are_left_out_with_the_reason(capsys):
    words = ["estimate", "mac", "--weight", "int4", "--optimize", "energy", "--json"]
    assert cli.main(words) == 0
    assert "pJ per MAC" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"no structure of .* can be estimated on asic; .*: "):
        choose(DOT, load("asic"), "energy")
