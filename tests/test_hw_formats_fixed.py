"""Fixed point in all modes of high-level synthesis; symmetric, bipolar and radix-4 formats."""

from fractions import Fraction
from itertools import product

import apytypes
import pytest
from format_oracle import Oracle, trial_points
from hypothesis import given
from hypothesis import strategies as st

from hw.formats import FixedFormat, Overflow, Rounding, Special, Stochastic, hls, parse
from hw.formats.integers import BipolarFormat, SymmetricFormat
from hw.formats.modes import overflow_mode, rounding_mode

MODES = [*Rounding, *(Stochastic(variant, bits) for variant in "abc" for bits in (1, 3))]

# What AMD's ap_fixed headers (release 2019, Apache-2.0) give for -40 … 39 into ap_fixed<4,4> and
# for -2, -1.875 … 2 into ap_fixed<8,7>, in halves.
ZIGZAG = [*range(-8, 8), *range(7, -9, -1)]
AP_OVERFLOW = {
    "AP_WRAP": [*range(-8, 8)] * 5,
    "AP_SAT": [-8] * 32 + [*range(-8, 8)] + [7] * 32,
    "AP_SAT_SYM": [-7] * 33 + [*range(-7, 8)] + [7] * 32,
    "AP_SAT_ZERO": [0] * 32 + [*range(-8, 8)] + [0] * 32,
    "AP_WRAP_SM": (ZIGZAG * 3)[:80],
}
AP_UNSIGNED = {
    "AP_WRAP": [*range(8, 16), *([*range(16)] * 5)][:80],
    "AP_SAT": [0] * 40 + [*range(16)] + [15] * 24,
    "AP_SAT_SYM": [0] * 40 + [*range(16)] + [15] * 24,
    "AP_SAT_ZERO": [0] * 40 + [*range(16)] + [0] * 24,
}
AP_ROUNDING = {
    "TRN": "-4 -4 -4 -4 -3 -3 -3 -3 -2 -2 -2 -2 -1 -1 -1 -1 0 0 0 0 1 1 1 1 2 2 2 2 3 3 3 3 4",
    "TRN_ZERO": "-4 -3 -3 -3 -3 -2 -2 -2 -2 -1 -1 -1 -1 0 0 0 0 0 0 0 1 1 1 1 2 2 2 2 3 3 3 3 4",
    "RND": "-4 -4 -3 -3 -3 -3 -2 -2 -2 -2 -1 -1 -1 -1 0 0 0 0 1 1 1 1 2 2 2 2 3 3 3 3 4 4 4",
    "RND_ZERO": "-4 -4 -3 -3 -3 -3 -2 -2 -2 -2 -1 -1 -1 -1 0 0 0 0 0 1 1 1 1 2 2 2 2 3 3 3 3 4 4",
    "RND_MIN_INF": "-4 -4 -4 -3 -3 -3 -3 -2 -2 -2 -2 -1 -1 -1 -1"
    " 0 0 0 0 1 1 1 1 2 2 2 2 3 3 3 3 4 4",
    "RND_INF": "-4 -4 -4 -3 -3 -3 -3 -2 -2 -2 -2 -1 -1 -1 -1 0 0 0 1 1 1 1 2 2 2 2 3 3 3 3 4 4 4",
    "RND_CONV": "-4 -4 -4 -3 -3 -3 -2 -2 -2 -2 -2 -1 -1 -1 0 0 0 0 0 1 1 1 2 2 2 2 2 3 3 3 4 4 4",
}


@pytest.mark.parametrize("name", AP_OVERFLOW)
def test_overflow_is_that_of_ap_fixed(name):
    int4, mode = parse("int4"), overflow_mode(name)
    assert [int4.decode(int4.encode(n, overflow=mode)) for n in range(-40, 40)] == AP_OVERFLOW[name]


@pytest.mark.parametrize("name", AP_UNSIGNED)
def test_overflow_is_that_of_ap_ufixed(name):
    uint4, mode = parse("uint4"), overflow_mode(name)
    assert [uint4.encode(n, overflow=mode) for n in range(-40, 40)] == AP_UNSIGNED[name]


@pytest.mark.parametrize("name", AP_ROUNDING)
def test_rounding_is_that_of_ap_fixed(name):
    format, mode = parse("fixed<8,7>"), rounding_mode(f"AP_{name}")
    got = [format.decode(format.encode(Fraction(n, 8), mode)) * 2 for n in range(-16, 17)]
    assert got == [int(text) for text in AP_ROUNDING[name].split()]


