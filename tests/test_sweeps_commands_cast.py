"""macloom cast: files of numbers to files of codes; bad input writes nothing."""

import json
import re

import numpy as np
import pytest

from hw.formats import Overflow, Rounding, parse
from sim.golden import cast, cast_blocks, quantize
from sweeps.cli import main
from sweeps.commands_cast import OVERFLOWS, ROUNDINGS
from sweeps.safetensor_files import load_safetensors
from sweeps.tensors import load_npz

VALUES = np.random.default_rng(0).standard_normal((3, 40))


def run(*words):
    try:
        return main(["cast", *map(str, words)])
    except SystemExit as leave:
        return leave.code


@pytest.fixture
def file(tmp_path):
    np.save(tmp_path / "weights.npy", VALUES)
    return tmp_path / "weights.npy"


def test_a_file_of_numbers_becomes_one_of_codes(file, tmp_path, capsys):
    output = tmp_path / "new" / "codes.npz"
    assert run(file, "--format", "e4m3fn", "-o", output) == 0
    (tensor,) = load_npz(output).values()
    assert np.array_equal(tensor.values, cast(VALUES, parse("e4m3fn")))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("weights: 3×40 e4m3fn, scale 1, 8 bits per element, largest")
    assert re.search(r"largest error 0\.075\d*, SQNR \d\d\.\d dB$", lines[0])
    assert lines[1] == str(output)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("name", ["int4", "e2m1fn", "posit<8,1>"])
def test_the_largest_value_onto_the_largest(file, tmp_path, capsys, name, suffix):
    output, format = tmp_path / f"codes{suffix}", parse(name)
    words = ("--format", name, "-o", output, "--scale", "max", "--json")
    assert run(file, *words) == 0
    record = json.loads(capsys.readouterr().out)
    load = load_npz if suffix == ".npz" else load_safetensors
    tensor = load(output)["weights"]
    scale = np.abs(VALUES).max() / float(format.maximum)
    assert float(tensor.scale) == scale
    assert np.array_equal(tensor.values, cast(VALUES, format, scale) * scale)
    (row,) = record["tensors"]
    assert row["scale"] == scale
    assert row["largest_error"] == np.abs(tensor.values - VALUES).max()
    assert row["sqnr_db"] > 5


def test_modes_are_those_of_the_formats(file, tmp_path):
    output = tmp_path / "codes.npz"
    assert run(file, "--format", "int3", "-o", output, "--rounding", "toward_zero") == 0
    assert np.array_equal(load_npz(output)["weights"].values, np.trunc(VALUES) + 0.0)
    np.save(file, [np.nan, 9.0])
    words = ("--format", "int3", "-o", output, "--nan", "zero", "--overflow", "wrap")
    assert run(file, *words) == 0
    assert load_npz(output)["weights"].values.tolist() == [0, 1]


def test_codes_are_cast_again_and_archives_hold_many(file, tmp_path):
    first, second, third = (tmp_path / name for name in ("a.npz", "b.safetensors", "c.npz"))
    assert run(file, "--format", "e5m2", "-o", first) == 0
    assert run(first, "--format", "e4m3fn", "-o", second) == 0
    wanted = cast(cast(VALUES, parse("e5m2")), parse("e4m3fn"))
    assert np.array_equal(load_safetensors(second)["weights"].values, wanted)
    assert run(second, "--format", "fp16", "-o", third) == 0
    assert np.array_equal(load_npz(third)["weights"].values, wanted)
    np.savez(tmp_path / "two.npz", a=VALUES[0].astype(np.float32), b=np.arange(-4, 4))
    assert run(tmp_path / "two.npz", "--format", "int4", "-o", third) == 0
    assert load_npz(third).keys() == {"a", "b"}
    assert load_npz(third)["b"].values.tolist() == list(range(-4, 4))


# Formats of blocks -------------------------------------------------------------------------------

