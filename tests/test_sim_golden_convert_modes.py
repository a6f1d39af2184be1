"""Every family of formats in every mode: arrays against the scalar specification, with counts."""

import tracemalloc
from fractions import Fraction
from itertools import pairwise, product

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.formats import (
    CATALOGUE,
    Format,
    Overflow,
    Rounding,
    Special,
    Stochastic,
    parse,
    parse_element,
)
from hw.formats.dtypes import DTYPES
from sim.golden import cast, decode, encode, steps, ways
from sim.golden.grid import fits_float32

FAST = [
    *("binary", "ternary", "bipolar3", "int4s", "int5", "uint3", "fixed<6,2>", "ufixed<6,-3>"),
    *("sm4", "e2m1fn", "e3m2", "e2m3daz", "e3m1fnuz", "e4m0fnuz", "e4m0finite", "e2m2finiteuz"),
    *("ue3m1fn", "binary6p3se", "binary6p1se", "binary5p2ue", "binary5p3sf", "codebook<1,3,4>"),
    *("fp4_er_pos", "nf4", "csd<6,3,2>", "apot<5>", "posit<6,1>", "lns<6,2>", "power<4,2>", "e8m0"),
]
MORE = [
    *("fixed<6,2>s", "e0m3finite", "ue4m3fn", "ue3m2", "e3m2fnuz", "e8m0fnuz", "e2m1daz"),
    *("binary8p4sf", "binary3p2uf", "posit<8,3>", "lns<8,0>", "codebook<-7,-1.5,0,0.3125,2>"),
    *("fixed<5,9>", "fixed<7,-20>", "e4m3daz", "e4m3finitedazuz", "ue4m0finite", "ue2m3daz"),
]
WIDE = ["fp16", "posit<12,2>", "lns<10,4>", "bipolar12", "int13s", "e5m7uz", "ue6m7daz"]


def overflows_of(format):
    """The overflow modes that the scalar specification takes, with and without infinities."""
    for overflow in Overflow:
        try:
            ways.check_overflow(format, overflow)
        except ValueError:
            continue
        yield overflow


def points(format, float_type, most=24):
    """Values, ties and ends, each between its neighbours in the float type; zeros, infinities."""
    finite = sorted({v for v in format.values() if not isinstance(v, Special)})
    rng = np.random.default_rng(len(finite))
    least = min(abs(v) for v in finite[1:])
    ends = [*finite[:3], *finite[-3:], *(v for v in finite if abs(v) <= least)]
    chosen = set(rng.integers(0, len(finite) - 1, most).tolist())
    pairs = [(low, high) for i, (low, high) in enumerate(pairwise(finite)) if i in chosen]
    base = [v for pair in pairs for v in (*pair, (pair[0] + pair[1]) / 2)] + ends
    base += [end * f for end in (finite[0], finite[-1]) for f in (Fraction(33, 32), 2, 300)]
    base += [(finite[-1] * 3 - finite[-2]) / 2, (finite[0] * 3 - finite[1]) / 2]
    with np.errstate(over="ignore", under="ignore"):
        numbers = np.unique(np.array([float(v) for v in base]).astype(float_type))
        numbers = numbers[np.isfinite(numbers)]
        near = [np.nextafter(numbers, float_type(end)) for end in (np.inf, -np.inf)]
    tails = np.array([0.0, -0.0, np.finfo(float_type).max, np.finfo(float_type).tiny], float_type)
    return np.concatenate([numbers, *near, tails, -tails])


def codes_of(values, format, *modes):
    return np.array([format.encode(float(value), *modes) for value in values])


def meanings(codes, format):
    return decode(codes, format) + 0.0


def assert_all_modes(format, float_type, most=24):
    values = points(format, float_type, most)
    checked = 0
    for rounding, overflow in product(Rounding, overflows_of(format)):
        wraps = overflow in (Overflow.WRAP, Overflow.WRAP_SIGN_MAGNITUDE)
        numbers = values if wraps else np.append(values, float_type([np.inf, -np.inf]))
        wanted = codes_of(numbers, format, rounding, overflow)
        got = encode(numbers, format, 1.0, rounding, overflow)
        assert np.array_equal(got, wanted), (str(format), rounding, overflow)
        got = cast(numbers, format, 1.0, rounding, overflow)
        assert np.array_equal(got, meanings(wanted, format), equal_nan=True)
        assert not np.signbit(got[got == 0]).any()
        assert got.dtype == (float_type if fits_float32(format) else np.float64)
        checked += len(numbers)
    return checked


def test_every_family_in_every_mode():
    checked = 0
    for index, name in enumerate(FAST):
        checked += assert_all_modes(parse_element(name), (np.float64, np.float32)[index % 2])
    assert checked > 60_000


