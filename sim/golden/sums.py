"""Floor 2b: the products of each step, summed over the lanes, exactly, for whole arrays of steps.

Three ways to carry a sum, by what its bounds need: int64, 128-bit `Wide` numbers (for accumulators
that wrap), Python integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.accumulators import AccumulatorKind
from hw.design import Design
from hw.formats import Format
from sim.golden.limbs import Wide
from sim.golden.tables import integer_table, parts_table

Codes = NDArray[np.unsignedinteger]
Flags = NDArray[np.bool_]

DIGIT_BITS = 16
"""Wide operands are multiplied digit by digit: 1024 lanes of 32-bit products fit 43 bits."""


def largest_step(design: Design) -> int:
    """Return a bound of the magnitude of accumulator plus one step's tree."""
    if design.is_window:
        tree = design.lanes << design.accumulator.bits
    else:
        tree = design.lanes * max(map(abs, design.product_bounds))
    return tree + (1 << (design.accumulator_bits - 1))


def is_narrow(design: Design) -> bool:
    """Whether int64 holds every intermediate result."""
    return largest_step(design) < 1 << 63


def is_modular(design: Design) -> bool:
    """Whether the accumulator wraps, so that sums may be taken modulo 2^128."""
    return design.accumulator.kind in (AccumulatorKind.EXACT, AccumulatorKind.WRAP)


@lru_cache(maxsize=256)
def narrow_table(format: Format) -> NDArray[np.int64]:
    """Return the integers of all codes as int64."""
    return integer_table(format).astype(np.int64)


@lru_cache(maxsize=256)
def digit_table(format: Format, modulus_bits: int) -> NDArray[np.int64]:
    """Return the 16-bit digits of all codes' integers, lowest first: shape (digits, codes).

    Digits carry the sign of their number; numbers of more than `modulus_bits` bits are taken
    modulo 2 to this power, without a sign.
    """
    integers = integer_table(format)
    negative = (integers < 0).astype(bool)
    if format.magnitude_bits > modulus_bits:
        magnitudes = integers & ((1 << modulus_bits) - 1)
        negative[:] = False
    else:
        magnitudes = np.abs(integers)
    width = min(format.magnitude_bits, modulus_bits)
    digits = np.array(
        [
            (magnitudes >> shift & ((1 << DIGIT_BITS) - 1)).astype(np.int64)
            for shift in range(0, width, DIGIT_BITS)
        ]
    )
    return np.where(negative, -digits, digits)


def narrow_sums(design: Design, weights: Codes, activations: Codes) -> NDArray[np.int64]:
    """Return the sum of each step's products as int64; operands of shape (steps, lanes)."""
    left = narrow_table(design.weight)[weights]
    right = narrow_table(design.activation)[activations]
    return _dot(left, right)


def wide_sums(design: Design, weights: Codes, activations: Codes) -> Wide:
    """Return the sum of each step's products modulo 2^128, right in the accumulator's bits."""
    bits = design.accumulator_bits
    left = [digit[weights] for digit in digit_table(design.weight, bits)]
    right = [digit[activations] for digit in digit_table(design.activation, bits)]
    total = Wide.of(np.zeros(len(weights), np.int64))
    for place in range(len(left) + len(right) - 1):
        if place * DIGIT_BITS < 128:
            pairs = range(max(0, place - len(right) + 1), min(place + 1, len(left)))
            column = sum(_dot(left[i], right[place - i]) for i in pairs)
            total += Wide.of(np.asarray(column)) << (place * DIGIT_BITS)
    return total


def python_sums(design: Design, weights: Codes, activations: Codes) -> list[int]:
    """Return the sum of each step's products as Python integers."""
    left = integer_table(design.weight)[weights]
    sums: list[int] = (left * integer_table(design.activation)[activations]).sum(axis=1).tolist()
    return sums


def _dot(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    if left.shape[1] == 1:
        return (left * right)[:, 0]
    return np.asarray(np.einsum("ij,ij->i", left, right))


def significand_products(
    design: Design, weights: Codes, activations: Codes
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (products of significands, sums of shifts) of a window design; shift 0 for zeros."""
    weight, activation = parts_table(design.weight), parts_table(design.activation)
    products = weight.significand[weights] * activation.significand[activations]
    shifts = weight.shift[weights] + activation.shift[activations]
    shifts[products == 0] = 0
    return products, shifts


def aligned_sums(
    design: Design, products: NDArray[np.int64], distances: NDArray[np.int64]
) -> list[int] | NDArray[np.int64]:
    """Return sums over the lanes of products moved down by `distances`, cut toward zero."""
    magnitudes: NDArray[Any] = np.abs(products)
    if is_narrow(design):
        shifts = np.minimum(distances, 63)
        cut = (magnitudes << design.guard_bits) >> shifts
        return np.asarray(np.where(products < 0, -cut, cut).sum(axis=1))
    cut = (magnitudes.astype(object) << design.guard_bits) >> distances.astype(object)
    sums: list[int] = np.where(products < 0, -cut, cut).sum(axis=1).tolist()
    return sums


@dataclass(frozen=True, slots=True, eq=False)
class StepFlags:
    """Which flags the products of each step raise."""

    nan: Flags
    pos_inf: Flags
    neg_inf: Flags


def step_flags(design: Design, weights: Codes, activations: Codes) -> StepFlags:
    """Return the flags of each step's products; operands of shape (steps, lanes)."""
    weight, activation = parts_table(design.weight), parts_table(design.activation)
    kinds = weight.special[weights], activation.special[activations]
    hit = np.flatnonzero((kinds[0] | kinds[1]).any(axis=1))
    left, right = weights[hit], activations[hit]
    weight_kind, activation_kind = kinds[0][hit], kinds[1][hit]
    is_zero = [
        (kind == 0) & (part.significand[codes] == 0)
        for kind, part, codes in (
            (weight_kind, weight, left),
            (activation_kind, activation, right),
        )
    ]
    infinite = (weight_kind == 2) | (activation_kind == 2)
    nan = (weight_kind == 1) | (activation_kind == 1) | infinite & (is_zero[0] | is_zero[1])
    negative = weight.negative[left] ^ activation.negative[right]
    rows = (nan, infinite & ~nan & ~negative, infinite & ~nan & negative)
    found = [np.zeros(len(weights), np.bool_) for _ in rows]
    for flag, lanes in zip(found, rows, strict=True):
        flag[hit] = lanes.any(axis=1)
    return StepFlags(*found)
