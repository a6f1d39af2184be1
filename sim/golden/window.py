"""Floor 2b: matrix products in an alignment window: only sums that may lose bits are stepped.

A window (`sim.golden.scalar`) places each product relative to the largest exponent its sum has seen
and cuts what lies G bits below its last bit. A sum in which the lowest set bit of every product
stays above that is the exact sum, and a BLAS gives it. The spans of a row and of the columns show
that for many sums. For the others, two products of powers of two bound each sum's largest exponent
and lowest bit: ``max² ≤ sqrt(Σ s⁴)`` over the steps s of the products, ``1/min ≤ sqrt(Σ b⁻²)`` over
their lowest bits b. The few sums that escape the bound are stepped.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hw.design import Design
from hw.formats import MinifloatFormat
from sim.golden.operand import Operand, Values

FLOAT64_BITS = 53
PAIR_BYTES = 1 << 19
MARGIN = 1 - 2.0**-20
FAINT = 2.0**-1000


def window_matmul(left: Operand, right: Operand, design: Design) -> Values:
    """Return the values of the sums at the end; see `sim.golden.matrix.matmul`."""
    terms = len(right.values)
    total = np.asarray(left.values @ right.values)
    holds = terms <= 1 << design.accumulator.growth_bits and design.accumulator_bits <= FLOAT64_BITS
    rows, columns = np.nonzero(_suspects(left, right, design)) if holds else _all(total)
    stepped = stepped_sums if design.accumulator_bits <= FLOAT64_BITS else stepped_ints
    kept, place = np.unique(rows, return_inverse=True)
    some = left.rearranged(left.values[kept])
    arrays = some.values.T, some.steps.T, right.values, right.steps
    transposed = [np.ascontiguousarray(array) for array in arrays]
    at_once = max(PAIR_BYTES // (8 * terms), 1)
    for start in range(0, len(rows), at_once):
        now = slice(start, start + at_once)
        row, column = place[now], columns[now]
        products = transposed[0][:, row] * transposed[2][:, column]
        steps = transposed[1][:, row] * transposed[3][:, column]
        total[rows[now], column] = stepped(products, steps, design)
    return total


def _all(total: Values) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, columns = np.divmod(np.arange(total.size), total.shape[1])
    return rows, columns


def _suspects(left: Operand, right: Operand, design: Design) -> NDArray[np.bool_]:
    """Return the sums of which a bit may be cut: (row, column)."""
    suspect = np.zeros((len(left.values), right.values.shape[1]), np.bool_)
    span = _spans(left, axis=1) * _spans(right, axis=0).max()
    rows = np.flatnonzero(span * (2 - MARGIN) > 2.0**design.guard_bits)
    if len(rows):
        suspect[rows] = _bounded(left.rearranged(left.values[rows]), right, design)
    return suspect


def _spans(operand: Operand, axis: int) -> Values:
    """Upper bounds of (largest step / lowest bit) along an axis; 0 for zeros alone."""
    if not isinstance(operand.format, MinifloatFormat):
        return np.ones(operand.values.shape[1 - axis])
    sizes = operand.magnitudes
    least = np.where(sizes > 0, sizes, np.inf).min(axis=axis)
    return np.asarray(sizes.max(axis=axis) / least * 2.0**operand.format.fraction_bits)


def _bounded(left: Operand, right: Operand, design: Design) -> NDArray[np.bool_]:
    """Return the sums of which a bit may be cut, by the two products of powers of two."""
    peaks = [float(operand.steps.max()) for operand in (left, right)]
    floors = [math.ldexp(1.0, operand.finest) for operand in (left, right)]
    high = _fourth_powers(left, peaks[0]) @ _fourth_powers(right, peaks[1])
    low = _inverse_squares(left, floors[0]) @ _inverse_squares(right, floors[1])
    # All four are powers of two: high ≥ (largest step / peaks)^4, low ≥ (floors / lowest bit)^2.
    span = sum(math.frexp(a)[1] - math.frexp(b)[1] for a, b in zip(peaks, floors, strict=True))
    limit = math.ldexp(MARGIN, min(4 * (design.guard_bits - span), 1000))
    if limit < FAINT:
        return np.ones(high.shape, np.bool_)
    return np.asarray(high * low * low > limit)


def _fourth_powers(operand: Operand, peak: float) -> Values:
    squares = operand.steps * (1 / peak)
    squares *= squares
    squares *= squares
    return squares


def _inverse_squares(operand: Operand, floor: float) -> Values:
    bits = operand.last_bits
    inverse = np.divide(floor, bits, out=np.zeros_like(bits), where=bits > 0)
    return inverse * inverse


def stepped_sums(products: Values, steps: Values, design: Design) -> Values:
    """Return the sums of (term, sum) products, step by step; `steps` are those of the products.

    The running maximum exponent X is kept as the power of two ``2^(X + product_lsb_exponent)``.
    """
    lanes, lowest = design.lanes, 2.0**design.product_lsb_exponent
    half = 2.0 ** (design.accumulator_bits - 1)
    total = np.zeros(products.shape[1])
    top = np.full(products.shape[1], lowest)
    guard = 2.0**design.guard_bits
    for start in range(0, len(products), lanes):
        now = slice(start, start + lanes)
        higher = np.maximum(top, steps[now].max(axis=0))
        total = np.floor(total * (top / higher))
        total += np.trunc(products[now] * (guard / higher)).sum(axis=0)
        top = higher
        if np.abs(total).max() >= half:
            total = (total + half) % (2 * half) - half
    return np.asarray(total * (top / guard))


def stepped_ints(products: Values, steps: Values, design: Design) -> Values:
    """As `stepped_sums`, on Python integers, for accumulators beyond float64."""
    lanes, guard, bits = design.lanes, design.guard_bits, design.accumulator_bits
    half = 1 << (bits - 1)
    shifts = np.frexp(steps)[1] - 1 - design.product_lsb_exponent
    known = np.where(steps == 0, 1.0, steps)
    shifts[steps == 0] = 0
    integers = (products / known).astype(np.int64).astype(object)
    total = np.zeros(products.shape[1], object)
    top = np.zeros(products.shape[1], np.int64)
    for start in range(0, len(products), lanes):
        now = slice(start, start + lanes)
        higher = np.maximum(top, shifts[now].max(axis=0))
        aligned = (np.abs(integers[now]) << guard) >> (higher - shifts[now]).astype(object)
        tree = np.where(integers[now] < 0, -aligned, aligned).sum(axis=0)
        total = (total >> (higher - top).astype(object)) + tree
        total = (total + half) % (2 * half) - half
        top = higher
    return np.ldexp(total.astype(np.float64), (top + design.lsb_exponent).astype(np.int32))
