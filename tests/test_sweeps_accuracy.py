"""The quantised network against a naive one: codes, Python integers, layers in their own order."""

import multiprocessing
from fractions import Fraction

import numpy as np
import pytest

from hw.design import DotProduct
from hw.formats import parse
from sim.golden import GoldenCore, Operand, cast, encode, matmul, run_steps
from sweeps.accuracy import (
    Accuracy,
    Case,
    accumulator_of,
    arithmetic,
    best_method,
    evaluate,
    evaluate_case,
    selection,
    wilson,
)
from sweeps.datasets import load_dataset
from sweeps.inference import Engine, program
from sweeps.layers import Convolution, Dense, MaxPool, Relu
from sweeps.models import Network, load
from sweeps.quantize import METHODS

ENGINE = Engine(load("digits_cnn"), load_dataset("digits"))
IMAGES = ENGINE.dataset.held_out[[0, 222]]


def encoded(values, format, scale=1.0):
    """Codes of exact quotients, one by one through the format's exact `encode`."""
    pairs = zip(np.ravel(values), np.broadcast_to(scale, np.shape(values)).ravel(), strict=True)
    codes = [format.encode(Fraction(float(value)) / Fraction(float(by))) for value, by in pairs]
    return np.array(codes).reshape(np.shape(values))


def golden_sum(weights, activations, design):
    """One sum through the scalar specification, a step of `lanes` codes after the other."""
    padding = -len(weights) % design.lanes
    weights, activations = np.pad(weights, (0, padding)), np.pad(activations, (0, padding))
    core = GoldenCore(design)
    for start in range(0, len(weights), design.lanes):
        lanes = slice(start, start + design.lanes)
        output = core.step(weights[lanes].tolist(), activations[lanes].tolist(), last=False)
    return float(output.total * Fraction(2) ** (design.lsb_exponent + output.exponent))


def naive(case, method):
    """The network layer after layer as written down, on codes; nothing shared, nothing moved."""
    weight, activation = parse(case.weight), parse(case.activation)
    design = DotProduct(
        weight=weight,
        activation=activation,
        accumulator=accumulator_of(ENGINE.network, case.accumulator),
        lane_count=case.lanes,
    )
    values = ENGINE.dataset.inputs(IMAGES)
    for layer in ENGINE.network.layers:
        if not isinstance(layer, Convolution | Dense):
            values = layer.apply(values)
            continue
        scale = METHODS[method].activation_scale(ENGINE.samples(layer.name), activation)
        columns = METHODS[method].weights(layer.matrix, weight, lambda: None).scale
        weight_codes = encoded(layer.matrix, weight, columns)
        patches = layer.patches(encoded(values, activation, scale))
        sums = [
            [golden_sum(column, patch, design) for column in weight_codes.T]
            for patch in patches.reshape(-1, layer.terms)
        ]
        sums = np.array(sums).reshape(*patches.shape[:-1], -1)
        values = sums * (columns * scale) + layer.bias
    return values


@pytest.mark.parametrize(
    ("weight", "activation", "accumulator"),
    [
        ("int8", "uint8", ""),
        ("int4", "int4", ""),
        ("int2", "uint2", ""),
        ("e4m3finite", "e4m3finite", ""),
        ("e4m3fn", "uint4", ""),
        ("e5m2", "e5m2", ""),
        ("int3", "e2m1fn", ""),
        ("fixed<6,2>", "ufixed<5,-1>", ""),
        ("int8", "uint8", "exact:4"),
        ("int8", "uint8", "wrap:14"),
        ("int8", "uint8", "saturate:14"),
        ("e3m2fn", "e3m2fn", "saturate:15"),
        ("e5m2finite", "e5m2finite", "wrap:60"),
        ("e5m2finite", "e5m2finite", "saturate:62"),
        ("e6m1finite", "e4m3finite", ""),
        ("int8", "e7m0finite", ""),
        ("e4m3fn", "e4m3fn", "window:16"),
        ("e3m2finite", "int6", "window:12:144"),
    ],
)
def test_outputs_equal_a_naive_evaluation(weight, activation, accumulator):
    case = Case(weight, activation, accumulator, lanes=4)
    method = "mse" if activation in ("int4", "uint4") else "max"
    outputs = ENGINE.outputs(IMAGES, arithmetic(ENGINE, case, method))
    expected = naive(case, method)
    assert expected.shape == (2, 10)
    assert np.array_equal(outputs, expected)


