"""Sensitivities against exact derivatives, brute force and the shipped network."""

import math

import numpy as np
import pytest

from sweeps.accuracy import Case, arithmetic
from sweeps.allocation import Problem, allocate
from sweeps.datasets import Dataset, load_dataset
from sweeps.inference import Engine
from sweeps.layers import Dense
from sweeps.models import INPUT, Network, Node, load
from sweeps.operations import Add, Gelu, Shift
from sweeps.sensitivity import (
    decoupled,
    divergence,
    hessian_losses,
    hessian_traces,
    input_modification,
    joint_loss,
    one_layer_losses,
    outlier_share,
    ranked_bits,
    residual_blocks,
    weight_error,
)

ENGINE = Engine(load("digits_cnn"), load_dataset("digits"))
IMAGES = ENGINE.dataset.training[:60]
FORMATS = ("int3", "int4", "int8")


def units(name):
    return arithmetic(ENGINE, Case(name, "uint8", method="max"), "max")


def test_losses_of_single_layers_fall_with_width():
    told = []
    found = one_layer_losses(
        ENGINE, {name: units(name) for name in FORMATS}, IMAGES, lambda *a: told.append(a)
    )
    assert found.layers == ("conv1", "conv2", "dense")
    assert found.formats == FORMATS
    assert (found.loss > 0).all()
    assert (np.diff(found.loss, axis=1) < 0).all()
    assert told[-1] == (9, 9, "dense in int8")
    alone = ENGINE.outputs(IMAGES, (None, units("int3")[1], None))
    reference = ENGINE.float_outputs(IMAGES)
    shares = np.exp(reference) / np.exp(reference).sum(axis=1, keepdims=True)
    others = np.exp(alone) / np.exp(alone).sum(axis=1, keepdims=True)
    expected = (shares * np.log(shares / others)).sum(axis=1).mean()
    assert found.loss[1, 0] == pytest.approx(expected)
    assert joint_loss(ENGINE, units("int3"), IMAGES) > found.loss[:, 0].max()


def test_divergence_is_zero_only_where_nothing_changes():
    logits = np.array([[1.0, 2.0, 3.0]])
    shares = np.log(np.exp(logits) / np.exp(logits).sum())
    assert divergence(shares, logits + 7) == pytest.approx(0, abs=1e-12)
    assert divergence(shares, logits[:, ::-1]) > 0.1


def test_the_trace_is_that_of_the_exact_hessian():
    """Of softmax regression: the sum over inputs of |x|^2 times sum p(1 - p), over their number."""
    generator = np.random.default_rng(1)
    images = generator.integers(0, 17, (30, 2, 2)).astype(np.uint8)
    labels = generator.integers(0, 3, 30)
    everything = np.arange(30)
    data = Dataset("d", images, labels, everything[:20], everything[20:], 16, "")
    weight = generator.normal(size=(4, 3))
    layer = Dense("dense", weight, np.zeros(3))
    from sweeps.layers import Flatten

    network = Network.chain("n", (2, 2, 1), (Flatten(), layer))
    inputs = data.inputs(everything[:20]).reshape(20, 4)
    shares = np.exp(inputs @ weight)
    shares /= shares.sum(axis=1, keepdims=True)
    exact = ((inputs**2).sum(axis=1) * (shares * (1 - shares)).sum(axis=1)).mean()
    found = hessian_traces(network, data, everything[:20], probes=2000)
    assert found["dense"] == pytest.approx(exact, rel=0.05)


def test_hessian_losses_rank_formats_as_errors_of_weights():
    arithmetics = {name: units(name) for name in FORMATS}
    found = hessian_losses(ENGINE, arithmetics, IMAGES, probes=4)
    traces = hessian_traces(ENGINE.network, ENGINE.dataset, IMAGES, probes=4)
    assert all(trace > 0 for trace in traces.values())
    layer = ENGINE.network.weighted[1]
    error = weight_error(layer, units("int4")[1])
    assert found.loss[1, 1] == pytest.approx(traces["conv2"] / layer.matrix.size * error)
    assert (np.diff(found.loss, axis=1) < 0).all()


def test_lim_of_blocks():
    vit = load("digits_vit")
    blocks = residual_blocks(vit)
    assert blocks == (("start", "block0"), ("block0", "block1"))
    found = input_modification(vit, ENGINE.dataset.inputs(IMAGES), blocks)
    assert set(found) == {"block0", "block1"}
    assert all(-1 < value < 1 for value in found.values())
    nodes = (
        Node("same", Shift(np.zeros((2, 3))), (INPUT,)),
        Node("double", Add(), (INPUT, "same")),
        Node("bent", Gelu(), ("double",)),
        Node("dense", Dense("dense", np.eye(3), np.zeros(3)), ("bent",)),
    )
    network = Network("n", (2, 3), nodes)
    inputs = np.random.default_rng(1).normal(size=(5, 2, 3))
    found = input_modification(network, inputs, [("same", "double"), ("double", "bent")])
    assert found["double"] == pytest.approx(-1)
    assert found["bent"] > -1


def test_zd_counts_weights_above_one_deviation():
    weights = np.random.default_rng(1).normal(size=(400, 300))
    share = outlier_share(Dense("d", weights, np.zeros(300)))
    assert share == pytest.approx(0.5 * math.erfc(1 / math.sqrt(2)), abs=0.005)


def test_bits_go_to_the_most_important_layers_first():
    importance, sizes = {"a": 1.0, "b": 3.0, "c": 2.0}, {"a": 100, "b": 100, "c": 200}
    assert ranked_bits(importance, sizes, 4, 2, 3.0) == {"a": 2, "b": 4, "c": 2}
    assert ranked_bits(importance, sizes, 4, 2, 3.5) == {"a": 2, "b": 4, "c": 4}
    assert ranked_bits(importance, sizes, 4, 2, 2.0) == {"a": 2, "b": 2, "c": 2}
    with pytest.raises(ValueError, match="at least the low width 2, not 1"):
        ranked_bits(importance, sizes, 4, 2, 1.0)


def test_decoupled_groups_share_one_budget():
    source = np.random.default_rng(2)

    def problem(layers):
        loss = np.sort(source.random((layers, 3)), axis=1)[:, ::-1]
        cost = np.tile([2.0, 4.0, 8.0], (layers, 1))
        names = tuple(f"l{i}" for i in range(layers))
        return Problem(names, ("2", "4", "8"), loss, {"bits": cost})

    first, second = problem(4), problem(6)
    found = list(decoupled(first, second, "bits", 48.0, (0.01, 0.5, 1.0, 2.0)))
    assert [ratio for ratio, _, _ in found] == [0.5, 1.0, 2.0]
    for _, one, other in found:
        assert one.totals["bits"] + other.totals["bits"] <= 48
    balanced = found[1]
    assert balanced[1].loss == allocate(first, {"bits": 48 * 32 / 80}).loss
    with pytest.raises(ValueError, match="not 'x'"):
        next(decoupled(first, second, "x", 1.0, (1.0,)))
