"""Floor 4. What each ONNX operator becomes (see `sweeps.onnx_graph`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from sweeps.elementwise import (
    UNARY,
    AveragePool,
    Binary,
    Requantise,
    Reshape,
    Take,
    Transpose,
    Unary,
    WithConstant,
)
from sweeps.layers import Convolution, Dense, MaxPool, Relu
from sweeps.onnx_constants import along, limits, quant
from sweeps.onnx_graph import UNKNOWN_BATCH, Array, Builder, Operator, Unsupported, weighted_name
from sweeps.operations import Add, Embedding, Gelu, Mean, Normalise, Product, Softmax

TO_LAST, TO_FIRST = (1, 2, 0), (2, 0, 1)
"""Orders of axes: channels first to channels last, and back."""


def _convolution(builder: Builder, operator: Operator) -> None:
    attributes, weight = operator.attributes, builder.constant(operator, 1)
    if weight.ndim != 4:
        raise Unsupported(
            f"{operator.where}: a convolution has two axes here, not {weight.ndim - 2}"
        )
    _plain(operator, "dilations", 1)
    has_bias = len(operator.inputs) > 2 and operator.inputs[2]
    bias = builder.constant(operator, 2) if has_bias else np.zeros(len(weight))
    layer = Convolution(
        weighted_name(builder, operator),
        weight.transpose(2, 3, 1, 0).astype(np.float64),
        bias.astype(np.float64),
        _even_padding(operator, weight.shape[2:]),
        _one(operator, "strides", 1),
        attributes.get("group", 1),
    )
    _channel_last(builder, operator, layer, layer.name)


def _channel_last(builder: Builder, operator: Operator, layer: Any, name: str = "") -> None:
    source = builder.source(operator, 0)
    turned = builder.add(operator, Transpose(TO_LAST), source)
    done = builder.add(operator, layer, turned, name=name)
    builder.put(operator, builder.add(operator, Transpose(TO_FIRST), done))


def _one(operator: Operator, attribute: str, default: int) -> int:
    """Return an attribute whose entries must all be the same."""
    values = set(operator.attributes.get(attribute, [default]))
    if len(values) != 1:
        raise Unsupported(f"{operator.where}: {attribute} must be equal, not {sorted(values)}")
    return int(values.pop())


def _plain(operator: Operator, attribute: str, wanted: int) -> None:
    if set(operator.attributes.get(attribute, [wanted])) != {wanted}:
        found = operator.attributes[attribute]
        raise Unsupported(f"{operator.where}: {attribute} must be {wanted}, not {list(found)}")


def _even_padding(operator: Operator, kernel: tuple[int, ...]) -> int:
    automatic = operator.attributes.get("auto_pad", b"NOTSET").decode()
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        odd = all(size % 2 for size in kernel) and _one(operator, "strides", 1) == 1
        if not odd or len(set(kernel)) != 1:
            raise Unsupported(f"{operator.where}: auto_pad {automatic} pads one side more here")
        return kernel[0] // 2
    return 0 if automatic == "VALID" else _one(operator, "pads", 0)


def _pool(builder: Builder, operator: Operator) -> None:
    size = _one(operator, "kernel_shape", 1)
    _plain(operator, "pads", 0)
    _plain(operator, "dilations", 1)
    if _one(operator, "strides", 1) != size:
        raise Unsupported(f"{operator.where}: strides must be the kernel's {size}")
    layer = MaxPool(size) if operator.kind == "MaxPool" else AveragePool(size)
    _channel_last(builder, operator, layer)


def _global_average(builder: Builder, operator: Operator) -> None:
    source = builder.source(operator, 0)
    shape = builder.shapes[source]
    for _ in shape[1:]:
        source = builder.add(operator, Mean(1), source)
    builder.put(
        operator, builder.add(operator, Reshape((shape[0], *(1 for _ in shape[1:]))), source)
    )


def _dense(builder: Builder, operator: Operator, matrix: Array, bias: Array, source: str) -> None:
    name = weighted_name(builder, operator)
    layer = Dense(name, np.asarray(matrix, np.float64), np.asarray(bias, np.float64))
    builder.put(operator, builder.add(operator, layer, source, name=name))


def _gemm(builder: Builder, operator: Operator) -> None:
    attributes, matrix = operator.attributes, builder.constant(operator, 1)
    if attributes.get("transA", 0):
        raise Unsupported(f"{operator.where}: transA must be 0, not 1")
    matrix = (matrix.T if attributes.get("transB", 0) else matrix) * attributes.get("alpha", 1.0)
    bias = np.zeros(matrix.shape[1])
    if len(operator.inputs) > 2 and operator.inputs[2]:
        bias = bias + np.reshape(builder.constant(operator, 2), -1) * attributes.get("beta", 1.0)
    _dense(builder, operator, matrix, bias, builder.source(operator, 0))


def _matmul(builder: Builder, operator: Operator) -> None:
    if builder.is_constant(operator, 1):
        matrix = builder.constant(operator, 1)
        if matrix.ndim != 2:
            raise Unsupported(
                f"{operator.where}: a constant factor has two axes, not {matrix.ndim}"
            )
        source = builder.source(operator, 0)
        _dense(builder, operator, matrix, np.zeros(matrix.shape[1]), source)
        return
    sources = builder.source(operator, 0), builder.source(operator, 1)
    builder.put(operator, builder.add(operator, Product(), *sources))


def _batch_norm(builder: Builder, operator: Operator) -> None:
    gain, shift, mean, variance = (
        builder.constant(operator, i).astype(np.float64) for i in (1, 2, 3, 4)
    )
    factor = gain / np.sqrt(variance + operator.attributes.get("epsilon", 1e-5))
    _affine(builder, operator, factor, shift - mean * factor)


def _affine(builder: Builder, operator: Operator, factor: Array, shift: Array) -> None:
    """Times a factor and plus a shift for each channel: in the layer before, if it is alone."""
    source = builder.source(operator, 0)
    last = builder.lone(operator, 0)
    turned = last is not None and isinstance(last.layer, Transpose) and len(builder.nodes) > 1
    place = -2 if turned else -1
    if last is not None and isinstance(builder.nodes[place].layer, Convolution | Dense):
        node = builder.nodes[place]
        layer = node.layer
        assert isinstance(layer, Convolution | Dense)
        if layer.bias.shape == np.shape(factor):
            changed = replace(layer, weight=layer.weight * factor, bias=layer.bias * factor + shift)
            builder.nodes[place] = replace(node, layer=changed)
            builder.put(operator, source)
            return
    axes = (-1, *(1 for _ in builder.shapes[source][1:]))
    scaled = builder.add(operator, WithConstant("mul", factor.reshape(axes)), source)
    builder.put(operator, builder.add(operator, WithConstant("add", shift.reshape(axes)), scaled))


def _binary(function: str) -> Callable[[Builder, Operator], None]:
    def handle(builder: Builder, operator: Operator) -> None:
        known = [builder.is_constant(operator, i) for i in (0, 1)]
        if not any(known):
            sources = builder.source(operator, 0), builder.source(operator, 1)
            equal = len({builder.shapes[source] for source in sources}) == 1
            layer = Add() if function == "add" and equal else Binary(function)
            builder.put(operator, builder.add(operator, layer, *sources))
            return
        first = 1 if known[0] else 0
        source = builder.source(operator, first)
        constant = _without_batch(builder, operator, 1 - first, source)
        last = builder.lone(operator, first)
        dense = last.layer if function == "add" and last is not None else None
        fits = constant.ndim <= 1
        if isinstance(dense, Dense) and fits and constant.size in (1, len(dense.bias)):
            builder.change_last(replace(dense, bias=dense.bias + constant))
            builder.put(operator, source)
            return
        layer_of = WithConstant(function, constant, reversed=first == 1)
        builder.put(operator, builder.add(operator, layer_of, source))

    return handle


def _without_batch(builder: Builder, operator: Operator, index: int, source: str) -> Array:
    """Return a constant that goes with an activation, its axis of the batch taken off."""
    constant = np.asarray(builder.constant(operator, index), dtype=np.float64)
    if constant.ndim > len(builder.shapes[source]):
        if constant.shape[0] != 1 or constant.ndim > len(builder.shapes[source]) + 1:
            raise Unsupported(f"{operator.where}: a constant of shape {constant.shape} has a batch")
        constant = constant[0]
    return constant


def _simple(make: Callable[[Operator], Any]) -> Callable[[Builder, Operator], None]:
    def handle(builder: Builder, operator: Operator) -> None:
        builder.put(operator, builder.add(operator, make(operator), builder.source(operator, 0)))

    return handle


def _unary(function: str) -> Callable[[Builder, Operator], None]:
    return _simple(lambda _: Unary(function))


def _same(builder: Builder, operator: Operator) -> None:
    builder.put(operator, builder.source(operator, 0))


def _softmax(builder: Builder, operator: Operator) -> None:
    source = builder.source(operator, 0)
    axes = len(builder.shapes[source]) + 1
    if operator.attributes.get("axis", -1) % axes != axes - 1:
        raise Unsupported(f"{operator.where}: a softmax is over the last axis here")
    builder.put(operator, builder.add(operator, Softmax(), source))


def _layer_norm(builder: Builder, operator: Operator) -> None:
    source = builder.source(operator, 0)
    axes = len(builder.shapes[source]) + 1
    if operator.attributes.get("axis", -1) % axes != axes - 1:
        raise Unsupported(f"{operator.where}: a normalisation is over the last axis here")
    gain = builder.constant(operator, 1).astype(np.float64)
    has_bias = len(operator.inputs) > 2 and operator.inputs[2]
    bias = builder.constant(operator, 2).astype(np.float64) if has_bias else np.zeros(len(gain))
    layer = Normalise(gain, bias, operator.attributes.get("epsilon", 1e-5))
    builder.put(operator, builder.add(operator, layer, source))


def _flatten(builder: Builder, operator: Operator) -> None:
    if operator.attributes.get("axis", 1) != 1:
        raise Unsupported(f"{operator.where}: axis must be 1, not {operator.attributes['axis']}")
    source = builder.source(operator, 0)
    size = int(np.prod(builder.shapes[source]))
    builder.put(operator, builder.add(operator, Reshape((size,)), source))


def _reshape(builder: Builder, operator: Operator) -> None:
    source = builder.source(operator, 0)
    shape = builder.shapes[source]
    wanted = builder.constant(operator, 1).tolist()
    if not operator.attributes.get("allowzero", 0):
        wanted = [(UNKNOWN_BATCH, *shape)[i] if n == 0 else n for i, n in enumerate(wanted)]
    if not wanted or wanted[0] not in (UNKNOWN_BATCH, 1):
        raise Unsupported(f"{operator.where}: the batch must stay the first axis, not {wanted}")
    rest = wanted[1:]
    if rest.count(-1) > 1 or (rest.count(-1) and wanted[0] == 0):
        raise Unsupported(f"{operator.where}: shape {wanted} leaves too much open")
    if -1 in rest:
        known = int(np.prod([n for n in rest if n != -1]))
        rest[rest.index(-1)] = int(np.prod(shape)) // max(known, 1)
    builder.put(operator, builder.add(operator, Reshape(tuple(rest)), source))


def _transpose(builder: Builder, operator: Operator) -> None:
    source = builder.source(operator, 0)
    axes = operator.attributes.get("perm")
    if not axes or axes[0] != 0:
        raise Unsupported(f"{operator.where}: the batch must stay the first axis, not {axes}")
    layer = Transpose(tuple(axis - 1 for axis in axes[1:]))
    builder.put(operator, builder.add(operator, layer, source))


def _mean(builder: Builder, operator: Operator) -> None:
    source = builder.source(operator, 0)
    shape = builder.shapes[source]
    given = operator.attributes.get("axes")
    if given is None:
        given = builder.constant(operator, 1).tolist()
    axes = sorted(axis % (len(shape) + 1) for axis in given)
    if 0 in axes:
        raise Unsupported(f"{operator.where}: a mean over the batch")
    for axis in reversed(axes):
        source = builder.add(operator, Mean(axis - 1), source)
    if operator.attributes.get("keepdims", 1):
        kept = tuple(1 if i + 1 in axes else n for i, n in enumerate(shape))
        source = builder.add(operator, Reshape(kept), source)
    builder.put(operator, source)


def _gather(builder: Builder, operator: Operator) -> None:
    axis = operator.attributes.get("axis", 0)
    if builder.is_constant(operator, 0):
        table = np.asarray(builder.constant(operator, 0), dtype=np.float64)
        if axis:
            raise Unsupported(f"{operator.where}: rows are taken of a table, axis 0, not {axis}")
        builder.put(operator, builder.add(operator, Embedding(table), builder.source(operator, 1)))
        return
    source, index = builder.source(operator, 0), builder.constant(operator, 1)
    if index.size != 1 or index.ndim or axis == 0:
        raise Unsupported(f"{operator.where}: one entry of an axis after the batch is taken")
    axis = axis % (len(builder.shapes[source]) + 1) - 1
    builder.put(operator, builder.add(operator, Take(axis, int(index)), source))


def _quantise_linear(builder: Builder, operator: Operator) -> None:
    has_zero = len(operator.inputs) > 2 and operator.inputs[2]
    zero = builder.constant(operator, 2) if has_zero else np.zeros((), np.uint8)
    low, high = limits(operator, zero)
    source = builder.source(operator, 0)
    whole = np.empty((1, *(1 for _ in builder.shapes[source])))
    axis = operator.attributes.get("axis", 1)
    scale = along(whole, builder.constant(operator, 1), axis)
    offset = along(whole, zero, axis)
    scale, offset = (v[0] if v.ndim else v for v in (scale, offset))
    layer = Requantise(scale, offset, low, high)
    builder.put(operator, builder.add(operator, layer, source))


def _dequantise_linear(builder: Builder, operator: Operator) -> None:
    """The other half of a QuantizeLinear before it, which already gives values, not codes."""
    source = builder.source(operator, 0)
    node = next((n for n in builder.nodes if n.name == source), None)
    if node is None or not isinstance(node.layer, Requantise):
        raise Unsupported(f"{operator.where}: it must follow a QuantizeLinear or be constant")
    has_zero = len(operator.inputs) > 2 and operator.inputs[2]
    zero = builder.constant(operator, 2) if has_zero else np.zeros(())
    pairs = ((builder.constant(operator, 1), node.layer.scale), (zero, node.layer.zero))
    if not all(np.array_equal(np.ravel(a), np.ravel(b)) for a, b in pairs):
        raise Unsupported(f"{operator.where}: scale and zero point differ from QuantizeLinear's")
    builder.put(operator, source)


def _qonnx(builder: Builder, operator: Operator) -> None:
    source = builder.source(operator, 0)
    values = [np.zeros(()), *(builder.constant(operator, i) for i in (1, 2, 3))]
    layer = quant(operator, values)
    parts = [part[0] if part.ndim > len(builder.shapes[source]) else part for part in values[1:3]]
    layer = replace(layer, scale=np.asarray(parts[0], float), zero=np.asarray(parts[1], float))
    builder.put(operator, builder.add(operator, layer, source))


def _gelu(operator: Operator) -> Gelu:
    if operator.attributes.get("approximate", b"none") != b"none":
        raise Unsupported(f"{operator.where}: approximate must be none, not tanh")
    return Gelu()


def _clip(builder: Builder, operator: Operator) -> None:
    source = builder.source(operator, 0)
    for index, key, function in ((1, "min", "max"), (2, "max", "min")):
        limit = operator.attributes.get(key)
        if limit is None and len(operator.inputs) > index and operator.inputs[index]:
            limit = float(builder.constant(operator, index))
        if limit is not None:
            layer = WithConstant(function, np.asarray(limit, dtype=np.float64))
            source = builder.add(operator, layer, source)
    builder.put(operator, source)


HANDLERS: dict[str, Callable[[Builder, Operator], None]] = {
    "Conv": _convolution,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_norm,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "GlobalAveragePool": _global_average,
    "Relu": _simple(lambda _: Relu()),
    "Gelu": _simple(_gelu),
    "Softmax": _softmax,
    "LayerNormalization": _layer_norm,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "ReduceMean": _mean,
    "Gather": _gather,
    "Clip": _clip,
    "Identity": _same,
    "Dropout": _same,
    "Cast": _same,
    "QuantizeLinear": _quantise_linear,
    "DequantizeLinear": _dequantise_linear,
    "Quant": _qonnx,
    **{f.capitalize(): _binary(f) for f in ("add", "sub", "mul", "div", "pow")},
    **{function.capitalize(): _unary(function) for function in UNARY},
}