@pytest.mark.parametrize("accumulator", ["wrap:14", "saturate:14", "window:16"])
def test_small_accumulators_were_exercised(accumulator):
    """The comparison above would mean little if its accumulators never lost anything."""
    pair = ("e4m3fn", "e4m3fn") if accumulator == "window:16" else ("int8", "uint8")
    exact, lossy = (
        ENGINE.outputs(IMAGES, arithmetic(ENGINE, Case(*pair, name, lanes=4), "max"))
        for name in ("", accumulator)
    )
    assert not np.array_equal(exact, lossy)


def dot_product(pair, accumulator, lanes):
    weight, activation = map(parse, pair)
    return DotProduct(
        weight=weight,
        activation=activation,
        accumulator=accumulator_of(ENGINE.network, accumulator),
        lane_count=lanes,
    )


def check_totals(left, right, design):
    """Every total of (row, term) activations and (term, column) weights against the golden core."""
    left, right = np.asarray(left, dtype=float), np.asarray(right, dtype=float)
    operands = Operand.of(left, design.activation), Operand.of(right, design.weight)
    result = matmul(*operands, design)
    left_codes, right_codes = encoded(left, design.activation), encoded(right, design.weight)
    assert result.shape == (len(left), right.shape[1])
    for row, column in np.ndindex(result.shape):
        expected = golden_sum(right_codes[:, column], left_codes[row], design)
        assert result[row, column] == expected
    return result


@pytest.mark.parametrize(
    "accumulator", ["", "wrap:40", "saturate:40", "saturate:70", "window:10", "window:30:10"]
)
@pytest.mark.parametrize(
    "pair",
    [
        ("e4m3finite", "e4m3finite"),
        ("e4m3finite", "e5m1finite"),
        ("e4m4finite", "e5m1finite"),
        ("e5m2finite", "e5m2finite"),
    ],
)
def test_random_sums_of_any_range_equal_golden(pair, accumulator):
    design = dot_product(pair, accumulator, lanes=8)
    generator = np.random.default_rng(5)

    def values(format, shape):
        codes = generator.integers(0, 1 << format.bits, size=shape)
        return np.vectorize(lambda code: float(format.decode(code)))(codes)

    left, right = values(design.activation, (40, 30)), values(design.weight, (30, 6))
    left[:10] *= np.abs(left[:10]) < 1
    check_totals(left, right, design)


@pytest.mark.parametrize(
    ("weight", "activation", "accumulator"),
    [
        ("e4m3finite", "e6m1finite", ""),
        ("e5m2finite", "e5m2finite", ""),
        ("int4", "uint4", "wrap:9"),
        ("e3m3finite", "uint5", "saturate:14"),
    ],
)
def test_all_sums_of_a_layer_equal_the_vectorised_golden_model(weight, activation, accumulator):
    design = dot_product((weight, activation), accumulator, lanes=16)
    layer = ENGINE.network.weighted[1]
    samples = ENGINE.samples(layer.name)[::25]
    scale = METHODS["max"].activation_scale(samples, design.activation)
    matrix = METHODS["max"].weights(layer.matrix, design.weight, lambda: None)
    patches = layer.patches(cast(samples, design.activation, scale)).reshape(-1, layer.terms)
    left = Operand.of(patches, design.activation)
    result = matmul(left, Operand.of(matrix.values, design.weight), design)
    count, steps = result.size, layer.terms // design.lanes
    assert count == 51 * 4 * 32
    weights = np.tile(encode(matrix.values, design.weight).T, (len(patches), 1))
    activations = np.repeat(encode(patches, design.activation), layer.matrix.shape[1], axis=0)
    outputs = run_steps(
        design,
        weights.reshape(-1, design.lanes),
        activations.reshape(-1, design.lanes),
        np.tile(np.arange(steps) == steps - 1, count),
    ).take(slice(steps - 1, None, steps))
    exponents = (design.lsb_exponent + outputs.exponent).tolist()
    expected = [
        float(total * Fraction(2) ** exponent)
        for total, exponent in zip(outputs.ints(), exponents, strict=True)
    ]
    assert np.array_equal(result.ravel(), expected)


