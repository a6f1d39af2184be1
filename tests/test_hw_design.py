"""Designs and accumulators: sizes by brute force, records, names, refusals."""

import json
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.accumulators import Accumulator, AccumulatorKind, AccumulatorMode, parse_accumulator
from hw.design import (
    KINDS,
    OPERAND_SPECIALS,
    DotProduct,
    Mac,
    OutputStationaryArray,
    from_record,
    signed_bits,
)
from hw.formats import FixedFormat, MinifloatFormat, Specials, parse

NAMES = (
    *("int2", "int4", "int5", "uint1", "uint3", "fixed<5,2>", "ufixed<4,6>"),
    *("e2m1fn", "e1m2finite", "e3m0finite", "e2m2", "e3m1fnuz", "e2m2b5fn", "e4m1"),
)


def significands(format):
    for code in range(1 << format.bits):
        value, shift = format.integer(code), 0
        if isinstance(format, MinifloatFormat) and format.special(code) is None:
            shift = max(format.fields(code)[1], 1) - 1
        yield value / Fraction(2) ** shift, shift


def width_of(numbers):
    bits = 1
    while not all(-(1 << (bits - 1)) <= n < 1 << (bits - 1) for n in numbers):
        bits += 1
    return bits


# Sizes ---------------------------------------------------------------------------------------


def test_product_sizes_by_brute_force():
    checked = 0
    for weight, activation in product(map(parse, NAMES), repeat=2):
        design = Mac(weight=weight, activation=activation)
        products = {
            weight.integer(w) * activation.integer(a)
            for w, a in product(range(1 << weight.bits), range(1 << activation.bits))
        }
        assert design.product_bounds == (min(products), max(products))
        assert design.product_bits == width_of(products)
        assert design.product_lsb_exponent == weight.lsb_exponent + activation.lsb_exponent
        pairs = list(product(significands(weight), significands(activation)))
        largest = max(abs(w * a) for (w, _), (a, _) in pairs)
        assert design.significand_product_bits >= int(largest).bit_length()
        assert design.largest_exponent == max(e + f for (_, e), (_, f) in pairs)
        checked += len(pairs)
    assert checked > 100_000


@pytest.mark.parametrize("terms", [1, 2, 3, 4, 5, 200, 256])
@pytest.mark.parametrize("name", ["int4", "uint3", "e2m1fn", "e3m1fnuz"])
def test_an_exact_accumulator_holds_its_terms_and_not_one_bit_less(name, terms):
    format = parse(name)
    design = Mac(weight=format, activation=format, accumulator=Accumulator.exact(terms))
    low, high = (bound * terms for bound in design.product_bounds)
    half = 1 << (design.accumulator_bits - 1)
    assert -half <= low
    assert high < half
    growth = 1
    while growth < terms:
        growth *= 2
    assert design.accumulator_bits == design.product_bits + growth.bit_length() - 1


@pytest.mark.parametrize(
    ("weight", "activation", "accumulator", "bits", "lsb"),
    [
        ("int8", "int8", "exact", 16 + 8, 0),
        ("int8", "uint8", "exact:1", 16, 0),
        ("int4", "int8", "exact:512", 12 + 9, 0),
        ("e4m3fn", "e4m3fn", "exact", 37 + 8, -18),
        ("e5m2", "e5m2", "exact", 65 + 8, -32),
        ("fixed<8,4>", "fixed<8,4>", "exact:2", 16 + 1, -8),
        ("int8", "int8", "wrap:20", 20, 0),
        ("e5m2", "int8", "saturate:17", 17, -16),
        ("e8m7", "e8m7", "exact", 24 + 1 + 8, -266 - 8),
        ("int16", "e8m7", "exact", 24 + 1 + 8, -133 - 1),
        ("e7m0finite", "e7m0finite", "window:30:64", 30 + 1 + 6, -124 - 29),
    ],
)
def test_known_accumulators(weight, activation, accumulator, bits, lsb):
    design = from_record(
        {"kind": "mac", "weight": weight, "activation": activation, "accumulator": accumulator}
    )
    assert design.accumulator_bits == bits
    assert design.lsb_exponent == lsb


def test_an_exact_accumulator_beyond_eighty_bits_becomes_a_window():
    kinds = set()
    for exponent_bits, terms in product(range(4, 8), (1, 256, 1 << 20)):
        format = MinifloatFormat(exponent_bits, 1)
        design = Mac(weight=format, activation=format, accumulator=Accumulator.exact(terms))
        wide = design.product_bits + design.accumulator.growth_bits > 80
        assert design.is_window == wide
        assert design.accumulator.terms == terms
        if wide:
            assert design.accumulator.bits == 24
            assert design.guard_bits == 24 - 4
            assert design.exponent_bits == design.largest_exponent.bit_length()
        else:
            assert (design.guard_bits, design.exponent_bits) == (0, 0)
        kinds.add(wide)
    assert kinds == {True, False}


