"""Posits against Gustafson's construction, their standard's tables, and their rounding rules."""

import itertools
import math
import random
from fractions import Fraction

import pytest

from hw.formats import Overflow, Rounding, Special, parse
from hw.formats.posit import PositFormat

SHAPES = [(2, 0), (3, 0), (3, 2), (4, 1), (5, 3), (6, 2), (8, 0), (8, 1), (8, 2), (10, 2), (8, 6)]


def exponent(value):
    """The exponent of a power of two, or None."""
    top, bottom = value.numerator, value.denominator
    power = top & (top - 1) == 0 and bottom & (bottom - 1) == 0
    return top.bit_length() - bottom.bit_length() if power else None


def grown(width, es):
    """Positive posits by code, built one bit at a time from the two-bit ones.

    A new value goes between all neighbours: beyond the largest, times useed; below the smallest,
    through useed; between powers of two more than one apart, in the middle of their exponents;
    else in the middle of their values (Gustafson and Yonemoto 2017).
    """
    useed = Fraction(2) ** (1 << es)
    values = [Fraction(1)]
    for _ in range(width - 2):
        finer = [values[0] / useed, values[0]]
        for low, high in itertools.pairwise(values):
            a, b = exponent(low), exponent(high)
            apart = a is not None and b is not None and b - a > 1
            finer += [Fraction(2) ** ((a + b) // 2) if apart else (low + high) / 2, high]
        values = [*finer, values[-1] * useed]
    return values


@pytest.mark.parametrize(("width", "es"), [*SHAPES, (16, 2), (16, 1)])
def test_every_code_is_that_of_the_construction(width, es):
    format, positive = PositFormat(width, es), grown(width, es)
    assert len(positive) == (1 << (width - 1)) - 1
    values = format.values()
    assert values[0] == 0
    assert values[1 : 1 << (width - 1)] == positive
    assert values[1 << (width - 1)] is Special.NAN
    assert values[: 1 << (width - 1) : -1] == [-value for value in positive]


def test_values_of_the_standard():
    # 2022 standard, section 3: for n bits, maxpos is 2^(4n-8) and minpos its inverse.
    for width in range(3, 17):
        format = parse(f"posit{width}")
        assert format == PositFormat(width, 2)
        assert format.maximum == Fraction(2) ** (4 * width - 8)
        assert format.decode(1) == 1 / format.maximum
        assert format.decode(1 << (width - 2)) == 1
    # 16 bits, es 1: 0.0001101110111011 is 477/134217728 with es 3 in Gustafson's first example.
    assert PositFormat(16, 3).decode(0b0000110111011101) == Fraction(477, 134217728)


def ties_of(width, es):
    """The posit of one more bit between two neighbouring positive codes, from the construction."""
    return grown(width + 1, es)[2::2]


@pytest.mark.parametrize(("width", "es"), SHAPES[1:])
def test_nearest_rounds_the_code(width, es):
    format, positive = PositFormat(width, es), grown(width, es)
    ties = ties_of(width, es)
    checked = 0
    for code, (low, high, tie) in enumerate(zip(positive, positive[1:], ties, strict=False), 1):
        nudge = min(high - tie, tie - low) / 1000
        even = code if code % 2 == 0 else code + 1
        cases = {low: code, tie: even, tie - nudge: code, tie + nudge: code + 1, high: code + 1}
        for value, wanted in cases.items():
            assert format.encode(value) == wanted
            assert format.encode(-value) == (1 << width) - wanted
            checked += 1
        assert format.encode(tie, Rounding.TIES_TO_AWAY) == code + 1
        assert format.encode(tie, Rounding.TIES_TOWARD_ZERO) == code
    assert checked == 5 * (len(positive) - 1)


@pytest.mark.parametrize(("width", "es"), SHAPES)
def test_nothing_becomes_zero_or_nar(width, es):
    format = PositFormat(width, es)
    nar, most = 1 << (width - 1), (1 << (width - 1)) - 1
    nearest = [mode for mode in Rounding if mode.value.startswith("ties")]
    for rounding in nearest:
        for tiny in (Fraction(1, 1 << 3000), format.decode(1) / 2, 5e-324):
            assert format.encode(tiny, rounding) == 1
            assert format.encode(-tiny, rounding) == (1 << width) - 1
    for overflow in (Overflow.SATURATE, Overflow.SATURATE_PROPAGATE, Overflow.TO_INFINITY):
        for huge in (format.maximum * 2, Fraction(1 << 3000)):
            assert format.encode(huge, overflow=overflow) == most
            assert format.encode(-huge, overflow=overflow) == nar + 1
        for special in (math.nan, math.inf, -math.inf):
            assert format.encode(special, overflow=overflow) == nar
    assert format.encode(0) == format.encode(-0.0) == 0


@pytest.mark.parametrize(("width", "es"), [(8, 2), (16, 2), (8, 0)])
def test_random_values_go_to_a_neighbour_and_rise_with_the_code(width, es):
    format = PositFormat(width, es)
    choose = random.Random(3)
    top = math.log2(format.maximum) * 1.1
    values = sorted(2 ** choose.uniform(-top, top) for _ in range(3000))
    codes = [format.encode(value) for value in values]
    assert codes == sorted(codes)
    for value, code in zip(values, codes, strict=True):
        if format.decode(2) < value < format.levels()[-2]:
            assert format.decode(code - 1) < value < format.decode(code + 1)


def test_directed_modes_go_by_value():
    format = parse("posit_8_2")
    value = Fraction(3, 1 << 26)
    assert format.decode(format.encode(value, Rounding.TOWARD_ZERO)) < value
    assert format.encode(format.decode(1) / 2, Rounding.TOWARD_ZERO) == 0
    assert format.encode(-format.decode(1) / 2, Rounding.TOWARD_NEGATIVE) == 255


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("posit<8,2>", "posit<8,2>"), ("posit8", "posit<8,2>"), ("posit_16_1", "posit<16,1>")],
)
def test_names(name, wanted):
    assert parse(name).name == wanted
    assert parse(parse(name).slug).name == wanted


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("posit<17,2>", "the width of a posit lies in 2..16, not 17"),
        ("posit<1,2>", "the width of a posit lies in 2..16, not 1"),
        ("posit<8,7>", "es lies in 0..6, not 7"),
        ("posit<8,-1>", "unknown format"),
    ],
)
def test_bad_names(name, message):
    with pytest.raises(ValueError) as caught:
        parse(name)
    assert message in str(caught.value)
