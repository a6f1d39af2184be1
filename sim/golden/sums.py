"""Floor 2b: the products of each step, summed over the lanes, exactly, for whole arrays of steps.

Three ways to carry a sum, by what its bounds need: int64, 128-bit `Wide` numbers (for accumulators
that wrap), Python integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hw.accumulators import AccumulatorKind
from hw.design import Design
from hw.formats import Format
from sim.golden.lanes import FLOAT32_BITS, FLOAT64_BITS, PIECE, lane_sums, pieces, reader
from sim.golden.limbs import Indices, Wide
from sim.golden.tables import integer_table, parts_table

Codes = NDArray[np.unsignedinteger]

FAR = 1 << 20
"""Beyond every exponent; keeps the running maxima of different sums apart."""
SPARE_BITS = 3
"""Up to eight products of digits are added at each place."""


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
def digit_table(format: Format, modulus_bits: int, digit_bits: int) -> NDArray[np.float64]:
    """Return the digits of all codes' integers, lowest first: shape (digits, codes).

    Digits carry the sign of their number; numbers of more than `modulus_bits` bits are taken
    modulo 2 to this power, without a sign.
    """
    integers = integer_table(format)
    negative = (integers < 0).astype(bool)
    magnitudes = np.abs(integers)
    if format.magnitude_bits > modulus_bits:
        magnitudes = integers & ((1 << modulus_bits) - 1)
        negative[:] = False
    width = min(format.magnitude_bits, modulus_bits)
    mask = (1 << digit_bits) - 1
    digits = [
        (magnitudes >> shift & mask).astype(np.float64) for shift in range(0, width, digit_bits)
    ]
    return np.where(negative, -np.array(digits), np.array(digits))


def narrow_sums(design: Design, weights: Codes, activations: Codes) -> NDArray[np.int64]:
    """Return the sum of each step's products as int64; operands of shape (steps, lanes)."""
    bound = design.lanes * max(map(abs, design.product_bounds))
    if bound >= 1 << FLOAT64_BITS:
        wide = wide_sums(design, weights, activations)
        return wide.low.view(np.int64)
    float_type = np.float32 if bound < 1 << FLOAT32_BITS else np.float64
    readers = [
        reader(format, codes.dtype, float_type)
        for format, codes in ((design.weight, weights), (design.activation, activations))
    ]
    sums = np.empty(len(weights), np.int64)
    for rows, left, right in pieces(weights, activations, readers, float_type):
        sums[rows] = lane_sums(left, right)
    return sums


def wide_sums(design: Design, weights: Codes, activations: Codes) -> Wide:
    """Return the sum of each step's products modulo 2^128, right in the accumulator's bits.

    Also right in 64 bits where those hold every sum.
    """
    digit_bits = (FLOAT64_BITS - SPARE_BITS - design.lanes.bit_length()) // 2
    bits = max(design.accumulator_bits, 64)
    tables = [digit_table(f, bits, digit_bits) for f in (design.weight, design.activation)]
    counts = [len(table) for table in tables]
    places = min(sum(counts) - 1, -(-128 // digit_bits))
    columns = np.zeros((places, len(weights)), np.int64)
    for rows in _pieces(design, weights):
        left = [digit.take(weights[rows]) for digit in tables[0]]
        right = [digit.take(activations[rows]) for digit in tables[1]]
        for place in range(places):
            for i in range(max(0, place - counts[1] + 1), min(place + 1, counts[0])):
                column = lane_sums(left[i].copy(), right[place - i])
                columns[place, rows] += column.astype(np.int64)
    total = Wide.of(np.zeros(len(weights), np.int64))
    for place, column in enumerate(columns):
        total += Wide.of(column) << (place * digit_bits)
    return total


def python_sums(design: Design, weights: Codes, activations: Codes) -> list[int]:
    """Return the sum of each step's products as Python integers."""
    left = integer_table(design.weight)[weights]
    sums: list[int] = (left * integer_table(design.activation)[activations]).sum(axis=1).tolist()
    return sums


def window_trees(
    design: Design, weights: Codes, activations: Codes, starts: Indices
) -> tuple[list[int], NDArray[np.int64]]:
    """Return (each step's sum of aligned and cut products, running maximum exponents).

    In float64 where it holds them: values are exact there, and so is every power of two.
    """
    formats = design.weight, design.activation
    steps = [np.ldexp(1.0, parts_table(f).shift.astype(np.int32)) for f in formats]
    values = [
        parts_table(f).significand.astype(np.float64) * step
        for f, step in zip(formats, steps, strict=True)
    ]
    for step, value in zip(steps, values, strict=True):
        step[value == 0] = 0.0
    highest = np.empty(len(weights))
    for rows in _pieces(design, weights):
        highest[rows] = _pairs(steps, weights[rows], activations[rows]).max(axis=1)
    shifts = np.where(highest > 0, np.frexp(highest)[1] - 1, 0)
    apart = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(weights))) * FAR
    top = np.maximum.accumulate(shifts + apart) - apart
    if design.accumulator.bits + design.lanes.bit_length() > FLOAT64_BITS:
        return _python_trees(design, weights, activations, top), top
    scale = np.ldexp(1.0, (design.guard_bits - top).astype(np.int32))
    trees = np.empty(len(weights))
    ones = np.ones(design.lanes)
    for rows in _pieces(design, weights):
        products = _pairs(values, weights[rows], activations[rows])
        products *= scale[rows, None]
        trees[rows] = np.trunc(products, out=products) @ ones
    return trees.astype(np.int64).tolist(), top


def _pieces(design: Design, steps: Codes) -> Iterator[slice]:
    at_once = max(PIECE // design.lanes, 1)
    return (slice(start, start + at_once) for start in range(0, len(steps), at_once))


def _pairs(
    tables: Sequence[NDArray[np.float64]], weights: Codes, activations: Codes
) -> NDArray[np.float64]:
    left, right = tables[0].take(weights), tables[1].take(activations)
    left *= right
    return left


def _python_trees(
    design: Design, weights: Codes, activations: Codes, top: NDArray[np.int64]
) -> list[int]:
    weight, activation = parts_table(design.weight), parts_table(design.activation)
    products = weight.significand[weights] * activation.significand[activations]
    shifts = weight.shift[weights] + activation.shift[activations]
    shifts[products == 0] = 0
    distances = (top[:, None] - shifts).astype(object)
    cut = (np.abs(products).astype(object) << design.guard_bits) >> distances
    trees: list[int] = np.where(products < 0, -cut, cut).sum(axis=1).tolist()
    return trees
