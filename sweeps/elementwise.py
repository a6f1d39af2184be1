"""Floor 4. Layers of imported networks: entry by entry, axes in another order, averages.

As in `sweeps.operations`, arrays have the images first and shapes leave that axis out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweeps.layers import Shape, Values


def _erf(values: Values) -> Values:
    from scipy.special import erf

    result: Values = erf(values)
    return result


def _sigmoid(values: Values) -> Values:
    from scipy.special import expit

    result: Values = expit(values)
    return result


UNARY: dict[str, Callable[[Values], Values]] = {
    "erf": _erf,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "neg": np.negative,
    "abs": np.abs,
    "reciprocal": np.reciprocal,
}
BINARY: dict[str, Callable[[Any, Any], Values]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "max": np.maximum,
    "min": np.minimum,
}


@dataclass(frozen=True, slots=True)
class Unary:
    """A function of each entry, one of `UNARY`."""

    function: str

    def __post_init__(self) -> None:
        _known(self.function, UNARY)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output: that of the input."""
        return shape

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        return UNARY[self.function](values)


@dataclass(frozen=True, slots=True)
class Binary:
    """A function of two inputs entry by entry, one of `BINARY`; axes of length 1 are stretched."""

    function: str

    def __post_init__(self) -> None:
        _known(self.function, BINARY)

    def output_shape(self, shape: Shape, other: Shape) -> Shape:
        """Shape of the output."""
        if len(shape) != len(other):
            raise ValueError(f"{self.function} needs inputs of as many axes, not {shape}, {other}")
        return _stretched(shape, other)

    def apply(self, values: Values, others: Values) -> Values:
        """The layer's output."""
        return BINARY[self.function](values, others)


@dataclass(frozen=True, slots=True, eq=False)
class WithConstant:
    """A function of each entry and a constant's, one of `BINARY`; the constant comes second.

    With `reversed` it comes first. Its axes stand for the last ones of the input.
    """

    function: str
    constant: Values
    reversed: bool = False

    def __post_init__(self) -> None:
        _known(self.function, BINARY)
        if not np.isfinite(self.constant).all():
            raise ValueError("a constant of a network must be finite")

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output."""
        if self.constant.ndim > len(shape):
            raise ValueError(f"a constant of shape {self.constant.shape} does not fit {shape}")
        return _stretched(shape, self.constant.shape)

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        pair = (self.constant, values) if self.reversed else (values, self.constant)
        return BINARY[self.function](*pair)


@dataclass(frozen=True, slots=True)
class Transpose:
    """Axes in another order: axis `axes[i]` of the input becomes axis i; images not counted."""

    axes: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", tuple(self.axes))

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output."""
        if sorted(self.axes) != list(range(len(shape))):
            raise ValueError(f"an order of axes {self.axes} does not fit shape {shape}")
        return tuple(shape[axis] for axis in self.axes)

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        return values.transpose(0, *(axis + 1 for axis in self.axes))


@dataclass(frozen=True, slots=True)
class Reshape:
    """The same entries in another shape, images not counted."""

    shape: Shape

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output."""
        if np.prod(shape) != np.prod(self.shape):
            raise ValueError(f"shape {shape} cannot become {self.shape}")
        return self.shape

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        return values.reshape(len(values), *self.shape)


@dataclass(frozen=True, slots=True)
class AveragePool:
    """Mean of each `size` × `size` tile of (rows, columns, channels)."""

    size: int

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output."""
        if len(shape) != 3 or self.size < 1 or shape[0] % self.size or shape[1] % self.size:
            raise ValueError(f"pooling by {self.size} does not divide an input of shape {shape}")
        return shape[0] // self.size, shape[1] // self.size, shape[2]

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        images, rows, columns, channels = values.shape
        size = self.size
        tiles = values.reshape(images, rows // size, size, columns // size, size, channels)
        mean: Values = tiles.mean(axis=(2, 4))
        return mean


@dataclass(frozen=True, slots=True)
class Take:
    """One entry along an axis, which goes: the class token of a transformer, say."""

    axis: int
    index: int

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output."""
        if not (0 <= self.axis < len(shape) and -shape[self.axis] <= self.index < shape[self.axis]):
            raise ValueError(f"entry {self.index} of axis {self.axis} is not in shape {shape}")
        return shape[: self.axis] + shape[self.axis + 1 :]

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        entry: Values = values[(slice(None),) * (self.axis + 1) + (self.index,)]
        return entry


@dataclass(frozen=True, slots=True, eq=False)
class Requantise:
    """Entries on a grid and back: ``scale · (clip(rint(x / scale + zero)) − zero)``, ties to even.

    What QuantizeLinear and DequantizeLinear do together, and QONNX's Quant. Scale and zero point
    are numbers, or arrays that stand for the last axes.
    """

    scale: Values
    zero: Values
    low: float
    high: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.scale).all() and (self.scale > 0).all()):
            raise ValueError("a scale is positive and finite")
        if not self.low < self.high:
            raise ValueError(f"codes reach from a low to a higher one, not {self.low}..{self.high}")

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output: that of the input."""
        if max(self.scale.ndim, self.zero.ndim) > len(shape):
            raise ValueError(f"scales of shape {self.scale.shape} do not fit {shape}")
        return shape

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        codes = np.clip(np.rint(values / self.scale) + self.zero, self.low, self.high)
        result: Values = (codes - self.zero) * self.scale
        return result


Elementwise = Unary | WithConstant | Transpose | Reshape | AveragePool | Take | Requantise


def _known(name: str, functions: dict[str, Any]) -> None:
    if name not in functions:
        raise ValueError(f"a function is one of {', '.join(functions)}, not {name!r}")


def _stretched(shape: Shape, other: Shape) -> Shape:
    try:
        result = np.broadcast_shapes(shape, other)
    except ValueError:
        raise ValueError(f"shapes {shape} and {other} do not go together") from None
    if len(result) > len(shape):
        raise ValueError(f"shapes {shape} and {other} do not go together")
    return tuple(result)
