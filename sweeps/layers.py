"""Floor 4. Layers of a network as values: shapes, patches, and the layers without weights.

Layers hold their weights as matrices of `terms` × `outputs`, activations are channel-last
(`image, row, column, channel`), so that every weighted layer is one matrix product of patches:
what the float network, the quantised network and a layer engine all agree on.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Shape = tuple[int, ...]
EXACT_BITS = 53
"""Whole numbers below 2 to this power, and their sums as long as they stay there, are exact."""


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """Two-dimensional convolution.

    Parameters
    ----------
    name : str
        Name of the layer, unique in its network.
    weight : array (kernel rows, kernel columns, input channels, output channels)
        Of one group: all channels without groups.
    bias : array (output channels)
    padding : int
        Rows and columns of zeros added on each side.
    stride : int
        Rows and columns from one output to the next.
    groups : int
        Input and output channels are cut into so many parts that see nothing of each other.

    Raises
    ------
    ValueError
        If the shapes do not agree, the padding is negative, or groups do not divide the outputs.
    """

    name: str
    weight: Values
    bias: Values
    padding: int = 0
    stride: int = 1
    groups: int = 1

    def __post_init__(self) -> None:
        _check_weights(self.name, self.weight, self.bias, dimensions=4)
        if self.padding < 0:
            raise ValueError(f"padding of {self.name} must be at least 0, not {self.padding}")
        if self.stride < 1:
            raise ValueError(f"stride of {self.name} must be at least 1, not {self.stride}")
        if self.groups < 1 or len(self.bias) % self.groups:
            raise ValueError(f"{self.groups} groups of {self.name} do not divide its outputs")

    @property
    def parts(self) -> "tuple[tuple[slice, Convolution], ...]":
        """The input channels of each group, and what it does to them."""
        if self.groups == 1:
            return ((slice(None), self),)
        channels, outputs = self.weight.shape[2], len(self.bias) // self.groups
        found = []
        for group in range(self.groups):
            own = slice(group * outputs, (group + 1) * outputs)
            part = replace(self, weight=self.weight[..., own], bias=self.bias[own], groups=1)
            found.append((slice(group * channels, (group + 1) * channels), part))
        return tuple(found)

    @property
    def matrix(self) -> Values:
        """The weights, `terms` × `outputs`; terms ordered kernel row, kernel column, channel."""
        return self.weight.reshape(-1, self.weight.shape[-1])

    @property
    def terms(self) -> int:
        """Products that one output adds (its fan-in)."""
        return int(self.matrix.shape[0])

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output for an input of `shape` (rows, columns, channels)."""
        kernel_rows, kernel_columns, each, outputs = self.weight.shape
        channels = each * self.groups
        if len(shape) != 3 or shape[2] != channels:
            raise ValueError(f"{self.name} expects {channels} input channels, not shape {shape}")
        rows = shape[0] + 2 * self.padding - kernel_rows
        columns = shape[1] + 2 * self.padding - kernel_columns
        if rows < 0 or columns < 0:
            raise ValueError(f"{self.name}: its kernel is larger than its input of shape {shape}")
        return rows // self.stride + 1, columns // self.stride + 1, outputs

    def patches(self, values: Values) -> Values:
        """The operands of each output position: (image, row, column, term); of one group only.

        Zeros are padded with +0, which every activation format has.
        """
        if self.groups > 1:
            raise ValueError(f"groups of {self.name} have patches of their own: see its parts")
        pad = self.padding
        padded = np.pad(values, ((0, 0), (pad, pad), (pad, pad), (0, 0))) if pad else values
        kernel = self.weight.shape[:2]
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
        windows = windows[:, :: self.stride, :: self.stride]
        ordered = windows.transpose(0, 1, 2, 4, 5, 3)
        return ordered.reshape(*ordered.shape[:3], self.terms)


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """Fully connected layer: `weight` is `terms` × `outputs`, `bias` has `outputs` values.

    It applies to the last axis, so that (tokens, terms) become (tokens, outputs).
    """

    name: str
    weight: Values
    bias: Values

    def __post_init__(self) -> None:
        _check_weights(self.name, self.weight, self.bias, dimensions=2)

    @property
    def matrix(self) -> Values:
        """The weights, `terms` × `outputs`."""
        return self.weight

    @property
    def parts(self) -> "tuple[tuple[slice, Dense], ...]":
        """All terms, and the layer itself: it has no groups."""
        return ((slice(None), self),)

    @property
    def terms(self) -> int:
        """Products that one output adds (its fan-in)."""
        return int(self.weight.shape[0])

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output for an input of `shape` (…, terms)."""
        if shape[-1:] != (self.terms,):
            raise ValueError(f"{self.name} expects {self.terms} inputs, not shape {shape}")
        return (*shape[:-1], self.weight.shape[1])

    def patches(self, values: Values) -> Values:
        """The operands of each output: the input itself, (image, …, term)."""
        return values


@dataclass(frozen=True, slots=True)
class Relu:
    """max(x, 0): its outputs need no sign."""

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output: that of the input."""
        return shape

    def apply(self, values: Values) -> Values:
        """The layer's output; zeros are +0."""
        return np.maximum(values, 0.0)


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Largest value of each `size` × `size` tile: exact in every format, no arithmetic at all."""

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size of a pooling layer must be at least 1, not {self.size}")

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output for an input of `shape` (rows, columns, channels)."""
        if len(shape) != 3 or shape[0] % self.size or shape[1] % self.size:
            raise ValueError(f"pooling by {self.size} does not divide an input of shape {shape}")
        return shape[0] // self.size, shape[1] // self.size, shape[2]

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        images, rows, columns, channels = values.shape
        size = self.size
        across = values.reshape(images, rows, columns // size, size, channels)
        best = _largest([across[:, :, :, i] for i in range(size)])
        down = best.reshape(images, rows // size, size, columns // size, channels)
        return _largest([down[:, :, i] for i in range(size)])


@dataclass(frozen=True, slots=True)
class Flatten:
    """Rows, columns and channels as one axis."""

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output: one axis."""
        return (int(np.prod(shape)),)

    def apply(self, values: Values) -> Values:
        """The layer's output."""
        return values.reshape(values.shape[0], -1)


Weighted = Convolution | Dense
Layer = Convolution | Dense | Relu | MaxPool | Flatten


def float_product(layer: Weighted, values: Values) -> Values:
    """What a weighted layer makes of its input in float, by `reference_product`."""
    parts = [
        reference_product(part.patches(values[..., channels]), part.matrix)
        for channels, part in layer.parts
    ]
    return (parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)) + layer.bias


def reference_product(left: Values, right: Values) -> Values:
    """Float matrix product over the last axis of `left`, the same bits whatever adds it.

    Each row of `left` and each column of `right` is rounded to a grid so fine that all sums of
    products are exact in float64: for 512 terms, to 2^-22 of the power of two above its largest
    entry. So the order in which a BLAS adds, which differs by machine, does not matter.

    Parameters
    ----------
    left : array (…, rows, terms)
    right : array (terms, columns) or (…, terms, columns)
    """
    bits = (EXACT_BITS - (left.shape[-1] - 1).bit_length()) // 2
    rows, row_exponents = _on_grid(left, -1, bits)
    columns, column_exponents = _on_grid(right, -2, bits)
    if right.ndim == 2:
        flat = rows.reshape(-1, rows.shape[-1]) @ columns
        sums = flat.reshape(*rows.shape[:-1], columns.shape[-1])
    else:
        sums = rows @ columns
    result: Values = np.ldexp(sums, row_exponents + column_exponents)
    return result


def _on_grid(values: Values, axis: int, bits: int) -> tuple[Values, npt.NDArray[np.int32]]:
    """Return whole numbers of at most `bits` bits, and the exponent of their unit along `axis`."""
    exponents = np.frexp(np.abs(values).max(axis=axis, keepdims=True, initial=0.0))[1] - bits
    return np.rint(np.ldexp(values, -exponents)), exponents


def _check_weights(name: str, weight: Values, bias: Values, dimensions: int) -> None:
    if weight.ndim != dimensions or bias.shape != weight.shape[-1:]:
        raise ValueError(
            f"{name} needs {dimensions}-dimensional weights and one bias per output, "
            f"not shapes {weight.shape} and {bias.shape}"
        )
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise ValueError(f"weights of {name} must be finite")


def _largest(tiles: list[Values]) -> Values:
    best = tiles[0]
    for tile in tiles[1:]:
        best = np.maximum(best, tile)
    return best
