"""Number formats against tables of others, exact nearest values, and their own names."""

from fractions import Fraction
from itertools import pairwise, product

import ml_dtypes
import numpy as np
import pytest
from format_oracle import Oracle, trial_points
from hypothesis import given
from hypothesis import strategies as st

from hw.formats import (
    CATALOGUE,
    FixedFormat,
    MinifloatFormat,
    Overflow,
    Rounding,
    Special,
    Specials,
    number_text,
    parse,
    round_to_integer,
)

COUNTERPARTS = {
    "e4m3fn": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e4m3": ml_dtypes.float8_e4m3,
    "e3m4": ml_dtypes.float8_e3m4,
    "e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "e4m3b11fnuz": ml_dtypes.float8_e4m3b11fnuz,
    "e3m2fn": ml_dtypes.float6_e3m2fn,
    "e2m3fn": ml_dtypes.float6_e2m3fn,
    "e2m1fn": ml_dtypes.float4_e2m1fn,
    "bfloat16": ml_dtypes.bfloat16,
    "fp16": np.float16,
    "e8m0fnu": ml_dtypes.float8_e8m0fnu,
    "int1": ml_dtypes.int1,
    "uint1": ml_dtypes.uint1,
    "int2": ml_dtypes.int2,
    "uint2": ml_dtypes.uint2,
    "int4": ml_dtypes.int4,
    "uint4": ml_dtypes.uint4,
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "uint16": np.uint16,
}
CLASSIC = (Specials.FINITE, Specials.FN, Specials.FNUZ, Specials.IEEE)
SMALL_FIXED = [FixedFormat(w, w) for w in range(1, 7)] + [
    FixedFormat(w, w, is_signed=False) for w in range(1, 6)
]
SMALL_FIXED += [FixedFormat(5, 2), FixedFormat(4, 7), FixedFormat(5, -3, is_signed=False)]


def minifloats(most_bits):
    for exponent_bits in range(1, min(most_bits, 9)):
        for fraction_bits in range(most_bits - exponent_bits):
            for specials in CLASSIC:
                ieee = specials is Specials.IEEE
                small = exponent_bits + fraction_bits == 1 and specials is Specials.FN
                if not (small or (ieee and (exponent_bits < 2 or fraction_bits < 1))):
                    yield MinifloatFormat(exponent_bits, fraction_bits, specials)


SMALL = [
    *SMALL_FIXED,
    *dict.fromkeys(minifloats(5)),
    MinifloatFormat(2, 2, Specials.FN, bias=-3),
    MinifloatFormat(3, 1, Specials.IEEE, bias=9),
]
EIGHT_BITS = [parse(name) for name in ("int8", "fixed<8,4>", "e4m3fn", "e5m2", "e4m3fnuz", "e3m4")]
ANY = [
    format for format in map(parse, CATALOGUE) if isinstance(format, FixedFormat | MinifloatFormat)
]


# Values --------------------------------------------------------------------------------------


def test_every_type_of_ml_dtypes_has_its_format():
    theirs = {kind for kind in vars(ml_dtypes).values() if isinstance(kind, type)}
    theirs -= {ml_dtypes.finfo, ml_dtypes.iinfo}
    complex_ones = {kind for kind in theirs if "complex" in kind.__name__}
    assert theirs - complex_ones <= set(COUNTERPARTS.values())
    assert len(theirs - complex_ones) == 18
    assert sum(1 << parse(name).bits for name in COUNTERPARTS) == 264_892


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_value_tables_are_those_of_ml_dtypes_and_numpy(name):
    format, other = parse(name), np.dtype(COUNTERPARTS[name])
    codes = np.arange(1 << format.bits).astype(f"uint{8 * other.itemsize}")
    with np.errstate(invalid="ignore"):  # signalling NaNs
        theirs = codes.view(other).astype(np.float64)
    ours = format.values()
    assert len(ours) == 1 << format.bits
    for code, (mine, peer) in enumerate(zip(ours, theirs.tolist(), strict=True)):
        if isinstance(mine, Special):
            assert np.isnan(peer) if mine is Special.NAN else peer == float(mine.value), code
        else:
            assert mine == Fraction(peer), code


