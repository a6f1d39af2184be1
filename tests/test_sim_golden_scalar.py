"""The specification itself: against rational arithmetic, IEEE floats, and sums worked by hand."""

import random
from fractions import Fraction

import numpy as np
import pytest

from hw.design import from_record
from hw.formats import Special, parse
from sim.golden import GoldenCore, array_results
from sim.golden.scalar import product_flags, significand, wrapped


def make(weight, activation=None, accumulator="exact", kind="mac", **more):
    record = {"kind": kind, "weight": weight, "activation": activation, "accumulator": accumulator}
    return from_record(record | more)


def feed(design, pairs, last=False):
    """Show the output after each step; a step is a pair of values, or of tuples of values."""
    core = GoldenCore(design)
    outputs = []
    for weight, activation in pairs:
        weights = weight if isinstance(weight, tuple) else (weight,)
        activations = activation if isinstance(activation, tuple) else (activation,)
        codes = (
            [design.weight.encode(value) for value in weights],
            [design.activation.encode(value) for value in activations],
        )
        outputs.append(core.step(*codes, last))
    return outputs


def codes_of(format, count, rng):
    return [rng.randrange(1 << format.bits) for _ in range(count)]


@pytest.mark.parametrize("pair", [("int8", "int8"), ("e4m3fn", "e2m1fn"), ("e5m2", "fixed<6,2>")])
def test_exact_sums_are_those_of_rationals(pair):
    rng = random.Random(1)
    design = make(*pair, kind="dot", lanes=5)
    core, sum_so_far, checked = GoldenCore(design), Fraction(0), 0
    for step in range(200):
        weights, activations = (codes_of(parse(name), 5, rng) for name in pair)
        last = step % 7 == 6
        output = core.step(weights, activations, last)
        for weight, activation in zip(weights, activations, strict=True):
            values = design.weight.decode(weight), design.activation.decode(activation)
            if not any(isinstance(value, Special) for value in values):
                sum_so_far += values[0] * values[1]
        assert output.total * Fraction(2) ** design.lsb_exponent == sum_so_far
        assert output.total_valid == last
        assert not output.flags["overflow"]
        sum_so_far = Fraction(0) if last else sum_so_far
        checked += 1
    assert checked == 200


def test_an_exact_sum_of_too_many_terms_overflows_until_its_end():
    design = make("int4", accumulator="exact:1")  # 8-bit accumulator
    outputs = feed(design, [(-8, -8), (-8, -8), (0, 0), (-8, 7)])
    assert [output.total for output in outputs] == [64, -128, -128, 72]
    assert [output.flags["overflow"] for output in outputs] == [False, True, True, True]
    core = GoldenCore(design)
    core.step([8], [8], False)
    assert core.step([8], [8], True).flags["overflow"]
    assert core.step([1], [1], False).flags == {"overflow": False}


def test_wrap_keeps_the_low_bits_and_tells_nothing():
    outputs = feed(make("int4", accumulator="wrap:5"), [(3, 4), (3, 4), (-8, 7), (1, 1)])
    assert [output.total for output in outputs] == [12, -8, 0, 1]
    assert outputs[1].flags == {}


def test_saturation_is_once_per_step_after_the_whole_tree():
    single = make("int4", accumulator="saturate:6")
    assert [o.total for o in feed(single, [(7, 7), (-8, 1), (-8, 7), (1, 2)])] == [31, 23, -32, -30]
    both = make("int4", accumulator="saturate:6", kind="dot", lanes=2)
    assert [o.total for o in feed(both, [((7, -8), (7, 6)), ((7, 7), (7, 7))])] == [1, 31]


def test_last_ends_the_sum_and_reset_forgets_it():
    design = make("int8")
    core = GoldenCore(design)
    assert core.step([3], [5], True).total == 15
    assert core.step([3], [5], False).total == 15
    assert core.step([1], [1], False).total == 16
    core.reset()
    assert core.step([1], [1], False).total == 1


def test_a_window_cuts_products_toward_zero_and_the_sum_down():
    # e4m1finite: significands of 2 bits, products of 4; a window of 5 bits keeps 1 guard bit
    design = make("e4m1finite", "e4m1finite", "window:5:8")
    assert design.guard_bits == 1
    one = parse("e4m1finite").encode(1)
    assert significand(design.weight, one) == (2, 6)
    outputs = feed(design, [(1.5, 1), (-1.5, 1), (8, 1), (-0.75, 0.125), (-1.5, 1), (0, 64)])
    # 1.5·1 = 3·2 at exponent 12; 8·1 moves the window up by 3; -0.09375 is lost entirely
    assert [output.total for output in outputs] == [12, 0, 8, 8, 7, 7]
    assert [output.exponent for output in outputs] == [12, 12, 15, 15, 15, 15]
    value = outputs[-1].total * Fraction(2) ** (15 + design.lsb_exponent)
    assert value == 7  # 8 - 1.5, the last bit cut toward zero


