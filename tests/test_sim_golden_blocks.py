"""Arrays in block formats: equal to the exact scalar specification, and to ml_dtypes' casts."""

import dataclasses
import tracemalloc
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.formats import Rounding, parse
from hw.formats.block import BlockFormat, Outer
from hw.formats.mixture import MixtureFormat
from sim.golden import block_magic, cast_blocks, quantize
from sim.golden.block_scales import exact_quotient

FLOATS = (np.float32, np.float64)
MX = ("mxfp8e4m3", "mxfp8e5m2", "mxfp6e3m2", "mxfp6e2m3", "mxfp4", "mxint8")
NAMES = [
    *MX,
    *(
        "nvfp4",
        "bfp<4,16>",
        "bfp<8,8>",
        "shift<4,4,8>",
        "vsq<4,4,16>",
        "vsq<8,8,8>",
        "dfp16",
        "dfp8",
    ),
    *("mxfp4<ceil>", "mxfp4<round>", "mxfp4<even>", "mxfp4<fit>", "mxint8<fit>", "mxint8<even>"),
    *("mxint8<round>", "mxfp6e2m3<even>", "bfp<4,16,even>"),
    *("block<fixed<8,3>,tensor,fp16,round>", "block<int4,16,ufixed<8,4>,round,row>"),
    *("block<int8s,8,fp16,ceil>", "block<e3m0finite,8,e4m3fn,floor,tensor>"),
    *("block<e2m1fn,8,e4m0finiteu,floor>", "block<int4,8,e8m0fnu,round,row>"),
    *("block<int4,8,e8m0fnu,even,tensor>", "block<bipolar3,8,fp32,round>"),
    *("block<e4m3fn,16,bfloat16,floor>", "block<uint4,8,e8m0fnu,floor>"),
    *("block<posit<6,1>,8,e8m0fnu,fit>", "block<fp4_ea_pos,8,fp16,round>"),
    *(
        "block<e2m1fn,8,e4m0finiteu,mse>",
        "block<int4,8,uint4,mse,row>",
        "block<sm4,4,e3m0finiteu,mse>",
    ),
]
MIXTURES = [
    *("bitmod3<16,int8>", "bitmod4<8,fp16>", "bitmod4", "mixture<8,int8,e2m1fn|int4>"),
    "mixture<8,fp16,e2m1fn|e1m2finite|int4|e3m0finite>",
]


def biased(rng: np.random.Generator, count: int, dtype: Any) -> np.ndarray:
    """Numbers of many binades: powers of two, their lower neighbours, ties, zeros of both signs."""
    values = rng.standard_normal(count) * np.exp2(rng.integers(-6, 7, count))
    kind = rng.integers(0, 8, count)
    power = np.exp2(rng.integers(-8, 8, count).astype(float))
    sign = rng.choice([-1.0, 1.0], count)
    below = float(np.nextafter(dtype(1), dtype(0)))
    values = np.where(kind == 0, sign * power, values)
    values = np.where(kind == 1, sign * below * power, values)
    values = np.where(kind == 2, sign * power * rng.integers(0, 64, count) / 16, values)
    return np.where(kind == 3, 0 * sign, values).astype(dtype)


def rows_of(array: np.ndarray, axis: int, whole: bool) -> np.ndarray:
    if whole:
        return array.reshape(1, -1)
    moved = np.moveaxis(array, axis, -1)
    return moved.reshape(-1, moved.shape[-1])


def check(
    format: BlockFormat | MixtureFormat, values: np.ndarray, axis: int = -1, **options: Any
) -> int:
    """Compare all codes of an array with the specification's, and the values with both."""
    tensor = quantize(values, format, axis, **options)
    whole = isinstance(format, BlockFormat) and format.block_size is None
    rows = rows_of(values, axis, whole)
    count = len(rows)
    elements, scales = rows_of(tensor.elements, axis, whole), tensor.scales
    scales = np.moveaxis(scales, axis, -1).reshape(count, -1)
    found = rows_of(tensor.values(), axis, whole)
    if isinstance(format, BlockFormat) and format.outer is Outer.TENSOR:
        finite = np.abs(values[np.isfinite(values)]).astype(float)
        options = {**options, "amax": Fraction(finite.max(initial=0.0))}
    for row in range(count):
        codes = format.quantize([float(value) for value in rows[row]], **options)
        assert codes.scales == tuple(scales[row].tolist()), (format, rows[row].tolist())
        assert codes.elements == tuple(elements[row].tolist()), (format, rows[row].tolist())
        exact = [
            float(value) if isinstance(value, Fraction) else float(value.value)
            for value in format.dequantize(codes)
        ]
        np.testing.assert_array_equal(found[row], exact)
    options.pop("amax", None)
    near = cast_blocks(values, format, axis, **options)
    np.testing.assert_array_equal(near, tensor.values())
    assert near.shape == values.shape == tensor.shape
    return values.size


