"""Constant weights: adder graphs of fewest adders, shared rows, hardware, costs, refusals."""

import random

import numpy as np
import pytest
from cycle_checks import check_caught, check_cocotb, check_cost, check_hardware, mutant
from sim_designs import case_of as case

from costmodel import estimate
from hw.design import from_record
from hw.formats.khot import signed_digits
from hw.plan import plan
from hw.plan.adder_graph import cost, graph, odd, triple_rows
from hw.target import load
from sim import cycle_bulk, cycles
from sim.golden import constant_dot as golden

LEAST = {0: 1, 1: 3, 2: 11, 3: 43, 4: 683}
"""The least constant of so many adders (Gustafsson, Dempster and Wanhammar, ISCAS 2002)."""


def design(weights, activation="int8"):
    return from_record({"kind": "constdot", "weights": weights, "activation": activation})


def check_graph(constant, steps):
    known = {1}
    for step in steps:
        assert {value for value, _, _ in step.terms} <= known
        total = sum(sign * value << shift for value, shift, sign in step.terms)
        assert total == step.value << step.drop
        known.add(step.value)
    assert odd(constant)[0] in known


def independent_costs(bits):
    """Return the fewest adders up to two of all odd numbers, by sums of sets."""
    limit = 2 << bits

    def sums(u, v):
        found = set()
        for k in range(bits + 2):
            for a, b in ((u << k, v), (u, v << k)):
                found |= {
                    x for total in (a + b, abs(a - b)) if total and (x := odd(total)[0]) < limit
                }
        return found

    costs = {1: 0} | dict.fromkeys(sums(1, 1) - {1}, 1)
    for one in [n for n, c in costs.items() if c == 1]:
        for two in sums(1, one) | sums(one, one):
            costs.setdefault(two, 2)
    return costs


def check_least(bits):
    found = {}
    for constant in range(1, 1 << bits):
        check_graph(constant, graph(constant))
        adders = cost(constant)
        assert adders <= max(len(signed_digits(constant)) - 1, 0)
        found.setdefault(adders, constant)
    assert found == {adders: least for adders, least in LEAST.items() if least < 1 << bits}
    own = independent_costs(bits)
    for constant in range(1, 1 << bits, 2):
        assert min(cost(constant), 3) == own.get(constant, 3)
    return sum(map(cost, range(1, 1 << bits)))


def test_the_fewest_adders_of_constants_of_seven_bits():
    assert check_least(7) == 219


@pytest.mark.slow
def test_the_fewest_adders_of_constants_of_ten_bits():
    """The least constants of up to four adders are the published ones."""
    assert check_least(10) == 2529
    assert cost(0) == 0
    with pytest.raises(ValueError, match="up to 12 bits, 4097 has 13"):
        graph(4097)


def test_rows_of_three_make_every_constant_of_eight_bits_in_two():
    for constant in range(3, 256, 24):
        if constant & 1:
            for way in triple_rows(constant):
                check_graph(constant, way)
                assert len(way) <= 2
                assert all(2 <= len(step.terms) <= 3 for step in way)


def random_design(rng):
    lanes, outputs = rng.randint(1, 6), rng.randint(1, 3)
    reach = rng.choice([3, 15, 127, 1000])
    weights = [[rng.randint(-reach, reach) for _ in range(lanes)] for _ in range(outputs)]
    weights[0][0] = weights[0][0] or 1
    return design(weights, f"{rng.choice(['', 'u'])}int{rng.randint(2, 8)}")


@pytest.mark.parametrize("target", ["xcup", "ecp5"])
def test_rows_are_the_sums(target):
    rng = random.Random(target)
    for _ in range(25):
        what = random_design(rng)
        built = plan(what, load(target)).core
        codes = [rng.randrange(1 << what.activation.bits) for _ in range(what.lanes)]
        nodes = [what.activation.integer(code) for code in codes]
        for row, sources in built.rows:
            total = sum(
                (-1) ** minus * nodes[source] << shift
                for source, shift, minus in zip(sources, row.shifts, row.negative, strict=True)
            )
            assert total % (1 << row.drop) == 0
            assert len(row.words) <= (3 if target == "xcup" else 2)
            assert row.bounds.low <= total >> row.drop <= row.bounds.high
            nodes.append(total >> row.drop)
        shown = [0 if out is None else nodes[out[0]] << out[1] for out in built.outputs]
        assert shown == golden.totals(what, codes)
        many = golden.totals_of_many(what, np.array([codes, codes]))
        assert many.tolist() == [shown, shown]
        assert all(out is None or out[2] == 1 for out in built.outputs)


