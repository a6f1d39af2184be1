"""Packed products: guard bits proved both ways, hardware against golden, area by formula."""

import itertools
import re

import numpy as np
import pytest
from packed_tiles import first_total, view

from costmodel import estimate
from hw import synthesis
from hw.design import from_record
from hw.formats import parse_element
from hw.plan import plan, plan_packed, structures
from hw.plan.packed import BLOCKS, best_packing, packings
from hw.rtl import build, emit
from hw.rtl.dsp48 import model
from hw.target import load
from sim import bulk
from sim.bulk import Bulk
from sim.harness import Case
from sim.runner import simulate
from sweeps.autotune import resolve

XCUP, XC7 = load("xcup"), load("xc7")
E1, E2 = BLOCKS["DSP48E1"], BLOCKS["DSP48E2"]
PAIRS = (
    *(("int8", "int8"), ("int8", "uint8"), ("uint8", "uint8"), ("int4", "int4")),
    *(("int4", "uint4"), ("uint4", "int4"), ("e2m1fn", "e2m1fn"), ("int3", "int3")),
    *(("int2", "int2"), ("e2m3fn", "e2m3fn"), ("int8", "int4"), ("int4", "e2m1fn")),
    *(("uint2", "uint2"), ("int6", "int2")),
)


def tile(weight, activation, rows, columns, lanes, **settings):
    sizes = {"rows": rows, "columns": columns, "lanes": lanes}
    record = {"kind": "tile", "weight": weight, "activation": activation, "structure": "packed"}
    return from_record(record | sizes | settings)


def decode(packing, total):
    """Return the fields of a sum, the borrows given back; derived anew from the definition."""
    found = {}
    rest = total - (1 << packing.block.sum) if total >> (packing.block.sum - 1) else total
    count = packing.products
    places = {
        packing.offset(r, c): (r, c) for r in range(packing.rows) for c in range(packing.columns)
    }
    for number in range(count):
        where = places[number * packing.step]
        if number == count - 1:
            found[where] = rest
            break
        field = rest % (1 << packing.step)
        if packing.bounds.signed and field >> (packing.step - 1):
            field -= 1 << packing.step
        found[where] = field
        rest = (rest - field) >> packing.step
    return found


def survives(packing, links):
    """Tell whether sums of extreme products come out of the fields as they should."""
    sides = [
        itertools.product((side.values.low, 0, side.values.high), repeat=len(side.offsets))
        for side in (packing.weight, packing.activation)
    ]
    for weights, activations in itertools.product(*map(list, sides)):
        words = [
            sum(value << place for value, place in zip(values, side.offsets, strict=True))
            for values, side in ((weights, packing.weight), (activations, packing.activation))
        ]
        seen = decode(packing, links * words[0] * words[1] % (1 << packing.block.sum))
        wanted = {
            (r, c): links * weights[c] * activations[r]
            for r in range(packing.rows)
            for c in range(packing.columns)
        }
        if seen != wanted:
            return False
    return True


@pytest.mark.parametrize("block", [E1, E2], ids=lambda block: block.name)
def test_the_longest_chain_is_right_and_one_more_is_wrong(block):
    checked = 0
    for names in PAIRS:
        formats = [parse_element(name) for name in names]
        for rows, columns in ((1, 2), (2, 1), (2, 2), (1, 3), (2, 4)):
            for packing in packings(*formats, rows, columns, block):
                most = packing.most_links
                assert survives(packing, most), (names, packing)
                # A borrow of 1 is granted to every field even where only sums of exactly the
                # lowest value would need it: then one link more still decodes.
                if packing.step * 2 < 40 and packing.products > 1:
                    beyond = 1 if not packing.bounds.signed else 2
                    assert not survives(packing, most + beyond), (names, packing)
                checked += 1
    assert checked > 60


@pytest.mark.parametrize(
    ("weight", "activation", "sides", "products", "step", "links"),
    [
        ("int8", "int8", (1, 2), 2, 18, 7),
        ("int8", "uint8", (1, 2), 2, 18, 4),
        ("int4", "int4", (2, 2), 4, 11, 15),
        ("int4", "uint4", (2, 2), 4, 11, 8),
        ("e2m1fn", "e2m1fn", (2, 2), 4, 11, 7),
        ("int2", "int2", (2, 4), 8, 4, 1),
    ],
)
def test_known_packings(weight, activation, sides, products, step, links):
    found = best_packing(parse_element(weight), parse_element(activation), *sides, E2, 32)
    assert (found.products, found.step, found.most_links) == (products, step, links)


