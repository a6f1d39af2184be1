"""Floor 2b: arrays of float64 or float32 to a number format and back, rounded once, fast.

`cast` gives the values, `encode` the codes, `decode` the values of codes. The usual case (nearest
even, saturating) adds to each element a power of two of its own binade, so that the adder of the
processor rounds at the format's last bit, and subtracts it again; binades come from the exponent
field of the element. All other modes, and formats near the ends of float64, take `sim.golden.grid`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.formats import Format, Overflow, Rounding
from hw.formats.base import MAXIMUM_TABLE_BITS
from sim.golden import grid, magic
from sim.golden.tables import parts_values, split_codes, value_table

Floats = NDArray[Any]
Codes = NDArray[np.unsignedinteger]

FLOAT64_PRECISION = 53


def cast(
    values: ArrayLike,
    format: Format,
    scale: ArrayLike = 1.0,
    rounding: Rounding = Rounding.TIES_TO_EVEN,
    overflow: Overflow = Overflow.SATURATE,
) -> Floats:
    """Return the format's values nearest to ``values / scale``.

    The result is on the format's grid: multiply by `scale` to be near `values` again. A zero
    result is +0.

    Parameters
    ----------
    values
        float32 or float64 of any shape (other real types are taken as float64).
    format
        Any format whose values float64 holds exactly.
    scale
        Positive and finite; a number, or an array that broadcasts to the shape of `values`.
        ``values / scale`` is one float64 division, which is exact for powers of two; its result is
        then rounded once to the format. Another scale therefore rounds twice: first to 53 bits.
    rounding, overflow
        See `hw.formats`.

    Returns
    -------
    array
        float32 if `values` are float32 and every value of the format is one, else float64.

    Raises
    ------
    ValueError
        For NaN where the format has none, a scale that is not positive, a format beyond float64,
        or an overflow mode that the format does not have.

    """
    floats = _floats(values)
    divisor = _checked(floats, format, scale, overflow)
    kept = floats.dtype == np.float32 and grid.fits_float32(format)
    result = np.empty(floats.shape, np.float32 if kept else np.float64)
    usual = rounding is Rounding.TIES_TO_EVEN and overflow is Overflow.SATURATE
    if usual and magic.suits(format, np.float64):
        magic.cast(floats, divisor, format, result)
    else:
        quotient = _quotient(floats, divisor, format)
        result[...] = grid.cast(quotient, format, rounding, overflow).reshape(result.shape)
    return result


def encode(
    values: ArrayLike,
    format: Format,
    scale: ArrayLike = 1.0,
    rounding: Rounding = Rounding.TIES_TO_EVEN,
    overflow: Overflow = Overflow.SATURATE,
) -> Codes:
    """Return the codes of ``cast(values, format, scale, rounding, overflow)``.

    As `Format.encode`: negative values that round to zero give −0 where the format has it.

    Returns
    -------
    array
        uint8 for formats of at most 8 bits, uint16 up to 16 bits, else uint32 or uint64.

    Raises
    ------
    ValueError
        As `cast`.

    """
    floats = _floats(values)
    divisor = _checked(floats, format, scale, overflow)
    result = np.empty(floats.shape, code_type(format))
    usual = rounding is Rounding.TIES_TO_EVEN and overflow is Overflow.SATURATE
    if usual and magic.suits(format, np.float64):
        magic.encode(floats, divisor, format, result)
    else:
        quotient = _quotient(floats, divisor, format)
        result[...] = grid.encode(quotient, format, rounding, overflow).reshape(result.shape)
    return result


def decode(codes: ArrayLike, format: Format) -> NDArray[np.float64]:
    """Return the exact values of codes as float64; specials are nan and ±inf.

    Raises
    ------
    ValueError
        If a code is not one of the format, or float64 does not hold the format.

    """
    words = np.asarray(codes)
    if words.dtype.kind not in "iu":
        raise ValueError(f"codes are integers, not {words.dtype}")
    _check_format(format)
    if words.size and (words.min() < 0 or int(words.max()) >> format.bits):
        wrong = words[(words < 0) | (words > (1 << format.bits) - 1)].flat[0]
        raise ValueError(f"a code of {format} lies in 0..{(1 << format.bits) - 1}, not {wrong}")
    if format.bits <= MAXIMUM_TABLE_BITS:
        table: NDArray[np.float64] = value_table(format)[words]
        return table
    return parts_values(split_codes(words.astype(np.uint64), format), format)


def code_type(format: Format) -> np.dtype[Any]:
    """Return the smallest unsigned type that holds the format's codes."""
    for bits in (8, 16, 32):
        if format.bits <= bits:
            return np.dtype(f"uint{bits}")
    return np.dtype(np.uint64)


def _floats(values: ArrayLike) -> Floats:
    array = np.asarray(values)
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype.kind not in "fiub":
        raise ValueError(f"values are real numbers, not {array.dtype}")
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        _check_integers(array)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        raise ValueError(f"values are float32 or float64, not {array.dtype}")
    return array.astype(np.float64)


def _check_integers(array: NDArray[Any]) -> None:
    limit = 1 << FLOAT64_PRECISION
    if array.size and (int(array.max()) > limit or int(array.min()) < -limit):
        raise ValueError(f"integers beyond 2^{FLOAT64_PRECISION} are not exact in float64")


def _checked(
    values: Floats, format: Format, scale: ArrayLike, overflow: Overflow
) -> NDArray[np.float64] | None:
    """Check the arguments and return the divisor, None for 1."""
    _check_format(format)
    grid.check_overflow(format, overflow)
    divisor = np.asarray(scale, dtype=np.float64)
    if not ((divisor > 0) & (divisor < np.inf)).all():
        wrong = divisor[~((divisor > 0) & (divisor < np.inf))].flat[0]
        raise ValueError(f"a scale is positive and finite, not {wrong}")
    if np.broadcast_shapes(divisor.shape, values.shape) != values.shape:
        raise ValueError(
            f"scale of shape {divisor.shape} does not broadcast to values of shape {values.shape}"
        )
    return None if divisor.size == 1 and divisor.flat[0] == 1.0 else divisor


def _check_format(format: Format) -> None:
    if not grid.fits_float64(format):
        raise ValueError(f"values of {format} are not exact in float64")


def _quotient(
    values: Floats, divisor: NDArray[np.float64] | None, format: Format
) -> NDArray[np.float64]:
    """Return ``values / divisor`` as float64, in at least one dimension."""
    with np.errstate(over="ignore", under="ignore"):
        quotient = np.divide(values, 1.0 if divisor is None else divisor, dtype=np.float64)
    if not grid.has_nan(format) and np.isnan(quotient).any():
        raise ValueError(f"{format} has no code for nan")
    return np.atleast_1d(quotient)