@pytest.mark.slow
def test_the_whole_catalogue_in_every_mode():
    every = {name: parse(name) for name in CATALOGUE}
    names = [name for name, kind in every.items() if isinstance(kind, Format) and kind.bits <= 8]
    formats = [parse_element(name) for name in (*MORE, *names)]
    kinds = (np.float32, np.float64)
    checked = sum(assert_all_modes(f, kinds[i % 2], 8) for i, f in enumerate(formats))
    assert checked > 150_000
    assert len(formats) > 80


@pytest.mark.slow
@pytest.mark.parametrize("name", WIDE)
def test_wide_formats_in_every_mode(name):
    assert assert_all_modes(parse_element(name), np.float64, 8) > 1000


@pytest.mark.parametrize("name", ["posit<16,2>", "bipolar13", "tf32", "fixed<24,8>", "ue8m12daz"])
def test_formats_of_more_than_sixteen_bits_or_many_levels(name):
    format, checked = parse_element(name), 0
    rng = np.random.default_rng(1)
    values = rng.standard_normal(300) * np.exp2(rng.uniform(-20, 20, 300))
    near = decode(rng.integers(0, 1 << format.bits, 300), format)
    near = near[np.isfinite(near)]
    values = np.concatenate([values, near, near * 1.5, np.nextafter(near, np.inf)])
    modes = [Rounding.TIES_TO_EVEN, Rounding.TOWARD_ZERO, Rounding.TO_ODD]
    for rounding in modes[:1] if name == "posit<16,2>" else modes:
        wanted = codes_of(values, format, rounding)
        assert np.array_equal(encode(values, format, 1.0, rounding), wanted)
        checked += len(values)
    assert checked > 1000


def test_bounds_of_buckets_and_searching_agree(monkeypatch):
    format = parse_element("nf4")
    stairs = steps.staircase(format, Rounding.TIES_TO_EVEN, Overflow.SATURATE)
    values = np.random.default_rng(2).standard_normal(20_000).astype(np.float32)
    fast = steps.Steps(stairs, np.float32, stairs.codes, len(values))
    monkeypatch.setattr(steps, "_buckets", lambda _: None)
    plain = steps.Steps(stairs, np.float32, stairs.codes, len(values))
    results = np.empty(len(values), np.int64), np.empty(len(values), np.int64)
    fast.convert(values, results[0])
    plain.convert(values, results[1])
    assert np.array_equal(*results)
    assert len(np.unique(results[0])) == 16


# Stochastic rounding -------------------------------------------------------------------------

RANDOM = [
    *("int5", "fixed<6,2>", "e2m1fn", "e3m2", "e2m3daz", "e4m0fnuz", "ue3m1fn", "binary6p3se"),
    *(
        "binary5p2ue",
        "ternary",
        "binary",
        "bipolar3",
        "codebook<1,3,4>",
        "fp4_er_pos",
        "posit<6,1>",
    ),
    *("nf4", "lns<6,2>", "e8m0"),
]


@pytest.mark.parametrize("bits", [1, 3, 8])
@pytest.mark.parametrize("variant", ["a", "b", "c"])
def test_stochastic_rounding_by_given_integers(variant, bits):
    mode, checked = Stochastic(variant, bits), 0
    rng = np.random.default_rng(bits)
    for name in RANDOM:
        format = parse_element(name)
        values = points(format, np.float64, 20)
        low, high = float(format.minimum), float(format.maximum)
        values = np.append(values, rng.uniform(low - 1, high + 1, 40))
        values = np.append(values, np.round(rng.uniform(low, high, 40) * 32) / 32)
        random = rng.integers(0, 1 << bits, len(values))
        for overflow in overflows_of(format):
            pairs = zip(values.tolist(), random.tolist(), strict=True)
            wanted = [format.encode(v, mode, overflow, r) for v, r in pairs]
            got = encode(values, format, 1.0, mode, overflow, random=random)
            assert np.array_equal(got, wanted), (name, overflow)
            got = cast(values, format, 1.0, mode, overflow, random=random)
            assert np.array_equal(got, meanings(np.array(wanted), format), equal_nan=True)
            checked += len(values)
    assert checked > 6000


def test_random_integers_of_thirty_two_bits():
    mode, rng = Stochastic("c", 32), np.random.default_rng(3)
    for name in ("e4m3fn", "posit<8,2>", "int8"):
        format = parse_element(name)
        values = rng.standard_normal(200)
        random = rng.integers(0, 1 << 32, 200)
        pairs = zip(values.tolist(), random.tolist(), strict=True)
        wanted = [format.encode(v, mode, random=r) for v, r in pairs]
        assert encode(values, format, 1.0, mode, random=random).tolist() == wanted


