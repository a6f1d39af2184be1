"""Floor 1a: what a design asks of its operand formats."""

from __future__ import annotations

from hw.formats import FixedFormat, Format, MinifloatFormat, Specials
from hw.formats.apot import ApotFormat
from hw.formats.codebook import CodebookFormat
from hw.formats.floatsd import FloatSdFormat
from hw.formats.integers import BipolarFormat, SymmetricFormat
from hw.formats.khot import KHotFormat
from hw.formats.minifloat import MAXIMUM_EXPONENT_BITS
from hw.formats.power import PowerFormat
from hw.formats.radix import Radix4Format

SHIFTED = (KHotFormat, ApotFormat, FloatSdFormat, PowerFormat, Radix4Format)
"""Formats whose values are sums of a few powers of two."""
SHIFTED_CODE_BITS, SHIFTED_BITS = 8, 16
"""Bits of such a code, and of the largest magnitude, at most."""
OPERAND_SPECIALS = (Specials.FINITE, Specials.FN, Specials.FNUZ, Specials.IEEE)


def signed_bits(low: int, high: int) -> int:
    """Return the bits of the smallest two's complement word that holds low..high."""
    return max((-low - 1).bit_length() if low < 0 else 0, max(high, 0).bit_length()) + 1


def significand_bounds(format: Format) -> tuple[int, int]:
    """Return the least and greatest integer a format multiplies with, before its exponent shift."""
    if isinstance(format, MinifloatFormat):
        top = (1 << format.precision) - 1
        return -top, top
    return format.minimum_integer, format.maximum_integer


def largest_shift(format: Format) -> int:
    """Return the largest exponent shift of a finite code (0 for fixed point)."""
    return max(format.maximum_field, 1) - 1 if isinstance(format, MinifloatFormat) else 0


def is_signs(format: Format) -> bool:
    """Whether a format is ``binary`` or ``ternary``: a sign and at most whether it is zero.

    The code of ``binary`` is 1 for +1 and 0 for -1. That of ``ternary`` is two planes: bit 0 says
    that the number is not zero, bit 1 that it is negative; the code 10, which no number encodes
    to, is zero as well, and raises no flag.
    """
    if isinstance(format, BipolarFormat):
        return format.bits == 1
    return isinstance(format, SymmetricFormat) and format.name == "ternary"


def raises_flags(format: Format) -> bool:
    """Whether codes of an operand are special: not the unused code of ``ternary``."""
    return format.has_specials and not is_signs(format)


def adds_shifts(format: Format) -> bool:
    """Whether products with weights of a format can be shifts and additions of the activation.

    Those are sums of a few powers of two, of `SHIFTED`, codebooks, and powers of two alone:
    minifloats without fraction and specials, signed or not. Codes have at most 8 bits, magnitudes
    at most 16.
    """
    alone = isinstance(format, MinifloatFormat) and format.precision == 1
    return (
        (alone or isinstance(format, (*SHIFTED, CodebookFormat)))
        and not format.has_specials
        and format.bits <= SHIFTED_CODE_BITS
        and format.magnitude_bits <= SHIFTED_BITS
    )


def without_hardware(format: Format) -> str | None:
    """Return what in a format no operand of a design can have, or None for an operand format.

    Operands are fixed point (signed from 2 bits), ``binary``, ``ternary``, or minifloats of 1 to 8
    exponent bits with a sign, subnormals, the specials of `OPERAND_SPECIALS` and, but for fnuz, a
    negative zero. Weights may also be of `adds_shifts`.
    """
    if is_signs(format):
        return None
    if isinstance(format, FixedFormat):
        return "signed fixed point of 1 bit" if format.signed and format.bits == 1 else None
    if isinstance(format, SHIFTED):
        return _too_wide(format) or "sums of powers of two but as weights"
    if not isinstance(format, MinifloatFormat):
        return "formats that are neither fixed point, binary, ternary nor minifloats"
    wanting = {
        "unsigned minifloats": not format.signed,
        "minifloats of no exponent bits": format.exponent_bits == 0,
        "minifloats of more than 8 exponent bits": format.exponent_bits > MAXIMUM_EXPONENT_BITS,
        "minifloats without subnormals": not format.subnormals,
        "minifloats of P3109's extended domain": format.specials not in OPERAND_SPECIALS,
        "minifloats without a negative zero": not (
            format.negative_zero or format.specials is Specials.FNUZ
        ),
    }
    return next((what for what, absent in wanting.items() if absent), None)


def _too_wide(format: Format) -> str:
    if format.bits > SHIFTED_CODE_BITS:
        return f"sums of powers of two of more than {SHIFTED_CODE_BITS} bits"
    if format.magnitude_bits > SHIFTED_BITS:
        return f"sums of powers of two beyond {SHIFTED_BITS} bits of magnitude"
    return ""
