"""Floating accumulators that round after each of a step's products, in hardware."""

import numpy as np
import pytest
from bulk_checks import check_cocotb, check_golden, check_noticed
from sim_designs import design

from costmodel import estimate
from costmodel.timing import clock
from hw.plan import plan, structures
from hw.rtl import emit
from hw.synthesis import synthesize
from hw.target import load
from sim.bulk import Bulk
from sweeps.autotune import resolve

XCUP = load("xcup")


def sequential(weight, format, **settings):
    return design("dot", weight, accumulator=f"float:{format}:sequential", **settings)


FP16 = sequential("e4m3fn", "fp16", lanes=2, structure="rows")
QUICK = [sequential("e2m1", "e3m2", lanes=2, structure="rows")]
SLOW = [
    FP16,
    sequential("e2m1fn", "e4m3fn", lanes=4, structure="table"),
    sequential("e5m2", "fp16", lanes=4, structure="rows"),
    sequential("int8", "bfloat16", lanes=2, structure="rows"),
    sequential("e4m3fn", "e4m3fn", lanes=2, structure="rows"),
    sequential("e4m3fn", "fp32", lanes=3, structure="rows", specials="ignore"),
    sequential("e4m3fnuz", "e4m3fnuz", lanes=2, structure="rows"),
    sequential("fixed<4,-3>", "e3m2fn", lanes=5, structure="rows"),
]
STEPS = 30_000


@pytest.mark.parametrize("what", QUICK, ids=lambda d: d.slug)
def test_hardware_is_the_golden_model(what):
    check_golden(what, STEPS)


@pytest.mark.slow
@pytest.mark.parametrize("what", [*QUICK, *SLOW], ids=lambda d: d.slug)
def test_many_steps(what):
    check_golden(what, 300_000, seed=5)


@pytest.mark.slow
def test_it_is_a_mac_that_takes_the_lanes_in_turn():
    """Two lanes a step and one lane in two steps show the same, by two pieces of hardware."""
    rng = np.random.default_rng(8)
    weight, activation = (rng.integers(256, size=(6000, 2), dtype=np.uint8) for _ in "wa")
    last = rng.random(6000) < 0.1
    both = Bulk(emit(FP16, XCUP).verilog, FP16).run(weight, activation, last)
    single = design("mac", "e4m3fn", accumulator="fp16", structure="rows")
    turns = np.stack([np.zeros_like(last), last], axis=1).reshape(-1)
    operands = (side.reshape(-1, 1) for side in (weight, activation))
    alone = Bulk(emit(single, XCUP).verilog, single).run(*operands, turns)
    assert np.array_equal(both.total, alone.total[1::2])
    together = design("dot", "e4m3fn", lanes=2, accumulator="fp16", structure="rows")
    fused = Bulk(emit(together, XCUP).verilog, together).run(weight, activation, last)
    assert 100 < (fused.total != both.total).sum() < 6000


MUTANTS = [
    ("a lane left out", r"\.previous\(\w*following\w*\)", ".previous(accumulator)"),
    ("the wrong tie", r"assign up = sign \? (.*) : (.*);", r"assign up = sign ? \1 : guard;"),
]


@pytest.mark.parametrize(("name", "pattern", "replacement"), MUTANTS, ids=lambda v: v[:12])
def test_wrong_hardware_is_noticed(name, pattern, replacement):
    (what,) = QUICK
    check_noticed(what, pattern, replacement, STEPS)


@pytest.mark.slow
def test_designs_run_in_cocotb():
    settings = {"accumulator": "float:fp16:sequential", "structure": "rows", "lanes": 2}
    check_cocotb(
        [
            FP16,
            design("dot", "e4m3fn", pipeline=2, **settings),
            design("tile", "e2m1fn", rows=2, columns=2, **settings),
            design("array", "int4", rows=2, columns=2, **settings),
        ]
    )


def check_estimate(what, target):
    known = load(target)
    made = emit(what, known)
    measured, guess = synthesize(made.verilog, made.top, target), estimate(what, known)
    assert guess.ff == measured.ff
    assert abs(guess.sites / measured.sites - 1) < 0.2
    return abs(guess.lut / measured.lut - 1)


def test_size_and_estimate():
    assert check_estimate(FP16, "xcup") < 0.03


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "xc7", "ecp5", "ice40", "gowin"])
def test_estimates_of_all(target):
    served = [d for d in [*QUICK, *SLOW] if d.structure in structures(d, load(target))]
    errors = [check_estimate(what, target) for what in served]
    assert len(errors) >= 7
    assert np.mean(errors) < 0.04
    assert max(errors) < 0.2  # lanes whose products lie far below the sum's last bit


def test_auto_takes_the_cheapest_and_the_clock_falls_with_every_lane():
    found = [resolve(sequential("e4m3fn", "fp16", lanes=n, structure="auto"), XCUP) for n in (2, 4)]
    prices = {s: estimate(found[0].with_structure(s), XCUP).sites for s in ("rows", "behavioural")}
    assert estimate(found[0], XCUP).sites <= min(prices.values())
    two, four = (clock(plan(what, XCUP)).fmax_mhz for what in found)
    assert 0 < four < two
