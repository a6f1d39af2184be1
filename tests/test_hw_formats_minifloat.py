"""Minifloats of every kind: all codes, all modes, all names, against the list of values."""

from fractions import Fraction
from itertools import pairwise, product
from math import log2

import pytest
from format_oracle import Oracle, finite_values, trial_points
from hypothesis import given
from hypothesis import strategies as st

from hw.formats import (
    MinifloatFormat,
    Overflow,
    Rounding,
    Special,
    Specials,
    Stochastic,
    number_text,
    parse,
)
from hw.formats.minifloat import split_bias

MODES = [*Rounding, *(Stochastic(variant, bits) for variant in "abc" for bits in (1, 3))]


def minifloats(bits):
    """Every minifloat of a width at its default bias."""
    seen = {}
    flags = product(Specials, (True, False), (True, False), (True, False))
    for specials, signed, subnormals, negative_zero in flags:
        for exponent_bits in range(bits - signed + 1):
            fraction_bits = bits - signed - exponent_bits
            split = exponent_bits, fraction_bits, specials, None
            try:
                seen[MinifloatFormat(*split, signed, subnormals, negative_zero)] = True
            except ValueError:
                continue
    return list(seen)


NARROW = [format for bits in range(2, 7) for format in minifloats(bits)]
WIDER = [*minifloats(7), *minifloats(8)]


def magnitude(format, code):
    """What a code without its sign means, straight from the definition; None if no number."""
    e, m = code >> format.fraction_bits, code & ((1 << format.fraction_bits) - 1)
    top, full = code == format.top_code, code >> format.fraction_bits == format.top_field
    special = {
        Specials.FINITE: False,
        Specials.FN: top,
        Specials.FNUZ: False,
        Specials.IEEE: full,
        Specials.EXTENDED: code >= format.top_code - (not format.signed),
    }
    if special[format.specials]:
        return None
    if e == 0 and not format.subnormals:
        return Fraction(0)
    hidden = Fraction(e > 0)
    fraction = Fraction(m, 1 << format.fraction_bits)
    return (hidden + fraction) * Fraction(2) ** (max(e, 1) - format.bias)


def test_how_many_formats_there_are():
    assert [len(minifloats(bits)) for bits in range(2, 9)] == [14, 37, 57, 81, 99, 125, 147]


def test_every_code_means_what_the_definition_says():
    checked = 0
    for format in [*NARROW, *WIDER]:
        for code, value in enumerate(format.values()):
            negative = format.signed and code >= 1 << (format.bits - 1)
            expected = magnitude(format, code & format.top_code)
            no_zeros = format.specials in (Specials.FNUZ, Specials.EXTENDED)
            if negative and code & format.top_code == 0 and no_zeros:
                expected = None
            if expected is None:
                assert isinstance(value, Special), (format, code)
            else:
                assert value == (-expected if negative else expected), (format, code)
            checked += 1
    assert checked == sum(1 << format.bits for format in [*NARROW, *WIDER]) == 63_824


def test_facts_follow_from_the_values():
    for format in [*NARROW, *WIDER]:
        finite = finite_values(format)
        assert (format.minimum, format.maximum) == (finite[0], finite[-1]), format
        step = Fraction(2) ** format.lsb_exponent
        assert all((value / step).denominator == 1 for value in finite)
        assert format.signed == (finite[0] < 0)
        table = format.values()
        assert format.has_specials == any(isinstance(value, Special) for value in table)
        assert format.has_infinity == (Special.POS_INF in table)
        assert (Special.NEG_INF in table) == (format.has_infinity and format.signed)
        positive = table[: format.maximum_code + 1]
        least = 1 << format.fraction_bits if not format.subnormals else 1
        assert all(low < high for low, high in pairwise(positive[least:]))
        assert format.maximum_code == table.index(finite[-1])


def test_all_codes_come_back():
    checked = 0
    for format in [*NARROW, *WIDER]:
        for code, value in enumerate(format.values()):
            again = format.encode(value, overflow=Overflow.SATURATE_PROPAGATE)
            if value == 0:
                assert again == 0
                redundant = not format.subnormals or not format.negative_zero
                assert code in (0, format.sign_bit) or redundant
            elif value is Special.NAN:
                assert format.special(again) is Special.NAN
            else:
                assert again == code, (format, code)
            checked += 1
    assert checked == 63_824


