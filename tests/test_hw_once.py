"""Sums kept exactly and fitted where they are shown: rounded to a minifloat, or clamped."""

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
FP16 = design("mac", "e4m3fn", accumulator="float:fp16:once:256", structure="merged")
SATURATING = design("mac", "e2m1", accumulator="saturate:6:once:16", structure="rows")
SMALL = design("mac", "e2m1", accumulator="float:e3m2:once:16", structure="rows")
QUICK = [SMALL, SATURATING]
SLOW = [
    FP16,
    design("mac", "e5m2", accumulator="float:e4m3fn:once:16", structure="rows"),
    design("dot", "int4", lanes=4, accumulator="float:e2m1fn:once:16", structure="baugh-wooley"),
    design("mac", "fixed<4,-9>", accumulator="float:e3m2fn:once:4", structure="rows"),
    design("mac", "e5m2", accumulator="float:fp16:once:64", structure="rows"),
    design("dot", "e4m3", lanes=4, accumulator="float:bfloat16:once:256", structure="rows"),
    design("dot", "int8", lanes=4, accumulator="float:fp32:once:256", structure="rows"),
    design("dot", "ternary", lanes=16, accumulator="float:fp16:once", structure="compressor"),
    design("mac", "fixed<4,-3>", accumulator="float:e3m2fn:once:4", structure="rows"),
    design("mac", "e4m3fnuz", accumulator="float:e4m3fnuz:once:16", structure="rows"),
    design(
        "mac",
        "e4m3fn",
        accumulator="float:e5m1finite:once:16",
        structure="rows",
        specials="ignore",
    ),
    design("dot", "int8", lanes=4, accumulator="saturate:16:once:256", structure="rows"),
    design("mac", "int4", accumulator="saturate:20:once:16", structure="rows"),
]
STEPS = 40_000


@pytest.mark.parametrize("what", QUICK, ids=lambda d: d.slug)
def test_hardware_is_the_golden_model(what):
    check_golden(what, STEPS)


@pytest.mark.slow
@pytest.mark.parametrize("what", [*QUICK, *SLOW], ids=lambda d: d.slug)
def test_a_million_steps(what):
    check_golden(what, 1_000_000, seed=5)


@pytest.mark.slow
def test_numpy_rounds_the_exact_sum_the_same():
    """Sums of 64 products of e4m3 are exact in float64, which NumPy rounds once to float16."""
    from hw.formats import parse

    values = np.array([float(parse("e4m3finite").decode(code)) for code in range(256)])
    what = design("mac", "e4m3finite", accumulator="float:fp16:once:64", structure="rows")
    rng = np.random.default_rng(4)
    weight, activation = (rng.integers(256, size=(64 * 300, 1), dtype=np.uint8) for _ in "wa")
    last = np.tile(np.arange(64) == 63, 300)
    seen = Bulk(emit(what, XCUP).verilog, what).run(weight, activation, last).total[:, 0]
    products = (values[weight[:, 0]] * values[activation[:, 0]]).reshape(300, 64)
    with np.errstate(over="ignore"):
        wanted = np.cumsum(products, axis=1).astype(np.float16).reshape(-1)
    got = seen.astype(np.uint16).view(np.float16)
    assert np.array_equal(got, wanted)
    assert len(got) == 64 * 300
    assert np.isinf(got).any()
    assert len(set(got.tolist())) > 3000


MUTANTS = [
    (
        SMALL,
        "the wrong tie",
        r"assign up = sign \? (.*) : (.*);",
        r"assign up = sign ? \1 : guard;",
    ),
    (SMALL, "the last bit lost", r"\.register\((\w+)\)", r".register({\1[10:1], 1'h0})"),
    (SMALL, "NaN forgotten", r"\.seen_nan\(.*\)", ".seen_nan(1'h0)"),
    (SATURATING, "never clamped", r"assign fits = .*;", "assign fits = 1'h1;"),
]


@pytest.mark.parametrize(
    ("what", "name", "pattern", "replacement"), MUTANTS, ids=lambda v: str(v)[:18]
)
def test_wrong_hardware_is_noticed(what, name, pattern, replacement):
    check_noticed(what, pattern, replacement, STEPS)


@pytest.mark.slow
def test_designs_run_in_cocotb():
    exact = {"accumulator": "float:fp16:once:256", "structure": "rows"}
    check_cocotb(
        [
            FP16,
            design("array", "e4m3fn", rows=2, columns=2, **exact),
            design("tile", "e2m1fn", rows=2, columns=2, lanes=2, **exact),
            design("mac", "e4m3fn", pipeline=2, **exact),
            design("array", "int4", rows=2, columns=3, accumulator="saturate:9:once:32"),
        ]
    )


def test_size_and_estimate():
    made = emit(FP16, XCUP)
    measured, guess = synthesize(made.verilog, made.top, "xcup"), estimate(FP16, XCUP)
    assert abs(guess.lut / measured.lut - 1) < 0.03
    assert abs(guess.sites / measured.sites - 1) < 0.03
    assert guess.ff == measured.ff


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "xc7", "ecp5", "ice40", "gowin"])
def test_estimates_of_all(target):
    known, errors = load(target), []
    for what in [*QUICK, *SLOW]:
        if what.structure not in structures(what, known):
            continue
        made = emit(what, known)
        measured, guess = synthesize(made.verilog, made.top, target), estimate(what, known)
        errors.append(abs(guess.lut / measured.lut - 1))
        assert guess.ff == measured.ff
    assert len(errors) >= 12
    assert np.mean(errors) < 0.05
    assert max(errors) < (0.23 if target == "gowin" else 0.2)  # of 77 LUTs


def test_auto_takes_what_is_cheapest_for_the_exact_sum():
    what = FP16.with_structure("auto")
    found = resolve(what, XCUP)
    prices = {s: estimate(what.with_structure(s), XCUP).sites for s in structures(what, XCUP)[:4]}
    assert estimate(found, XCUP).sites == min(prices.values())
    assert clock(plan(found, XCUP)).fmax_mhz > 50


def test_what_cannot_be_is_refused():
    packed = design("tile", "int4", structure="packed", accumulator="saturate:9:once")
    wide = design("mac", "fp16", accumulator="float:fp32:once", structure="rows")
    still = design("array", "int4", dataflow="weight-stationary", accumulator="saturate:9:once")
    for what, message in (
        (packed, "the nearest is structure auto"),
        (wide, "at most 80 bits"),
        (still, "output-stationary"),
    ):
        with pytest.raises(ValueError, match=message):
            plan(what, XCUP)
