"""Floor 2c: what cores, and the shell around them, contribute to a grid of rows and columns.

The cost of an array is linear in that of its core, in the bits of one cell's operands and in those
of its result; so four shells by the formula of `costmodel.array` tell all others of the same sides.
Of more than one row they are a sum of what depends on the rows, of what depends on the columns, and
of the columns times what depends on the rows; so few sides tell all others too (`all_sides`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from costmodel import coefficients
from costmodel.array import array_shell, words_shell
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
        matrix[:, 1:] = all_sides(rows, columns, lambda r, c: _shell(target, r, c))
    return matrix


def all_sides(
    rows: tuple[int, ...],
    columns: tuple[int, ...],
    numbers: Callable[[int, int], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return numbers of arrays of all these sides, columns fastest, as the last axis.

    Parameters
    ----------
    rows, columns
        The sides.
    numbers
        Gives those of one array. Of r > 1 rows they are ``f(r) + g(c) + c · h(r)``; of one row all
        are asked for.

    """
    start = numbers(2, 1)
    first_two = numbers(2, 2) - start
    across = np.stack([numbers(2, c) - start for c in columns], axis=-1)
    beyond = np.array(columns) - 1
    blocks = []
    for r in rows:
        if r == 1:
            blocks.append(np.stack([numbers(1, c) for c in columns], axis=-1))
            continue
        first = numbers(r, 1)
        slope = numbers(r, 2) - first - first_two
        blocks.append(first[..., None] + across + beyond * slope[..., None])
    return np.concatenate(blocks, axis=-1)


@cache
def _shell(target: Target, rows: int, columns: int) -> NDArray[np.float64]:
    """Return the factors of the bits and the constant of a shell: counts × 4."""
    known = coefficients.load(target.name)

    def shell(activation: int, weight: int, result: int) -> ArrayPlan:
        return ArrayPlan(rows, columns, weight, activation, result, selection_ways(target))

    least = shell(0, 0, 0)
    constant = _numbers(words_shell(least, known))
    bits = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    slopes = [_numbers(words_shell(shell(*one), known)) - constant for one in bits]
    return np.stack([*slopes, _numbers(array_shell.__wrapped__(least, known))], axis=1)


def _numbers(cost: Cost) -> NDArray[np.float64]:
    return np.array([getattr(cost, name) for name in COUNTS], np.float64)
