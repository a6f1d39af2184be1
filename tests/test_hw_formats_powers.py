"""Formats made of powers of two: K-hot, signed digits, PoT, APoT, power-exponent, FloatSD; NF4."""

from fractions import Fraction
from itertools import pairwise, product
from statistics import NormalDist

import numpy as np
import pytest

from hw.formats import Rounding, parse
from hw.formats.apot import ApotFormat
from hw.formats.floatsd import FloatSdFormat
from hw.formats.khot import KHotFormat, signed_digits
from hw.formats.power import PowerFormat

EXAMPLES = [
    *("khot<8,4,2>", "khot<6,6,1>", "khot<5,9,4>", "csd<8,4,2>", "csd<7,-3,3>", "csd<2,2,1>"),
    *("apot<4>", "apot<5>", "apot<6>", "apot<7>", "apot<7,3>", "apot<4,1>", "uapot<4>", "uapot<6>"),
    *("power<4,2>", "power<5,3>", "upower<8,2>", "power<3,1>", "upower<4,4>"),
    *("floatsd8", "floatsd<2,3,3>", "floatsd<0,1,1,1>", "floatsd<3,4>", "nf4"),
    *("pot<4>", "upot<3>", "pot<2>"),
]


def sums(width, ones, digits):
    """All magnitudes of at most `ones` signed powers of two, within width − 1 bits."""
    powers = [sign << place for place in range(width) for sign in digits]
    found = {0}
    for _ in range(ones):
        found |= {total + power for total, power in product(found, powers)}
    return {total for total in found if 0 <= total < 1 << (width - 1)}


# K-hot ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "digits"), [("khot", (1,)), ("csd", (1, -1))])
def test_khot_values_are_the_sums_of_powers(family, digits):
    checked = 0
    for width, ones in [(2, 1), (4, 2), (6, 1), (6, 5), (8, 2), (8, 3), (10, 4)]:
        format = parse(f"{family}<{width},{width},{ones}>")
        # Without repeats a sum of equal powers is a larger power, so that the set is the same.
        magnitudes = sums(width, ones, digits)
        assert set(format.levels()) == magnitudes | {-m for m in magnitudes}
        checked += len(format.levels())
    assert checked == {"khot": 785, "csd": 1297}[family]


@pytest.mark.parametrize("name", ["khot<8,4,2>", "khot<7,7,3>", "csd<8,4,2>", "csd<7,7,3>"])
def test_khot_words_are_sign_and_magnitude_and_others_round_down(name):
    format = parse(name)
    sign = 1 << (format.bits - 1)
    own = 0
    for word in range(sign):
        value = format.decode(word)
        plain = word * Fraction(2) ** (format.integer_bits - format.width)
        between = [level for level in format.levels() if value < level <= plain]
        assert value <= plain
        assert between == []
        assert format.decode(word | sign) == -value
        own += value == plain
        assert format.encode(plain, Rounding.TOWARD_ZERO) <= word
    assert own == len(format.levels()) // 2 + 1


@pytest.mark.parametrize("name", ["khot<8,4,2>", "khot<9,9,4>", "csd<8,4,2>", "csd<9,9,4>"])
def test_khot_digits_add_up_and_are_few(name):
    format = parse(name)
    for code in range(1 << format.bits):
        digits = format.digits(code)
        assert sum(sign * Fraction(2) ** place for sign, place in digits) == format.decode(code)
        assert len(digits) <= format.ones
        places = [place for _, place in digits]
        assert places == sorted(places, reverse=True)
        if format.signed_digits:
            assert all(high - low > 1 for high, low in pairwise(places))
        else:
            assert len({sign for sign, _ in digits}) <= 1


def test_the_canonical_form_is_the_sparsest():
    weight = dict.fromkeys([0], 0)
    for ones in range(1, 6):
        for value in sums(10, ones, (1, -1)):
            weight.setdefault(value, ones)
    assert len(weight) == 512
    assert all(len(signed_digits(value)) == ones for value, ones in weight.items())


def test_nearest_khot_rounds_at_the_place_of_the_last_one():
    checked = 0
    for ones in (1, 2, 3):
        format = KHotFormat(9, 9, ones)
        for eighths in range(8 * 256):
            value = Fraction(eighths, 8)
            places = [p for p in range(8, -4, -1) if eighths << 1 >> (p + 4) & 1]
            last = max(places[ones - 1], 0) if len(places) >= ones else 0
            kept = value // (1 << last) * (1 << last)
            rest = (value - kept) / (1 << last)
            if rest == Fraction(1, 2):
                continue
            rounded = kept + (rest > Fraction(1, 2)) * (1 << last)
            assert format.decode(format.encode(value)) == min(rounded, format.maximum)
            checked += 1
    assert checked > 5000


