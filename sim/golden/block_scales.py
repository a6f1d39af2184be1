"""Floor 2b: the scales of many blocks at once, as `BlockFormat.quantize` finds them for one.

Exponents come from frexp, quotients from `exact_quotient`: nothing here rounds twice.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.formats import Format, MinifloatFormat
from hw.formats.block import BlockFormat, Outer, ratio_exponent
from hw.formats.scale import (
    ScaleRule,
    element_exponent,
    element_precision,
    end_codes,
    nan_code,
    scale_levels,
    scale_rounding,
)
from sim.golden.convert import code_type, encode

Floats = NDArray[np.float64]
Codes = NDArray[np.unsignedinteger[Any]]

FLOAT64_PRECISION = 53
FLOAT32_MAXIMUM = float(np.finfo(np.float32).max)
FLOAT32_LEAST = 2.0**-149
SQRT2 = 1.4142135623730951
"""The float64 just above the square root of two."""
REACH = 900
"""Exponents of scales and elements stay within ± this, so that float64 quotients are normal."""


def significant_bits(format: Format) -> int:
    """Return the most significant bits that a value of the format has."""
    if isinstance(format, MinifloatFormat):
        return format.precision
    if format.bits <= 16 and all(
        value & (value - 1) == 0 for value in map(abs, map(format.integer, range(1 << format.bits)))
    ):
        return 1
    return format.magnitude_bits


@lru_cache(maxsize=256)
def divisor_bits(format: BlockFormat) -> int:
    """Return the significant bits of ``G · X``."""
    outer = 0 if format.outer is Outer.NONE else 24
    return outer + (1 if format.scale_powers else significant_bits(format.scale_format))


@lru_cache(maxsize=256)
def check_exact(format: BlockFormat) -> None:
    """Raise ValueError where float64 cannot decide every rounding of a block format."""
    element, outer = significant_bits(format.element), 0 if format.outer is Outer.NONE else 24
    needed = divisor_bits(format) + element + 1
    spread = [format.element.lsb_exponent, element_exponent(format.element)]
    if format.scale_powers:
        spread += format.scale_powers
    else:
        spread.append(format.scale_format.lsb_exponent)
        needed = max(needed, element + outer + significant_bits(format.scale_format) + 1)
    if needed > FLOAT64_PRECISION or max(map(abs, spread)) > REACH:
        raise ValueError(
            f"float64 does not decide every rounding of {format}: use its method quantize"
        )


def exact_quotient(values: Floats, divisor: Any, bits: int) -> Floats:
    """Return ``values / divisor`` on the right side of every number of few bits, from 2^-1000 on.

    The result equals the float64 quotient, save where that is a number of at most
    ``53 - bits`` significant bits and the true quotient is not: there it is the neighbour on the
    true side. Rounding it to a grid of such numbers (or of their midpoints) is then rounding once.

    Parameters
    ----------
    values
        Of any shape, not NaN.
    divisor
        Positive, of at most `bits` significant bits; broadcasts.
    bits
        0 … 52; 1 means powers of two, whose quotients are exact.

    """
    with np.errstate(over="ignore", under="ignore"):
        quotient: Floats = np.divide(values, divisor)
    lost = (quotient == 0) & (values != 0)
    if lost.any():
        quotient[lost] = np.copysign(2.0**-1000, values[lost])
    if bits <= 1:
        return quotient
    few = (quotient.view(np.int64) & ((1 << bits) - 1)) == 0
    few &= np.isfinite(quotient) & ~lost
    if few.any():
        with np.errstate(over="ignore", invalid="ignore"):
            rest = values - quotient * divisor
        few &= rest != 0
        toward = np.copysign(np.inf, rest[few])
        quotient[few] = np.nextafter(quotient[few], toward)
    return quotient


def outer_scales(amax: Floats, format: BlockFormat) -> Floats:
    """Return G for largest magnitudes (of a tensor, or of each row), as float64."""
    if format.outer is Outer.NONE:
        return np.ones_like(amax)
    exact = format.element.maximum * format.scale_format.maximum
    bits = exact.numerator.bit_length()
    if 25 + bits > FLOAT64_PRECISION:
        found = [float(format.outer_scale(Fraction(float(peak)))) for peak in amax.flat]
        return np.array(found).reshape(amax.shape)
    ideal = np.minimum(exact_quotient(amax, float(exact), bits), FLOAT32_MAXIMUM)
    outer = np.maximum(ideal.astype(np.float32).astype(np.float64), FLOAT32_LEAST)
    return np.where(amax == 0, 1.0, outer)


def codes_of_nothing(infinite: NDArray[np.bool_], format: BlockFormat) -> Codes:
    """Return the scales of blocks without a finite value but 0: the largest one for infinities."""
    kinds = np.array(end_codes(format.scale_format), code_type(format.scale_format))
    codes: Codes = kinds[infinite.astype(np.intp)]
    return codes


def scale_codes(
    codes: Codes, amax: Floats, peak: Floats, outer: Floats, format: BlockFormat
) -> None:
    """Write the codes of the scales of blocks that have a value, for every rule but MSE.

    Parameters
    ----------
    codes, amax : arrays
        The codes, and the largest finite magnitude of each block.
    peak, outer : arrays
        Largest finite magnitude of the tensor or row, and its G; broadcast to `amax`.

    """
    some = amax > 0
    if format.scale_powers is not None:
        low, high = format.scale_powers
        exponents = np.clip(_powers(amax, peak, format), low, high)
        by_power = np.array([code for _, code in scale_levels(format.scale_format)], codes.dtype)
        codes[some] = by_power[exponents - low][some]
        return
    maximum = format.element.maximum
    bits = significant_bits_of(maximum) + (0 if format.outer is Outer.NONE else 24)
    ideal = exact_quotient(amax, float(maximum) * outer, bits)
    ideal = np.minimum(ideal, float(format.scale_format.maximum))
    found = encode(ideal, format.scale_format, rounding=scale_rounding(format.scale_rule))
    codes[some] = found[some]


def significant_bits_of(value: Fraction) -> int:
    """Return the significant bits of a positive dyadic number."""
    odd = value.numerator
    return (odd // (odd & -odd)).bit_length()


def mark_nan(codes: Codes, missing: NDArray[np.bool_], format: BlockFormat) -> None:
    """Give the blocks with NaN the scale NaN."""
    code = nan_code(format.scale_format)
    if code is not None:
        codes[missing] = code


def _powers(amax: Floats, peak: Floats, format: BlockFormat) -> NDArray[np.int64]:
    """Return the exponents of power-of-two scales, unbounded; anything for amax = 0."""
    significand, exponent = np.frexp(amax)
    exponent = exponent.astype(np.int64)
    if format.outer is Outer.NONE:
        up = _goes_up(2 * significand, format.scale_rule, format.element)
        return exponent - 1 + up - element_exponent(format.element)
    high = (format.scale_powers or (0, 0))[1]
    if format.scale_rule in (ScaleRule.ROUND, ScaleRule.EVEN):
        return _exact_powers(amax, np.broadcast_to(peak, amax.shape), format.scale_rule) + high
    whole, power = np.frexp(np.broadcast_to(peak, amax.shape))
    floor = exponent - power - (significand < whole)
    up = (significand != whole) & (format.scale_rule is not ScaleRule.FLOOR)
    return np.asarray(floor + up + high)


def _exact_powers(amax: Floats, peak: Floats, rule: ScaleRule) -> NDArray[np.int64]:
    found = [
        ratio_exponent(Fraction(float(a)) / Fraction(float(b)), rule) if a else 0
        for a, b in zip(amax.flat, peak.flat, strict=True)
    ]
    return np.array(found, np.int64).reshape(amax.shape)


def _goes_up(significand: Floats, rule: ScaleRule, element: Format) -> NDArray[np.bool_]:
    """Return where a rule takes the power of two above, for significands in [1, 2)."""
    match rule:
        case ScaleRule.CEIL:
            return significand > 1
        case ScaleRule.ROUND:
            return significand >= SQRT2
        case ScaleRule.FIT:
            return significand > float(element.maximum / Fraction(2) ** element_exponent(element))
        case ScaleRule.EVEN:
            return significand >= 2 - 2.0 ** -element_precision(element)
    return np.zeros(significand.shape, np.bool_)