@pytest.mark.slow
def test_every_mode_is_that_of_the_list_of_values():
    checked = 0
    for format in [format for format in NARROW if format.bits < 6]:
        oracle = Oracle(format)
        for rounding in MODES:
            random = 2 if isinstance(rounding, Stochastic) and rounding.bits > 1 else 0
            for value in trial_points(format):
                wanted = oracle.code(value, rounding, random)
                got = format.encode(value, rounding, random=random)
                assert got == wanted, (format, value, rounding)
                checked += 1
    assert checked == 320_115


def test_six_to_eight_bits_in_every_mode():
    checked = 0
    for at, format in enumerate([*minifloats(6), *WIDER]):
        step = 7 if format.bits == 6 else 53
        oracle = Oracle(format)
        points = trial_points(format)
        for number, rounding in enumerate(MODES):
            random = 5 % (1 << rounding.bits) if isinstance(rounding, Stochastic) else 0
            for value in points[(at + number) % step :: step]:
                wanted = oracle.code(value, rounding, random)
                got = format.encode(value, rounding, random=random)
                assert got == wanted, (format, value, rounding)
                checked += 1
    assert checked == 166_246


def beyond(format, value, rounding):
    """What a finite value becomes without saturation: a special, or the value it rounds to."""
    top = format.maximum
    single = format.fraction_bits == 0 and format.maximum_field > 0
    ulp = top if single else Fraction(2) ** (format.lsb_exponent + max(format.maximum_field, 1) - 1)
    if not format.signed and value < 0:
        least = Fraction(2) ** format.lsb_exponent
        least = least if format.subnormals else Fraction(2) ** format.emin
        odd = (1 if format.subnormals else 1 << format.fraction_bits) % 2
        tie = {Rounding.TIES_TO_AWAY, Rounding.TIES_TOWARD_NEGATIVE}
        away = -value > least / 2 or (-value == least / 2 and rounding in tie)
        if rounding is Rounding.TO_ODD:
            away = odd or -value >= least
        away = away or rounding is Rounding.TOWARD_NEGATIVE
        stays = rounding in (Rounding.TOWARD_ZERO, Rounding.TOWARD_POSITIVE)
        return 0 if stays or not away else Special.NAN
    if abs(value) <= top:
        return None
    sign = 1 if value > 0 else -1
    infinite = Special.POS_INF if sign > 0 else Special.NEG_INF
    if not format.has_infinity:
        infinite = Special.NAN if format.signed else top
    outward = Rounding.TOWARD_POSITIVE if sign > 0 else Rounding.TOWARD_NEGATIVE
    inward = Rounding.TOWARD_NEGATIVE if sign > 0 else Rounding.TOWARD_POSITIVE
    if rounding is outward:
        return infinite
    if rounding in (inward, Rounding.TOWARD_ZERO):
        return sign * top
    if rounding is Rounding.TO_ODD:
        even_top = format.signed and format.specials is Specials.EXTENDED
        return infinite if even_top else sign * top
    rest = abs(value) - top
    if rest != ulp / 2:
        return infinite if rest > ulp / 2 else sign * top
    up = {
        Rounding.TIES_TO_EVEN: format.maximum_code % 2 == 1,
        Rounding.TIES_TO_AWAY: True,
        Rounding.TIES_TOWARD_ZERO: False,
        Rounding.TIES_TOWARD_NEGATIVE: sign < 0,
        Rounding.TIES_TOWARD_POSITIVE: sign > 0,
    }
    if single and not format.ties_by_code:
        up[Rounding.TIES_TO_EVEN] = True
    return infinite if up[rounding] else sign * top