def test_all_modes_of_hls_have_names():
    assert set(AP_ROUNDING) == set(hls.ROUNDING)
    assert set(AP_OVERFLOW) == {f"AP_{name}" for name in hls.OVERFLOW}
    for name, mode in hls.ROUNDING.items():
        assert rounding_mode(name.lower()) is rounding_mode(f"SC_{name}") is mode
    for name, mode in hls.OVERFLOW.items():
        assert overflow_mode(f"ac_{name}") is overflow_mode(name) is mode
    assert all(rounding_mode(mode.value) is mode for mode in Rounding)
    assert all(overflow_mode(mode.value) is mode for mode in Overflow)


@pytest.mark.parametrize("function", [rounding_mode, overflow_mode])
def test_unknown_modes_are_refused_with_the_list(function):
    with pytest.raises(ValueError, match=r"mode is one of .*, not 'AP_UP'"):
        function("AP_UP")


APYTYPES_ROUNDING = {
    Rounding.TOWARD_NEGATIVE: "TO_NEG",
    Rounding.TOWARD_POSITIVE: "TO_POS",
    Rounding.TOWARD_ZERO: "TO_ZERO",
    Rounding.TIES_TO_EVEN: "TIES_EVEN",
    Rounding.TIES_TO_AWAY: "TIES_AWAY",
    Rounding.TIES_TOWARD_ZERO: "TIES_ZERO",
    Rounding.TIES_TOWARD_NEGATIVE: "TIES_NEG",
    Rounding.TIES_TOWARD_POSITIVE: "TIES_POS",
}
APYTYPES_OVERFLOW = {Overflow.SATURATE: "SAT", Overflow.WRAP: "WRAP"}


def test_fixed_point_is_that_of_apytypes():
    format, checked = parse("fixed<5,3>"), 0
    for bits in range(1 << 9):
        source = apytypes.APyFixed(bits, int_bits=4, frac_bits=5)
        value = Fraction(bits - (bits >> 8 << 9), 32)
        for rounding, overflow in product(APYTYPES_ROUNDING, APYTYPES_OVERFLOW):
            result = source.cast(
                int_bits=3,
                frac_bits=2,
                quantization=getattr(apytypes.QuantizationMode, APYTYPES_ROUNDING[rounding]),
                overflow=getattr(apytypes.OverflowMode, APYTYPES_OVERFLOW[overflow]),
            )
            assert format.encode(value, rounding, overflow) == int(result.to_bits())
            checked += 1
    assert checked == 8192


def test_overflow_follows_rounding():
    format = parse("fixed<4,2>")
    assert format.encode(1.9, Rounding.TIES_TO_EVEN, Overflow.WRAP) == 8
    assert format.encode(1.9, Rounding.TOWARD_ZERO, Overflow.WRAP) == 7
    assert format.encode(1.9, Rounding.TIES_TO_EVEN, Overflow.TO_ZERO) == 0
    assert format.encode(-2, overflow=Overflow.SATURATE_SYMMETRIC) == 9


def test_infinities():
    int4, inf = parse("int4"), float("inf")
    for mode, ends in {
        Overflow.SATURATE: (7, -8),
        Overflow.SATURATE_PROPAGATE: (7, -8),
        Overflow.SATURATE_SYMMETRIC: (7, -7),
        Overflow.TO_ZERO: (0, 0),
    }.items():
        codes = [int4.encode(value, overflow=mode) for value in (inf, -inf)]
        assert tuple(map(int4.decode, codes)) == ends
    for mode in (Overflow.WRAP, Overflow.WRAP_SIGN_MAGNITUDE):
        with pytest.raises(ValueError, match="int4 has no code for -inf"):
            int4.encode(-inf, overflow=mode)
    with pytest.raises(ValueError, match="wrap_sign_magnitude needs a signed format, not uint4"):
        parse("uint4").encode(3, overflow=Overflow.WRAP_SIGN_MAGNITUDE)


@given(st.integers(2, 12), st.integers(-(10**6), 10**6))
def test_sign_magnitude_wrapping_never_jumps(width, integer):
    format = FixedFormat(width, width)
    here, there = (
        format.decode(format.encode(n, overflow=Overflow.WRAP_SIGN_MAGNITUDE))
        for n in (integer, integer + 1)
    )
    assert abs(here - there) <= 1
    assert here == integer or not format.minimum <= integer <= format.maximum


FIXED = [
    *(FixedFormat(w, i, s) for w in (2, 3, 5) for i in (-3, 0, w, 9) for s in (True, False)),
    FixedFormat(1, 1, is_signed=False),
]
ODD_ONES = [
    *(SymmetricFormat(width, width) for width in (2, 3, 4, 6, 8)),
    SymmetricFormat(4, 1),
    *(BipolarFormat(width) for width in (1, 2, 3, 6, 8)),
    parse("radix4e3"),
    parse("radix4e2b-1"),
    parse("radix4e4"),
    parse("e8m0"),
    parse("e4m0finiteu"),
]