BLOCKS = (
    "mxfp4",
    "nvfp4",
    "bfp<4,8>",
    "bfp_4_8",
    "vsq<4,4,8>",
    "dfp16",
    "mxint8<mse>",
    "bitmod4<8,int8>",
)


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("axis", [None, 0])
def test_blocks_are_those_of_quantize(file, tmp_path, capsys, name, axis):
    output, format = tmp_path / "blocks.npz", parse(name)
    chosen = () if axis is None else ("--axis", axis)
    assert run(file, "--format", name, "-o", output, "--partial", "pad", "--json", *chosen) == 0
    wanted = quantize(VALUES, format, -1 if axis is None else axis, partial="pad")
    (tensor,) = load_npz(output).values()
    assert (tensor.format, tensor.axis) == (format, wanted.axis)
    for part in ("elements", "scales", "outer"):
        assert np.array_equal(getattr(tensor, part), getattr(wanted, part))
    (row,) = json.loads(capsys.readouterr().out)["tensors"]
    error = wanted.values() - VALUES
    assert row["format"] == format.name
    assert row["bits_per_element"] == float(format.bits_per_element)
    assert (row["axis"], row["block_size"]) == (wanted.axis, format.block_size)
    assert row["largest_error"] == np.abs(error).max()
    assert row["sqnr_db"] == pytest.approx(10 * np.log10((VALUES**2).sum() / (error**2).sum()))
    assert row["sqnr_db"] > 10
    assert "scale" not in row


def test_the_line_of_blocks(tmp_path, capsys):
    """By hand: scale 1, 0.75 and 2.5 are ties, 6.5 saturates; 50.0625 / 0.5625 = 89 = 19.5 dB."""
    np.save(tmp_path / "w.npy", np.array([0.75, 2.5, 6.5, -1.0], np.float32))
    words = ("--format", "block<e2m1fn,4,e8m0,floor>", "-o", tmp_path / "o.npz")
    assert run(tmp_path / "w.npy", *words) == 0
    assert capsys.readouterr().out.splitlines()[0] == (
        "w: 4 block<e2m1fn,4,e8m0fnu,floor> along axis 0, 6 bits per element, largest error 0.5, "
        "SQNR 19.5 dB"
    )
    (tensor,) = load_npz(tmp_path / "o.npz").values()
    assert tensor.values().tolist() == [1.0, 2.0, 6.0, -1.0]


def test_blocks_are_cast_again(file, tmp_path):
    first, second, third = (tmp_path / name for name in ("a.npz", "b.npz", "c.safetensors"))
    assert run(file, "--format", "bitmod3_8_fp16", "-o", first) == 0
    assert (
        run(first, "--format", "mxfp6e2m3", "-o", second, "--axis", "-2", "--partial", "pad") == 0
    )
    assert run(second, "--format", "fp16", "-o", third) == 0
    middle = cast_blocks(VALUES, parse("bitmod3<8,fp16>"))
    wanted = cast_blocks(middle, parse("mxfp6e2m3"), 0, partial="pad")
    assert np.array_equal(load_npz(second)["weights"].values(), wanted)
    assert np.array_equal(load_safetensors(third)["weights"].values, cast(wanted, parse("fp16")))


def test_modes_of_blocks(tmp_path):
    np.save(tmp_path / "w.npy", [[1.0, np.nan, 0.3, 0.6]])
    words = (tmp_path / "w.npy", "--format", "bfp<4,2>", "-o", tmp_path / "o.npz", "--nan")
    found = []
    for nan in ("zero", "maximum", "block"):
        assert run(*words, nan, "--rounding", "toward_zero") == 0
        found.append(load_npz(tmp_path / "o.npz")["w"].values().tolist()[0])
    assert [values[:2] for values in found[:2]] == [[1.0, 0.0], [1.0, 1.75]]
    assert np.isnan(found[2][:2]).all()
    assert [values[2:] for values in found] == [[0.25, 0.5]] * 3  # the step is 1/8


