"""Packed dot products: guard bits proved both ways, area by formula, refusals."""

import itertools
import re

import pytest

from costmodel import estimate
from costmodel.timing import clock
from hw import synthesis
from hw.design import from_record
from hw.formats import parse_element
from hw.plan import plan, plan_packed, structures
from hw.plan.packed_dot import DOT_BLOCKS, best_dot_packing, dot_packings
from hw.rtl import emit
from hw.rtl.sb_mac16 import PREFIX, model
from hw.target import load
from sweeps.autotune import resolve

TARGETS = {name: load(name) for name in ("xcup", "xc7", "ecp5", "ice40")}
NAMES = (
    *("int2", "uint2", "int3", "uint3", "int4", "uint4", "e2m1fn", "int5", "int7", "int8"),
    *("uint8", "int9", "e2m3fn"),
)


def dot(weight, activation, lanes, kind="dot", **settings):
    record = {"kind": kind, "weight": weight, "activation": activation, "structure": "packed"}
    return from_record(record | ({"lanes": lanes} if kind == "dot" else {}) | settings)


def word(values, side):
    """Return what an operand holds, and that it holds it."""
    found = sum(value << place for value, place in zip(values, side.offsets, strict=True))
    assert -(1 << side.width - 1) <= found < 1 << side.width - 1
    return found


def signed(value, bits, is_signed=True):
    value %= 1 << bits
    return value - (value >> (bits - 1) << bits) if is_signed else value


def sums_of(packing, weights, activations, links):
    """Return the sum of each field after equal links, as its slice and the bit below tell."""
    block, step = packing.block, packing.step
    is_signed = packing.bounds.signed
    if block.halves:
        pairs = zip(weights, activations, strict=True)
        return [signed(links * w * a, step, is_signed) for w, a in pairs]
    words = word(weights, packing.weight) * word(activations[::-1], packing.activation)
    total, (place,) = links * words % (1 << block.sum), packing.fields
    borrow = total >> (place - 1) & 1 if packing.borrows else 0
    return [signed(total >> place, step, is_signed or packing.products == 1) + borrow]


def survives(packing, links):
    """Tell whether sums of extreme products come out of the fields as they should."""
    sides = [
        itertools.product((side.values.low, 0, side.values.high), repeat=packing.products)
        for side in (packing.weight, packing.activation)
    ]
    for weights, activations in itertools.product(*map(list, sides)):
        products = [links * w * a for w, a in zip(weights, activations, strict=True)]
        wanted = products if packing.block.halves else [sum(products)]
        if sums_of(packing, weights, activations, links) != wanted:
            return False
    return True


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n == "DSP48E1" else n for n in DOT_BLOCKS],
)
def test_the_longest_chain_is_right_and_a_longer_one_is_wrong(name):
    checked = 0
    for names in itertools.product(NAMES, repeat=2):
        if NAMES.index(names[0]) > NAMES.index(names[1]) + 3:
            continue  # operands the other way round are packed alike
        for block in DOT_BLOCKS[name]:
            for packing in dot_packings(*[parse_element(n) for n in names], block):
                most = packing.most_links
                if packing.products > 3:
                    continue
                assert survives(packing, most), (names, packing)
                # A borrow of 1 is granted even where only sums of the lowest value need it.
                if most < 1 << 20 and (block.adds or block.chains):
                    assert not survives(packing, most + 1 + packing.borrows), (names, packing)
                checked += 1
    assert checked > 100


@pytest.mark.parametrize(
    ("target", "names", "products", "step", "links"),
    [
        ("xcup", ("int8", "int8"), 1, 48, (1 << 33) - 1),
        ("xcup", ("int5", "int5"), 2, 12, 3),
        ("xcup", ("int4", "int4"), 2, 13, 31),
        ("xcup", ("int4", "uint4"), 2, 13, 17),
        ("xcup", ("e2m1fn", "e2m1fn"), 2, 13, 14),
        ("xcup", ("int3", "int3"), 3, 7, 1),
        ("xcup", ("int2", "int2"), 3, 7, 5),
        ("ecp5", ("int4", "int4"), 2, 13, 1),
        ("ecp5", ("int3", "int3"), 3, 7, 1),
        ("ice40", ("int8", "int8"), 2, 16, 1),
        ("ice40", ("int7", "int8"), 2, 16, 3),
        ("ice40", ("int4", "int4"), 2, 16, 511),
        ("ice40", ("e2m1fn", "e2m1fn"), 2, 16, 227),
        ("ice40", ("int9", "int4"), 1, 32, (1 << 20) - 1),
    ],
)
def test_known_packings(target, names, products, step, links):
    blocks = DOT_BLOCKS[TARGETS[target].dsp]
    found = best_dot_packing(*[parse_element(name) for name in names], 32, blocks)
    assert (found.products, found.step, found.most_links) == (products, step, links)


