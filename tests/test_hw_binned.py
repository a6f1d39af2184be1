"""Exponent-binned accumulators: the exact sum, kept as a sum per group of exponents."""

import random
import re

import pytest
from sim_designs import design

from costmodel import estimate
from costmodel.timing import clock
from hw.design.binned import bins_of
from hw.plan import plan, structures
from hw.rtl import emit
from hw.synthesis import synthesize
from hw.target import load
from sim import bulk
from sim.golden import GoldenCore
from sim.harness import Case
from sim.runner import simulate
from sweeps.autotune import resolve

XCUP = load("xcup")


def binned(weight, bits, terms=256, **settings):
    accumulator = f"binned:{bits}:{terms}"
    return design("mac", weight, accumulator=accumulator, **{"structure": "rows"} | settings)


SMALL = binned("e2m1", 1, 16)
SLOW = [
    binned("e4m3fn", 3),
    binned("e4m3fn", 4, specials="ignore"),
    binned("e4m3fn", 0, 8),
    binned("e5m2", 4, 64),
    binned("e5m2", 5),
    binned("e3m2fn", 2, activation="int4"),
    binned("e2m1fn", 2, structure="behavioural"),
    binned("e4m3", 2, activation="e2m1fn"),
]
STEPS = 20_000


@pytest.mark.parametrize("what", [SMALL], ids=lambda d: d.slug)
def test_hardware_is_the_golden_model(what):
    verdict = bulk.check(emit(what, XCUP).verilog, what, STEPS)
    assert verdict.first is None
    assert verdict.passed
    assert verdict.vectors >= STEPS


@pytest.mark.slow
@pytest.mark.parametrize("what", SLOW, ids=lambda d: d.slug)
def test_more_hardware_is_the_golden_model(what):
    verdict = bulk.check(emit(what, XCUP).verilog, what, 60_000, seed=3)
    assert verdict.passed
    assert verdict.vectors >= 60_000


@pytest.mark.parametrize("what", [SMALL, SLOW[0], SLOW[4]], ids=lambda d: d.slug)
def test_it_is_the_exact_sum_as_long_as_the_terms_last(what):
    """Largest, smallest and random products: no bin overflows, and one product more can."""
    terms = what.accumulator.terms
    exact = design("mac", what.weight.name, accumulator=f"exact:{terms}")
    top = max(range(1 << what.weight.bits), key=what.weight.integer)
    rng = random.Random(9)
    runs = [[(top, top)] * terms, [(top | 1 << what.weight.bits - 1, top)] * terms]
    codes = range(1 << what.weight.bits)
    runs += [[(rng.choice(codes), rng.choice(codes)) for _ in range(terms)] for _ in range(5)]
    compared = 0
    for run in runs:
        cores = GoldenCore(what), GoldenCore(exact)
        for weight, activation in run:
            kept, wanted = (core.step([weight], [activation], False) for core in cores)
            assert (kept.total, kept.flags) == (wanted.total, wanted.flags)
            compared += 1
    assert compared == 7 * terms
    core, bins = GoldenCore(what), bins_of(what)
    inner = (what.largest_exponent + bins.offset) % bins.step
    longest = 3 * terms << (bins.step - 1 - inner)
    shown = [core.step([top], [top], False).flags["overflow"] for _ in range(longest)]
    assert not any(shown[:terms])
    assert shown[-1]


MUTANTS = [
    ("a bin that is never cleared", r"assign clear = rst \| ends;", "assign clear = rst;"),
    ("a copy that stays", r"assign clears_1 = .*;", "assign clears_1 = rst;"),
    ("a bin without sums", r"assign adds_1 = .*;", "assign adds_1 = 1'h0;"),
]


@pytest.mark.parametrize(("name", "pattern", "replacement"), MUTANTS, ids=lambda v: v[:12])
def test_wrong_hardware_is_noticed(name, pattern, replacement):
    verilog, count = re.subn(pattern, replacement, emit(SMALL, XCUP).verilog)
    assert count, name
    assert not bulk.check(verilog, SMALL, STEPS).passed


@pytest.mark.slow
def test_designs_run_in_cocotb():
    cases = []
    for what in (SMALL, SLOW[0], binned("e4m3fn", 3, pipeline=1)):
        made = emit(what, XCUP)
        cases.append(Case(what, made.verilog, made.top, made.record["latency_cycles"]))
    verdicts = simulate(cases, vectors=2000)
    assert [verdict.passed for verdict in verdicts] == [True] * 3
    assert all(verdict.vectors >= 500 for verdict in verdicts)


def check_estimate(what, target):
    known = load(target)
    made = emit(what, known)
    measured, guess = synthesize(made.verilog, made.top, target), estimate(what, known)
    assert guess.ff == measured.ff
    return abs(guess.lut / measured.lut - 1)


def test_size_and_estimate():
    assert check_estimate(SMALL, "xcup") < 0.05
    assert clock(plan(SMALL, XCUP)).fmax_mhz > 100


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "xc7", "ecp5", "ice40", "gowin"])
def test_estimates_of_all(target):
    errors = [check_estimate(what, target) for what in [SMALL, *SLOW]]
    assert len(errors) == 9
    assert sum(errors) / 9 < 0.06


@pytest.mark.parametrize("weight", ["e4m3fn", "e5m2"])
def test_the_exact_register_is_cheaper_for_a_mac(weight):
    """Bins save the wide shifter and row, but their sum costs more than both."""
    exact = resolve(design("mac", weight, accumulator="exact:256", structure="auto"), XCUP)
    prices = [
        estimate(resolve(binned(weight, bits, structure="auto"), XCUP), XCUP).sites
        for bits in range(1, 6)
    ]
    assert min(prices) > 1.5 * estimate(exact, XCUP).sites


def test_bins_are_as_wide_as_their_terms_need():
    bins = bins_of(SLOW[0])
    assert (bins.offset, bins.first, bins.count) == (2, 0, 4)
    assert bins.bits == (15 * 15 * 256 << 7).bit_length() + 1
    assert structures(SLOW[0], XCUP) == ("behavioural", "rows")


@pytest.mark.parametrize(
    ("kind", "weight", "settings", "message"),
    [
        ("mac", "int8", {}, "have one exponent"),
        ("mac", "bfloat16", {}, "at most 80 bits"),
        ("dot", "e4m3fn", {"lanes": 2}, "belongs to a mac, not a dot"),
    ],
)
def test_what_cannot_be_binned_is_refused(kind, weight, settings, message):
    what = design(kind, weight, accumulator="binned:3", structure="rows", **settings)
    with pytest.raises(ValueError, match=message):
        plan(what, XCUP)


def test_bits_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"0\.\.5 bits of an exponent"):
        binned("e4m3fn", 6)
