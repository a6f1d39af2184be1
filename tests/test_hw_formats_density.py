"""Values per binade and unit round-off against the sorted list of all values."""

from fractions import Fraction
from itertools import pairwise

import pytest

from hw.formats import Special, parse
from hw.formats.density import binades, unit_roundoff

NAMES = [
    *("int8", "uint5", "fixed<8,3>", "int5s", "sm6", "ternary", "binary", "bipolar4"),
    *("e4m3fn", "e5m2", "e4m3fnuz", "e2m1fn", "e3m0finite", "binary8p3se", "e5m5", "e4m3finitedaz"),
    *("e8m0fnu", "fp4_ea_neg", "nf4", "khot<8,4,2>", "csd<9,9,3>", "apot<5>", "power<8,2>"),
    *("floatsd8", "posit<8,2>", "posit<10,1>", "lns<8,3>", "lns<6,0>", "codebook<-4,-1,0>"),
]


def positive(format):
    finite = {value for value in format.values() if not isinstance(value, Special)}
    return sorted(value for value in finite if value > 0)


@pytest.mark.parametrize("name", NAMES)
def test_counts_and_gaps_are_those_of_all_values(name):
    format = parse(name)
    values = positive(format)
    found = binades(format)
    assert sum(binade.count for binade in found) == len(values)
    for before, binade in pairwise(found):
        assert binade.exponent == before.exponent + 1
    gaps = {low: (high - low) / (2 * low) for low, high in pairwise(values)}
    for binade in found:
        low = Fraction(2) ** binade.exponent
        inside = [value for value in values if low <= value < 2 * low]
        assert binade.count == len(inside)
        largest = max((gaps[value] for value in inside if value in gaps), default=None)
        assert binade.roundoff == largest


@pytest.mark.parametrize(
    ("name", "value", "low", "high"),
    [
        ("e4m3fn", Fraction(1, 16), Fraction(1, 64), 448),
        ("fp16", Fraction(1, 1 << 11), Fraction(1, 1 << 14), 65504),
        ("fp32", Fraction(1, 1 << 24), Fraction(1, 1 << 126), (2 - Fraction(2) ** -23) * 2**127),
        ("int8", Fraction(1, 128), 64, 127),
        ("uint8", Fraction(1, 256), 128, 255),
        ("fixed<8,4>", Fraction(1, 128), 4, Fraction(127, 16)),
        ("int64", Fraction(1, 1 << 63), 1 << 62, (1 << 63) - 1),
        ("posit<8,2>", Fraction(1, 16), Fraction(1, 16), 16),
        ("e3m0finite", Fraction(1, 2), Fraction(1, 4), 16),
        ("e2m1fn", Fraction(1, 4), 1, 6),
    ],
)
def test_unit_roundoff(name, value, low, high):
    found = unit_roundoff(parse(name))
    assert (found.value, found.low, found.high) == (value, low, high)


def test_logarithmic_numbers_are_as_precise_everywhere():
    found = unit_roundoff(parse("lns<8,3>"))
    assert float(found.value) == pytest.approx((2 ** (1 / 8) - 1) / 2)
    assert (found.low, found.high) == (parse("lns<8,3>").decode(1), parse("lns<8,3>").maximum)


@pytest.mark.parametrize("name", ["binary", "ternary", "uint1", "codebook<-4,-1,0>"])
def test_too_few_positive_values_have_no_roundoff(name):
    assert unit_roundoff(parse(name)) is None
