"""Floor 2b: dot products of integers, as numbers and by binary planes.

`dot` is the specification, on Python ints; `dot_by_planes` says the same by planes, as the papers
write it; `matrix_product` does it for whole matrices, by planes in float32, where every sum of
planes is exact.

Sources: bipolar-INT, Ma et al., arXiv 2409.17870: ``Y = Σ 2^(i+j)·(K - 2·popcount(X_i xor W_j))``;
BISMO, Umuroglu et al., FPL 2018, for two's complement and unsigned words: ``Y = Σ ±2^(i+j)·
popcount(X_i and W_j)``, minus where one of both planes is a sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.design.bitplane import BitPlane
from hw.formats import Format
from hw.formats.integers import BipolarFormat

LONGEST = 1 << 24
"""Float32 counts so many planes exactly."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one pass over `lanes` products multiplies, and in which formats.

    Parameters
    ----------
    weights, activations
        Codes, one per lane.
    weight, activation
        Formats of these codes.

    """

    weights: tuple[int, ...]
    activations: tuple[int, ...]
    weight: Format
    activation: Format


def total(design: BitPlane, chunks: Sequence[Chunk]) -> int:
    """Return the dot product a design computes of chunks, modulo its accumulator.

    Raises
    ------
    ValueError
        If there are no chunks, a chunk has another number of lanes, a code is none of its format, a
        format is beyond the hardware, or the precision changes between chunks.

    """
    if not chunks:
        raise ValueError("a dot product has at least one chunk, not 0")
    first = chunks[0]
    design.check_operands(first.weight, first.activation)
    exact = 0
    for number, chunk in enumerate(chunks):
        if (chunk.weight, chunk.activation) != (first.weight, first.activation):
            raise ValueError(
                f"the precision of a dot product is that of its first chunk, {first.weight} × "
                f"{first.activation}; chunk {number} has {chunk.weight} × {chunk.activation}"
            )
        for what, codes in (("weights", chunk.weights), ("activations", chunk.activations)):
            if len(codes) != design.lanes:
                raise ValueError(
                    f"a chunk of {design.slug} has {design.lanes} {what}, not {len(codes)}"
                )
        exact += dot(chunk.weights, chunk.activations, chunk.weight, chunk.activation)
    reach = 1 << (design.accumulator_bits - 1)
    return (exact + reach) % (2 * reach) - reach


def dot(
    weights: Sequence[int], activations: Sequence[int], weight: Format, activation: Format
) -> int:
    """Return the dot product of codes, in units of both formats' steps.

    Raises
    ------
    ValueError
        If there are not as many activations as weights, or a code is none of its format.

    """
    if len(weights) != len(activations):
        raise ValueError(f"{len(weights)} weights need as many activations, not {len(activations)}")
    pairs = zip(weights, activations, strict=True)
    return sum(
        weight.integer(weight.check_code(w)) * activation.integer(activation.check_code(a))
        for w, a in pairs
    )


def dot_by_planes(
    weights: Sequence[int], activations: Sequence[int], weight: Format, activation: Format
) -> int:
    """Return the same by planes: a popcount of AND or of XOR for each pair of planes."""
    count, found = len(weights), 0
    for j in range(weight.bits):
        for i in range(activation.bits):
            pairs = [(w >> j & 1, a >> i & 1) for w, a in zip(weights, activations, strict=True)]
            if isinstance(weight, BipolarFormat):
                found += (count - 2 * sum(w ^ a for w, a in pairs)) << (i + j)
                continue
            sign = plane_sign(weight, j) * plane_sign(activation, i)
            found += sign * sum(w & a for w, a in pairs) << (i + j)
    return found


def plane_sign(format: Format, plane: int) -> int:
    """Return the sign of a plane: -1 for the highest of two's complement."""
    negative = format.signed and not isinstance(format, BipolarFormat)
    return -1 if negative and plane == format.bits - 1 else 1


def matrix_product(
    weights: NDArray[Any], activations: NDArray[Any], weight: Format, activation: Format
) -> NDArray[np.int64]:
    """Return ``weights @ activations`` of matrices of codes, shapes (n, k) and (k,) or (k, m).

    Each plane of the weights is multiplied with all planes of the activations at once.

    Raises
    ------
    ValueError
        If the shapes do not fit, k is beyond `LONGEST`, or bipolar codes meet others.

    """
    if weights.ndim != 2 or activations.ndim not in (1, 2) or len(activations) != weights.shape[1]:
        raise ValueError(
            f"weights (n, k) need activations (k,) or (k, m), not {weights.shape} and "
            f"{activations.shape}"
        )
    if weights.shape[1] > LONGEST:
        raise ValueError(f"at most {LONGEST} products are summed up, not {weights.shape[1]}")
    bipolar = isinstance(weight, BipolarFormat)
    if bipolar != isinstance(activation, BipolarFormat):
        raise ValueError(f"bipolar planes meet bipolar planes, not {weight} × {activation}")
    columns = activations.reshape(len(activations), -1)
    planes = _planes(columns, activation, bipolar)
    scale = _scales(activation)
    codes = weights.astype(np.uint8 if weight.bits <= 8 else np.uint16)
    found = np.zeros((len(weights), columns.shape[1]), np.int64)
    for j, sign in enumerate(_scales(weight)):
        sums = _plane(codes, j, bipolar) @ planes
        counted = np.rint(sums).astype(np.int64).reshape(len(weights), activation.bits, -1)
        found += sign * np.einsum("i,nim->nm", scale, counted)
    return found.reshape((len(weights), *activations.shape[1:]))


def _plane(codes: NDArray[Any], plane: int, bipolar: bool) -> NDArray[np.float32]:
    bits = (codes >> plane & 1).astype(np.float32)
    return 2 * bits - 1 if bipolar else bits


def _planes(codes: NDArray[Any], format: Format, bipolar: bool) -> NDArray[np.float32]:
    """Return all planes side by side, shape (k, bits·m)."""
    return np.concatenate([_plane(codes, i, bipolar) for i in range(format.bits)], axis=1)


def _scales(format: Format) -> NDArray[np.int64]:
    return np.array([plane_sign(format, i) << i for i in range(format.bits)], np.int64)


def integers(format: Format) -> NDArray[np.int64]:
    """Return the integer of every code."""
    return np.array([format.integer(code) for code in range(1 << format.bits)], np.int64)
