"""Floor 2b: matrix products under a stated accumulator, at the speed of the BLAS where it is exact.

A float product is exact in whatever order the BLAS adds, if every partial sum is a whole multiple
of one power of two and stays below 2^53 of it (2^24 for float32). The power follows from the lowest
bits set in the tensors present, the bound from their largest magnitudes; where it fails, operands
are split into digits whose products are exact, and added as 128-bit integers. An accumulator that
cannot be left changes nothing; one that can is followed step by step. Floating accumulators: see
`sim.golden.float_matrix`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.accumulators import AccumulatorKind
from hw.design import Design
from hw.formats import Format
from sim.golden import halves
from sim.golden.bounds import FLOAT32_BITS, FLOAT64_BITS, below, is_exact
from sim.golden.float_grid import is_near, rounded
from sim.golden.float_matrix import floating_matmul, odd_products
from sim.golden.limbs import Wide
from sim.golden.operand import Operand, Values
from sim.golden.window import window_matmul

DIGIT_BITS = 20
MOST_TERMS = 1 << (FLOAT64_BITS - 2 * DIGIT_BITS - 3)
"""Digit products of so many terms, in up to eight pairs of digits, stay below 2^53."""
SINGLE_SIDE = 64
"""Smaller matrices are not worth the conversion to float32."""
ROWS_BYTES = 1 << 18
FLOAT_RANGE = 1000
"""Exponents beyond ± this are refused."""
WIDE_BITS = 127


def matmul(
    activations: Operand | ArrayLike, weights: Operand | ArrayLike, design: Design
) -> Values:
    """Return ``activations @ weights`` as a core's accumulator has the sums at the end.

    Each sum is over K terms in order, `design.lanes` per step: an accumulator that saturates,
    aligns or rounds is applied after each step; the last step may be shorter. Totals of more than
    53 bits are rounded once to float64, to nearest even: the only step that is not exact. Those of
    a floating accumulator are values of its format (zeros are +0), or infinite where it overflows.

    Parameters
    ----------
    activations
        Values of ``design.activation``, shape (M, K).
    weights
        Values of ``design.weight``, shape (K, N). An `Operand` keeps what was found out about its
        values for the next product.
    design
        A MAC or a dot product; or an array, whose cells have one lane.

    Returns
    -------
    array
        float64, shape (M, N).

    Raises
    ------
    ValueError
        For shapes that do not fit, values that are not of the design's formats, or products
        that float64 cannot scale (biases near ±1000).

    """
    left = _operand("activations", activations, design.activation)
    right = _operand("weights", weights, design.weight)
    if left.values.shape[1] != right.values.shape[0]:
        raise ValueError(
            f"as many terms in activations as in weights: shape {left.values.shape} does not fit "
            f"{right.values.shape}"
        )
    if not left.values.size or not right.values.size or not left.peak or not right.peak:
        return np.zeros((left.values.shape[0], right.values.shape[1]))
    if design.product_lsb_exponent < -FLOAT_RANGE or left.peak * right.peak >= 2.0**FLOAT_RANGE:
        raise ValueError(f"products of {left.format} and {right.format} leave the range of float64")
    if design.is_window:
        return window_matmul(left, right, design)
    if design.accumulator.is_once:
        return _fitted_once(left, right, design)
    if design.is_floating:
        return floating_matmul(left, right, design)
    reach = left.peak * right.column_reach
    modulus = design.accumulator_bits + design.product_lsb_exponent
    stays = below(reach, modulus - 1)
    if stays or design.accumulator.kind is not AccumulatorKind.SATURATE:
        return _summed(left, right, reach, None if stays else modulus)
    return _saturated(left, right, reach, design)


def _operand(what: str, values: Operand | ArrayLike, format: Format) -> Operand:
    operand = values if isinstance(values, Operand) else Operand.of(values, format)
    if operand.format != format:
        raise ValueError(f"{what} are values of {format} in this design, not of {operand.format}")
    if operand.values.ndim != 2:
        raise ValueError(f"{what} have two dimensions, not shape {operand.values.shape}")
    return operand


def _fitted_once(left: Operand, right: Operand, design: Design) -> Values:
    """Exact sums in a register, clamped or rounded at the end."""
    reach = left.peak * right.column_reach
    modulus = design.exact_bits + design.product_lsb_exponent
    wraps = None if below(reach, modulus - 1) else modulus
    if design.accumulator.format is not None:
        if not is_near(design):
            raise ValueError(f"sums of {design.slug} leave the range of float64")
        with np.errstate(over="ignore"):
            total = _summed(left, right, reach, wraps, odd=True)
            return rounded(total, design.accumulator.format) + 0.0
    half = 1 << (design.accumulator_bits - 1)
    low, high = float_of(np.array([-half, half - 1], object), design.product_lsb_exponent)
    return np.clip(_summed(left, right, reach, wraps), low, high)


def _summed(
    left: Operand, right: Operand, reach: float, modulus: int | None, odd: bool = False
) -> Values:
    """Exact sums, or their two's complement reading modulo 2 to some power.

    Those of more than 53 bits are rounded to nearest even, or to odd.
    """
    if not is_exact(left, right, reach):
        if modulus is None and not odd and halves.suits(left, right):
            return halves.product(left, right)
        bits = _sum_bits(left, right, modulus)
        if bits > WIDE_BITS:
            return odd_products(left, right, modulus)
        return _by_digits(left, right, bits, odd)
    total = product(left, right, reach)
    return total if modulus is None else _wrapped(total, modulus)


def product(left: Operand, right: Operand, reach: float) -> Values:
    """Return the product of operands whose partial sums float64 holds."""
    big = min(*left.values.shape, right.values.shape[1]) >= SINGLE_SIDE
    if big and is_exact(left, right, reach, FLOAT32_BITS):
        return (left.single @ right.single).astype(np.float64)
    return np.asarray(left.values @ right.values)


def _wrapped(total: Values, modulus: int) -> Values:
    """Two's complement reading: `fmod` is exact, and so is the difference of near numbers."""
    half = math.ldexp(1.0, modulus - 1)
    rest = np.fmod(total, 2 * half)
    rest = np.where(rest >= half, rest - 2 * half, rest)
    return np.where(rest < -half, rest + 2 * half, rest) + 0.0


