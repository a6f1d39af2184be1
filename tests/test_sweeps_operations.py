"""Layers without weights, and a small transformer through the engine against plain loops."""

import math

import numpy as np
import pytest

from hw.accumulators import parse_accumulator
from hw.design import DotProduct
from hw.formats import parse
from sim.golden import cast
from sim.golden.matrix import matmul
from sim.golden.operand import Operand
from sim.golden.stacked import stacked_matmul
from sweeps.accuracy import Case, arithmetic, evaluate_scores
from sweeps.datasets import Text
from sweeps.inference import Engine, program
from sweeps.layers import Dense
from sweeps.models import INPUT, Network, Node, read, write
from sweeps.operations import (
    Add,
    Embedding,
    Gelu,
    Mean,
    MergeHeads,
    Normalise,
    Patches,
    Product,
    Shift,
    Softmax,
    SplitHeads,
)
from sweeps.quantize import METHODS

WIDTH, HEADS, LENGTH = 8, 2, 5
GENERATOR = np.random.default_rng(5)


def dense(name, terms, outputs):
    return Dense(name, GENERATOR.normal(size=(terms, outputs)) / math.sqrt(terms), np.ones(outputs))


def transformer():
    """One block: attention, residuals, normalisation, an output per byte."""
    norm = Normalise(1 + GENERATOR.normal(size=WIDTH) / 9, GENERATOR.normal(size=WIDTH) / 9)
    nodes = [
        Node("embedding", Embedding(GENERATOR.normal(size=(256, WIDTH))), (INPUT,)),
        Node("position", Shift(GENERATOR.normal(size=(LENGTH, WIDTH))), ("embedding",)),
        Node("norm", norm, ("position",)),
        Node("query", dense("query", WIDTH, WIDTH), ("norm",)),
        Node("key", dense("key", WIDTH, WIDTH), ("norm",)),
        Node("value", dense("value", WIDTH, WIDTH), ("norm",)),
        Node("queries", SplitHeads(HEADS), ("query",)),
        Node("keys", SplitHeads(HEADS), ("key",)),
        Node("values", SplitHeads(HEADS), ("value",)),
        Node("scores", Product(transposed=True), ("queries", "keys")),
        Node("weights", Softmax(0.5, causal=True), ("scores",)),
        Node("mixed", Product(), ("weights", "values")),
        Node("merged", MergeHeads(), ("mixed",)),
        Node("add", Add(), ("position", "merged")),
        Node("up", dense("up", WIDTH, 16), ("add",)),
        Node("gelu", Gelu(), ("up",)),
        Node("head", dense("head", 16, 256), ("gelu",)),
    ]
    return Network("tiny", (LENGTH,), tuple(nodes))


NETWORK = transformer()
DATA = Text("noise", GENERATOR.integers(256, size=(12, LENGTH + 1)).astype(np.uint8), 4, "none")
ENGINE = Engine(NETWORK, DATA)


def naive(weight, activation, accumulator):
    """Every node in turn on matrices one by one; nothing shared, nothing moved."""
    weight, activation = parse(weight), parse(activation)
    unit = DotProduct(weight=weight, activation=activation, accumulator=accumulator, lane_count=4)
    between = DotProduct(
        weight=activation, activation=activation, accumulator=accumulator, lane_count=4
    )
    method = METHODS["max"]
    values = {INPUT: DATA.inputs(DATA.held_out)}
    for node in NETWORK.nodes:
        layer, given = node.layer, [values[name] for name in node.inputs]
        if isinstance(layer, Dense):
            scale = method.activation_scale(ENGINE.samples(node.name), activation)
            matrix = method.weights(layer.matrix, weight, lambda: None)
            out = [
                matmul(cast(image, activation, scale), matrix.values, unit) for image in given[0]
            ]
            values[node.name] = np.stack(out) * (matrix.scale * scale) + layer.bias
        elif isinstance(layer, Product):
            scales = [
                method.activation_scale(ENGINE.samples(node.name, i), activation) for i in (0, 1)
            ]
            left, right = (
                cast(factor, activation, scale) for factor, scale in zip(given, scales, strict=True)
            )
            out = np.zeros((*left.shape[:3], right.shape[2 if layer.transposed else 3]))
            for image, head in np.ndindex(left.shape[:2]):
                other = right[image, head].T if layer.transposed else right[image, head]
                out[image, head] = matmul(left[image, head], other, between)
            values[node.name] = out * (scales[0] * scales[1])
        else:
            values[node.name] = layer.apply(*given)
    return values["head"]


