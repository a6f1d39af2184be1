"""Floor 2b: what each code of a format means, as arrays: made once per format, then kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.design import adds_shifts, is_signs
from hw.formats import FixedFormat, Format, MinifloatFormat, Special, Specials
from hw.formats.base import MAXIMUM_TABLE_BITS

Words = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Codes taken apart: finite values are ``significand · 2^shift`` steps of the format.

    Parameters
    ----------
    significand
        Signed integers; 0 where the code is special.
    shift
        Exponent shifts, 0 for fixed point and subnormals.
    special
        0 for numbers, 1 for NaN, 2 for infinity.
    negative
        Whether the sign is negative (of infinities too).

    """

    significand: Words
    shift: Words
    special: NDArray[np.int8]
    negative: NDArray[np.bool_]


def split_codes(codes: NDArray[np.unsignedinteger], format: Format) -> Parts:
    """Take codes apart, by arithmetic on the whole array.

    Parameters
    ----------
    codes
        Unsigned integers below ``2**format.bits``.
    format
        Fixed point, minifloat, binary, ternary (whose unused code is a plain zero) or sums of
        powers of two (`hw.design.adds_shifts`).

    """
    words = codes.astype(np.int64)
    tabled = adds_shifts(format) and not isinstance(format, MinifloatFormat)
    if is_signs(format) or tabled:
        words = np.array([format.integer(code) for code in range(1 << format.bits)])[words]
        return Parts(words, np.zeros_like(words), np.zeros(words.shape, np.int8), words < 0)
    if isinstance(format, MinifloatFormat):
        return _split_minifloat(words, format)
    if not isinstance(format, FixedFormat):
        raise ValueError(
            "a format is fixed point, minifloat, binary, ternary or sums of powers of two, "
            f"not {format}"
        )
    if format.signed and format.width < 64:
        half = np.int64(1 << (format.width - 1))
        words = (words ^ half) - half
    return Parts(words, np.zeros_like(words), np.zeros(words.shape, np.int8), words < 0)


def _split_minifloat(words: Words, format: MinifloatFormat) -> Parts:
    magnitude = words & format.top_code
    fraction = words & ((1 << format.fraction_bits) - 1)
    field = magnitude >> format.fraction_bits
    negative = words > format.top_code
    special = np.zeros(words.shape, np.int8)
    special[magnitude > format.maximum_code] = 1
    if format.has_infinity:
        special[magnitude == format.maximum_code + 1] = 2
    if format.specials in (Specials.FNUZ, Specials.EXTENDED):
        special[negative & (magnitude == 0)] = 1
    least = fraction if format.subnormals else np.zeros_like(fraction)
    significand = np.where(field > 0, fraction + (1 << format.fraction_bits), least)
    significand[special != 0] = 0
    shift = np.maximum(field, 1) - 1
    return Parts(np.where(negative, -significand, significand), shift, special, negative)


@lru_cache(maxsize=256)
def parts_table(format: Format) -> Parts:
    """Return all codes of a format of at most 16 bits, taken apart, in code order."""
    if format.bits > MAXIMUM_TABLE_BITS:
        raise ValueError(f"a table needs at most {MAXIMUM_TABLE_BITS} bits, {format} has more")
    return split_codes(np.arange(1 << format.bits, dtype=np.uint32), format)


@lru_cache(maxsize=256)
def value_table(format: Format) -> NDArray[np.float64]:
    """Return the values of all codes as float64 (exact, see `hw.formats`; specials nan, ±inf)."""
    if isinstance(format, FixedFormat | MinifloatFormat):
        return parts_values(parts_table(format), format)
    values = [v.value if isinstance(v, Special) else v for v in format.values()]
    return np.array([float(value) for value in values])


def decoded(codes: NDArray[Any], format: Format) -> NDArray[np.float64]:
    """Return the values of codes of any format whose values float64 holds."""
    if format.bits <= MAXIMUM_TABLE_BITS:
        values: NDArray[np.float64] = value_table(format)[codes]
        return values
    return parts_values(split_codes(codes.astype(np.uint64), format), format)


def parts_values(parts: Parts, format: Format) -> NDArray[np.float64]:
    """Return values as float64; exact where float64 holds them."""
    values = np.ldexp(
        parts.significand.astype(np.float64), (parts.shift + format.lsb_exponent).astype(np.int32)
    )
    values[parts.special == 1] = np.nan
    infinite = parts.special == 2
    values[infinite] = np.where(parts.negative[infinite], -np.inf, np.inf)
    zeros = (values == 0) & parts.negative
    values[zeros] = -0.0
    return values


@lru_cache(maxsize=256)
def integer_table(format: Format) -> NDArray[np.object_]:
    """Return the value of every code in units of the format's step, as Python integers."""
    parts = parts_table(format)
    return np.asarray(parts.significand.astype(object) << parts.shift.astype(object))


__all__ = [
    "Parts",
    "decoded",
    "integer_table",
    "parts_table",
    "parts_values",
    "split_codes",
    "value_table",
]
