"""Floor 2c: what toggles in a core with a floating accumulator: lanes, tree, scales, the sum.

Lanes and trees of fixed sums run as those of fixed accumulators (`costmodel.activity_sums`). The
running sum is followed in binary64, step by step and all streams at once, rounded to the
accumulator's format; what is between two of its codes is `costmodel.activity_float`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from costmodel import coefficients
from costmodel.activity_float import FloatStep, FloatSum
from costmodel.activity_lanes import Addend, product
from costmodel.activity_operands import (
    exponent_sum,
    fields_of,
    side_of,
    unpack,
)
from costmodel.activity_planes import Plane, Statistics, Tally, extended, planes_of
from costmodel.activity_rows import summed
from costmodel.activity_sums import lane_sums, tree_sums
from costmodel.coefficients import Coefficients
from hw.design import SCALE_BIAS, Design
from hw.formats import Format, MinifloatFormat
from hw.plan import FloatLanePlan, OperandPlan, SumTree
from hw.plan.float_core import FloatCorePlan
from hw.target import Target


@lru_cache(maxsize=64)
def float_toggles(
    core: FloatCorePlan, design: Design, target: Target, given: Statistics
) -> tuple[Tally, list[Plane]]:
    """Return what toggles with a floating accumulator, and its code after each step; kept."""
    known = coefficients.load(target.name)
    format = core.accumulate.format
    exponent: list[Plane] = []
    if isinstance(core.lane, FloatLanePlan):
        tally, addend, exponent = float_lane(core.lane, given, known)
    else:
        tally, addend = _fixed_sum(core, given)
    if core.scale is not None and given.scales is not None:
        bits = core.scale.bits
        left, right = (extended(planes_of(side, bits), bits + 1, False) for side in given.scales)
        exponent = summed(tally, "scales", left, right, 0, known)
    minus = _all_negative(core, given) if core.accumulate.negative_zero else 0
    lsb = design.product_lsb_exponent - format.lsb_exponent
    codes = _codes(
        design.weight, design.activation, lsb, format, core.accumulate.negative_zero, given
    )
    step = FloatStep(addend.bits, addend.pending or 0, exponent, codes, minus)
    return tally, FloatSum(tally, core.accumulate, known).run(step, given)


def _fixed_sum(core: FloatCorePlan, given: Statistics) -> tuple[Tally, Addend]:
    """Return the toggles of lanes and tree, and the exact sum of a step."""
    assert not isinstance(core.lane, FloatLanePlan)
    words, before = lane_sums(core.lane, core.chain, core.tree, given)
    tally, left = Tally(given.scope(), before), list(words)
    if core.final is not None:
        row, count = core.final, len(core.final.words)
        left = [Addend((0,))] * (count - len(left)) + left
        tree = SumTree(count, ((row, tuple(range(count))),), (count,), (row.result,))
        left = tree_sums(tally, tree, left)
    (addend,) = left
    return tally, addend


def _all_negative(core: FloatCorePlan, given: Statistics) -> Plane:
    """Return whether the signs of all products are minus."""
    found = given.scope().ones
    for weights, activations in zip(given.weights, given.activations, strict=True):
        sign = 0
        for codes, operand in ((weights, core.lane.weight), (activations, core.lane.activation)):
            if operand.format.signed:
                sign ^= planes_of(codes, operand.format.bits)[-1]
        found &= sign
    return found


def float_lane(
    plan: FloatLanePlan, given: Statistics, known: Coefficients
) -> tuple[Tally, Addend, list[Plane]]:
    """Return the toggles of a lane with an exponent, its product, and its exponent."""
    tally = Tally(given.scope())
    weight = side_of(plan.weight, given, True)
    activation = side_of(plan.activation, given, False)
    for operand, side in ((plan.weight, weight), (plan.activation, activation)):
        unpack(tally, operand, side)
    bits, carry = product(tally, plan.product, weight, activation, plan.weight.whole)
    assert carry is None
    negate = None
    if plan.has_negate:
        negate = weight.negative ^ activation.negative
        if plan.weight.has_sign and plan.activation.has_sign:
            tally.add("signs/logic/sign", (negate,))
    exponent = exponent_sum(
        tally, (plan.weight, plan.activation), plan.exponents, weight, activation, known
    )
    return tally, Addend(tuple(bits), negate), exponent


def _values(weight: Format, activation: Format, given: Statistics) -> NDArray[np.float64]:
    """Return the sum of each step's products in units of their last bit, scales included."""
    sides = []
    for format, codes in ((weight, given.weights), (activation, given.activations)):
        known = fields_of(OperandPlan(format))
        value = known.significand.astype(float) * 2.0 ** (np.maximum(known.exponent, 1) - 1)
        if OperandPlan(format).has_sign:
            value *= 1 - 2 * known.negative
        sides.append(value[codes])
    sums: NDArray[np.float64] = (sides[0] * sides[1]).sum(axis=0)
    if given.scales is not None:
        sums *= 2.0 ** (given.scales.sum(axis=0).astype(float) - 2 * SCALE_BIAS)
    return sums


@lru_cache(maxsize=64)
def _codes(
    weight: Format,
    activation: Format,
    lsb: int,
    format: MinifloatFormat,
    negative_zero: bool,
    given: Statistics,
) -> NDArray[np.int64]:
    """Return the `states` of sums of products, of every structure and target."""
    return states(format, negative_zero, _values(weight, activation, given) * 2.0**lsb, given)


def states(
    format: MinifloatFormat, negative_zero: bool, values: NDArray[np.float64], given: Statistics
) -> NDArray[np.int64]:
    """Return the code of the running sum before every step, shape (streams, steps).

    Parameters
    ----------
    format, negative_zero
        The accumulator's, and whether it tells −0.
    values
        What each step adds, in units of its least subnormal, shape (streams, steps).
    given
        When sums end.

    """
    fraction = format.fraction_bits
    top = format.maximum_code + format.has_infinity
    greatest = float(format.maximum_integer)
    found = np.zeros(values.shape, np.int64)
    total = np.zeros(len(values))
    stuck = negative = np.zeros(len(values), bool)
    for t in range(values.shape[1] - 1):
        total = total + values[:, t]
        _, exponent = np.frexp(total)
        last = np.maximum(exponent - format.precision, 0)
        significand = np.rint(np.ldexp(np.abs(total), -last)).astype(np.int64)
        code = (last.astype(np.int64) << fraction) + significand
        over = code > format.maximum_code
        ended = given.last[:, t]
        own = np.signbit(total) & ((total != 0) | negative_zero)
        negative = np.where(stuck, negative, own)
        code = np.where(over | stuck, top, code)
        stuck = (stuck | over) & ~ended & format.has_infinity
        found[:, t + 1] = np.where(ended, 0, code | negative.astype(np.int64) << (format.bits - 1))
        limited = np.where(over, greatest, np.ldexp(significand.astype(float), last))
        total = np.where(ended, 0.0, np.where(negative, -limited, limited))
    return found
