"""Floating accumulators: the specification against NumPy, ml_dtypes and search of all values."""

import math
import random
from fractions import Fraction
from functools import cache

import ml_dtypes
import numpy as np
import pytest

from hw.accumulators import Accumulator
from hw.design import from_record
from hw.formats import Special, parse
from hw.formats.dtypes import to_dtype
from sim.golden import GoldenCore
from sim.golden.floating import Term, product, rounded, term, total
from sim.golden.tables import value_table


def make(weight, activation, accumulator, lanes=1, **more):
    record = {"kind": "dot", "weight": weight, "activation": activation, "lanes": lanes}
    return from_record(record | {"accumulator": accumulator} | more)


def feed(design, pairs, last=False):
    """Show the total after each step of values; a step is a pair of tuples, one value per lane."""
    core = GoldenCore(design)
    totals = []
    for weights, activations in pairs:
        codes = (
            [design.weight.encode(value) for value in weights],
            [design.activation.encode(value) for value in activations],
        )
        totals.append(core.step(*codes, last).total)
    return totals


def shown(design, pairs):
    return [design.accumulator.format.decode(code) for code in feed(design, pairs)]


def dtype_of(format):
    name = to_dtype(format)
    return np.dtype(getattr(ml_dtypes, name, name))


def canonical(value, format):
    """The bits of a NumPy or ml_dtypes number, every NaN as the one of the format."""
    if np.isnan(value):
        return format.encode(Special.NAN)
    return int(np.asarray(value).view(f"uint{format.bits}"))


# Against other floats --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["e5m2", "e4m3", "e3m4"])
def test_sums_of_two_are_those_of_ml_dtypes(name):
    """All pairs of codes, specials and both zeros among them."""
    format = parse(name)
    accumulator, checked, nans = Accumulator.floating(format), 0, 0
    codes = np.arange(256).astype(np.uint8)
    values = codes.view(dtype_of(format))
    with np.errstate(all="ignore"):
        sums = np.add.outer(values, values)
    terms = [term(format, code, "flag") for code in range(256)]
    for i, left in enumerate(terms):
        for j, right in enumerate(terms):
            code = rounded(accumulator, total([left, right]))
            assert code == canonical(sums[i, j], format), (i, j)
            nans += np.isnan(sums[i, j])
            checked += 1
    assert checked == 65536
    assert nans > 500


@pytest.mark.parametrize("pair", [("e4m3fn", "e5m2"), ("e5m2", "int3"), ("e2m1fn", "e4m3fnuz")])
def test_products_are_those_of_float64(pair):
    """All pairs of codes: float64 holds the products, its specials and zeros are IEEE's."""
    formats = [parse(name) for name in pair]
    tables = [value_table(format) for format in formats]
    with np.errstate(invalid="ignore"):
        expected = np.multiply.outer(*tables)
    checked = 0
    for i, row in enumerate(expected.tolist()):
        for j, value in enumerate(row):
            found = product(term(formats[0], i, "flag"), term(formats[1], j, "flag"))
            if isinstance(found.value, Special):
                assert found.value.value == str(value)
            else:
                assert found.value == value
                assert found.negative == (math.copysign(1, value) < 0)
            checked += 1
    assert checked == 1 << sum(format.bits for format in formats)


@pytest.mark.parametrize(
    ("pair", "accumulator"),
    [
        (("e5m2", "e5m2"), "fp32"),
        (("int8", "e4m3"), "fp32"),
        (("e4m3", "e4m3"), "fp16"),
        (("e4m3fn", "e2m1fn"), "fp16"),
        (("e3m2fn", "int4"), "bfloat16"),
    ],
)
def test_one_lane_is_an_addition_of_numpy(pair, accumulator):
    """Products the accumulator's type holds exactly; sums of 40 steps on average, and specials."""
    rng = random.Random(3)
    design = make(*pair, accumulator)
    kind = dtype_of(design.accumulator.format).type
    core, sum_so_far, checked = GoldenCore(design), kind(0), 0
    tables = value_table(design.weight), value_table(design.activation)
    for step in range(5000):
        codes = [rng.randrange(1 << format.bits) for format in (design.weight, design.activation)]
        last = rng.random() < 0.025
        output = core.step(codes[:1], codes[1:], last)
        with np.errstate(all="ignore"):
            exact = tables[0][codes[0]] * tables[1][codes[1]]
            assert np.isnan(exact) or float(kind(exact)) == exact
            sum_so_far = sum_so_far + kind(exact)
        assert output.total == canonical(sum_so_far, design.accumulator.format), (step, codes)
        assert output.flags == {}
        checked += 1
        sum_so_far = kind(0) if last else sum_so_far
    assert checked == 5000


# Against a search of all values ------------------------------------------------------------------