def test_a_window_holds_any_sum_of_its_terms():
    design = Mac(
        weight=parse("e6m1finite"),
        activation=parse("int8"),
        accumulator=Accumulator(AccumulatorKind.WINDOW, bits=24, terms=100),
    )
    aligned = (1 << design.significand_product_bits) - 1 << design.guard_bits
    assert aligned < 1 << 24
    assert 100 * aligned < 1 << (design.accumulator_bits - 1)


@given(st.integers(-(1 << 70), 1 << 70), st.integers(-(1 << 70), 1 << 70))
def test_signed_bits_is_the_least_that_holds(first, second):
    low, high = sorted((first, second))
    assert signed_bits(low, high) == max(width_of([low]), width_of([high]))


@pytest.mark.parametrize(
    ("weight", "accumulator", "specials", "flags"),
    [
        ("int8", "exact", "flag", ("overflow",)),
        ("int8", "wrap:20", "flag", ()),
        ("int8", "saturate:20", "flag", ()),
        ("e4m3fn", "exact", "flag", ("overflow", "nan")),
        ("e4m3fn", "exact", "ignore", ("overflow",)),
        ("e5m2", "exact", "flag", ("overflow", "nan", "pos_inf", "neg_inf")),
        ("e5m2", "wrap:40", "flag", ("nan", "pos_inf", "neg_inf")),
        ("e8m7", "exact", "flag", ("overflow", "nan", "pos_inf", "neg_inf")),
        ("e2m1fn", "saturate:9", "flag", ()),
        ("e2m1fn", "saturate:9:once", "flag", ("overflow",)),
        ("e5m2", "saturate:40:once", "flag", ("overflow", "nan", "pos_inf", "neg_inf")),
        ("e5m2", "fp16", "flag", ()),
        ("e5m2", "float:fp16:sequential", "ignore", ()),
        ("e5m2", "float:fp16:once", "flag", ("overflow",)),
        ("e5m2", "e5m2finite", "ignore", ()),
    ],
)
def test_flags(weight, accumulator, specials, flags):
    record = {"kind": "mac", "weight": weight, "accumulator": accumulator, "specials": specials}
    assert from_record(record).flags == flags


# Records and names ---------------------------------------------------------------------------

accumulators = st.one_of(
    st.integers(1, 1 << 24).map(Accumulator.exact),
    st.builds(
        Accumulator,
        st.sampled_from([AccumulatorKind.WRAP, AccumulatorKind.SATURATE]),
        bits=st.integers(2, 80),
    ),
    st.builds(
        Accumulator,
        st.just(AccumulatorKind.WINDOW),
        bits=st.integers(32, 80),
        terms=st.integers(1, 1 << 24),
    ),
    st.builds(
        Accumulator,
        st.just(AccumulatorKind.SATURATE),
        bits=st.integers(2, 80),
        terms=st.integers(1, 1 << 24),
        mode=st.just(AccumulatorMode.ONCE),
    ),
    st.builds(
        Accumulator.floating,
        st.builds(
            MinifloatFormat,
            st.integers(2, 8),
            st.integers(1, 23),
            st.sampled_from([Specials.FN, Specials.FNUZ, Specials.IEEE]),
        ).filter(lambda format: format.has_specials),
        st.sampled_from(AccumulatorMode),
        st.integers(1, 1 << 24),
    ),
)
operands = st.one_of(
    st.integers(2, 16).map(lambda w: FixedFormat(w, w)),
    st.builds(FixedFormat, st.integers(2, 16), st.integers(-20, 30), st.booleans()),
    st.builds(
        MinifloatFormat, st.integers(2, 6), st.integers(1, 9), st.sampled_from(OPERAND_SPECIALS)
    ),
)


@st.composite
def designs(draw):
    shared = {
        "weight": draw(operands),
        "activation": draw(operands),
        "accumulator": draw(accumulators),
        "specials": draw(st.sampled_from(["flag", "ignore"])),
        "structure": draw(st.sampled_from(["auto", "rows", "table", "behavioural", "dsp"])),
    }
    kind = draw(st.sampled_from(["mac", "dot", "array"]))
    if kind == "dot":
        most = min(shared["accumulator"].terms or 1024, 1024)
        return DotProduct(**shared, lane_count=draw(st.integers(1, most)))
    if kind == "array":
        sides = {side: draw(st.integers(1, 64)) for side in ("rows", "columns")}
        return OutputStationaryArray(**shared, **sides)
    return Mac(**shared)


