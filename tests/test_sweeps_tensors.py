"""Tensors of codes in files: what is written comes back, files of others are read, bad ones not."""

import io
import json
import re
import sys
from dataclasses import replace
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from hw.errors import MissingTool
from hw.formats import CATALOGUE, Format, parse, parse_element
from sim.golden import BlockTensor, MixtureTensor, quantize
from sweeps import safetensor_files
from sweeps.safetensor_files import load_safetensors, save_safetensors
from sweeps.tensors import Coded, arrays_of, load_npz, save_npz, values_of

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


# Blocks ------------------------------------------------------------------------------------------

PARTS = ("elements", "scales", "outer", "ids")
MORE_BLOCKS = (
    *("bitmod3<16,fp16>", "block<int4,tensor,e4m3fn,round,row>", "block<fp16,3,fp16,round,tensor>"),
    *("mxfp4<mse>", "bfp<12,5>", "mixture<7,int8,int4|e2m1fn>", "shift<8,16,6>"),
)


def same_blocks(left, right):
    parts = [name for name in PARTS if hasattr(right, name)]
    return (type(left), left.format, left.axis) == (type(right), right.format, right.axis) and all(
        np.array_equal(getattr(left, name), getattr(right, name))
        and getattr(left, name).dtype == getattr(right, name).dtype
        for name in parts
    )


def test_blocks_come_back(tmp_path):
    """All block formats of the catalogue and more, all axes of 0 to 3, blocks partly filled."""
    names = [name for name in CATALOGUE if not isinstance(parse(name), Format)]
    rng, tensors = np.random.default_rng(3), {}
    for name in (*names, *MORE_BLOCKS):
        for shape in ((), (1,), (37,), (3, 40), (2, 5, 33)):
            values = rng.standard_normal(shape)
            for axis in range(max(len(shape), 1)):
                tensor = quantize(values, parse(name), axis, partial="pad")
                tensors[f"{name}/{shape}/{axis}"] = tensor
    save_npz(tmp_path / "all.npz", tensors)
    found = load_npz(tmp_path / "all.npz")
    assert list(found) == list(tensors)
    assert all(same_blocks(found[name], tensor) for name, tensor in tensors.items())
    for name, tensor in tensors.items():
        assert np.array_equal(values_of(found[name]), tensor.values())
    kinds = [type(tensor) for tensor in found.values()]
    assert kinds.count(BlockTensor) == 8 * (12 + 5)
    assert kinds.count(MixtureTensor) == 8 * (2 + 2)


def test_what_blocks_are_in_a_file(tmp_path):
    """By hand: 12 = 6 · 2 and 3 = 6 · 0.5; G = 12 / (6 · 448), and 448 / 4 = 112 is an E4M3."""
    values = np.repeat([12.0, 3.0], 16).reshape(1, 32)
    save_npz(str(tmp_path / "w.npz"), {"w": quantize(values, parse("nvfp4"))})
    with np.load(tmp_path / "w.npz") as file:
        assert {key: (file[key].dtype.name, file[key].shape) for key in file.files} == {
            "w.format": ("str160", ()),
            "w.codes": ("uint8", (1, 32)),
            "w.scale_codes": ("uint8", (1, 2)),
            "w.axis": ("int64", ()),
            "w.outer": ("float32", (1, 1)),
        }
        assert (str(file["w.format"]), int(file["w.axis"])) == ("nvfp4", 1)
        assert (file["w.codes"] == 7).all()
        assert file["w.scale_codes"].tolist() == [[0x7E, 0x6E]]
        assert file["w.outer"].item() == np.float32(12 / (6 * 448))
    save_npz(tmp_path / "w.npz", {"w": quantize([1.0, 0.5], parse("bitmod3"), partial="pad")})
    with np.load(tmp_path / "w.npz") as file:
        kinds = ("axis", "codes", "format", "ids", "outer", "scale_codes")
        assert sorted(file.files) == [f"w.{kind}" for kind in kinds]


