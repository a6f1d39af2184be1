"""Floor 4. What is known in an ONNX graph: constants worked out, and grids of quantisers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sweeps.elementwise import Requantise
from sweeps.onnx_graph import UNKNOWN_BATCH, Array, Builder, Operator, Unsupported

FOLDABLE: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": lambda a, b: a // b if np.issubdtype(np.asarray(a).dtype, np.integer) else a / b,
    "Sqrt": np.sqrt,
    "Neg": np.negative,
    "Reciprocal": np.reciprocal,
    "Identity": lambda a: a,
}


def folded(builder: Builder, operator: Operator) -> bool:
    """Work out an operator whose inputs are all known; say whether it was one."""
    constants = builder.constants
    if operator.kind == "Shape" and operator.inputs[0] in builder.sources:
        shape = builder.shapes[builder.sources[operator.inputs[0]]]
        whole = np.array([UNKNOWN_BATCH, *shape])
        start = operator.attributes.get("start", 0)
        constants[operator.outputs[0]] = whole[start : operator.attributes.get("end")]
        return True
    given = [name for name in operator.inputs if name]
    if not given or any(name not in constants for name in given):
        return False
    values = [constants[name] for name in given]
    found = _worked_out(operator, values)
    if found is None:
        return False
    constants[operator.outputs[0]] = found
    return True


def _worked_out(operator: Operator, values: list[Array]) -> Array | None:
    attributes = operator.attributes
    match operator.kind:
        case "Transpose":
            axes = attributes.get("perm")
            return values[0].transpose(*axes) if axes else values[0].T
        case "Reshape":
            return values[0].reshape(values[1].tolist())
        case "Gather":
            return np.take(values[0], values[1], axis=attributes.get("axis", 0))
        case "Unsqueeze" | "Squeeze":
            axes = values[1].tolist() if len(values) > 1 else attributes.get("axes")
            if operator.kind == "Unsqueeze":
                return np.expand_dims(values[0], tuple(axes or ()))
            return np.squeeze(values[0], None if axes is None else tuple(axes))
        case "Concat":
            return np.concatenate([np.atleast_1d(value) for value in values], attributes["axis"])
        case "Cast":
            return values[0]
        case "DequantizeLinear":
            zero = values[2] if len(values) > 2 else np.zeros(())
            scale, zero = (
                along(values[0], v, attributes.get("axis", 1)) for v in (values[1], zero)
            )
            return (values[0].astype(np.float64) - zero) * scale
        case "QuantizeLinear" | "Quant" | "BipolarQuant":
            return _quantised_constant(operator, values)
    function = FOLDABLE.get(operator.kind)
    return None if function is None else np.asarray(function(*values))


def _quantised_constant(operator: Operator, values: list[Array]) -> Array:
    if operator.kind == "QuantizeLinear":
        zero = values[2] if len(values) > 2 else np.zeros((), np.uint8)
        low, high = limits(operator, zero)
        axis = operator.attributes.get("axis", 1)
        scale, offset = (along(values[0], v, axis) for v in (values[1], zero))
        codes: Array = np.clip(np.rint(values[0] / scale) + offset, low, high)
        return codes
    layer = quant(operator, values)
    return layer.apply(values[0].astype(np.float64))


def along(array: Array, values: Array, axis: int) -> Array:
    """Return scales per entry of an axis in a shape that goes with the array."""
    flat = np.asarray(values, dtype=np.float64)
    if flat.size == 1:
        return flat.reshape(())
    shape = [1] * array.ndim
    shape[axis] = flat.size
    return flat.reshape(shape)


def limits(operator: Operator, zero: Array) -> tuple[float, float]:
    """Return the least and the greatest code of a zero point's type."""
    if not np.issubdtype(zero.dtype, np.integer) or zero.dtype.itemsize > 2:
        raise Unsupported(f"{operator.where}: codes are integers of 8 or 16 bits, not {zero.dtype}")
    info = np.iinfo(zero.dtype)
    return float(info.min), float(info.max)


def quant(operator: Operator, values: list[Array]) -> Requantise:
    """QONNX's Quant and BipolarQuant; `values` are x (not looked at), scale, zero point, bits."""
    scale = np.asarray(values[1], dtype=np.float64)
    if operator.kind == "BipolarQuant":
        # clip(rint(x / (2 s) + 1/2), 0, 1) - 1/2, times 2 s: -s below 0, s from 0 on
        raise Unsupported(f"{operator.where}: bipolar rounding has no grid here")
    mode = operator.attributes.get("rounding_mode", b"ROUND")
    if (mode.decode() if isinstance(mode, bytes) else mode) not in ("ROUND", "HALF_EVEN"):
        raise Unsupported(f"{operator.where}: rounding_mode must be ROUND, not {mode!r}")
    bits, signed = int(np.ravel(values[3])[0]), operator.attributes.get("signed", 1)
    narrow = operator.attributes.get("narrow", 0)
    low = -(2 ** (bits - 1)) + narrow if signed else 0
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
    zero = np.asarray(values[2], dtype=np.float64)
    return Requantise(scale, zero, float(low), float(high))
