"""Floor 2b: L-Mul: a product of minifloats approximated by one integer addition.

Source: H. Luo and W. Sun, arXiv 2410.00907:
``(1 + x) 2^a · (1 + y) 2^b ≈ (1 + x + y + 2^-l(M)) 2^(a + b)``, where l(M) = M for M <= 3, 3 for
M = 4 and 4 beyond. Where the paper is silent, this is the reading of an adder of packed codes:

- codes without their sign, ``X = field · 2^M + fraction``, are added as integers,
  ``Z = X + Y - bias · 2^M + 2^(M - l(M))``, and a carry out of the fraction goes into the exponent
  (so that 1.75 · 1.25 gives 2.25: ``2 · (1 + f - 1)`` for a sum f >= 1 of fractions);
- a factor with exponent field 0 (zero or subnormal) counts as zero;
- a result below the smallest normal number is zero, one beyond the largest finite number becomes
  that number, or what `Overflow.TO_INFINITY` says; zeros keep the exclusive or of the signs where
  the format has −0;
- NaN and infinities as IEEE 754 multiplies them.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.formats import MinifloatFormat, Overflow, Rounding, Special
from sim.golden.floating import product, term
from sim.golden.outputs import checked_codes
from sim.golden.tables import Parts, split_codes


def offset_bits(fraction_bits: int) -> int:
    """Return l(M): ``2^-l`` is added to a product's fraction for the lost product of fractions."""
    if fraction_bits <= 3:
        return fraction_bits
    return 3 if fraction_bits == 4 else 4


def packed_sum(left: int, right: int, format: MinifloatFormat) -> int:
    """Return Z for two codes, whatever its size: signs are left out, fields of 0 not looked at."""
    magnitude = (1 << (format.exponent_bits + format.fraction_bits)) - 1
    offset = 1 << (format.fraction_bits - offset_bits(format.fraction_bits))
    return (left & magnitude) + (right & magnitude) - (format.bias << format.fraction_bits) + offset


def lmul_value(left: int, right: int, format: MinifloatFormat) -> Fraction:
    """Return the approximated product of two finite codes with an unbounded exponent.

    Raises
    ------
    ValueError
        If a code is not one of the format or not a finite number, or the format is not signed
        with subnormals and an exponent field.

    """
    _check(format)
    for code in (left, right):
        if format.special(code) is not None:
            raise ValueError(f"L-Mul has values for finite codes, {code} of {format} is special")
    (sign, field, _), (other, other_field, _) = format.fields(left), format.fields(right)
    if not field or not other_field:
        return Fraction(0)
    exponent, fraction = divmod(packed_sum(left, right, format), 1 << format.fraction_bits)
    significand = Fraction((1 << format.fraction_bits) + fraction, 1 << format.fraction_bits)
    value = significand * Fraction(2) ** (exponent - format.bias)
    return -value if sign != other else value


def lmul_code(
    left: int, right: int, format: MinifloatFormat, overflow: Overflow = Overflow.SATURATE
) -> int:
    """Return the code of the approximated product of two codes.

    Raises
    ------
    ValueError
        As `lmul_value`, but specials are fine; for overflow modes of fixed point.

    """
    _check(format, overflow)
    if format.special(left) is not None or format.special(right) is not None:
        special = product(term(format, left, "flag"), term(format, right, "flag")).value
        assert isinstance(special, Special)
        return format.encode(special, Rounding.TIES_TO_EVEN, Overflow.TO_INFINITY)
    (sign, field, _), (other, other_field, _) = format.fields(left), format.fields(right)
    packed = packed_sum(left, right, format)
    if not field or not other_field or packed < 1 << format.fraction_bits:
        packed = 0
    elif packed > format.maximum_code:
        packed = _beyond(format, overflow)
    negative = sign != other and (packed > 0 or format.encode(-0.0) > 0)
    return packed | negative << (format.bits - 1)


def lmul_codes(
    left: ArrayLike,
    right: ArrayLike,
    format: MinifloatFormat,
    overflow: Overflow = Overflow.SATURATE,
) -> NDArray[np.int64]:
    """Return `lmul_code` of arrays of codes, which broadcast.

    Raises
    ------
    ValueError
        As `lmul_code`, and for arrays that are not integers.

    """
    _check(format, overflow)
    pair = _codes("left", left, format), _codes("right", right, format)
    shape = np.broadcast_shapes(pair[0].shape, pair[1].shape)
    first, second = (np.broadcast_to(codes, shape).reshape(-1) for codes in pair)
    sign_bit = 1 << (format.bits - 1)
    signs = (first ^ second) & sign_bit
    packed = packed_sums(first, second, format)
    magnitudes = np.minimum(packed, format.maximum_code)
    magnitudes[packed > format.maximum_code] = _beyond(format, overflow)
    smallest = 1 << format.fraction_bits
    zero = (packed < smallest) | _is_small(first, format) | _is_small(second, format)
    magnitudes[zero] = 0
    if format.encode(-0.0) == 0:
        signs[magnitudes == 0] = 0
    result = magnitudes | signs
    if format.has_specials:
        result = _with_specials(result, first, second, format)
    return np.asarray(result.reshape(shape))


def packed_sums(
    left: NDArray[np.int64], right: NDArray[np.int64], format: MinifloatFormat
) -> NDArray[np.int64]:
    """Return Z of arrays of codes."""
    magnitude = (1 << (format.exponent_bits + format.fraction_bits)) - 1
    offset = 1 << (format.fraction_bits - offset_bits(format.fraction_bits))
    total = (left & magnitude) + (right & magnitude)
    total += offset - (format.bias << format.fraction_bits)
    return np.asarray(total)


def _check(format: MinifloatFormat, overflow: Overflow = Overflow.SATURATE) -> None:
    if not isinstance(format, MinifloatFormat):
        raise ValueError(f"L-Mul multiplies minifloats, not {format}")
    if not (format.signed and format.subnormals and format.exponent_bits):
        raise ValueError(
            f"L-Mul multiplies signed minifloats with subnormals and E >= 1, not {format}"
        )
    if overflow is Overflow.TO_INFINITY and not format.has_specials:
        raise ValueError(f"overflow to_infinity needs a format with specials, not {format}")
    if overflow not in (Overflow.SATURATE, Overflow.TO_INFINITY):
        raise ValueError(f"L-Mul has overflow saturate or to_infinity, not {overflow.value}")


def _codes(what: str, codes: ArrayLike, format: MinifloatFormat) -> NDArray[np.int64]:
    shape = (None,) * np.ndim(codes)
    return checked_codes(what, codes, format.bits, shape).astype(np.int64)


def _is_small(codes: NDArray[np.int64], format: MinifloatFormat) -> NDArray[np.bool_]:
    """Whether codes have the exponent field 0."""
    return np.asarray(codes >> format.fraction_bits & format.top_field == 0)


@lru_cache(maxsize=256)
def _beyond(format: MinifloatFormat, overflow: Overflow) -> int:
    """Return the code of a positive number beyond the largest."""
    return format.encode(2 * format.maximum, Rounding.TIES_TO_EVEN, overflow)


def _with_specials(
    result: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    format: MinifloatFormat,
) -> NDArray[np.int64]:
    """Overwrite products that have a special factor, pair by pair: they are few."""
    special = (_parts(left, format).special != 0) | (_parts(right, format).special != 0)
    for place in np.flatnonzero(special).tolist():
        result[place] = lmul_code(int(left[place]), int(right[place]), format)
    return result


def _parts(codes: NDArray[np.int64], format: MinifloatFormat) -> Parts:
    return split_codes(codes.view(np.uint64), format)
