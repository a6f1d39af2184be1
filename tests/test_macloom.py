"""macloom.py: the public Python API, as a notebook uses it."""

import doctest
from fractions import Fraction

import numpy as np
import pytest
from amaranth.back import rtlil

import macloom


def test_every_public_name_is_there_and_listed():
    assert dir(macloom) == sorted(macloom.__all__)
    for name in macloom.__all__:
        assert getattr(macloom, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'pars'"):
        macloom.pars  # noqa: B018  # the access is what is tested


def test_the_examples_in_the_docstrings():
    failed, tried = doctest.testmod(macloom)
    assert (failed, tried >= 10) == (0, True)


def test_parse_and_cast():
    assert macloom.parse("fixed_8_4").maximum == Fraction(127, 16)
    values = np.linspace(-9, 9, 37)
    for format in ("fixed<8,4>", macloom.parse("fixed<8,4>")):
        cast = macloom.cast(values, format)
        assert np.array_equal(cast, np.clip(np.rint(values * 16) / 16, -8, 127 / 16))


def test_codes_and_values():
    values = np.linspace(-9, 9, 37)
    for format in ("e3m2fn", macloom.parse("e3m2fn")):
        codes = macloom.encode(values, format, rounding=macloom.Rounding.TOWARD_ZERO)
        assert codes.dtype == np.uint8
        cast = macloom.cast(values, format, rounding=macloom.Rounding.TOWARD_ZERO)
        assert np.array_equal(macloom.decode(codes, format), cast)
    for call in (macloom.encode, macloom.decode):
        with pytest.raises(ValueError, match="'mxfp4' is a format of blocks"):
            call([1], "mxfp4")


def test_tensors_of_all_kinds_in_one_file(tmp_path):
    values = np.linspace(-9, 9, 64)
    tensors = {
        name: macloom.quantize(values, name) for name in ("int4", "nvfp4", "bitmod3<16,fp16>")
    }
    kinds = [macloom.Coded, macloom.BlockTensor, macloom.MixtureTensor]
    assert [type(tensor) for tensor in tensors.values()] == kinds
    assert isinstance(tensors["nvfp4"].format, macloom.BlockFormat)
    assert isinstance(tensors["bitmod3<16,fp16>"].format, macloom.MixtureFormat)
    file = str(tmp_path / "w.npz")
    macloom.save_npz(file, tensors)
    found = macloom.load_npz(file)
    assert np.array_equal(found["int4"].values, macloom.cast(values, "int4"))
    for name in ("nvfp4", "bitmod3<16,fp16>"):
        assert np.array_equal(found[name].values(), macloom.cast(values, name))


def test_design_takes_names_and_formats():
    named = macloom.design("dot", "int4", "int8", lanes=4, accumulator="exact:64")
    given = macloom.design(
        "dot",
        macloom.parse("int4"),
        macloom.parse("int8"),
        lanes=4,
        accumulator=macloom.Accumulator.exact(64),
    )
    assert named == given
    assert isinstance(named, macloom.DotProduct)
    assert macloom.design("mac", "e2m1fn").activation == macloom.parse("e2m1fn")
    with pytest.raises(ValueError, match="no key 'lane'; did you mean 'lanes'"):
        macloom.design("dot", "int4", lane=4)


def test_one_design_goes_all_the_way():
    design = macloom.design("dot", "int3", lanes=4)
    emitted = macloom.emit(design)
    assert f"module {emitted.top}(" in emitted.verilog
    component = macloom.build(design)
    assert component.signature.members["total"].shape == design.accumulator_bits
    assert "attribute \\top 1" in rtlil.convert(component)
    found = macloom.simulate(design, vectors=200)
    assert found["mismatches"] == 0
    assert found["vectors"] >= 200
    estimate, measured = macloom.estimate(design), macloom.synthesize(design)
    assert estimate["design"] == measured["design"] == emitted.record["design"]
    assert abs(estimate["lut"] - measured["lut"]) <= 0.5 * measured["lut"]


def test_an_array_is_built_with_streams():
    array = macloom.build(macloom.design("array", "int3", rows=2, columns=3))
    assert {"operands", "results"} <= set(array.signature.members)
    assert "operands__ready" in rtlil.convert(array)
