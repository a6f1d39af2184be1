"""Floor 2b: the flags that the products of each step raise, for whole arrays of steps.

Each operand belongs to one of five classes; a table gives the flag of each pair of classes as a
number, in a field of its own, so that the sum over the lanes counts every flag.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hw.design import MAXIMUM_LANES, Design
from hw.formats import Format
from sim.golden.lanes import PIECE
from sim.golden.tables import parts_table

Codes = NDArray[np.unsignedinteger]
Flags = NDArray[np.bool_]

_POSITIVE, _NEGATIVE, _ZERO, _POS_INF, _NEG_INF, _NAN = range(6)
_CLASSES = 8
_FIELD = MAXIMUM_LANES * 2


@dataclass(frozen=True, slots=True, eq=False)
class StepFlags:
    """Which flags the products of each step raise, shape (steps,) each."""

    nan: Flags
    pos_inf: Flags
    neg_inf: Flags


def step_flags(design: Design, weights: Codes, activations: Codes) -> StepFlags:
    """Return the flags of each step's products; operands of shape (steps, lanes)."""
    tables = class_table(design.weight), class_table(design.activation)
    flags = pair_table()
    ones = np.ones(design.lanes)
    counts = np.empty(len(weights), np.int64)
    at_once = max(PIECE // design.lanes, 1)
    for start in range(0, len(weights), at_once):
        rows = slice(start, start + at_once)
        pairs = tables[0].take(weights[rows]) * np.uint8(_CLASSES)
        pairs += tables[1].take(activations[rows])
        counts[rows] = flags.take(pairs) @ ones
    nan, infinite = counts % _FIELD, counts // _FIELD
    return StepFlags(nan > 0, infinite % _FIELD > 0, infinite // _FIELD > 0)


@lru_cache(maxsize=256)
def class_table(format: Format) -> NDArray[np.uint8]:
    """Return the class of every code."""
    parts = parts_table(format)
    classes = np.where(parts.negative, _NEGATIVE, _POSITIVE)
    classes[parts.significand == 0] = _ZERO
    classes[parts.special == 1] = _NAN
    infinite = parts.special == 2
    classes[infinite] = np.where(parts.negative[infinite], _NEG_INF, _POS_INF)
    return classes.astype(np.uint8)


@lru_cache(maxsize=1)
def pair_table() -> NDArray[np.float64]:
    """Return the flags of a product by the classes of its factors: 1, or a power of `_FIELD`.

    IEEE 754 multiplies the classes' representatives: infinity times zero is NaN.
    """
    values = np.full(_CLASSES, np.nan)
    values[[_POSITIVE, _NEGATIVE, _ZERO, _POS_INF, _NEG_INF]] = 1.0, -1.0, 0.0, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        products = np.multiply.outer(values, values)
    flags = 1.0 * np.isnan(products)
    flags += _FIELD * (products == np.inf) + _FIELD**2 * (products == -np.inf)
    return np.asarray(flags.reshape(-1))
