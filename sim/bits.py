"""Floor 3: rows of words as rows of bits, as `sim.ports` packs them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.ports import Bits


def word_bits(values: NDArray[Any], width: int) -> Bits:
    """Return the bits of words side by side, the last word's highest bit first.

    Parameters
    ----------
    values
        Integers or truth values, shape (rows,) or (rows, words).
    width
        Bits of a word, two's complement.

    """
    words = values.astype(np.int64).reshape(len(values), -1)
    shifts = np.minimum(np.arange(width)[::-1], 63)
    bits = words[:, ::-1, None] >> shifts & 1
    return bits.reshape(len(values), -1).astype(np.uint8)


def split_words(words: NDArray[np.int64], bits: int, lanes: int) -> NDArray[np.int64]:
    """Return words cut into codes of so many bits, lane 0 lowest: shape (words, lanes)."""
    return (words[:, None] >> (bits * np.arange(lanes))) & ((1 << bits) - 1)
