"""Floor 2b: matrix products in floating accumulators, and in exact ones fitted at the end.

Terms are added in order, `design.lanes` per step, for a block of rows of the result at once. What a
step needs is found from the tensors' largest magnitudes and lowest bits:

- products and sums that float32 holds, in an fp32 accumulator: the processor's own addition;
- accumulator plus products exact in float64: one addition, rounded to the format's grid;
- the products of a step exact in float64: their sum plus the accumulator, rounded to odd first;
- else all addends, distilled, rounded to odd (`sim.golden.odd`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.accumulators import AccumulatorMode
from hw.design import Design
from hw.formats import MinifloatFormat, parse
from sim.golden.bounds import FLOAT32_BITS, FLOAT64_BITS, is_exact, single_products
from sim.golden.float_grid import is_near, on_grid, rounded
from sim.golden.odd import distilled, odd_sum, odd_sum_of_two, to_odd, two_sum
from sim.golden.operand import Operand, Values

BLOCK_BYTES = 1 << 17
SINGLE_BYTES = 1 << 20
Floats = NDArray[Any]
Step = Callable[[Floats, Floats, Floats], Floats]
"""(accumulators, activations (row, lane), weights (lane, column)) → accumulators."""

_SINGLE = parse("fp32")


def floating_matmul(left: Operand, right: Operand, design: Design) -> Values:
    """Return the values at the end of sums that are rounded as they grow; zeros are +0.

    See `sim.golden.matrix.matmul`; the mode of the accumulator is "step" or "sequential".

    Raises
    ------
    ValueError
        For formats that leave the range of float64.

    """
    if not is_near(design):
        raise ValueError(f"sums of {design.slug} leave the range of float64")
    lanes = 1 if design.accumulator.mode is AccumulatorMode.SEQUENTIAL else design.lanes
    step = _step(left, right, design, lanes)
    single = step is _single_step
    factors = (left.single, right.single) if single else (left.values, right.values)
    total = np.empty((len(left.values), right.values.shape[1]))
    at_once = max((SINGLE_BYTES if single else BLOCK_BYTES) // (8 * total.shape[1]), 1)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for start in range(0, len(total), at_once):
            rows = slice(start, start + at_once)
            total[rows] = _block(factors[0][rows], factors[1], lanes, step)
    total += 0.0
    return total


def _block(left: Floats, right: Floats, lanes: int, step: Step) -> Floats:
    columns = np.ascontiguousarray(left.T)
    state = np.zeros((len(left), right.shape[1]), left.dtype)
    if step is _single_step and lanes == 1:
        products = np.empty_like(state)
        for a, w in zip(columns[:, :, None], right, strict=True):
            np.multiply(a, w, out=products)
            state += products
        return state
    for start in range(0, len(right), lanes):
        now = slice(start, start + lanes)
        state = step(state, columns[now], right[now])
    return state


def _step(left: Operand, right: Operand, design: Design, lanes: int) -> Step:
    """Return the cheapest step that is exact; it takes factors of shapes (lane, row), (lane, …)."""
    format = design.accumulator.format
    assert format is not None
    reach = lanes * left.peak * right.peak
    if format == _SINGLE and (
        is_exact(left, right, reach, FLOAT32_BITS) or (lanes == 1 and single_products(left, right))
    ):
        return _single_step
    if not is_exact(left, right, reach):
        return partial(_wide_step, format)
    most = _most(left, right, format, -(-len(right.values) // lanes))
    unit = left.finest + right.finest
    if min(most, float(format.maximum)) + reach >= math.ldexp(1.0, unit + FLOAT64_BITS):
        return partial(_odd_step, format)
    return partial(_near_step if most >= float(format.maximum) else _inner_step, format)


def _single_step(state: Floats, activations: Floats, weights: Floats) -> Floats:
    """In float32 altogether."""
    state += _tree(activations, weights)
    return state


def _inner_step(
    format: MinifloatFormat, state: Floats, activations: Floats, weights: Floats
) -> Floats:
    """The sum is exact in float64, and within the format's range."""
    return on_grid(state + _tree(activations, weights), format)


