"""Casts, codes and values of arrays against the exact scalar conversion of each format."""

from fractions import Fraction
from itertools import pairwise, product

import ml_dtypes
import numpy as np
import pytest

from hw.formats import FixedFormat, MinifloatFormat, Overflow, Rounding, Special, Specials, parse
from sim.golden import cast, decode, encode, pieces
from sim.golden.grid import fits_float32

ALL_MODES = [
    *("int2", "int5", "uint1", "uint4", "fixed<8,4>", "ufixed<6,-3>", "fixed<5,9>"),
    *("e4m3fn", "e5m2", "e4m3fnuz", "e2m1fn", "e1m2finite", "e3m0finite", "e7m0finite", "e3m1fnuz"),
    *("e2m2", "e2m3b-40fn", "e1m1finite", "e6m1finite"),
]
WIDE = [
    "int16",
    "uint16",
    "fixed<32,16>",
    "int53",
    "fp16",
    "bfloat16",
    "tf32",
    "fp32",
    "e8m3b300fn",
]


def every_format(most_bits=8):
    yield from (FixedFormat(bits, bits) for bits in range(2, most_bits + 1))
    yield from (FixedFormat(bits, bits, is_signed=False) for bits in range(1, most_bits + 1))
    seen = set()
    for exponent_bits in range(1, most_bits):
        for fraction_bits in range(most_bits - exponent_bits):
            for specials in Specials:
                try:
                    format = MinifloatFormat(exponent_bits, fraction_bits, specials)
                except ValueError:
                    continue
                if format not in seen:
                    seen.add(format)
                    yield format


def trial_points(format, float_type):
    """Values, midpoints, overflow bounds and specials, each with its neighbours."""
    finite = sorted({v for v in format.values() if isinstance(v, Fraction)})
    points = [*finite, *((low + high) / 2 for low, high in pairwise(finite))]
    edge = max(abs(finite[0]), abs(finite[-1]))
    points += [
        sign * edge * f for sign in (1, -1) for f in (Fraction(33, 32), Fraction(5, 4), 2, 99)
    ]
    base = np.array([float(point) for point in points], float_type)
    tails = np.array([0.0, -0.0, np.inf, -np.inf], float_type)
    above, below = (np.nextafter(base, float_type(end)) for end in (np.inf, -np.inf))
    return np.concatenate([base, above, below, tails])


def scalar(values, format, *modes):
    return np.array([format.encode(float(value), *modes) for value in values])


@pytest.mark.parametrize("float_type", [np.float64, np.float32])
def test_nearest_even_of_every_format_up_to_eight_bits(float_type):
    checked, formats = 0, 0
    for format in every_format():
        values = trial_points(format, float_type)
        wanted = scalar(values, format)
        assert np.array_equal(encode(values, format), wanted), format
        assert np.array_equal(cast(values, format), decode(wanted, format)), format
        checked += len(values)
        formats += 1
    assert formats > 100
    assert checked > 60_000


@pytest.mark.parametrize("name", ALL_MODES)
def test_every_mode_of_rounding_and_overflow(name):
    format, checked = parse(name), 0
    overflows = [Overflow.SATURATE]
    overflows += [Overflow.WRAP] if isinstance(format, FixedFormat) else []
    overflows += [Overflow.TO_INFINITY] if format.has_specials else []
    points = trial_points(format, np.float64)
    for rounding, overflow in product(Rounding, overflows):
        values = points[np.isfinite(points)] if overflow is Overflow.WRAP else points
        wanted = scalar(values, format, rounding, overflow)
        codes = encode(values, format, 1.0, rounding, overflow)
        assert np.array_equal(codes, wanted), (rounding, overflow)
        got = cast(values, format, 1.0, rounding, overflow)
        assert np.array_equal(got, decode(wanted, format), equal_nan=True)
        checked += len(values)
    assert checked >= 6 * len(overflows) * 30


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("float_type", [np.float64, np.float32])
def test_wide_formats(name, float_type):
    format = parse(name)
    rng = np.random.default_rng(1)
    exponents = (
        rng.uniform(-160, 140, 3000) if float_type is np.float64 else rng.uniform(-149, 127, 3000)
    )
    values = (rng.standard_normal(3000) * np.exp2(exponents)).astype(float_type)
    near = rng.standard_normal(2000) * float(format.maximum) * np.exp2(-rng.integers(0, 20, 2000))
    with np.errstate(over="ignore"):
        values = np.concatenate([values, near.astype(float_type)])
    values = values[np.isfinite(values)]
    wanted = scalar(values, format)
    assert np.array_equal(encode(values, format), wanted)
    got = cast(values, format)
    exact = np.array([float(format.decode(int(code))) for code in wanted])
    assert np.array_equal(got.astype(np.float64), exact)
    assert len(values) > 4500


