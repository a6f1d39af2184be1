import pytest

from hw.design import DotProduct
from hw.formats import Specials, parse
from sweeps.space import (
    PAIR_FAMILIES,
    QUANTITIES,
    Integers,
    Listed,
    Minifloats,
    allowed,
    formats_of,
    pair_family,
    parse_constraint,
)


def dot(weight: str, activation: str) -> DotProduct:
    return DotProduct(weight=parse(weight), activation=parse(activation))


def test_integers():
    assert [str(f) for f in Integers((2, 8)).formats()] == ["int2", "int8"]
    assert [str(f) for f in Integers((1, 4), signed=False).formats()] == ["uint1", "uint4"]


def test_all_finite_minifloats_of_three_to_eight_bits():
    formats = Minifloats(tuple(range(3, 9))).formats()
    assert len(formats) == len(set(formats)) == 2 + 3 + 4 + 5 + 6 + 7
    assert {f.bits for f in formats} == {3, 4, 5, 6, 7, 8}
    assert all(f.specials is Specials.FINITE and f.exponent_bits >= 1 for f in formats)
    for bits in range(3, 9):
        splits = [(f.exponent_bits, f.fraction_bits) for f in formats if f.bits == bits]
        assert splits == [(e, bits - 1 - e) for e in range(1, bits)]


def test_splits_that_do_not_exist_are_left_out():
    ieee = Minifloats((4,), specials=Specials.IEEE).formats()
    assert [str(f) for f in ieee] == ["e2m1"]
    chosen = Minifloats((8,), exponent_bits=(4, 5), specials=Specials.FN).formats()
    assert [str(f) for f in chosen] == ["e4m3fn", "e5m2fn"]
    wide = Minifloats((12,)).formats()
    assert max(f.exponent_bits for f in wide) == 8


def test_families_together_name_each_format_once():
    families = [Listed((parse("e2m1fn"), parse("int4"))), Minifloats((4,)), Integers((3, 4))]
    names = [str(f) for f in formats_of(families)]
    assert names == ["e2m1fn", "int4", "e1m2finite", "e3m0finite", "int3"]


def test_pair_families():
    found = [
        pair_family(parse(w), parse(a))
        for w, a in (
            ("int4", "uint8"),
            ("e2m1fn", "e4m3fn"),
            ("fixed<8,4>", "e2m1fn"),
            ("e2m1fn", "int8"),
            ("mxfp4", "int8"),
        )
    ]
    assert {pair_family(parse("int4"), parse(name)) for name in ("nvfp4", "bitmod4")} == {"blocks"}
    assert tuple(found) == PAIR_FAMILIES


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("weight_bits <= activation_bits", ["int4×int8", "e2m1fn×int8"]),
        ("weight_bits>=activation_bits", ["int8×int4"]),
        ("weight_exponent_bits > 0", ["e2m1fn×int8"]),
        ("0 == weight_exponent_bits", ["int4×int8", "int8×int4"]),
        ("weight_fraction_bits != 0", ["e2m1fn×int8"]),
        ("weight_bits < 8", ["int4×int8", "e2m1fn×int8"]),
        ("product_bits > 12", []),
    ],
)
def test_constraints(text, kept):
    designs = [dot("int4", "int8"), dot("int8", "int4"), dot("e2m1fn", "int8")]
    found = allowed(designs, [parse_constraint(text)])
    assert [f"{d.weight}×{d.activation}" for d in found] == kept


def test_every_quantity_is_a_whole_number():
    for quantity in QUANTITIES.values():
        assert isinstance(quantity(dot("e4m3fn", "fixed<8,4>")), int)


@pytest.mark.parametrize(
    "text", ["", "weight_bits", "weight_bits <= ", "a < b", "weight_bits <= 1 <= 2", "-1 < 2"]
)
def test_what_is_no_constraint(text):
    with pytest.raises(ValueError, match="a constraint"):
        parse_constraint(text)


def test_a_constraint_prints_as_it_is_read():
    assert str(parse_constraint("weight_bits<=4")) == "weight_bits <= 4"
