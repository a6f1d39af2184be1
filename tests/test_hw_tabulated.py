"""Compressor trees of LUTs alone: planned, built, proven, costed, where there are no primitives."""

import random
from functools import cache
from itertools import product

import numpy as np
import pytest
from heaps import check_compressed, random_columns

import costmodel
from hw import synthesis
from hw.design import from_record
from hw.formats import parse
from hw.plan import CompressorPlan, structures
from hw.plan.cells import Netlist
from hw.plan.counters import Tables
from hw.plan.heap import Heap
from hw.rtl import emit
from hw.target import load
from sim import bulk
from sim.bulk import Bulk
from sim.golden import run_steps
from sim.harness import Case
from sim.runner import simulate
from sim.vectors import Steps
from sweeps.autotune import resolve

SMALL = ("binary", "ternary", "uint1")
PAIRS = list(product(SMALL, repeat=2))
TARGETS = ("ecp5", "ice40", "gowin", "xcup:portable", "xc7:portable")


def dot(weight, activation=None, lanes=64, **settings):
    record = {"kind": "dot", "weight": weight, "activation": activation, "lanes": lanes}
    return from_record({"structure": "compressor"} | record | settings)


@cache
def case(what, target):
    emitted = emit(what, load(target))
    return Case(what, emitted.verilog, emitted.top, emitted.record["latency_cycles"])


def evaluate(netlist, nets):
    """Return the nets of a netlist of LUTs, each a number whose bits are as many cases."""
    known = dict(nets)
    waiting = list(netlist.luts)
    while waiting:
        ready = [lut for lut in waiting if all(net in known for net in lut.inputs)]
        assert ready
        for lut in ready:
            found = 0
            for code in range(1 << len(lut.inputs)):
                if lut.truth >> code & 1:
                    term = known["1"]
                    for place, net in enumerate(lut.inputs):
                        term &= known[net] if code >> place & 1 else known["1"] ^ known[net]
                    found |= term
            known[lut.output] = found
        waiting = [lut for lut in waiting if lut.output not in known]
    return known


def sums_of(tree, steps):
    """Return what a tree makes of steps, each a pair of lists of codes."""
    nets = {"0": 0, "1": (1 << len(steps)) - 1}
    for name, format, side in (("w", tree.weight, 0), ("a", tree.activation, 1)):
        for lane in range(tree.lanes):
            for bit in range(format.bits):
                column = [codes[side][lane] >> bit & 1 for codes in steps]
                nets[f"{name}{lane * format.bits + bit}"] = sum(
                    b << n for n, b in enumerate(column)
                )
    known = evaluate(tree.netlist, nets)
    word, pending = tree.outputs
    found = []
    for n in range(len(steps)):
        value = sum((known[net] >> n & 1) << i for i, net in enumerate(word))
        wraps = tree.words[0].bounds.signed and value >> len(word) - 1
        value += sum(known[net] >> n & 1 for net in pending) - (wraps << len(word))
        found.append(value << tree.halved)
    return found


@pytest.mark.parametrize("lut_inputs", [4, 6])
@pytest.mark.parametrize(("weight", "activation"), PAIRS)
def test_trees_add_up(weight, activation, lut_inputs):
    formats = parse(weight), parse(activation)
    rng = random.Random(f"{weight}{activation}")
    ends = [
        [f(range(1 << format.bits), key=format.integer) for f in (min, max)] for format in formats
    ]
    checked = 0
    for lanes in (*range(2, 14), 21, 31, 64):
        tree = CompressorPlan(*formats, lanes, lut_inputs)
        assert all(1 <= len(lut.inputs) <= lut_inputs for lut in tree.netlist.luts)
        steps = [[[code] * lanes for code in pair] for pair in product(*ends)]
        steps += [
            [[rng.randrange(1 << format.bits) for _ in range(lanes)] for format in formats]
            for _ in range(60)
        ]
        want = [
            sum(formats[0].integer(w) * formats[1].integer(a) for w, a in zip(*codes, strict=True))
            for codes in steps
        ]
        assert sums_of(tree, steps) == want
        checked += len(steps)
    assert checked == 15 * 64


@pytest.mark.parametrize("lut_inputs", [4, 6])
def test_any_heap_is_compressed(lut_inputs):
    """Heaps of any shape keep their value and end with a bit in each column."""
    rng = random.Random(lut_inputs)
    for _ in range(40):
        columns = random_columns(rng)
        tables = Tables(Heap({c: list(nets) for c, nets in columns.items()}), lut_inputs)
        tables.compress(lambda c: 1)
        assert all(len(nets) <= 1 for nets in tables.heap.columns.values())
        netlist = Netlist(tuple(tables.heap.luts), ())

        def cells_of(nets, netlist=netlist):
            return evaluate(netlist, {"0": 0, "1": 1} | nets)

        check_compressed(columns, tables.heap.columns, cells_of, rng)


EXHAUSTIVE = [
    dot("binary", lanes=8),
    dot("ternary", lanes=4),
    dot("ternary", "binary", lanes=5),
    dot("binary", "uint1", lanes=8),
    dot("uint1", "ternary", lanes=5),
    dot("uint1", lanes=7),
    dot("binary", lanes=7, accumulator="wrap:4"),
]


