from fractions import Fraction

import numpy as np
import pytest

from hw.formats import parse
from sweeps.models import load
from sweeps.quantize import METHODS, MSE_RATIOS, find_method, full_scales, thinned

NETWORK = load("digits_cnn")
FORMATS = ["int8", "int4", "int2", "e4m3fn", "e2m1fn", "e1m2finite", "e3m0finite", "e5m2finite"]


def no_inputs():
    raise AssertionError("the scale methods do not look at a layer's inputs")


def squared_error(matrix, quantised):
    return ((quantised.dequantised - matrix) ** 2).sum(axis=0)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("method", METHODS)
def test_values_lie_on_the_grid_and_are_nearest(name, method):
    format = parse(name)
    matrix = NETWORK.weighted[0].matrix
    quantised = METHODS[method].weights(matrix, format, no_inputs)
    for value, weight, scale in zip(
        quantised.values.T.flat,
        matrix.T.flat,
        np.repeat(quantised.scale, matrix.shape[0]),
        strict=True,
    ):
        exact = Fraction(float(weight / scale))
        assert Fraction(float(value)) == format.decode(format.encode(exact))


@pytest.mark.parametrize("name", FORMATS)
def test_max_maps_the_largest_magnitude_onto_the_largest_value(name):
    format = parse(name)
    for layer in NETWORK.weighted:
        quantised = METHODS["max"].weights(layer.matrix, format, no_inputs)
        peaks = np.abs(quantised.values).max(axis=0)
        assert np.array_equal(peaks, np.full(len(peaks), float(format.maximum)))


@pytest.mark.parametrize("name", FORMATS)
def test_mse_is_the_best_of_its_candidates(name):
    format = parse(name)
    matrix = NETWORK.weighted[1].matrix
    best = squared_error(matrix, METHODS["mse"].weights(matrix, format, no_inputs))
    reference = squared_error(matrix, METHODS["max"].weights(matrix, format, no_inputs))
    assert (best <= reference).all()
    one_ratio = type(METHODS["mse"])
    errors = np.array(
        [
            squared_error(matrix, one_ratio("one", (ratio,)).weights(matrix, format, no_inputs))
            for ratio in MSE_RATIOS
        ]
    )
    assert len(errors) == 36
    assert np.array_equal(errors.min(axis=0), best)


def test_mse_gains_where_bits_are_few():
    matrix, format = NETWORK.weighted[1].matrix, parse("int3")
    best = squared_error(matrix, METHODS["mse"].weights(matrix, format, no_inputs)).sum()
    reference = squared_error(matrix, METHODS["max"].weights(matrix, format, no_inputs)).sum()
    assert best < 0.9 * reference


def test_outliers_are_clipped_when_that_pays():
    samples = np.append(np.tile(np.arange(4) / 4, 100), 1.5)
    assert METHODS["max"].activation_scale(samples, parse("uint2")) == 0.5
    assert METHODS["mse"].activation_scale(samples, parse("uint2")) == 0.25


def test_columns_of_zeros_and_empty_samples_have_scale_one():
    format = parse("int4")
    matrix = np.array([[0.0, 1.0], [0.0, -2.0]])
    for method in METHODS.values():
        quantised = method.weights(matrix, format, no_inputs)
        assert quantised.scale[0] == 1
        assert np.array_equal(quantised.values[:, 0], [0, 0])
        assert method.activation_scale(np.zeros(5), format) == 1


def test_scales_do_not_depend_on_the_order_of_samples():
    samples = np.random.default_rng(3).exponential(size=9000)
    shuffled = np.random.default_rng(4).permutation(samples)
    for method in METHODS.values():
        for name in ("uint3", "e3m2fn"):
            format = parse(name)
            assert method.activation_scale(samples, format) == method.activation_scale(
                shuffled.reshape(90, 100), format
            )


def test_thinning_keeps_the_extremes():
    samples = np.random.default_rng(3).normal(size=10_000)
    kept = thinned(np.append(samples, np.zeros(100)), most=50)
    assert len(kept) == 50
    assert kept[0] == samples.min()
    assert kept[-1] == samples.max()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="weight format must be signed, uint4 is not"):
        METHODS["max"].weights(np.ones((2, 2)), parse("uint4"), no_inputs)
    with pytest.raises(ValueError, match="must be finite"):
        full_scales(np.array([[np.inf]]), parse("int4"))
    with pytest.raises(ValueError, match="did you mean 'mse'"):
        find_method("msee")
