"""Codes and conversions against NumPy, ml_dtypes and apytypes; and where those are wrong."""

from fractions import Fraction

import apytypes
import ml_dtypes
import numpy as np
import peers
import pytest

from hw.formats import Overflow, Rounding, Special, parse_element
from hw.formats.dtypes import DTYPES
from sim.golden import cast, decode, encode

MILLION = 10**6
INTEGERS = {name: text for name, text in DTYPES.items() if "int" in name}
MODES = {
    Rounding.TIES_TO_EVEN: "TIES_EVEN",
    Rounding.TIES_TO_AWAY: "TIES_AWAY",
    Rounding.TIES_TOWARD_ZERO: "TIES_ZERO",
    Rounding.TIES_TOWARD_POSITIVE: "TIES_POS",
    Rounding.TIES_TOWARD_NEGATIVE: "TIES_NEG",
    Rounding.TOWARD_ZERO: "TO_ZERO",
    Rounding.TOWARD_POSITIVE: "TO_POS",
    Rounding.TOWARD_NEGATIVE: "TO_NEG",
    Rounding.TO_ODD: "JAM_UNBIASED",
}
"""Ours → those of apytypes; its JAM_UNBIASED sets the last bit of what is not exact."""


def type_of(name):
    return np.dtype(getattr(ml_dtypes, name, name))


def bits_of(array):
    return array.view(f"uint{8 * array.itemsize}")


def beyond_and_between(format, float_type):
    """All values, all midpoints, the bounds of overflow and specials, each between neighbours."""
    values = decode(np.arange(1 << format.bits), format)
    finite = np.unique(values[np.isfinite(values)])
    ends = np.outer(finite[[0, -1]], [1.015625, 1.03125, 1.0625, 1.125, 1.25, 1.5, 2]).ravel()
    base = np.concatenate([finite, (finite[1:] + finite[:-1]) / 2, ends])
    with np.errstate(over="ignore"):
        base = np.unique(base.astype(float_type))
        above, below = (np.nextafter(base, float_type(end)) for end in (np.inf, -np.inf))
    tails = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], float_type)
    return np.concatenate([base, above, below, tails])


def a_million(format, float_type, seed=1):
    """A million numbers, as many in every binade of the format, and what lies between its codes."""
    rng = np.random.default_rng(seed)
    low, high = np.log2(float(2.0**format.lsb_exponent)) - 2, np.log2(float(format.maximum)) + 1
    with np.errstate(over="ignore", under="ignore"):
        random = rng.standard_normal(MILLION) * np.exp2(rng.uniform(low, high, MILLION))
        return np.concatenate([beyond_and_between(format, float_type), random.astype(float_type)])


# Every code ----------------------------------------------------------------------------------


def test_every_code_means_what_the_types_of_numpy_and_ml_dtypes_mean():
    checked = {}
    for name, text in peers.FLOATS.items():
        format, dtype = parse_element(text), type_of(name)
        codes = np.arange(1 << format.bits).astype(f"uint{8 * dtype.itemsize}")
        with np.errstate(invalid="ignore"):  # signalling NaN
            theirs = codes.view(dtype).astype(np.float64)
        ours = decode(codes, format)
        assert np.array_equal(ours, theirs, equal_nan=True), name
        known = ~np.isnan(ours)
        assert np.array_equal(np.signbit(ours[known]), np.signbit(theirs[known])), name
        checked[name] = len(codes)
    codes = np.arange(256, dtype=np.uint8)
    theirs = codes.view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
    assert np.array_equal(decode(codes, parse_element("e8m0")), theirs, equal_nan=True)
    checked["float8_e8m0fnu"] = 256
    assert len(checked) == 13
    assert sum(checked.values()) == 2 * 65536 + 8 * 256 + 2 * 64 + 16


def test_every_code_of_integers():
    checked = 0
    for text in INTEGERS.values():
        format = parse_element(text)
        if format.bits > 16:
            continue
        codes = np.arange(1 << format.bits)
        wanted = codes - (codes >> (format.bits - 1) << format.bits) if format.signed else codes
        assert decode(codes, format).tolist() == wanted.tolist()
        numbers = wanted.astype(type_of(text)).astype(np.float64)
        assert np.array_equal(encode(numbers, format), codes)
        checked += len(codes)
    assert checked == 2 * (65536 + 256 + 16 + 4) + 2


# Encoding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", peers.FLOATS)
def test_a_million_float32_encode_as_the_peer(name):
    """ml_dtypes (NumPy for float16) is right for float32, but for NaN in formats without one."""
    format, dtype = parse_element(peers.FLOATS[name]), type_of(name)
    values = a_million(format, np.float32)
    if name in peers.WITHOUT_NAN:
        values, overflow = values[~np.isnan(values)], Overflow.SATURATE
    else:
        overflow = Overflow.TO_INFINITY
    with np.errstate(over="ignore", under="ignore"):
        theirs = values.astype(dtype)
    ours = encode(values, format, overflow=overflow)
    known = ~np.isnan(values)
    assert np.array_equal(ours[known], bits_of(theirs)[known])
    wide = cast(values, format, overflow=overflow)
    assert np.array_equal(wide, theirs.astype(np.float32), equal_nan=True)
    assert len(values) > MILLION


def test_a_million_float64_encode_as_numpy_float16():
    format = parse_element("fp16")
    values = a_million(format, np.float64)
    with np.errstate(over="ignore", under="ignore"):
        theirs = bits_of(values.astype(np.float16))
    ours = encode(values, format, overflow=Overflow.TO_INFINITY)
    known = ~np.isnan(values)
    assert np.array_equal(ours[known], theirs[known])
    assert len(values) > MILLION


