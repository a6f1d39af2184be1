"""Packed products where blocks only multiply (MULT18X18D, SB_MAC16), and six of three bits."""

import itertools
import re

import pytest

from costmodel import estimate
from costmodel.timing import clock
from hw import synthesis
from hw.design import from_record
from hw.formats import parse_element
from hw.plan import Bounds, plan, plan_packed, structures
from hw.plan.packed import BLOCKS, MULTIPLIERS, best_packing, packings
from hw.rtl import emit
from hw.rtl.multiplier import HALVES, model
from hw.target import load
from sweeps.autotune import resolve

TARGETS = {name: load(name) for name in ("xcup", "xc7", "ecp5", "ice40")}
(ECP5_BLOCK,), (WHOLE, IN_HALVES) = MULTIPLIERS["MULT18X18D"], MULTIPLIERS["SB_MAC16"]
E2 = BLOCKS["DSP48E2"]
NAMES = ("int2", "uint2", "int3", "uint3", "int4", "uint4", "e2m1fn", "int5", "int8")


def tile(weight, activation, rows, columns, lanes, **settings):
    sizes = {"rows": rows, "columns": columns, "lanes": lanes}
    record = {"kind": "tile", "weight": weight, "activation": activation, "structure": "packed"}
    return from_record(record | sizes | settings)


def product_of(packing, weights, activations):
    """Return the block's sum of one product, from what the block does with numbers."""
    block = packing.block
    if block.halves:
        pair, (one,) = (weights, activations) if len(weights) == 2 else (activations, weights)
        half = 1 << block.sum // 2
        return sum((value * one) % half * half**i for i, value in enumerate(pair))
    words = [
        sum(value << place for value, place in zip(values, side.offsets, strict=True))
        for values, side in ((weights, packing.weight), (activations, packing.activation))
    ]
    for word, side in zip(words, (packing.weight, packing.activation), strict=True):
        assert -(1 << side.width - 1) <= word < 1 << side.width - 1
    return words[0] * words[1] % (1 << block.sum)


def field(packing, total, row, column):
    """Return a product from its slice and the bit below it, as the hardware reads them."""
    offset = packing.offset(row, column)
    bounds = packing.field(1, offset)
    value = (total >> offset) % (1 << bounds.bits)
    if bounds.signed and value >> (bounds.bits - 1):
        value -= 1 << bounds.bits
    borrows = packing.bounds.signed and offset and not packing.block.halves
    return value + (total >> (offset - 1) & 1 if borrows else 0)


@pytest.mark.parametrize("block", [ECP5_BLOCK, WHOLE, IN_HALVES], ids=lambda block: block.title)
def test_every_product_comes_out_of_its_field(block):
    checked = ways = 0
    for names in itertools.product(NAMES, repeat=2):
        formats = [parse_element(name) for name in names]
        for rows, columns in ((1, 2), (2, 1), (2, 2), (1, 3), (2, 3), (3, 2), (4, 1)):
            for packing in packings(*formats, rows, columns, block):
                assert packing.most_links == 1
                ways += 1
                sides = [
                    itertools.product(
                        (side.values.low, 0, side.values.high), repeat=len(side.offsets)
                    )
                    for side in (packing.weight, packing.activation)
                ]
                for weights, activations in itertools.product(*map(list, sides)):
                    total = product_of(packing, weights, activations)
                    for row, column in itertools.product(range(rows), range(columns)):
                        seen = field(packing, total, row, column)
                        assert seen == weights[column] * activations[row], (names, packing)
                    checked += 1
    assert ways >= 100
    assert checked > 2000


@pytest.mark.parametrize(
    ("block", "names", "most"),
    [
        (ECP5_BLOCK, ("int4", "int4"), 2),
        (ECP5_BLOCK, ("int3", "int3"), 4),
        (ECP5_BLOCK, ("uint3", "uint3"), 4),
        (ECP5_BLOCK, ("int2", "int2"), 6),
        (ECP5_BLOCK, ("e2m1fn", "e2m1fn"), 2),
        (ECP5_BLOCK, ("int8", "int4"), 2),
        (ECP5_BLOCK, ("int8", "int8"), 0),
        (WHOLE, ("int3", "int3"), 4),
        (WHOLE, ("int4", "int4"), 2),
        (WHOLE, ("int2", "int2"), 6),
        (IN_HALVES, ("int8", "uint8"), 2),
        (IN_HALVES, ("e2m1fn", "int8"), 2),
        (IN_HALVES, ("int9", "int8"), 0),
        (E2, ("int3", "int3"), 6),
        (E2, ("uint3", "uint3"), 6),
        (E2, ("int3", "uint3"), 6),
        (BLOCKS["DSP48E1"], ("int3", "int3"), 6),
    ],
)
def test_most_products_of_a_block(block, names, most):
    formats = [parse_element(name) for name in names]
    counts = {
        rows * columns
        for rows, columns in itertools.product(range(1, 7), repeat=2)
        for _ in packings(*formats, rows, columns, block)
    } - {1}
    assert max(counts, default=0) == most


def test_five_products_of_three_bits_do_not_fit_and_six_do():
    """Five are 5 × 1: their operand alone leaves 27 bits; six are 3 × 2, eight and nine fail."""
    for name in ("int3", "uint3"):
        format = parse_element(name)
        low, high = format.minimum_integer, format.maximum_integer
        product = Bounds(low, high) * Bounds(low, high)
        least = Bounds(product.low - (low < 0), product.high).bits
        assert least == 6
        word = sum(1 << least * i for i in range(5))
        assert max(-low * word, high * word + 1) > 1 << E2.wide - 1
        for rows, columns in ((1, 5), (5, 1), (2, 4), (4, 2), (3, 3)):
            assert not list(packings(format, format, rows, columns, E2))
        six = best_packing(format, format, 3, 2, E2, 8)
        assert (six.products, six.step) == (6, 7)
        assert six.most_links == (3 if name == "int3" else 2)


