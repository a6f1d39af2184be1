"""Tensors of codes in files: what is written comes back, files of others are read, bad ones not."""

import io
import json
import sys

import ml_dtypes
import numpy as np
import pytest

from hw.errors import MissingTool
from hw.formats import CATALOGUE, parse_element
from sweeps import safetensor_files
from sweeps.safetensor_files import load_safetensors, save_safetensors
from sweeps.tensors import Coded, load_npz, save_npz

KINDS = {".npz": (save_npz, load_npz), ".safetensors": (save_safetensors, load_safetensors)}


def elements():
    """The formats of the catalogue that have codes of their own."""
    found = []
    for name in CATALOGUE:
        try:
            found.append(parse_element(name))
        except ValueError:
            continue
    return found


def same(left, right):
    return (
        left.format == right.format
        and np.array_equal(left.codes, right.codes)
        and left.codes.dtype == right.codes.dtype
        and np.array_equal(left.scale, right.scale)
        and left.codes.shape == right.codes.shape
    )


@pytest.mark.parametrize("kind", KINDS)
def test_all_formats_come_back(kind, tmp_path):
    """All codes up to 12 bits, or 4096 of wider formats; every second tensor has scales."""
    save, load = KINDS[kind]
    rng, tensors = np.random.default_rng(1), {}
    for number, format in enumerate(elements()):
        count = 1 << min(format.bits, 12)
        codes = (
            np.arange(count) if format.bits <= 12 else rng.integers(1 << format.bits, size=count)
        )
        scale = rng.random((1, count // 2)) + 0.5 if number % 2 else 1.0
        tensors[f"layer.{number}/{format.name}"] = Coded(codes.reshape(2, -1), format, scale)
    save(tmp_path / f"all{kind}", tensors)
    found = load(tmp_path / f"all{kind}")
    assert found.keys() == tensors.keys()
    assert all(same(found[name], tensor) for name, tensor in tensors.items())
    assert len(found) == len(elements()) > 40
    assert [path.name for path in tmp_path.iterdir()] == [f"all{kind}"]


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_and_repeated_writes(kind, tmp_path):
    save, load = KINDS[kind]
    format = parse_element("e2m1fn")
    tensors = {
        "none": Coded(np.zeros((0, 3), np.uint8), format, 1.0),
        "one": Coded(np.array(5), format, 0.25),
    }
    save(tmp_path / "a", tensors)
    first = (tmp_path / "a").read_bytes()
    save(tmp_path / "a", tensors)
    assert (tmp_path / "a").read_bytes() == first
    found = load(tmp_path / "a")
    assert all(same(found[name], tensor) for name, tensor in tensors.items())
    assert float(found["one"].values) == 3 * 0.25


def test_values_and_codes():
    values = np.array([[0.3, -5.0], [1000.0, 1e-9]])
    tensor = Coded.of(values, parse_element("e4m3fn"), 2.0)
    assert tensor.codes.dtype == np.uint8
    assert tensor.values.tolist() == [[0.3125, -5.0], [896.0, 0.0]]
    assert tensor.is_scaled
    assert not Coded.of(values, parse_element("e4m3fn")).is_scaled


# Files of others ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "bfloat16"]
)
def test_types_of_safetensors_are_those_of_ml_dtypes(name, tmp_path):
    """Written by the library from an ml_dtypes array, and by us as the same bytes."""
    import safetensors.numpy

    dtype = np.dtype(getattr(ml_dtypes, name))
    storage = np.dtype(f"uint{8 * dtype.itemsize}")
    codes = np.arange(1 << storage.itemsize * 8).astype(storage)
    content = safetensors.numpy.save({"weight": codes.view(dtype)})
    (tmp_path / "foreign").write_bytes(content)
    found = load_safetensors(tmp_path / "foreign")["weight"]
    assert np.array_equal(found.codes, codes)
    with np.errstate(invalid="ignore"):
        expected = codes.view(dtype).astype(np.float64)
    assert np.array_equal(found.values, expected, equal_nan=True)
    save_safetensors(tmp_path / "ours", {"weight": found})
    ours = (tmp_path / "ours").read_bytes()
    assert ours.endswith(codes.tobytes())
    header = json.loads(ours[8 : 8 + int.from_bytes(ours[:8], "little")])
    theirs = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["weight"] == theirs["weight"]
    assert header["__metadata__"] == {"macloom.formats": f'{{"weight": "{found.format.name}"}}'}


def test_plain_floats_and_integers_of_safetensors(tmp_path):
    import safetensors.numpy

    rng = np.random.default_rng(2)
    arrays = {
        "single": rng.standard_normal((3, 4)).astype(np.float32),
        "half": rng.standard_normal(5).astype(np.float16),
        "int8": rng.integers(-128, 128, 7).astype(np.int8),
        "single.scale": np.ones(2, np.float32),
    }
    (tmp_path / "a").write_bytes(safetensors.numpy.save(arrays))
    found = load_safetensors(tmp_path / "a")
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[name].values, array) for name, array in arrays.items())


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codes", "scale", "message"),
    [
        ([16], 1.0, r"a code of e2m1fn lies in 0\.\.15, not 16"),
        ([-1], 1.0, r"lies in 0\.\.15, not -1"),
        ([1.5], 1.0, "codes are integers, not float64"),
        ([1, 2], 0.0, "a scale is positive and finite"),
        ([1, 2], np.nan, "a scale is positive and finite"),
        ([1, 2], [1.0, 2.0, 3.0], r"scale of shape \(3,\) does not fit codes of \(2,\)"),
        ([1, 2], [[1.0], [2.0]], r"scale of shape \(2, 1\) does not fit"),
    ],
)
def test_bad_tensors(codes, scale, message):
    with pytest.raises(ValueError, match=message):
        Coded(np.array(codes), parse_element("e2m1fn"), scale)


