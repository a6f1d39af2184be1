"""Floating accumulators in hardware: every pair of codes at corner accumulators, and at random."""

import re

import ml_dtypes
import numpy as np
import pytest
from sim_designs import design

from costmodel import estimate
from hw.design import MxDotProduct, from_record
from hw.plan import plan
from hw.rtl import emit
from hw.synthesis import synthesize
from hw.target import load
from sim import bulk
from sim.bulk import Bulk
from sim.golden import GoldenCore, run_steps
from sim.harness import Case
from sim.runner import simulate
from sim.vectors import random_steps

XCUP = load("xcup")
FMA = [
    design("mac", "e4m3fn", accumulator="e4m3fn", structure="rows"),
    design("mac", "e4m3", accumulator="e4m3", structure="rows"),
    design("mac", "e5m2", accumulator="e5m2", structure="table"),
]
QUICK = [
    *FMA,
    design("mac", "e4m3fnuz", accumulator="e4m3fnuz"),
    design("mac", "int8", accumulator="bfloat16"),
    design("dot", "e4m3fn", accumulator="fp16", lanes=2, structure="rows"),
    design("dot", "e4m3fn", accumulator="e3m2fn", lanes=3, specials="ignore"),
    design("dot", "e4m3fn", accumulator="fp16", lanes=2, structure="merged"),
    design("dot", "e3m2fn", accumulator="e3m1finite", lanes=4, structure="rows"),
    design("mac", "fixed<4,-3>", accumulator="e3m2fn", structure="rows"),
    design("mxdot", "e2m1fn", lanes=4, structure="table"),
]
SLOW = [
    design("mac", "e4m3fn", accumulator="fp16", structure="rows"),
    design("mac", "e2m1fn", accumulator="e4m3fn"),
    design("mac", "e5m2", "int8", accumulator="fp32"),
    design("mac", "e4m3fn", accumulator="e5m2", specials="ignore"),
    design("mac", "e3m2fn", "e4m3fn", accumulator="e5m1finite", specials="ignore"),
    design("mac", "fp16", accumulator="fp16", structure="rows"),
    design("mac", "bfloat16", accumulator="fp32"),
    design("dot", "e5m2", accumulator="fp16", lanes=2),
    design("dot", "e5m2", accumulator="fp16", lanes=2, structure="merged"),
    design("mxdot", "e4m3fn", lanes=8, structure="merged"),
    design("dot", "e4m3fn", accumulator="fp16", lanes=4, structure="rows"),
    design("dot", "int4", accumulator="fp32", lanes=8),
    design("dot", "int8", accumulator="e4m3finite", lanes=4),
    design("mxdot", "e2m1fn", structure="table"),
    design("mxdot", "fixed<8,2>", lanes=4),
    design("mxdot", "e4m3fn", lanes=8, structure="rows"),
    design("mxdot", "e5m2", "e3m2fn", lanes=2, accumulator="bfloat16"),
    design("mxdot", "e4m3fn", lanes=2, specials="ignore"),
]
DESIGNS = [*QUICK, *SLOW]
STEPS = 60_000


def emitted(what):
    return emit(what, XCUP)


@pytest.mark.parametrize("what", QUICK, ids=lambda d: d.slug)
def test_biased_and_uniform_steps(what):
    verdict = bulk.check(emitted(what).verilog, what, STEPS)
    assert verdict.first is None
    assert verdict.passed
    assert verdict.vectors >= STEPS


@pytest.mark.slow
@pytest.mark.parametrize("what", DESIGNS, ids=lambda d: d.slug)
def test_a_million_steps(what):
    verdict = bulk.check(emitted(what).verilog, what, 1_000_000, seed=7)
    assert verdict.passed
    assert verdict.vectors >= 1_000_000


