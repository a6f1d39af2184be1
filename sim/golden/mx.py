"""Floor 2b: dot products of MX blocks (`hw.design.MxDotProduct`), on integers and for whole arrays.

A block is its elements' codes and, last, the code of its E8M0 scale (OCP MX v1.0, clause 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hw.design import SCALE_BIAS, SCALE_NAN, MxDotProduct
from hw.formats import Special
from sim.golden import floating
from sim.golden.float_grid import codes_of, is_near, operand_values, rounded
from sim.golden.odd import odd_sum_of_two
from sim.golden.outputs import Outputs

Codes = NDArray[np.unsignedinteger]
Flags = NDArray[np.bool_]
Values = NDArray[np.float64]

EXACT_BITS = 53
AT_ONCE = 1 << 16
"""Steps whose products are made at a time."""


def stepped(
    design: MxDotProduct, code: int, weights: Sequence[int], activations: Sequence[int]
) -> int:
    """Return the accumulator after one pair of blocks.

    Raises
    ------
    ValueError
        If a code is not one of its format.

    """
    accumulator = design.accumulator
    assert accumulator.format is not None
    *lefts, left_scale = map(int, weights)
    *rights, right_scale = map(int, activations)
    for scale in (left_scale, right_scale):
        if not 0 <= scale <= SCALE_NAN:
            raise ValueError(f"the code of a scale lies in 0..{SCALE_NAN}, not {scale}")
    state = floating.term(accumulator.format, code, "flag")
    block = floating.total(
        floating.product(
            floating.term(design.weight, left, design.specials),
            floating.term(design.activation, right, design.specials),
        )
        for left, right in zip(lefts, rights, strict=True)
    )
    if design.specials == "flag" and SCALE_NAN in (left_scale, right_scale):
        block = floating.NAN
    elif not isinstance(block.value, Special):
        value = block.value * Fraction(2) ** (left_scale + right_scale - 2 * SCALE_BIAS)
        block = floating.Term(value, value < 0)
    return floating.rounded(accumulator, floating.total([state, block]))


def run_scaled(design: MxDotProduct, weights: Codes, activations: Codes, last: Flags) -> Outputs:
    """Return what the core shows after each step; operands of shape (steps, lanes + 1).

    In float64, where it holds the sum of a block; else by `stepped`.
    """
    format = design.accumulator.format
    assert format is not None
    widest = design.lanes * max(map(abs, design.product_bounds))
    if not is_near(design) or widest >= 1 << EXACT_BITS:
        total = _scalar(design, weights, activations, last)
    else:
        blocks = np.concatenate(
            [
                _blocks(design, weights[i : i + AT_ONCE], activations[i : i + AT_ONCE])
                for i in range(0, len(weights), AT_ONCE)
            ]
        )
        total = codes_of(_running(design, blocks, last), format)
    return Outputs(total[:, None], last.copy(), {}, np.zeros(len(last), np.int64))


def _blocks(design: MxDotProduct, weights: Codes, activations: Codes) -> Values:
    """Return the exact value of each pair of blocks."""
    left = operand_values(design.weight, design.specials).take(weights[:, :-1])
    right = operand_values(design.activation, design.specials).take(activations[:, :-1])
    scales = weights[:, -1].astype(np.int32), activations[:, -1].astype(np.int32)
    with np.errstate(invalid="ignore"):
        left *= right
        exponents = scales[0] + scales[1] - 2 * SCALE_BIAS
        values: Values = np.ldexp(left.sum(axis=1) + 0.0, exponents)
    if design.specials == "flag":
        values[(scales[0] == SCALE_NAN) | (scales[1] == SCALE_NAN)] = np.nan
    return values


def _running(design: MxDotProduct, blocks: Values, last: Flags) -> Values:
    """Return the accumulator after each step, step t of all sums at once."""
    format = design.accumulator.format
    assert format is not None
    starts = np.flatnonzero(np.concatenate([[True], last[:-1]]))
    lengths = np.diff(starts, append=len(last))
    order = np.argsort(-lengths, kind="stable")
    starts, lengths = starts[order], lengths[order]
    shown = np.empty(len(last))
    state = np.zeros(len(starts))
    for t in range(int(lengths[0])):
        alive = int(np.searchsorted(-lengths, -t, side="left"))
        now = starts[:alive] + t
        state = rounded(odd_sum_of_two(state[:alive], blocks[now]), format)
        shown[now] = state
    return shown


def _scalar(
    design: MxDotProduct, weights: Codes, activations: Codes, last: Flags
) -> NDArray[np.uint64]:
    codes = []
    state = 0
    for left, right, ends in zip(weights.tolist(), activations.tolist(), last, strict=True):
        state = stepped(design, state, left, right)
        codes.append(state)
        state = 0 if ends else state
    return np.array(codes, np.uint64)