@given(designs())
def test_records_round_trip_through_json(design):
    record = json.loads(json.dumps(design.to_record()))
    assert from_record(record) == design
    assert design.slug.isidentifier()
    assert design.with_structure("rows").structure == "rows"
    assert design.with_structure(design.structure) == design


@given(designs(), designs())
def test_slugs_tell_designs_apart(first, second):
    if first.slug == second.slug:
        silent = not (first.has_specials or second.has_specials)
        assert first == second or (silent and first.specials != second.specials)


@given(accumulators)
def test_accumulator_names_parse_back(accumulator):
    assert parse_accumulator(accumulator.name) == accumulator
    assert accumulator.slug.isalnum()


def test_defaults_and_slugs():
    assert from_record({"kind": "mac", "weight": "int8"}) == Mac(
        weight=parse("int8"), activation=parse("int8")
    )
    assert from_record({"kind": "dot", "weight": "int8"}).slug == "dot16_int8_int8_exact256"
    array = from_record({"kind": "array", "weight": "int4", "activation": "e5m2", "rows": 2})
    assert array.slug == "array2x4_int4_e5m2_exact256"
    assert (array.lanes, array.cores) == (1, 8)
    quiet = from_record({"kind": "mac", "weight": "e5m2", "specials": "ignore"})
    assert quiet.with_structure("table").slug == "mac_e5m2_e5m2_exact256_ignore_table"
    assert set(KINDS) >= {"mac", "dot", "mxdot", "array", "tile", "bitplane", "bitmod"}


def test_a_format_as_accumulator_saturates_at_the_step_of_the_products():
    record = {"kind": "mac", "weight": "fixed<8,4>", "accumulator": "fixed<20,12>"}
    assert from_record(record).accumulator == Accumulator(AccumulatorKind.SATURATE, bits=20)
    with pytest.raises(ValueError, match=r"the step of the products, 2\^-8 .* has 2\^-4"):
        from_record(record | {"accumulator": "fixed<20,16>"})


@pytest.mark.parametrize(
    ("text", "name", "bits", "exact_bits"),
    [
        ("fp32", "float:fp32:step", 32, 16),
        ("float:e5m10", "float:fp16:step", 16, 16),
        ("FLOAT:bf16:Sequential", "float:bfloat16:sequential", 16, 16),
        ("float:e4m3fn:once", "float:e4m3fn:once:256", 8, 24),
        ("float:e4m3b11fnuz:once:9", "float:e4m3b11fnuz:once:9", 8, 20),
        ("saturate:20:once", "saturate:20:once:256", 20, 24),
        ("saturate:20:step", "saturate:20", 20, 16),
        ("wrap:20:once:7", "wrap:20", 20, 16),
    ],
)
def test_accumulators_with_modes(text, name, bits, exact_bits):
    design = from_record({"kind": "mac", "weight": "int8", "accumulator": text})
    assert (design.accumulator.name, design.accumulator_bits) == (name, bits)
    assert design.exact_bits == exact_bits
    assert from_record(design.to_record()) == design
    assert design.is_floating == name.startswith("float")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "WRAP", "bits": 9, "mode": "ONCE", "terms": 9}, "wrap has the mode step, not"),
        ({"kind": "SATURATE", "bits": 9, "mode": "SEQUENTIAL"}, "the mode step or once, not"),
        ({"kind": "WRAP", "bits": 9, "format": "fp16"}, "accumulator wrap has no format, not fp16"),
        ({"kind": "FLOATING"}, "a floating accumulator has a minifloat, not None"),
    ],
)
def test_impossible_accumulators(arguments, message):
    given = dict(arguments, kind=AccumulatorKind[arguments["kind"]])
    if "mode" in given:
        given["mode"] = AccumulatorMode[given["mode"]]
    if "format" in given:
        given["format"] = parse(given["format"])
    with pytest.raises(ValueError, match=message):
        Accumulator(**given)


# Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "mca"}, f"kind is one of {', '.join(KINDS)}, not 'mca'"),
        ({"wieght": "int8"}, "design has no key 'wieght'; did you mean 'weight'?"),
        ({"rows": 4}, "design has no key 'rows' (keys: "),
        ({"weight": None}, "design needs a weight format"),
        ({"weight": "int7x"}, "unknown format 'int7x'; did you mean 'int7'?"),
        ({"weight": "fp32"}, "weight format has at most 16 bits, fp32 has 32"),
        ({"activation": "tf32"}, "activation format has at most 16 bits, tf32 has 19"),
        ({"specials": "drop"}, "specials is one of flag, ignore, not 'drop'"),
        ({"structure": "booth"}, "structure is one of auto, behavioural, rows, table, dsp"),
        ({"accumulator": "wrap:1"}, "accumulator wrap has 2..80 bits, not 1"),
        ({"accumulator": "saturate:81"}, "accumulator saturate has 2..80 bits, not 81"),
        ({"accumulator": "exact:0"}, "accumulator terms lie in 1..16777216, not 0"),
        ({"accumulator": "exact:x"}, "accumulator is exact[:TERMS], wrap:BITS"),
        ({"accumulator": "uint20"}, "an accumulator format is a minifloat or signed fixed point"),
        ({"accumulator": "float:int8"}, "a floating accumulator has a minifloat, not int8"),
        ({"accumulator": "e4m0fn"}, "a floating accumulator has E >= 1 and M >= 1, not e4m0fn"),
        ({"accumulator": "float:fp33"}, "unknown format 'fp33'"),
        ({"accumulator": "float:fp16:twice"}, "accumulator is exact[:TERMS], wrap:BITS"),
        ({"accumulator": "float:fp16:step:9"}, "only the accumulator mode once counts terms"),
        ({"accumulator": "float:fp16:once:0"}, "accumulator terms lie in 1..16777216, not 0"),
        ({"accumulator": "saturate:16:step:9"}, "only the accumulator mode once counts terms"),
        ({"weight": "e4m3fn", "accumulator": "e3m4finite"}, "e3m4finite has none"),
        ({"activation": "e5m2", "accumulator": "e5m2finite:once"}, "accumulator is exact"),
        ({"accumulator": "window:14"}, "at least one product of significands, 15 bits"),
        ({"kind": "dot", "lanes": 0}, "lanes lies in 1..1024, not 0"),
        ({"kind": "dot", "lanes": 1025}, "lanes lies in 1..1024, not 1025"),
        ({"kind": "dot", "lanes": "16"}, "lanes is a whole number, not '16'"),
        ({"kind": "dot", "lanes": True}, "lanes is a whole number, not True"),
        ({"kind": "array", "columns": 65}, "columns lies in 1..64, not 65"),
        ({"kind": "array", "rows": 2.0}, "rows is a whole number, not 2.0"),
    ],
)
def test_bad_records_are_refused(change, message):
    with pytest.raises(ValueError) as caught:
        from_record({"kind": "mac", "weight": "int8", "activation": "int8"} | change)
    assert message in str(caught.value)


def test_a_record_is_a_mapping():
    with pytest.raises(ValueError, match="a design is a mapping of keys to values, not 'mac'"):
        from_record("mac")
    with pytest.raises(ValueError, match=f"kind is one of {', '.join(KINDS)}, not None"):
        from_record({})


def test_e1m0fn_like_formats_without_numbers_do_not_exist():
    with pytest.raises(ValueError, match="no number but 0"):
        MinifloatFormat(1, 0, Specials.FN)


def test_designs_are_values():
    first, second = (Mac(weight=parse("int8"), activation=parse("e5m2")) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    with pytest.raises(AttributeError):
        first.weight = parse("int4")


@pytest.mark.parametrize("accumulator", ["exact:15", "window:24:15"])
def test_an_accumulator_holds_at_least_one_step(accumulator):
    record = {"kind": "dot", "weight": "int8", "lanes": 16, "accumulator": accumulator}
    with pytest.raises(ValueError, match="the products of one step at least, 16, not 15"):
        from_record(record)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("int1", "signed fixed point of 1 bit"),
        ("ue4m3fn", "unsigned minifloats"),
        ("binary8p4ue", "unsigned minifloats"),
        ("sm8", "minifloats of no exponent bits"),
        ("e0m7finite", "minifloats of no exponent bits"),
        ("e9m3", "minifloats of more than 8 exponent bits"),
        ("e4m3fndaz", "minifloats without subnormals"),
        ("binary8p4se", "minifloats of P3109's extended domain"),
        ("e5m2uz", "minifloats without a negative zero"),
        ("int8s", "formats that are neither fixed point, binary, ternary nor minifloats"),
        ("bipolar3", "formats that are neither fixed point, binary, ternary nor minifloats"),
        ("posit<8,1>", "formats that are neither fixed point, binary, ternary nor minifloats"),
    ],
)
@pytest.mark.parametrize("role", ["weight", "activation"])
def test_operands_without_hardware_are_refused(name, what, role):
    operands = {"weight": parse("int8"), "activation": parse("int8"), role: parse(name)}
    with pytest.raises(ValueError) as caught:
        Mac(**operands)
    assert str(caught.value) == f"no hardware for {what} yet: {role} format {parse(name)}"


def test_formats_equal_to_classic_ones_are_operands():
    assert Mac(weight=parse("binary8p4sf"), activation=parse("uint1")).weight.name == "e4m3fnuz"