def _sum_bits(left: Operand, right: Operand, modulus: int | None) -> int:
    """Return the bits of a sum in units of the finest product, or of what a wrapping one keeps."""
    if modulus is None:
        return left.bits + right.bits + len(right.values).bit_length() + 1
    return modulus - left.finest - right.finest


def _by_digits(left: Operand, right: Operand, bits: int, odd: bool) -> Values:
    """Sums of up to 127 bits, or wrapping ones, from products of digits."""
    unit = left.finest + right.finest
    shape = (left.values.shape[0], right.values.shape[1])
    if bits <= 0:
        return np.zeros(shape)
    total = Wide.of(np.zeros(shape, np.int64))
    digits = _digits(left, bits), _digits(right, bits)
    for start in range(0, len(right.values), MOST_TERMS):
        terms = slice(start, start + MOST_TERMS)
        for place in range(-(-bits // DIGIT_BITS)):
            column = np.zeros(shape)
            for i in range(place + 1):
                if i < len(digits[0]) and place - i < len(digits[1]):
                    column += digits[0][i][:, terms] @ digits[1][place - i][terms]
            total += Wide.of(column.astype(np.int64)) << (place * DIGIT_BITS)
    values: Values = np.ldexp(total.wrapped(min(bits, 128)).rounded(odd), unit)
    return values


def _digits(operand: Operand, most_bits: int) -> list[Values]:
    """Digits of 20 bits with the sign of their number, lowest first, up to `most_bits`."""
    rest = np.ldexp(operand.values, -operand.finest)
    digits = []
    for _ in range(-(-min(operand.bits, most_bits) // DIGIT_BITS)):
        digits.append(np.fmod(rest, 2.0**DIGIT_BITS))
        rest = np.ldexp(rest - digits[-1], -DIGIT_BITS)
    return digits


def _saturated(left: Operand, right: Operand, reach: float, design: Design) -> Values:
    """Sums of which some may meet the bounds of the accumulator."""
    unit, bits = design.product_lsb_exponent, design.accumulator_bits
    if not is_exact(left, right, reach) or bits > FLOAT64_BITS - 1:
        return _saturated_ints(left, right, design)
    half = math.ldexp(1.0, bits - 1 + unit)
    result = product(left, right, reach)
    margin = 1 - 2.0**-30
    hard = ((left.magnitudes @ right.magnitudes) >= half * margin).any(axis=1)
    rows = np.flatnonzero(hard)
    at_once = max(ROWS_BYTES // (8 * right.values.shape[1]), 1)
    high = half - math.ldexp(1.0, unit)
    for start in range(0, len(rows), at_once):
        chosen = rows[start : start + at_once]
        result[chosen] = _clamped(left.values[chosen], right.values, design.lanes, -half, high)
    return result


def _clamped(left: Values, right: Values, lanes: int, low: float, high: float) -> Values:
    """Step by step; sums beyond 2^53 may round, but not across the bounds."""
    total = np.zeros((len(left), right.shape[1]))
    for start in range(0, len(right), lanes):
        total += left[:, start : start + lanes] @ right[start : start + lanes]
        np.clip(total, low, high, out=total)
    return total


def _saturated_ints(left: Operand, right: Operand, design: Design) -> Values:
    """The same on Python integers, for sums that float64 does not hold."""
    unit, half = design.product_lsb_exponent, 1 << (design.accumulator_bits - 1)
    factors = whole(left.values, design.activation.lsb_exponent)
    others = whole(right.values, design.weight.lsb_exponent)
    total = np.zeros((len(factors), others.shape[1]), object)
    for start in range(0, len(others), design.lanes):
        now = slice(start, start + design.lanes)
        total = total + factors[:, now] @ others[now]
        total = np.minimum(np.maximum(total, -half), half - 1)
    return float_of(total, unit)


def whole(values: Values, exponent: int) -> NDArray[np.object_]:
    """Return values in units of 2 to some power, as Python integers."""
    significands, exponents = np.frexp(values)
    integers = np.ldexp(significands, 53).astype(np.int64).astype(object)
    shifts = (exponents - 53 - exponent).astype(object)
    shifts[values == 0] = 0
    up, down = np.maximum(shifts, 0), np.maximum(-shifts, 0)
    return np.asarray((integers << up) >> down)


def float_of(totals: NDArray[np.object_], exponent: int) -> Values:
    """Return Python integers times 2 to some power as float64, rounded once."""
    return np.ldexp(totals.astype(np.float64), exponent)