@pytest.mark.parametrize(
    ("weight", "activation"), [("int4", "int4"), ("int4", "uint4"), ("e2m1fn", "e2m1fn")]
)
def test_four_products_of_all_operands(weight, activation):
    design = tile(weight, activation, 2, 2, 1, accumulator="wrap:16")
    index = np.arange(1 << 16)
    codes = [(index >> 4 * i & 15).astype(np.uint8) for i in range(4)]
    weights, activations = np.stack(codes[:2], 1), np.stack(codes[2:], 1)
    ends = np.ones(len(index), np.bool_)
    checked = 0
    for row, column in itertools.product(range(2), range(2)):
        verilog, dot = view(design, XCUP, (row, column), lanes=2)
        seen = Bulk(verilog, dot).run(weights, activations, ends).total[:, 0]
        values = [
            np.array([side.integer(code) for code in range(16)])[chosen]
            for side, chosen in (
                (design.weight, weights[:, column]),
                (design.activation, activations[:, row]),
            )
        ]
        wanted = values[0] * values[1]
        assert np.array_equal(seen.astype(np.int64), wanted & 0xFFFF)
        checked += len(seen)
    assert checked == 4 << 16


BULK = (
    ("int8", "int8", 1, 2, 9),
    ("int8", "uint8", 2, 1, 5),
    ("int4", "int4", 2, 2, 16),
    ("int4", "uint4", 2, 2, 9),
    ("e2m1fn", "e2m1fn", 2, 2, 8),
)


def bulk_check(spec, vectors):
    design = tile(*spec, accumulator="wrap:24")
    done = 0
    for cell in itertools.product(range(design.rows), range(design.columns)):
        verilog, dot = view(design, XCUP, cell)
        verdict = bulk.check(verilog, dot, vectors, seed=3)
        assert verdict.mismatches == 0, verdict
        done += verdict.vectors
    assert done >= vectors * design.cores


@pytest.mark.slow
@pytest.mark.parametrize("spec", BULK, ids=lambda spec: "_".join(map(str, spec)))
def test_a_million_vectors_per_cell(spec):
    bulk_check(spec, 1_000_000)


TILES = (
    (XCUP, ("int8", "int8", 1, 2, 9), {}),
    (XCUP, ("int8", "uint8", 2, 1, 4), {"accumulator": "saturate:20"}),
    (XCUP, ("uint4", "int4", 4, 2, 17), {"accumulator": "exact:40"}),
    (XCUP, ("uint4", "uint4", 2, 2, 5), {"accumulator": "wrap:15"}),
    (XCUP, ("e2m1fn", "e2m1fn", 2, 2, 15), {}),
    (XCUP, ("int2", "int2", 2, 4, 3), {}),
    (XCUP, ("e2m3fn", "e2m3fn", 1, 2, 3), {}),
    (XCUP, ("int6", "int2", 1, 3, 5), {}),
    (XCUP, ("uint1", "int8", 3, 2, 2), {}),
    (XCUP, ("e2m1", "int4", 2, 2, 3), {"specials": "ignore"}),
    (XC7, ("int4", "int4", 2, 2, 9), {}),
    (XC7, ("int8", "int8", 2, 1, 3), {}),
)


def cases():
    found = []
    for target, spec, settings in TILES:
        design = tile(*spec, **settings)
        emitted = emit(design, target)
        found.append(Case(design, emitted.verilog, emitted.top, emitted.record["latency_cycles"]))
    return found


def test_tiles_equal_golden():
    found = cases()
    assert len(found) == 12
    verdicts = simulate(found, vectors=1500, jobs=1)
    assert [verdict.mismatches for verdict in verdicts] == [0] * len(found)
    assert all(verdict.vectors >= 1500 for verdict in verdicts)


def test_a_lost_borrow_is_caught():
    found = cases()[0]
    broken, changed = re.subn(r"\.carry0\(\w+\[17\]\)", ".carry0(1'h0)", found.verilog)
    assert changed == 1
    wrong = Case(found.design, broken, found.top, found.latency_cycles)
    assert simulate([wrong], vectors=500, jobs=1)[0].mismatches > 0


def test_without_primitives_in_amaranth():
    design = tile("int8", "int8", 1, 2, 9, accumulator="wrap:24")
    component = build(plan(design, XCUP))
    rng = np.random.default_rng(5)
    weights, activations = rng.integers(-128, 128, (2, 9)), rng.integers(-128, 128, (1, 9))
    total = first_total(component, weights, activations, 8)
    wanted = [int(activations[0] @ weights[c]) & 0xFFFFFF for c in range(2)]
    assert [total & 0xFFFFFF, total >> 24] == wanted


