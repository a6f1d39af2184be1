"""Floor 4. Signal to quantisation noise of weights, tensor by tensor and format by format."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.formats import Format
from hw.formats.block import BlockFormat, Outer
from hw.formats.mixture import MixtureFormat
from sweeps.quantize import AnyFormat, Method
from sweeps.weight_files import Weights

SCALE_BITS = 32
"""Of a scale that has no format of its own, and of a block format's second scale."""
_AT_ONCE = 1 << 21
"""Weights that are quantised together where outputs do not share a scale."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Noise:
    """What a format does to a tensor.

    Parameters
    ----------
    signal, noise
        Sums of squares of the weights and of what they are off.
    bits
        All that is stored: codes, scales, ids. The shorter last block of an output is not padded.
    count
        How many weights there are.
    """

    signal: float
    noise: float
    bits: int
    count: int

    @property
    def sqnr_db(self) -> float:
        """``10 log10(signal / noise)`` in dB; infinite where every weight is met exactly."""
        if self.noise == 0:
            return math.inf
        return 10 * math.log10(self.signal / self.noise) if self.signal else -math.inf

    @property
    def bits_per_weight(self) -> float:
        """Stored bits over weights."""
        return self.bits / self.count

    def __add__(self, other: Noise) -> Noise:
        """Of two tensors together."""
        return Noise(
            self.signal + other.signal,
            self.noise + other.noise,
            self.bits + other.bits,
            self.count + other.count,
        )


def matrix_of(values: Values, outputs: str) -> Values:
    """Return weights as a matrix (term, output).

    Parameters
    ----------
    values
        Two axes or more.
    outputs
        Which axis tells outputs: "first" (PyTorch: linear and convolution) or "last".
    """
    if outputs == "first":
        return values.reshape(len(values), -1).T
    return values.reshape(-1, values.shape[-1])


def noise_of(matrix: Values, format: AnyFormat, method: Method) -> Noise:
    """Return what a format does to a matrix (term, output) whose scales a method chooses.

    Raises
    ------
    ValueError
        If the format is not one for weights, or a scale does not fit the scheme's scale format.
    """
    terms, outputs = matrix.shape
    step = outputs if _is_shared(format, method) else max(_AT_ONCE // max(terms, 1), 1)
    signal = noise = 0.0
    for start in range(0, outputs, step):
        part = np.ascontiguousarray(matrix[:, start : start + step])
        found = method.weights(part, format, lambda: np.empty((0, terms)))
        signal += float((part**2).sum())
        noise += float(((found.dequantised - part) ** 2).sum())
    return Noise(signal, noise, stored_bits(terms, outputs, format, method), matrix.size)


def measure(
    tensors: Sequence[Weights],
    formats: Sequence[AnyFormat],
    method: Method,
    outputs: str = "first",
    report: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Noise, ...]]:
    """Give for each tensor what each format does to it; one tensor at a time is in memory.

    Raises
    ------
    ValueError
        As `noise_of` and `Weights.values`; names file, tensor and format.
    """
    for tensor in tensors:
        matrix = matrix_of(tensor.values(), outputs)
        row = []
        for format in formats:
            try:
                row.append(noise_of(matrix, format, method))
            except ValueError as error:
                raise ValueError(
                    f"{tensor.path}: {tensor.name} in {format.name}: {error}"
                ) from None
        report()
        yield tuple(row)


def stored_bits(terms: int, outputs: int, format: AnyFormat, method: Method) -> int:
    """Return all bits of a matrix in a format: codes, scales, second scales, ids."""
    count = terms * outputs
    if isinstance(format, BlockFormat):
        size = format.block_size
        blocks = -(-terms // size) * outputs if size else 1
        second = {Outer.NONE: 0, Outer.TENSOR: 1, Outer.ROW: outputs}[format.outer] * SCALE_BITS
        return count * format.element.bits + blocks * format.scale_format.bits + second
    if isinstance(format, MixtureFormat):
        groups = -(-terms // format.block_size) * outputs
        more = outputs * SCALE_BITS if format.scale_kind == "int8" else 0
        return (
            count * format.codebooks[0].bits + groups * (format.id_bits + format.scale_bits) + more
        )
    scheme = method.scheme
    groups = -(-terms // scheme.group) * outputs if scheme.group else outputs
    each = scheme.format.bits if scheme.format else SCALE_BITS
    return count * format.bits + (1 if scheme.is_tensor else groups) * each


def _is_shared(format: AnyFormat, method: Method) -> bool:
    """Whether outputs share a scale, so that a matrix cannot be done in parts."""
    if isinstance(format, BlockFormat):
        return format.block_size is None or format.outer is Outer.TENSOR
    return isinstance(format, Format) and method.scheme.is_tensor
