"""Imported networks against onnxruntime, operator by operator and whole."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from sweeps.accuracy import Case, arithmetic, evaluate
from sweeps.datasets import load_dataset
from sweeps.elementwise import Transpose
from sweeps.inference import Engine
from sweeps.layers import Convolution, Dense
from sweeps.models import load
from sweeps.onnx_graph import read_onnx

SOURCE = np.random.default_rng(11)
OPSET = 21


def normal(*shape):
    return SOURCE.normal(size=shape).astype(np.float32)


def model(nodes, shape, constants, outputs=("y",), domain=None):
    """A model with input x (batch, *shape) and output y."""
    graph = helper.make_graph(
        [
            helper.make_node(kind, ins, outs, name=f"n{i}", **attributes)
            for i, (kind, ins, outs, attributes) in enumerate(nodes)
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def compared(tmp_path, made, shape, tolerance=1e-4, inputs=None):
    """Import a model and compare its outputs with onnxruntime's; return the network."""
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    network = read_onnx(path)
    if inputs is None:
        inputs = normal(6, *shape)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": inputs})
    found = network.infer(inputs.astype(np.float64))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < tolerance * max(np.abs(expected).max(), 1)
    return network


HEAD = [("Flatten", ["f"], ["g"], {}), ("Gemm", ["g", "hw", "hb"], ["y"], {"transB": 1})]


def head(size):
    return {"hw": normal(3, size), "hb": normal(3)}


CONVOLUTIONS = [
    ({}, (5, 3, 3, 3), 5 * 36),
    ({"pads": [1, 1, 1, 1]}, (4, 3, 3, 3), 4 * 64),
    ({"strides": [2, 2], "pads": [1, 1, 1, 1]}, (4, 3, 3, 3), 4 * 16),
    ({"group": 3, "pads": [1, 1, 1, 1]}, (6, 1, 3, 3), 6 * 64),
    ({"auto_pad": "SAME_UPPER"}, (4, 3, 3, 3), 4 * 64),
    ({"auto_pad": "VALID"}, (4, 3, 1, 1), 4 * 64),
]


@pytest.mark.parametrize(("attributes", "weight", "size"), CONVOLUTIONS)
def test_convolutions(tmp_path, attributes, weight, size):
    nodes = [("Conv", ["x", "w", "b"], ["f"], attributes), *HEAD]
    constants = {"w": normal(*weight), "b": normal(weight[0]), **head(size)}
    network = compared(tmp_path, model(nodes, (3, 8, 8), constants), (3, 8, 8))
    assert isinstance(network.weighted[0], Convolution)
    assert network.weighted[0].name == "n0"


SIMPLE = {
    "Relu": ("Relu", ["x"], {}, {}),
    "Gelu": ("Gelu", ["x"], {}, {}),
    "MaxPool": ("MaxPool", ["x"], {"kernel_shape": [2, 2], "strides": [2, 2]}, {}),
    "AveragePool": ("AveragePool", ["x"], {"kernel_shape": [4, 4], "strides": [4, 4]}, {}),
    "GlobalAveragePool": ("GlobalAveragePool", ["x"], {}, {}),
    "BatchNormalization": (
        "BatchNormalization",
        ["x", "a", "b", "c", "d"],
        {},
        {"a": normal(3), "b": normal(3), "c": normal(3), "d": normal(3) ** 2 + 1},
    ),
    "Softmax": ("Softmax", ["x"], {"axis": -1}, {}),
    "LayerNormalization": (
        "LayerNormalization",
        ["x", "a", "b"],
        {},
        {"a": normal(8), "b": normal(8)},
    ),
    "Transpose": ("Transpose", ["x"], {"perm": [0, 2, 3, 1]}, {}),
    "Reshape": ("Reshape", ["x", "a"], {}, {"a": np.array([0, 4, -1], np.int64)}),
    "ReduceMean": ("ReduceMean", ["x", "a"], {"keepdims": 0}, {"a": np.array([2, 3], np.int64)}),
    "ReduceMean kept": ("ReduceMean", ["x", "a"], {}, {"a": np.array([-1], np.int64)}),
    "Gather": ("Gather", ["x", "a"], {"axis": 2}, {"a": np.array(3, np.int64)}),
    "Clip": ("Clip", ["x", "a", "b"], {}, {"a": np.float32(0), "b": np.float32(6)}),
    "Add": ("Add", ["x", "a"], {}, {"a": normal(3, 1, 1)}),
    "Sub": ("Sub", ["a", "x"], {}, {"a": normal(1, 3, 8, 8)}),
    "Mul": ("Mul", ["x", "x"], {}, {}),
    "Div": ("Div", ["x", "a"], {}, {"a": np.float32(3)}),
    "Erf": ("Erf", ["x"], {}, {}),
    "Tanh": ("Tanh", ["x"], {}, {}),
    "Sigmoid": ("Sigmoid", ["x"], {}, {}),
    "Identity": ("Identity", ["x"], {}, {}),
}