@pytest.mark.parametrize("name", peers.SMALL)
def test_float64_differs_from_the_peer_by_double_rounding_alone(name):
    format, dtype = parse_element(peers.SMALL[name]), type_of(name)
    values = a_million(format, np.float64, 2)
    overflow = Overflow.SATURATE if name in peers.WITHOUT_NAN else Overflow.TO_INFINITY
    values = values[np.isfinite(values)]
    with np.errstate(over="ignore", under="ignore"):
        theirs, single = bits_of(values.astype(dtype)), values.astype(np.float32)
        ours = encode(values, format, overflow=overflow)
    apart = ours != theirs
    assert np.array_equal(encode(single[apart], format, overflow=overflow), theirs[apart])
    for value, code in list(zip(values[apart].tolist(), ours[apart].tolist(), strict=True))[:500]:
        assert code == format.encode(Fraction(value), overflow=overflow)
    assert 0 < apart.sum() < len(values) // 5


def test_exponents_encode_as_the_peer_where_it_is_right():
    format = parse_element("e8m0")
    values = np.exp2(np.random.default_rng(3).uniform(-126, 127, MILLION)).astype(np.float32)
    values = np.concatenate([values, np.exp2(np.arange(-126, 128)).astype(np.float32)])
    theirs = values.astype(ml_dtypes.float8_e8m0fnu).view(np.uint8)
    assert np.array_equal(encode(values, format, rounding=Rounding.TIES_TO_AWAY), theirs)


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e3m4", "e2m2", "e4m1", "e5m10"])
def test_a_million_floats_in_nine_modes_as_apytypes(name):
    format = parse_element(name)
    values = a_million(format, np.float64, 4)
    values = values[np.isfinite(values)][-MILLION // 5 :] if name == "e5m10" else values
    values = values[np.isfinite(values)][: MILLION // 5]
    wide = apytypes.APyFloatArray.from_float(values, 11, 52)
    checked = 0
    for rounding, mode in MODES.items():
        quantization = getattr(apytypes.QuantizationMode, mode)
        split = format.exponent_bits, format.fraction_bits
        theirs = wide.cast(*split, quantization=quantization).to_bits(numpy=True)
        ours = encode(values, format, rounding=rounding, overflow=Overflow.TO_INFINITY)
        assert np.array_equal(ours, theirs), rounding
        checked += len(values)
    assert checked > MILLION


@pytest.mark.parametrize("name", ["int8", "fixed<8,4>", "fixed<6,2>", "fixed<16,6>"])
def test_a_million_fixed_point_numbers_in_nine_modes_as_apytypes(name):
    format = parse_element(name)
    rng = np.random.default_rng(5)
    bound = 8 * float(format.maximum)
    values = np.concatenate(
        [beyond_and_between(format, np.float64)[:5000], rng.uniform(-bound, bound, 60_000)]
    )
    values = (
        np.round(values[np.isfinite(values)] * 2.0**36) / 2.0**36
    )  # apytypes rounds these exactly
    wide = apytypes.APyFixedArray.from_float(values, int_bits=20, frac_bits=40)
    checked = 0
    for rounding, mode in MODES.items():
        for overflow, name_there in ((Overflow.SATURATE, "SAT"), (Overflow.WRAP, "WRAP")):
            theirs = wide.cast(
                int_bits=format.integer_bits,
                frac_bits=format.fraction_bits,
                quantization=getattr(apytypes.QuantizationMode, mode),
                overflow=getattr(apytypes.OverflowMode, name_there),
            ).to_bits(numpy=True)
            ours = encode(values, format, rounding=rounding, overflow=overflow)
            assert np.array_equal(ours, theirs.astype(np.int64) & (1 << format.bits) - 1)
            checked += len(values)
    assert checked > MILLION


# Exact rational arithmetic -------------------------------------------------------------------


@pytest.mark.parametrize("float_type", [np.float32, np.float64])
def test_formats_with_a_peer_by_exact_arithmetic(float_type):
    """Nearest by fractions alone: no rounding code of ours, scalar or not, takes part."""
    checked = 0
    for text in ("e4m3fn", "e5m2", "e3m2fn", "e2m1fn", "e4m3fnuz", "int6"):
        format = parse_element(text)
        pairs = {}
        for code, value in enumerate(format.values()):
            if not isinstance(value, Special):
                pairs.setdefault(value, code)
        levels = sorted(pairs)
        values = beyond_and_between(format, float_type)
        values = values[np.isfinite(values)]
        ours = cast(values, format)
        place = np.searchsorted([float(level) for level in levels], values.astype(np.float64))
        for value, got, index in zip(values.tolist(), ours.tolist(), place.tolist(), strict=True):
            around = levels[max(index - 1, 0) : index + 1] or [levels[-1]]
            errors = [abs(Fraction(value) - level) for level in around]
            best = [
                level for level, error in zip(around, errors, strict=True) if error == min(errors)
            ]
            even = [level for level in best if pairs[level] % 2 == 0] or best
            assert Fraction(got) == even[0] if len(best) > 1 else Fraction(got) == best[0]
            checked += 1
    assert checked > 5000


# Where peers are wrong -----------------------------------------------------------------------


@pytest.mark.parametrize("case", peers.cases(), ids=lambda case: f"{case.format}-{case.what[:20]}")
def test_the_peer_is_wrong_and_ours_is_right(case):
    assert case.is_right_here
    if not case.is_wrong:
        pytest.skip(f"{case.peer} is right now: {case.what}")


def test_the_list_of_wrong_cases_is_complete_and_prints(capsys):
    assert len(peers.cases()) == len(peers.SMALL) + len(peers.WITHOUT_NAN) + 6
    assert peers.main() == 0
    assert len(capsys.readouterr().out.splitlines()) == len(peers.cases()) + 1
