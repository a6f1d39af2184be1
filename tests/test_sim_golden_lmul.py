"""L-Mul: the author's examples, arrays against the definition, and the errors it is known for."""

from fractions import Fraction

import numpy as np
import pytest

from hw.formats import MinifloatFormat, Overflow, Special, parse
from sim.golden.lmul import lmul_code, lmul_codes, lmul_value, offset_bits, packed_sum

EIGHT_BIT = [
    "e4m3fn",
    "e5m2",
    "e4m3",
    "e3m4",
    "e4m3fnuz",
    "e5m2fnuz",
    "e4m3b11fnuz",
    "e2m5finite",
    "binary8p4se",
]


def approximated(format, left, right):
    return lmul_value(format.encode(left), format.encode(right), format)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (1, 1, 1.125),
        (1.5, 1.5, 2.25),
        (1.75, 1.25, 2.25),
        (-3, 0.625, -1.875),
        (1.875, 1.875, 3.75),
    ],
)
def test_known_products_with_three_fraction_bits(left, right, expected):
    format = parse("e4m3fn")
    assert approximated(format, left, right) == expected
    assert format.decode(lmul_code(format.encode(left), format.encode(right), format)) == expected


def by_definition(format, left, right):
    """The formula of the paper on values; fractions of 1 or more carry into the exponent."""
    (_, a, x), (_, b, y) = format.fields(left), format.fields(right)
    if a == 0 or b == 0:
        return Fraction(0)
    whole = Fraction(1 << format.fraction_bits)
    sums = x / whole + y / whole + Fraction(1, 1 << offset_bits(format.fraction_bits))
    exponent = a + b - 2 * format.bias
    if sums >= 1:
        sums, exponent = sums - 1, exponent + 1
    sign = -1 if (left ^ right) >> (format.bits - 1) else 1
    return sign * (1 + sums) * Fraction(2) ** exponent


@pytest.mark.parametrize("name", EIGHT_BIT)
def test_arrays_equal_the_scalar_on_all_pairs(name):
    format = parse(name)
    codes = np.arange(256)
    modes = [Overflow.SATURATE] + [Overflow.TO_INFINITY] * format.has_specials
    checked = 0
    for overflow in modes:
        found = lmul_codes(codes[:, None], codes, format, overflow)
        assert found.shape == (256, 256)
        for left, row in enumerate(found.tolist()):
            wanted = [lmul_code(left, right, format, overflow) for right in range(256)]
            assert row == wanted, left
            checked += 256
    assert checked == 65536 * len(modes)


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2"])
def test_values_are_those_of_the_formula(name):
    """All pairs with a positive left factor; clamped to the normal numbers of the format."""
    format = parse(name)
    smallest, kinds = Fraction(2) ** format.emin, {"exact": 0, "small": 0, "beyond": 0}
    for left in range(format.maximum_code + 1):
        for right in range(256):
            if format.special(right) is not None:
                continue
            wanted = by_definition(format, left, right)
            assert wanted == lmul_value(left, right, format)
            found = format.decode(lmul_code(left, right, format))
            if abs(wanted) < smallest:
                kinds["small"] += 1
                assert found == 0
            elif abs(wanted) > format.maximum:
                kinds["beyond"] += 1
                assert found == (format.maximum if wanted > 0 else -format.maximum)
            else:
                kinds["exact"] += 1
                assert found == wanted
    assert sum(kinds.values()) == (format.maximum_code + 1) * 2 * (format.maximum_code + 1)
    assert min(kinds.values()) > 2000


@pytest.mark.parametrize(
    ("fraction_bits", "mean", "relative"),
    [
        *((3, 0.0977, 0.0524), (4, 0.1045, 0.0514), (5, 0.0105, 0.0267)),
        *((8, 0.0122, 0.0265), (10, 0.0123, 0.0265)),
    ],
)
def test_mean_errors_over_uniform_fractions(fraction_bits, mean, relative):
    """Over all pairs of significands in 1…2; about 5.2 %, 5.1 % and then 2.7 %."""
    assert errors(fraction_bits) == pytest.approx((mean, relative), abs=6e-5)