@pytest.mark.parametrize("save", [save_npz, save_safetensors])
def test_bad_names_write_nothing(save, tmp_path):
    tensor = Coded(np.array([1]), parse_element("int4"), 1.0)
    for name, message in (("", "a tensor has a name"), ("w.scale", "ends like an entry")):
        with pytest.raises(ValueError, match=message):
            save(tmp_path / "a", {name: tensor})
    with pytest.raises(ValueError, match="no tensors to write"):
        save(tmp_path / "a", {})
    assert list(tmp_path.iterdir()) == []


def npz(**entries):
    buffer = io.BytesIO()
    np.savez(buffer, **entries)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an array file of NumPy"),
        (b"PK\x03\x04 broken", "not an array file of NumPy"),
        (npz(a=np.array([1])), "has no codes"),
        (npz(**{"a.codes": np.array([1])}), "a has no format"),
        (npz(**{"a.codes": np.array([1]), "a.format": np.array("e9")}), "a: unknown format 'e9'"),
        (
            npz(**{"a.codes": np.array([9]), "a.format": np.array("int3")}),
            r"a: a code of int3 lies",
        ),
        (npz(**{"a.codes": np.array([{}]), "a.format": np.array("int3")}), "not an array file"),
    ],
)
def test_bad_npz_files(content, message, tmp_path):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_npz(tmp_path / "bad.npz")
    assert str(caught.value).startswith(str(tmp_path / "bad.npz"))
    assert "\n" not in str(caught.value)


def test_bad_safetensors_files(tmp_path):
    import safetensors.numpy

    path = tmp_path / "bad"
    for content in (b"", b"\x08\0\0\0\0\0\0\0nonsense", safetensors.numpy.save({})[:9]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="bad: not a safetensors file"):
            load_safetensors(path)
    path.write_bytes(safetensors.numpy.save({"w": np.zeros(2)}))
    with pytest.raises(ValueError, match="bad: w: the type F64 has no format"):
        load_safetensors(path)
    wrong = safetensors.numpy.save(
        {"w": np.zeros(2, np.uint8)}, {"macloom.formats": '{"w": "fp16"}'}
    )
    path.write_bytes(wrong)
    with pytest.raises(ValueError, match="bad: w: "):
        load_safetensors(path)
    path.write_bytes(
        safetensors.numpy.save(
            {"w": np.full(2, 99, np.uint8)}, {"macloom.formats": '{"w": "int4"}'}
        )
    )
    with pytest.raises(ValueError, match=r"a code of int4 lies in 0\.\.15, not 99"):
        load_safetensors(path)
    for metadata in ("[1]", "{"):
        named = {"macloom.formats": metadata}
        path.write_bytes(safetensors.numpy.save({"w": np.zeros(1, np.uint8)}, named))
        with pytest.raises(ValueError, match=r"macloom\.formats is no JSON object"):
            load_safetensors(path)


def test_without_the_library_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    tensor = Coded(np.array([1]), parse_element("int4"), 1.0)
    with pytest.raises(MissingTool, match=r"macloom\[safetensors\]"):
        save_safetensors(tmp_path / "a", {"w": tensor})
    with pytest.raises(MissingTool, match=r"macloom\[safetensors\]"):
        safetensor_files.load_safetensors(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
