"""Block formats, exactly: names, scale rules, policies, and the vectors of standards and papers."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.formats import parse, parse_element
from hw.formats.base import Rounding, Special
from hw.formats.block import BlockFormat, Outer
from hw.formats.exponent import E8M0, ExponentFormat
from hw.formats.mixture import MixtureFormat
from hw.formats.scale import ScaleRule, floor_log2, power_range, rule_exponent

BITS = {
    "mxfp8e4m3": 8.25,
    "mxfp8e5m2": 8.25,
    "mxfp6e3m2": 6.25,
    "mxfp6e2m3": 6.25,
    "mxfp4": 4.25,
    "mxint8": 8.25,
    "nvfp4": 4.5,
    "bfp<4,16>": 4.5,
    "bfp<8,16>": 8.5,
    "dfp16": 16,
    "shift<4,4,64>": 4.03125,
    "vsq<4,4,16>": 4.25,
    "mxfp4<ceil>": 4.25,
    "mxint8<mse>": 8.25,
    "bfp<8,16,fit>": 8.5,
    "block<e2m1fn,64,e8m0fnu,fit>": 4.125,
    "block<fixed<8,3>,tensor,fp16,round>": 8,
    "block<int4,64,ufixed<8,-2>,round,row>": 4.125,
    "block<e4m3fn,16,e4m0b9finiteu,even>": 8.25,
}
TEST_BLOCK = [
    *(0.1, -0.33, 1.7, -5.2, 0.01, 3.3, 0.625, -2.5, 0.3125, 0, 7.9, -0.75, 1.25, 0.4375, -1, 6),
    *[0] * 16,
]
NEAR_EVEN = [0, -0.5, 1.5, -6, 0, 3, 0.5, -2, 0.5, 0, 6, -1, 1, 0.5, -1, 6]
NEAR_AWAY = [0, -0.5, 1.5, -6, 0, 3, 0.5, -3, 0.5, 0, 6, -1, 1.5, 0.5, -1, 6]
"""E2M1 of the block above at scale 1: computed with the reference library of the standard."""

DFP16 = {
    (0.1, -0.75, 3.2, 1): (-13, [819, -6144, 26214, 8192]),
    (1e-3, 2.5e-3, -7.7e-4, 6.1e-5): (-23, [8389, 20972, -6459, 512]),
    (1.99999999, -1.99999999): (-14, [32767, -32768]),
}


def block(name: str) -> BlockFormat:
    format = parse(name)
    assert isinstance(format, BlockFormat)
    return format


@pytest.mark.parametrize("name", BITS)
def test_names_and_slugs_give_the_format_back(name: str) -> None:
    format = block(name)
    assert format.name == str(format) == name
    assert parse(format.slug) == format
    assert set(format.slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    assert format.bits_per_element == BITS[name]
    assert hash(format) == hash(parse(name))


def test_older_names_mean_the_same() -> None:
    assert parse("msfp12") == parse("bfp12") == parse("bfp<4,16>")
    assert parse("msfp16") == parse("bfp<8,16>")
    assert parse("mxfp4<floor>") == parse("mxfp4")


def test_a_block_format_is_no_element() -> None:
    for name in ("mxfp4", "bitmod3"):
        with pytest.raises(ValueError, match="format of single codes"):
            parse_element(name)
    with pytest.raises(ValueError, match="format of single codes"):
        parse("block<mxfp4,32,e8m0fnu,floor>")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("block<e2m1fn,0,e8m0fnu,floor>", "at least 1 element, not 0"),
        ("block<fp32,32,e8m0fnu,floor>", "at most 16 bits"),
        ("block<e2m1fn,32,fp16,mse>", "at most 8 bits"),
        ("block<e2m1fn,32,fp16,even>", "needs a power-of-two scale"),
        ("shift<4,3,8>", "power of two"),
        ("bfp<1,16>", r"2\.\.16 bits, not 1"),
        ("block<e2m1fn,32,e9m0finiteu,floor>", r"1\.\.8 bits, not 9"),
    ],
)
def test_impossible_block_formats_are_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(name)


def test_e8m0_is_that_of_the_standard() -> None:
    values = E8M0.values()
    assert values[0xFF] is Special.NAN
    assert (values[0], values[0x7F], values[0xFE]) == (Fraction(2) ** -127, 1, Fraction(2) ** 127)
    assert [values[code] for code in range(255)] == [Fraction(2) ** (c - 127) for c in range(255)]
    assert power_range(E8M0) == (-127, 127)
    assert power_range(parse_element("e4m3fn")) is None
    assert ExponentFormat(2, 3).values() == [Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), 1]


def test_the_block_of_the_reference() -> None:
    format = block("mxfp4")
    codes = format.quantize(TEST_BLOCK)
    assert codes.scales == (127,)
    assert format.dequantize(codes) == NEAR_EVEN + [0] * 16
    away = format.quantize(TEST_BLOCK, rounding=Rounding.TIES_TO_AWAY)
    assert format.dequantize(away) == NEAR_AWAY + [0] * 16


@pytest.mark.parametrize("values", DFP16)
def test_vectors_of_dynamic_fixed_point(values: tuple[float, ...]) -> None:
    format = block("dfp16")
    codes = format.quantize(values)
    exponent, integers = DFP16[values]
    assert [format.element.integer(code) for code in codes.elements] == integers
    assert [code - 127 for code in codes.scales] == [exponent]


def test_block_floating_point_is_symmetric() -> None:
    format = block("bfp<4,4>")
    assert format.dequantize(format.quantize([-1.99, 1.99, 0.3, -0.1])) == [-1.75, 1.75, 0.25, 0]
    # Step 2^(E - (p - 2)): E = 0, p = 4; -1.99 / 0.25 = -7.96 saturates at -7.
    assert len(format.element.values()) == 16
    assert format.element.minimum == -format.element.maximum == -7


RULES = {
    # amax: exponent of the scale of e2m1 (emax 2, largest 6 = 1.5 * 2^2, significands of 2 bits).
    Fraction(4): {"floor": 0, "ceil": 0, "round": 0, "fit": 0, "even": 0},
    Fraction(5): {"floor": 0, "ceil": 1, "round": 0, "fit": 0, "even": 0},
    Fraction(56, 10): {"floor": 0, "ceil": 1, "round": 0, "fit": 0, "even": 0},
    Fraction(57, 10): {"floor": 0, "ceil": 1, "round": 1, "fit": 0, "even": 0},
    Fraction(6): {"floor": 0, "ceil": 1, "round": 1, "fit": 0, "even": 0},
    Fraction(61, 10): {"floor": 0, "ceil": 1, "round": 1, "fit": 1, "even": 0},
    Fraction(7): {"floor": 0, "ceil": 1, "round": 1, "fit": 1, "even": 1},
    Fraction(8) - Fraction(1, 1 << 60): {"floor": 0, "ceil": 1, "round": 1, "fit": 1, "even": 1},
    Fraction(8): {"floor": 1, "ceil": 1, "round": 1, "fit": 1, "even": 1},
}


def test_scale_rules() -> None:
    checked = 0
    for amax, exponents in RULES.items():
        for rule, exponent in exponents.items():
            format = block("mxfp4" if rule == "floor" else f"mxfp4<{rule}>")
            assert format.quantize([amax] * 32).scales == (127 + exponent,), (amax, rule)
            checked += 1
    assert checked == 45


def test_just_below_a_power_of_two() -> None:
    for power in range(-140, 128):
        below = Fraction(2) ** power * (1 - Fraction(1, 1 << 24))
        assert floor_log2(below) == power - 1
        assert floor_log2(Fraction(2) ** power) == power
        assert rule_exponent(below, ScaleRule.FLOOR, parse_element("int8")) == power - 1


def test_scales_stop_at_their_ends() -> None:
    format = block("mxfp8e4m3")
    tiny = [2.0**-149, *[0.0] * 31]
    codes = format.quantize(tiny)
    assert codes.scales == (0,)
    assert format.dequantize(codes) == [0] * 32  # 2^-149 is below half of 2^-127 * 2^-9
    huge = [1e300, *[0.0] * 31]
    assert format.quantize(huge).scales == (254,)
    assert format.dequantize(format.quantize(huge))[0] == 448 * Fraction(2) ** 127
    assert format.quantize([0] * 32).scales == (0,)


def test_infinities_saturate_at_the_scale_of_the_rest() -> None:
    format = block("mxfp4")
    row = [float("inf"), 3.0, float("-inf"), 1.0, *[0.0] * 28]
    assert format.dequantize(format.quantize(row))[:4] == [3, 3, -3, 1]
    alone = format.quantize([float("inf"), *[0.0] * 31])
    assert alone.scales == (254,)
    assert format.dequantize(alone)[0] == 6 * Fraction(2) ** 127


def test_policies_for_nan() -> None:
    format, row = block("mxfp4"), [float("nan"), 3.0, *[0.0] * 30, *[1.0] * 32]
    with pytest.raises(ValueError, match="no code for nan"):
        format.quantize(row)
    assert format.dequantize(format.quantize(row, nan="zero"))[:2] == [0, 3]
    assert format.dequantize(format.quantize(row, nan="maximum"))[:2] == [3, 3]
    whole = format.quantize(row, nan="block")
    assert whole.scales[0] == 0xFF
    assert format.dequantize(whole) == [Special.NAN] * 32 + [1] * 32
    with pytest.raises(ValueError, match="nan is one of"):
        format.quantize(row, nan="drop")
    with pytest.raises(ValueError, match="needs a scale with a NaN"):
        block("vsq<4,4,16>").quantize([1.0] * 16, nan="block")


def test_leftovers_and_empty_rows() -> None:
    format = block("mxfp4")
    with pytest.raises(ValueError, match="blocks of 32 do not divide an axis of 33"):
        format.quantize([1.0] * 33)
    codes = format.quantize([1.0] * 33, partial="pad")
    assert (len(codes.elements), len(codes.scales)) == (33, 2)
    assert format.dequantize(codes) == [1] * 33
    for name in ("mxfp4", "dfp16"):
        with pytest.raises(ValueError, match="at least one element"):
            block(name).quantize([])
    with pytest.raises(ValueError, match="partial is one of"):
        format.quantize([1.0] * 32, partial="drop")


def test_nvfp4_has_two_levels() -> None:
    format = block("nvfp4")
    row = [6.0 * 448, *[1.0] * 15, *[0.0] * 16, 6.0, *[2.0] * 15]
    codes = format.quantize(row)
    assert codes.outer == 1
    assert format.scale_format.decode(codes.scales[0]) == 448
    assert codes.scales[1] == 0
    assert format.scale_format.decode(codes.scales[2]) == 1
    assert format.dequantize(codes)[32:] == [6, *[2] * 15]
    assert format.quantize([0.0] * 16).outer == 1
    # A third is no binary number: G is the nearest binary32.
    third = format.quantize([448.0 * 2, *[0.0] * 15]).outer
    assert abs(third - Fraction(1, 3)) <= Fraction(1, 1 << 26)
    assert third.denominator <= 1 << 26


def test_shiftquant_takes_the_group_of_the_paper() -> None:
    format = block("shift<4,4,1>")
    row = [7.0, 3.6, 3.5, 1.8, 1.75, 0.9, 0.1]
    codes = format.quantize(row)
    # k = min(3, floor(log2(7 / r))): exact ratios of 2 and 4 belong to the finer group.
    assert [3 - code for code in codes.scales] == [0, 0, 1, 1, 2, 2, 3]
    assert codes.outer == 1
    assert format.dequantize(codes)[:2] == [7, 4]


def test_vs_quant_scales_are_integers_of_a_row() -> None:
    format = block("vsq<4,4,2>")
    codes = format.quantize([105.0, 3, 7, 7, 0.1, 0.1])
    assert codes.outer == 1  # 105 / (7 * 15)
    assert codes.scales == (15, 1, 0)
    assert format.dequantize(codes) == [105, 0, 7, 7, 0, 0]


def test_least_error_is_exact_and_takes_the_smaller_scale_of_equals() -> None:
    format = block("block<e2m1fn,4,e4m0b7finiteu,mse>")
    assert format.scale_format.decode(format.quantize([4, 0, 0, 0]).scales[0]) == 1
    # 7.9 alone saturates less at 2 (8) than at 1 (6); among sixes and ones it costs less at 1.
    assert format.scale_format.decode(format.quantize([7.9, 0, 0, 0]).scales[0]) == 2
    assert format.scale_format.decode(format.quantize([6.1, 1.5, 0.5, 0.5]).scales[0]) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=4, max_size=4))
def test_least_error_beats_every_rule(row: list[float]) -> None:
    errors = {}
    for rule in ScaleRule:
        format = block(f"block<e2m1fn,4,e5m0finiteu,{rule.value}>")
        found = format.dequantize(format.quantize(row))
        pairs = zip(found, row, strict=True)
        errors[rule] = sum(
            (value - Fraction(given)) ** 2 for value, given in pairs if isinstance(value, Fraction)
        )
    assert errors[ScaleRule.MSE] == min(errors.values())


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["mxfp8e4m3", "mxfp4", "mxint8", "bfp<4,16>", "mxfp6e2m3<fit>"]),
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=40),
)
def test_what_is_in_the_format_stays(name: str, row: list[float]) -> None:
    format = block(name)
    once = format.dequantize(format.quantize(row, partial="pad"))
    kept = [value for value in once if isinstance(value, Fraction)]
    assert len(kept) == len(row)
    symmetric = format.element.minimum == -format.element.maximum
    if format.scale_rule is ScaleRule.FLOOR and symmetric:  # -2 of mxint8 moves the scale
        again = format.dequantize(format.quantize(kept, partial="pad"))
        assert again == kept
    negative = format.quantize([-value for value in row], partial="pad")
    if symmetric:
        assert format.dequantize(negative) == [-value for value in kept]


BITMOD_ROW = [0.9, -0.35, 0.1, 0.62, -0.05, 0.22, -0.48, 0]
BITMOD = {
    "bitmod3<8,fp16>": (0, [4, -2, 0, 3, 0, 1, -2, 0], 0.224976, 3.298e-3),
    "bitmod4<8,fp16>": (2, [8, -3, 1, 6, -0.5, 2, -4, 0], 2 * 0.056244, 5.341e-4),
}
"""Id, levels, scale and fp16 mean squared error that the authors' program gives."""