def test_a_window_moves_a_negative_sum_down_to_minus_infinity():
    design = make("e4m1finite", "e4m1finite", "window:5:8")
    outputs = feed(design, [(-1.5, 1), (64, 1)])
    # -12 >> 6 = -1, not 0; then 64·1 = (2·2 << 1) at its own exponent
    assert [output.total for output in outputs] == [-12, -1 + 8]
    assert outputs[1].exponent == 18


def test_a_window_overflows_beyond_its_terms():
    design = make("e4m1finite", "e4m1finite", "window:5:2")
    largest = (float(design.weight.maximum),) * 2
    outputs = feed(design, [largest] * 5)
    assert design.accumulator_bits == 7
    assert [o.total for o in outputs] == [18, 36, 54, 72 - 128, 90 - 128]
    assert [o.flags["overflow"] for o in outputs] == [False, False, False, True, True]


@pytest.mark.parametrize("names", [("e5m2", "e5m2"), ("e5m2", "int4"), ("e4m3fn", "e5m2")])
def test_special_products_are_those_of_ieee(names):
    weight_format, activation_format = map(parse, names)

    def number(value):
        return float(value.value) if isinstance(value, Special) else float(value)

    checked = 0
    for weight in range(1 << weight_format.bits):
        for activation in range(1 << activation_format.bits):
            factors = weight_format.decode(weight), activation_format.decode(activation)
            with np.errstate(invalid="ignore"):
                peer = np.float64(number(factors[0])) * np.float64(number(factors[1]))
            flags = product_flags(weight_format, weight, activation_format, activation)
            if np.isnan(peer):
                assert flags == {"nan"}
            elif np.isinf(peer):
                assert flags == {"pos_inf" if peer > 0 else "neg_inf"}
            else:
                assert flags == set()
            checked += 1
    assert checked == 1 << (weight_format.bits + activation_format.bits)


def test_flags_stay_until_the_sum_ends_and_both_infinities_make_nan():
    design = make("e5m2", "e5m2", kind="dot", lanes=2)
    one, inf, minus_inf, nan = 0x3C, 0x7C, 0xFC, 0x7E
    core = GoldenCore(design)
    steps = [([one, inf], [one, one]), ([one, one], [one, one]), ([minus_inf, one], [one, one])]
    shown = [core.step(*step, last) for step, last in zip(steps, (0, 0, 1), strict=True)]
    names = ("nan", "pos_inf", "neg_inf")
    assert [[output.flags[name] for name in names] for output in shown] == [
        [False, True, False],
        [False, True, False],
        [True, True, True],
    ]
    unit = Fraction(2) ** design.lsb_exponent
    assert [output.total * unit for output in shown] == [1, 3, 4]
    after = core.step([one, nan], [one, one], False)
    assert after.flags == {"overflow": False, "nan": True, "pos_inf": False, "neg_inf": False}
    ignoring = GoldenCore(make("e5m2", "e5m2", specials="ignore"))
    assert ignoring.step([nan], [one], False).flags == {"overflow": False}


def test_an_array_is_a_matrix_product():
    rng = random.Random(3)
    design = make("int4", "int8", kind="array", rows=2, columns=3)
    weights = [codes_of(design.weight, 3, rng) for _ in range(9)]
    activations = [codes_of(design.activation, 9, rng) for _ in range(2)]
    left = np.array([[design.activation.integer(code) for code in row] for row in activations])
    right = np.array([[design.weight.integer(code) for code in beat] for beat in weights])
    results = array_results(design, weights, activations)
    assert [[output.total for output in row] for row in results] == (left @ right).tolist()
    assert all(output.total_valid for row in results for output in row)


def test_wrong_operands_are_refused():
    core = GoldenCore(make("int8", kind="dot", lanes=2))
    with pytest.raises(ValueError, match="takes 2 weights and as many activations per step"):
        core.step([1], [1, 2], False)
    with pytest.raises(ValueError, match=r"a code of int8 lies in 0\.\.255, not 256"):
        core.step([1, 256], [1, 2], False)
    with pytest.raises(ValueError, match="as many k of activations as of weights"):
        array_results(make("int8", kind="array"), [[1], [2]], [[1]])


def test_wrapped_reads_twos_complement():
    assert [wrapped(value, 3) for value in range(-5, 6)] == [3, -4, -3, -2, -1, 0, 1, 2, 3, -4, -3]
