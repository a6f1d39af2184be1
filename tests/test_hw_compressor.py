"""Binary and ternary operands and compressor trees: planned, built, proven, costed, refused."""

import random
from functools import cache, partial
from itertools import product

import numpy as np
import pytest
from heaps import check_compressed, evaluate, random_columns

import costmodel
from hw import synthesis
from hw.design import from_record, is_signs
from hw.formats import Special, parse
from hw.plan import CompressorPlan, plan, structures
from hw.plan.cells import Netlist
from hw.plan.heap import Heap, compress
from hw.rtl import emit
from hw.target import load
from sim import bulk
from sim.bulk import Bulk
from sim.golden import GoldenCore, run_steps
from sim.harness import Case
from sim.runner import simulate
from sim.vectors import Steps
from sweeps.autotune import resolve

SMALL = ("binary", "ternary", "uint1")
PAIRS = list(product(SMALL, repeat=2))
ROW = [0.9, -0.35, 0.1, 0.62, -0.05, 0.22, -0.48, 0.0]
"""The worked row of weights of TBT's quantisers (arXiv 2306.01841)."""


def design(kind, weight, activation=None, **settings):
    return from_record({"kind": kind, "weight": weight, "activation": activation} | settings)


@cache
def case(what, target="xcup"):
    emitted = emit(resolve(what, load(target)), load(target))
    settled = from_record(emitted.record["design"])
    return Case(settled, emitted.verilog, emitted.top, emitted.record["latency_cycles"])


def sum_of(tree, weights, activations):
    """Return what a tree makes of the codes of a step."""
    nets = {}
    for name, format, codes in (("w", tree.weight, weights), ("a", tree.activation, activations)):
        for i, code in enumerate(codes):
            nets |= {f"{name}{i * format.bits + b}": code >> b & 1 for b in range(format.bits)}
    known = evaluate(tree.netlist, nets)
    *words, pending = tree.outputs
    total = sum(known[net] for net in pending)
    for nets, word in zip(words, tree.words, strict=True):
        value = sum(known[net] << i for i, net in enumerate(nets))
        wraps = word.bounds.signed and value >= 1 << (len(nets) - 1)
        total += value - (wraps << len(nets))
    return total << tree.halved


def test_codes_are_planes():
    binary, ternary = parse("binary"), parse("ternary")
    assert [binary.integer(code) for code in (0, 1)] == [-1, 1]
    assert [ternary.integer(code) for code in range(4)] == [0, 1, 0, -1]
    assert ternary.special(2) is Special.NAN
    assert [is_signs(parse(n)) for n in ("binary", "ternary", "bipolar2", "int3s", "int2")] == [
        *(True, True),
        *(False, False, False),
    ]
    assert design("dot", "ternary", "int8").flags == ("overflow",)


def test_the_worked_row():
    """Signs with sign(0) = +1, and thresholds of half the scale 4/3 of the mean magnitude."""
    binary, ternary = parse("binary"), parse("ternary")
    codes = [binary.encode(value) for value in ROW]
    assert codes == [1, 0, 1, 1, 0, 1, 0, 1]
    scale = 4 / 3 * sum(map(abs, ROW)) / len(ROW)
    assert scale == pytest.approx(0.453333, abs=1e-6)
    values = [ternary.integer(ternary.encode(value / scale)) for value in ROW]
    assert values == [1, -1, 0, 1, 0, 0, -1, 0]
    for format, weights in ((binary, codes), (ternary, [v % 4 for v in values])):
        tree = CompressorPlan(format, binary, len(ROW))
        want = sum(format.integer(code) for code in weights)
        assert sum_of(tree, weights, [1] * len(ROW)) == want