def test_all_modes_are_offered():
    assert [mode.value for mode in Rounding] == list(ROUNDINGS)
    assert [mode.value for mode in Overflow] == list(OVERFLOWS)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("w.npy --format e4m3f -o o.npz", "did you mean 'e4m3fn'"),
        ("w.npy --format mxfp4 -o o.npz", "w.npy: w: blocks of 32 do not divide an axis of 40"),
        ("w.npy --format mxfp4 -o o.safetensors", "o.safetensors: mxfp4 has blocks, which only"),
        ("w.npy --format mxfp4 -o o.npz --scale 2", "--scale means nothing to mxfp4, which takes"),
        ("w.npy --format nvfp4 -o o.npz --overflow wrap", "--overflow means nothing to nvfp4"),
        (
            "w.npy --format bitmod4 -o o.npz --rounding to_odd",
            "--rounding means nothing",
        ),
        (
            "w.npy --format int8 -o o.npz --axis 0",
            "--axis means nothing to int8, which",
        ),
        ("w.npy --format int8 -o o.npz --partial pad", "--partial means nothing to int8"),
        ("w.npy --format int8 -o o.npz --partial part", "must be one of error, pad, not 'part'"),
        ("w.npy --format bfp<4,8> -o o.npz --axis 2", "w.npy: w: axis lies in -2..1, not 2"),
        ("w.npy --format bfp<4,8> -o o.npz --axis x", "must be a whole number, not 'x'"),
        ("nan.npy --format bfp<4,2> -o o.npz", "nan.npy: nan: bfp<4,2> has no code for nan"),
        ("nan.npy --format bitmod4<2,fp16> -o o.npz --nan block", "nan is one of error, zero, max"),
        ("nan.npy --format int8 -o o.npz --nan block", "nan is error, zero, maximum, not 'block'"),
        ("nan.npy --format vsq<4,4,2> -o o.npz --nan block", "needs a scale with a NaN"),
        ("hollow.npy --format dfp16 -o o.npz", "hollow.npy: hollow: "),
        ("w.npy --format int8 -o o.txt", "the output ends in .npz or .safetensors"),
        ("w.npy --format int8 -o w.npy/o.npz", "w.npy: not a directory"),
        ("w.npy --format int8", "the following arguments are required: -o/--output"),
        ("w.npy --format int8 -o o.npz --scale -3", "must be a positive number or max"),
        ("w.npy --format int8 -o o.npz --scale many", "must be a positive number or max"),
        ("w.npy --format int8 -o o.npz --rounding up", "must be one of ties_to_even"),
        ("w.npy --format int8 -o o.npz --overflow to_infinity", "w.npy: w: overflow to_infinity"),
        ("nan.npy --format int8 -o o.npz", "nan.npy: nan: "),
        ("nan.npy --format int8 -o o.npz --scale max", "values to quantise must be finite"),
        ("text.npy --format int8 -o o.npz", "text.npy: text: values are real numbers"),
        ("bad.npy --format int8 -o o.npz", "bad.npy: not an array file of NumPy"),
        ("bad.safetensors --format int8 -o o.npz", "not a safetensors file"),
        ("none.npy --format int8 -o o.npz", "none.npy: no such file"),
        ("w.csv --format int8 -o o.npz", "tensors come from .npy, .npz or .safetensors files"),
        ("empty.npz --format int8 -o o.npz", "empty.npz: has no tensors"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("w.npy", VALUES)
    np.save("nan.npy", [1.0, np.nan])
    np.save("text.npy", ["a"])
    np.save("hollow.npy", np.zeros((2, 0)))
    np.savez("empty.npz")
    for name in ("bad.npy", "bad.safetensors", "w.csv"):
        (tmp_path / name).write_bytes(b"nonsense")
    before = sorted(tmp_path.iterdir())
    assert run(*words.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert says in printed.err
    assert sorted(tmp_path.iterdir()) == before
