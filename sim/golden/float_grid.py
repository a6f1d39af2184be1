"""Floor 2b: float64 numbers to the grid of a minifloat and its codes, for accumulators.

Rounded to nearest even with an unbounded exponent; beyond the largest finite value the result is
infinite where the format has infinities, else the largest finite value. What is infinite before is
NaN in a format without infinities. See `sim.golden.floating`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hw.design import Design, is_signs
from hw.formats import Format, MinifloatFormat, Overflow, Rounding, Special, parse
from sim.golden.tables import value_table

Values = NDArray[np.float64]
Codes = NDArray[np.uint64]

FRACTION_BITS, BIAS = 52, 1023
EXPONENT_MASK = 0x7FF << FRACTION_BITS
REACH = 900
"""Designs with exponents beyond ± this are left to Python integers."""


def is_near(design: Design) -> bool:
    """Whether float64 holds a design's operands, products and totals, and rounds its sums."""
    spans = [(f.lsb_exponent, f.magnitude_bits) for f in (design.weight, design.activation)]
    spans.append((design.product_lsb_exponent, design.product_bits))
    if design.accumulator.format is not None:
        format = design.accumulator.format
        spans.append((format.lsb_exponent, format.magnitude_bits))
    return all(low >= -REACH and low + bits <= REACH for low, bits in spans)


def rounded(values: Values, format: MinifloatFormat) -> Values:
    """Return values on the grid of the format, specials and the sign of zero kept.

    Parameters
    ----------
    values
        Any; exact, or rounded to odd from the exact numbers.
    format
        A signed minifloat with subnormals, of a design that `is_near`.

    """
    if format == _SINGLE:
        with np.errstate(over="ignore", under="ignore"):
            return values.astype(np.float32).astype(np.float64)
    high = float(format.maximum)
    result = on_grid(np.clip(values, -2 * high, 2 * high), format)
    if format.has_infinity:
        result[np.abs(result) > high] = np.inf
    else:
        np.clip(result, -high, high, out=result)
        result[np.isinf(values)] = np.nan
    result = np.copysign(result, values)
    return result if _keeps_negative_zero(format) else result + 0.0


def on_grid(values: Values, format: MinifloatFormat) -> Values:
    """Return finite values rounded as if the exponent had no upper bound; zeros are +0.

    ``1.5 · 2^(e + 52 - M)`` added to a number of exponent e leaves M bits behind the leading one.
    """
    words = values.view(np.int64) & EXPONENT_MASK
    np.maximum(words, (format.emin + BIAS) << FRACTION_BITS, out=words)
    words += ((FRACTION_BITS - format.fraction_bits) << FRACTION_BITS) | 1 << (FRACTION_BITS - 1)
    magic = words.view(np.float64)
    result = values + magic
    result -= magic
    return result


def codes_of(values: Values, format: MinifloatFormat) -> Codes:
    """Return the codes of values on the grid of the format; every NaN has the same one."""
    magnitudes = np.abs(values)
    known = np.isfinite(values)
    finite = np.where(known, magnitudes, 0.0)
    leading = np.where(finite > 0, np.frexp(finite)[1] - 1, format.emin)
    exponents = np.maximum(leading, format.emin)
    significands = np.ldexp(finite, (format.fraction_bits - exponents).astype(np.int32))
    codes = significands.astype(np.int64)
    codes += (exponents - format.emin).astype(np.int64) << format.fraction_bits
    negative = np.signbit(values)
    if not known.all():
        nan = np.isnan(values)
        codes[nan] = format.encode(Special.NAN) if nan.any() else 0
        negative &= ~nan
        if (~known & ~nan).any():
            codes[~known & ~nan] = _infinity(format)
    if not _keeps_negative_zero(format):
        negative &= codes != 0
    words: Codes = codes.astype(np.uint64)
    words |= negative.astype(np.uint64) << np.uint64(format.bits - 1)
    return words


@lru_cache(maxsize=256)
def operand_values(format: Format, specials: str) -> Values:
    """Return the values of all codes of an operand format of at most 16 bits.

    With the policy "ignore", specials are zeros of their sign bit.
    """
    table = value_table(format).copy()
    if is_signs(format):
        table[np.isnan(table)] = 0.0  # the unused code of ternary
    if specials == "ignore":
        codes = np.flatnonzero(~np.isfinite(table))
        table[codes] = np.where(codes >> (format.bits - 1) & 1 > 0, -0.0, 0.0)
    return table


@lru_cache(maxsize=256)
def _keeps_negative_zero(format: MinifloatFormat) -> bool:
    return format.encode(-0.0) != 0


@lru_cache(maxsize=256)
def _infinity(format: MinifloatFormat) -> int:
    return format.encode(Special.POS_INF, Rounding.TIES_TO_EVEN, Overflow.TO_INFINITY)


_SINGLE = parse("fp32")