def test_values_of_blocks_by_the_exact_specification(tmp_path):
    """The entries read back, row by row through `BlockFormat.dequantize`."""
    from hw.formats.block import BlockCodes

    format = parse("vsq<4,4,16>")
    values = np.random.default_rng(4).standard_normal((3, 40))
    save_npz(tmp_path / "w.npz", {"w": quantize(values, format, partial="pad")})
    found = load_npz(tmp_path / "w.npz")["w"]
    for row in range(3):
        outer = Fraction(float(found.outer[row, 0]))
        codes = BlockCodes(
            tuple(found.elements[row].tolist()), tuple(found.scales[row].tolist()), outer
        )
        exact = [float(value) for value in format.dequantize(codes)]
        assert found.values()[row].tolist() == exact
        assert np.abs(np.array(exact) - values[row]).max() < 0.3


def test_blocks_beside_single_codes(tmp_path):
    tensors = {
        "a": Coded.of([1.0, 2.0], parse_element("int4"), 0.5),
        "a.axis": quantize([1.0, 2.0], parse("bfp<4,2>")),
        "a.b": quantize([1.0, 2.0], parse("bitmod4<2,fp16>")),
    }
    save_npz(tmp_path / "w.npz", tensors)
    found = load_npz(tmp_path / "w.npz")
    assert same(found["a"], tensors["a"])
    assert all(same_blocks(found[name], tensors[name]) for name in ("a.axis", "a.b"))


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


BAD_BLOCKS = [
    ("mxfp4", {"axis": None}, "mxfp4 needs the entry w.axis"),
    ("mxfp4", {"axis": 2}, "the axis lies in 0..1, not 2"),
    ("mxfp4", {"axis": -1}, "the axis lies in 0..1, not -1"),
    ("mxfp4", {"axis": 1.0}, "the axis is one integer, not float64 of shape ()"),
    ("mxfp4", {"axis": [1]}, "the axis is one integer, not int64 of shape (1,)"),
    ("mxfp4", {"axis": 0}, "scale codes have the shape (1, 32) here, not (2, 1)"),
    ("mxfp4", {"scale_codes": None}, "mxfp4 needs the entry w.scale_codes"),
    ("mxfp4", {"scale_codes": [127, 127]}, "have the shape (2, 1) here, not (2,)"),
    ("mxfp4", {"scale_codes": [[1.0], [2.0]]}, "scale codes are integers, not float64"),
    ("mxfp4", {"scale_codes": [[1], [256]]}, "a scale code of e8m0fnu lies in 0..255, not 256"),
    ("mxfp4", {"codes": np.full((2, 32), 16)}, "a code of e2m1fn lies in 0..15, not 16"),
    ("mxfp4", {"codes": np.zeros((2, 32))}, "codes are integers, not float64"),
    ("mxfp4", {"codes": np.zeros((2, 33), int)}, "have the shape (2, 2) here, not (2, 1)"),
    ("mxfp4", {"codes": np.zeros((2, 0), int)}, "at least"),
    ("mxfp4", {"outer": np.ones((1, 1), "f4")}, "mxfp4 has no outer scale (entry w.outer)"),
    ("mxfp4", {"format": "mxfp5"}, "unknown format 'mxfp5'"),
    ("mxfp4", {"format": "bfp<99,2>"}, "the elements of bfp<> have 2..16 bits, not 99"),
    ("mxfp4", {"format": "bitmod4<32,fp16>"}, "bitmod4<32,fp16> needs the entry w.ids"),
    ("nvfp4", {"outer": None}, "nvfp4 needs the entry w.outer"),
    ("nvfp4", {"outer": np.ones((2, 1), "f4")}, "outer scales have the shape (1, 1) here, not"),
    ("nvfp4", {"outer": np.ones((1, 1))}, "outer scales are float32, not float64"),
    ("nvfp4", {"outer": np.zeros((1, 1), "f4")}, "an outer scale is positive and finite"),
    ("vsq<4,4,16>", {"outer": np.full((2, 1), np.nan, "f4")}, "is positive and finite"),
    ("vsq<4,4,16>", {"outer": np.ones((1, 1), "f4")}, "have the shape (2, 1) here, not (1, 1)"),
    ("dfp16", {"scale_codes": [[1], [2]]}, "have the shape (1, 1) here, not (2, 1)"),
    ("bitmod4<16,int8>", {"ids": None}, "bitmod4<16,int8> needs the entry w.ids"),
    ("bitmod4<16,int8>", {"ids": [[0, 1]]}, "codebook ids have the shape (2, 2) here, not (1, 2)"),
    ("bitmod4<16,int8>", {"ids": [[0, 1], [2, 4]]}, "id of bitmod4<16,int8> lies in 0..3, not 4"),
    ("bitmod4<16,int8>", {"scale_codes": [[0, 1], [2, 128]]}, "lies in 0..127, not 128"),
    ("bitmod4<16,fp16>", {"scale_codes": [[0, 1], [2, 0x7C00]]}, "lies in 0..31743, not 31744"),
    ("bitmod4<16,int8>", {"outer": None}, "bitmod4<16,int8> needs the entry w.outer"),
]