def test_every_mode_is_that_of_the_list_of_values():
    checked = 0
    for format in [*FIXED, *ODD_ONES]:
        oracle = Oracle(format)
        for rounding in MODES:
            random = 2 if isinstance(rounding, Stochastic) and rounding.bits > 1 else 0
            for value in trial_points(format):
                wanted = oracle.code(value, rounding, random)
                assert format.encode(value, rounding, random=random) == wanted, (format, value)
                checked += 1
    assert checked == 133_065


def test_all_codes_come_back():
    wide = [SymmetricFormat(16, 16), BipolarFormat(16)]
    checked = 0
    for format in [*FIXED, *ODD_ONES, *wide]:
        for code, value in enumerate(format.values()):
            again = format.encode(value)
            assert again == code or (value == 0 and format.decode(again) == 0), (format, code)
            checked += 1
    assert checked == 132_452


@pytest.mark.parametrize("width", range(1, 17))
def test_bipolar_codes_are_sums_of_signed_bits(width):
    format = BipolarFormat(width)
    for code in {0, 1, (1 << width) - 1, 0x5A5A % (1 << width), 1 << (width - 1)}:
        signed_bits = [(2 * (code >> i & 1) - 1) << i for i in range(width)]
        assert format.decode(code) == sum(signed_bits)
    assert (format.minimum, format.maximum) == (1 - (1 << width), (1 << width) - 1)
    down = (Rounding.TOWARD_NEGATIVE, Rounding.TIES_TOWARD_NEGATIVE)
    assert {format.decode(format.encode(0, m)) for m in Rounding if m not in down} == {1}
    assert {format.decode(format.encode(0, mode)) for mode in down} == {-1}


def test_binary_and_ternary():
    binary, ternary = parse("binary"), parse("ternary")
    assert [binary.decode(code) for code in (0, 1)] == [-1, 1]
    assert [binary.encode(value) for value in (-3, -0.1, 0, -0.0, 0.2)] == [0, 0, 1, 1, 1]
    assert [ternary.decode(code) for code in range(4)] == [0, 1, Special.NAN, -1]
    assert [ternary.encode(v) for v in (0.5, -0.5, 0.51, -0.51, -9)] == [0, 0, 1, 3, 3]


def test_symmetric_integers_have_no_most_negative_one():
    int8s = parse("int8s")
    assert (int8s.minimum, int8s.maximum) == (-127, 127)
    assert int8s.special(0x80) is Special.NAN
    assert int8s.encode(-128) == int8s.encode(-127) == 0x81
    int8 = parse("int8")
    assert all(int8s.decode(code) == int8.decode(code) for code in range(256) if code != 128)
    assert parse("fixed<8,2>s").maximum == Fraction(127, 64)  # MXINT8 kept symmetric


def test_radix_four():
    fp4 = parse("radix4e3")
    assert [fp4.decode(code) for code in range(8)] == [0, *(Fraction(4) ** e for e in range(-3, 4))]
    assert fp4.encode(Fraction(40)) == 6  # the tie of 16 and 64, 64 / 1.6, goes to the even code
    assert fp4.encode(Fraction(401, 10)) == 7
    assert fp4.maximum / fp4.decode(1) == 1 << 12


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("int2s", "ternary"),
        ("bipolar1", "binary"),
        ("fixed<8,8>s", "int8s"),
        ("fixed_8_n2s", "fixed<8,-2>s"),
        ("fp4radix4", "radix4e3"),
        ("radix4e3bn1", "radix4e3b-1"),
        ("BIPOLAR4", "bipolar4"),
    ],
)
def test_names_read_back(text, name):
    format = parse(text)
    assert format.name == name
    assert parse(name) == parse(format.slug) == format
    assert format.slug.isidentifier()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int1s", "a symmetric width lies in 2..16, not 1"),
        ("int17s", "a symmetric width lies in 2..16, not 17"),
        ("fixed<8,1025>s", "integer_bits lies in -1024..1024, not 1025"),
        ("bipolar0", "a bipolar width lies in 1..16, not 0"),
        ("bipolar17", "a bipolar width lies in 1..16, not 17"),
        ("radix4e5", "a radix-4 format has 2..4 exponent bits, not 5"),
        ("radix4e3b300", "bias lies in -256..256, not 300"),
    ],
)
def test_impossible_ones_are_refused(text, message):
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert message in str(caught.value)