@cache
def nearest(format, exact):
    """The code by looking at every value: ties to the even code, saturating or infinite."""
    top = format.maximum
    finite = [c for c in range(1 << format.bits) if format.special(c) is None]
    wanted = [c for c in finite if (c >> (format.bits - 1) == 1) == (exact < 0)]
    if format.has_infinity and abs(exact) >= top + (top - ordered(format)[-2]) / 2:
        return format.encode(Special.POS_INF if exact > 0 else Special.NEG_INF, overflow=INFINITE)
    distance = {c: abs(format.decode(c) - exact) for c in wanted}
    least = min(distance.values())
    best = [c for c in wanted if distance[c] == least]
    return best[0] if len(best) == 1 else next(c for c in best if c % 2 == 0)


def ordered(format):
    return sorted({v for v in format.values() if not isinstance(v, Special)})


INFINITE = Accumulator.floating(parse("fp16")).overflow


@pytest.mark.parametrize("mode", ["step", "sequential", "once:4096"])
@pytest.mark.parametrize("accumulator", ["e4m3fn", "e5m2", "e3m4finite", "e4m3"])
def test_rounding_is_a_search_of_all_values(accumulator, mode):
    rng = random.Random(7)
    design = make("e3m2fn", "e2m3fn", f"float:{accumulator}:{mode}", lanes=3)
    format, core = design.accumulator.format, GoldenCore(design)
    exact, state, checked, infinite = Fraction(0), Fraction(0), 0, 0
    for step in range(400):
        codes = [[rng.randrange(64) for _ in range(3)] for _ in range(2)]
        last = step % 9 == 8
        output = core.step(*codes, last)
        products = [
            design.weight.decode(w) * design.activation.decode(a)
            for w, a in zip(*codes, strict=True)
        ]
        exact += sum(products)
        if mode == "once:4096":
            code = nearest(format, exact)
        elif mode == "step":
            code = added(format, state, sum(products))
        else:
            code, running = 0, state
            for one in products:
                code = added(format, running, one)
                running = format.decode(code)
        state = format.decode(code)
        found = output.total
        same_zero = format.decode(found) == 0 and state == 0  # the sign of zero: see below
        assert found == code or same_zero, (step, codes)
        infinite += isinstance(state, Special)
        checked += 1
        if last:
            exact, state = Fraction(0), Fraction(0)
    assert checked == 400
    assert (infinite > 0) == (accumulator == "e4m3")


def added(format, state, addend):
    if isinstance(state, Special):
        return format.encode(state, overflow=INFINITE)
    return nearest(format, state + addend)


# Rules by hand -----------------------------------------------------------------------------------


def test_the_three_modes_round_at_different_places():
    """In e3m1finite numbers of 2 bits: 4 + 0.5 + 0.5."""
    steps = [((4, 0), (1, 0)), ((0.5, 0.5), (1, 1)), ((0.5, 0.5), (1, 1))]
    step, sequential, once = (
        make("e3m2finite", "e3m2finite", f"float:e3m1finite:{mode}", lanes=2)
        for mode in ("step", "sequential", "once")
    )
    assert shown(step, steps) == [4, 4, 4]  # 4 + 1 is a tie, to the even 4
    assert shown(sequential, steps) == [4, 4, 4]
    assert shown(once, steps) == [4, 4, 6]
    steps = [((4, 0), (1, 0)), ((1, 0.5), (1, 1))]
    assert shown(step, steps) == [4, 6]
    assert shown(sequential, steps) == [4, 4]


def test_order_of_the_lanes_is_lane_0_first():
    design = make("e3m2finite", "e3m2finite", "float:e3m1finite:sequential", lanes=2)
    assert shown(design, [((4, 0), (1, 0)), ((1, 2), (1, 1))])[-1] == 6  # (4 + 1 → 4) + 2
    assert shown(design, [((4, 0), (1, 0)), ((2, 1), (1, 1))])[-1] == 8  # 6 + 1 = 7 → 8
    assert shown(design, [((4, 0), (1, 0)), ((-0.5, 0.5), (1, 1))])[-1] == 4  # 3.5 → 4, 4.5 → 4


def test_zeros():
    negative_zero = (-0.0, 1)
    assert feed(make("e4m3fn", "e4m3fn", "fp16"), [((-0.0,), (1,))]) == [0]  # +0 + -0
    zero, minus = Term(Fraction(0), False), Term(Fraction(0), True)
    for mode in ("step", "sequential"):
        accumulator = make("e5m2", "e5m2", f"float:fp16:{mode}").accumulator
        assert rounded(accumulator, total([minus, minus])) == 0x8000
        assert rounded(accumulator, total([minus, zero])) == 0
        assert (
            rounded(accumulator, total([Term(Fraction(1), False), Term(Fraction(-1), True)])) == 0
        )
    # A tiny negative sum underflows to -0 and stays so until a positive addend comes.
    tiny = 2.0**-14
    design = make("e5m2", "e5m2", "fp16")
    steps = [
        ((-tiny,), (tiny,)),
        (negative_zero[:1], (1,)),
        ((0.0,), (1,)),
        (negative_zero[:1], (1,)),
    ]
    assert feed(design, steps) == [0x8000, 0x8000, 0, 0]
    assert feed(make("e5m2", "e5m2", "float:fp16:once"), steps) == [0x8000] * 4
    assert feed(make("e5m2", "e5m2", "e4m3fnuz"), steps) == [0, 0, 0, 0]
    # A product of an integer zero and a negative number is -0.
    design = make("int4", "e5m2", "e4m3")
    assert feed(design, [((-1,), (2.0**-16,)), ((0,), (-1,)), ((0,), (1,))]) == [0x80, 0x80, 0]