COUNTED = (("e2m1fn", "e2m1fn", 2, 2, 3),)
COUNTED_SLOWLY = (
    ("int8", "int8", 1, 2, 8),
    *(("int4", "int4", 2, 2, 17), ("int4", "uint4", 2, 2, 3), ("int6", "int2", 1, 3, 4)),
    *(("int2", "int2", 2, 4, 3), ("int8", "uint1", 1, 3, 4), ("int4", "e2m1fn", 2, 2, 5)),
)


def counts(spec):
    design = tile(*spec)
    emitted = emit(design, XCUP)
    found = synthesis.synthesize(emitted.verilog, emitted.top, "xcup", dsp=True)
    names = ("lut", "sites", "ff", "carry", "dsp")
    cost = estimate(design, XCUP)
    return [(getattr(found, name), getattr(cost, name)) for name in names]


@pytest.mark.parametrize("spec", COUNTED, ids=lambda spec: "_".join(map(str, spec)))
def test_the_formula_is_what_yosys_counts(spec):
    for seen, formula in counts(spec):
        assert seen == formula


@pytest.mark.slow
@pytest.mark.parametrize("spec", COUNTED_SLOWLY, ids=lambda spec: "_".join(map(str, spec)))
def test_the_formula_is_what_yosys_counts_of_more(spec):
    for seen, formula in counts(spec):
        assert seen == formula


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "per_block"),
    [
        (("int8", "int8", 1, 2, 32), 2),
        (("int4", "uint4", 2, 2, 32), 4),
        (("int4", "int4", 2, 2, 32), 4),
        (("e2m1fn", "e2m1fn", 2, 2, 32), 4),
    ],
)
def test_goals(spec, per_block):
    products = spec[2] * spec[3] * spec[4]
    (lut, _), (sites, _), *_, (dsp, _) = counts(spec)
    assert dsp * per_block == products
    assert max(lut, sites) <= 5 * products


@pytest.mark.parametrize(
    ("what", "target", "settings", "message"),
    [
        (("int8", "int8", 1, 3, 4), XCUP, {}, "nearest is 1×4"),
        (("int4", "int4", 1, 1, 4), XCUP, {}, "nearest is 2×2"),
        (("int12", "int12", 2, 2, 4), XCUP, {}, "operands of 27 and 18 bits"),
        (("e3m2fn", "e3m2fn", 2, 2, 4), XCUP, {}, "do not fit"),
        (("int4", "int4", 2, 2, 4), load("gowin"), {}, "gowin does not have"),
        (("int4", "int4", 2, 2, 4), XCUP.portable(), {}, "must not use"),
        (("e5m2", "int2", 1, 2, 4), XCUP, {}, "specials ignore"),
        (("int4", "int4", 2, 2, 4), XCUP, {"accumulator": "window:16"}, "not window:16"),
    ],
)
def test_refusals(what, target, settings, message):
    design = tile(*what, **settings)
    with pytest.raises(ValueError, match=re.escape(message)):
        plan(design, target)
    assert "packed" not in structures(design, target)


def test_a_chain_longer_than_its_guard_bits():
    design = tile("int8", "int8", 1, 2, 32)
    assert plan_packed(design, XCUP).chains == (7, 7, 6, 6, 6)
    assert plan_packed(design, XCUP, links=3).chains == (3,) * 10 + (2,)
    for links, near in ((8, 7), (0, 1), (32, 7)):
        with pytest.raises(ValueError, match=f"not {links}: the nearest that works is {near}"):
            plan_packed(design, XCUP, links=links)


def test_record_and_choice():
    design = tile("int4", "int4", 2, 2, 20)
    record = emit(design, XCUP).record["packing"]
    assert record["products_per_block"] == 4
    assert (record["blocks"], record["longest_chain"], record["chains"]) == (20, 15, [10, 10])
    assert "packed" in structures(design, XCUP)
    assert resolve(design.with_structure("auto"), XCUP).structure not in ("packed", "dsp")


@pytest.mark.parametrize("name", BLOCKS)
def test_models_name_their_block(name):
    text = model(name.lower(), "x")
    assert "@" not in text
    assert f"  {name} #(" in text
    assert text.count("`ifdef SYNTHESIS") == 1
