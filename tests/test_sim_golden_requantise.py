"""Dyadic requantisation: the author's numbers, rationals, and arrays against the scalar."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.formats import Rounding, parse
from sim.golden.requantise import ROUNDINGS, Dyadic, requantise, requantise_one

INT8, INT16, INT32, UINT8 = (parse(name) for name in ("int8", "int16", "int32", "uint8"))
EVEN, UP, AWAY = ROUNDINGS


@pytest.mark.parametrize(
    ("ratio", "multiplier", "shift"),
    [(0.3, 1288490189, 32), (0.00123, 1352399302, 40), (0.5, 1 << 30, 31), (1.5, 3 << 29, 30)],
)
def test_known_ratios(ratio, multiplier, shift):
    assert Dyadic.of(ratio) == Dyadic(multiplier, shift)


@pytest.mark.parametrize(
    ("ratio", "total", "expected"),
    [
        *((0.3, 12345, 3704), (0.00123, 12345, 15), (1.5, 12345, 18518), (0.5, 12345, 6172)),
        *((0.5, 5, 2), (0.5, 15, 8), (0.5, 3, 2), (0.5, 1, 0), (1.5, 5, 8), (1.5, 15, 22)),
    ],
)
def test_known_results(ratio, total, expected):
    assert requantise_one(total, Dyadic.of(ratio), INT16) == expected
    assert requantise([total], Dyadic.of(ratio), INT16).tolist() == [expected]
    assert requantise_one(-total, Dyadic.of(ratio), INT16) == -expected


def test_ties():
    half = Dyadic.of(0.5)
    found = {
        mode: [requantise_one(n, half, INT8, mode) for n in (-3, -1, 1, 3)] for mode in ROUNDINGS
    }
    assert found == {EVEN: [-2, 0, 0, 2], UP: [-1, 0, 1, 2], AWAY: [-2, -1, 1, 2]}


def test_clamped_to_the_format():
    ratio = Dyadic.of(1.0)
    assert requantise([-300, -128, 127, 300], ratio, INT8).tolist() == [-128, -128, 127, 127]
    assert requantise([-300, -1, 255, 300], ratio, UINT8).tolist() == [0, 0, 255, 255]
    assert requantise([-300, 300], ratio, parse("int9")).tolist() == [-256, 255]


@given(st.floats(2.0**-1070, 2.0**1020, exclude_min=True), st.integers(1, 31))
@settings(max_examples=400, deadline=None)
def test_ratios_are_the_nearest_dyadic(ratio, bits):
    dyadic = Dyadic.of(ratio, bits)
    assert dyadic.multiplier.bit_length() == bits
    error = abs(dyadic.value / Fraction(ratio) - 1)
    assert error <= Fraction(1, 1 << bits)
    fraction, exponent = math.frexp(ratio)
    plain = math.floor(Fraction(fraction) * (1 << bits) + Fraction(1, 2)), bits - exponent
    assert dyadic.value == plain[0] * Fraction(2) ** -plain[1]


def test_a_ratio_just_below_a_power_of_two_carries():
    assert Dyadic.of(math.nextafter(1.0, 0)) == Dyadic(1 << 30, 30) == Dyadic.of(1)
    assert Dyadic.of(0.99, bits=3) == Dyadic(4, 2)
    assert Dyadic.of(Fraction(1, 3), bits=4) == Dyadic(11, 5)


totals = st.one_of(st.integers(-(1 << 31), (1 << 31) - 1), st.integers(-(1 << 63), (1 << 63) - 1))
ratios = st.builds(Dyadic, st.integers(1, (1 << 31) - 1), st.integers(-60, 110))


@given(st.lists(totals, max_size=6), ratios, st.sampled_from(ROUNDINGS))
@settings(max_examples=800, deadline=None)
def test_arrays_equal_the_scalar(numbers, ratio, rounding):
    for format in (INT8, UINT8, INT32, parse("uint32"), parse("uint1")):
        found = requantise(np.array(numbers, np.int64), ratio, format, rounding).tolist()
        assert found == [requantise_one(n, ratio, format, rounding) for n in numbers]


def test_all_small_sums_by_small_ratios():
    """Every total of 9 bits, every ratio of 4 bits, every shift from -3 to 9; by rationals."""
    checked = 0
    numbers = np.arange(-256, 256)
    for multiplier, shift, rounding in itertools.product(range(1, 16), range(-3, 10), ROUNDINGS):
        found = requantise(numbers, Dyadic(multiplier, shift), INT16, rounding)
        exact = [Fraction(n * multiplier) / Fraction(2) ** shift for n in numbers.tolist()]
        wanted = [nearest(value, rounding) for value in exact]
        assert found.tolist() == wanted
        checked += len(wanted)
    assert checked == 512 * 15 * 13 * 3


def nearest(value, rounding):
    """By Python's own rounding to even, and floors for the two others."""
    if rounding is EVEN:
        return round(value)
    if rounding is UP:
        return math.floor(value + Fraction(1, 2))
    away = math.floor(abs(value) + Fraction(1, 2))
    return away if value > 0 else -away