@pytest.mark.parametrize("what", FMA, ids=lambda d: d.slug)
def test_every_pair_of_codes_at_corner_accumulators(what):
    """Two steps a sum: one that brings the accumulator to a code, one that is looked at."""
    format, one = what.accumulator.format, what.weight.encode(1)
    top = format.maximum_code
    normal = 1 << format.fraction_bits
    corners = {0, 1, normal - 1, normal, normal + 1, top // 2, top - 1, top}
    if format.has_infinity:
        corners.add(top + 1)
    codes = sorted(corners | {code | 1 << (format.bits - 1) for code in corners if code})
    chip = Bulk(emitted(what).verilog, what)
    pairs = np.arange(1 << 16, dtype=np.uint16)
    seen = 0
    for code in codes:
        weight = np.full((len(pairs), 2, 1), one, np.uint16)
        activation = np.full((len(pairs), 2, 1), code, np.uint16)
        weight[:, 1, 0], activation[:, 1, 0] = pairs >> 8, pairs & 255
        last = np.tile([False, True], len(pairs))
        operands = weight.reshape(-1, 1), activation.reshape(-1, 1)
        total = chip.run(*operands, last).total[:, 0]
        assert (total[::2] == code).all()
        wanted = run_steps(what, *operands, last).total[:, 0]
        assert (total == wanted).all()
        seen += len(pairs)
    assert seen == len(codes) << 16 >= 15 << 16


@pytest.mark.parametrize("what", DESIGNS[::4], ids=lambda d: d.slug)
def test_the_vectorised_model_is_the_scalar_one(what):
    steps = random_steps(what, 400, np.random.default_rng(3))
    core = GoldenCore(what)
    shown = run_steps(what, steps.weight, steps.activation, steps.last)
    for i in range(400):
        operands = steps.weight[i].tolist(), steps.activation[i].tolist()
        assert core.step(*operands, bool(steps.last[i])).total == int(shown.total[i, 0])


def run_in_cocotb(designs):
    cases = []
    for what in designs:
        made = emitted(what)
        cases.append(Case(what, made.verilog, made.top, made.record["latency_cycles"]))
    verdicts = simulate(cases, vectors=2000)
    assert [verdict.passed for verdict in verdicts] == [True] * len(designs)
    assert all(verdict.vectors >= 1000 for verdict in verdicts)
    return verdicts


def test_designs_run_in_cocotb():
    mx = design("mxdot", "e2m1fn", lanes=4, structure="table")
    fused, *_ = run_in_cocotb([FMA[0], mx])
    assert fused.exhaustive


@pytest.mark.slow
def test_more_designs_run_in_cocotb():
    run_in_cocotb(
        [
            *FMA[1:],
            design("dot", "e4m3fn", accumulator="fp16", lanes=2, structure="rows"),
            design("array", "e4m3fn", accumulator="fp16", rows=2, columns=2, structure="rows"),
            design("tile", "int4", accumulator="bfloat16", rows=2, columns=2, lanes=2),
            design("mac", "e4m3fn", accumulator="fp16", structure="rows", pipeline=2),
        ]
    )


@pytest.mark.parametrize("lanes", [1, 2])
def test_numpy_rounds_the_same(lanes):
    """Products and sums are exact in float64, which NumPy rounds once to float16."""
    kind = {"kind": "dot", "lanes": lanes}
    what = design(weight="e4m3fn", accumulator="fp16", structure="rows", **kind)
    rng = np.random.default_rng(11)
    table = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn).astype(np.float64)
    weight, activation = (rng.integers(256, size=(40_000, lanes), dtype=np.uint8) for _ in "wa")
    last = rng.random(len(weight)) < 0.1
    seen = Bulk(emitted(what).verilog, what).run(weight, activation, last).total[:, 0]
    state, numbers = np.float64(0), 0
    with np.errstate(over="ignore", invalid="ignore"):
        steps = (table[weight] * table[activation]).sum(axis=1)
        for step, ends, code in zip(steps, last, seen.astype(np.uint16), strict=True):
            state = np.float64(np.float16(state + step))
            got = code.view(np.float16)
            assert got == state or (np.isnan(got) and np.isnan(state))
            numbers += not np.isnan(state)
            state = np.float64(0) if ends else state
    assert numbers > 20_000


MUTANTS = [
    ("the wrong tie", r"assign up = sign \? (.*) : (.*);", r"assign up = sign ? \1 : guard;"),
    ("no sticky bit", r"(_rounder the_rounder \([^;]*\.sticky)\([^)]*\)", r"\1(1'h0)"),
    ("no limit of the count", r"\.held\(.*\)", ".held(1'h0)"),
    ("a forgotten borrow", r"\.carry\(.*\)", ".carry(1'h0)"),
]


@pytest.mark.parametrize(("name", "pattern", "replacement"), MUTANTS, ids=lambda v: v[:12])
def test_wrong_hardware_is_noticed(name, pattern, replacement):
    verilog, count = re.subn(pattern, replacement, emitted(FMA[0]).verilog)
    assert count, name
    assert not bulk.check(verilog, FMA[0], STEPS).passed


GOALS = [
    (FMA[0], 190),
    (FMA[1], 190),
    (FMA[2], 190),
    (design("dot", "e4m3fn", accumulator="fp16", lanes=2, structure="merged"), 480),
    (design("mxdot", "e2m1fn", structure="table"), 1300),
]


@pytest.mark.parametrize(("what", "most"), GOALS, ids=lambda v: getattr(v, "slug", None))
def test_size_and_estimate(what, most):
    made = emitted(what)
    measured = synthesize(made.verilog, made.top, "xcup")
    assert measured.lut <= measured.sites <= most
    guess = estimate(what, XCUP)
    assert abs(guess.lut / measured.lut - 1) < 0.1
    assert abs(guess.sites / measured.sites - 1) < 0.1
    assert guess.ff == measured.ff


@pytest.mark.slow
@pytest.mark.parametrize(("weight", "most"), [("fixed<8,2>", 2600), ("e4m3fn", 4200)])
def test_size_of_whole_mx_blocks(weight, most):
    structure = "merged" if weight == "e4m3fn" else "rows"
    made = emitted(design("mxdot", weight, structure=structure))
    assert synthesize(made.verilog, made.top, "xcup").sites <= most


def test_an_mx_dot_product_is_a_design():
    what = design("mxdot", "e4m3fn", structure="rows")
    assert isinstance(what, MxDotProduct)
    assert (what.lanes, what.operand_codes, what.accumulator.name) == (32, 33, "float:fp32:step")
    assert from_record(what.to_record()) == what
    ports = emitted(what).verilog
    assert "input [263:0] weight;" in ports


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (("mxdot", "int8", {"accumulator": "exact"}), "adds to a floating accumulator once per"),
        (("mxdot", "int8", {"accumulator": "float:fp32:sequential"}), "once per step"),
        (("mxdot", "e2m1fn", {"accumulator": "e4m3finite"}), "can be NaN has NaN"),
    ],
)
def test_impossible_mx_dot_products_are_refused(record, message):
    kind, weight, settings = record
    with pytest.raises(ValueError, match=message):
        design(kind, weight, **settings)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (design("dot", "bfloat16", lanes=2, accumulator="fp32"), "at most 160 bits"),
    ],
)
def test_what_has_no_hardware_says_so(what, message):
    with pytest.raises(ValueError, match=message):
        plan(what, XCUP)
