"""Which design multiplies a pair of formats, what it costs, and what has none."""

import csv
import io
import shlex

import pytest

from hw.design import from_record
from hw.formats import parse
from sweeps.cli import main
from sweeps.evaluators import Evaluators, Network, estimate
from sweeps.layer_costs import Pair, Units, layer_costs
from sweeps.metrics import pack
from sweeps.models import load
from sweeps.pairing import hardware, storage_bits
from sweeps.points import from_csv, to_csv
from sweeps.runs import design_of, run
from sweeps.scales import parse_scheme
from sweeps.spec import SPECS, parse_spec, read_spec
from sweeps.store import Store

DOT = {"kind": "dot", "lanes": 32, "specials": "ignore"}
TILE = {"kind": "tile", "rows": 8, "columns": 8, "lanes": 4, "specials": "ignore"}


def found(weight, activation, scheme="max", common=DOT):
    accumulator = "exact:144" if common is not DOT or "e8m0" not in scheme else "float:fp32:step"
    return hardware(
        parse(weight),
        parse(activation),
        parse_scheme(scheme),
        common,
        "float:fp32:step" if "mx" in weight + activation or "bfp" in weight else accumulator,
        144,
    )


@pytest.mark.parametrize(
    ("weight", "activation", "scheme", "slug", "lanes"),
    [
        ("int4", "int8", "max", "dot32_int4_int8_exact144", 32),
        ("int4", "int8", "max/tensor/token@fp16", "dot32_int4_int8_exact144", 32),
        ("mxfp4", "mxfp4", "max", "mxdot32_e2m1fn_e2m1fn_fp32step", 32),
        ("mxint8", "mxfp8e4m3", "max", "mxdot32_fixed_8_2_e4m3fn_fp32step_ignore", 32),
        ("mxfp6e2m3", "int8", "max", "mxdot32_e2m3fn_int8_fp32step", 32),
        ("bfp<4,16>", "mxint8", "max", "mxdot16_int4_fixed_8_2_fp32step", 16),
        ("int4", "int8", "max/group:64@e8m0", "mxdot64_int4_int8_fp32step", 64),
        ("bitmod4", "int8", "max", "bitmod_int8_128x32_fp4", 2),
        ("bitmod3<64,int8>", "fp16", "max", "bitmod_fp16_64x64_fp3_fp32step_ignore", 2),
    ],
)
def test_designs_of_pairs(weight, activation, scheme, slug, lanes):
    one = found(weight, activation, scheme)
    assert (one.design.slug, one.lanes, one.reason) == (slug, lanes, "")
    assert from_record(one.design.to_record()) == one.design
    area = estimate({"design": one.design.to_record(), "target": "xcup"})
    assert area["lut"] > 0


def test_a_tile_of_bitmod_elements():
    one = found("bitmod4", "int8", common=TILE)
    assert one.design.slug == "bitmod8x8_int8_128x32_fp4"
    assert one.lanes == 4 * 64 // 2


@pytest.mark.parametrize(
    ("weight", "activation", "scheme", "reason"),
    [
        ("nvfp4", "nvfp4", "max", "mxdot has e8m0 scales, nvfp4 has e4m3fn ones"),
        ("vsq<4,4,16>", "mxint8", "max", "mxdot has e8m0 scales"),
        ("bitmod4<128,fp16>", "int8", "max", "bitmod elements take bitmod3 or bitmod4"),
        ("bitmod4", "mxint8", "max", "bitmod elements take"),
        ("bitmod4<10,int8>", "int8", "max", "group must be in 20..512"),
        ("int4", "int8", "mse/group:32", "scales per group in float64 need a multiplier"),
        ("int4", "int8", "mse/group:32@fp16", "scales per group in fp16 need a multiplier"),
        ("block<nf4,32,e8m0,floor>", "mxint8", "max", "neither fixed point"),
    ],
)
def test_what_has_no_hardware_says_why(weight, activation, scheme, reason):
    one = found(weight, activation, scheme)
    assert one.design is None
    assert reason in one.reason or "group" in one.reason
    assert "\n" not in one.reason


def test_storage_counts_scales_of_blocks_and_groups():
    assert storage_bits(parse("mxfp4")) == 4.25
    assert storage_bits(parse("nvfp4")) == 4.5
    assert storage_bits(parse("int4")) == 4
    assert storage_bits(parse("int4"), 32, parse("fp16")) == 4.5
    assert storage_bits(parse("int4"), 32) == 6


SPEC = """
version: 1
network: digits_cnn
weights: [int4, {family: blocks, names: [mxfp4, nvfp4, bitmod4]}]
activations: [int8, mxint8]
design: {kind: dot, lanes: 32}
scales: [max, mse, max/group:32@e8m0, {method: mse, weights: "group:32", format: fp16}]
"""


