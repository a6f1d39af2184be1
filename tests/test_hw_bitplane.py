"""Dot products by binary planes: records, refusals, golden model, hardware, cost, mutants."""

import re

import numpy as np
import pytest

import costmodel
from hw import synthesis
from hw.design import ORGANISATIONS, from_record
from hw.formats import parse_element
from hw.plan.bitplane import plan_bitplane
from hw.plan.plane_sums import GATES, PlaneWord, plan_plane_sum
from hw.plan.product import Bounds
from hw.rtl import emit
from hw.target import load
from sim import bulk
from sim.bitplane import play, random_dots, stimulus
from sim.golden import bitplane as golden
from sim.harness import Case
from sim.ports import output_layout
from sim.runner import simulate


def design(organisation="weight-serial", weight="int4", activation=None, **settings):
    record = {"kind": "bitplane", "organisation": organisation, "weight": weight}
    return from_record(record | {"activation": activation or weight, "lanes": 4, **settings})


DESIGNS = {
    "parallel": design("parallel", "int3", "uint4", lanes=5, rows=2, columns=2),
    "parallel bipolar": design("parallel", "bipolar2", "bipolar3", lanes=6),
    "weights": design("weight-serial", "int4", "int5", lanes=7, accumulator="wrap:16"),
    "weights bipolar": design("weight-serial", "bipolar3", "bipolar2", lanes=4),
    "both": design("both-serial", "int3", "int4", lanes=9, rows=2),
    "both bipolar": design("both-serial", "bipolar3", "binary", lanes=8),
    "every": design("both-serial", "int2", "int2", lanes=1),
}
TARGETS = ("xcup", "ecp5")


def case(name, target):
    what = DESIGNS[name]
    emitted = emit(what, load(target))
    return Case(what, emitted.verilog, emitted.top, emitted.record["latency_cycles"])


@pytest.mark.parametrize("what", DESIGNS.values(), ids=DESIGNS)
def test_a_record_gives_the_design_back(what):
    assert from_record(what.to_record()) == what
    assert plan_bitplane(what, load("xcup")).latency_cycles == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": "e4m3fn"}, "planes are those of two's complement"),
        ({"weight": "bipolar4", "activation": "int8"}, "bipolar planes meet bipolar planes"),
        ({"weight": "bipolar4", "lanes": 3}, "an even number of lanes, not 3"),
        ({"weight": "int17"}, "at most 16 bits, int17 has 17"),
        ({"organisation": "serial"}, "one of parallel, weight-serial, both-serial, not 'serial'"),
        ({"accumulator": "saturate:20"}, "not saturate:20"),
        ({"accumulator": "wrap:70"}, "at most 64 bits, not 70"),
        ({"accumulator": "exact:2"}, "one chunk at least, 4, not 2"),
        ({"structure": "rows"}, "no key 'structure'"),
        ({"rows": 0}, r"rows lies in 1\.\.64, not 0"),
    ],
)
def test_what_cannot_be_built_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        design(**settings)


def chunk(weight="int4", activation="int4", lanes=4, code=1):
    formats = parse_element(weight), parse_element(activation)
    return golden.Chunk((code,) * lanes, (code,) * lanes, *formats)


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([], "at least one chunk"),
        ([chunk("int5")], "built for weights up to int4, int5 is beyond"),
        ([chunk("bipolar2", "bipolar2")], "no planes like those of int4"),
        ([chunk(lanes=3)], "has 4 weights, not 3"),
        ([chunk("int4"), chunk("int3")], r"the precision of a dot product .* chunk 1 has int3"),
        ([chunk("int3", code=9)], r"lies in 0\.\.7, not 9"),
    ],
)
def test_the_golden_model_refuses_what_the_hardware_cannot(chunks, message):
    with pytest.raises(ValueError, match=message):
        golden.total(design(), chunks)


