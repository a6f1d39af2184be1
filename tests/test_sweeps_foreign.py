"""``--rtl``: foreign files on the command line, their count beside ours, and in the figure."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sweeps import cli
from sweeps.foreign import read_peers
from sweeps.looks import LAYOUTS
from sweeps.peers import placed
from sweeps.plot import draw, render
from tests.test_sweeps_plot import point

RTL = """
module pair_dot(input [7:0] a, input [7:0] b, output signed [8:0] y);
  wire signed [3:0] a0 = a[3:0], a1 = a[7:4], b0 = b[3:0], b1 = b[7:4];
  assign y = a0 * b0 + a1 * b1;
endmodule
"""
DESIGN = ["dot", "--weight", "int4", "--lanes", "2"]


@pytest.fixture
def rtl(tmp_path: Path) -> Path:
    path = tmp_path / "pair_dot.v"
    path.write_text(RTL)
    return path


def run(capsys, *words: object) -> tuple[int, str, str]:
    code = cli.main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_simulate_judges_foreign_files(rtl, capsys):
    ports = ["--rtl", rtl, "--top", "pair_dot", "--ports", "weight=a,activation=b,total=y"]
    code, text, _ = run(capsys, "simulate", *DESIGN, *ports, "--vectors", 500)
    assert code == 0
    assert "pair_dot: agrees with the golden model: " in text
    rtl.write_text(RTL.replace("a1 * b1", "a1 * b0"))
    code, text, _ = run(capsys, "simulate", *DESIGN, *ports, "--vectors", 500, "--json")
    assert code == 1
    assert json.loads(text)["mismatches"] > 100


def test_synthesize_counts_both_and_the_figure_shows_it(rtl, tmp_path, capsys):
    files = ["--rtl", rtl, "--top", "pair_dot", "-o", tmp_path]
    code, text, _ = run(capsys, "synthesize", *DESIGN, *files)
    assert code == 0
    assert "theirs / ours" in text
    record = json.loads((tmp_path / "pair_dot.json").read_text())
    assert record["theirs"]["lut"] > 20
    assert record["theirs"]["ff"] == 0 < record["ours"]["ff"]
    (peer,) = read_peers([tmp_path / "pair_dot.json"])
    assert peer.sites_per_lane == record["theirs"]["sites"] / 2
    points = [point("int4", "int4", 530, 20.0), point("int8", "int8", 536, 60.0)]
    axes = draw(points, peers=[peer]).axes[0]
    assert "pair_dot (2 lanes)" in {text.get_text() for text in axes.texts}
    assert axes.get_xlim()[0] < peer.sites_per_lane < axes.get_xlim()[1]
    assert render(points, "png", "wide", [peer]) != render(points, "png", "wide")


def test_a_peer_far_outside_widens_the_frame(tmp_path):
    (tmp_path / "far.json").write_text(
        json.dumps(
            {
                "top": "far",
                "target": "xcup",
                "lanes": 16,
                "design": {"weight": "int4", "activation": "int4"},
                "theirs": {"sites": 16000},
            }
        )
    )
    (peer,) = read_peers([tmp_path / "far.json"])
    points = [point("int4", "int4", 530, 20.0)]
    for layout in LAYOUTS:
        assert draw(points, layout, [peer]).axes[0].get_xlim()[1] > 1000
    with pytest.raises(ValueError, match="no point has the formats of far, int5 × int4"):
        placed([replace(peer, weight="int5")], points)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--top", "pair_dot"], "--rtl needs --ports"),
        (["--ports", "weight=a,activation=b,total=y"], "--rtl needs --top"),
        (["--top", "pair_dot", "--ports", "weight=a"], "every input of pair_dot must be in"),
        (
            ["--top", "pair_dot", "--ports", "weight=a", "--parameter", "N"],
            "a parameter is NAME=VALUE, not 'N'",
        ),
    ],
)
def test_bad_options_are_one_line(rtl, capsys, words, message):
    code, out, err = run(capsys, "simulate", *DESIGN, "--rtl", rtl, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_file_that_is_not_there(tmp_path, capsys):
    words = ["--rtl", tmp_path / "no.v", "--top", "x", "--ports", "weight=a"]
    code, _, err = run(capsys, "simulate", *DESIGN, *words)
    assert (code, err) == (2, f"error: {tmp_path / 'no.v'}: no such file or directory\n")


def test_records_that_are_none(tmp_path, capsys):
    (tmp_path / "p.json").write_text("{}")
    with pytest.raises(ValueError, match=r"p\.json is no record of `macloom synthesize --rtl`"):
        read_peers([tmp_path / "p.json"])