def test_no_double_rounding_through_float32():
    format = parse("e4m3fn")
    tie = 1.0625  # between 1 and 1.125
    above = tie + 2.0**-40  # float32 would lose this, and round the tie to even
    assert cast(np.array([tie, above]), format).tolist() == [1.0, 1.125]
    with np.errstate(all="ignore"):
        assert float(np.float64(above).astype(ml_dtypes.float8_e4m3fn)) == 1.0


def test_peers_round_float32_alike():
    rng = np.random.default_rng(2)
    checked = 0
    for name, peer in (
        ("e4m3fn", ml_dtypes.float8_e4m3fn),
        ("e5m2", ml_dtypes.float8_e5m2),
        ("e3m4", ml_dtypes.float8_e3m4),
        ("e3m2fn", ml_dtypes.float6_e3m2fn),
        ("e2m3fn", ml_dtypes.float6_e2m3fn),
        ("e2m1fn", ml_dtypes.float4_e2m1fn),
        ("bfloat16", ml_dtypes.bfloat16),
        ("fp16", np.float16),
    ):
        format = parse(name)
        values = (rng.standard_normal(100_000) * float(format.maximum) / 8).astype(np.float32)
        values *= np.exp2(-rng.integers(0, 12, values.shape)).astype(np.float32)
        values = values[np.abs(values) <= np.float32(format.maximum)]
        theirs = values.astype(peer)
        assert np.array_equal(encode(values, format), theirs.view(f"uint{8 * theirs.itemsize}"))
        assert np.array_equal(cast(values, format), theirs.astype(np.float32))
        checked += len(values)
    assert checked > 700_000


# Scales and shapes ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["int8", "e4m3fn", "e2m1fn"])
@pytest.mark.parametrize("float_type", [np.float64, np.float32])
def test_scales_broadcast_and_quotients_round_once(name, float_type, monkeypatch):
    monkeypatch.setattr(pieces, "CHUNK", 1000)
    format = parse(name)
    rng = np.random.default_rng(3)
    values = rng.standard_normal((70, 3, 120)).astype(float_type)
    for scale in (0.25, 0.3, rng.uniform(0.01, 2, 120), rng.uniform(0.01, 2, (70, 1, 1))):
        got = encode(values, format, scale)
        assert np.array_equal(cast(values, format, scale), decode(got, format))
        sample = (slice(0, 3), 1, slice(0, 40))
        divisors = np.broadcast_to(scale, values.shape)[sample].ravel()
        pairs = zip(values[sample].ravel().tolist(), divisors.tolist(), strict=True)
        wanted = [format.encode(Fraction(value) / Fraction(divisor)) for value, divisor in pairs]
        assert got[sample].ravel().tolist() == wanted


def test_powers_of_two_scale_exactly_to_the_ends_of_float():
    format = parse("e2m1fn")
    values = np.array([1.25, 1.75, 2.5, 5.0, 0.25, 7.0])
    for exponent in (-900, -300, -30, 30, 300, 900):
        scaled = np.ldexp(values, exponent)
        assert np.array_equal(cast(scaled, format, 2.0**exponent), cast(values, format))
    small = np.ldexp(values, -120).astype(np.float32)
    assert np.array_equal(cast(small, format, 2.0**-120), cast(values, format))


@pytest.mark.parametrize("shape", [(), (0,), (0, 4), (7,), (1001,), (3, 2500), (900, 2)])
@pytest.mark.parametrize("scale", [1.0, 0.5, "rows"])
def test_all_shapes_and_layouts(shape, scale, monkeypatch):
    monkeypatch.setattr(pieces, "CHUNK", 1000)
    format = parse("e3m2fn")
    rng = np.random.default_rng(4)
    values = rng.standard_normal(shape) * 5
    divisor = rng.uniform(0.5, 2, shape[-1:]) if scale == "rows" else scale
    got = cast(values, format, divisor)
    assert got.shape == shape
    wanted = decode(scalar(np.ravel(values / divisor), format).astype(int), format)
    assert np.array_equal(got.ravel(), wanted)
    backwards = np.asarray(values).T
    assert np.array_equal(cast(backwards, format), cast(values, format).T)
    assert np.array_equal(encode(backwards, format), encode(values, format).T)


def test_inputs_are_left_alone():
    values = np.random.default_rng(5).standard_normal(20_000)
    before = values.copy()
    for name in ("int4", "e4m3fn"):
        cast(values, parse(name))
        encode(values, parse(name), 0.5)
    assert np.array_equal(values, before)


