"""Floor 4. Layers of a network without weights to quantise, and products of two activations.

All take arrays with the images (or contexts) first and compute in float64; shapes leave that first
axis out. `Product` is the one that hardware multiplies: the engine quantises both of its factors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sweeps.layers import Shape, Values


@dataclass(frozen=True, slots=True)
class Gelu:
    """``x · Φ(x)``, Φ the normal distribution (Hendrycks and Gimpel, arXiv 1606.08415)."""

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output: that of the input."""
        return shape

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        from scipy.special import erf

        result: Values = 0.5 * values * (1 + erf(values * math.sqrt(0.5)))
        return result


@dataclass(frozen=True, slots=True)
class Softmax:
    """``exp(scale·x)`` over its sum along the last axis.

    With `causal`, entry (query, key) is 0 where the key comes after the query.
    """

    scale: float = 1.0
    causal: bool = False

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output: that of the input."""
        if self.causal and (len(shape) < 2 or shape[-1] != shape[-2]):
            raise ValueError(f"a causal softmax needs as many keys as queries, not shape {shape}")
        return shape

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        scaled = values * self.scale
        if self.causal:
            length = values.shape[-1]
            scaled[..., np.triu(np.ones((length, length), bool), 1)] = -np.inf
        scaled -= scaled.max(axis=-1, keepdims=True)
        np.exp(scaled, out=scaled)
        scaled /= scaled.sum(axis=-1, keepdims=True)
        return scaled


@dataclass(frozen=True, slots=True, eq=False)
class Normalise:
    """Layer normalisation over the last axis, a gain and a bias per entry (arXiv 1607.06450).

    Raises
    ------
    ValueError
        If gain and bias are no vectors of one length, or not finite.
    """

    gain: Values
    bias: Values
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        if self.gain.ndim != 1 or self.gain.shape != self.bias.shape:
            raise ValueError(
                f"a normalisation needs one gain and one bias per entry, "
                f"not shapes {self.gain.shape} and {self.bias.shape}"
            )
        _check_finite("gain and bias of a normalisation", self.gain, self.bias)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output: that of the input."""
        if shape[-1:] != self.gain.shape:
            raise ValueError(f"a normalisation of {self.gain.shape[0]} entries, not shape {shape}")
        return shape

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        centred = values - values.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + self.epsilon)
        result: Values = centred / spread * self.gain + self.bias
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """The row of a table that each code selects: (…,) to (…, entries)."""

    table: Values

    def __post_init__(self) -> None:
        if self.table.ndim != 2:
            raise ValueError(f"an embedding is a table of rows, not of shape {self.table.shape}")
        _check_finite("a table of an embedding", self.table)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output for codes of `shape`."""
        return (*shape, self.table.shape[1])

    def apply(self, values: Values) -> Values:
        """The layer's output; codes are whole numbers of 0..rows − 1."""
        codes = values.astype(np.int64)
        if codes.size and (codes.min() < 0 or codes.max() >= len(self.table)):
            raise ValueError(f"codes lie in 0..{len(self.table) - 1}, not {codes.max()}")
        return self.table[codes]


@dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """A constant added to every image, such as learned positions; shorter inputs use its start."""

    constant: Values

    def __post_init__(self) -> None:
        _check_finite("a constant of a network", self.constant)

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output: that of the input."""
        fits = len(shape) == self.constant.ndim and shape[1:] == self.constant.shape[1:]
        if not fits or shape[0] > self.constant.shape[0]:
            raise ValueError(f"a constant of shape {self.constant.shape} does not fit {shape}")
        return shape

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        return values + self.constant[: values.shape[1]]


@dataclass(frozen=True, slots=True)
class Patches:
    """An image (rows, columns, channels) cut into square tiles: (tiles, size · size · channels)."""

    size: int

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output for an image of `shape`."""
        if len(shape) != 3 or self.size < 1 or shape[0] % self.size or shape[1] % self.size:
            raise ValueError(f"tiles of {self.size} do not divide an input of shape {shape}")
        rows, columns, channels = shape
        return rows * columns // self.size**2, self.size**2 * channels

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        images, rows, columns, channels = values.shape
        size = self.size
        tiles = values.reshape(images, rows // size, size, columns // size, size, channels)
        return tiles.transpose(0, 1, 3, 2, 4, 5).reshape(images, -1, size * size * channels)


@dataclass(frozen=True, slots=True)
class SplitHeads:
    """(tokens, entries) to (heads, tokens, entries / heads)."""

    heads: int

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output."""
        if len(shape) != 2 or self.heads < 1 or shape[1] % self.heads:
            raise ValueError(f"{self.heads} heads do not divide an input of shape {shape}")
        return self.heads, shape[0], shape[1] // self.heads

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        images, tokens, entries = values.shape
        split = values.reshape(images, tokens, self.heads, entries // self.heads)
        return np.ascontiguousarray(split.transpose(0, 2, 1, 3))


@dataclass(frozen=True, slots=True)
class MergeHeads:
    """(heads, tokens, entries) to (tokens, heads · entries)."""

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output."""
        if len(shape) != 3:
            raise ValueError(f"heads to merge have three axes, not shape {shape}")
        return shape[1], shape[0] * shape[2]

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        images, heads, tokens, entries = values.shape
        return values.transpose(0, 2, 1, 3).reshape(images, tokens, heads * entries)


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean over an axis, 0 the first after the images: tokens of a transformer."""

    axis: int = 0

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output."""
        if not 0 <= self.axis < len(shape):
            raise ValueError(f"axis {self.axis} is not one of shape {shape}")
        return shape[: self.axis] + shape[self.axis + 1 :]

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        mean: Values = values.mean(axis=self.axis + 1)
        return mean


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of two inputs of one shape."""

    def output_shape(self, shape: Shape, other: Shape) -> Shape:
        """Shape of the output: that of both inputs."""
        if shape != other:
            raise ValueError(f"a sum needs two inputs of one shape, not {shape} and {other}")
        return shape

    def apply(self, values: Values, others: Values) -> Values:
        """The layer's output."""
        return values + others


@dataclass(frozen=True, slots=True)
class Product:
    """Matrix product of two activations, matrix by matrix: queries with keys, weights with values.

    Parameters
    ----------
    transposed : bool
        The second factor is (…, columns, terms), as keys are, not (…, terms, columns).
    """

    transposed: bool = False

    def output_shape(self, shape: Shape, other: Shape) -> Shape:
        """Shape of the output for factors of `shape` (…, rows, terms) and `other`."""
        right = (*other[:-2], other[-1], other[-2]) if self.transposed else other
        fits = len(shape) >= 2 and shape[:-2] == right[:-2] and shape[-1] == right[-2]
        if len(right) != len(shape) or not fits:
            raise ValueError(f"a product does not fit factors of shape {shape} and {other}")
        return (*shape[:-1], right[-1])

    def right(self, values: Values) -> Values:
        """The second factor as (…, terms, columns)."""
        return values.swapaxes(-1, -2) if self.transposed else values


Operation = (
    Gelu | Softmax | Normalise | Embedding | Shift | Patches | SplitHeads | MergeHeads | Mean | Add
)


def _check_finite(what: str, *arrays: npt.NDArray[np.float64]) -> None:
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError(f"{what} must be finite")
