"""Words that the activity formula runs in floating sums, windows, squares: the golden sums."""

from itertools import chain

import numpy as np
import pytest

from costmodel import coefficients
from costmodel.activity_constant import constant_toggles
from costmodel.activity_float import FloatSum
from costmodel.activity_float_core import float_toggles
from costmodel.activity_heap import square_toggles
from costmodel.activity_planes import values_of
from costmodel.activity_window import window_toggles
from hw.design import from_record
from hw.plan import plan
from hw.target import load
from sim.golden import run_steps
from sweeps.activity import statistics_of
from sweeps.streams import operand_stream

STREAMS = 4
FLOATS = (
    ("e4m3fn", "e4m3fn", 1, "fp16", "rows"),
    ("e5m2", "e5m2", 1, "fp16", "behavioural"),  # overflows, and is -0 at times
    ("e3m2fn", "int4", 3, "bfloat16", "rows"),
    ("e4m3fn", "e2m1fn", 4, "fp32", "merged"),
    ("e4m3fn", "e4m3fn", 1, "e4m3fn", "rows"),
)
WINDOWS = (
    ("int6", "e3m3finite", 1, "window:16:64", "rows"),
    ("e5m2", "e4m3fn", 3, "window:20:256", "rows"),
    ("e3m3finite", "e3m3finite", 1, "window:16:64", "merged"),
    ("e4m3fn", "e4m3fn", 2, "window:70:256", "merged"),
    ("int4", "int4", 2, "window:16:64", "behavioural"),
)


def design_of(weight, activation, lanes, accumulator, structure):
    record = {"weight": weight, "activation": activation, "accumulator": accumulator}
    record |= {"kind": "mac"} if lanes == 1 else {"kind": "dot", "lanes": lanes}
    return from_record(record | {"structure": structure})


def codes_of(planes, bits, given):
    """Return the words that planes hold, shape (streams, steps)."""
    places = values_of(planes[:bits], given.last.size).astype(object)
    return sum(row << place for place, row in enumerate(places)).reshape(given.last.shape)


def run(design, target, name):
    """Return a stream, its sample, and the sum after each step as the formula runs it."""
    stream = operand_stream(design, name, streams=STREAMS)
    given, technology = statistics_of(design, stream), load(target)
    core = plan(design, technology).core
    if design.is_window:
        _, sums = window_toggles(core, given, coefficients.load(target))
    else:
        _, sums = float_toggles(core, design, technology, given)
    return stream, codes_of(sums, design.accumulator_bits, given)


def differences(design, target, name):
    stream, found = run(design, target, name)
    wanted = [
        run_steps(design, stream.weight[s], stream.activation[s], stream.last[s]).ints()
        for s in range(STREAMS)
    ]
    mask = (1 << design.accumulator_bits) - 1
    return sum(int(f) != w & mask for f, w in zip(found.flat, chain(*wanted), strict=True))


@pytest.mark.parametrize("case", [*FLOATS, *WINDOWS])
def test_sums_are_those_of_the_golden_model(case):
    design, checked = design_of(*case), 0
    for target in ("xcup", "ecp5"):
        if case[-1] == "merged" and target == "ecp5":
            continue
        for name in ("uniform", "digits"):
            assert differences(design, target, name) == 0
            checked += STREAMS * 65
    assert checked >= 2 * STREAMS * 65


def test_sums_of_blocks_follow_their_scales():
    record = {"kind": "mxdot", "weight": "e2m3fn", "lanes": 4, "structure": "rows"}
    assert differences(from_record(record), "xcup", "uniform") == 0


@pytest.mark.parametrize(("part", "case"), [("_dropped", FLOATS[-1]), ("_beyond", FLOATS[1])])
def test_a_bit_that_gets_lost_is_noticed(part, case, monkeypatch):
    monkeypatch.setattr(FloatSum, part, lambda *_: 0)
    assert differences(design_of(*case), "xcup", "uniform") > 0


def test_squares_and_constants_are_what_they_are():
    square = from_record({"kind": "square", "activation": "int5", "lanes": 3})
    stream = operand_stream(square, "uniform", streams=STREAMS)
    values = (stream.activation.astype(int) ^ 16) - 16
    given = statistics_of(square, stream)
    for target in ("xcup", "ecp5"):
        _, sums = square_toggles(plan(square, load(target)).core, given)
        found = codes_of(sums, square.accumulator_bits, given)
        steps = (values**2).sum(axis=2)
        before = np.concatenate([np.zeros((STREAMS, 1), int), np.cumsum(steps, axis=1)], axis=1)
        starts = np.concatenate([np.ones((STREAMS, 1), bool), stream.last[:, :-1]], axis=1)
        begun = np.maximum.accumulate(np.where(starts, np.arange(65), 0), axis=1)
        assert (found == before[:, 1:] - np.take_along_axis(before, begun, axis=1)).all()
    weights = [[3, -5, 93], [-77, 12, 0]]
    constant = from_record({"kind": "constdot", "weights": weights, "activation": "int5"})
    given = statistics_of(constant, stream)
    checked = 0
    for target in ("xcup", "ecp5"):
        core = plan(constant, load(target)).core
        _, nodes = constant_toggles(core, given, coefficients.load(target))
        for row, (node, shift, _) in zip(weights, core.outputs, strict=True):
            bits = constant.total_bits - shift
            low = codes_of(nodes[node], bits, given)
            wanted = (values @ row) >> shift
            assert ((low - wanted) % (1 << min(bits, len(nodes[node]))) == 0).all()
            checked += 1
    assert checked == 4