def test_types_of_results():
    single = np.ones(3, np.float32)
    assert cast(single, parse("e4m3fn")).dtype == np.float32
    assert cast(np.ones(3), parse("e4m3fn")).dtype == np.float64
    assert cast([1, 2, 3], parse("int4")).tolist() == [1.0, 2.0, 3.0]
    assert cast(np.ones(2, np.float16), parse("int4")).dtype == np.float32
    assert not fits_float32(parse("int32"))
    assert cast(single, parse("int32")).dtype == np.float64
    sizes = {"int8": 1, "e5m3": 2, "tf32": 4, "int53": 8}
    assert {name: encode(1.0, parse(name)).itemsize for name in sizes} == sizes


def test_zero_results_are_positive_but_their_codes_keep_the_sign():
    values = np.array([-0.0, -1e-9, 1e-9])
    for rounding in (Rounding.TIES_TO_EVEN, Rounding.TOWARD_ZERO):
        assert not np.signbit(cast(values, parse("e4m3fn"), 1.0, rounding)).any()
        assert encode(values, parse("e4m3fn"), 1.0, rounding).tolist() == [0x80, 0x80, 0]
        assert encode(values, parse("e4m3fnuz"), 1.0, rounding).tolist() == [0, 0, 0]


# Decoding ------------------------------------------------------------------------------------


def test_decode_is_the_formats_own_table():
    checked = 0
    for format in every_format():
        codes = np.arange(1 << format.bits)
        for code, value in zip(codes, decode(codes, format), strict=True):
            exact = format.decode(int(code))
            if isinstance(exact, Special):
                assert np.isnan(value) if exact is Special.NAN else value == float(exact.value)
            else:
                assert Fraction(value) == exact
            checked += 1
    assert checked > 12_000


@pytest.mark.parametrize("name", WIDE)
def test_decode_of_wide_formats(name):
    format = parse(name)
    codes = np.random.default_rng(6).integers(0, 1 << format.bits, 2000, dtype=np.uint64)
    for code, value in zip(codes.tolist(), decode(codes, format), strict=True):
        exact = format.decode(code)
        assert not np.isfinite(value) if isinstance(exact, Special) else Fraction(value) == exact


def test_codes_survive_a_round_trip():
    for format in every_format():
        codes = np.array([c for c in range(1 << format.bits) if format.special(c) is None])
        assert np.array_equal(encode(decode(codes, format), format), codes), format


# Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [cast, encode])
@pytest.mark.parametrize("float_type", [np.float64, np.float32])
def test_nan_needs_a_format_with_nan(convert, float_type):
    values = np.zeros(100_000, float_type)
    values[70_000] = np.nan
    for name in ("int8", "e2m1fn", "uint4"):
        with pytest.raises(ValueError, match=f"{name} has no code for nan"):
            convert(values, parse(name))
        with pytest.raises(ValueError, match=f"{name} has no code for nan"):
            convert(values, parse(name), 1.0, Rounding.TOWARD_ZERO)
    for name in ("e4m3fn", "e5m2", "e4m3fnuz"):
        format = parse(name)
        result = convert(values, format)
        decoded = result if convert is cast else decode(result, format)
        assert np.flatnonzero(np.isnan(decoded)).tolist() == [70_000]
        assert encode(values, format)[70_000] == format.encode(Special.NAN)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf, [1.0, 0.0]])
def test_scales_are_positive_and_finite(scale):
    with pytest.raises(ValueError, match="a scale is positive and finite, not"):
        cast(np.ones((3, 2)), parse("int8"), scale)


@pytest.mark.parametrize(
    ("values", "name", "more", "message"),
    [
        (["a"], "int8", {}, "values are real numbers"),
        ([1j], "int8", {}, "values are real numbers"),
        ([2**60 + 1], "int8", {}, r"integers beyond 2\^53 are not exact"),
        ([1.0], "int8", {"scale": np.ones(3)}, "does not broadcast"),
        ([1.0], "int8", {"overflow": Overflow.TO_INFINITY}, "needs a format with infinities"),
        ([1.0], "e5m2", {"overflow": Overflow.WRAP}, "wrap is for fixed point"),
        ([np.inf], "int8", {"overflow": Overflow.WRAP}, "int8 has no code for inf"),
        ([1.0], "int64", {}, "values of int64 are not exact in float64"),
        ([1.0], "e8m3b-1000fn", {}, "are not exact in float64"),
        ([1.0], "fixed<53,-1024>", {}, "are not exact in float64"),
    ],
)
def test_bad_input_is_refused(values, name, more, message):
    for convert in (cast, encode):
        with pytest.raises(ValueError, match=message):
            convert(values, parse(name), **more)


def test_bad_codes_are_refused():
    with pytest.raises(ValueError, match=r"a code of int4 lies in 0\.\.15, not 16"):
        decode([3, 16], parse("int4"))
    with pytest.raises(ValueError, match=r"lies in 0\.\.15, not -1"):
        decode([3, -1], parse("int4"))
    with pytest.raises(ValueError, match="codes are integers, not float64"):
        decode([1.0], parse("int4"))