def test_what_stands_below_is_the_sum_of_all_lower_fields():
    """Derived anew: all products of different lanes whose place is below the field."""
    for packing in dot_packings(*[parse_element("int2")] * 2, DOT_BLOCKS["DSP48E2"][0]):
        n, (place,) = packing.products, packing.fields
        offsets = [
            w + a for w, a in itertools.product(packing.weight.offsets, packing.activation.offsets)
        ]
        assert offsets.count(place) == n
        weight = 5 * sum(1 << offset for offset in offsets if offset < place)
        assert packing.below(5).high == weight * packing.bounds.high
        assert packing.below(5).low == weight * packing.bounds.low


COUNTED = (("xcup", ("e2m1fn", "e2m1fn", 8)), ("ice40", ("int4", "uint4", 6)))
COUNTED_SLOWLY = (
    *(("xcup", ("int8", "int8", 32)), ("xcup", ("int4", "int4", 33))),
    *(("xcup", ("int3", "int3", 7)), ("xcup", ("e2m3fn", "int8", 3))),
    *(("xc7", ("int2", "int2", 17)), ("xc7", ("int4", "uint4", 5))),
    *(("ecp5", ("int4", "int4", 5)), ("ecp5", ("uint4", "int4", 8))),
    *(("ecp5", ("e2m1fn", "e2m1fn", 4)), ("ice40", ("int8", "int8", 5))),
    *(("ice40", ("int12", "int9", 3)), ("ice40", ("e2m1fn", "e2m1fn", 4))),
)


def check_counts(target, spec):
    design = dot(*spec)
    emitted = emit(design, TARGETS[target])
    found = synthesis.synthesize(emitted.verilog, emitted.top, target, dsp=True)
    cost = estimate(design, TARGETS[target])
    for name in ("lut", "sites", "ff", "carry", "dsp"):
        assert getattr(found, name) == getattr(cost, name), name
    assert found.dsp == emitted.record["packing"]["blocks"]


@pytest.mark.parametrize(("target", "spec"), COUNTED, ids=lambda value: "_".join(map(str, value)))
def test_the_formula_is_what_yosys_counts(target, spec):
    check_counts(target, spec)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "spec"), COUNTED_SLOWLY, ids=lambda value: "_".join(map(str, value))
)
def test_the_formula_is_what_yosys_counts_of_more(target, spec):
    check_counts(target, spec)


@pytest.mark.parametrize(
    ("target", "spec", "lut_per_lane", "dsp"),
    [
        ("xcup", ("int8", "int8", 32), 1, 32),
        ("xcup", ("int4", "int4", 32), 2.5, 16),
        ("xcup", ("e2m1fn", "e2m1fn", 32), 8, 16),
        ("ice40", ("int4", "int4", 32), 2, 16),
        ("ice40", ("int8", "int8", 32), 22, 16),
        ("ecp5", ("int4", "int4", 32), 20, 16),
    ],
)
def test_what_a_lane_costs(target, spec, lut_per_lane, dsp):
    cost = estimate(dot(*spec), TARGETS[target])
    assert max(cost.lut, cost.sites) <= lut_per_lane * spec[2]
    assert cost.dsp == dsp