def check_all(what, target):
    """Check every combination of codes of a small dot product."""
    w, a, lanes = what.weight.bits, what.activation.bits, what.lanes
    index = np.random.default_rng(2).permutation(1 << (w + a) * lanes)
    sides = [
        np.stack([index >> start + i * bits & (1 << bits) - 1 for i in range(lanes)], axis=1)
        for bits, start in ((w, 0), (a, w * lanes))
    ]
    last = np.random.default_rng(3).random(len(index)) < 0.2
    steps = Steps(sides[0].astype(np.uint8), sides[1].astype(np.uint8), last)
    idle = np.random.default_rng(4).random(len(steps)) < 0.1
    engine = Bulk(case(what, target).verilog, what)
    assert engine.check(steps, run_steps) == (0, None)
    assert engine.check(steps, run_steps, idle) == (0, None)
    return len(steps)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["ecp5", "xcup:portable"])
@pytest.mark.parametrize("what", EXHAUSTIVE, ids=lambda d: d.slug)
def test_all_codes(what, target):
    bits = what.lanes * (what.weight.bits + what.activation.bits)
    assert check_all(what, target) == 1 << bits <= 1 << 16


def test_all_codes_of_eight_signs():
    assert check_all(EXHAUSTIVE[0], "ecp5") == 1 << 16


LARGE = [dot("binary"), dot("ternary"), dot("binary", "uint1"), dot("ternary", "binary", lanes=63)]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["ice40", "xcup:portable"])
@pytest.mark.parametrize("what", LARGE, ids=lambda d: d.slug)
def test_a_million_vectors(what, target):
    verdict = bulk.check(case(what, target).verilog, what, 1_000_000)
    assert verdict.passed
    assert verdict.vectors >= 1_000_000


IN_CYCLES = [
    from_record({"kind": "array", "weight": "binary", "lanes": 8, "rows": 2, "columns": 3}),
    from_record({"kind": "tile", "weight": "ternary", "lanes": 6, "rows": 2, "columns": 2}),
    dot("binary", lanes=16, pipeline=2),
    dot("binary", "uint1", lanes=6),
]


@pytest.mark.slow
def test_the_cocotb_bench_agrees():
    """Idle cycles, resets, back-pressure of arrays."""
    cases = [case(what.with_structure("compressor"), "ecp5") for what in IN_CYCLES]
    verdicts = simulate(cases, vectors=2000)
    assert [verdict.first for verdict in verdicts] == [None] * len(IN_CYCLES)
    assert all(verdict.passed and verdict.vectors >= 500 for verdict in verdicts)


MUTANTS = {
    "lost carry": ("_lookup_4_e88e lookup_4_e88e__h10", "_lookup_4_9669 lookup_4_e88e__h10"),
    "first lane again": ("weight[2]", "weight[0]"),
    "exclusive or": ("_lookup_4_9669 lookup_4_9669__h9", "_lookup_4_e88e lookup_4_9669__h9"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_hardware_is_caught(name):
    one = case(EXHAUSTIVE[0], "ecp5")
    old, new = MUTANTS[name]
    assert old in one.verilog
    wrong = one.verilog.replace(old, new, 1)
    assert not bulk.check(wrong, one.design, 4000).passed
    (verdict,) = simulate([Case(one.design, wrong, one.top, one.latency_cycles)], vectors=1500)
    assert not verdict.passed
    assert verdict.mismatches > 0


ESTIMATED = [
    dot("binary"),
    dot("ternary", lanes=21),
    dot("ternary", "binary", lanes=9),
    dot("binary", "uint1", lanes=20),
    dot("uint1", lanes=7),
    dot("binary", lanes=2),
]


def check_estimate(what, target):
    technology = load(target)
    estimate = costmodel.estimate(what, technology)
    emitted = emit(what, technology)
    found = synthesis.synthesize(emitted.verilog, emitted.top, technology)
    assert (estimate.lut, estimate.sites, estimate.ff) == (found.lut, found.sites, found.ff)
    return found


def test_estimates_are_what_yosys_counts():
    assert check_estimate(ESTIMATED[0], "ecp5").lut == 160


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_estimates_elsewhere(target):
    found = [check_estimate(what, target) for what in ESTIMATED]
    assert len(found) == 6


MOST = {"ecp5": 160, "ice40": 161, "gowin": 161, "xcup:portable": 95, "xc7:portable": 95}
"""Sites of 64 signs; behavioural popcounts take 336 (ECP5), 188 (iCE40), 156 (Xilinx)."""


@pytest.mark.parametrize("target", MOST)
def test_it_is_chosen_where_it_is_smallest(target):
    technology = load(target)
    signs = resolve(dot("binary", structure="auto"), technology)
    assert signs.structure == "compressor"
    assert costmodel.estimate(signs, technology).sites <= MOST[target]
    assert "compressor" in structures(signs, technology)
    assert "compressor" not in structures(signs, load("asic"))