@pytest.mark.parametrize(("name", "changes", "message"), BAD_BLOCKS)
def test_damaged_blocks(name, changes, message, tmp_path):
    """One entry changed or, where None, left out, of a file that is right without it."""
    path = tmp_path / "bad.npz"
    values = np.linspace(-3, 4, 64).reshape(2, 32)
    save_npz(
        path, {"v": Coded.of([1.0], parse_element("int4")), "w": quantize(values, parse(name))}
    )
    with np.load(path) as file:
        given = dict(file)
    assert load_npz(path).keys() == {"v", "w"}
    given |= {f"w.{key}": value for key, value in changes.items()}
    path.write_bytes(npz(**{key: value for key, value in given.items() if value is not None}))
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        load_npz(path)
    assert str(caught.value).startswith(f"{path}: w: ")
    assert "\n" not in str(caught.value)


def test_bytes_damaged_anywhere_are_one_line(tmp_path):
    """A truncated file or a bit flipped: refused with the file's name, or the same as before."""
    path = tmp_path / "bad.npz"
    tensors = {"w": quantize(np.linspace(-3, 4, 8), parse("bitmod4<4,int8>"))}
    save_npz(path, tensors)
    good, refused, rng = path.read_bytes(), 0, np.random.default_rng(5)
    for trial in range(400):
        place = int(rng.integers(len(good)))
        flipped = bytes([good[place] ^ 1 << trial % 8])
        path.write_bytes(good[:place] + (flipped + good[place + 1 :] if trial % 4 else b""))
        message = refusal(path)
        if message is None:
            found = load_npz(path)
            assert not found.keys() & tensors.keys() or same_blocks(found["w"], tensors["w"])
        else:
            assert message.startswith(f"{path}: ")
            assert "\n" not in message
            refused += 1
    assert 200 < refused < 400


def refusal(path):
    """What load_npz says against a file, None if nothing."""
    try:
        load_npz(path)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("shape", ["(99999999999999,)", "(9999999999999999999999,)", "(1,"])
def test_headers_that_promise_too_much(shape, tmp_path):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode())
    with pytest.raises(ValueError, match=r"a\.npy: not an array file of NumPy: ") as caught:
        arrays_of(path)
    assert "\n" not in str(caught.value)


def test_tensors_of_blocks_that_do_not_fit_are_not_written(tmp_path):
    tensor = quantize(np.ones((2, 32)), parse("mxfp4"))
    for bad, message in (
        (replace(tensor, scales=tensor.scales[:1]), r"w: scale codes have the shape \(2, 1\)"),
        (replace(tensor, elements=tensor.elements + 200), "w: a code of e2m1fn lies in"),
        (replace(tensor, axis=5), r"w: the axis lies in 0\.\.1, not 5"),
    ):
        with pytest.raises(ValueError, match=message):
            save_npz(tmp_path / "w.npz", {"w": bad})
    with pytest.raises(ValueError, match=r"w: mxfp4 has blocks, which only \.npz files hold"):
        save_safetensors(tmp_path / "w.safetensors", {"w": tensor})
    assert list(tmp_path.iterdir()) == []


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