def test_fp4_needs_23_bits_for_four():
    (packing, *_) = packings(*[parse_element("e2m1fn")] * 2, 1, 2, ECP5_BLOCK)
    bits = packing.field(1, packing.step).bits
    value = packing.weight.values.bits
    assert 2 * bits + value == 23 > ECP5_BLOCK.wide


COUNTED = (("ecp5", ("int3", "int3", 2, 2, 3)), ("ice40", ("int8", "uint8", 2, 1, 2)))
COUNTED_SLOWLY = (
    ("ecp5", ("int4", "int4", 1, 2, 4)),
    ("ecp5", ("e2m1fn", "e2m1fn", 2, 1, 4)),
    ("ecp5", ("int5", "int5", 1, 2, 2)),
    ("ecp5", ("uint4", "int4", 2, 2, 3)),
    ("ecp5", ("int8", "int4", 2, 1, 3)),
    ("ice40", ("e2m1fn", "e2m1fn", 1, 2, 3)),
    ("ice40", ("int5", "int2", 2, 2, 2)),
    ("ice40", ("uint3", "uint3", 2, 2, 5)),
    ("ice40", ("int3", "int3", 2, 2, 4)),
    ("xcup", ("uint3", "uint3", 3, 2, 4)),
    ("xcup", ("int3", "int3", 3, 2, 4)),
)


def counts(target, spec):
    design = tile(*spec)
    emitted = emit(design, TARGETS[target])
    found = synthesis.synthesize(emitted.verilog, emitted.top, target, dsp=True)
    cost = estimate(design, TARGETS[target])
    names = ("lut", "sites", "ff", "carry", "dsp")
    return {name: (getattr(found, name), getattr(cost, name)) for name in names}


@pytest.mark.parametrize(("target", "spec"), COUNTED, ids=lambda value: "_".join(map(str, value)))
def test_the_formula_is_what_yosys_counts(target, spec):
    found = counts(target, spec)
    assert all(seen == formula for seen, formula in found.values()), found
    cells = spec[2] * spec[3] * spec[4]
    assert found["dsp"][0] == cells // (4 if target == "ecp5" else 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "spec"), COUNTED_SLOWLY, ids=lambda value: "_".join(map(str, value))
)
def test_the_formula_is_what_yosys_counts_of_more(target, spec):
    found = counts(target, spec)
    assert all(seen == formula for seen, formula in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("target", ["ecp5", "ice40"])
def test_three_values_in_a_word_are_near(target):
    for seen, formula in counts(target, ("int2", "int2", 3, 2, 3)).values():
        assert formula == pytest.approx(seen, rel=0.04)


@pytest.mark.parametrize(
    ("what", "target", "settings", "message"),
    [
        (("int8", "int8", 1, 2, 4), "ecp5", {}, "operands of 18 and 18 bits: structure dsp"),
        (("int9", "int8", 1, 2, 4), "ice40", {}, "16 and 16 bits, or halves of 8"),
        (("int4", "int4", 1, 3, 4), "ecp5", {}, "nearest is 1×4"),
        (("int8", "int8", 1, 1, 4), "ice40", {}, "the nearest is 1×2"),
        (("int8", "int8", 1, 2, 4), "ice40", {"pipeline": 1}, "pipeline is 0, not 1"),
        (("int4", "int4", 1, 2, 4), "ecp5", {"accumulator": "window:16"}, "not window:16"),
        (("ternary", "int4", 1, 2, 4), "ice40", {}, "structure auto"),
    ],
)
def test_refusals(what, target, settings, message):
    design = tile(*what, **settings)
    with pytest.raises(ValueError, match=re.escape(message)):
        plan(design, TARGETS[target])
    assert "packed" not in structures(design, TARGETS[target])


def test_no_chains_without_a_cascade():
    design = tile("int4", "int4", 1, 2, 4)
    assert plan_packed(design, TARGETS["ecp5"], links=1).chains == (1, 1, 1, 1)
    with pytest.raises(
        ValueError, match=r"MULT18X18D holds 1 product .* not 2: the nearest .* is 1"
    ):
        plan_packed(design, TARGETS["ecp5"], links=2)


def test_record_choice_and_clock():
    design = tile("int8", "int8", 1, 2, 4)
    record = emit(design, TARGETS["ice40"]).record["packing"]
    assert (record["block"], record["blocks"]) == ("SB_MAC16 in halves", 4)
    small = tile("int4", "int4", 1, 2, 4)
    for name in ("ecp5", "ice40"):
        assert "packed" in structures(small, TARGETS[name])
        assert resolve(small.with_structure("auto"), TARGETS[name]).structure != "packed"
    assert clock(plan(small, TARGETS["ecp5"])).fmax_mhz > 20
    with pytest.raises(ValueError, match="no time here for a product in a DSP block"):
        clock(plan(small, TARGETS["ice40"]))


@pytest.mark.parametrize("signs", ["00", "01", "10", "11"])
def test_models_name_their_block(signs):
    text = model(HALVES + signs, "x")
    assert "@" not in text
    assert f".A_SIGNED(1'b{signs[0]}), .B_SIGNED(1'b{signs[1]})" in text
    assert text.count("`ifdef SYNTHESIS") == 1