def test_the_kernels():
    """Sums by popcounts as the paper's kernels have them, and our trees."""
    rng = random.Random(3)
    for lanes in range(2, 24, 3):
        w, a = (rng.getrandbits(lanes) for _ in range(2))
        bits = [[word >> i & 1 for i in range(lanes)] for word in (w, a)]
        signs = lanes - 2 * (w ^ a).bit_count()
        mixed = 2 * (w & a).bit_count() - a.bit_count()
        codes = [2 * b - 1 for b in bits[0]], [2 * b - 1 for b in bits[1]]
        assert signs == sum(x * y for x, y in zip(*codes, strict=True))
        assert mixed == sum(x * y for x, y in zip(codes[0], bits[1], strict=True))
        negative, nonzero = rng.getrandbits(lanes), rng.getrandbits(lanes)
        planes = nonzero.bit_count() - 2 * (nonzero & (negative ^ ~a)).bit_count()
        ternary = [(nonzero >> i & 1) | (negative >> i & 1) << 1 for i in range(lanes)]
        names = parse("binary"), parse("uint1"), parse("ternary")
        assert sum_of(CompressorPlan(names[0], names[0], lanes), *bits) == signs
        assert sum_of(CompressorPlan(names[0], names[1], lanes), *bits) == mixed
        assert sum_of(CompressorPlan(names[2], names[0], lanes), ternary, bits[1]) == planes


@pytest.mark.parametrize(("weight", "activation"), PAIRS)
def test_trees_add_up(weight, activation):
    formats = parse(weight), parse(activation)
    rng = random.Random(f"{weight}{activation}")
    corners = [
        [f(range(1 << format.bits), key=format.integer) for format in formats] for f in (min, max)
    ]
    checked = 0
    for lanes in (2, 3, 4, 5, 8, 9, 21):
        tree = CompressorPlan(*formats, lanes)
        steps = [[[code] * lanes for code in corner] for corner in corners]
        steps += [
            [[rng.randrange(1 << format.bits) for _ in range(lanes)] for format in formats]
            for _ in range(4)
        ]
        for codes in steps:
            want = sum(
                formats[0].integer(w) * formats[1].integer(a) for w, a in zip(*codes, strict=True)
            )
            assert sum_of(tree, *codes) == want
            least, most = tree.reach
            assert least << tree.halved <= want <= most << tree.halved
            checked += 1
    assert checked == 7 * 6


@pytest.mark.parametrize("limit", [1, 2])
def test_any_heap_is_compressed(limit):
    """Heaps of any shape keep their value and end within the limit."""
    rng = random.Random(limit)
    for _ in range(60):
        columns = random_columns(rng)
        heap = Heap({c: list(nets) for c, nets in columns.items()})
        compress(heap, lambda c: limit)
        assert all(len(nets) <= limit for nets in heap.columns.values())
        netlist = Netlist(tuple(heap.luts), tuple(heap.chains))
        check_compressed(columns, heap.columns, partial(evaluate, netlist), rng)


def test_a_popcount_of_sixty_three_is_near_its_bound():
    """57 full adders, two to a site at best."""
    heap = Heap({0: [f"x{i}" for i in range(63)]})
    compress(heap, lambda c: 1)
    netlist = Netlist(tuple(heap.luts), tuple(heap.chains))
    assert 57 / 2 < netlist.sites <= 45
    known = evaluate(netlist, {f"x{i}": 1 for i in range(63)})
    assert sum(known[net] << c for c, found in heap.columns.items() for net in found) == 63


def exhaustive(what):
    """Return every combination of codes of a small dot product, with idle cycles between."""
    w, a, lanes = what.weight.bits, what.activation.bits, what.lanes
    index = np.random.default_rng(2).permutation(1 << (w + a) * lanes)
    fields = [
        np.stack([index >> start + i * bits & (1 << bits) - 1 for i in range(lanes)], axis=1)
        for bits, start in ((w, 0), (a, w * lanes))
    ]
    last = np.random.default_rng(3).random(len(index)) < 0.2
    return Steps(fields[0].astype(np.uint8), fields[1].astype(np.uint8), last)


def check_all(what, target="xcup"):
    one = case(what, target)
    steps = exhaustive(what)
    idle = np.random.default_rng(4).random(len(steps)) < 0.1
    both = Steps(
        *(np.concatenate([x, y]) for x, y in zip(fields(steps), fields(steps), strict=True))
    )
    quiet = np.concatenate([np.zeros(len(steps), np.bool_), idle])
    wrong, first = Bulk(one.verilog, one.design).check(both, run_steps, quiet)
    assert (wrong, first) == (0, None)
    return len(steps)


def fields(steps):
    return steps.weight, steps.activation, steps.last


