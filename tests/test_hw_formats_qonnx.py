"""QONNX fields: both ways, against the operator's own arithmetic, and refusals."""

import itertools

import numpy as np
import pytest

from hw.formats import MinifloatFormat, Overflow, Specials, parse
from hw.formats.qonnx import from_fields, to_fields

E4M3 = {"exponent_bitwidth": 4, "mantissa_bitwidth": 3, "exponent_bias": 7}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("e4m3fn", {"max_val": 448.0, "has_infinity": 0, "has_nan": 1}),
        ("e4m3finite", {"max_val": 480.0, "has_infinity": 0, "has_nan": 0}),
        ("e4m3", {"max_val": 240.0, "has_infinity": 1, "has_nan": 1}),
    ],
)
def test_known_fields(name, more):
    wanted = E4M3 | more | {"has_subnormal": 1, "saturation": 1}
    assert to_fields(parse(name)) == wanted
    assert from_fields(wanted) == (parse(name), Overflow.SATURATE)


def test_ocp_e5m2_and_the_others_of_its_split():
    fields = to_fields(parse("e5m2"), Overflow.TO_INFINITY)
    assert fields["max_val"] == 57344
    assert (fields["has_infinity"], fields["has_nan"], fields["saturation"]) == (1, 1, 0)
    assert from_fields(fields) == (parse("e5m2"), Overflow.TO_INFINITY)
    assert from_fields(fields | {"max_val": 98304.0})[0].specials is Specials.EXTENDED
    assert from_fields(to_fields(parse("e5m2fnuz")))[0] == parse("e5m2fnuz")
    assert to_fields(parse("e2m1fn"))["has_nan"] == 0


def test_all_splits_go_both_ways():
    """Every kind of every split up to 8 bits, with and without subnormals, some biases."""
    checked = 0
    for exponent_bits, fraction_bits in itertools.product(range(1, 7), range(1, 7)):
        if exponent_bits + fraction_bits > 7:
            continue
        for specials, subnormals, shift in itertools.product(Specials, (True, False), (-3, 0, 9)):
            usual = 1 << exponent_bits - 1
            try:
                format = MinifloatFormat(
                    exponent_bits, fraction_bits, specials, usual + shift, subnormals=subnormals
                )
            except ValueError:
                continue
            fields = to_fields(format)
            assert from_fields(fields) == (format, Overflow.SATURATE)
            assert from_fields({k: np.float32(v) for k, v in fields.items()})[0] == format
            short = fields | {"has_inf": fields["has_infinity"]}
            del short["has_infinity"]
            assert from_fields(short)[0] == format
            checked += 1
    assert checked > 500


def float_quant(values, fields):
    """The operator's arithmetic: steps of the value's binade, half to even, clipped to max_val."""
    least = 1.0 - fields["exponent_bias"] - fields["mantissa_bitwidth"]
    binades = np.frexp(np.where(values == 0, 1.0, values))[1] - 1.0
    steps = np.exp2(np.maximum(binades - fields["mantissa_bitwidth"], least))
    return np.clip(steps * np.round(values / steps), -fields["max_val"], fields["max_val"])


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e3m2fn", "e2m3fn", "e2m1fn", "e3m4b1finite"])
def test_the_operator_quantises_as_the_format(name):
    from sim.golden import cast

    format, rng = parse(name), np.random.default_rng(1)
    spread = 2.0 ** rng.integers(format.emin - 6, format.emax + 3, 20000)
    values = rng.standard_normal(20000) * spread
    assert np.array_equal(float_quant(values, to_fields(format)), cast(values, format))


def test_what_is_left_out_has_the_operators_defaults():
    assert from_fields(E4M3) == (parse("e4m3finite"), Overflow.SATURATE)
    assert from_fields(E4M3 | {"has_nan": 1})[0] == parse("e4m3fn")
    assert from_fields(E4M3 | {"has_nan": True, "has_inf": True, "signed": 1})[0] == parse("e4m3")
    assert not from_fields(E4M3 | {"has_subnormal": 0})[0].subnormals


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (E4M3 | {"has_inf": 1}, "no format has infinities and no NaN"),
        (E4M3 | {"max_val": 448}, r"max_val of e4m3 with bias 7, .* is 480\.0, not 448\.0"),
        (E4M3 | {"max_val": 9, "has_nan": 1, "has_inf": 1}, r"is 240\.0 or 448\.0, not 9\.0"),
        (E4M3 | {"max_val": float("inf")}, "max_val is finite, not inf"),
        (E4M3 | {"exponent_bias": 7.5}, r"whole number here, not 7\.5; put the rest"),
        (E4M3 | {"exponent_bitwidth": 0}, "exponent_bitwidth is at least 1, not 0"),
        (E4M3 | {"mantissa_bitwidth": 0}, "mantissa_bitwidth is at least 1, not 0"),
        (E4M3 | {"mantissa_bitwidth": [3, 4]}, "mantissa_bitwidth is one number"),
        (E4M3 | {"has_nan": 2}, "has_nan is 0 or 1, not 2"),
        (E4M3 | {"signed": 0}, "FloatQuant is signed"),
        (E4M3 | {"has_inf": 1, "has_infinity": 0}, "contradict each other"),
        (E4M3 | {"saturation": 0}, "saturation 0 needs infinities or NaN"),
        (E4M3 | {"has_inff": 0}, "no field 'has_inff'; did you mean 'has_inf'"),
        (E4M3 | {"mantissa_bitwidth": 99}, "no e4m99 has has_infinity 0 and has_nan 0"),
        ({"exponent_bitwidth": 4}, "needs the field mantissa_bitwidth"),
        (
            {"exponent_bitwidth": 2, "mantissa_bitwidth": 1, "exponent_bias": 1, "has_inf": 1}
            | {"has_nan": 1, "max_val": 6},
            "max_val of e2m1",
        ),
    ],
)
def test_refused_fields(fields, message):
    with pytest.raises(ValueError, match=message):
        from_fields(fields)


@pytest.mark.parametrize(
    ("format", "overflow", "message"),
    [
        (parse("int8"), Overflow.SATURATE, "describes minifloats, not int8"),
        (parse("e3m0finite"), Overflow.SATURATE, "mantissa_bitwidth is at least 1, not 0"),
        (MinifloatFormat(4, 3, signed=False), Overflow.SATURATE, "FloatQuant is signed"),
        (parse("e4m3finite"), Overflow.TO_INFINITY, "saturation 0 needs infinities or NaN"),
        (parse("e4m3fn"), Overflow.WRAP, "saturate or to_infinity, not wrap"),
        (MinifloatFormat(4, 3, negative_zero=False), Overflow.SATURATE, "no field that tells"),
    ],
)
def test_formats_without_fields(format, overflow, message):
    with pytest.raises(ValueError, match=message):
        to_fields(format, overflow)