@pytest.mark.parametrize("name", SIMPLE)
def test_operators_one_by_one(tmp_path, name):
    kind, inputs, attributes, constants = SIMPLE[name]
    probe = model([(kind, inputs, ["y"], attributes)], (3, 8, 8), constants)
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    size = session.run(None, {"x": normal(1, 3, 8, 8)})[0].size
    nodes = [(kind, inputs, ["f"], attributes), *HEAD]
    compared(tmp_path, model(nodes, (3, 8, 8), constants | head(size)), (3, 8, 8))


def test_a_convolutional_network_is_folded_and_straightened(tmp_path):
    nodes = [
        ("Conv", ["x", "w", ""], ["c"], {"pads": [1, 1, 1, 1]}),
        ("BatchNormalization", ["c", "a", "b", "m", "v"], ["n"], {}),
        ("Relu", ["n"], ["r"], {}),
        ("MaxPool", ["r"], ["p"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Conv", ["p", "u"], ["d"], {"pads": [1, 1, 1, 1]}),
        ("Add", ["p", "d"], ["s"], {}),
        ("Relu", ["s"], ["f"], {}),
        *HEAD,
    ]
    constants = {
        "w": normal(4, 1, 3, 3),
        "a": normal(4),
        "b": normal(4),
        "m": normal(4),
        "v": normal(4) ** 2 + 0.5,
        "u": normal(4, 4, 3, 3),
        **head(64),
    }
    network = compared(tmp_path, model(nodes, (1, 8, 8), constants), (1, 8, 8))
    kinds = [type(layer).__name__ for layer in network.layers]
    assert "WithConstant" not in kinds
    turns = [node for node in network.nodes if isinstance(node.layer, Transpose)]
    assert len(turns) <= 4
    assert [type(layer) for layer in network.weighted] == [Convolution, Convolution, Dense]


def test_attention_with_shapes_worked_out(tmp_path):
    """As exporters write it: reshapes from Shape, constants folded, keys turned."""
    nodes = [
        ("MatMul", ["x", "wq"], ["q0"], {}),
        ("Add", ["q0", "bq"], ["q1"], {}),
        ("MatMul", ["x", "wk"], ["k1"], {}),
        ("MatMul", ["x", "wv"], ["v1"], {}),
        ("Shape", ["x"], ["s"], {}),
        ("Gather", ["s", "zero"], ["batch"], {"axis": 0}),
        ("Unsqueeze", ["batch", "axis0"], ["batch1"], {}),
        ("Concat", ["batch1", "rest"], ["shape"], {"axis": 0}),
        *[("Reshape", [f"{n}1", "shape"], [f"{n}2"], {}) for n in "qkv"],
        ("Transpose", ["q2"], ["q3"], {"perm": [0, 2, 1, 3]}),
        ("Transpose", ["k2"], ["k3"], {"perm": [0, 2, 3, 1]}),
        ("Transpose", ["v2"], ["v3"], {"perm": [0, 2, 1, 3]}),
        ("MatMul", ["q3", "k3"], ["p0"], {}),
        ("Div", ["p0", "root"], ["p1"], {}),
        ("Softmax", ["p1"], ["p2"], {"axis": -1}),
        ("MatMul", ["p2", "v3"], ["o1"], {}),
        ("Transpose", ["o1"], ["o2"], {"perm": [0, 2, 1, 3]}),
        ("Reshape", ["o2", "back"], ["o3"], {}),
        ("Add", ["o3", "x"], ["f"], {}),
        *HEAD,
    ]
    constants = {
        "wq": normal(8, 8),
        "wk": normal(8, 8),
        "wv": normal(8, 8),
        "bq": normal(8),
        "zero": np.array(0, np.int64),
        "axis0": np.array([0], np.int64),
        "rest": np.array([5, 2, 4], np.int64),
        "root": np.float32(2),
        "back": np.array([0, 5, 8], np.int64),
        **head(40),
    }
    network = compared(tmp_path, model(nodes, (5, 8), constants), (5, 8))
    assert len(network.multiplying) == 6
    assert network.weighted[0].bias.any()


def test_quantised_models_round_as_onnxruntime_does(tmp_path):
    weight = normal(4, 3, 3, 3)
    scale = (np.abs(weight).max(axis=(1, 2, 3)) / 127).astype(np.float32)
    codes = np.clip(np.rint(weight / scale[:, None, None, None]), -128, 127).astype(np.int8)
    nodes = [
        ("QuantizeLinear", ["x", "xs", "xz"], ["xq"], {}),
        ("DequantizeLinear", ["xq", "xs", "xz"], ["xd"], {}),
        ("DequantizeLinear", ["wq", "ws"], ["wd"], {"axis": 0}),
        ("Conv", ["xd", "wd"], ["c"], {}),
        ("Relu", ["c"], ["r"], {}),
        ("QuantizeLinear", ["r", "rs", "rz"], ["rq"], {}),
        ("DequantizeLinear", ["rq", "rs", "rz"], ["f"], {}),
        *HEAD,
    ]
    constants = {
        "xs": np.float32(1 / 32),
        "xz": np.uint8(131),
        "ws": scale,
        "wq": codes,
        "rs": np.float32(1 / 8),
        "rz": np.uint8(0),
        **head(4 * 36),
    }
    inputs = (SOURCE.integers(-140, 130, size=(6, 3, 8, 8)) / 32).astype(np.float32)
    network = compared(tmp_path, model(nodes, (3, 8, 8), constants), (3, 8, 8), 2e-2, inputs)
    first = network.layers[0]
    assert first.apply(np.array([[0.017, 9.0, -9.0]])).tolist() == [[1 / 32, 124 / 32, -131 / 32]]


def test_qonnx_quant_by_its_definition(tmp_path):
    nodes = [("Quant", ["x", "s", "z", "b"], ["f"], {"signed": 1, "narrow": 1}), *HEAD]
    constants = {"s": np.float32(0.25), "z": np.float32(0), "b": np.float32(4), **head(4)}
    path = tmp_path / "q.onnx"
    path.write_bytes(model(nodes, (4,), constants).SerializeToString())
    network = read_onnx(path)
    values = np.array([[0.124, 0.126, 9.0, -9.0]])
    assert network.layers[0].apply(values).tolist() == [[0.0, 0.25, 1.75, -1.75]]


REFUSED = [
    ([("LSTM", ["x"], ["y"], {})], {}, "no operator LSTM here yet (node 'n0')"),
    ([("Conv", ["x", "w"], ["y"], {"dilations": [2, 2]})], {"w": normal(2, 3, 3, 3)}, "dilations"),
    (
        [("Conv", ["x", "w"], ["y"], {"pads": [0, 0, 1, 1]})],
        {"w": normal(2, 3, 3, 3)},
        "pads must be",
    ),
    ([("Conv", ["x", "w"], ["y"], {})], {"w": normal(2, 4, 3, 3)}, "expects 4 input channels"),
    (
        [("MaxPool", ["x"], ["y"], {"kernel_shape": [3, 3], "strides": [2, 2]})],
        {},
        "strides must be",
    ),
    ([("Softmax", ["x"], ["y"], {"axis": 1})], {}, "over the last axis"),
    ([("Gelu", ["x"], ["y"], {"approximate": "tanh"})], {}, "approximate"),
    ([("Transpose", ["x"], ["y"], {"perm": [1, 0, 2, 3]})], {}, "batch must stay"),
    (
        [("Gemm", ["x", "w"], ["y"], {})],
        {"w": np.full((8, 2), np.nan, np.float32)},
        "must be finite",
    ),
    ([("Relu", ["w"], ["y"], {})], {"w": normal(3)}, "is a constant"),
    ([("Relu", ["x"], ["y"], {})], {}, "a network needs a weighted layer"),
]


@pytest.mark.parametrize(("nodes", "constants", "message"), REFUSED)
def test_what_is_not_supported_is_named(tmp_path, nodes, constants, message):
    path = tmp_path / "bad.onnx"
    path.write_bytes(model(nodes, (3, 8, 8), constants).SerializeToString())
    with pytest.raises(ValueError, match=r"bad\.onnx") as caught:
        read_onnx(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_model_is_refused(tmp_path):
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"\x00 not a model")
    with pytest.raises(ValueError, match="must be an ONNX model"):
        read_onnx(path)
    made = model([("Relu", ["x"], ["y"], {})], (3,), {})
    made.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1]))
    path.write_bytes(made.SerializeToString())
    with pytest.raises(ValueError, match="one input and one output, not 2 and 1"):
        read_onnx(path)


