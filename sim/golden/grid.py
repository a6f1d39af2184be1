"""Floor 2b: rounding arrays to a format in every mode, by exact float64 steps.

An element divided by the step of its binade is exact (a power of two); the rounding modes then
work on whole numbers. The plain counterpart of `sim.golden.magic`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw.formats import FixedFormat, Format, MinifloatFormat, Overflow, Rounding, Special, Specials

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FLOAT64_PRECISION, FLOAT64_LEAST, FLOAT64_TOP = 53, -1074, 1024
FLOAT32_PRECISION, FLOAT32_LEAST, FLOAT32_TOP = 24, -149, 128


def precision(format: Format) -> int:
    """Return the significant bits that a value of the format can have."""
    return format.precision if isinstance(format, MinifloatFormat) else format.magnitude_bits


def top_exponent(format: Format) -> int:
    """Return the exponent of the power of two above the largest magnitude."""
    return format.lsb_exponent + format.magnitude_bits


def fits_float64(format: Format) -> bool:
    """Whether float64 holds every value, and the binades of minifloats as normal numbers."""
    lowest = format.emin if isinstance(format, MinifloatFormat) else -1022
    return (
        precision(format) <= FLOAT64_PRECISION
        and format.lsb_exponent >= FLOAT64_LEAST
        and lowest >= -1022
        and top_exponent(format) <= FLOAT64_TOP
    )


def fits_float32(format: Format) -> bool:
    """Whether float32 holds every value."""
    return (
        precision(format) <= FLOAT32_PRECISION
        and format.lsb_exponent >= FLOAT32_LEAST
        and top_exponent(format) <= FLOAT32_TOP
    )


def has_nan(format: Format) -> bool:
    """Whether a code means NaN."""
    return format.has_specials


def check_overflow(format: Format, overflow: Overflow) -> None:
    """Raise ValueError if the format does not know this overflow mode."""
    if overflow is Overflow.WRAP and not isinstance(format, FixedFormat):
        raise ValueError(f"overflow wrap is for fixed point, not {format}")
    if overflow is Overflow.TO_INFINITY and not format.has_specials:
        raise ValueError(f"overflow to_infinity needs a format with specials, not {format}")


def round_whole(values: Floats, rounding: Rounding) -> Floats:
    """Round to whole numbers."""
    match rounding:
        case Rounding.TIES_TO_EVEN:
            return np.rint(values)
        case Rounding.TOWARD_ZERO:
            return np.trunc(values)
        case Rounding.TOWARD_NEGATIVE:
            return np.floor(values)
        case Rounding.TOWARD_POSITIVE:
            return np.ceil(values)
    cut = np.trunc(values)
    with np.errstate(invalid="ignore"):  # infinity less infinity: no rest
        rest = np.abs(values - cut)  # exact: the difference has no more bits than `values`
        if rounding is Rounding.TIES_TO_AWAY:
            step = rest >= 0.5
        else:
            step = (rest > 0) & (np.fmod(cut, 2.0) == 0)
    return np.asarray(cut + np.copysign(step, values))


def cast(values: Floats, format: Format, rounding: Rounding, overflow: Overflow) -> Floats:
    """Return rounded values; NaN, already allowed, stays."""
    whole, shift = rounded(values, format, rounding)
    result = np.ldexp(whole, shift)
    low, high = float(format.minimum), float(format.maximum)
    if overflow is Overflow.SATURATE:
        result = np.clip(result, low, high)
    elif overflow is Overflow.WRAP:
        result = np.ldexp(_wrap(whole, format).astype(np.float64), format.lsb_exponent)
    else:
        beyond = to_infinity(values, result, format, rounding)
        result = np.clip(result, low, high)
        result[beyond] = np.inf if getattr(format, "has_infinity", False) else np.nan
        result = np.copysign(result, values)
    return result + 0.0


def encode(values: Floats, format: Format, rounding: Rounding, overflow: Overflow) -> Integers:
    """Return codes; NaN, already allowed, gives the code that `Format.encode` gives."""
    if isinstance(format, MinifloatFormat):
        return _encode_minifloat(values, format, rounding, overflow)
    whole, _ = rounded(values, format, rounding)
    if overflow is Overflow.WRAP:
        integers = _wrap(whole, format)
    else:
        integers = np.clip(whole, format.minimum_integer, format.maximum_integer).astype(np.int64)
    return integers & _mask(format)


def rounded(values: Floats, format: Format, rounding: Rounding) -> tuple[Floats, NDArray[np.int32]]:
    """Return (whole numbers, exponents): the values rounded to the grid, unbounded above."""
    if not isinstance(format, MinifloatFormat):
        shift = np.full(values.shape, format.lsb_exponent, np.int32)
    else:
        binade = np.frexp(values)[1] - 1  # 0 for 0, inf and nan
        binade = np.where(values == 0, format.emin, np.maximum(binade, format.emin))
        shift = (binade - format.fraction_bits).astype(np.int32)
    with np.errstate(over="ignore"):  # far above the largest value
        steps = np.ldexp(values, -shift)
    lost = (steps == 0) & (values != 0)  # far below the step, but not nothing
    steps[lost] = np.copysign(2.0**-1000, values[lost])
    return round_whole(steps, rounding), shift


def to_infinity(
    values: Floats, result: Floats, format: Format, rounding: Rounding
) -> NDArray[np.bool_]:
    """Return where `Overflow.TO_INFINITY` leaves the finite numbers (IEEE 754 clause 7.4)."""
    negative = np.signbit(values)
    beyond = np.abs(result) > float(format.maximum)
    match rounding:
        case Rounding.TOWARD_ZERO | Rounding.TO_ODD:
            beyond[:] = False
        case Rounding.TOWARD_POSITIVE:
            beyond &= ~negative
        case Rounding.TOWARD_NEGATIVE:
            beyond &= negative
    return beyond | np.isinf(values)


def _wrap(whole: Floats, format: Format) -> Integers:
    if not np.isfinite(whole).all():
        wrong = whole[~np.isfinite(whole)].flat[0]
        raise ValueError(f"{format} has no code for {wrong}")
    rest = np.fmod(whole, 2.0**format.bits).astype(np.int64) & _mask(format)
    half = 1 << (format.bits - 1)
    return (rest ^ half) - half if format.signed else rest


def _encode_minifloat(
    values: Floats, format: MinifloatFormat, rounding: Rounding, overflow: Overflow
) -> Integers:
    known = np.where(np.isnan(values), 0.0, np.clip(values, -(2.0**1023), 2.0**1023))
    whole, shift = rounded(known, format, rounding)
    binade = (shift - format.lsb_exponent).astype(np.int64)
    magnitude = np.abs(whole).astype(np.int64)
    # A significand that rounds up to the next binade carries into the exponent field.
    codes = (np.minimum(binade, 1 << 20) << format.fraction_bits) + magnitude
    beyond = (codes > format.maximum_code) | np.isinf(values)
    codes = np.where(beyond, format.maximum_code, codes)
    if overflow is Overflow.TO_INFINITY:
        far = to_infinity(values, np.where(beyond, np.inf, 0.0), format, rounding)
        codes[far] = _overflow_code(format)
    negative = np.signbit(values)
    if format.specials is Specials.FNUZ:
        negative = negative & (codes != 0)
    codes |= negative.astype(np.int64) << (format.bits - 1)
    codes[np.isnan(values)] = format.encode(Special.NAN) if format.has_specials else 0
    return codes


def _overflow_code(format: MinifloatFormat) -> int:
    return format.encode(Special.POS_INF, overflow=Overflow.TO_INFINITY)


def _mask(format: Format) -> int:
    return (1 << format.bits) - 1
