"""IEEE P3109: its published tables, its projection clause by clause, its stochastic rounding."""

import hashlib
from fractions import Fraction
from itertools import product

import pytest
from format_oracle import away_count, trial_points
from p3109_tables import DIGESTS, TABLES, WIDE_DIGESTS

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
from hw.formats.modes import rounding_mode
from hw.formats.p3109 import ROUNDING, SATURATION, saturation

KINDS = ("se", "sf", "ue", "uf")


def names(width):
    """All formats of a width, in the order of the tables."""
    for precision, kind in product(range(1, width + 1), KINDS):
        if precision < width or kind[0] == "u":
            yield f"binary{width}p{precision}{kind}"


def table_text(name):
    values = parse(name).values()
    return " ".join(v.value if isinstance(v, Special) else str(v) for v in values)


def test_the_published_tables():
    checked = codes = 0
    for line in DIGESTS.split("\n")[1:-1]:
        width, precision, *digests = line.split()
        for kind, digest in zip(KINDS, digests, strict=True):
            name = f"binary{width}p{precision}{kind}"
            if digest == "-":
                with pytest.raises(ValueError, match=f"lies in 1..{int(width) - 1}, not"):
                    parse(name)
                continue
            text = table_text(name)
            assert hashlib.sha256(text.encode()).hexdigest().startswith(digest), name
            checked += 1
            codes += 1 << int(width)
    assert (checked, codes) == (120, 13_296)


@pytest.mark.parametrize("width", WIDE_DIGESTS)
def test_the_published_tables_of_wider_formats(width):
    count, wanted = WIDE_DIGESTS[width]
    digest = hashlib.sha256()
    everything = list(names(width))
    for name in everything:
        digest.update(f"{name} {table_text(name)}".encode())
    assert len(everything) == count
    assert digest.hexdigest().startswith(wanted)


@pytest.mark.parametrize("name", TABLES)
def test_small_tables_in_full(name):
    assert " ".join(number_text(value) for value in parse(name).values()) == TABLES[name]


@pytest.mark.parametrize(
    ("name", "code", "value"),
    [
        ("binary8p3se", 0x7E, 49152),
        ("binary8p3se", 0x01, Fraction(1, 1 << 17)),
        ("binary8p3se", 0x40, 1),
        ("binary8p4se", 0x7E, 224),
        ("binary8p4se", 0x01, Fraction(1, 1 << 10)),
        ("binary8p4se", 0x48, 2),
        ("binary8p1se", 0x01, Fraction(1, 1 << 63)),
        ("binary8p1se", 0x7E, 1 << 62),
        ("binary8p4se", 0x80, Special.NAN),
        ("binary8p4se", 0x7F, Special.POS_INF),
        ("binary8p4se", 0xFF, Special.NEG_INF),
        ("binary6p3sf", 0x1F, 14),
        ("binary8p4ue", 0xFE, Special.POS_INF),
        ("binary8p4ue", 0xFF, Special.NAN),
    ],
)
def test_values_of_the_report(name, code, value):
    assert parse(name).decode(code) == value


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Binary8p4se", "binary8p4se"),
        ("binary8p4", "binary8p4se"),  # older drafts
        ("binary8p4sf", "e4m3fnuz"),
        ("binary8p3sf", "e5m2fnuz"),
        ("binary8p4uf", "binary8p4uf"),
        ("binary16p11se", "binary16p11se"),
    ],
)
def test_spellings(text, name):
    assert parse(text).name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("binary2p1se", "P3109 formats have 3..16 bits, not 2"),
        ("binary17p1se", "P3109 formats have 3..16 bits, not 17"),
        ("binary8p8se", "the precision lies in 1..7, not 8"),
        ("binary8p9ue", "the precision lies in 1..8, not 9"),
        ("binary8p0ue", "the precision lies in 1..8, not 0"),
    ],
)
def test_formats_there_are_not(text, message):
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert message in str(caught.value)


# The projection: round to precision, saturate, encode (report 4.0, 4.7.4 and 4.7.5) --------------


def floor_log2(x):
    power = x.numerator.bit_length() - x.denominator.bit_length()
    return power if Fraction(2) ** power <= x else power - 1


def rounded(x, precision, bias, mode, random):
    """RoundToPrecision."""
    if x == 0:
        return x
    e = max(floor_log2(abs(x)), 1 - bias) - precision + 1
    s = abs(x) / Fraction(2) ** e
    whole = s.numerator // s.denominator
    rest = s - whole
    even = whole % 2 == 0 if precision > 1 else whole == 0 or (e + bias) % 2 == 0
    if isinstance(mode, Stochastic):
        away = random >= (1 << mode.bits) - away_count(rest, mode)
    else:
        away = {
            "TowardZero": False,
            "TowardPositive": rest > 0 and x > 0,
            "TowardNegative": rest > 0 and x < 0,
            "NearestTiesToAway": rest >= Fraction(1, 2),
            "NearestTiesToEven": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and not even),
            "ToOdd": rest > 0 and even,
        }[mode]
    return (1 if x > 0 else -1) * (whole + away) * Fraction(2) ** e