def test_the_digits_network_by_way_of_onnx(tmp_path):
    """Our network written as ONNX, channels first, imported again: the same accuracy everywhere."""
    ours, data = load("digits_cnn"), load_dataset("digits")
    first, second, dense = ours.weighted
    nodes = [
        ("Transpose", ["x"], ["t"], {"perm": [0, 3, 1, 2]}),
        ("Conv", ["t", "w1", "b1"], ["c1"], {"pads": [1, 1, 1, 1]}),
        ("Relu", ["c1"], ["r1"], {}),
        ("MaxPool", ["r1"], ["p"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Conv", ["p", "w2", "b2"], ["c2"], {}),
        ("Relu", ["c2"], ["r2"], {}),
        ("Transpose", ["r2"], ["l"], {"perm": [0, 2, 3, 1]}),
        ("Flatten", ["l"], ["g"], {}),
        ("Gemm", ["g", "w3", "b3"], ["y"], {}),
    ]
    constants = {
        "w1": first.weight.transpose(3, 2, 0, 1),
        "b1": first.bias,
        "w2": second.weight.transpose(3, 2, 0, 1),
        "b2": second.bias,
        "w3": dense.weight,
        "b3": dense.bias,
    }
    constants = {name: np.ascontiguousarray(a, np.float32) for name, a in constants.items()}
    made = model(nodes, (8, 8, 1), constants)
    network = compared(
        tmp_path, made, (8, 8, 1), inputs=data.inputs(data.held_out[:50]).astype(np.float32)
    )
    engines = Engine(network, data), Engine(ours, data)
    for pair in (("int4", "uint4"), ("e4m3fn", "e2m1fn")):
        case = Case(*pair, method="max")
        assert evaluate(engines[0], case) == evaluate(engines[1], case)
        outputs = [e.outputs(data.held_out, arithmetic(e, case, "max")) for e in engines]
        assert np.array_equal(*outputs)


def test_users_inputs_and_labels(tmp_path):
    data = load_dataset("digits")
    path = tmp_path / "own.npz"
    inputs, labels = data.inputs(np.arange(300)), data.labels[:300]
    np.savez(path, inputs=inputs, labels=labels)
    own = load_dataset(str(path))
    assert (len(own.training), len(own.held_out), own.metric) == (60, 240, "accuracy")
    engine = Engine(load("digits_cnn"), own)
    found = evaluate(engine, Case("int8", "uint8", dataset=str(path)))
    assert found.total == 240
    assert found.correct > 230
    for change, message in (
        ({"labels": labels[:9]}, r"shape \(9,\)"),
        ({"labels": labels - 1}, "0 or more, not -1"),
        ({"labels": labels / 2}, "whole numbers"),
        ({"inputs": inputs * np.nan}, "finite"),
        ({"calibrated": np.array(300)}, r"1\.\.299, not 300"),
    ):
        np.savez(path, **({"inputs": inputs, "labels": labels} | change))
        with pytest.raises(ValueError, match=message):
            load_dataset(str(path))
    np.savez(path, inputs=inputs, labels=labels + 5)
    engine = Engine(load("digits_cnn"), load_dataset(str(path)))
    with pytest.raises(ValueError, match=r"labels of own are classes .* not 14"):
        evaluate(engine, Case("int8", "uint8", method="max"))
