"""Floating accumulators in hardware: every pair of codes at corner accumulators, and at random."""

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
DESIGNS = [
    *FMA,
    design("mac", "e4m3fn", accumulator="fp16", structure="rows"),
    design("mac", "e2m1fn", accumulator="e4m3fn"),
    design("mac", "e4m3fnuz", accumulator="e4m3fnuz"),
    design("mac", "e5m2", "int8", accumulator="fp32"),
    design("mac", "e4m3fn", accumulator="e5m2", specials="ignore"),
    design("mac", "e3m2fn", "e4m3fn", accumulator="e5m0finite", specials="ignore"),
    design("mac", "int8", accumulator="bfloat16"),
    design("mac", "fp16", accumulator="fp16", structure="rows"),
    design("dot", "e4m3fn", accumulator="fp16", lanes=2, structure="rows"),
    design("dot", "e5m2", accumulator="fp16", lanes=2),
    design("dot", "int4", accumulator="fp32", lanes=8),
    design("dot", "int8", accumulator="e4m3finite", lanes=4),
    design("dot", "e4m3fn", accumulator="e3m2fn", lanes=3, specials="ignore"),
    design("mxdot", "e2m1fn", structure="table"),
    design("mxdot", "fixed<8,2>", lanes=4),
    design("mxdot", "e4m3fn", lanes=3),
    design("mxdot", "e5m2", "e3m2fn", lanes=2, accumulator="bfloat16"),
    design("mxdot", "e4m3fn", lanes=2, specials="ignore"),
]
STEPS = 60_000


def emitted(what):
    return emit(what, XCUP)


@pytest.mark.parametrize("what", DESIGNS, ids=lambda d: d.slug)
def test_biased_and_uniform_steps(what):
    verdict = bulk.check(emitted(what).verilog, what, STEPS)
    assert verdict.first is None
    assert verdict.passed
    assert verdict.vectors >= STEPS


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


def test_designs_run_in_cocotb():
    chosen = [
        *FMA,
        design("dot", "e4m3fn", accumulator="fp16", lanes=2, structure="rows"),
        design("mxdot", "e2m1fn", lanes=4, structure="table"),
        design("array", "e4m3fn", accumulator="fp16", rows=2, columns=2, structure="rows"),
        design("tile", "int4", accumulator="bfloat16", rows=2, columns=2, lanes=2),
    ]
    cases = []
    for what in chosen:
        made = emitted(what)
        cases.append(Case(what, made.verilog, made.top, made.record["latency_cycles"]))
    verdicts = simulate(cases, vectors=2000)
    assert [verdict.passed for verdict in verdicts] == [True] * len(chosen)
    assert all(verdict.exhaustive for verdict in verdicts[:3])
    assert all(verdict.vectors >= 1000 for verdict in verdicts)


GOALS = [
    (FMA[0], 190),
    (FMA[1], 190),
    (FMA[2], 190),
    (design("dot", "e4m3fn", accumulator="fp16", lanes=2, structure="rows"), 480),
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
    made = emitted(design("mxdot", weight, structure="rows"))
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
        (design("dot", "int8", lanes=2, accumulator="float:fp32:sequential"), "in the mode step"),
        (design("mac", "e4m3fn", accumulator="float:fp32:once"), "mode once"),
        (design("dot", "bfloat16", lanes=2, accumulator="fp32"), "at most 160 bits"),
    ],
)
def test_what_has_no_hardware_says_so(what, message):
    with pytest.raises(ValueError, match=message):
        plan(what, XCUP)