def test_greedy_comes_as_near_as_the_nearest_signed_digits():
    checked = 0
    for ones in range(1, 7):
        format = KHotFormat(8, 6, ones, signed_digits=True)
        for sixteenths in range(-16 * 31, 16 * 31 + 1):
            value = Fraction(sixteenths, 16)
            found = format.greedy(value)
            if abs(found) <= format.maximum:
                assert abs(found - value) == abs(format.decode(format.encode(value)) - value)
                checked += 1
    assert checked > 5000


def test_greedy_of_some_values():
    format = KHotFormat(8, 8, 2)
    assert [format.greedy(v) for v in (0, 0.5, 0.75, 11.2, 14, -30, 7)] == [0, 0, 1, 12, 14, -30, 7]
    assert KHotFormat(8, 8, 1).greedy(12) == 8  # as near to 16: the lower


# Additive powers of two ----------------------------------------------------------------------


def test_apot_values_are_those_of_the_paper_for_even_magnitudes():
    # p_i in {0, 2^-i, 2^-(i+n), ..., 2^-(i+(2^k-2)n)}, i = 0..n-1; the program halves all.
    two = {0, 1, 0.5, 0.25}
    four = {a + b for a in (0, 1, 2**-2, 2**-4) for b in (0, 2**-1, 2**-3, 2**-5)}
    six = {
        a + b + c
        for a in (0, 1, 2**-3, 2**-6)
        for b in (0, 2**-1, 2**-4, 2**-7)
        for c in (0, 2**-2, 2**-5, 2**-8)
    }
    for bits, values in ((2, two), (4, four), (6, six)):
        assert set(parse(f"uapot<{bits}>").values()) == values
        signed = parse(f"apot<{bits + 1}>")
        assert set(signed.values()) == values | {-value for value in values}
        assert len(values) == 1 << bits


def test_apot_of_odd_magnitudes_are_the_sets_of_the_authors_program():
    # Their build_power_value(3) and (5), times two; values are then divided by the largest.
    three = {a + b for a in (0, 1, 0.5, 0.125) for b in (0, 0.25)}
    five = {
        a + b + c
        for a in (0, 2**0, 2**-2, 2**-5)
        for b in (0, 2**-1, 2**-3, 2**-6)
        for c in (0, 2**-4)
    }
    assert set(parse("uapot<3>").values()) == three
    assert set(parse("uapot<5>").values()) == five
    assert (len(three), len(five)) == (8, 32)


def test_pot_is_zero_and_all_powers_down_from_one():
    for bits in range(2, 7):
        powers = {Fraction(1, 1 << i) for i in range((1 << (bits - 1)) - 1)}
        assert set(parse(f"pot<{bits}>").values()) == powers | {-p for p in powers} | {0}
        assert set(parse(f"upot<{bits - 1}>").values()) == powers | {0}
        assert set(parse(f"uapot<{bits - 1},{bits - 1}>").values()) == powers | {0}


# Power-exponent ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["power<4,2>", "power<5,3>", "upower<5,2>", "power<3,1>"])
def test_powers_of_the_uniform_code(name):
    format = parse(name)
    for code in range(1 << format.bits):
        sign, q = (code >> (format.bits - 1), code) if format.is_signed else (0, code)
        q &= (1 << (format.bits - format.is_signed)) - 1
        assert format.decode(code) == (-1) ** sign * q**format.exponent


def test_rounding_in_the_power_domain_is_that_of_the_authors():
    checked = 0
    for name in ("power<5,2>", "power<6,3>", "upower<4,2>", "power<5,1>"):
        format = parse(name)
        most = (1 << (format.width - format.is_signed)) - 1
        values = np.linspace(-1.2, 1.2, 4001) * float(format.maximum)
        uniform = np.abs(values) ** (1 / format.exponent)
        wanted = np.sign(values) * np.minimum(np.rint(uniform), most) ** format.exponent
        if not format.is_signed:
            wanted = np.maximum(wanted, 0)
        safe = np.abs(uniform % 1 - 0.5) > 1e-9  # floating point decides no tie
        for value, want in zip(values[safe].tolist(), wanted[safe].tolist(), strict=True):
            assert format.decode(format.encode_in_t(value)) == want
            checked += 1
    assert checked > 15000
    assert PowerFormat(4, 2).encode_in_t(Fraction(9, 4)) == 2  # 1.5: to even
    assert PowerFormat(4, 2).encode_in_t(Fraction(25, 4)) == 2  # 2.5: to even
    assert PowerFormat(4, 2).encode(Fraction(25, 4)) == 2  # nearer to 4 than to 9


# FloatSD -------------------------------------------------------------------------------------