def test_a_generator_rounds_without_bias():
    values = np.full(40_000, 1.03125)  # a quarter of the way from 1 to 1.125
    got = cast(
        values, parse_element("e4m3fn"), 1.0, Stochastic("a", 16), random=np.random.default_rng(4)
    )
    assert set(np.unique(got)) == {1.0, 1.125}
    assert abs((got == 1.125).mean() - 0.25) < 0.01


@pytest.mark.parametrize(
    ("rounding", "random", "message"),
    [
        (Stochastic("a", 4), None, "stochastic rounding needs random"),
        (Rounding.TIES_TO_EVEN, [1], "random integers are for stochastic rounding"),
        (Stochastic("a", 4), [1, 2], r"random of shape \(2,\) does not broadcast"),
        (Stochastic("a", 4), [1.0], "random integers are integers"),
        (Stochastic("a", 4), [16], r"R lies in 0\.\.15, not 16"),
    ],
)
def test_wrong_random_integers_are_refused(rounding, random, message):
    for convert in (cast, encode):
        with pytest.raises(ValueError, match=message):
            convert(np.ones(3), parse_element("int4"), 1.0, rounding, random=random)


# NaN and infinities --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["int4", "e2m1fn", "ternary", "nf4", "e4m3fn", "posit<8,2>", "int24"]
)
@pytest.mark.parametrize("rounding", [Rounding.TIES_TO_EVEN, Rounding.TOWARD_ZERO])
@pytest.mark.parametrize("float_type", [np.float64, np.float32])
def test_nan_becomes_what_the_policy_says(name, rounding, float_type):
    format = parse_element(name)
    values = np.array([0.5, np.nan, -np.nan, 1.0], float_type)
    try:
        code = format.encode(Special.NAN)
    except ValueError:
        with pytest.raises(ValueError, match=f"{name} has no code for nan"):
            encode(values, format, 1.0, rounding)
        for policy, value in (("zero", 0.0), ("maximum", float(format.maximum))):
            assert cast(values, format, 1.0, rounding, nan=policy)[1:3].tolist() == [value] * 2
            codes = encode(values, format, 0.5, rounding, nan=policy)
            assert codes[1:3].tolist() == [format.encode(value)] * 2
    else:
        for policy in ("error", "zero", "maximum"):
            assert np.isnan(cast(values, format, 1.0, rounding, nan=policy)[1:3]).all()
            assert encode(values, format, 1.0, rounding, nan=policy)[1:3].tolist() == [code] * 2
    with pytest.raises(ValueError, match="nan is error, zero, maximum, not 'skip'"):
        cast(values, format, nan="skip")


# Scales: the exact quotient, rounded once ----------------------------------------------------


@pytest.mark.parametrize(
    "name", ["int8", "e4m3fn", "nf4", "lns<6,2>", "posit<8,2>", "int20", "int53"]
)
@pytest.mark.parametrize("rounding", [Rounding.TIES_TO_EVEN, Rounding.TOWARD_POSITIVE])
def test_quotients_next_to_a_decision_are_not_rounded_onto_it(name, rounding):
    """Multiples of the scale are exact ties or values only to 53 bits: one of them, to the bit."""
    format, twice, checked = parse_element(name), 0, 0
    rng = np.random.default_rng(5)
    if format.bits > 16:
        low, high = format.minimum_integer, format.maximum_integer
        numbers = rng.integers(low, high, 100) / 2
    else:
        numbers = points(format, np.float64, 30)
    numbers = numbers[np.isfinite(numbers) & (np.abs(numbers) < 1e200)]
    for scale in (0.3, 1 / 7, 1e-3, 3.0, float(rng.uniform(1, 2)), 1e90):
        values = numbers * scale
        exact = [Fraction(v) / Fraction(scale) if v else v for v in values.tolist()]
        wanted = [format.encode(value, rounding) for value in exact]
        for divisor in (scale, np.full(len(values), scale)):
            assert encode(values, format, divisor, rounding).tolist() == wanted
            got = cast(values, format, divisor, rounding)
            assert np.array_equal(got, meanings(np.array(wanted), format))
        twice += (codes_of(values / scale, format, rounding) != wanted).sum()
        checked += len(values)
    assert checked > 400
    # Midpoints of logarithms are irrational: no quotient is near one by chance.
    assert twice > 0 or name == "lns<6,2>"  # float64 alone would have been wrong here