@pytest.mark.parametrize(
    ("what", "target", "message"),
    [
        (dot("int8", "int8", 4), "ecp5", "two of int8 × int8 do not fit its operands of 18 and 18"),
        (dot("int8", "int8", None, "mac"), "ecp5", "the nearest is structure dsp"),
        (dot("e4m3fn", "e4m3fn", 4, specials="ignore"), "xcup", "27 and 18 bits"),
        (dot("int8", "int8", 4), "gowin", "gowin does not have"),
        (dot("int8", "int8", 4), "xcup:portable", "must not use"),
        (dot("e5m2", "int2", 4), "xcup", "specials ignore"),
        (dot("int4", "int4", 4, accumulator="window:16"), "xcup", "not window:16"),
        (dot("ternary", "int4", 4), "xcup", "does not need"),
        (dot("int4", "int4", 4, pipeline=1), "ice40", "pipeline is 0, not 1; the nearest is"),
    ],
)
def test_refusals(what, target, message):
    name, _, plain = target.partition(":")
    place = load(name).portable() if plain else load(name)
    with pytest.raises(ValueError, match=re.escape(message)):
        plan(what, place)
    assert "packed" not in structures(what, place)


def test_weight_stationary_cells_are_refused():
    sizes = {"rows": 2, "columns": 2, "lanes": 2, "dataflow": "weight-stationary"}
    record = {"kind": "array", "weight": "int4", "structure": "packed"} | sizes
    with pytest.raises(ValueError, match="the nearest are dataflow output-stationary"):
        plan(from_record(record), TARGETS["xcup"])


@pytest.mark.parametrize(
    ("target", "names", "links", "near"),
    [
        ("xcup", ("int4", "int4"), 32, 31),
        ("xcup", ("int4", "int4"), 0, 1),
        ("xcup", ("int3", "int3"), 2, 1),
        ("ice40", ("int8", "int8"), 2, 1),
        ("ecp5", ("int4", "int4"), 2, 1),
    ],
)
def test_a_chain_longer_than_its_guard_bits(target, names, links, near):
    design = dot(*names, 64)
    with pytest.raises(ValueError, match=f"not {links}: the nearest that works is {near}$"):
        plan_packed(design, TARGETS[target], links=links)
    assert max(plan_packed(design, TARGETS[target], links=near).chains) <= near


def test_chains_are_nearly_equal_and_shorter_if_asked():
    design = dot("int4", "int4", 64)
    assert plan_packed(design, TARGETS["xcup"]).chains == (16, 16)
    assert plan_packed(design, TARGETS["xcup"], links=10).chains == (8, 8, 8, 8)
    assert plan_packed(dot("int8", "int8", 32), TARGETS["xcup"]).chains == (32,)


def test_record_choice_and_clock():
    record = emit(dot("int4", "int4", 32), TARGETS["xcup"]).record["packing"]
    assert (record["blocks"], record["lanes_per_block"], record["chains"]) == (16, 2, [16])
    assert (record["fields"], record["longest_chain"]) == ([13], 31)
    assert "synthesis" not in record
    halves = emit(dot("int4", "int4", 4), TARGETS["ice40"]).record["packing"]
    assert halves["synthesis"] == "synth_ice40 without -dsp"
    small = dot("int4", "int4", 4)
    for name, target in TARGETS.items():
        assert "packed" in structures(small, target)
        assert resolve(small.with_structure("auto"), target).structure not in ("packed", "dsp")
        if name == "ice40":
            with pytest.raises(ValueError, match="no time here for a product in a DSP block"):
                clock(plan(small, target))
        else:
            assert clock(plan(small, target)).fmax_mhz > 20


def test_the_model_names_its_block():
    text = model(f"{PREFIX}01", "x")
    assert "@" not in text
    assert ".MODE_8x8(1'b1)" in text
    assert ".A_SIGNED(1'b0), .B_SIGNED(1'b1)" in text


@pytest.mark.parametrize(
    ("target", "name", "lanes", "mhz"),
    [
        ("xcup", "int8", 32, 28.83),
        ("xcup", "int8", 2, 209.12),
        ("xcup", "int4", 32, 53.13),
        ("xc7", "int8", 16, 23.89),
    ],
)
def test_the_clock_of_a_cascade(target, name, lanes, mhz):
    """Of the netlist by published delays (`hw.logical`), every block of a chain in turn."""
    built = plan(dot(name, name, lanes), TARGETS[target])
    assert clock(built).fmax_mhz == pytest.approx(mhz, rel=0.1)
