"""SQNR of folders of weights: by direct computation, what is read, what is refused, memory."""

import csv
import json
import math
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from hw.formats import parse
from sweeps.cli import main
from sweeps.quantize import find_method
from sweeps.sqnr import matrix_of, noise_of
from sweeps.weight_files import weights_of

RANDOM = np.random.default_rng(3)
MATRIX = RANDOM.normal(size=(70, 12))


def decibels(exact, rounded):
    return 10 * math.log10((exact**2).sum() / ((exact - rounded) ** 2).sum())


def test_whole_numbers_per_output_tensor_and_group_by_hand():
    def rounded(values, axis):
        scale = np.abs(values).max(axis=axis, keepdims=True) / 7
        return np.clip(np.rint(values / scale), -8, 7) * scale

    groups = np.concatenate(
        [rounded(part, 0) for part in (MATRIX[:32], MATRIX[32:64], MATRIX[64:])]
    )
    cases = [
        ("max", rounded(MATRIX, 0), 4 + 32 / 70),
        ("max/tensor", rounded(MATRIX, None), 4 + 32 / 840),
        ("max/group:32", groups, 4 + 3 * 32 / 70),
    ]
    for name, expected, bits in cases:
        found = noise_of(MATRIX, parse("int4"), find_method(name))
        assert found.sqnr_db == pytest.approx(decibels(MATRIX, expected), abs=1e-9)
        assert found.bits_per_weight == pytest.approx(bits)
    assert len(cases) == 3


def test_a_float_format_by_ml_dtypes():
    scale = np.abs(MATRIX).max(axis=0) / 6
    rounded = (MATRIX / scale).astype(ml_dtypes.float4_e2m1fn).astype(float) * scale
    found = noise_of(MATRIX, parse("e2m1fn"), find_method("max"))
    assert found.sqnr_db == pytest.approx(decibels(MATRIX, rounded), abs=1e-9)


@pytest.mark.parametrize("name", ["mxfp4", "nvfp4", "bitmod4", "bitmod3", "mxint8"])
def test_blocks_and_mixtures_by_their_definition(name):
    """Each output's row by the formats' own quantiser, on rational numbers."""
    format = parse(name)
    matrix = RANDOM.normal(size=(64, 1)) if name == "nvfp4" else RANDOM.normal(size=(64, 3))
    rows = []
    for column in matrix.T:
        pad = [0.0] * (-len(column) % format.block_size)
        codes = format.quantize([*column.tolist(), *pad])
        rows.append([float(value) for value in format.dequantize(codes)[: len(column)]])
    found = noise_of(matrix, format, find_method("max"))
    assert found.sqnr_db == pytest.approx(decibels(matrix, np.array(rows).T), abs=1e-6)
    assert found.bits_per_weight >= float(format.bits_per_element)


def test_bits_count_scales_ids_and_second_scales():
    wide = RANDOM.normal(size=(256, 10))
    method = find_method("max/group:64@fp16")
    expected = {
        "int4": 4 + 16 / 64,
        "mxfp4": 4 + 8 / 32,
        "nvfp4": 4 + 8 / 16 + 32 / 2560,
        "bitmod4": 4 + (2 + 8) / 128 + 32 / 256,
    }
    for name, bits in expected.items():
        assert noise_of(wide, parse(name), method).bits_per_weight == pytest.approx(bits), name
    assert len(expected) == 4


@pytest.mark.parametrize("name", ["int4", "mxfp4", "nvfp4", "bitmod4"])
def test_parts_make_no_difference(name, monkeypatch):
    whole = noise_of(MATRIX, parse(name), find_method("mse"))
    monkeypatch.setattr("sweeps.sqnr._AT_ONCE", 150)
    parts = noise_of(MATRIX, parse(name), find_method("mse"))
    assert parts.noise == pytest.approx(whole.noise, rel=1e-12)
    assert parts.bits == whole.bits


def test_outputs_are_first_or_last():
    kernel = RANDOM.normal(size=(8, 3, 3, 5))
    assert (matrix_of(kernel, "first")[:, 2] == kernel[2].ravel()).all()
    assert (matrix_of(kernel, "last")[:, 2] == kernel[..., 2].ravel()).all()


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "weights"
    place.mkdir()
    tensors = {
        "a.weight": MATRIX.astype(np.float32),
        "b.weight": RANDOM.normal(size=(4, 40)).astype(ml_dtypes.bfloat16),
        "a.bias": np.ones(70, np.float32),
        "ids": np.arange(6).reshape(2, 3),
    }
    save_file(tensors, place / "model.safetensors")
    np.savez(place / "more.npz", **{"a.weight": MATRIX, "zero": np.zeros((3, 4))})
    (place / "notes.txt").write_text("not weights")
    return place


