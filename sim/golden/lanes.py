"""Floor 2b: codes read as floats and multiplied lane by lane, in pieces that stay in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.formats import FixedFormat, Format
from sim.golden.tables import integer_table

FLOAT64_BITS, FLOAT32_BITS = 53, 24
PIECE = 1 << 16
"""Elements of an operand that are read at once."""

Codes = NDArray[np.unsignedinteger]
Floats = NDArray[Any]
Reader = Callable[[Codes, Floats], None]
"""Writes the integers that codes stand for into an array of floats."""


def reader(format: Format, code_type: Any, float_type: Any) -> Reader:
    """Return the fastest way to read codes of one integer type as integers in a float type."""
    if isinstance(format, FixedFormat):
        return _fixed_reader(format, 8 * np.dtype(code_type).itemsize)
    table = float_table(format, float_type)

    def read(codes: Codes, out: Floats) -> None:
        np.take(table, codes, out=out, mode="clip")  # the codes are in range

    return read


@lru_cache(maxsize=256)
def float_table(format: Format, float_type: Any) -> Floats:
    """Return the integers of all codes as floats, which must hold them."""
    return np.asarray(integer_table(format).astype(float_type))


def _fixed_reader(format: FixedFormat, word_bits: int) -> Reader:
    """Read two's complement with the sign moved to the top of the word."""
    up = word_bits - format.bits

    def read_plain(codes: Codes, out: Floats) -> None:
        out[...] = codes

    def read_signed(codes: Codes, out: Floats) -> None:
        words = codes << codes.dtype.type(up) if up else codes
        out[...] = words.view(f"int{word_bits}")
        if up:
            out *= out.dtype.type(2.0**-up)

    return read_signed if format.signed and up >= 0 else read_plain


def pieces(
    weights: Codes, activations: Codes, readers: Sequence[Reader], float_type: Any
) -> Iterator[tuple[slice, Floats, Floats]]:
    """Yield (rows, weights, activations) as floats, piece by piece, in buffers that are reused."""
    lanes = weights.shape[1]
    at_once = max(PIECE // lanes, 1)
    left, right = (np.empty((min(at_once, len(weights)), lanes), float_type) for _ in range(2))
    for start in range(0, len(weights), at_once):
        rows = slice(start, min(start + at_once, len(weights)))
        count = rows.stop - start
        readers[0](weights[rows], left[:count])
        readers[1](activations[rows], right[:count])
        yield rows, left[:count], right[:count]


def lane_sums(left: Floats, right: Floats) -> Floats:
    """Return the sum of each row's products, which the float type must hold; `left` is lost."""
    left *= right
    if left.shape[1] == 1:
        return left[:, 0]
    return np.asarray(left @ np.ones(left.shape[1], left.dtype))