EXHAUSTIVE = [
    design("dot", "binary", lanes=8),
    design("dot", "ternary", lanes=4),
    design("dot", "ternary", "binary", lanes=5),
    design("dot", "binary", "uint1", lanes=8),
    design("dot", "uint1", "ternary", lanes=5),
    design("mac", "binary", "int8"),
    design("mac", "ternary", "int8"),
    design("mac", "ternary"),
    design("dot", "binary", "int4", lanes=3),
    design("dot", "ternary", "int6", lanes=2),
    design("dot", "uint3", "binary", lanes=4, accumulator="saturate:6"),
    design("mac", "ternary", "e4m3fn"),
]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "ecp5"])
@pytest.mark.parametrize("what", EXHAUSTIVE, ids=lambda d: d.slug)
def test_all_codes(what, target):
    bits = what.lanes * (what.weight.bits + what.activation.bits)
    assert check_all(what, target) == 1 << bits <= 1 << 16


def test_all_codes_of_eight_signs():
    assert check_all(EXHAUSTIVE[0]) == 1 << 16


LARGE = [
    design("dot", "binary", lanes=64),
    design("dot", "binary", lanes=63, accumulator="wrap:32"),
    design("dot", "ternary", lanes=64),
    design("dot", "binary", "uint1", lanes=64),
    design("dot", "ternary", "int8", lanes=32),
    design("dot", "binary", "int8", lanes=32),
]


def corners(what):
    """Return steps of all greatest and all least codes, in sums that leave the accumulator."""
    ends = [
        [f(range(1 << format.bits), key=format.integer) for f in (min, max)]
        for format in (what.weight, what.activation)
    ]
    count, shape = 400, (400, what.lanes)
    runs = [
        Steps(*(np.full(shape, code, np.uint8) for code in pair), np.zeros(count, np.bool_))
        for pair in product(*ends)
    ]
    joined = [np.concatenate(found) for found in zip(*map(fields, runs), strict=True)]
    joined[2][count - 1 :: count] = True
    return Steps(*joined)


@pytest.mark.slow
@pytest.mark.parametrize("what", LARGE, ids=lambda d: d.slug)
def test_a_million_vectors(what):
    one = case(what)
    verdict = bulk.check(one.verilog, one.design, 1_000_000)
    assert verdict.passed
    assert verdict.vectors >= 1_000_000
    steps = corners(what)
    assert Bulk(one.verilog, one.design).check(steps) == (0, None)
    assert len(steps) == 1600


IN_CYCLES = [
    design("array", "ternary", "int8", rows=3, columns=2),
    design("array", "binary", lanes=8, rows=2, columns=3),
    design("tile", "ternary", lanes=6, rows=2, columns=2),
    design("tile", "binary", "int8", lanes=4, rows=2, columns=2),
    design("dot", "binary", lanes=16, pipeline=2),
    design("mac", "binary", "int8"),
    design("dot", "ternary", "int8", lanes=4, accumulator="fp16"),
    design("dot", "ternary", "e5m2", lanes=3, accumulator="window:12:64"),
    design("mac", "ternary", "fp16", accumulator="fp32"),
]


@pytest.mark.slow
def test_the_cocotb_bench_agrees():
    """Idle cycles, resets, back-pressure of arrays."""
    verdicts = simulate([case(what) for what in IN_CYCLES], vectors=2000)
    assert [verdict.first for verdict in verdicts] == [None] * len(IN_CYCLES)
    assert all(verdict.passed and verdict.vectors >= 500 for verdict in verdicts)
    assert verdicts[5].exhaustive


@pytest.mark.parametrize("weight", ["binary", "ternary"])
def test_the_unused_code_and_idle_planes_of_the_golden_model(weight):
    what = design("dot", weight, "int8", lanes=3)
    core, format = GoldenCore(what), parse(weight)
    codes = list(range(1 << format.bits))
    for triple in product(codes, repeat=3):
        core.reset()
        output = core.step(triple, (5, 256 - 7, 127), last=True)
        want = sum(format.integer(c) * v for c, v in zip(triple, (5, -7, 127), strict=True))
        assert output.total == want
        assert output.flags == {"overflow": False}