@pytest.mark.parametrize("name", BITMOD)
def test_vectors_of_bitmod(name: str) -> None:
    format = parse(name)
    assert isinstance(format, MixtureFormat)
    which, levels, scale, error = BITMOD[name]
    codes = format.quantize(BITMOD_ROW)
    assert codes.ids == (which,)
    assert [format.codebooks[which].decode(code) for code in codes.elements] == levels
    found = parse_element("fp16").decode(codes.scales[0])
    assert float(found) == pytest.approx(scale, abs=1e-6)
    pairs = zip(format.dequantize(codes), BITMOD_ROW, strict=True)
    ours = sum((float(value) - given) ** 2 for value, given in pairs) / 8
    assert ours == pytest.approx(error, rel=6e-3)  # theirs is computed in fp16


def test_bitmod_breaks_ties_as_the_authors() -> None:
    format = parse("bitmod3<4,fp16>")
    assert isinstance(format, MixtureFormat)
    # 3 lies in the middle of 2 and 4 in the codebooks without it: the lower level, -4 for -3.
    codebook = format.codebooks[3]  # 0, ±1, ±2, ±4, -6
    assert codebook.decode(codebook.encode(3, Rounding.TIES_TOWARD_NEGATIVE)) == 2
    assert codebook.decode(codebook.encode(-3, Rounding.TIES_TOWARD_NEGATIVE)) == -4
    # All codebooks hold these exactly: the first wins.
    assert format.quantize([4, 2, 1, 0]).ids == (0,)
    assert format.quantize([-4, 3, 1, 0]).ids == (0,)
    assert format.quantize([4, -3, 1, 0]).ids == (1,)
    assert format.quantize([6, -2, 1, 0]).ids == (2,)
    assert format.quantize([-6, 2, 1, 0]).ids == (3,)