def test_floatsd8_has_31_significands_and_the_range_of_its_paper():
    format = parse("floatsd8")
    significands = {4 * a + b for a in (0, 1, 2, 4, -1, -2, -4) for b in (0, 1, 2, -1, -2)}
    assert len(significands) == 31
    assert set(format.significands()) == {s for s in significands if s >= 0}
    assert set(format.values()) == {s << e for s in significands for e in range(8)}
    assert (format.bits, format.maximum) == (8, Fraction(9, 8) * 2**11)


def test_floatsd_codes_are_sign_exponent_and_rank():
    format = FloatSdFormat(2, (3, 2))
    ranks = format.significands()
    assert len(ranks) == 16
    for sign, exponent, rank in product((0, 1), range(4), range(16)):
        code = sign << 6 | exponent << 4 | rank
        assert format.decode(code) == (-1) ** sign * (ranks[rank] << exponent)
    assert format.encode(16) == ranks.index(16)  # the smallest exponent of several


# NF4 -----------------------------------------------------------------------------------------


def test_nf4_is_float32_and_the_normal_quantiles_of_its_paper():
    format = parse("nf4")
    values = [float(value) for value in format.values()]
    assert all(float(np.float32(value)) == value for value in values)
    # QLoRA: 8 positive and 7 negative quantiles of evenly spaced probabilities and 0, over the
    # largest; the outermost probability is the mean of 1 - 1/30 and 1 - 1/32.
    outer = ((1 - 1 / 30) + (1 - 1 / 32)) / 2
    quantile = NormalDist().inv_cdf
    positive = [quantile(p) for p in np.linspace(outer, 0.5, 9)[:-1]]
    negative = [-quantile(p) for p in np.linspace(outer, 0.5, 8)[:-1]]
    wanted = sorted([*positive, 0, *negative])
    assert np.allclose(values, np.array(wanted) / max(wanted), rtol=0, atol=2e-7)
    assert len(values) == 16


# All -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_names_slugs_and_round_trips(name):
    format = parse(name)
    assert parse(format.name) == parse(format.slug) == format
    assert format.slug.isidentifier()
    for code in range(1 << format.bits):
        again = format.encode(format.decode(code))
        assert format.decode(again) == format.decode(code)


@pytest.mark.parametrize("name", EXAMPLES)
def test_encode_takes_the_nearest_of_all_values(name):
    format = parse(name)
    levels = sorted(set(format.values()))
    span = levels[-1] - levels[0]
    values = [levels[0] - 1 + Fraction(step, 400) * (span + 2) for step in range(401)]
    values += [(a + b) / 2 for a, b in pairwise(levels)]
    for value in values:
        found = format.decode(format.encode(value))
        assert abs(found - value) == min(abs(level - value) for level in levels)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("khot<17,4,2>", "the width lies in 2..16, not 17"),
        ("khot<8,4,0>", "at most 7 of 8 bits are ones, at least 1; not 0"),
        ("csd<8,4,8>", "at most 7 of 8 bits are ones"),
        ("khot<8,2000,2>", "integer_bits lies in -1024..1024, not 2000"),
        ("apot<8>", "terms of 2 bits do not fill 7 bits of magnitude"),
        ("apot<17,4>", "the width lies in 2..16, not 17"),
        ("apot<2>", "terms of 2 bits do not fill 1 bits of magnitude"),
        ("uapot<4,0>", "a term has at least 1 bit, not 0"),
        ("apot<9,8>", ""),
        ("uapot<9,9>", "terms of 9 bits reach below 2^-256"),
        ("pot<1>", "powers of two have 2..9 bits, not 1"),
        ("upot<9>", "powers of two have 1..8 bits, not 9"),
        ("power<1,2>", "the width lies in 2..16, not 1"),
        ("power<8,5>", "the exponent lies in 1..4 (decoding is exact), not 5"),
        ("floatsd<6,3>", "exponent_bits lies in 0..5, not 6"),
        ("floatsd<3,9>", "a group has 1 to 8 digits, not 9"),
        ("floatsd<1,1,1,1,1,1,1>", "FloatSD has 1 to 5 groups of digits, not 6"),
        ("floatsd<5,8,8,8>", "a code has at most 16 bits"),
    ],
)
def test_bad_sizes(name, message):
    if not message:
        assert parse(name).bits == 9
        return
    with pytest.raises(ValueError) as caught:
        parse(name)
    assert message in str(caught.value)


def test_terms_of_apot_are_disjoint():
    for width, base in [(5, 2), (7, 2), (7, 3), (9, 4), (13, 4), (4, 2), (6, 2)]:
        powers = [p for term in ApotFormat(width, base).terms() for p in term if p]
        assert len(powers) == len(set(powers))