def _near_step(
    format: MinifloatFormat, state: Floats, activations: Floats, weights: Floats
) -> Floats:
    """The sum is exact in float64."""
    exact = state + _tree(activations, weights)
    result, high = on_grid(exact, format), float(format.maximum)
    inside = result.max() <= high and result.min() >= -high  # false where one is NaN
    return result if inside else rounded(exact, format)


def _odd_step(
    format: MinifloatFormat, state: Floats, activations: Floats, weights: Floats
) -> Floats:
    """The sum of the step's products is exact in float64."""
    return rounded(odd_sum_of_two(state, _tree(activations, weights)), format)


def _wide_step(
    format: MinifloatFormat, state: Floats, activations: Floats, weights: Floats
) -> Floats:
    """Each product is exact in float64."""
    return rounded(odd_sum([state, *_products(activations, weights)]), format)


def _tree(activations: Floats, weights: Floats) -> Floats:
    """Return the sums of a step's products, which the float type holds; (lane, row), (lane, …)."""
    if len(weights) == 1:
        return np.asarray(np.multiply.outer(activations[0], weights[0]))
    return np.asarray(activations.T @ weights)


def _products(activations: Values, weights: Values) -> list[Values]:
    return [a[:, None] * w for a, w in zip(activations, weights, strict=True)]


def _most(left: Operand, right: Operand, format: MinifloatFormat, steps: int) -> float:
    """Return a bound of every rounded sum: each step adds at most half a step of the format."""
    relative = math.exp(min(steps * 2.0**-format.precision, 700.0)) * (1 + 2.0**-30)
    subnormal = steps * math.ldexp(1.0, format.lsb_exponent)
    return (left.peak * right.column_reach + subnormal) * relative


def odd_products(left: Operand, right: Operand, modulus: int | None) -> Values:
    """Return sums of products of any width, rounded to odd.

    Three components take up a running sum; where they lose a bit, or where sums wrap modulo 2 to
    some power, Python integers take over.
    """
    shape = len(left.values), right.values.shape[1]
    total = np.empty(shape)
    lost = np.ones(shape, np.bool_)
    if modulus is None:
        at_once = max(BLOCK_BYTES // (8 * shape[1]), 1)
        for start in range(0, shape[0], at_once):
            rows = slice(start, start + at_once)
            total[rows], lost[rows] = _cascade(left.values[rows], right.values)
    for row, column in np.argwhere(lost).tolist():
        total[row, column] = _odd_sum_of_ints(left.values[row], right.values[:, column], modulus)
    return total


def _cascade(left: Values, right: Values) -> tuple[Values, NDArray[np.bool_]]:
    """Return (sums rounded to odd, whether a bit was lost on the way)."""
    parts = [np.zeros((len(left), right.shape[1])) for _ in range(3)]
    lost = np.zeros(parts[0].shape, np.bool_)
    for a, w in zip(left.T, right, strict=True):
        rest = a[:, None] * w
        for i, part in enumerate(parts):
            parts[i], rest = two_sum(part, rest)
        lost |= rest != 0
    parts = distilled(parts[::-1])
    return to_odd(parts[-1], parts[-2]), lost


def _odd_sum_of_ints(left: Values, right: Values, modulus: int | None) -> float:
    """The same for one sum, exactly."""
    pairs = zip(left.tolist(), right.tolist(), strict=True)
    exact = sum((Fraction(a) * Fraction(w) for a, w in pairs), Fraction(0))
    if modulus is not None:
        half = Fraction(2) ** (modulus - 1)
        exact = (exact + half) % (2 * half) - half
    return odd_of(exact)


def odd_of(exact: Fraction) -> float:
    """Return a dyadic number rounded to odd in float64."""
    spare = max(abs(exact.numerator).bit_length() - FLOAT64_BITS, 0)
    kept = abs(exact.numerator) >> spare
    kept |= bool(abs(exact.numerator) & ((1 << spare) - 1))
    magnitude = math.ldexp(float(kept), spare - exact.denominator.bit_length() + 1)
    return math.copysign(magnitude, exact)
