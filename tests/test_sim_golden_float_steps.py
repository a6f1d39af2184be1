"""Floating accumulators for whole arrays: equal to the specification, bit for bit."""

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.design import from_record
from hw.formats import Special, parse
from sim.golden import GoldenCore, float_sum, run_steps, run_stream, run_tiles
from sim.golden.float_grid import codes_of, rounded
from sim.golden.odd import odd_sum
from sim.golden.scalar import array_results
from sim.golden.tables import value_table

ACCUMULATORS = [
    *("fp32", "fp16", "bfloat16", "e4m3fn", "e5m2", "e4m3fnuz", "e2m1fn"),
    *("e3m1finite", "e8m3b200", "e4m3b700", "binary8p4se", "binary6p3sf"),
]
PAIRS = [
    ("e5m2", "e5m2"),
    ("e4m3fn", "int8"),
    ("bfloat16", "bfloat16"),
    ("fp16", "e5m2"),
    ("e2m1fn", "e3m0finite"),
    ("int16", "int16"),
    ("e4m3fnuz", "fixed<8,-3>"),
    ("e8m3b900", "e8m3b1000"),
]
FITTED = ["saturate:12:once:300", "saturate:64:once:300", "saturate:80:once:300"]


def make(pair, accumulator, lanes, specials="flag", kind="dot", **more):
    record = {"kind": kind, "weight": pair[0], "activation": pair[1], "accumulator": accumulator}
    size = {"lanes": lanes} if kind == "dot" else {}
    return from_record(record | size | {"specials": specials} | more)


def by_steps(design, weights, activations, last):
    core = GoldenCore(design)
    rows = zip(weights.tolist(), activations.tolist(), last.tolist(), strict=True)
    return [core.step(w, a, end) for w, a, end in rows]


def assert_equal(design, weights, activations, last):
    found = run_steps(design, weights, activations, last)
    wanted = by_steps(design, weights, activations, last)
    mask = (1 << 64 * found.total.shape[1]) - 1
    totals = [total & mask for total in found.ints()]
    assert totals == [output.total & mask for output in wanted], design.slug
    for name in design.flags:
        assert found.flags[name].tolist() == [output.flags[name] for output in wanted]
    assert set(found.flags) == set(design.flags)
    assert found.total_valid.tolist() == last.tolist()
    assert not found.exponent.any()
    return found


def near_codes(format, rng, shape):
    """Codes of any kind, or of values near one another, so that sums cancel and round."""
    codes = rng.integers(1 << format.bits, size=shape)
    if hasattr(format, "fields") and rng.random() < 0.6:
        middle = format.encode(1 if format.maximum >= 1 else format.maximum)
        near = middle + rng.integers(-(3 << format.fraction_bits), 3 << format.fraction_bits, shape)
        codes = np.clip(near, 0, (1 << format.bits - 1) - 1)
        codes |= rng.integers(2, size=shape) << (format.bits - 1)
    return codes


def cannot_carry(pair, name, specials):
    format = parse(name.split(":")[1]) if name.startswith("float") else None
    needs = specials == "flag" and any(parse(operand).has_specials for operand in pair)
    return needs and format is not None and not format.has_specials


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_arrays_equal_the_specification(pair):
    rng, steps, designs = np.random.default_rng(11), 0, 0
    modes = ("step", "sequential", "once:300")
    names = [f"float:{name}:{mode}" for name, mode in itertools.product(ACCUMULATORS, modes)]
    for name, specials in itertools.product([*names, *FITTED], ("flag", "ignore")):
        lanes = int(rng.integers(1, 6))
        if cannot_carry(pair, name, specials):
            with pytest.raises(ValueError, match="has none"):
                make(pair, name, lanes, specials)
            continue
        design = make(pair, name, lanes, specials)
        weights = near_codes(design.weight, rng, (120, lanes))
        activations = near_codes(design.activation, rng, (120, lanes))
        assert_equal(design, weights, activations, rng.random(120) < 0.15)
        steps += 120
        designs += 1
    silent = 3 * 2 if any(parse(name).has_specials for name in pair) else 0
    assert designs == 2 * 39 - silent  # e2m1fn and e3m1finite in three modes each
    assert steps == 120 * designs


def test_one_long_sum_and_many_short_ones():
    rng = np.random.default_rng(5)
    for name in ("fp16", "float:bfloat16:sequential"):
        design = make(("e4m3fn", "e4m3fn"), name, 4)
        codes = rng.integers(256, size=(2, 2000, 4))
        codes[(codes & 127) == 127] = 1
        for last in (np.zeros(2000, bool), rng.random(2000) < 0.005, np.ones(2000, bool)):
            assert_equal(design, *codes, last)


def test_streams_and_tiles_go_the_same_way():
    rng = np.random.default_rng(6)
    design = make(("e5m2", "e5m2"), "fp16", 2)
    weights, activations = rng.integers(256, size=(2, 300, 2))
    valid, last, reset = (rng.random(300) < p for p in (0.7, 0.2, 0.05))
    found = run_stream(design, weights, activations, valid, last, reset)
    core, shown, checked = GoldenCore(design), 0, 0
    for cycle in range(300):
        if reset[cycle]:
            core.reset()
            shown = 0
        elif valid[cycle]:
            shown = core.step(weights[cycle], activations[cycle], last[cycle]).total
        assert found.ints()[cycle] == shown
        checked += 1
    assert checked == 300
    array = make(("e4m3fn", "int4"), "e5m2", 1, kind="array", rows=3, columns=2)
    w, a = rng.integers(256, size=(4, 6, 2)), rng.integers(16, size=(4, 3, 6))
    tiles = run_tiles(array, w, a)
    for tile in range(4):
        wanted = array_results(array, w[tile].tolist(), a[tile].tolist())
        totals = [[output.total for output in row] for row in wanted]
        assert tiles.total[tile, :, :, 0].tolist() == totals