def test_small_terms_between_large_ones_are_not_lost():
    """Ratios on both sides of 2^53: float64 alone would give 0 where they pass it."""
    pair = ("e5m2finite", "e5m2finite")
    design = dot_product(pair, "", lanes=4)
    exponents = range(-14, 8)
    for small in (1.0, 1.75):
        left = [[2.0**15, small * 2.0**e, small * 2.0**e, -(2.0**15)] for e in exponents]
        for other in (2.0**-8, 2.0**-12, 1.75 * 2.0**-13):
            right = [[2.0**15], [other], [other], [2.0**15]]
            result = np.concatenate([check_totals([row], right, design) for row in left])
            assert np.array_equal(result, check_totals(left, right, design))
            expected = [2 * small * 2.0**e * other for e in exponents]
            assert np.array_equal(result[:, 0], expected)


@pytest.mark.parametrize("bits", range(45, 64))
def test_clamped_sums_keep_their_last_bit(bits):
    """2^(bits-1) - 1 steps, less 2^(bits-1): one step is left, whatever float64 thinks of it."""
    design = dot_product(("e5m2finite", "e5m2finite"), f"saturate:{bits}", lanes=1)
    half = bits - 1 + design.product_lsb_exponent
    big, other = 2.0 ** (half - half // 2), 2.0 ** (half // 2)
    result = check_totals([[big, big, -big], [1, 0, 0]], [[other]] * 3, design)
    assert result[0, 0] == -(2.0**design.product_lsb_exponent)


@pytest.mark.parametrize("accumulator", ["exact:2", "wrap:9", "wrap:14", "saturate:9"])
def test_overflow_begins_at_its_bit(accumulator):
    design = dot_product(("int8", "int8"), accumulator, lanes=2)
    for terms in range(1, 10):
        for product in (64, -64, 127 * 127):
            weight = 127 if product == 127 * 127 else 64
            left = [[product / weight] * terms]
            check_totals(left, [[weight]] * terms, design)


def test_a_window_overflows_as_golden_does():
    design = dot_product(("e3m2fn", "e3m2fn"), "window:8:3", lanes=3)
    left = np.full((2, 30), 28.0)
    left[1, ::2] = 0.25
    result = check_totals(left, np.full((30, 2), 28.0), design)
    assert result[0, 0] < 30 * 28 * 28


@pytest.mark.slow
def test_wide_windows_are_evaluated():
    wide = evaluate_case(Case("e4m3fn", "e4m3fn", "window:80:144"))
    assert wide.correct == evaluate_case(Case("e4m3fn", "e4m3fn")).correct


def test_int8_and_e4m3_lose_less_than_one_percent():
    for weight, activation in (("int8", "uint8"), ("int8", "int8"), ("e4m3fn", "e4m3fn")):
        result = evaluate_case(Case(weight, activation))
        assert result.total == 540
        assert result.float_accuracy >= 0.98
        assert abs(result.accuracy - result.float_accuracy) <= 0.01


def test_more_bits_do_not_hurt_much():
    accuracies = [evaluate_case(Case(f"int{bits}", f"uint{bits}")).accuracy for bits in (2, 3, 4)]
    assert accuracies[0] < accuracies[1] < accuracies[2]
    assert accuracies[2] > 0.97


def test_edges_in_eight_bits_or_float_help_two_bits():
    narrow = evaluate_case(Case("int2", "uint2"))
    for edge in ("int8", "float"):
        assert evaluate_case(Case("int2", "uint2", first=edge, last=edge)).correct > narrow.correct


def test_all_layers_in_float_give_the_float_network():
    outputs = ENGINE.outputs(IMAGES, (None, None, None))
    assert np.array_equal(outputs, ENGINE.float_outputs(IMAGES))


def test_best_is_chosen_on_training_images_only():
    chosen = selection(ENGINE.dataset)
    assert np.isin(chosen, ENGINE.dataset.training).all()
    for pair in (("int3", "uint3"), ("e2m1fn", "e2m1fn"), ("int4", "e3m0finite")):
        case = Case(*pair)
        method = best_method(ENGINE, case)
        right = {}
        for name in METHODS:
            outputs = ENGINE.outputs(chosen, arithmetic(ENGINE, case, name))
            right[name] = int((outputs.argmax(axis=1) == ENGINE.dataset.labels[chosen]).sum())
        assert right[method] == max(right.values())
        best = evaluate(ENGINE, case)
        assert best == evaluate(ENGINE, Case(*pair, method=method))


def test_results_are_the_same_in_other_processes_and_orders():
    cases = [
        Case(weight, activation)
        for weight in ("int3", "e3m2fn")
        for activation in ("uint4", "e2m1fn", "e5m2finite")
    ]
    here = [evaluate_case(case) for case in cases]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        there = pool.map(evaluate_case, list(reversed(cases)), chunksize=1)
    assert list(reversed(there)) == here
    fresh = Engine(load("digits_cnn"), load_dataset("digits"))
    assert evaluate(fresh, cases[3]) == here[3]


def test_pools_move_before_scaling_only_through_relu():
    following = program(ENGINE.network).steps
    assert [len(stage.pools) for stage in following] == [1, 0, 0]
    layers = (Relu(), MaxPool(2), Convolution("c", np.ones((1, 1, 1, 2)), np.zeros(2)), MaxPool(2))
    *before, last = program(Network.chain("n", (4, 4, 1), layers)).steps
    assert [node.layer for node in before] == list(layers[:2])
    assert last.pools == (MaxPool(2),)
    assert last.after == ()


def test_wilson_interval():
    """Against the roots of its defining equation (p - share)^2 = z^2 p (1 - p) / total."""
    for correct, total in ((536, 540), (270, 540), (0, 10), (10, 10), (1, 2)):
        low, high = wilson(correct, total)
        share, z = correct / total, 1.959963984540054
        for bound in (low, high):
            assert (bound - share) ** 2 == pytest.approx(
                z * z * bound * (1 - bound) / total, abs=1e-12
            )
        assert 0 <= low <= share <= high <= 1
    assert Accuracy(536, 540, 535, "max").interval == wilson(536, 540)
    with pytest.raises(ValueError, match="not 11 of 10"):
        wilson(11, 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": "int99"}, "int99"),
        ({"weight": "uint4"}, "must be signed"),
        ({"activation": "nonsense"}, "nonsense"),
        ({"accumulator": "exactly"}, "accumulator"),
        ({"accumulator": "fixed<20,4>"}, "must be exact, wrap, saturate, window or float"),
        ({"method": "mean"}, "method must be one of"),
        ({"first": "int7"}, "must be one of same, int8, float, not 'int7'"),
        ({"lanes": 0}, "lanes"),
        ({"network": "digits_cnm"}, "did you mean digits_cnn"),
        ({"dataset": "digit"}, "did you mean digits"),
    ],
)
def test_bad_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        evaluate_case(Case(**({"weight": "int4", "activation": "uint4"} | change)))
