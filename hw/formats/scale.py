"""Floor 0: the scales that blocks of values share: which power of two, which code.

Everything is exact: exponents come from bit lengths, comparisons from rationals.
"""

from __future__ import annotations

import enum
from fractions import Fraction
from functools import lru_cache

from hw.formats.base import MAXIMUM_TABLE_BITS, Format, Rounding, Special, Specials
from hw.formats.minifloat import MinifloatFormat

FP32 = MinifloatFormat(8, 23, Specials.IEEE)
MSE_SCALE_BITS = 8
"""Widest scale whose codes are all tried for the least error."""


class ScaleRule(enum.Enum):
    """How the scale of a block follows from its largest magnitude ``amax``.

    For a power-of-two scale ``2^(k - emax)``, with emax the exponent of the element format's
    largest value:

    - FLOOR: ``k = floor(log2 amax)``, the text of OCP MX v1.0; the top of a block may saturate.
    - CEIL: ``k = ceil(log2 amax)``.
    - ROUND: k is the whole number nearest to ``log2 amax`` (never a tie: log2 of a rational is
      a whole number and a half only for irrationals).
    - FIT: the least scale at which nothing saturates before rounding.
    - EVEN: amax is first rounded to the element's precision, ties to even, then as FLOOR.
    - MSE: the scale of least squared error; of equals, the smallest scale.

    For other scales the ideal is ``amax`` over the element format's largest value, and FLOOR,
    CEIL (which FIT equals) and ROUND (ties to even) say how it gets onto the scale's grid.
    """

    FLOOR = "floor"
    CEIL = "ceil"
    ROUND = "round"
    FIT = "fit"
    EVEN = "even"
    MSE = "mse"


_ROUNDINGS = {
    ScaleRule.FLOOR: Rounding.TOWARD_NEGATIVE,
    ScaleRule.CEIL: Rounding.TOWARD_POSITIVE,
    ScaleRule.FIT: Rounding.TOWARD_POSITIVE,
    ScaleRule.ROUND: Rounding.TIES_TO_EVEN,
}


def scale_rounding(rule: ScaleRule) -> Rounding:
    """Return how a scale that is no power of two rounds; ValueError where the rule has none."""
    if rule not in _ROUNDINGS:
        raise ValueError(f"scale rule {rule.value} needs a power-of-two scale")
    return _ROUNDINGS[rule]


def floor_log2(value: Fraction) -> int:
    """Return the exponent of the largest power of two that is at most a positive value."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    return exponent - (Fraction(2) ** exponent > value)


def element_exponent(element: Format) -> int:
    """Return emax: the exponent of the format's largest value."""
    return floor_log2(element.maximum)


def element_precision(element: Format) -> int:
    """Return the bits of a full significand: 1 + M of a minifloat, else of the largest integer."""
    if isinstance(element, MinifloatFormat) and element.exponent_bits > 0:
        return element.precision
    return element.maximum_integer.bit_length()


def rule_exponent(amax: Fraction, rule: ScaleRule, element: Format) -> int:
    """Return k of a power-of-two rule (not MSE) for a positive amax."""
    floor = floor_log2(amax)
    significand = amax / Fraction(2) ** floor
    match rule:
        case ScaleRule.FLOOR:
            return floor
        case ScaleRule.CEIL:
            return floor + (significand > 1)
        case ScaleRule.ROUND:
            return floor + (significand**2 > 2)
        case ScaleRule.FIT:
            return floor + (
                significand > element.maximum / Fraction(2) ** element_exponent(element)
            )
        case ScaleRule.EVEN:
            return floor + (significand >= 2 - Fraction(1, 1 << element_precision(element)))
    raise ValueError(f"scale rule {rule.value} does not follow from the largest magnitude")


@lru_cache(maxsize=256)
def scale_levels(format: Format) -> tuple[tuple[Fraction, int], ...]:
    """Return (value, code) of the scale's codes at or above zero, ascending, one code per value.

    Formats of at most 16 bits.
    """
    lowest: dict[Fraction, int] = {}
    for code, value in enumerate(format.values()):
        if not isinstance(value, Special) and value >= 0:
            lowest.setdefault(value, code)
    return tuple(sorted(lowest.items()))


@lru_cache(maxsize=256)
def end_codes(format: Format) -> tuple[int, int]:
    """Return the codes of the scale's least value at or above zero, and of its largest."""
    if format.bits > MAXIMUM_TABLE_BITS:
        return format.encode(0), format.encode(format.maximum)
    levels = scale_levels(format)
    return levels[0][1], levels[-1][1]


@lru_cache(maxsize=256)
def power_range(format: Format) -> tuple[int, int] | None:
    """Return the least and the largest exponent of a scale of consecutive powers of two, or None.

    Such a scale has no zero and no negative value.
    """
    if format.bits > MAXIMUM_TABLE_BITS:
        return None
    values = [value for value in format.values() if not isinstance(value, Special)]
    if min(values) <= 0:
        return None
    exponents = [floor_log2(value) for value, _ in scale_levels(format)]
    powers = [Fraction(2) ** exponent for exponent in exponents]
    if powers != [value for value, _ in scale_levels(format)]:
        return None
    low, high = exponents[0], exponents[-1]
    return (low, high) if len(exponents) == high - low + 1 else None


def nan_code(format: Format) -> int | None:
    """Return the scale's code of NaN, None where it has none."""
    return format.encode(float("nan")) if format.has_specials else None