DESIGNS = [
    design("171"),
    design("-3,5,7;1,0,-12", "int5"),
    design([[3, -8, 5, 7, 0, -1], [6, -4, 5, 7, 1, 2]], "uint4"),
    design("23;45;105;-77;-46", "int6"),
    design("-32768,32767", "int16"),
    design("-3", "uint1"),
]


@pytest.mark.parametrize("target", ["xcup", "ecp5"])
@pytest.mark.parametrize("what", DESIGNS, ids=lambda d: d.slug)
def test_hardware_is_golden(what, target):
    check_hardware(what, target)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "xc7", "xcup:portable", "ecp5", "ice40", "gowin"])
def test_designs_at_random(target):
    rng = random.Random(f"{target} constants")
    for _ in range(15):
        what = random_design(rng)
        assert cycle_bulk.check(case(what, target).verilog, what, 4000).passed
        check_cost(what, target, 0.05)


MUTANTS = {
    "a sum for a difference": (1, "ecp5", r" - ", " + "),
    "an earlier valid": (1, "ecp5", r"total_valid <= .*;", "total_valid <= 1'h1;"),
    "another activation": (1, "xcup", r"\.word0\(activation\[4:0\]\)", ".word0(activation[9:5])"),
    "a shift more": (3, "xcup", r"\.word0\(activation\)", ".word0({ activation[4:0], 1'h0 })"),
    "a lost carry": (2, "xcup", r"\.CYINIT\(1'h1\)", ".CYINIT(1'h0)"),
}


def wrong(name):
    number, target, pattern, replacement = MUTANTS[name]
    return mutant(case(DESIGNS[number], target), pattern, replacement)


@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_hardware_is_caught(name):
    check_caught(wrong(name))


@pytest.mark.slow
def test_the_cocotb_bench_agrees_and_catches_wrong_hardware():
    check_cocotb([case(what) for what in DESIGNS[:4]], [wrong(name) for name in MUTANTS])


@pytest.mark.parametrize("target", ["xcup", "ecp5"])
def test_estimates_are_what_yosys_maps(target):
    for what in (DESIGNS[0], DESIGNS[2]):
        check_cost(what, target, 0.05)


def test_sharing_saves():
    """Thirteen and its multiples: one row, wires, and another row at most."""
    xcup = load("xcup")
    alone = sum(estimate(design(str(c)), xcup).sites for c in (13, 26, 52, 65))
    shared = estimate(design("13;26;52;65"), xcup).sites
    assert shared < 0.6 * alone
    assert estimate(design("64"), xcup).sites == 0


def test_thorough_runs_are_corners_or_everything():
    run = cycles.stimulus(DESIGNS[0], 100, seed=1)
    assert run.exhaustive
    assert len(run.words) == 256 + 100
    assert not cycles.stimulus(DESIGNS[4], 100, seed=1).exhaustive


@pytest.mark.parametrize(
    ("weights", "activation", "says"),
    [
        ("0,0", "int8", "not all 0"),
        ("1,2;3", "int8", "as many weights, not 1, 2"),
        ("1.5", "int8", "a weight is a whole number, not '1.5'"),
        ("40000", "int8", "weight must be from -32768 to 32767|weight"),
        ("3", "e4m3fn", "integers or fixed point, such as int8, not e4m3fn"),
        (None, "int8", "needs its weights"),
        ("3", None, "needs its activation format"),
    ],
)
def test_what_cannot_be_is_refused(weights, activation, says):
    with pytest.raises(ValueError, match=says):
        design(weights, activation)


def test_records_and_refusals():
    what = design("3,-5; 7 0x10\n1,2")
    assert what.constants == ((3, -5), (7, 16), (1, 2))
    assert from_record(what.to_record()) == what
    assert what.slug == "constdot2x3_int8_" + what.slug[-8:]
    assert design([3, -5]).constants == ((3, -5),)
    with pytest.raises(ValueError, match="for FPGAs, not asic"):
        plan(what, load("asic"))
    with pytest.raises(ValueError, match="no key 'lanes'"):
        from_record(what.to_record() | {"lanes": 2})
