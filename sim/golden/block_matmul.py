"""Floor 2b: matrix products of blocks that share scales, added block by block to one accumulator.

The arithmetic of `hw.design.MxDotProduct` on whole matrices: a step adds the exact sum of a block's
products, both scales included, and rounds once. Where float32 holds the sum of every block, its
own addition is that rounding; else a step is done in float64 and what float64 does not decide is
done again from the products. A block's elements share their scale, so scales cost no range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.formats import MinifloatFormat, Specials
from sim.golden.bounds import FLOAT32_BITS, FLOAT32_RANGE, FLOAT64_BITS
from sim.golden.float_grid import REACH, rounded
from sim.golden.odd import odd_sum, odd_sum_of_two

Values = NDArray[np.float64]
Floats = NDArray[Any]

SINGLE = MinifloatFormat(8, 23, Specials.IEEE)
STATE_BYTES = 1 << 20
_TIE_MASK, _TIE = (1 << 29) - 1, 1 << 28
"""The bits of a float64 that float32 has not, and what they are half-way between two of it."""
_DEEP = -149 - 20


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """One factor: numbers whose blocks of terms share a scale, multiplied by it.

    Parameters
    ----------
    values
        float64, exact: elements times the scales of their blocks.
    bits
        Bits of the largest magnitude of an element, and of a scale's significand, together.
    finest
        Every value is a whole multiple of 2 to this power, or smaller than any that matters.

    """

    values: Values
    bits: int
    finest: int


def block_matmul(
    left: Blocks, right: Blocks, lanes: int, accumulator: MinifloatFormat = SINGLE
) -> Values:
    """Return ``left @ right`` as an accumulator that is rounded to nearest even after every block.

    Parameters
    ----------
    left
        Shape (…, M, K); K is cut into blocks of `lanes`, the last of which may be shorter.
    right
        Shape (K, N), or (…, K, N) with the same stack.
    lanes
        Terms per step; they divide the blocks of both factors.
    accumulator
        A signed minifloat; beyond its range a sum is infinite.

    Returns
    -------
    array
        float64, shape (…, M, N); zeros are +0.

    Raises
    ------
    ValueError
        For shapes that do not fit, no lanes, or values that leave the range of float64.

    """
    if lanes < 1:
        raise ValueError(f"a block has at least 1 element, not {lanes}")
    a, b = left.values, right.values
    if a.ndim < 2 or a.shape[-1] != b.shape[-2] or (b.ndim > 2 and a.shape[:-2] != b.shape[:-2]):
        raise ValueError(f"blocks of shape {a.shape} do not fit {b.shape}")
    if b.ndim == 2:
        flat = _product(_Work.of(left, right, lanes, accumulator), a.reshape(-1, a.shape[-1]), b)
        return flat.reshape(*a.shape[:-1], b.shape[-1])
    work = _Work.of(left, right, lanes, accumulator)
    stacks = a.reshape(-1, *a.shape[-2:]), b.reshape(-1, *b.shape[-2:])
    return _product(work, *stacks).reshape(*a.shape[:-1], b.shape[-1])


@dataclass(frozen=True, slots=True)
class _Work:
    lanes: int
    accumulator: MinifloatFormat
    single: bool
    exact: bool
    deep: bool

    @classmethod
    def of(cls, left: Blocks, right: Blocks, lanes: int, accumulator: MinifloatFormat) -> _Work:
        bits = left.bits + right.bits + (lanes - 1).bit_length()
        finest = left.finest + right.finest
        peaks = [float(np.abs(f.values).max(initial=0.0)) for f in (left, right)]
        reach = peaks[0] * peaks[1] * lanes
        if not reach < 2.0**REACH or finest < -REACH:
            raise ValueError("products of blocks leave the range of float64")
        near = max(reach, *peaks) < 2.0**FLOAT32_RANGE
        near = near and min(finest, left.finest, right.finest) > -FLOAT32_RANGE
        single = near and bits <= FLOAT32_BITS and accumulator == SINGLE
        is_deep = accumulator != SINGLE or finest < _DEEP
        return cls(lanes, accumulator, single, bits <= FLOAT64_BITS, is_deep)


def _product(work: _Work, left: Values, right: Values) -> Values:
    dtype = np.float32 if work.single else np.float64
    a, b = left.astype(dtype, copy=False), right.astype(dtype, copy=False)
    total = np.empty((*left.shape[:-1], right.shape[-1]))
    each = 8 * total[0].size
    at_once = max(STATE_BYTES // max(each, 1), 1)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for start in range(0, len(total), at_once):
            rows = slice(start, start + at_once)
            total[rows] = _rows(work, a[rows], b[rows] if b.ndim == 3 else b)
    total += 0.0
    return total


def _rows(work: _Work, left: Floats, right: Floats) -> Floats:
    state = np.zeros((*left.shape[:-1], right.shape[-1]), np.float32 if work.single else np.float64)
    for start in range(0, left.shape[-1], work.lanes):
        now = slice(start, start + work.lanes)
        a, b = left[..., now], right[..., now, :]
        if work.single:
            state += a @ b
        elif work.deep:
            state = rounded(odd_sum([state, *_products(a, b)]), work.accumulator)
        else:
            state = _exact_step(state, a, b) if work.exact else _wide_step(state, a, b)
    return state


def _exact_step(state: Values, left: Values, right: Values) -> Values:
    """One step of an fp32 accumulator where float64 holds the sum of a block."""
    block = left @ right
    total = state + block
    result: Values = total.astype(np.float32).astype(np.float64)
    # One rounding so far: it matters only where it made a tie out of something else.
    ties = (total.view(np.int64) & _TIE_MASK) == _TIE
    if ties.any():
        result[ties] = rounded(odd_sum_of_two(state[ties], block[ties]), SINGLE)
    return result


def _wide_step(state: Values, left: Values, right: Values) -> Values:
    """One step of an fp32 accumulator; sums that float64 leaves open are done from products."""
    total = left @ right
    total += state
    # BLAS rounds every partial sum: by less than this, whatever its order.
    terms = left.shape[-1] + 1
    peaks = np.abs(left).max(axis=-1)[..., :, None] * np.abs(right).max(axis=-2)[..., None, :]
    slack = (peaks * terms + np.abs(state)) * (terms * 2.0**-52)
    result: Values = (total - slack).astype(np.float32).astype(np.float64)
    high = (total + slack).astype(np.float32).astype(np.float64)
    open_ = result != high
    if open_.any():
        place = np.nonzero(open_)
        rows, columns = left[place[:-1]], right.swapaxes(-1, -2)
        chosen = columns[place[-1]] if right.ndim == 2 else columns[place[0], place[-1]]
        addends = [state[place], *(rows * chosen).T]
        result[place] = rounded(odd_sum(addends), SINGLE)
    return result


def _products(left: Values, right: Values) -> list[Values]:
    return [left[..., :, k, None] * right[..., None, k, :] for k in range(left.shape[-1])]
