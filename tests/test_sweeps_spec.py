import random
from pathlib import Path

import pytest

from hw.design import DotProduct, Mac, OutputStationaryArray, WeightStationaryArray
from hw.formats import parse
from sweeps.nodes import compose
from sweeps.spec import SPECS, parse_spec, read_spec
from sweeps.sweep import Sweep

MINIMAL = """\
version: 1
network: digits_cnn
weights: [int4]
activations:
  - {family: integers, bits: 2..4, signed: false}
"""


def sweep(*lines: str) -> Sweep:
    return parse_spec(MINIMAL + "".join(f"{line}\n" for line in lines))


def refused(text: str) -> str:
    with pytest.raises(ValueError) as caught:
        parse_spec(text, "my.yaml")
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_demo_sweep_has_1394_pairs():
    demo = read_spec(SPECS / "digits.yaml")
    assert demo.name == "digits"
    assert len(demo.weights) == 34
    assert len(demo.activations) == 41
    assert len(demo.pairs) == 1394
    designs = demo.designs(144)
    assert len(designs) == 1394
    assert len({design.slug for design in designs}) == 1394
    assert all(isinstance(design, DotProduct) and design.lanes == 16 for design in designs)
    assert demo.measure_front
    assert demo.scales == ("max", "mse")
    assert demo.output == Path("build/digits")


def test_every_shipped_spec_can_be_read():
    shipped = sorted(SPECS.glob("*.yaml"))
    assert shipped
    for path in shipped:
        assert read_spec(path).pairs


def test_an_accumulator_for_the_network_is_sized_for_its_largest_sum():
    (first, *_) = sweep("accumulator: exact:network").designs(144)
    assert first.accumulator.name == "exact:144"
    (first, *_) = sweep("design: {kind: dot}").designs(9)
    assert first.accumulator.name == "exact:16"
    (first, *_) = sweep("design: {kind: mac}").designs(9)
    assert first.accumulator.name == "exact:9"
    (first, *_) = sweep("accumulator: wrap:20").designs(144)
    assert first.accumulator.name == "wrap:20"


def test_minimal_specs_take_the_documented_defaults():
    found = sweep()
    assert found.weights == (parse("int4"),)
    assert [str(a) for a in found.activations] == ["uint2", "uint3", "uint4"]
    assert found.targets == ("xcup",)
    assert found.accumulators == ("exact:network",)
    assert found.objectives == ("error_percent", "sites_per_lane")
    assert not found.measure_front
    assert found.output == Path("build/sweep")


def test_objectives_follow_the_data_set_unless_named():
    assert sweep("dataset: digits").objectives == ("error_percent", "sites_per_lane")
    assert sweep("dataset: kjv").objectives == ("bits_per_byte", "sites_per_lane")
    named = sweep("dataset: kjv\nobjectives: [lut_per_lane, bits_per_byte]\ninputs: 64")
    assert named.objectives == ("lut_per_lane", "bits_per_byte")
    assert (named.inputs, sweep().inputs) == (64, None)


def test_a_shipped_network_has_its_own_data_set():
    text = "version: 1\nnetwork: {}\nweights: [int4]\nactivations: [int8]\n"
    own = {"digits_cnn": "digits", "digits_vit": "digits", "bytes_lm": "kjv", "mine.npz": "digits"}
    for network, dataset in own.items():
        found = parse_spec(text.format(network))
        assert found.dataset == dataset
        expected = "bits_per_byte" if dataset == "kjv" else "error_percent"
        assert found.objectives == (expected, "sites_per_lane")
    assert parse_spec(text.format("bytes_lm") + "dataset: mine.npz").dataset == "mine.npz"


def test_the_transformers_are_swept_on_two_targets():
    found = read_spec(SPECS / "bytes.yaml")
    assert (found.network, found.dataset, found.inputs) == ("bytes_lm", "kjv", 256)
    assert len(found.pairs) == 12
    assert found.targets == read_spec(SPECS / "vit.yaml").targets == ("xcup", "ecp5")
    assert len(read_spec(SPECS / "vit.yaml").pairs) == 99


def test_design_kinds_and_sizes():
    assert isinstance(sweep("design: {kind: mac}").designs(9)[0], Mac)
    array = sweep("design: {kind: array, rows: 2, columns: 3, structure: rows}").designs(9)[0]
    assert isinstance(array, OutputStationaryArray)
    assert (array.rows, array.columns, array.structure) == (2, 3, "rows")
    still = "design: {kind: array, rows: 2, columns: 3, dataflow: weight-stationary}"
    assert isinstance(sweep(still).designs(9)[0], WeightStationaryArray)
    tile = "design: {kind: tile, rows: 2, columns: 2, lanes: 4, structure: packed}"
    assert sweep(tile).designs(9)[0].structure == "packed"