def test_int64_holds_31_bit_sums_and_python_the_rest():
    """At the edges of both, and where float64 would have rounded the product."""
    edges = [(1 << k) + d for k in (30, 31, 32, 52, 62) for d in (-1, 0, 1)] + [(1 << 63) - 1]
    edges += [-edge for edge in edges] + [-(1 << 63)]
    ratio = Dyadic((1 << 31) - 1, 62)
    for numbers in ([e for e in edges if abs(e) < 1 << 31], edges):
        for shift in (0, 1, 30, 31, 32, 61, 62, 63, 64, 93, 94, 95):
            ratio = Dyadic((1 << 31) - 1, shift)
            found = requantise(numbers, ratio, INT32).tolist()
            assert found == [requantise_one(n, ratio, INT32) for n in numbers]


def test_one_ratio_per_channel():
    rng = np.random.default_rng(4)
    numbers = rng.integers(-(1 << 20), 1 << 20, size=(5, 7, 3))
    channels = [Dyadic.of(ratio) for ratio in (0.001, 0.0002, 3.5)]
    found = requantise(numbers, channels, INT8)
    assert found.shape == numbers.shape
    for place in np.ndindex(numbers.shape):
        wanted = requantise_one(int(numbers[place]), channels[place[-1]], INT8)
        assert found[place] == wanted
    assert requantise(np.zeros((0, 3), int), channels, INT8).shape == (0, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Dyadic.of(0.0), "a ratio of scales is positive and finite, not 0.0"),
        (lambda: Dyadic.of(math.nan), "positive and finite, not nan"),
        (lambda: Dyadic.of(math.inf), "positive and finite, not inf"),
        (lambda: Dyadic.of(1.0, 32), r"a multiplier has 1\.\.31 bits, not 32"),
        (lambda: Dyadic(0, 3), r"a multiplier lies in 1\.\.2147483647, not 0"),
        (lambda: Dyadic(1, 1300), r"a shift lies in -1100\.\.1200, not 1300"),
        (lambda: requantise([1], Dyadic.of(1), parse("fixed<8,4>")), "integers such as int8"),
        (lambda: requantise([1], Dyadic.of(1), parse("e4m3fn")), "integers such as int8"),
        (lambda: requantise([1], Dyadic.of(1), parse("int33")), "at most 32 bits, int33 has 33"),
        (
            lambda: requantise([1], Dyadic.of(1), INT8, Rounding.TOWARD_ZERO),
            "requantising rounds to nearest .* not toward_zero",
        ),
        (lambda: requantise([1.5], Dyadic.of(1), INT8), "totals are integers within int64"),
        (
            lambda: requantise([[1, 2]], [Dyadic.of(1)] * 3, INT8),
            r"one ratio per channel: 3 for totals of shape \(1, 2\)",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
