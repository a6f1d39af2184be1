"""Floor 1a: what a design asks of its operand formats."""

from __future__ import annotations

from hw.formats import FixedFormat, Format, MinifloatFormat, Specials
from hw.formats.integers import BipolarFormat, SymmetricFormat
from hw.formats.minifloat import MAXIMUM_EXPONENT_BITS

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


def without_hardware(format: Format) -> str | None:
    """Return what in a format no operand of a design can have, or None for an operand format.

    Operands are fixed point (signed from 2 bits), ``binary``, ``ternary``, or minifloats of 1 to 8
    exponent bits with a sign, subnormals, the specials of `OPERAND_SPECIALS` and, but for fnuz, a
    negative zero.
    """
    if is_signs(format):
        return None
    if isinstance(format, FixedFormat):
        return "signed fixed point of 1 bit" if format.signed and format.bits == 1 else None
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