def test_passes_are_each_pair_of_planes_once():
    checked = 0
    for organisation in ORGANISATIONS:
        what = design(organisation, "int5", "int6")
        for weight in range(1, 6):
            for activation in range(1, 7):
                passes = what.passes(weight, activation)
                total = 0  # doubling as the hardware does must give each pair its weight
                for one in passes:
                    total = 2 * total if one.doubles else total
                    i, j = one.activation_plane, one.weight_plane
                    mark = 3 ** (7 * (j or 0) + (i or 0))
                    total += mark
                sides = {
                    "parallel": ((0,), (0,)),
                    "weight-serial": (range(weight), (0,)),
                    "both-serial": (range(weight), range(activation)),
                }[organisation]
                want = sum(3 ** (7 * j + i) << (i + j) for j in sides[0] for i in sides[1])
                assert total == want
                checked += 1
    assert checked == 90


def test_the_check_vector_of_bipolar_int():
    """Planes of 3-bit X and 2-bit W drawn by default_rng(1), K = 16; made with the formula."""
    rng = np.random.default_rng(1)
    x, w = rng.integers(2, size=(3, 2, 16)), rng.integers(2, size=(2, 2, 16))
    codes = [sum(plane << i for i, plane in enumerate(planes)) for planes in (x, w)]
    formats = parse_element("bipolar3"), parse_element("bipolar2")
    want = [[66, -6], [24, 76]]
    assert golden.matrix_product(codes[0], codes[1].T, *formats).tolist() == want
    rows = [r.tolist() for r in codes[0]], [r.tolist() for r in codes[1]]
    for way in (golden.dot, golden.dot_by_planes):
        assert [[way(a, b, *formats) for b in rows[1]] for a in rows[0]] == want


@pytest.mark.parametrize("weight", ["int1", "int5", "uint3", "bipolar4", "binary"])
def test_three_derivations_agree(weight):
    rng = np.random.default_rng(3)
    activations = ("bipolar3", "binary") if weight[:2] == "bi" else ("int4", "uint2")
    for activation in activations:
        formats = parse_element(weight), parse_element(activation)
        codes = [
            rng.integers(1 << f.bits, size=s) for f, s in zip(formats, ((9, 33), 33), strict=True)
        ]
        found = golden.matrix_product(*codes, *formats).tolist()
        for row, total in zip(codes[0].tolist(), found, strict=True):
            assert golden.dot(row, codes[1].tolist(), *formats) == total
            assert golden.dot_by_planes(row, codes[1].tolist(), *formats) == total


@pytest.mark.parametrize("name", DESIGNS)
def test_the_bench_expects_what_the_scalar_model_says(name):
    what, rng = DESIGNS[name], np.random.default_rng(8)
    dots = random_dots(what, 40, rng)
    totals = dots.totals(what)
    starts, checked = np.cumsum(dots.chunks) - dots.chunks, 0
    for dot, (start, count) in enumerate(zip(starts, dots.chunks, strict=True)):
        formats = []
        for widest, side in ((what.weight, dots.weight), (what.activation, dots.activation)):
            sign = "bipolar" if what.is_bipolar else "int" if side.signed[dot] else "uint"
            formats.append(parse_element(f"{sign}{side.bits[dot]}"))
            assert widest.bits >= formats[-1].bits
        for row in range(what.rows):
            for column in range(what.columns):
                chunks = [
                    golden.Chunk(
                        tuple(dots.weight.codes[c, column].tolist()),
                        tuple(dots.activation.codes[c, row].tolist()),
                        *formats,
                    )
                    for c in range(start, start + count)
                ]
                modulo = 1 << what.accumulator_bits
                total = golden.total(what, chunks)
                assert (int(totals[dot, row, column]) - total) % modulo == 0
                checked += 1
    assert checked == 40 * what.cores
    run = stimulus(what, 300, 5, thorough=True)
    assert run.exhaustive == (name == "every")
    assert run.expected[:, output_layout(what).column("total_valid")].sum() * what.cores == (
        run.vectors
    )


def test_dot_products_follow_each_other_without_an_idle_cycle():
    what, rng = DESIGNS["both"], np.random.default_rng(2)
    dots = random_dots(what, 30, rng)
    played = play(what, dots, rng, thorough=False)
    bits = zip(dots.weight.bits.tolist(), dots.activation.bits.tolist(), strict=True)
    assert len(set(zip(dots.weight.bits, dots.activation.bits, strict=True))) > 5
    took = np.diff(played.end, prepend=0)
    chunks = dots.chunks.tolist()
    assert took.tolist() == [w * a * n for (w, a), n in zip(bits, chunks, strict=True)]