def test_overflow_to_infinity():
    checked = 0
    for format in [f for f in NARROW if f.has_specials]:
        ulp = finite_values(format)[-1] - finite_values(format)[-2]
        ulp = format.maximum if format.fraction_bits == 0 and format.maximum_field else ulp
        tiny = ulp / 1024
        half = format.maximum + ulp / 2
        far = [format.maximum + tiny, half - tiny, half, half + tiny, 9 * format.maximum]
        least = Fraction(2) ** format.lsb_exponent
        near_zero = [least * n / 4 for n in (1, 2, 3, 4, 9)] if not format.signed else []
        for value in [*far, *(-v for v in far), *(-v for v in near_zero)]:
            for rounding in Rounding:
                code = format.encode(value, rounding, Overflow.TO_INFINITY)
                assert format.decode(code) == beyond(format, value, rounding), (
                    format,
                    value,
                    rounding,
                )
                checked += 1
    assert checked > 20_000


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        # value inf: saturate, propagate, to_infinity; -inf likewise
        ("e5m2", (0x7B, 0x7C, 0x7C, 0xFB, 0xFC, 0xFC)),
        ("e4m3fn", (0x7E, 0x7E, 0x7F, 0xFE, 0xFE, 0xFF)),
        ("e4m3fnuz", (0x7F, 0x7F, 0x80, 0xFF, 0xFF, 0x80)),
        ("binary8p3se", (0x7E, 0x7F, 0x7F, 0xFE, 0xFF, 0xFF)),
        ("binary8p3ue", (0xFD, 0xFE, 0xFE, 0, 0, 0xFF)),
        ("binary8p3uf", (0xFE, 0xFE, 0xFE, 0, 0, 0xFF)),
        ("ue4m3", (0x77, 0x78, 0x78, 0, 0, 0x7C)),
    ],
)
def test_infinities(name, codes):
    modes = (Overflow.SATURATE, Overflow.SATURATE_PROPAGATE, Overflow.TO_INFINITY)
    cases = product((Special.POS_INF, Special.NEG_INF), modes)
    got = tuple(parse(name).encode(value, overflow=mode) for value, mode in cases)
    assert got == codes


@pytest.mark.parametrize(
    "overflow", ["saturate_symmetric", "to_zero", "wrap", "wrap_sign_magnitude"]
)
def test_modes_of_fixed_point_are_refused(overflow):
    with pytest.raises(ValueError, match=f"overflow {overflow} is for fixed point, not ue4m3fn"):
        parse("ue4m3fn").encode(1, overflow=Overflow(overflow))


def test_names_read_back_and_differ():
    formats = [*NARROW, *WIDER, *minifloats(9), *minifloats(16)]
    biased = [
        MinifloatFormat(f.exponent_bits, f.fraction_bits, f.specials, bias, *flags)
        for f in minifloats(6)
        for flags in [(f.signed, f.subnormals, f.negative_zero)]
        for bias in (-7, 3, 100)
    ]
    names = set()
    for format in dict.fromkeys([*formats, *biased]):
        assert parse(format.name) == format
        assert parse(format.slug) == format
        assert format.slug.isidentifier()
        names |= {format.name, format.slug}
    distinct = {format.name for format in [*formats, *biased]}
    assert len(distinct) == len(dict.fromkeys([*formats, *biased])) > 1000


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ue4m3fn", "ue4m3fn"),
        ("E4M3FNDAZ", "e4m3fndaz"),
        ("e2m1fndaz", "e2m1fndaz"),
        ("e2m1finitedaz", "e2m1fndaz"),
        ("e5m2dazuz", "e5m2dazuz"),
        ("e4m3ext", "binary8p4se"),
        ("ue5m3b16fn", "binary8p4uf"),
        ("e0m3bn2finite", "sm4"),
        ("sm2", "sm2"),
        ("e4m3fnuzuz", "e4m3fnuz"),
        ("e2m1finiteuz", "e2m1finiteuz"),
        ("ue2m1fn", "ue2m1fn"),
        ("e8m0", "e8m0fnu"),
    ],
)
def test_spellings(text, name):
    assert parse(text).name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ue0m4finite", "ue0m4 is unsigned fixed point: use ufixed"),
        ("e4m3fnuzdazx", "unknown format"),
        ("ue4m3fnuz", "an unsigned format has no -0 for fnuz: use fn"),
        ("e4m3uz", None),
        ("e0m3", "infinities and NaNs in the top exponent need E >= 2 and M >= 1, not e0m3"),
        ("e0m0finite", "e0m0 finite has no number but 0"),
        ("e0m3finitedaz", "e0m3 finite without subnormals has no number but 0"),
        ("e1m0ext", "e1m0 extended has no number but 0"),
        ("ue1m1extdaz", "has no number but 0"),
        ("sm1", "a sign-magnitude width lies in 2..16, not 1"),
        ("sm17", "a sign-magnitude width lies in 2..16, not 17"),
        ("e4m3b1025fn", "bias lies in -1024..1024, not 1025"),
    ],
)
def test_what_there_is_not(text, message):
    if message is None:
        assert parse(text).name == text
        return
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert message in str(caught.value)


