"""Logarithmic numbers against 60-digit decimals."""

import math
import random
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest

from hw.formats import Rounding, parse
from hw.formats.lns import LogFormat
from hw.formats.logarithms import floor_log2

SHAPES = [(3, 0), (4, 2), (6, 0), (8, 3), (8, 8), (10, 4), (12, 5), (11, 0), (12, 14)]


def power(logarithm):
    """2 to a rational power, to about 60 digits."""
    with localcontext() as context:
        context.prec = 60
        exponent = Decimal(logarithm.numerator) / Decimal(logarithm.denominator)
        return Decimal(2) ** exponent


@pytest.mark.parametrize(("width", "fraction_bits"), [*SHAPES, (16, 7)])
def test_values_are_the_float64_nearest_to_the_powers(width, fraction_bits):
    format = LogFormat(width, fraction_bits)
    half = 1 << (width - 1)
    values = format.values()
    assert (values[0], values[half], format.log2(0), format.log2(half)) == (0, 0, None, None)
    for code in range(1, half, 1 if width < 13 else 37):
        logarithm = Fraction(code - (half >> 1), 1 << fraction_bits)
        assert format.log2(code) == format.log2(code | half) == logarithm
        assert values[code] == Fraction(float(power(logarithm)))
        assert values[code | half] == -values[code]
    assert format.decode(half >> 1) == 1


@pytest.mark.parametrize(("width", "fraction_bits"), SHAPES)
def test_nearest_rounds_the_logarithm(width, fraction_bits):
    format = LogFormat(width, fraction_bits)
    half = 1 << (width - 1)
    choose, checked = random.Random(width), 0
    top = (half >> 1) / 2**fraction_bits * 1.1
    for _ in range(600):
        value = 2 ** choose.uniform(-top, top)
        with localcontext() as context:
            context.prec = 60
            scaled = Decimal(value).ln() / Decimal(2).ln() * 2**fraction_bits
            nearest = int(scaled.to_integral_value())
        wanted = max(min(nearest + (half >> 1), half - 1), 0)
        for rounding in (Rounding.TIES_TO_EVEN, Rounding.TIES_TOWARD_ZERO):
            assert format.encode(value, rounding) == wanted
            assert format.encode(-value, rounding) == (wanted | half if wanted else 0)
            checked += 1
    assert checked == 1200


@pytest.mark.parametrize(("width", "fraction_bits"), SHAPES)
def test_the_tie_parts_the_floats_on_both_sides(width, fraction_bits):
    format = LogFormat(width, fraction_bits)
    levels = format.levels()
    checked = 0
    for index in range(len(levels) - 1):
        tie = format.tie(index)
        below = above = float(tie)
        if Fraction(below) > tie:
            below = math.nextafter(below, -math.inf)
        else:
            above = math.nextafter(above, math.inf)
        assert levels[index] < below < tie < above < levels[index + 1]
        assert format.decode(format.encode(below)) == levels[index]
        assert format.decode(format.encode(above)) == levels[index + 1]
        mean = power(Fraction(math.floor(floor_log2(abs(tie), 40)), 1 << 40))
        assert abs(float(mean) / abs(float(tie)) - 1) < 1e-9
        checked += 1
    assert checked == (1 << width) - 2


def test_codes_come_back():
    checked = 0
    for shape in SHAPES:
        format = LogFormat(*shape)
        for code in range(1 << format.bits):
            for rounding in Rounding:
                again = format.encode(format.decode(code), rounding)
                assert again == (0 if format.log2(code) is None else code)
                checked += 1
    assert checked > 100000


def test_directed_modes_go_by_value():
    format = parse("lns<8,3>")
    for value in (1.05, 3.7, 0.2, 200.0, -1.05, -3.7):
        down = format.decode(format.encode(value, Rounding.TOWARD_NEGATIVE))
        up = format.decode(format.encode(value, Rounding.TOWARD_POSITIVE))
        assert down < value < up
        assert format.levels().index(up) == format.levels().index(down) + 1


def test_floor_log2_is_exact():
    checked = 0
    for bits in (0, 1, 5, 12):
        for value in (Fraction(1, 3), Fraction(5), Fraction(1, 1 << 90), Fraction(10**40, 7)):
            found = floor_log2(value, bits)
            raised = value ** (1 << bits)
            assert Fraction(2) ** found <= raised < Fraction(2) ** (found + 1)
            checked += 1
    assert checked == 16
    near_one = 1 + Fraction(1, 1 << 400)
    assert (floor_log2(near_one, 30), floor_log2(2 / near_one, 30)) == (0, (1 << 30) - 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lns<17,4>", "the width lies in 3..16, not 17"),
        ("lns<2,0>", "the width lies in 3..16, not 2"),
        ("lns<16,4>", "fraction_bits lies in 5..14 for 16 bits, not 4"),
        ("lns<8,15>", "fraction_bits lies in 0..14 for 8 bits, not 15"),
    ],
)
def test_bad_names(name, message):
    with pytest.raises(ValueError) as caught:
        parse(name)
    assert message in str(caught.value)


def test_names():
    assert parse("lns_8_3") == LogFormat(8, 3) == parse(" LNS<8, 3> ")
    assert (LogFormat(8, 3).name, LogFormat(8, 3).slug) == ("lns<8,3>", "lns_8_3")
