"""S2FP8 against its formula in 80-digit decimals, and against e5m2 where it is that."""

import itertools
import math
import random
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest

from hw.formats import Rounding, Special, parse
from hw.formats.squeezed import SqueezedFormat, parameters

E5M2 = parse("e5m2")
SHAPES = [("1.4", "10.3"), ("0.75", "-4"), ("2", "0"), ("7.125", "-20.5"), ("0.2", "1")]
SHAPES = [
    (Fraction(round(Fraction(a) * 1024), 1024), Fraction(round(Fraction(b) * 64), 64))
    for a, b in SHAPES
]


def decimal(value):
    return Decimal(value.numerator) / Decimal(value.denominator)


def squeezed(value, alpha, beta):
    """2^beta |x|^alpha with 80 digits, as a fraction."""
    with localcontext() as context:
        context.prec = 80
        logarithm = decimal(abs(value)).ln() * decimal(alpha)
        return Fraction((logarithm + Decimal(2).ln() * decimal(beta)).exp())


@pytest.mark.parametrize(("alpha", "beta"), SHAPES)
def test_values_are_the_float64_nearest_to_the_inverse(alpha, beta):
    format = SqueezedFormat(alpha, beta)
    checked = 0
    for code, value in enumerate(format.values()):
        y = E5M2.decode(code)
        if isinstance(y, Special) or y == 0:
            assert value == y
            continue
        with localcontext() as context:
            context.prec = 80
            logarithm = decimal(abs(y)).ln() - Decimal(2).ln() * decimal(beta)
            exact = (logarithm / decimal(alpha)).exp()
        assert abs(value) == Fraction(float(exact))
        assert (value < 0) == (y < 0)
        checked += 1
    assert checked == 246


@pytest.mark.parametrize(("alpha", "beta"), SHAPES)
def test_nearest_rounds_the_squeezed_value(alpha, beta):
    format = SqueezedFormat(alpha, beta)
    choose = random.Random(7)
    low, high = ((exponent - float(beta)) / float(alpha) for exponent in (-19, 15.8))
    checked = 0
    for _ in range(150):
        value = 2 ** choose.uniform(low, high)
        wanted = E5M2.encode(squeezed(Fraction(value), alpha, beta))
        assert format.encode(value) == wanted
        assert format.encode(-value) == (wanted | 128 if wanted else 0)
        checked += 1
    assert checked == 150


def test_without_shift_and_squeeze_it_is_e5m2():
    format = parse("s2fp8<1,0>")
    assert format.values() == E5M2.values()
    finite = [value for value in E5M2.values() if isinstance(value, Fraction)]
    levels, checked = sorted(set(finite)), 0
    for low, high in list(itertools.pairwise(levels))[::3]:
        for value in ((low + high) / 2, low + (high - low) / 3, high):
            for rounding in (Rounding.TIES_TO_EVEN, Rounding.TIES_TO_AWAY, Rounding.TOWARD_ZERO):
                code = E5M2.encode(value, rounding)
                assert format.encode(value, rounding) == (0 if code == 128 else code)
                checked += 1
    assert checked == 9 * 82


def test_a_shift_alone_is_a_scale():
    format = SqueezedFormat(1, 5)
    for code in range(1 << 8):
        value = E5M2.decode(code)
        assert format.decode(code) == (value if isinstance(value, Special) else value / 32)


def test_a_squeeze_of_two_takes_square_roots():
    format = parse("s2fp8<2,0>")
    assert format.decode(E5M2.encode(4)) == 2
    assert format.decode(E5M2.encode(2)) == Fraction(math.sqrt(2))
    # 1.5^2 = 2.25 is the middle of 2 and 2.5 in e5m2: to the even code, that of 2.
    assert format.encode(1.5) == E5M2.encode(2)
    assert format.encode(1.5, Rounding.TIES_TO_AWAY) == E5M2.encode(2.5)


@pytest.mark.parametrize(("alpha", "beta"), SHAPES)
def test_codes_come_back(alpha, beta):
    format = SqueezedFormat(alpha, beta)
    for code in range(1 << 8):
        value = format.decode(code)
        if not isinstance(value, Special):
            for rounding in Rounding:
                assert format.encode(value, rounding) == (0 if code == 128 else code)


def test_parameters_make_the_mean_of_the_logarithms_0_and_the_largest_15():
    choose = random.Random(3)
    values = [choose.gauss(0, 1e-3) for _ in range(2000)] + [0.0]
    alpha, beta = parameters(values)
    logarithms = [float(alpha) * math.log2(abs(v)) + float(beta) for v in values if v]
    assert sum(logarithms) / len(logarithms) == pytest.approx(0, abs=1e-5)
    assert max(logarithms) == pytest.approx(15, abs=1e-5)
    format = SqueezedFormat(alpha, beta)
    assert parse(format.name) == parse(format.slug) == format
    assert format.slug.isidentifier()
    largest = max(values, key=abs)
    again = format.decode(format.encode(largest))
    assert float(again / Fraction(largest)) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("s2fp8<0,0>", "alpha lies in 0.0625..64, not 0"),
        ("s2fp8<65,0>", "alpha lies in 0.0625..64, not 65"),
        ("s2fp8<1,2000>", "beta lies in -1024..1024, not 2000"),
        ("s2fp8<1,1010>", "reach from 2^-1027 to 2^-994, beyond float64"),
        ("s2fp8<1.1,0>", "alpha must be an integer over a power of two, not 11/10"),
    ],
)
def test_bad_parameters(name, message):
    with pytest.raises(ValueError) as caught:
        parse(name)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, math.nan], "need finite values, not nan"),
        ([2.0, -2.0, 0.0], "two different magnitudes"),
        ([], "two different magnitudes"),
    ],
)
def test_bad_tensors(values, message):
    with pytest.raises(ValueError, match=message):
        parameters(values)