@pytest.mark.parametrize(
    ("weight", "activation", "accumulator"),
    [
        ("int8", "int8", ""),
        ("e2m1fn", "e4m3fn", ""),
        ("int4", "e5m2", ""),
        ("int8", "int8", "saturate:14"),
        ("int8", "int8", "wrap:13"),
        ("e4m3fn", "e4m3fn", "window:16"),
        ("e2m1fn", "e3m2fn", "float:fp16"),
    ],
)
def test_a_transformer_equals_a_naive_evaluation(weight, activation, accumulator):
    case = Case(weight, activation, accumulator, method="max", lanes=4)
    units = arithmetic(ENGINE, case, "max")
    assert len(units) == 7
    outputs = ENGINE.outputs(DATA.held_out, units)
    assert outputs.shape == (8, LENGTH, 256)
    assert np.array_equal(outputs, naive(weight, activation, units[0].accumulator))
    assert np.abs(outputs - ENGINE.float_outputs(DATA.held_out)).max() > 0


def test_sums_beyond_a_floating_accumulator_are_refused():
    case = Case("e4m3fn", "e4m3fn", "float:fp16", method="max", lanes=4)
    with pytest.raises(ValueError, match=r"sums of .* overflow the accumulator float:fp16"):
        evaluate_scores(ENGINE, case)


def test_results_do_not_depend_on_the_batches(monkeypatch):
    case = Case("int6", "int6", method="max")
    whole = ENGINE.outputs(DATA.held_out, arithmetic(ENGINE, case, "max"))
    monkeypatch.setattr("sweeps.inference.BATCH_VALUES", 1)
    alone = ENGINE.outputs(DATA.held_out, arithmetic(ENGINE, case, "max"))
    assert np.array_equal(whole, alone)


def test_bits_per_byte_from_the_definition():
    scores = evaluate_scores(ENGINE, Case("int8", "int8", method="max"), 3)
    held = DATA.held_out[:3]
    logits = ENGINE.float_outputs(held)
    for image, number in enumerate(held):
        bits = 0.0
        for place, wanted in enumerate(DATA.contexts[number][1:]):
            shares = np.exp(logits[image, place]) / np.exp(logits[image, place]).sum()
            bits -= math.log2(shares[wanted])
        assert -scores.floating[image] == pytest.approx(bits / LENGTH)
    assert (scores.quantised != scores.floating).all()
    assert Text.metric == "bits_per_byte"


def test_what_comes_before_all_arithmetic_is_known():
    fixed = program(NETWORK).fixed
    assert fixed == {INPUT, "embedding", "position", "norm"}


def test_a_transformer_file_round_trip(tmp_path):
    write(NETWORK, tmp_path / "tiny.npz", np.float64)
    copy = read(tmp_path / "tiny.npz")
    inputs = DATA.inputs(DATA.held_out)
    assert np.array_equal(copy.infer(inputs), NETWORK.infer(inputs))
    assert copy.macs == NETWORK.macs
    assert copy.macs == LENGTH * (3 * 8 * 8 + 2 * LENGTH * 8 + 8 * 16 + 16 * 256)
    assert copy.largest_fan_in == 16


def test_stacked_products_fit_each_other():
    format = parse("int4")
    design = DotProduct(weight=format, activation=format, lane_count=1)
    values = Operand.of(np.ones((2, 3, 4)), format)
    with pytest.raises(ValueError, match=r"not shapes \(2, 3, 4\) and \(2, 3, 4\)"):
        stacked_matmul(values, values, design)
    small = DotProduct(
        weight=format, activation=format, lane_count=1, accumulator=parse_accumulator("wrap:9")
    )
    left = Operand.of(np.full((2, 1, 6), -8.0), format)
    right = Operand.of(np.full((2, 6, 1), -8.0), format)
    assert np.array_equal(stacked_matmul(left, right, small), np.full((2, 1, 1), 384.0 - 512))


