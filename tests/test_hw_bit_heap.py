"""Heaps of bits: integer products after Baugh and Wooley, built, proven, costed, refused."""

import random
import re
from dataclasses import replace

import numpy as np
import pytest
from bulk_checks import every_pair
from cycle_checks import check_cost
from heaps import worth
from sim_designs import case_of as case

from costmodel import estimate
from hw.design import from_record
from hw.formats import parse
from hw.plan import plan, structures
from hw.plan.baugh_wooley import STRUCTURE, BitProducts, least_sites
from hw.plan.bit_heap import BitHeapPlan
from hw.target import load
from sim import bulk
from sim.bulk import Bulk
from sim.golden import run_steps
from sim.runner import simulate
from sweeps.autotune import resolve

MODES = (0, 4, 6)
"""LUT6_2 with carry chains, LUTs of four and of six inputs."""


def design(kind, weight, activation=None, **settings):
    record = {"kind": kind, "weight": weight, "activation": activation, "structure": STRUCTURE}
    return from_record(record | settings)


@pytest.mark.parametrize("lut_inputs", MODES)
@pytest.mark.parametrize("names", [("int2", "int3"), ("uint2", "int4"), ("uint3", "uint1")])
def test_every_product_of_small_words(names, lut_inputs):
    weight, activation = map(parse, names)
    heap = BitHeapPlan(BitProducts(weight, activation, 1), lut_inputs)
    checked = 0
    for w in range(1 << weight.bits):
        for a in range(1 << activation.bits):
            assert worth(heap, {"w": w, "a": a}) == weight.integer(w) * activation.integer(a)
            checked += 1
    assert checked == 1 << weight.bits + activation.bits


@pytest.mark.parametrize("lut_inputs", MODES)
def test_sums_of_products_at_random(lut_inputs):
    rng = random.Random(lut_inputs)
    checked = 0
    for _ in range(12):
        weight, activation = (
            parse(f"{'u' if rng.random() < 0.4 else ''}int{rng.randint(2, 8)}") for _ in range(2)
        )
        lanes = rng.randint(1, 9)
        heap = BitHeapPlan(BitProducts(weight, activation, lanes), lut_inputs)
        for _ in range(10):
            codes = [
                [
                    rng.choice([0, 1, top >> 1, top, top + 1 >> 1, rng.randint(0, top)])
                    for _ in range(lanes)
                ]
                for top in ((1 << weight.bits) - 1, (1 << activation.bits) - 1)
            ]
            words = {
                name: sum(code << i * f.bits for i, code in enumerate(side))
                for name, f, side in zip("wa", (weight, activation), codes, strict=True)
            }
            expected = sum(
                weight.integer(w) * activation.integer(a) for w, a in zip(*codes, strict=True)
            )
            assert worth(heap, words) == expected
            checked += 1
    assert checked == 120


SMALL = [
    ("int2", "int2"),
    ("uint1", "int3"),
    ("int4", "uint3"),
    ("uint4", "uint4"),
    ("fixed<5,2>", "int2"),
    ("int5", "int5"),
]


@pytest.mark.parametrize("names", SMALL, ids="×".join)
@pytest.mark.parametrize("target", ["xcup", "ecp5"])
def test_hardware_is_golden_for_all_codes(names, target):
    what = design("mac", *names)
    steps, count = every_pair(what)
    idle = np.random.default_rng(4).random(len(steps)) < 0.1
    assert Bulk(case(what, target).verilog, what).check(steps, run_steps, idle) == (0, None)
    assert len(steps) == 2 * count


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "xcup:portable", "ecp5", "ice40", "gowin"])
def test_hardware_is_golden_for_all_codes_of_bytes(target):
    for names in (("int8", "int8"), ("uint8", "int8"), ("uint8", "uint8")):
        what = design("mac", *names)
        steps, count = every_pair(what)
        assert Bulk(case(what, target).verilog, what).check(steps) == (0, None)
        assert count == 1 << 16


DOTS = [
    design("dot", "int3", lanes=32),
    design("dot", "int4", "uint3", lanes=5, accumulator="saturate:10"),
    design("dot", "uint2", "uint1", lanes=7, accumulator="wrap:20"),
    design("dot", "int8", lanes=4, accumulator="wrap:17"),
]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "ecp5", "ice40"])
def test_dot_products_by_the_hundred_thousand(target):
    for what in DOTS:
        verdict = bulk.check(case(what, target).verilog, what, 100_000)
        assert verdict.passed, verdict
        assert verdict.vectors >= 100_000


