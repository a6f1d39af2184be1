"""Codebooks: BitMoD's sets as the paper prints them, names, slugs, bad tables."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.formats import CodebookFormat, Rounding, bitmod_codebooks, parse

# From the paper's table of datatypes: basic levels, then the special value of each variant.
BASIC = {3: [0, 1, 2, 4], 4: [0, 0.5, 1, 1.5, 2, 3, 4, 6]}
SPECIAL = {
    3: {"er_pos": 3, "er_neg": -3, "ea_pos": 6, "ea_neg": -6},
    4: {"er_pos": 5, "er_neg": -5, "ea_pos": 8, "ea_neg": -8},
}
QUARTERS = [Fraction(n, 8) for n in range(-80, 81)]


def test_bitmod_sets_are_those_of_the_paper():
    checked = 0
    for bits, variants in SPECIAL.items():
        for place, (variant, special) in enumerate(variants.items()):
            format = parse(f"fp{bits}_{variant}")
            assert format == bitmod_codebooks(bits)[place]
            assert format.bits == bits
            wanted = {*BASIC[bits], *(-v for v in BASIC[bits]), special}
            assert set(format.values()) == wanted
            assert len(set(format.values())) == 1 << bits
            assert format.decode(1 << (bits - 1)) == special
            checked += 1
    assert checked == 8


@pytest.mark.parametrize(("bits", "name"), [(3, "fp3_basic"), (4, "fp4_basic")])
def test_bitmod_codes_are_those_of_the_basic_minifloat_but_for_minus_zero(bits, name):
    basic = parse(name)
    for format in bitmod_codebooks(bits):
        differ = [c for c in range(1 << bits) if format.decode(c) != basic.decode(c)]
        assert differ == [1 << (bits - 1)]


def test_encode_takes_the_nearest_level_and_ties_as_asked():
    checked = 0
    for bits, value in product((3, 4), QUARTERS):
        for format in bitmod_codebooks(bits):
            distance = min(abs(level - value) for level in format.values())
            nearest = sorted(v for v in format.values() if abs(v - value) == distance)
            down = format.decode(format.encode(value, Rounding.TIES_TOWARD_NEGATIVE))
            up = format.decode(format.encode(value, Rounding.TIES_TOWARD_POSITIVE))
            even = format.decode(format.encode(value))
            assert (down, up) == (nearest[0], nearest[-1])
            assert even in nearest
            checked += 1
    assert checked == 2 * 4 * len(QUARTERS)


def test_the_authors_vector_quantises_to_their_levels():
    # Group (.9 … 0) in FP3 with +3, scale .9 / 4; FP4 with +8 (their table is times two), .9 / 8.
    group = [0.9, -0.35, 0.1, 0.62, -0.05, 0.22, -0.48, 0]
    three, four = parse("fp3_er_pos"), parse("fp4_ea_pos")
    rounding = Rounding.TIES_TOWARD_NEGATIVE
    levels = [three.decode(three.encode(v / 0.224976, rounding)) for v in group]
    assert levels == [4, -2, 0, 3, 0, 1, -2, 0]
    levels = [2 * four.decode(four.encode(v / (2 * 0.056244), rounding)) for v in group]
    assert levels == [16, -6, 2, 12, -1, 4, -8, 0]


def test_only_three_and_four_bits():
    with pytest.raises(ValueError, match="codebooks of 3 and 4 bits, not 5"):
        bitmod_codebooks(5)


def test_leftover_codes_repeat_the_last_entry():
    format = CodebookFormat("five", (-1, -0.5, 0, 0.5, 1))
    assert format.bits == 3
    assert format.values() == [-1, Fraction(-1, 2), 0, Fraction(1, 2), 1, 1, 1, 1]
    assert {format.encode(Fraction(n, 16)) for n in range(-40, 41)} == set(range(5))


def test_codes_follow_the_order_of_the_entries():
    format = CodebookFormat("", (4, -1, 0, "2.5"))
    assert [format.decode(code) for code in range(4)] == [4, -1, 0, Fraction(5, 2)]
    assert [format.encode(v) for v in (4, -1, 0, 2.5)] == [0, 1, 2, 3]
    assert (format.minimum, format.maximum, format.lsb_exponent) == (-1, 4, -1)
    # Ties to even go to the even code; here -0.5 lies between codes 1 and 2, 3.25 between 3 and 0.
    assert [format.encode(v) for v in (-0.5, 3.25)] == [2, 0]


def test_names_and_slugs_of_codebooks():
    plain = CodebookFormat("", (-1, -0.5, 0, 0.5, 1))
    named = CodebookFormat("mine", plain.entries)
    assert plain.name == "codebook<-1,-0.5,0,0.5,1>"
    assert (plain.slug, named.slug) == (
        "codebook_n1_n0p5_0_0p5_1",
        "codebook_mine_n1_n0p5_0_0p5_1",
    )
    for format in (plain, named):
        assert parse(format.name) == format
        assert parse(format.slug) == format
    assert plain != named


def test_a_long_codebook_has_a_short_slug_and_a_name_that_reads_back():
    format = CodebookFormat("many", tuple(Fraction(n * n, 1 << 20) for n in range(300)))
    other = CodebookFormat("many", tuple(Fraction(n * n + 1, 1 << 20) for n in range(300)))
    assert format.slug.isidentifier()
    assert len(format.slug) < 100
    assert format.slug != other.slug
    assert parse(format.name) == format


dyadic = st.builds(Fraction, st.integers(-(10**6), 10**6), st.integers(0, 12).map(lambda n: 1 << n))


@given(st.lists(dyadic, min_size=2, max_size=20, unique=True))
def test_any_table_reads_back_and_every_entry_encodes_to_its_code(entries):
    format = CodebookFormat("", tuple(entries))
    assert parse(format.name) == format
    assert [format.encode(entry) for entry in entries] == list(range(len(entries)))
    assert all(format.decode(code) == entry for code, entry in enumerate(entries))


def test_the_largest_codebook():
    format = CodebookFormat("", range(1 << 16))
    assert format.bits == 16
    assert format.encode(40000.4) == 40000


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 1, 0.5, 1), "must be distinct: codes 1 and 3 are both 1"),
        ((0, Fraction(1, 3)), "must be dyadic (an integer over a power of two), not 1/3"),
        (("0", "0.1"), "must be dyadic (an integer over a power of two), not 0.1"),
        ((1,), "has 2..65536 values (codes of at most 16 bits), not 1"),
        ((), "not 0"),
        (range((1 << 16) + 1), "(codes of at most 16 bits), not 65537"),
        ((0, float("nan")), "is a finite number, not nan"),
        ((0, float("inf")), "is a finite number, not inf"),
        ((0, "x"), "is a finite number, not 'x'"),
        ((0, "1/0"), "is a finite number, not '1/0'"),
    ],
)
def test_bad_tables(values, message):
    with pytest.raises(ValueError) as caught:
        CodebookFormat("", values)
    assert message in str(caught.value)


@pytest.mark.parametrize("label", ["Mine", "n4", "a_b", "4x", "a b", "-"])
def test_bad_labels(label):
    with pytest.raises(ValueError, match="the label of a codebook"):
        CodebookFormat(label, (0, 1))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("codebook<0,0.1>", "must be dyadic"),
        ("codebook<0,0>", "must be distinct"),
        ("codebook<0,1e3>", "is a decimal such as -0.75, not '1e3'"),
        ("codebook<mine>", "has 2..65536 values"),
        ("codebook<0,,1>", "is a decimal such as -0.75, not ''"),
        ("fp5_er_pos", "unknown format 'fp5_er_pos'; did you mean"),
    ],
)
def test_bad_names(name, message):
    with pytest.raises(ValueError) as caught:
        parse(name)
    assert message in str(caught.value)