def test_lists_make_cross_products():
    found = sweep("accumulator: [wrap:20, saturate:18]", "target: [xcup, ice40]")
    assert found.targets == ("xcup", "ice40")
    assert len(found.designs(9)) == 6


def test_constraints_leave_out_pairs():
    found = sweep("where: [weight_bits <= activation_bits]")
    assert [d.activation.name for d in found.designs(9)] == ["uint4"]
    with pytest.raises(ValueError, match="leave no design"):
        sweep("where: accumulator_bits > 99").designs(9)


def test_ranges_and_lists_of_numbers():
    text = MINIMAL.replace("2..4", "[8, 2..3]")
    assert [str(a) for a in parse_spec(text).activations] == ["uint2", "uint3", "uint8"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("activatons: [int4]", "my.yaml:6: activatons is no key here; did you mean 'activations'?"),
        ("version: 1", "my.yaml:6: version is given twice"),
        ("target: xcpu", "my.yaml:6: target must be one of … , not 'xcpu'; did you mean 'xcup'?"),
        ("target: [xcup, xcup]", "my.yaml:6: target names something twice"),
        (
            "scales: [mak]",
            "my.yaml:6: scales[0] is wrong: … max, mse, percentile:P, not 'mak'; "
            "did you mean 'max'?",
        ),
        ("scales: []", "my.yaml:6: scales must be a list of names, not an empty one"),
        ("scales: percentile:0", "my.yaml:6: scales is wrong: a percentile is … , not '0'"),
        ("scales: percentile:100.5", "my.yaml:6: scales is wrong: a percentile is … 100.5"),
        ("scales: max/chanel", "my.yaml:6: scales is wrong: … did you mean 'channel'?"),
        ("scales: max/group:1", "my.yaml:6: scales is wrong: a group has 2..65536 terms … not 1"),
        ("scales: max/tensor/group:8", "my.yaml:6: scales is wrong: … says two"),
        ("scales: max@mxfp4", "my.yaml:6: scales is wrong: 'mxfp4' is a format of blocks"),
        ("scales: {method: mse, weight: tensor}", "my.yaml:6: scales.weight is no key here"),
        ("scales: [max, max/channel]", "my.yaml:6: scales names something twice"),
        ("objectives: [error_percent]", "my.yaml:6: objectives must name 2 to 4 of"),
        ("inputs: 0", "my.yaml:6: inputs must be a whole number in 1..16777216, not 0"),
        ("inputs: all", "my.yaml:6: inputs must be a whole number"),
        ("measure_front: 1", "my.yaml:6: measure_front must be true or false, not 1"),
        ("measure_from_percent: 101", "my.yaml:6: measure_from_percent must be a number in 0..100"),
        ("accumulator: wrap:1", "my.yaml:6: accumulator is wrong: … 2..80 bits, not 1"),
        ("accumulator: exact:all", "my.yaml:6: accumulator is wrong: … 'exact:all'"),
        ("accumulator: {bits: 3}", "my.yaml:6: accumulator must be a list of accumulators"),
        ("design: {kind: dott}", "my.yaml:6: design.kind must be … ; did you mean 'dot'?"),
        ("design: {lanes: 4}", "my.yaml:6: design lacks the key 'kind'"),
        ("design: {kind: mac, lanes: 4}", "my.yaml:6: design.lanes is no key here"),
        ("design: {kind: dot, lanes: 0}", "my.yaml:6: design.lanes must be … 1..1024, not 0"),
        ("design: {kind: dot, lanes: 4.5}", "my.yaml:6: design.lanes must be a whole number"),
        ("design: {kind: tile, dataflow: weight-stationary}", "my.yaml:6: design.dataflow is no"),
        ("design: [dot]", "my.yaml:6: design must be a mapping"),
        ("where: weight_bit < 4", "my.yaml:6: where is wrong: … did you mean 'weight_bits'?"),
        ("where: [weight_bits]", "my.yaml:6: where[0] is wrong: a constraint compares"),
        ("output: 3", "my.yaml:6: output must be a folder, not 3"),
        ("first_layer: int9", "my.yaml:6: first_layer must be … did you mean 'int8'?"),
        ("? [a, b]\n: 3", "my.yaml:6: ? is no key here"),
        ("<<: *nothing", "my.yaml:6: not YAML: found undefined alias"),
        ("output: [", "my.yaml:7: not YAML:"),
        ("output: 'x", "my.yaml:7: not YAML:"),
    ],
)
def test_errors_name_the_line_the_key_path_and_the_nearest(line, expected):
    message = refused(f"{MINIMAL}{line}\n")
    start, *parts = expected.split(" … ")
    assert message.startswith(start)
    assert all(part in message for part in parts)


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("{family: integer, bits: 4}", "weights[0].family must be one of integers, minifloats"),
        ("{family: blocks, names: [int4]}", "weights[0].names[0] is int4, a format of single"),
        ("{family: blocks, bits: 4}", "weights[0].bits is no key here"),
        (
            "{family: blocks, names: [mxfp5]}",
            "weights[0].names[0] is wrong: unknown format 'mxfp5'",
        ),
        ("{family: integers}", "weights[0] lacks the key 'bits'"),
        ("{family: integers, bits: 1}", "weights[0].bits must be a whole number in 2..16, not 1"),
        ("{family: integers, bits: 8..2}", "weights[0].bits must be a rising range in 2..16"),
        ("{family: integers, bits: 2..99}", "weights[0].bits must be a rising range in 2..16"),
        ("{family: integers, bits: []}", "weights[0].bits must be a list"),
        ("{family: integers, bits: 4, specials: fn}", "weights[0].specials is no key here"),
        ("{family: minifloats, bits: 4, sign: 1}", "weights[0].sign is no key here"),
        ("{family: minifloats, bits: 3, exponent_bits: 5}", "weights[0] contains no format"),
        ("{family: minifloats, bits: 4, specials: fnu}", "did you mean 'fnuz'?"),
        ("int99", "weights[0] is wrong: format 'int99'"),
        ("e4m3ffn", "did you mean 'e4m3fn'?"),
        ("8", "weights[0] must be a family or the name of a format, not 8"),
    ],
)
def test_errors_in_families(family, expected):
    message = refused(MINIMAL.replace("[int4]", f"[{family}]"))
    assert message.startswith("my.yaml:3: ")
    assert expected in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "my.yaml: the file is empty"),
        ("3", "my.yaml:1: the file must be a mapping"),
        ("version: 1\n", "my.yaml:1: the file lacks the key 'network'"),
        ("a: 1\n---\nb: 2\n", "not YAML: but found another document"),
        ("a: \x00", "my.yaml: not YAML: "),
        ("[" * 5000, "my.yaml: not YAML: "),
        (
            MINIMAL.replace("version: 1", "version: 2"),
            "my.yaml:1: version is 2, this macloom reads",
        ),
        (
            MINIMAL.replace("version: 1", "version: one"),
            "my.yaml:1: version must be a whole number",
        ),
        (MINIMAL.replace("digits_cnn", "digit_cnn"), "did you mean 'digits_cnn'?"),
        (MINIMAL.replace("[int4]", "[]"), "my.yaml:3: weights must be a list of families"),
        (MINIMAL.replace("[int4]", "int4"), "my.yaml:3: weights must be a list of families"),
    ],
)
def test_what_is_no_spec_at_all(text, expected):
    assert expected in refused(text)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        read_spec(tmp_path / "none.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not UTF-8 text at byte 0"):
        read_spec(binary)


def test_numbers_yaml_reads_in_odd_ways():
    assert compose("0x10", "x").whole(0, 99) == 16
    with pytest.raises(ValueError, match=r"must be a whole number in .*, not 9999999999999999999"):
        compose("9999999999999999999", "x").whole(0, 9)
    with pytest.raises(ValueError, match=r"must be a number in .*, not .nan"):
        compose(".nan", "x").number(0, 9)
    with pytest.raises(ValueError, match="must be text, not empty"):
        compose("~", "x").text("text")


def test_damaged_specs_give_one_line_or_a_sweep():
    text = (SPECS / "digits.yaml").read_text()
    scraps = ["{", "]", ":", "-", "8..2", "~", "yes", "1e9", "'", '"', "*a", "!x", "|", "\t", "\0"]
    chance = random.Random(7)
    refusals = []
    for _ in range(400):
        place = chance.randrange(len(text))
        scrap = chance.choice([*scraps, ""])
        damaged = text[:place] + scrap + text[place + chance.randrange(9) :]
        try:
            parse_spec(damaged)
        except ValueError as error:
            refusals.append(str(error))
    assert 100 < len(refusals) < 400
    assert not [message for message in refusals if "\n" in message]