@pytest.mark.slow
def test_the_cocotb_bench_agrees():
    """Idle cycles, resets, back-pressure of arrays, pipeline stages."""
    designs = [
        design("array", "int3", lanes=2, rows=2, columns=2),
        design("tile", "int3", "uint2", lanes=4, rows=2, columns=2),
        design("dot", "int4", lanes=8, pipeline=2),
        design("mac", "int4"),
    ]
    cases = [case(what, target) for what in designs for target in ("xcup", "ecp5")]
    verdicts = simulate(cases, vectors=1500)
    assert [verdict.first for verdict in verdicts] == [None] * 8
    assert all(verdict.passed and verdict.vectors >= 256 for verdict in verdicts)
    assert verdicts[-1].exhaustive


MUTANTS = {
    "a bit product of another lane's": ("ecp5", r"\{ a\[1\], w\[2\] \}", "{ a[1], w[1] }"),
    "a sign bit not inverted": ("ecp5", r"lookup_2_7 lookup_2_7__h10", "lookup_2_8 lookup__h10"),
    "one word only": ("xcup", r"\.addend_1\(addend_1\)", ".addend_1(5'h0)"),
    "a lost bit": ("xcup", r"\.addend\(addend\)", ".addend({ addend[5:1], 1'h0 })"),
    "a bit of a weight": ("xcup", r"\.w\(weight\)", ".w({ weight[2], weight[0], weight[0] })"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_hardware_is_caught(name):
    target, pattern, replacement = MUTANTS[name]
    what = design("mac", "int3")
    right = case(what, target)
    wrong, count = re.subn(pattern, replacement, right.verilog)
    assert count == 1
    assert Bulk(right.verilog, what).check(every_pair(what)[0]) == (0, None)
    assert Bulk(wrong, what).check(every_pair(what)[0])[0] > 0
    assert not bulk.check(wrong, what, 2000).passed


@pytest.mark.slow
def test_wrong_hardware_is_caught_by_the_cocotb_bench():
    cases = []
    for target, pattern, replacement in MUTANTS.values():
        right = case(design("mac", "int3"), target)
        cases.append(replace(right, verilog=re.sub(pattern, replacement, right.verilog)))
    verdicts = simulate(cases, vectors=1000)
    assert [verdict.passed for verdict in verdicts] == [False] * len(MUTANTS)


def test_estimates_are_what_yosys_maps():
    check_cost(design("dot", "int4", lanes=8), "xcup", least=1)
    check_cost(design("dot", "int3", "uint2", lanes=8), "ecp5", 0.01, least=1)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "xc7", "xcup:portable", "ecp5", "ice40", "gowin"])
def test_estimates_of_sizes_drawn_at_random(target):
    rng = random.Random(target)
    for _ in range(12):
        names = [f"{'u' if rng.random() < 0.4 else ''}int{rng.randint(2, 7)}" for _ in range(2)]
        check_cost(design("dot", *names, lanes=rng.randint(1, 12)), target, 0.02, least=1)


def sites(kind, weight, target, structure, **settings):
    return estimate(design(kind, weight, structure=structure, **settings), load(target)).sites


@pytest.mark.parametrize(
    ("weight", "target", "other"),
    [
        *(("int2", "xcup", "table"), ("int3", "xcup", "table"), ("int4", "xcup", "rows")),
        *(("int5", "xcup", "rows"), ("int3", "ecp5", "table"), ("int4", "ecp5", "rows")),
        *(("int3", "ice40", "rows"), ("int4", "ice40", "rows")),
    ],
)
def test_where_it_is_smaller_it_is_chosen(weight, target, other):
    ours = sites("dot", weight, target, STRUCTURE, lanes=32)
    assert ours < sites("dot", weight, target, other, lanes=32)
    chosen = resolve(design("dot", weight, structure="auto", lanes=32), load(target))
    assert chosen.structure == STRUCTURE


def test_rows_win_for_bytes():
    for target in ("xcup", "ecp5", "ice40"):
        assert resolve(design("dot", "int8", structure="auto"), load(target)).structure == "rows"


@pytest.mark.parametrize("target", ["xcup", "ecp5", "ice40"])
def test_the_bound_holds(target):
    for bits in (2, 4, 6):
        for lanes in (1, 8):
            what = design("dot", f"int{bits}", lanes=lanes)
            assert least_sites(what, load(target)) <= estimate(what, load(target)).sites


def test_refusals_say_why():
    xcup = load("xcup")
    for what, target, says in (
        (design("dot", "e2m1fn"), "xcup", "operands are integers and fixed point; one of"),
        (design("dot", "int9"), "xcup", "operands have at most 8 bits; one of behavioural, rows"),
        (design("dot", "int4", accumulator="fp16"), "xcup", "adds to an integer accumulator"),
        (design("dot", "int8", lanes=65), "xcup", "at most 4096 products of bits, not 4160"),
        (design("dot", "int4"), "asic", "for FPGAs"),
    ):
        with pytest.raises(ValueError, match=says):
            plan(what, load(target))
    assert STRUCTURE in structures(design("dot", "int4"), xcup)
    assert STRUCTURE not in structures(design("dot", "int4"))