def test_scales_at_the_ends_of_float64():
    format = parse_element("e4m3fn")
    for rounding in (Rounding.TIES_TO_EVEN, Rounding.TOWARD_POSITIVE, Rounding.TOWARD_NEGATIVE):
        for scale in (1e-300, 3e-308, 5e-324, 1e300, 1.7e308, 2.0**1000, 2.0**-1040):
            values = np.array([5e-324, 1e-310, 1e-300, 0.7, 1e300, 1.7e308, 0.0])
            with np.errstate(over="ignore"):
                values = np.concatenate([values, -values, values * 448])
            values = values[np.isfinite(values)]
            exact = [Fraction(v) / Fraction(scale) if v else v for v in values.tolist()]
            wanted = [format.encode(value, rounding) for value in exact]
            assert encode(values, format, scale, rounding).tolist() == wanted, scale


# Inputs and memory ---------------------------------------------------------------------------


def test_arrays_of_small_types_are_taken_as_they_are():
    checked = 0
    for name in (*DTYPES, "float8_e8m0fnu"):
        dtype = np.dtype(getattr(ml_dtypes, name, name))
        if dtype.itemsize > 2:
            continue
        codes = np.arange(1 << 8 * dtype.itemsize).astype(f"uint{8 * dtype.itemsize}")
        values = (
            codes.view(dtype) if dtype.kind == "V" or dtype == np.float16 else codes.astype(dtype)
        )
        with np.errstate(invalid="ignore"):  # signalling NaN
            wide = values.astype(np.float64)
        got = cast(values, parse_element("e5m2"))
        assert np.array_equal(got, cast(wide, parse_element("e5m2")), equal_nan=True), name
        checked += len(values)
    assert checked > 130_000


@pytest.mark.parametrize("name", ["e4m3fn", "int8", "nf4", "posit<8,2>", "fixed<20,8>"])
@pytest.mark.parametrize("float_type", [np.float64, np.float32])
@pytest.mark.parametrize("scale", [1.0, 0.3, "rows"])
def test_memory_beside_input_and_output_is_small(name, float_type, scale):
    format = parse_element(name)
    values = np.random.default_rng(6).standard_normal((1500, 1000), np.float64).astype(float_type)
    divisor = np.full((1500, 1), 0.3) if scale == "rows" else scale
    for convert in (cast, encode):
        convert(values[:2], format, 0.3)  # tables are made once
        tracemalloc.start()
        result = convert(values, format, divisor)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= 3 * (values.nbytes + result.nbytes) - values.nbytes


# Properties ----------------------------------------------------------------------------------

NUMBERS = st.lists(st.floats(allow_nan=False, width=64), min_size=2, max_size=40)
MODES = st.sampled_from(list(Rounding))
FORMATS = st.sampled_from([parse_element(name) for name in FAST])


@given(NUMBERS, FORMATS, MODES)
def test_casting_twice_is_casting_once(numbers, format, rounding):
    once = cast(np.array(numbers), format, 1.0, rounding)
    assert np.array_equal(cast(once, format, 1.0, rounding), once, equal_nan=True)


@given(NUMBERS, FORMATS, MODES)
def test_order_is_kept(numbers, format, rounding):
    if "posit" in str(format):
        numbers = [number for number in numbers if np.isfinite(number)] or [0.0]
    result = cast(np.sort(np.array(numbers)), format, 1.0, rounding)
    assert (np.diff(result) >= 0).all()


@given(NUMBERS, FORMATS)
def test_the_result_is_nearest(numbers, format):
    if "posit" in str(format) or "lns" in str(format):
        return  # these round their code
    values = np.array([number for number in numbers if np.isfinite(number)])
    levels = sorted({v for v in format.values() if not isinstance(v, Special)})
    for value, got in zip(values.tolist(), cast(values, format).tolist(), strict=True):
        error = abs(Fraction(value) - Fraction(got))
        assert error == min(abs(Fraction(value) - level) for level in levels)


@given(NUMBERS, st.sampled_from([f for f in map(parse_element, FAST) if f.minimum == -f.maximum]))
def test_negation_mirrors(numbers, format):
    values = np.array([number for number in numbers if np.isfinite(number)])
    by_tie = {Rounding.TIES_TO_EVEN, Rounding.TIES_TO_AWAY, Rounding.TOWARD_ZERO}
    for rounding in by_tie if format.encode(0) == 0 else ():
        straight = cast(values, format, 1.0, rounding)
        assert np.array_equal(cast(-values, format, 1.0, rounding), -straight), rounding


@given(st.data(), FORMATS)
def test_codes_come_back(data, format):
    codes = data.draw(st.lists(st.integers(0, (1 << format.bits) - 1), min_size=1))
    values = decode(codes, format)
    again = encode(values, format, nan="zero") if np.isnan(values).any() else encode(values, format)
    assert np.array_equal(decode(again, format)[np.isfinite(values)], values[np.isfinite(values)])
