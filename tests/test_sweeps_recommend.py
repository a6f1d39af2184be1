"""The inverse question: against a look at all points, with clocks, and what is refused."""

import json
import shlex

import pytest

from costmodel.timing import clock
from hw.design import from_record
from hw.plan import plan
from hw.rtl import emit
from hw.target import load
from sweeps.cli import main, parser
from sweeps.commands_recommend import sweep_of
from sweeps.recommend import Limits, recommend
from sweeps.runs import run
from sweeps.store import Store


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("recommend")


@pytest.fixture
def ask(folder, capsys):
    def call(*more, code=0, grid=("int2,int3,int4", "uint2,uint4")):
        words = ["recommend", "--network", "digits_cnn", "-o", str(folder), "--workers", "1"]
        words += ["--weights", grid[0], "--activations", grid[1], *map(str, more)]
        try:
            found = main(words)
        except SystemExit as leave:
            found = leave.code
        printed = capsys.readouterr()
        assert found == code
        return printed.out if code == 0 else printed.err.splitlines()[-1]

    return call


def points_of(folder, target="xcup"):
    words = ["recommend", "--network", "digits_cnn", "--target", target]
    words += ["--weights", "int2,int3,int4", "--activations", "uint2,uint4"]
    sweep = sweep_of(parser().parse_args(words))
    with Store(folder / "points.sqlite") as store:
        return run(sweep, store, workers=1), sweep


def test_the_best_is_that_of_all_points(ask, folder):
    found = json.loads(ask("--max-lut", 3000, "--min-accuracy", 97, "--json"))
    points, _ = points_of(folder)
    assert len(points) == found["points"] == 6
    good = [p for p in points if p.lut <= 3000 and p.value >= 97]
    least = min(good, key=lambda p: (p.lut, p.loss))
    best = found["best"]
    assert (best["weight"], best["activation"]) == (least.weight, least.activation)
    assert (best["lut"], best["value"]) == (least.lut, least.value)
    assert found["minimised"] == "lut"
    assert len(found["runners_up"]) == min(4, len(good) - 1)
    most = json.loads(ask("--max-lut", least.lut, "--json"))
    assert most["minimised"] == "loss"
    within = [p for p in points if p.lut <= least.lut]
    assert most["best"]["value"] == max(p.value for p in within)


def test_runners_up_are_first_the_other_trade_offs(ask):
    found = json.loads(ask("--max-lut", 3000, "--json", "--runners-up", 5, "--minimise", "lut"))
    ranked = [found["best"], *found["runners_up"]]
    assert len(ranked) == 6
    flags = [one["on_front"] for one in ranked]
    assert flags == sorted(flags, reverse=True)
    for one in ranked:
        dominated = any(
            other["lut"] <= one["lut"]
            and other["value"] >= one["value"]
            and (other["lut"], other["value"]) != (one["lut"], one["value"])
            for other in ranked
        )
        assert not (dominated and one["on_front"])
    assert found["best"]["indistinct_from_best"]
    assert not ranked[-1]["indistinct_from_best"] or len({one["value"] for one in ranked}) < 6


def test_its_command_writes_its_verilog(ask, tmp_path, capsys):
    best = json.loads(ask("--min-accuracy", 97, "--json"))["best"]
    words = shlex.split(best["command"])
    assert words[0] == "macloom"
    words[-1] = str(tmp_path)
    assert main(words[1:]) == 0
    capsys.readouterr()
    (sidecar,) = tmp_path.glob("*.json")
    assert json.loads(sidecar.read_text())["design"] == best["design"]


def test_dsp_blocks_are_used_where_they_are_asked_for(ask):
    plain = json.loads(ask("--min-accuracy", 97, "--json"))["best"]
    best = json.loads(ask("--min-accuracy", 97, "--structure", "packed", "--json"))["best"]
    assert best["design"]["structure"] == "packed"
    assert best["lut"] < plain["lut"] / 2
    said = ask("--structure", "pakced", code=2)
    assert "a structure is one of auto, behavioural" in said


def test_tables_say_what_chance_may_explain(ask):
    text = ask("--max-lut", 3000, "--min-accuracy", 97, "--max-energy", 50)
    assert "told from the best" in text
    assert "pJ/MAC" in text
    assert "macloom generate dot --weight" in text
    exact = json.loads(ask("--min-accuracy", 97, "--json"))["best"]["value"]
    assert "lies within the best's 95 % interval" in ask("--min-accuracy", exact)


def test_clocks_are_met_with_stages(ask):
    grid = ("int2", "uint2")
    slow = json.loads(ask("--target", "ecp5", "--min-mhz", 5, "--json", grid=grid))["best"]
    assert slow["design"].get("pipeline", 0) == 0
    target = load("ecp5")
    plain = clock(plan(from_record(slow["design"]), target)).fmax_mhz
    assert slow["mhz"] == pytest.approx(plain)
    fast = json.loads(ask("--target", "ecp5", "--min-mhz", 150, "--json", grid=grid))["best"]
    design = from_record(fast["design"])
    assert design.pipeline > 0
    path_ns = emit(design, target).record["path_ns"]
    assert fast["mhz"] == pytest.approx(clock(plan(design, target), path_ns).fmax_mhz)
    assert fast["mhz"] >= 150 > plain


def test_what_cannot_be_met_tells_the_nearest(ask, folder):
    points, sweep = points_of(folder)
    least = min(p.lut for p in points if p.value >= 97)
    line = ask("--max-lut", 10, "--min-accuracy", 97, code=2)
    assert f"lut {least:g} instead of 10" in line
    with pytest.raises(ValueError, match=r"accuracy .* % instead of 99\.99 %"):
        recommend(points, sweep, Limits(loss=0.01))
    refused = [
        (("--min-mhz", 5000), "instead of 5000"),
        (("--min-mhz", 2000, "--target", "ecp5"), "instead of 2000"),
        (("--max-bits", 2), "say --min-accuracy"),
        (("--min-accuracy", 101), "at most 100 %"),
        (("--max-lut", -1), "above 0"),
        (("--network", "digits_vitt"), "did you mean digits_vit"),
        (("--minimise", "luts"), "did you mean 'lut'"),
        (("--target", "xcupp"), "xcup"),
    ]
    for words, expected in refused:
        assert expected in ask(*words, code=2), words
    assert len(refused) == 8