def test_layers_by_hand():
    values = np.array([[-1.0, 0.0, 2.0]])
    shares = Softmax(2.0).apply(values)
    assert shares[0] == pytest.approx(np.exp([-2, 0, 4]) / np.exp([-2, 0, 4]).sum())
    gelu = [x * 0.5 * (1 + math.erf(x / math.sqrt(2))) for x in values[0]]
    assert Gelu().apply(values)[0] == pytest.approx(gelu)
    norm = Normalise(np.ones(3), np.zeros(3), 0.0).apply(values)[0]
    assert norm.mean() == pytest.approx(0)
    assert norm.std() == pytest.approx(1)
    image = np.arange(16.0).reshape(1, 4, 4, 1)
    assert Patches(2).apply(image)[0].tolist()[1] == [2, 3, 6, 7]
    assert Patches(2).output_shape((4, 4, 1)) == (4, 4)
    tokens = np.arange(24.0).reshape(1, 4, 6)
    assert np.array_equal(MergeHeads().apply(SplitHeads(3).apply(tokens)), tokens)
    assert Mean().apply(tokens)[0].tolist() == tokens[0].mean(axis=0).tolist()
    causal = Softmax(causal=True).apply(np.zeros((1, 3, 3)))[0]
    assert causal.tolist() == [[1, 0, 0], [0.5, 0.5, 0], pytest.approx([1 / 3] * 3)]


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (Softmax(causal=True), [(2, 3)], "as many keys as queries"),
        (Normalise(np.ones(3), np.ones(3)), [(4,)], "3 entries"),
        (Shift(np.ones((2, 3))), [(3, 3)], "does not fit"),
        (Patches(3), [(4, 4, 1)], "do not divide"),
        (SplitHeads(3), [(4, 4)], "do not divide"),
        (MergeHeads(), [(4, 4)], "three axes"),
        (Mean(2), [(4, 4)], "axis 2"),
        (Add(), [(4,), (5,)], "one shape"),
        (Product(), [(2, 3), (4, 2)], "does not fit"),
        (Product(transposed=True), [(2, 3), (2, 4)], "does not fit"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(layer, shapes, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape(*shapes)


def test_graphs_that_do_not_fit_are_refused():
    head = dense("head", 3, 2)
    with pytest.raises(ValueError, match="'other' does not"):
        Network("n", (3,), (Node("head", head, ("other",)),))
    with pytest.raises(ValueError, match="has 2 inputs, not 1"):
        Network("n", (3,), (Node("a", Add(), (INPUT,)), Node("head", head, ("a",))))
    with pytest.raises(ValueError, match="different names"):
        Network("n", (3,), (Node("head", head, (INPUT,)), Node("head", head, (INPUT,))))
    with pytest.raises(ValueError, match="its node's name"):
        Network("n", (3,), (Node("tail", head, (INPUT,)),))
    with pytest.raises(ValueError, match=r"codes lie in 0\.\.255, not 256"):
        Embedding(np.zeros((256, 2))).apply(np.array([[256.0]]))
    with pytest.raises(ValueError, match=r"1\.\.11, not 12"):
        Text("n", DATA.contexts, 12, "")


def test_calibration_takes_as_many_inputs_as_memory_is_meant_for(monkeypatch):
    engine = Engine(NETWORK, DATA)
    assert len(engine.samples("up")) == len(DATA.training) == 4
    names = {name for node in NETWORK.multiplying for name in node.inputs}
    each = sum(int(np.prod(NETWORK.shapes[name])) for name in names)
    monkeypatch.setattr("sweeps.inference.CALIBRATION_VALUES", 2 * each)
    few = Engine(NETWORK, DATA).samples("up")
    assert np.array_equal(few, engine.samples("up")[[0, 3]])