@pytest.mark.parametrize("mode", ["step", "sequential", "once"])
def test_specials_are_carried_by_the_total(mode):
    design = make("e5m2", "e5m2", f"float:fp16:{mode}", lanes=2)
    infinity, nan = Special.POS_INF, Special.NAN
    minus = Special.NEG_INF
    codes = {infinity: 0x7C, minus: 0xFC, nan: 0x7E}

    def run(*steps):
        core = GoldenCore(design)
        given = [
            [
                [codes.get(v) or design.weight.encode(v) for v in side]
                for side in zip(*step, strict=True)
            ]
            for step in steps
        ]
        return [core.step(weights, activations, False).total for weights, activations in given]

    one, none = (1, 1), (0, 0)
    assert run([(infinity, 1), one], [one, one]) == [0x7C00, 0x7C00]
    assert run([(infinity, -1), one], [(infinity, 1), one], [one, one]) == [0xFC00, 0x7E00, 0x7E00]
    assert run([(infinity, minus), (infinity, infinity)]) == [0x7E00]
    assert run([(infinity, 0), none]) == [0x7E00]
    assert run([(nan, 1), one], [one, one]) == [0x7E00, 0x7E00]
    assert run([one, one]) == [0x4000]
    assert design.flags == (("overflow",) if mode == "once" else ())


@pytest.mark.parametrize("mode", ["step", "sequential", "once"])
def test_ignored_specials_are_zeros_of_their_sign(mode):
    design = make("e5m2", "e5m2", f"float:fp16:{mode}", specials="ignore")
    core = GoldenCore(design)
    codes = [(0x7C, 0x3C), (0xFE, 0x3C), (0x3C, 0x3C), (0x7C, 0x7E)]
    assert [core.step([w], [a], False).total for w, a in codes] == [0, 0, 0x3C00, 0x3C00]
    tiny = design.weight.encode(2.0**-14)
    core.reset()
    found = [core.step([w], [a], False).total for w, a in ((0x80 | tiny, tiny), (0xFF, 0x3C))]
    assert found == [0x8000, 0x8000]  # -2^-28 rounds to -0; a NaN with a sign is a -0


@pytest.mark.parametrize(
    ("format", "largest"),
    [("e4m3fn", 0x7E), ("e4m3fnuz", 0x7F), ("e4m3finite", 0x7F), ("e4m3", 0x78)],
)
def test_beyond_the_largest_value(format, largest):
    """Infinite where there are infinities, else the largest value, from which a sum comes back."""
    design = make("int8", "int8", format)
    totals = feed(design, [((127,), (127,)), ((-128,), (127,)), ((-128,), (1,))])
    assert totals[0] == largest
    if format == "e4m3":
        assert totals == [0x78, 0x78, 0x78]
    else:
        maximum = design.accumulator.format.maximum
        assert totals[1] == design.accumulator.format.encode(-maximum)


def test_an_infinite_sum_without_a_code_is_nan():
    design = make("e5m2", "e5m2", "e4m3fn")
    core = GoldenCore(design)
    assert core.step([0x7C], [0x3C], False).total == 0x7F
    assert core.step([0x3C], [0x3C], True).total == 0x7F
    assert core.step([0x3C], [0x3C], True).total == parse("e4m3fn").encode(1)


def test_a_register_beyond_its_terms_wraps_and_tells():
    design = make("int4", "int4", "float:fp16:once:2")
    core = GoldenCore(design)
    outputs = [core.step([8], [8], False) for _ in range(3)]  # -8 · -8, 9 bits: 64, 128, 192
    assert design.exact_bits == 9
    values = [design.accumulator.format.decode(output.total) for output in outputs]
    assert values == [64, 128, 192]
    wrapped = core.step([8], [8], False)
    assert design.accumulator.format.decode(wrapped.total) == -256
    assert wrapped.flags == {"overflow": True}


def test_saturation_at_the_end_forgets_nothing():
    per_step = make("int4", "int4", "saturate:6")
    at_end = make("int4", "int4", "saturate:6:once")
    steps = [((7,), (7,)), ((7,), (7,)), ((-8,), (7,)), ((-8,), (7,))]
    assert feed(per_step, steps) == [31, 31, -25, -32]
    assert feed(at_end, steps) == [31, 31, 31, -14]  # 49, 98, 42, -14
    assert at_end.flags == ("overflow",)