@pytest.mark.parametrize("name", [*NAMES, *MIXTURES])
@pytest.mark.parametrize("dtype", FLOATS)
def test_arrays_equal_the_specification(name: str, dtype: Any) -> None:
    format, rng = parse(name), np.random.default_rng(sum(map(ord, name)))
    size = format.block_size or 8
    checked = check(format, biased(rng, 4 * 3 * size, dtype).reshape(4, -1))
    checked += check(format, biased(rng, 12 * size, dtype).reshape(2, 2 * size, 3), axis=1)
    checked += check(format, biased(rng, 3 * size + 1, dtype), partial="pad")
    checked += check(format, np.zeros(size, dtype))
    for scale in (1e-38, 3e-41, 1e-45, 3e34):
        checked += check(format, (biased(rng, 2 * size, np.float64) * scale).astype(dtype))
    assert checked == 36 * size + 1


@pytest.mark.parametrize("name", [*NAMES, *MIXTURES])
def test_specials_equal_the_specification(name: str) -> None:
    format, rng = parse(name), np.random.default_rng(5)
    size, checked = format.block_size or 8, 0
    for dtype in FLOATS:
        values = biased(rng, 4 * size, dtype)
        values[:2] = np.inf, -np.inf
        values[size : 2 * size] = 0
        values[size] = -np.inf
        checked += check(format, values)
        values[2 * size] = values[0] = np.nan
        with pytest.raises(ValueError, match="no code for nan"):
            quantize(values, format)
        with pytest.raises(ValueError, match="no code for nan"):
            cast_blocks(values, format)
        checked += check(format, values, nan="zero")
        checked += check(format, values, nan="maximum")
    assert checked == 24 * size


@pytest.mark.parametrize("rounding", [mode for mode in Rounding if mode is not Rounding.TO_ODD])
def test_rounding_of_elements(rounding: Rounding) -> None:
    rng = np.random.default_rng(7)
    for name in ("mxfp4", "mxfp8e4m3", "mxint8", "nvfp4", "vsq<4,4,16>"):
        assert check(parse(name), biased(rng, 128, np.float32), rounding=rounding) == 128


def test_nan_blocks_of_the_standard() -> None:
    values = np.ones((2, 64), np.float32)
    values[0, 3] = np.nan
    tensor = quantize(values, parse("mxfp8e4m3"), nan="block")
    assert tensor.scales.tolist() == [[0xFF, 119], [119, 119]]
    assert np.isnan(tensor.values()).sum() == 32
    assert check(parse("mxfp8e4m3"), values, nan="block") == 128
    with pytest.raises(ValueError, match="needs a scale with a NaN"):
        quantize(values, parse("vsq<4,4,16>"), nan="block")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*MX, "nvfp4", "bfp<4,16>"])
def test_a_million_elements_equal_the_specification(name: str) -> None:
    rng, checked = np.random.default_rng(11), 0
    for dtype in FLOATS:
        for _ in range(4):
            checked += check(parse(name), biased(rng, 1 << 14, dtype).reshape(16, -1))
    assert checked == 1 << 17


ML_DTYPES = {
    "mxfp8e4m3": (ml_dtypes.float8_e4m3fn, 8, 448),
    "mxfp8e5m2": (ml_dtypes.float8_e5m2, 15, 57344),
    "mxfp6e3m2": (ml_dtypes.float6_e3m2fn, 4, 28),
    "mxfp6e2m3": (ml_dtypes.float6_e2m3fn, 2, 7.5),
    "mxfp4": (ml_dtypes.float4_e2m1fn, 2, 6),
}


