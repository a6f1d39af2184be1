"""Floor 0: exact rounding of numbers to the codes of a minifloat; see `MinifloatFormat.encode`."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from hw.formats.base import (
    Between,
    Number,
    Overflow,
    Rounding,
    RoundingMode,
    Special,
    Specials,
    classify,
    mirrored,
    round_to_integer,
)

if TYPE_CHECKING:
    from hw.formats.minifloat import MinifloatFormat


def encode(
    format: MinifloatFormat,
    value: Number | Special,
    rounding: RoundingMode,
    overflow: Overflow,
    random: int,
) -> int:
    """Return the code of a number or special; the contract is that of `MinifloatFormat.encode`."""
    if overflow not in (Overflow.SATURATE, Overflow.SATURATE_PROPAGATE, Overflow.TO_INFINITY):
        raise ValueError(f"overflow {overflow.value} is for fixed point, not {format.name}")
    exact = classify(value)
    if exact is Special.NAN:
        return _nan_code(format)
    if isinstance(exact, Special):
        return _code_of_infinity(format, exact is Special.NEG_INF, overflow)
    negative = exact < 0 or (isinstance(value, float) and str(value) == "-0.0")
    units = abs(exact) / Fraction(2) ** format.lsb_exponent
    code = _magnitude(format, units, mirrored(rounding) if negative else rounding, random)
    if code > format.maximum_code or (code and negative and not format.signed):
        return _code_beyond(format, negative, rounding, overflow)
    return _signed(format, code, negative)


def _magnitude(
    format: MinifloatFormat, units: Fraction, rounding: RoundingMode, random: int
) -> int:
    """Return the sign-free code of a magnitude in units of the finest step, unbounded above."""
    least = 1 << format.fraction_bits
    if units < least and not format.subnormals:
        gap = Between(units / least, 0, least)
        return least if units and gap.goes_far(rounding, random) else 0
    binade = max(int(units).bit_length() - format.precision, 0)
    significand = units / (1 << binade)
    if format.ties_by_code and significand.denominator != 1:
        near = binade + int(significand)
        gap = Between(significand - int(significand), near, near + 1)
        return near + gap.goes_far(rounding, random)
    # A significand that rounds up to the next binade carries into the exponent field.
    return (binade << format.fraction_bits) + round_to_integer(significand, rounding, random)


def _signed(format: MinifloatFormat, code: int, negative: bool) -> int:
    return code | format.sign_bit if negative and (code or format.negative_zero) else code


def _nan_code(format: MinifloatFormat) -> int:
    match format.specials:
        case Specials.FINITE:
            raise ValueError(f"{format.name} has no code for nan")
        case Specials.IEEE:
            return format.maximum_code + 1 | 1 << (format.fraction_bits - 1)
        case Specials.FN:
            return format.top_code
    return format.sign_bit or format.top_code


def _infinity_code(format: MinifloatFormat, negative: bool) -> int:
    return _signed(format, format.maximum_code + 1, negative)


def _code_of_infinity(format: MinifloatFormat, negative: bool, overflow: Overflow) -> int:
    if overflow is Overflow.TO_INFINITY:
        return _code_beyond(format, negative, Rounding.TIES_TO_EVEN, overflow)
    below_zero = negative and not format.signed
    if overflow is Overflow.SATURATE or below_zero or not format.has_infinity:
        return _largest(format, negative)
    return _infinity_code(format, negative)


def _largest(format: MinifloatFormat, negative: bool) -> int:
    below_zero = negative and not format.signed
    return 0 if below_zero else _signed(format, format.maximum_code, negative)


def _code_beyond(
    format: MinifloatFormat, negative: bool, rounding: RoundingMode, overflow: Overflow
) -> int:
    """Return the code for a number beyond the largest, or below zero in unsigned formats."""
    if overflow is not Overflow.TO_INFINITY or _stays_finite(format, rounding, negative):
        return _largest(format, negative)
    if not format.has_specials:
        raise ValueError(f"overflow to_infinity needs a format with specials, not {format.name}")
    if negative and not format.signed:
        return _nan_code(format)
    if format.has_infinity:
        return _infinity_code(format, negative)
    return _signed(format, _nan_code(format), negative) if format.signed else format.maximum_code


def _stays_finite(format: MinifloatFormat, rounding: RoundingMode, negative: bool) -> bool:
    """Whether a directed mode stops at the largest number (IEEE 754, 7.4; P3109 SatNone)."""
    if rounding is Rounding.TO_ODD:
        below_zero = negative and not format.signed
        return not below_zero and not (format.signed and format.specials is Specials.EXTENDED)
    if rounding is Rounding.TOWARD_ZERO:
        return True
    return rounding is (Rounding.TOWARD_POSITIVE if negative else Rounding.TOWARD_NEGATIVE)
