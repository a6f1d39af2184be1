"""Floor 2b: conversion element by element, by the scalar specification: always right, slow.

For what neither order nor whole numbers serve (random rounding in codebooks and posits), and for
the few quotients that lie within one last place of a decision.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.formats import Format, Overflow, RoundingMode, Special


def codes_of(
    values: NDArray[Any],
    divisors: NDArray[np.float64] | None,
    random: NDArray[Any] | None,
    format: Format,
    rounding: RoundingMode,
    overflow: Overflow,
) -> NDArray[np.int64]:
    """Return ``Format.encode`` of every ``value / divisor``, exact; NaN counts as 0.

    All arrays have one shape.
    """
    codes = []
    for value, divisor, number in zip(
        values.ravel().tolist(), _or(divisors, 1.0, values), _or(random, 0, values), strict=True
    ):
        exact = value if divisor == 1.0 or not np.isfinite(value) else _quotient(value, divisor)
        exact = 0.0 if exact != exact else exact
        codes.append(format.encode(exact, rounding, overflow, int(number)))
    return np.array(codes, np.int64).reshape(values.shape)


def _quotient(value: float, divisor: float) -> float | Fraction:
    """Return an exact quotient; zeros keep their sign."""
    return value if value == 0 else Fraction(value) / Fraction(divisor)


def _or(array: NDArray[Any] | None, default: Any, like: NDArray[Any]) -> Iterable[Any]:
    return [default] * like.size if array is None else array.ravel().tolist()


def values_of(codes: NDArray[Any], format: Format) -> NDArray[np.float64]:
    """Return the values of codes, zero being +0."""
    values = []
    for code in codes.ravel().tolist():
        value = format.decode(int(code))
        values.append(float(value.value) if isinstance(value, Special) else float(value) + 0.0)
    return np.array(values).reshape(codes.shape)
