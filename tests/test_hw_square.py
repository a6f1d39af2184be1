"""Sums of squares: golden, heaps, hardware, costs, what they save, refusals."""

import random

import numpy as np
import pytest
from cycle_checks import check_caught, check_cocotb, check_cost, check_hardware, mutant
from heaps import worth
from sim_designs import case_of as case

from costmodel import estimate
from hw.design import from_record
from hw.formats import parse
from hw.plan import plan
from hw.plan.bit_heap import BitHeapPlan
from hw.plan.square import Squares
from hw.target import load
from sim import cycle_bulk, cycles
from sim.golden import GoldenCore
from sim.golden import square as golden
from sweeps.autotune import resolve


def design(activation, **settings):
    return from_record({"kind": "square", "activation": activation} | settings)


def drawn(what, count, seed):
    """Return cycles at random: reset, valid, last, and codes near the ends."""
    rng = random.Random(seed)
    top = (1 << what.activation.bits) - 1
    ends = (0, 1, top, top + 1 >> 1, top >> 1)
    return [
        (
            rng.random() < 0.02,
            rng.random() < 0.8,
            rng.random() < 0.1,
            [rng.choice((*ends, rng.randint(0, top))) for _ in range(what.lanes)],
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("accumulator", ["exact:3", "wrap:9", "exact:256"])
def test_golden_is_that_of_products_of_a_word_by_itself(accumulator):
    for name, lanes in (("int4", 3), ("uint3", 2), ("fixed<5,2>", 1)):
        what = design(name, lanes=lanes, accumulator=accumulator)
        product = from_record(
            {"kind": "dot", "weight": name, "lanes": lanes, "accumulator": accumulator}
        )
        assert (what.accumulator_bits, what.flags) == (product.accumulator_bits, product.flags)
        core, run = GoldenCore(product), drawn(what, 3000, lanes)
        shown, total, overflow = [], 0, False
        for reset, valid, last, codes in run:
            ended = False
            if reset:
                core.reset()
                total, overflow = 0, False
            elif valid:
                output = core.step(codes, codes, last)
                total, overflow, ended = output.total, output.flags.get("overflow", False), last
            shown.append((total, ended, overflow))
        own = list(golden.run(what, run))
        if "overflow" not in what.flags:
            own = [(total, ended, False) for total, ended, _ in own]
        assert own == shown
        columns = [np.array(column) for column in zip(*run, strict=True)]
        many = golden.run_many(what, *columns)
        assert list(zip(*(column.tolist() for column in many), strict=True)) == list(
            golden.run(what, run)
        )


@pytest.mark.parametrize("lut_inputs", [0, 4, 6])
@pytest.mark.parametrize("name", ["int2", "uint3", "int5", "uint6", "int7"])
def test_every_square(name, lut_inputs):
    format = parse(name)
    checked = 0
    for block in range(1, (lut_inputs or 6) + 1):
        heap = BitHeapPlan(Squares(format, 1, block), lut_inputs)
        for code in range(1 << format.bits):
            assert worth(heap, {"x": code}) == format.integer(code) ** 2
            checked += 1
    assert checked == (lut_inputs or 6) << format.bits


DESIGNS = [
    design("int4"),
    design("uint3", lanes=3),
    design("int8", accumulator="exact:4"),
    design("int8", lanes=5, accumulator="wrap:18"),
    design("fixed<6,3>", lanes=2),
    design("uint16", accumulator="wrap:40"),
]


@pytest.mark.parametrize("target", ["xcup", "ecp5"])
@pytest.mark.parametrize("what", DESIGNS, ids=lambda d: d.slug)
def test_hardware_is_golden(what, target):
    check_hardware(what, target)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "xc7", "xcup:portable", "ecp5", "ice40", "gowin"])
def test_designs_at_random(target):
    rng = random.Random(f"{target} squares")
    for _ in range(10):
        name = f"{rng.choice(['', 'u'])}int{rng.randint(2, 10)}"
        what = design(name, lanes=rng.randint(1, 9), accumulator=rng.choice(["exact", "wrap:20"]))
        assert cycle_bulk.check(case(what, target).verilog, what, 20_000).passed
        check_cost(what, target, 0.02)


MUTANTS = {
    "another bit of the operand": (
        0,
        "ecp5",
        r"\.x\(activation\)",
        ".x({ 1'h0, activation[2:0] })",
    ),
    "adds without valid": (2, "ecp5", r"= valid \? exact : accumulator;", "= exact;"),
    "one word only": (1, "xcup", r"\.addend_1\(addend_1\)", ".addend_1(0)"),
    "overflow not sticky": (2, "ecp5", r"= overflow_register \| ", "= "),
    "sum goes on after last": (2, "ecp5", r"assign clear = rst \| ends;", "assign clear = rst;"),
}


def wrong(name):
    number, target, pattern, replacement = MUTANTS[name]
    return mutant(case(DESIGNS[number], target), pattern, replacement)


@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_hardware_is_caught(name):
    check_caught(wrong(name))


@pytest.mark.slow
def test_the_cocotb_bench_agrees_and_catches_wrong_hardware():
    check_cocotb([case(what) for what in DESIGNS[:5]], [wrong(name) for name in MUTANTS])


@pytest.mark.parametrize("target", ["xcup", "ecp5"])
def test_estimates_are_what_yosys_maps(target):
    check_cost(DESIGNS[3], target, 0.02)


@pytest.mark.parametrize("target", ["xcup", "ecp5", "ice40"])
def test_a_square_is_smaller_than_a_product(target):
    """Eight squares of bytes take less than 70 % of eight products by the best structure."""
    technology = load(target)
    product = from_record({"kind": "dot", "weight": "int8", "lanes": 8})
    generic = estimate(resolve(product, technology), technology).sites
    assert estimate(design("int8", lanes=8), technology).sites < 0.7 * generic


def test_a_thorough_run_leaves_the_accumulator():
    run = cycles.stimulus(DESIGNS[2], 500, seed=1)
    assert run.exhaustive
    assert run.expected[:, -1].any()


@pytest.mark.parametrize(
    ("activation", "settings", "says"),
    [
        ("e4m3fn", {}, "squares are of integers and fixed point, such as int8, not e4m3fn"),
        (None, {}, "squares need their operand"),
        ("int8", {"accumulator": "saturate:20"}, "exact or wrap:BITS, not saturate:20"),
        ("int8", {"lanes": 200}, "113 lanes of int8, not 200"),
        ("int8", {"lanes": 8, "accumulator": "exact:4"}, "one step at least, 8, not 4"),
        ("int8", {"weight": "int8"}, "no key 'weight'"),
        ("uint16", {"accumulator": "wrap:70"}, "at most 62 bits, not 70"),
    ],
)
def test_what_cannot_be_is_refused(activation, settings, says):
    with pytest.raises(ValueError, match=says):
        design(activation, **settings)


def test_records():
    for what in DESIGNS:
        assert from_record(what.to_record()) == what
    assert DESIGNS[3].slug == "square5_int8_wrap18"
    with pytest.raises(ValueError, match="for FPGAs, not asic"):
        plan(DESIGNS[0], load("asic"))