def test_fp32_decodes_as_numpy_does():
    codes = np.random.default_rng(1).integers(0, 1 << 32, 5000, dtype=np.uint32)
    codes[:4] = 0, 1, 0x7F7FFFFF, 0x807FFFFF
    checked = 0
    for code, peer in zip(codes.tolist(), codes.view(np.float32).tolist(), strict=True):
        if np.isfinite(peer):
            assert parse("fp32").decode(code) == Fraction(peer)
            checked += 1
    assert checked > 4900


def test_tf32_is_fp32_cut_to_nineteen_bits():
    for code in np.random.default_rng(2).integers(0, 1 << 19, 500).tolist():
        value = parse("tf32").decode(code)
        other = parse("fp32").decode(code << 13)
        assert value == other


@pytest.mark.parametrize("format", [*SMALL, *EIGHT_BITS], ids=str)
def test_facts_follow_from_the_table(format):
    finite = [value for value in format.values() if isinstance(value, Fraction)]
    step = Fraction(2) ** format.lsb_exponent
    assert (format.minimum, format.maximum) == (min(finite), max(finite))
    assert all((value / step).denominator == 1 for value in finite)
    assert format.magnitude_bits == int(max(map(abs, finite)) / step).bit_length()
    assert format.signed == (min(finite) < 0)
    assert format.has_specials == (len(finite) < 1 << format.bits)
    for code in range(1 << format.bits):
        value = format.decode(code)
        assert format.special(code) is (value if isinstance(value, Special) else None)
        assert format.integer(code) == (0 if isinstance(value, Special) else value / step)


@pytest.mark.parametrize("format", list(dict.fromkeys(minifloats(7))), ids=str)
def test_magnitudes_of_minifloats_rise_with_their_codes(format):
    values = [format.decode(code) for code in range(format.maximum_code + 1)]
    assert all(low < high for low, high in pairwise(values))
    assert values[-1] == format.maximum
    assert format.maximum < Fraction(2) ** (format.emax + 1)
    assert format.maximum >= Fraction(2) ** format.emax or format.maximum_field == 0


# Encoding ------------------------------------------------------------------------------------


def test_encode_is_the_nearest_value_in_every_mode():
    checked = 0
    for format in [*SMALL, parse("e4m3fn"), parse("fixed<8,4>")]:
        oracle = Oracle(format)
        for value in trial_points(format):
            for rounding in Rounding:
                wanted = oracle.code(value, rounding)
                assert format.encode(value, rounding) == wanted, (format, value, rounding)
                checked += 1
    assert checked > 40_000


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e4m3", "e3m4", "e4m3fnuz", "e4m3b11fnuz"])
def test_overflow_to_infinity_is_that_of_ml_dtypes(name):
    format, other = parse(name), COUNTERPARTS[name]
    values = [v for v in trial_points(format) if Fraction(float(v)) == v]
    values = np.array([float(v) for v in values], np.float32)
    values = np.concatenate([values, np.nextafter(values, np.float32(np.inf))])
    with np.errstate(over="ignore"):
        theirs = values.astype(other).view(np.uint8).tolist()
    checked = 0
    for value, wanted in zip(values.tolist(), theirs, strict=True):
        code = format.encode(value, overflow=Overflow.TO_INFINITY)
        if format.special(wanted) is Special.NAN:
            assert format.special(code) is Special.NAN
        else:
            assert code == wanted, value
        checked += 1
    assert checked > 1000


@pytest.mark.parametrize("name", ["e5m2", "fp16"])
def test_directed_modes_stop_at_the_largest_number(name):
    format = parse(name)
    top, beyond = format.encode(format.maximum), format.maximum * 3
    infinite = {
        1: format.encode(Special.POS_INF, overflow=Overflow.TO_INFINITY),
        -1: format.encode(Special.NEG_INF, overflow=Overflow.TO_INFINITY),
    }
    sign_bit = 1 << (format.bits - 1)
    expected = {
        Rounding.TIES_TO_EVEN: (infinite[1], infinite[-1]),
        Rounding.TIES_TO_AWAY: (infinite[1], infinite[-1]),
        Rounding.TOWARD_ZERO: (top, top | sign_bit),
        Rounding.TO_ODD: (top, top | sign_bit),
        Rounding.TOWARD_POSITIVE: (infinite[1], top | sign_bit),
        Rounding.TOWARD_NEGATIVE: (top, infinite[-1]),
    }
    for rounding, wanted in expected.items():
        codes = [format.encode(v, rounding, Overflow.TO_INFINITY) for v in (beyond, -beyond)]
        assert tuple(codes) == wanted, rounding