def test_second_level_scales_of_bitmod_are_int8() -> None:
    format = parse("bitmod4<2>")
    assert isinstance(format, MixtureFormat)
    codes = format.quantize([6.0 * 127, 0, 6.0, 0, 2.0, 0, 0, 0])
    assert codes.outer == 1
    assert codes.scales == (127, 1, 0, 0)
    assert format.dequantize(codes)[:4] == [6 * 127, 0, 6, 0]
    assert format.bits_per_element == 4 + 5


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("bitmod3", 3 + Fraction(10, 128)),
        ("bitmod4", 4 + Fraction(10, 128)),
        ("bitmod4<64,fp16>", 4 + Fraction(18, 64)),
        ("mixture<64,int8,e2m1fn|int4>", 4 + Fraction(9, 64)),
    ],
)
def test_names_of_mixtures(name: str, bits: Fraction) -> None:
    format = parse(name)
    assert isinstance(format, MixtureFormat)
    assert format.name == name
    assert parse(format.slug) == format
    assert format.bits_per_element == bits


def test_impossible_mixtures_are_refused() -> None:
    for name, message in (
        ("mixture<64,int8,e2m1fn|int5>", "share a width"),
        ("mixture<64,int8,e2m1fn>", r"2\.\.16 codebooks"),
        ("mixture<64,int8,e4m3fn|int8>", "is a number"),
        ("mixture<0,int8,e2m1fn|int4>", "at least 1 value"),
    ):
        with pytest.raises(ValueError, match=message):
            parse(name)


def test_outer_scales_say_what_shares_them() -> None:
    assert block("nvfp4").outer is Outer.TENSOR
    assert block("vsq<4,4,16>").outer is Outer.ROW
    row = [1.0] * 16
    assert block("nvfp4").quantize(row, amax=Fraction(2688)).outer == 1