def test_the_command_reports_writes_and_draws(folder, capsys):
    table, picture = folder / "found.csv", folder / "found.png"
    words = ["sqnr", str(folder), "--formats", "int4,mxfp4,fixed<8,4>"]
    assert main([*words, "-o", str(table), "--plot", str(picture), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["left_out"] == 2
    assert len(record["tensors"]) == 4 * 3
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["format"] for row in rows[:3]] == ["int4", "mxfp4", "fixed<8,4>"]
    expected = noise_of(MATRIX.T.astype(np.float32), parse("int4"), find_method("max"))
    assert float(rows[0]["sqnr_db"]) == pytest.approx(expected.sqnr_db, abs=1e-4)
    assert [row["sqnr_db"] for row in rows if row["tensor"] == "zero"] == [""] * 3
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main([*words, "--tensors", "b.*"]) == 0
    out = capsys.readouterr().out
    assert "b.weight" in out
    assert "a.weight" not in out


def test_bfloat16_of_a_safetensors_file_is_read_exactly(folder):
    (found,) = weights_of(folder, "b.weight")
    assert found.dtype == "bfloat16"
    values = found.values()
    assert (values.astype(ml_dtypes.bfloat16).astype(float) == values).all()
    assert values.std() == pytest.approx(1, abs=0.2)


def bad_folders(place):
    """What is wrong, and what is said about it."""
    (place / "empty").mkdir()
    yield place / "empty", "no .npz, .npy, .safetensors file is in this folder"
    np.savez(place / "nan.npz", w=np.array([[1.0, np.nan], [np.inf, 2.0]]))
    yield place / "nan.npz", "nan.npz: w: weights are finite numbers, [0, 1] is nan and 1 more"
    np.savez(place / "whole.npz", w=np.arange(6).reshape(2, 3))
    yield place / "whole.npz", "no tensor has two axes or more and real numbers: w is 2×3 of int64"
    np.savez(place / "text.npz", w=np.array([["a", "b"]]))
    yield place / "text.npz", "w is 1×2 of <U1"
    np.savez(place / "vector.npz", w=np.ones(3))
    yield place / "vector.npz", "w is 3 of float64"
    (place / "broken.npz").write_bytes(b"no archive")
    yield place / "broken.npz", "broken.npz: not an array file of NumPy"
    (place / "broken.safetensors").write_bytes(b"\xff" * 40)
    yield place / "broken.safetensors", "not a safetensors file: its header has no sensible length"
    save_file({"w": np.ones((9, 9), np.float32)}, place / "cut.safetensors")
    whole = (place / "cut.safetensors").read_bytes()
    (place / "cut.safetensors").write_bytes(whole[:-8])
    yield place / "cut.safetensors", "w: its data do not fit its shape (9, 9): cut off?"
    yield place / "missing", "weights come from"
    yield place / "missing.npz", "no such file"
    np.savez(place / "objects.npz", w=np.array([[{}]], dtype=object))
    yield place / "objects.npz", "w: not an array of NumPy: Object arrays cannot be loaded"


def test_bad_files_are_named_and_end_with_2(tmp_path, capsys):
    cases = list(bad_folders(tmp_path))
    for path, expected in cases:
        assert main(["sqnr", str(path)]) == 2, path
        assert expected in capsys.readouterr().err
    assert len(cases) == 11


def test_bad_options_end_with_2(folder, capsys):
    cases = [
        (("--formats", "int44x"), "unknown format"),
        (("--formats", "uint4"), "a.weight in uint4: a weight format must be signed"),
        (("--scales", "maxx"), "max"),
        (("--tensors", "nope"), "no tensor is named 'nope' (there are ids, a.bias"),
        (("--plot", "x.gif"), "a figure is one of"),
    ]
    for words, expected in cases:
        assert main(["sqnr", str(folder), *words]) == 2, words
        assert expected in capsys.readouterr().err
    assert len(cases) == 5


def test_one_tensor_at_a_time_is_in_memory(tmp_path):
    tensors = {f"w{n}": RANDOM.normal(size=(512, 1024)).astype(np.float32) for n in range(8)}
    save_file(tensors, tmp_path / "big.safetensors")
    np.savez(tmp_path / "big.npz", **tensors)
    one = 512 * 1024 * 8
    words = ["sqnr", str(tmp_path), "--formats", "int4,mxfp4"]
    assert main([*words, "--tensors", "w0"]) == 0
    tracemalloc.start()
    assert main(words) == 0
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 14 * one, "16 tensors would be more already"