@pytest.mark.parametrize("format", SMALL_FIXED, ids=str)
def test_wrapping_keeps_the_low_bits(format):
    step = Fraction(2) ** format.lsb_exponent
    for integer in range(-3 << format.bits, 3 << format.bits, 3):
        code = format.encode(integer * step, overflow=Overflow.WRAP)
        assert code == integer % (1 << format.bits)


def test_specials_and_signed_zeros_encode():
    e5m2, e4m3fn, fnuz, finite = map(parse, ("e5m2", "e4m3fn", "e4m3fnuz", "e2m1fn"))
    assert e5m2.special(e5m2.encode(float("nan"))) is Special.NAN
    assert e4m3fn.encode(Special.NAN) == 0x7F
    assert fnuz.encode(float("nan")) == 0x80
    assert e5m2.encode(float("inf"), overflow=Overflow.TO_INFINITY) == 0x7C
    assert e5m2.encode(float("-inf")) == e5m2.encode(e5m2.minimum)
    assert e5m2.encode(-0.0) == 0x80
    assert fnuz.encode(-0.0) == 0
    assert finite.encode(float("inf")) == 7
    assert parse("int8").encode(float("-inf")) == 0x80
    assert parse("uint4").encode(-3) == 0


@pytest.mark.parametrize(
    ("name", "value", "overflow", "message"),
    [
        ("e2m1fn", float("nan"), Overflow.SATURATE, "e2m1fn has no code for nan"),
        ("int8", float("nan"), Overflow.SATURATE, "int8 has no code for nan"),
        ("int8", float("inf"), Overflow.WRAP, "int8 has no code for inf"),
        ("int8", 1, Overflow.TO_INFINITY, "needs a format with infinities, not int8"),
        ("e2m1fn", 100, Overflow.TO_INFINITY, "needs a format with specials, not e2m1fn"),
        ("e4m3fn", 1, Overflow.WRAP, "wrap is for fixed point, not e4m3fn"),
    ],
)
def test_what_a_format_cannot_encode_is_refused(name, value, overflow, message):
    with pytest.raises(ValueError, match=message):
        parse(name).encode(value, overflow=overflow)


@pytest.mark.parametrize("code", [-1, 16])
def test_codes_out_of_range_are_refused(code):
    with pytest.raises(ValueError, match=rf"a code of int4 lies in 0..15, not {code}"):
        parse("int4").decode(code)
    with pytest.raises(ValueError, match=r"lies in 0\.\.15"):
        parse("e2m1fn").integer(code)


def test_no_table_of_a_wide_format():
    with pytest.raises(ValueError, match="at most 16 bits, tf32 has 19"):
        parse("tf32").values()


# Properties ----------------------------------------------------------------------------------

formats = st.sampled_from([*SMALL, *EIGHT_BITS, *ANY])
reals = st.fractions(max_denominator=1 << 20) | st.floats(allow_nan=False, width=64).map(
    lambda x: x if abs(x) == float("inf") else Fraction(x)
)
modes = st.sampled_from(list(Rounding))


@given(formats, st.data())
def test_decoding_then_encoding_gives_the_code_back(format, data):
    code = data.draw(st.integers(0, (1 << format.bits) - 1))
    value = format.decode(code)
    if isinstance(value, Special):
        back = format.encode(value, overflow=Overflow.TO_INFINITY)
        assert format.special(back) is value
    elif value:
        assert format.encode(value) == code
    else:
        assert format.decode(format.encode(value)) == 0


@given(formats, reals, modes)
def test_encoding_is_idempotent(format, value, rounding):
    once = format.encode(value, rounding)
    assert format.decode(format.encode(format.decode(once), rounding)) == format.decode(once)


@given(formats, reals, reals, modes)
def test_encoding_keeps_order(format, first, second, rounding):
    codes = [format.encode(value, rounding) for value in sorted((first, second))]
    assert format.decode(codes[0]) <= format.decode(codes[1])


@given(formats, reals)
def test_minifloats_are_symmetric(format, value):
    if isinstance(format, MinifloatFormat) and format.signed:
        positive = format.decode(format.encode(value))
        assert format.decode(format.encode(-value)) == -positive