ESTIMATED = [
    design("dot", "binary", lanes=64),
    design("dot", "ternary", lanes=21),
    design("dot", "binary", "uint1", lanes=20),
    design("dot", "ternary", "int8", lanes=8),
    design("dot", "binary", "int8", lanes=8),
    design("mac", "binary", "int8"),
]


@pytest.mark.parametrize("what", ESTIMATED, ids=lambda d: d.slug)
def test_estimates_are_what_yosys_counts(what):
    xcup = load("xcup")
    settled = resolve(what, xcup)
    estimate = costmodel.estimate(settled, xcup)
    emitted = emit(settled, xcup)
    found = synthesis.synthesize(emitted.verilog, emitted.top, xcup)
    assert (estimate.lut, estimate.sites, estimate.ff) == (found.lut, found.sites, found.ff)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xc7", "xcup:portable", "ecp5", "ice40"])
@pytest.mark.parametrize("what", ESTIMATED[:5], ids=lambda d: d.slug)
def test_estimates_elsewhere(what, target):
    technology = load(target)
    settled = resolve(what, technology)
    estimate = costmodel.estimate(settled, technology)
    emitted = emit(settled, technology)
    found = synthesis.synthesize(emitted.verilog, emitted.top, technology)
    assert estimate.ff == found.ff
    for name in ("lut", "sites"):
        assert getattr(estimate, name) == pytest.approx(getattr(found, name), rel=0.03, abs=1)


def test_sixty_four_signs_take_little_over_a_site_each():
    """199 LUTs is BISMO's unit in the same flow, its accumulator of 32 bits included."""
    xcup = load("xcup")
    exact = costmodel.estimate(resolve(design("dot", "binary", lanes=64), xcup), xcup)
    assert exact.lut <= 62
    assert exact.sites <= 66
    wide = design("dot", "binary", lanes=64, accumulator="wrap:32")
    assert costmodel.estimate(resolve(wide, xcup), xcup).sites <= 86 < 1.6 * 64


MUTANTS = {
    "lost product": (EXHAUSTIVE[0], "96696996", "96699669"),
    "wrong carry": (EXHAUSTIVE[0], "f99f9009", "f99f9000"),
    "first lanes again": (EXHAUSTIVE[0], "weight[2]", "weight[0]"),
    "unmasked": (design("mac", "ternary", "int8"), ".nonzero(weight[0])", ".nonzero(1'h1)"),
    "uninverted": (design("mac", "ternary", "int8"), ".sign(weight[1])", ".sign(1'h0)"),
    "lost borrow": (
        design("dot", "binary", "int8", lanes=4),
        "borrows_o6, addend_1",
        "1'h0, addend_1",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_hardware_is_caught(name):
    what, old, new = MUTANTS[name]
    one = case(what)
    assert old in one.verilog
    wrong = one.verilog.replace(old, new, 1)
    assert not bulk.check(wrong, one.design, 4000).passed
    (verdict,) = simulate([Case(one.design, wrong, one.top, one.latency_cycles)], vectors=1500)
    assert not verdict.passed
    assert verdict.mismatches > 0


def test_structures_and_refusals():
    xcup, ecp5 = load("xcup"), load("ecp5")
    signs = design("dot", "binary", lanes=8)
    assert structures(signs, xcup) == ("table", "compressor")
    assert structures(signs, ecp5) == ("table", "compressor")
    assert structures(signs, load("asic")) == ("table",)
    assert structures(design("dot", "ternary", "int8"), xcup) == ("rows",)
    assert resolve(signs, xcup).structure == "compressor"
    for what, target, says in (
        (signs.with_structure("compressor"), load("asic"), "on asic; one of table can"),
        (design("mac", "binary", structure="compressor"), xcup, "one of table can"),
        (design("dot", "int4", structure="compressor"), xcup, "cannot serve int4 × int4"),
        (design("tile", "binary", "int8", structure="packed"), xcup, "does not need"),
        (signs.with_structure("dsp"), xcup, "structure dsp cannot serve binary × binary"),
    ):
        with pytest.raises(ValueError, match=says):
            plan(what, target)
    for name in ("bipolar3", "int8s"):
        with pytest.raises(ValueError, match="neither fixed point, binary, ternary"):
            design("dot", name)
