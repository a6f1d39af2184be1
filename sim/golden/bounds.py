"""Floor 2b: when a float type holds every partial sum of a matrix product."""

from __future__ import annotations

import math

from hw.formats import Format, MinifloatFormat
from sim.golden.operand import Operand

FLOAT64_BITS, FLOAT32_BITS = 53, 24
FLOAT32_RANGE = 120
"""Exponents beyond ± this are left to float64."""


def below(reach: float, exponent: int) -> bool:
    """Whether a bound stays below 2 to some power."""
    return math.isfinite(reach) and math.frexp(reach)[1] <= exponent


def is_exact(left: Operand, right: Operand, reach: float, bits: int = FLOAT64_BITS) -> bool:
    """Whether floats of so many bits hold every partial sum, each below `reach`.

    A sum of exactly ``2**bits`` units would be held as well; the bound does not use that.
    """
    if bits == FLOAT32_BITS and not in_single_range(left, right, reach):
        return False
    return below(reach, left.finest + right.finest + bits)


def in_single_range(left: Operand, right: Operand, reach: float) -> bool:
    """Whether the exponents of factors, products and sums below `reach` suit float32."""
    inside = min(left.finest + right.finest, left.finest, right.finest) > -FLOAT32_RANGE
    return inside and max(reach, left.peak, right.peak) < 2.0**FLOAT32_RANGE


def single_products(left: Operand, right: Operand) -> bool:
    """Whether float32 holds each product by itself, whatever its exponent."""
    bits = significand_bits(left.format) + significand_bits(right.format)
    return bits <= FLOAT32_BITS and in_single_range(left, right, left.peak * right.peak)


def significand_bits(format: Format) -> int:
    """Return the bits of a format's largest significand."""
    return format.precision if isinstance(format, MinifloatFormat) else format.magnitude_bits