def saturated(x, mode, sat, least, most, signed, extended):
    """Saturate, line by line; x is a number or Special.POS_INF, Special.NEG_INF."""
    infinite = isinstance(x, Special)
    above = x is Special.POS_INF or (not infinite and x > most)
    if not infinite and least <= x <= most:
        return x
    if sat == "SatFinite" or (sat == "SatPropagate" and not infinite):
        return most if above else least
    if infinite and sat == "SatPropagate":
        keeps = extended and (above or signed)
        return x if keeps else (most if above else least)
    if infinite:
        if above:
            return x if extended else most
        if not signed:
            return Special.NAN
        return x if extended else least
    if above:
        stops = mode in ("TowardZero", "TowardNegative") or (mode == "ToOdd" and not signed)
        return most if stops or not extended else Special.POS_INF
    if mode in ("TowardZero", "TowardPositive"):
        return least
    if not signed:
        return Special.NAN
    return Special.NEG_INF if extended else least


def ours(mode):
    return mode if isinstance(mode, Stochastic) else rounding_mode(mode)


def test_encoding_is_the_projection_in_every_mode():
    checked = 0
    stochastic = [(Stochastic(variant, 2), r) for variant in "abc" for r in range(4)]
    modes = [*((name, 0) for name in ROUNDING), *stochastic]
    for name in [name for width in (3, 4, 5) for name in names(width)]:
        format = parse(name)
        signed, extended = name[-2] == "s", name[-1] == "e"
        precision, bias = format.precision, format.bias
        step = 3 if format.bits == 5 else 1
        trials = [*trial_points(format)[::step], Special.POS_INF, Special.NEG_INF]
        for (mode, random), value in product(modes, trials):
            special = isinstance(value, Special)
            exact = value if special else rounded(value, precision, bias, mode, random)
            for sat in SATURATION:
                ends = format.minimum, format.maximum
                wanted = saturated(exact, mode, sat, *ends, signed, extended)
                code = format.encode(value, ours(mode), saturation(sat, format), random)
                assert format.decode(code) == wanted, (name, value, mode, random, sat)
                checked += 1
    assert checked == 170_046


def test_eight_bits_are_projected_too():
    checked = 0
    for at, name in enumerate(names(8)):
        format = parse(name)
        signed, extended = name[-2] == "s", name[-1] == "e"
        trials = trial_points(format)
        for number, (mode, sat) in enumerate(product(ROUNDING, SATURATION)):
            for value in trials[(at + number) % 31 :: 31]:
                exact = rounded(value, format.precision, format.bias, mode, 0)
                ends = format.minimum, format.maximum
                wanted = saturated(exact, mode, sat, *ends, signed, extended)
                code = format.encode(value, ours(mode), saturation(sat, format))
                assert format.decode(code) == wanted, (name, value, mode, sat)
                checked += 1
    assert checked == 29_012


def test_stochastic_rounding_goes_up_as_often_as_it_should():
    format = parse("binary6p3se")
    low, high = Fraction(5, 4), Fraction(3, 2)
    for variant, bits in product("abc", (1, 3, 5)):
        mode = Stochastic(variant, bits)
        for place in (Fraction(n, 128) for n in range(128)):
            value = low + (high - low) * place
            results = [
                format.decode(format.encode(value, mode, random=r)) for r in range(1 << bits)
            ]
            assert set(results) <= {low, high}
            assert results.count(high) == away_count(place, mode)
            mirror = [format.decode(format.encode(-value, mode, random=r)) for r in (0, 1)]
            assert mirror == [-result for result in results[:2]]


def test_the_random_number_has_its_bits():
    with pytest.raises(ValueError, match=r"R lies in 0\.\.3, not 4"):
        parse("binary6p3se").encode(1.3, Stochastic("a", 2), random=4)


def test_modes_by_name():
    assert rounding_mode("NearestTiesToAway") is Rounding.TIES_TO_AWAY
    assert rounding_mode("StochasticC[7]") == rounding_mode("stochastic_c_7") == Stochastic("c", 7)
    assert saturation("SatNone", parse("binary8p4se")) is Overflow.TO_INFINITY
    assert saturation("SatNone", parse("binary8p4sf")) is Overflow.SATURATE
    with pytest.raises(ValueError, match="SatFinite, SatPropagate, SatNone, not 'OvfInf'"):
        saturation("OvfInf", parse("binary8p4se"))


def test_every_format_is_a_minifloat_of_the_kind_said():
    kinds = {"se": Specials.EXTENDED, "ue": Specials.EXTENDED, "sf": Specials.FNUZ}
    for name in names(6):
        format = parse(name)
        assert isinstance(format, MinifloatFormat)
        assert format.specials is kinds.get(name[-2:], Specials.FN)
        assert format.bits == 6
        assert not format.negative_zero
