"""Floor 2b: dot products with constant weights (`hw.design.constant_dot`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hw.design.constant_dot import ConstantDot


def totals(design: ConstantDot, codes: Sequence[int]) -> list[int]:
    """Return the total of each output for the codes of the activations: Python integers."""
    values = [design.activation.integer(code) for code in codes]
    return [sum(w * a for w, a in zip(row, values, strict=True)) for row in design.constants]


def totals_of_many(design: ConstantDot, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the same of many steps at once.

    Parameters
    ----------
    design
        What is computed; 16 + 16 + 10 bits do not leave 64.
    codes
        Shape (steps, lanes).

    Returns
    -------
    ndarray
        Shape (steps, outputs).

    """
    bits = design.activation.bits
    values = codes.astype(np.int64)
    if design.activation.signed:
        values = values - ((values >> (bits - 1)) << bits)
    return values @ np.array(design.constants, np.int64).T
