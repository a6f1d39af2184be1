"""Floor 2c: what cores, and the shell around them, contribute to a grid of rows and columns.

The cost of an array is linear in that of its core, in the bits of one cell's operands and in those
of its result; so four shells by the formula of `costmodel.array` tell all others of the same sides.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from costmodel import coefficients
from costmodel.array import array_shell
from costmodel.cost import Cost
from hw.plan import ArrayPlan
from hw.plan.core import selection_ways
from hw.target import Target

COUNTS = ("lut", "sites", "ff", "carry", "dsp")
"""What is counted, in the order of the first axis of features and matrices."""
FEATURES = ("core", "activation_bits", "weight_bits", "result_bits", "one")
"""What a count of a design is linear in: that of its core, bits of a cell, and a constant."""


@cache
def shell_matrix(
    target: Target, is_array: bool, rows: tuple[int, ...], columns: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return the factors of `FEATURES` in each of `COUNTS`: counts × features × (rows · columns).

    Parameters
    ----------
    target
        The technology.
    is_array
        Whether there is a shell; without one there are only cores.
    rows, columns
        The sides; columns vary fastest.

    """
    matrix = np.zeros((len(COUNTS), len(FEATURES), len(rows) * len(columns)))
    matrix[:, 0] = np.multiply.outer(np.array(rows), np.array(columns)).reshape(-1)
    if is_array:
        sides = [(r, c) for r in rows for c in columns]
        for place, (r, c) in enumerate(sides):
            matrix[:, 1:, place] = _shell(target, r, c)
    return matrix


@cache
def _shell(target: Target, rows: int, columns: int) -> NDArray[np.float64]:
    """Return the factors of the bits and the constant of a shell: counts × 4."""
    known = coefficients.load(target.name)

    def counts(activation: int, weight: int, result: int) -> NDArray[np.float64]:
        plan = ArrayPlan(rows, columns, weight, activation, result, selection_ways(target))
        return _numbers(array_shell.__wrapped__(plan, known))

    constant = counts(0, 0, 0)
    slopes = [counts(*bits) - constant for bits in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    return np.stack([*slopes, constant], axis=1)


def _numbers(cost: Cost) -> NDArray[np.float64]:
    return np.array([getattr(cost, name) for name in COUNTS], np.float64)