@given(formats, reals)
def test_directed_modes_bracket_the_value(format, value):
    if abs(value) == float("inf") or not format.minimum <= value <= format.maximum:
        return
    below = format.decode(format.encode(value, Rounding.TOWARD_NEGATIVE))
    above = format.decode(format.encode(value, Rounding.TOWARD_POSITIVE))
    nearest = format.decode(format.encode(value))
    assert below <= value <= above
    assert nearest in (below, above)
    assert abs(nearest - value) <= abs(below - value)
    assert abs(nearest - value) <= abs(above - value)


@given(st.fractions(max_denominator=64), modes)
def test_whole_numbers_stay_and_others_move_less_than_one(value, rounding):
    rounded = round_to_integer(value, rounding)
    assert abs(rounded - value) < 1
    assert round_to_integer(Fraction(rounded), rounding) == rounded


# Names ---------------------------------------------------------------------------------------


def test_names_of_all_formats_parse_back():
    checked = 0
    biased = [MinifloatFormat(4, 3, kind, b) for kind in CLASSIC for b in (-20, 0, 11, 900)]
    shapes = product((2, 9, 64), (-1024, -1, 0, 5), (True, False))
    fixed = [FixedFormat(*shape) for shape in shapes]
    for format in [*SMALL, *EIGHT_BITS, *ANY, *minifloats(10), *biased, *fixed]:
        assert parse(str(format)) == format
        assert parse(format.slug) == format
        assert format.slug.isidentifier()
        checked += 1
    assert checked > 200


def test_distinct_formats_have_distinct_names():
    everything = {*SMALL, *EIGHT_BITS, *ANY, *minifloats(10)}
    assert len({format.name for format in everything}) == len(everything)
    assert len({format.slug for format in everything}) == len(everything)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (" INT8 ", "int8"),
        ("fixed_8_4", "fixed<8,4>"),
        ("ufixed_6_-2", "ufixed<6,-2>"),
        ("fixed< 8, 8 >", "int8"),
        ("e5m10", "fp16"),
        ("half", "fp16"),
        ("binary16", "fp16"),
        ("Binary32", "fp32"),
        ("bf16", "bfloat16"),
        ("e3m2finite", "e3m2fn"),
        ("e4m3b7", "e4m3"),
        ("e4m3b8fnuz", "e4m3fnuz"),
        ("e4m3bn3fn", "e4m3b-3fn"),
        ("fixed_8_n3", "fixed<8,-3>"),
    ],
)
def test_spellings(text, name):
    assert str(parse(text)) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("e4m3fm", "unknown format 'e4m3fm'; did you mean 'e4m3fn'?"),
        ("", "unknown format ''"),
        ("e4x3", "unknown format"),
        ("int0", "format 'int0': a fixed-point width lies in 1..64, not 0"),
        ("uint0", "a fixed-point width lies in 1..64, not 0"),
        ("int65", "lies in 1..64, not 65"),
        ("fixed<8,2000>", "integer_bits lies in -1024..1024, not 2000"),
        ("e17m0finite", "exponent_bits lies in 0..16, not 17"),
        ("e9m8", "more than 8 exponent bits need a code of at most 16 bits, e9m8 has 18"),
        ("e4m24", "fraction_bits lies in 0..23, not 24"),
        ("e1m2", "need E >= 2 and M >= 1, not e1m2"),
        ("e3m0", "need E >= 2 and M >= 1, not e3m0"),
        ("e1m0fn", "e1m0fn has no number but 0: use e1m0finite"),
        ("e4m3b2000fn", "bias lies in -1024..1024, not 2000"),
    ],
)
def test_messages_of_bad_names(text, message):
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert message in str(caught.value)


def test_every_catalogue_entry_is_canonical_or_an_alias():
    for name, source in CATALOGUE.items():
        assert parse(name).name == name
        assert source


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(-3), "-3"),
        (Fraction(448), "448"),
        (Fraction(1, 512), "0.001953125"),
        (Fraction(-7, 4), "-1.75"),
        (Special.NAN, "nan"),
        (Special.NEG_INF, "-inf"),
    ],
)
def test_numbers_print_exactly(value, text):
    assert number_text(value) == text


@given(st.integers(-(10**12), 10**12), st.integers(0, 60))
def test_printed_numbers_read_back(integer, twos):
    assert Fraction(number_text(Fraction(integer, 1 << twos))) == Fraction(integer, 1 << twos)