def errors(fraction_bits):
    """(mean of L-Mul - exact, mean of the relative error) over all pairs of significands."""
    format = MinifloatFormat(5, fraction_bits)
    start = format.encode(1)
    codes = np.arange(start, start + (1 << fraction_bits))
    approximated = values_of(lmul_codes(codes[:, None], codes, format), format)
    values = values_of(codes, format)
    exact = np.multiply.outer(values, values)
    return (approximated - exact).mean(), (np.abs(approximated - exact) / exact).mean()


def values_of(codes, format):
    fields, fractions = codes >> format.fraction_bits, codes & ((1 << format.fraction_bits) - 1)
    return (1 + fractions / (1 << format.fraction_bits)) * 2.0 ** (fields - format.bias)


def test_few_fraction_bits_are_poor():
    assert errors(1)[1] == pytest.approx(0.37, abs=0.005)
    assert errors(2)[1] == pytest.approx(0.15, abs=0.005)


def test_wide_formats_and_shapes():
    format, rng = parse("fp32"), np.random.default_rng(3)
    left, right = rng.integers(1 << 32, size=(2, 500))
    left[:4] = 0x7F800000, 0x7FC00000, 0, 0xFF800000
    found = lmul_codes(left, right, format)
    assert found.tolist() == [
        lmul_code(a, b, format) for a, b in zip(left.tolist(), right.tolist(), strict=True)
    ]
    assert lmul_codes(5, 7, parse("e4m3fn")).shape == ()
    assert lmul_codes([[5]], [7, 8, 9], parse("e4m3fn")).shape == (1, 3)
    none = np.zeros(0, np.uint8)
    assert lmul_codes(none, none, parse("e4m3fn")).shape == (0,)


def test_specials_and_zeros():
    format = parse("e5m2")
    infinity, one = 0x7C, format.encode(1)
    assert lmul_code(infinity, one | 0x80, format) == 0xFC
    assert format.special(lmul_code(infinity, 0, format)) is Special.NAN
    assert format.special(lmul_code(0x7E, one, format)) is Special.NAN
    assert lmul_code(0x80, one, format) == 0x80
    assert lmul_code(0x83, one, format) == 0x80  # a subnormal counts as zero
    assert lmul_code(0x80, parse("e5m2fnuz").encode(1), parse("e5m2fnuz")) == 0x80  # NaN
    assert lmul_code(0x81, parse("e5m2fnuz").encode(1), parse("e5m2fnuz")) == 0


def test_one_addition_and_a_constant():
    assert [offset_bits(m) for m in range(8)] == [0, 1, 2, 3, 3, 4, 4, 4]
    format = parse("e3m4")
    assert packed_sum(0x30, 0x31, format) == 0x30 + 0x31 - (3 << 4) + 2


@pytest.mark.parametrize(
    ("name", "overflow", "message"),
    [
        ("int8", Overflow.SATURATE, "L-Mul multiplies minifloats, not int8"),
        ("e4m3finite", Overflow.TO_INFINITY, "overflow to_infinity needs a format with specials"),
        ("e4m3fn", Overflow.WRAP, "L-Mul has overflow saturate or to_infinity, not wrap"),
    ],
)
def test_refusals(name, overflow, message):
    with pytest.raises(ValueError, match=message):
        lmul_codes([1], [1], parse(name), overflow)
    with pytest.raises(ValueError, match=message):
        lmul_code(1, 1, parse(name), overflow)


def test_bad_codes():
    format = parse("e4m3fn")
    with pytest.raises(ValueError, match=r"right lie in 0\.\.255, not 256"):
        lmul_codes([1], [256], format)
    with pytest.raises(ValueError, match="left are integer codes"):
        lmul_codes([1.0], [2], format)
    with pytest.raises(ValueError, match="127 of e4m3fn is special"):
        lmul_value(127, 1, format)
    with pytest.raises(ValueError, match="signed minifloats with subnormals and E >= 1"):
        lmul_code(1, 1, MinifloatFormat(4, 3, signed=False))
