"""macloom cast: files of numbers to files of codes; bad input writes nothing."""

import json

import numpy as np
import pytest

from hw.formats import Overflow, Rounding, parse
from sim.golden import cast
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
    assert lines[0].startswith("weights: 3×40 e4m3fn, scale 1, largest error 0.075")
    assert "dB" in lines[0]
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


def test_all_modes_are_offered():
    assert [mode.value for mode in Rounding] == list(ROUNDINGS)
    assert [mode.value for mode in Overflow] == list(OVERFLOWS)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("w.npy --format e4m3f -o o.npz", "did you mean 'e4m3fn'"),
        ("w.npy --format mxfp4 -o o.npz", "format of blocks"),
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