# The two roundings -------------------------------------------------------------------------------


@given(
    st.lists(
        st.builds(
            lambda m, e, s: (-1.0 if s else 1.0) * float(Fraction(m) * Fraction(2) ** e),
            st.integers(0, (1 << 53) - 1),
            st.sampled_from([-120, -60, -53, -52, -1, 0, 1, 30, 52, 53, 54, 107, 200]),
            st.booleans(),
        ),
        min_size=2,
        max_size=7,
    )
)
@settings(max_examples=600, deadline=None)
def test_sums_are_rounded_to_odd(numbers):
    exact = sum(map(Fraction, numbers))
    found = odd_sum([np.array([number]) for number in numbers])[0]
    alone = float_sum.odd_sum(numbers)
    assert (alone, math.copysign(1, alone)) == (found, np.copysign(1, found))
    if Fraction(float(found)) == exact:
        return
    neighbours = [np.nextafter(found, way) for way in (-np.inf, np.inf)]
    assert Fraction(float(neighbours[0])) < exact < Fraction(float(neighbours[1]))
    assert int(found.view(np.int64)) & 1


def test_sums_that_need_every_addend():
    """Ties that a last, far smaller addend breaks, and total cancellation."""
    big, tiny = 2.0**60, 2.0**-300
    cases = [
        ([big, 2.0**7, tiny], big + 2.0**8),
        ([big, 2.0**7, -tiny], big + 2.0**8),
        ([big, -tiny, -tiny], big - 2.0**7),
        ([-big, 2.0**6, tiny], 2.0**7 - big),
        ([big, 1.0, -big, tiny, -1.0], tiny),
        ([tiny, big, -big], tiny),
        ([big, tiny, tiny, -2 * tiny], big),
    ]
    checked = 0
    for numbers, wanted in cases:
        for order in itertools.permutations(numbers):
            assert odd_sum([np.array([number]) for number in order])[0] == wanted
            assert float_sum.odd_sum(order) == wanted
            checked += 1
    assert checked == 5 * 6 + 120 + 24
    zeros = [np.array([0.0, -0.0, -0.0]), np.array([-0.0, -0.0, 0.0]), np.array([-0.0] * 3)]
    assert np.signbit(odd_sum(zeros)).tolist() == [False, True, False]
    assert np.signbit(odd_sum(zeros[:2])).tolist() == [False, True, False]


def test_specials_add_as_ieee_says():
    values = [0.0, -0.0, 1.5, -1.5, np.inf, -np.inf, np.nan]
    for triple in itertools.product(values, repeat=3):
        found = odd_sum([np.array([value]) for value in triple])[0]
        with np.errstate(invalid="ignore"):
            wanted = np.float64(triple[0]) + triple[1] + triple[2]
        alone = float_sum.odd_sum(triple)
        for value in (found, alone):
            assert np.array_equal(value, wanted, equal_nan=True)
            assert np.isnan(wanted) or np.signbit(value) == np.signbit(wanted)


@pytest.mark.parametrize("name", [*ACCUMULATORS[1:], "e1m5finite", "e5m2fnuz", "e6m9"])
def test_the_grid_is_that_of_the_format(name):
    """All midpoints and their neighbours of formats up to 8 bits, 4000 samples of larger ones."""
    format, rng = parse(name), random.Random(2)
    top = Fraction(format.maximum)
    if format.bits <= 8:
        levels = sorted({value for value in format.values() if not isinstance(value, Special)})
        points = [*levels, *((a + b) / 2 for a, b in itertools.pairwise(levels))]
        points += [top + (levels[-1] - levels[-2]) * Fraction(k, 4) for k in range(1, 6)]
    else:
        codes = [rng.randrange(format.maximum_code) for _ in range(2000)]
        levels = [format.decode(code) for code in codes]
        points = [*levels, *((format.decode(c) + format.decode(c + 1)) / 2 for c in codes)]
    numbers = np.array([float(point) for point in points])
    near = np.nextafter(numbers, np.inf), np.nextafter(numbers, -np.inf)
    numbers = np.concatenate([numbers, -numbers, *near, [0.0, -0.0]])
    accumulator = make(("int8", "int8"), name, 1).accumulator
    codes = codes_of(rounded(numbers, format), format)
    wanted = [format.encode(number, overflow=accumulator.overflow) for number in numbers.tolist()]
    assert codes.tolist() == wanted
    assert len(wanted) > 50
    alone = [float_sum.Grid.of(format).rounded(number) for number in numbers.tolist()]
    assert codes_of(np.array(alone), format).tolist() == wanted


def test_cancellation_gives_a_positive_zero():
    for numbers in ([1e30, 1.0, -1e30, -1.0], [-1e30, -1.0, 1e30, 1.0], [1.0, -1.0, -0.0]):
        assert math.copysign(1, float_sum.odd_sum(numbers)) == 1
        assert not np.signbit(odd_sum([np.array([number]) for number in numbers])[0])


@pytest.mark.parametrize("name", ["fp16", "e4m3fn", "e5m2fnuz", "e3m2fn", "e4m3", "binary8p4se"])
def test_codes_of_values_are_their_codes(name):
    format = parse(name)
    table = value_table(format)
    found = codes_of(table, format)
    numbers = np.isfinite(table)
    assert np.array_equal(found[numbers], np.flatnonzero(numbers))
    nan = np.isnan(table)
    assert (found[nan] == (format.encode(Special.NAN) if nan.any() else 0)).all()
    infinite = np.isinf(table)
    assert np.array_equal(found[infinite], np.flatnonzero(infinite))
    assert len(found) == 1 << format.bits