def test_trees_add_every_lane_once():
    for gate in GATES:
        for bounds in (Bounds(0, 1), Bounds(-8, 7)):
            for lanes in (1, 2, 3, 7, 16, 33, 64, 130):
                for target in ("xcup", "ecp5"):
                    tree = plan_plane_sum(lanes, PlaneWord(bounds, gate), load(target))
                    taken = [n for _, inputs in tree.nodes for n in inputs]
                    assert sorted(taken) == list(range(lanes + len(tree.nodes) - 1))
                    assert tree.bounds == Bounds(lanes * bounds.low, lanes * bounds.high)


MUTANTS = {
    "no doubling": ("weights", r"(negate, word\[\d+\]), doubles,", r"\1, 1'h0,"),
    "no negation": ("weights", r"\{ 1'h1, negate,", "{ 1'h1, 1'h0,"),
    "lane ungated": ("weights", r"gate1, gate0, word1\[0\]", "gate1, 1'h1, word1[0]"),
    "sum not cleared": ("weights", r"assign clear = show \| rst;", "assign clear = rst;"),
    "reset keeps the sum": ("weights", r"assign clear = show \| rst;", "assign clear = show;"),
    "precision never read": ("both", r"assign load = .*;", "assign load = 1'h0;"),
    "never valid": ("both", r"^    total_valid <= .*;", "    total_valid <= 0;"),
    "lost constant": ("both bipolar", r"INIT\(64'h[0-9a-f]*\)", "INIT(64'h0)"),
    "cut chain": ("parallel", r"\.CI\(chain_0_carry\)", ".CI(1'h0)"),
}


@pytest.mark.slow
def test_benches_pass_the_designs_and_catch_mutants():
    right = {(name, target): case(name, target) for name in DESIGNS for target in TARGETS}
    wrong = {}
    for name, (base, pattern, replacement) in MUTANTS.items():
        one = right[base, "xcup"]
        text, count = re.subn(pattern, replacement, one.verilog, flags=re.MULTILINE)
        assert count, f"nothing matches {pattern}"
        wrong[name] = Case(one.design, text, one.top, one.latency_cycles)
    cases = [*right.values(), *wrong.values()]
    verdicts = simulate(cases, vectors=300)
    passed = [verdict.passed for verdict in verdicts]
    assert passed == [True] * len(right) + [False] * len(wrong)
    assert len(wrong) == 9
    in_bulk = [bulk.check(one.verilog, one.design, 600) for one in cases]
    assert [verdict.passed for verdict in in_bulk] == passed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["parallel", "weights", "both"])
def test_a_million_vectors(name):
    verdict = bulk.check(case(name, "xcup").verilog, DESIGNS[name], 1_000_000)
    assert verdict.passed
    assert verdict.vectors >= 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "ecp5", "ice40"])
@pytest.mark.parametrize("name", ["parallel", "weights", "both bipolar"])
def test_the_estimate_is_what_yosys_counts(name, target):
    what, technology = DESIGNS[name], load(target)
    emitted = emit(what, technology)
    found = synthesis.synthesize(emitted.verilog, emitted.top, technology)
    told = costmodel.estimate(what, technology)
    assert told.ff == found.ff
    if target == "xcup":
        assert (told.lut, told.carry) == (found.lut, found.carry)
    assert abs(told.lut - found.lut) <= 0.04 * found.lut
    assert abs(told.sites - found.sites) <= 0.04 * found.sites


def test_sixteen_lanes_of_eight_bits_by_hand():
    # The tree: three rows of three words that are sums of gated pairs; 32 bits of accumulator.
    what = design("weight-serial", "int8", lanes=16, accumulator="wrap:32")
    told = costmodel.estimate(what, load("xcup"))
    tree = 7 * 9 + 3 * 11 + 12
    (counter,) = (part for part in told.breakdown if part.label == "sequencer")
    assert told.lut == tree + 32 + counter.lut
    assert told.lut <= 160