@pytest.mark.parametrize("name", ML_DTYPES)
def test_elements_are_those_of_ml_dtypes(name: str) -> None:
    """Scale by frexp, element by the cast of ml_dtypes: codes and values of a million elements."""
    dtype, emax, largest = ML_DTYPES[name]
    values = biased(np.random.default_rng(3), 1 << 20, np.float32).reshape(-1, 32)
    exponent = np.frexp(np.abs(values).max(axis=1, keepdims=True))[1] - 1 - emax
    expected = np.clip(np.ldexp(values, -exponent), -largest, largest).astype(dtype)
    some = np.abs(values).max(axis=1) > 0
    tensor = quantize(values, parse(name))
    assert (tensor.scales[some] == exponent[some] + 127).all()
    assert (tensor.elements == expected.view(np.uint8))[some].all()
    near = np.ldexp(expected.astype(np.float32), exponent)
    np.testing.assert_array_equal(cast_blocks(values, parse(name))[some], near[some])
    assert some.sum() * 32 > 1_000_000


@pytest.mark.parametrize("name", [*MX, "mxfp4<fit>", "mxint8<round>", "bfp<8,16>"])
def test_the_fast_path_gives_the_same_values(name: str) -> None:
    """Millions of elements, all rows and columns of the range of float32."""
    format, rng = parse(name), np.random.default_rng(9)
    values = biased(rng, 1 << 19, np.float32).reshape(64, -1)
    values *= np.exp2(rng.integers(-120, 110, (64, 1))).astype(np.float32)
    taken = 0
    for axis in (0, 1):
        exact = quantize(values, format, axis).values()
        near = cast_blocks(values, format, axis)
        assert near.dtype == np.float32
        np.testing.assert_array_equal(near, exact)
        np.testing.assert_array_equal(cast_blocks(values.astype(np.float64), format, axis), exact)
        taken += near.size
    assert taken == 1 << 20


@pytest.mark.parametrize("name", MX)
def test_maxima_just_below_a_power_of_two(name: str) -> None:
    """Where float32 logarithms round up: the scale is still that of the lower binade."""
    format = parse(name)
    exponents = np.arange(-100, 120)
    values = np.zeros((len(exponents), 32), np.float32)
    values[:, 5] = np.ldexp(np.nextafter(np.float32(1), np.float32(0)), exponents)
    expected = np.ldexp(float(format.element.maximum), exponents - 1)
    emax = np.frexp(float(format.element.maximum))[1] - 1
    assert (cast_blocks(values, format)[:, 5] == np.ldexp(expected, -emax)).all()
    tensor = quantize(values, format)
    assert (tensor.scales[:, 0] == exponents - 1 - emax + 127).all()
    assert tensor.scales.size == 220


@pytest.mark.parametrize(
    ("name", "count"),
    [("dfp16", 40_000), ("block<e2m1fn,40000,e8m0fnu,floor>", 80_001), ("nvfp4", 40_000)],
)
def test_blocks_and_rows_beyond_one_piece(name: str, count: int) -> None:
    values = biased(np.random.default_rng(2), count, np.float32)
    assert check(parse(name), values, partial="pad") == count


@pytest.mark.slow
def test_large_blocks_that_try_scales_or_codebooks() -> None:
    rng = np.random.default_rng(2)
    searched = parse("block<int4,33000,e2m0finiteu,mse>")
    assert check(searched, biased(rng, 33_000, np.float32)) == 33_000
    mixed = parse("bitmod3<33000,fp16>")
    assert check(mixed, biased(rng, 66_001, np.float32), partial="pad") == 66_001


def test_memory_stays_in_proportion() -> None:
    """A cast needs its result and buffers of one piece; codes need little more."""
    values = np.random.default_rng(1).standard_normal((1024, 4096)).astype(np.float32)
    for call, most in ((cast_blocks, 1.3), (quantize, 1.0)):
        call(values[:8], parse("mxfp4"))
        tracemalloc.start()
        call(values, parse("mxfp4"))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most * values.nbytes


def test_the_fast_path_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    inner = block_magic.cast
    monkeypatch.setattr(
        block_magic, "cast", lambda *arguments: calls.append(inner(*arguments)) or calls[-1]
    )
    values = np.random.default_rng(1).standard_normal((64, 64)).astype(np.float32)
    values[0, :32] = 0
    values[1] *= np.float32(1e-38)
    for name in MX:
        cast_blocks(values, parse(name))
    assert calls == [True] * len(MX)