def test_fn_without_negative_zero_is_fnuz():
    with pytest.raises(ValueError, match="fn without -0 is fnuz"):
        MinifloatFormat(4, 3, Specials.FN, negative_zero=False)


def values_text(name, count=None):
    return " ".join(number_text(value) for value in parse(name).values()[:count])


def test_what_small_formats_hold():
    assert values_text("sm3") == "0 1 2 3 0 -1 -2 -3"
    assert values_text("e0m2finite") == "0 0.5 1 1.5 0 -0.5 -1 -1.5"
    assert values_text("ue2m1finite") == "0 0.5 1 1.5 2 3 4 6"
    assert values_text("ue2m1fn") == "0 0.5 1 1.5 2 3 4 nan"
    assert values_text("e2m1fndaz", 8) == "0 0 1 1.5 2 3 4 6"
    assert values_text("e2m1finitedazuz", 9) == "0 0 1 1.5 2 3 4 6 0"
    assert values_text("e2m1ext") == "0 0.25 0.5 0.75 1 1.5 2 inf nan " + (
        "-0.25 -0.5 -0.75 -1 -1.5 -2 -inf"
    )
    assert parse("e0m7finite").maximum == Fraction(127, 64)  # MXINT8 without -2
    assert parse("ue4m3fn").maximum == 448
    assert parse("ue5m3fn").maximum == 114688


def test_negative_zero():
    assert parse("e5m2").encode(-0.0) == parse("e5m2").encode(Fraction(-1, 1 << 30)) == 0x80
    assert parse("e5m2uz").encode(-0.0) == parse("e5m2uz").encode(Fraction(-1, 1 << 30)) == 0
    assert parse("e5m2uz").decode(0x80) == 0
    assert parse("ue4m3fn").encode(-0.0) == 0
    assert parse("sm4").encode(-0.25) == 8


@given(st.sampled_from([*NARROW, *WIDER]), st.fractions(max_denominator=1 << 30))
def test_rounding_twice_changes_nothing_and_signs_mirror(format, value):
    code = format.encode(value)
    assert format.encode(format.decode(code)) & format.top_code == code & format.top_code
    if format.signed:
        assert format.decode(format.encode(-value)) == -format.decode(code)
    elif value <= 0:
        assert code == 0


@given(st.sampled_from([*NARROW, *WIDER]), st.lists(st.fractions(), min_size=2), st.data())
def test_order_is_kept(format, values, data):
    rounding = data.draw(st.sampled_from(list(Rounding)))
    rounded = [format.decode(format.encode(value, rounding)) for value in sorted(values)]
    assert rounded == sorted(rounded)


@given(st.floats(-1000, 1000))
def test_a_real_bias_is_a_whole_one_and_a_scale(bias):
    whole, scale = split_bias(bias)
    assert 1 <= scale <= 2
    assert whole - 1 < bias <= whole
    assert log2(scale) == pytest.approx(whole - bias, abs=1e-9)
    assert split_bias(float(whole)) == (whole, 1.0)


def test_the_real_bias_of_a_maximum():
    format = parse("e4m3finite")
    bias = 16 - log2(300) + log2(2 - 2**-3) - 1  # arXiv 2303.17951
    whole, scale = split_bias(bias)
    under = MinifloatFormat(4, 3, bias=whole)
    assert float(under.maximum) * scale == pytest.approx(300)
    assert under.maximum == format.maximum * Fraction(2) ** (7 - whole)
    with pytest.raises(ValueError, match="a finite number, not inf"):
        split_bias(float("inf"))