def made_up():
    """Evaluators that tell what they are asked, with areas by formula."""
    asked = []

    def accuracy(record):
        asked.append(record)
        value = 90.0 + len(record["weight"]) / 10
        ends = {"value": value, "low": value - 1, "high": value + 1}
        ends |= {f"float_{name}": 99.0 for name in ends}
        scores = pack([1.0] * 10)
        method = record["method"].split(",")[0]
        return {"metric": "accuracy", "inputs": 10, "method": method, "scores": scores, **ends}

    tools = Evaluators(lambda name, data: Network(144, "x"), accuracy, estimate, lambda *a: [])
    return tools, asked


def test_a_sweep_of_blocks_has_a_point_for_each_pair_and_way_to_share_scales(tmp_path):
    sweep = parse_spec(SPEC, "blocks.yaml")
    assert sweep.scales == ("max", "mse", "max/group:32@e8m0", "mse/group:32@fp16")
    tools, asked = made_up()
    with Store(tmp_path / "points.sqlite") as store:
        points = run(sweep, store, workers=1, evaluators=tools)
    assert len(points) == 8 + 2 + 1  # pairs; int4 in groups at powers of two, and at fp16
    assert len(asked) == len(points)
    lost = [p for p in points if not p.has_hardware]
    assert {p.pair for p in lost} == {
        "nvfp4×int8",
        "nvfp4×mxint8",
        "bitmod4×mxint8",
        "int4×int8/group:32@fp16",
    }
    assert all(p.no_hardware and not p.on_front and p.command == "" for p in lost)
    assert sum(p.on_front for p in points) >= 1
    for point in points:
        if point.has_hardware:
            design = design_of(point, sweep)
            assert design.slug.startswith(point.design)
            record = shlex.split(point.command)
            assert record[:3] == ["macloom", "generate", design.kind]
            assert point.sites_per_lane == pytest.approx(point.sites / point.lanes, abs=1e-6)
    methods = {p.pair: p.method for p in points}
    assert methods["mxfp4×mxint8"] == "own"
    assert methods["int4×int8"] == "max"
    assert {r["method"] for r in asked} == {
        "max,mse",
        "own",
        "max/group:32@e8m0",
        "mse/group:32@fp16",
    }
    text = to_csv(points)
    again = from_csv(text)
    assert to_csv(again) == text
    (row,) = [r for r in csv.DictReader(io.StringIO(text)) if r["weight"] == "nvfp4"][:1]
    assert row["lut"] == row["sites_per_lane"] == ""
    assert row["no_hardware"].startswith("mxdot has e8m0 scales")


def test_commands_of_points_write_verilog(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sweep = parse_spec(SPEC, "blocks.yaml")
    tools, _ = made_up()
    with Store(tmp_path / "points.sqlite") as store:
        points = run(sweep, store, workers=1, evaluators=tools)
    kinds = {}
    for point in points:
        if point.has_hardware:
            kinds.setdefault(point.design.partition("_")[0], point)
    assert sorted(kinds) == ["bitmod", "dot32", "mxdot32"]
    for point in kinds.values():
        assert main(shlex.split(point.command)[1:]) == 0
        path = capsys.readouterr().out.split()[0]
        assert "module" in (tmp_path / path).read_text()


def test_the_shipped_spec_covers_the_block_formats():
    sweep = read_spec(SPECS / "blocks.yaml")
    entries = sweep.entries(144)
    assert len(entries) > 300
    kinds = {entry.design.kind for entry in entries if entry.design}
    assert kinds == {"dot", "mxdot", "bitmod"}
    assert {"mxfp4", "mxint8", "nvfp4", "bitmod4"} <= {e.weight.name for e in entries}


def test_layers_have_units_of_blocks():
    network = load("digits_cnn")
    pairs = [Pair(parse(n), parse(n)) for n in ("int4", "mxfp4", "mxint8")]
    costs = layer_costs(network, pairs, ("lut", "memory", "bops"), "xcup")
    assert costs["memory"][0].tolist() == [144 * 4, 144 * 4.25, 144 * 8.25]
    assert costs["bops"][1][0] == costs["bops"][1][1]
    unit = Units().design(network, network.multiplying[1], pairs[1])
    assert unit.slug == "mxdot32_e2m1fn_e2m1fn_fp32step"
    whole = estimate({"design": unit.to_record(), "target": "xcup"})["lut"]
    assert costs["lut"][1][1] == whole * 16 / 32
    with pytest.raises(ValueError, match="nvfp4×nvfp4 has no hardware: mxdot has e8m0 scales"):
        layer_costs(network, [Pair(parse("nvfp4"), parse("nvfp4"))], ("lut",), "xcup")
    with pytest.raises(ValueError, match="cycles are of units of single codes"):
        layer_costs(network, pairs, ("cycles",), "xcup")