@pytest.mark.parametrize(
    "wrong", [{"shift": 1}, {"carry": 1 << 23}, {"binade": -2}, {"high": 4.0}, {"fraction_bits": 0}]
)
def test_a_wrong_kernel_is_caught(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    right = block_magic._recipe
    monkeypatch.setattr(
        block_magic,
        "_recipe",
        lambda format, layout: dataclasses.replace(right(format, layout), **wrong),
    )
    values = biased(np.random.default_rng(8), 1024, np.float32)
    with pytest.raises(AssertionError):
        check(parse("mxfp4"), values)


def test_results_beyond_float32_are_float64() -> None:
    values = np.full(32, np.finfo(np.float32).max, np.float32)
    near = cast_blocks(values, parse("mxfp8e4m3<ceil>"))
    assert near.dtype == np.float64
    assert (near == 2.0**128).all()
    assert cast_blocks(values, parse("mxfp8e4m3")).dtype == np.float32


def test_one_number_and_lists() -> None:
    format = parse("dfp16")
    assert quantize(3.0, format).values() == 3
    assert cast_blocks(3.0, format).shape == ()
    assert cast_blocks([[1, 2], [3, 4]], format).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("name", "shape", "options", "message"),
    [
        ("mxfp4", (33,), {}, "blocks of 32 do not divide an axis of 33"),
        ("mxfp4", (32, 31), {"axis": 1}, "blocks of 32 do not divide an axis of 31"),
        ("mxfp4", (0,), {}, "at least one element"),
        ("mxfp4", (0, 32), {}, "at least one element"),
        ("bitmod4", (0,), {}, "at least one element"),
        ("mxfp4", (32,), {"axis": 1}, r"axis lies in -1\.\.0, not 1"),
        ("mxfp4", (32,), {"nan": "drop"}, "nan is one of"),
        ("bitmod4", (128,), {"nan": "block"}, "nan is one of"),
        ("mxfp4", (32,), {"partial": "drop"}, "partial is one of"),
        ("block<int16,8,fp32,round,tensor>", (8,), {}, "does not decide every rounding"),
    ],
)
def test_bad_input(name: str, shape: Any, options: Any, message: str) -> None:
    values = np.ones(shape, np.float32)
    if "nan" in options:
        values[0] = np.nan
    for call in (quantize, cast_blocks):
        with pytest.raises(ValueError, match=message):
            call(values, parse(name), **options)


@settings(max_examples=300, deadline=None)
@given(st.floats(1e-280, 1e300), st.integers(1, (1 << 28) - 1), st.integers(-20, 20), st.booleans())
def test_quotients_stay_on_their_side(value: float, odd: int, power: int, near: bool) -> None:
    """No number of few bits is met or passed by rounding the quotient."""
    divisor = float(odd) * 2.0**power
    significand, exponent = np.frexp(value / divisor)
    few = float(np.ldexp(np.rint(significand * 2**20) / 2**20, exponent))
    if near:  # just beside a number of few bits
        value = float(np.nextafter(few * divisor, np.inf))
    found = float(exact_quotient(np.array([value]), divisor, 28)[0])
    exact = Fraction(value) / Fraction(divisor)
    assert (found > few) == (exact > Fraction(few))
    assert (found < few) == (exact < Fraction(few))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([name for name in NAMES if "mse" not in name] + MIXTURES),
    st.lists(st.floats(width=32), min_size=1, max_size=40),
)
def test_any_row_equals_the_specification(name: str, row: list[float]) -> None:
    values = np.array(row, np.float32)
    assert check(parse(name), values, partial="pad", nan="maximum") == len(row)


def test_mixtures_keep_their_own_rounding():
    values = np.ones(128, np.float32)
    for work in (quantize, cast_blocks):
        with pytest.raises(ValueError, match="bitmod4 has a rounding of its own, not toward_zero"):
            work(values, parse("bitmod4"), rounding=Rounding.TOWARD_ZERO)


@pytest.mark.parametrize(
    "name", ["block<posit<6,1>,8,e8m0fnu,fit>", "block<bipolar3,8,e8m0fnu,fit>"]
)
def test_quotients_below_float32_are_not_zero_to_formats_without_rounding_to_zero(name):
    format = parse(name)
    for tiny in (2.0**-149, -(2.0**-149)):
        row = np.array([257.0, tiny], np.float32)
        found = quantize(row, format, partial="pad")
        exact = format.quantize([Fraction(float(x)) for x in row], partial="pad")
        assert tuple(found.elements.tolist()) == tuple(exact.elements)
