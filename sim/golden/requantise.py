"""Floor 2b: sums to the integers of the next layer by a multiplier and a shift, without floats.

A real ratio of scales r becomes the dyadic ``b · 2^-c`` with b of `bits` bits: with ``r = f · 2^e``
and f in [1/2, 1), ``b = floor(f · 2^bits + 1/2)`` and ``c = bits - e``. A sum is multiplied by b,
shifted down by c with one rounding, and clamped.

Source: HAWQ-V3 (Z. Yao et al., ICML 2021, arXiv 2011.10680) with bits = 31. Its PyTorch code rounds
ties to even and its TVM kernels round them up: `Rounding.TIES_TO_EVEN` and
`Rounding.TIES_TOWARD_POSITIVE`; they differ on exact ties alone. There the product is a float64,
which can round before the shift; here it is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.formats import FixedFormat, Rounding, round_to_integer

MULTIPLIER_BITS = 31
MAXIMUM_RESULT_BITS = 32
SAFE_BITS = 62
ROUNDINGS = (Rounding.TIES_TO_EVEN, Rounding.TIES_TOWARD_POSITIVE, Rounding.TIES_TO_AWAY)

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Dyadic:
    """The positive ratio ``multiplier · 2^-shift``.

    Parameters
    ----------
    multiplier
        b, 1 up to ``2**31 - 1``.
    shift
        c, -1100 to 1200; negative for a ratio that shifts up.

    """

    multiplier: int
    shift: int

    def __post_init__(self) -> None:
        """Reject what no 32-bit multiplier holds."""
        if not 1 <= self.multiplier < 1 << MULTIPLIER_BITS:
            raise ValueError(
                f"a multiplier lies in 1..{(1 << MULTIPLIER_BITS) - 1}, not {self.multiplier}"
            )
        if not -1100 <= self.shift <= 1200:
            raise ValueError(f"a shift lies in -1100..1200, not {self.shift}")

    @classmethod
    def of(cls, ratio: float | Fraction, bits: int = MULTIPLIER_BITS) -> Dyadic:
        """Return the dyadic nearest to a ratio, with a multiplier of `bits` bits.

        A ratio that rounds up to a power of two gets the multiplier ``2**(bits - 1)`` and a shift
        smaller by one: the same value as ``2**bits`` with the shift it began with.

        Raises
        ------
        ValueError
            If the ratio is not positive and finite, or `bits` not 1 to 31.

        """
        if not 1 <= bits <= MULTIPLIER_BITS:
            raise ValueError(f"a multiplier has 1..{MULTIPLIER_BITS} bits, not {bits}")
        if not 0 < ratio < float("inf"):
            raise ValueError(f"a ratio of scales is positive and finite, not {ratio}")
        exact = Fraction(ratio)
        exponent = exact.numerator.bit_length() - exact.denominator.bit_length()
        exponent += exact >= Fraction(2) ** exponent  # now 2^(exponent-1) <= ratio < 2^exponent
        scaled = exact * Fraction(2) ** (bits - exponent)
        multiplier = round_to_integer(scaled, Rounding.TIES_TOWARD_POSITIVE)
        if multiplier >> bits:
            multiplier, exponent = multiplier >> 1, exponent + 1
        return cls(multiplier, bits - exponent)

    @property
    def value(self) -> Fraction:
        """The ratio, exactly."""
        return self.multiplier * Fraction(2) ** -self.shift


def requantise_one(
    total: int, ratio: Dyadic, format: FixedFormat, rounding: Rounding = Rounding.TIES_TO_EVEN
) -> int:
    """Return a sum times a ratio as an integer of the format, rounded once, clamped.

    Raises
    ------
    ValueError
        For a rounding other than `ROUNDINGS`, or a format that is no integer of up to 32 bits.

    """
    _check(format, rounding)
    rounded = round_to_integer(total * ratio.value, rounding)
    return min(max(rounded, format.minimum_integer), format.maximum_integer)


def requantise(
    totals: ArrayLike,
    ratio: Dyadic | Sequence[Dyadic],
    format: FixedFormat,
    rounding: Rounding = Rounding.TIES_TO_EVEN,
) -> Integers:
    """Return `requantise_one` of arrays.

    Sums of up to 31 bits run in int64, longer ones (to 64 bits) on Python integers.

    Parameters
    ----------
    totals
        Integers of any shape.
    ratio
        One for all, or one per entry of the last axis (output channel).
    format, rounding
        As `requantise_one`.

    Raises
    ------
    ValueError
        As `requantise_one`; for totals that are not integers of int64, or as many ratios as
        there are no channels.

    """
    _check(format, rounding)
    array = np.asarray(totals)
    if array.dtype.kind not in "iu" or array.dtype == np.uint64:
        raise ValueError(f"totals are integers within int64, not {array.dtype}")
    ratios = [ratio] if isinstance(ratio, Dyadic) else list(ratio)
    if not isinstance(ratio, Dyadic) and array.shape[-1:] != (len(ratios),):
        raise ValueError(f"one ratio per channel: {len(ratios)} for totals of shape {array.shape}")
    integers = array.astype(np.int64)
    multipliers = np.array([one.multiplier for one in ratios], np.int64)
    shifts = np.array([one.shift for one in ratios], np.int64)
    largest = max(int(integers.max(initial=0)), -int(integers.min(initial=0)))
    if largest.bit_length() + MULTIPLIER_BITS > SAFE_BITS:
        products = integers.astype(object) * multipliers
        shifts = shifts.astype(object)
    else:
        products = integers * multipliers
        shifts = np.minimum(shifts, SAFE_BITS + 1)  # beyond: less than a half, as at 63
    rounded = _shifted(products, shifts, rounding)
    clamped = np.clip(rounded, format.minimum_integer, format.maximum_integer)
    return np.asarray(clamped.astype(np.int64).reshape(array.shape))


def _check(format: FixedFormat, rounding: Rounding) -> None:
    if rounding not in ROUNDINGS:
        names = ", ".join(known.value for known in ROUNDINGS)
        raise ValueError(f"requantising rounds to nearest ({names}), not {rounding.value}")
    if not isinstance(format, FixedFormat) or format.fraction_bits:
        raise ValueError(f"requantising gives integers such as int8, not {format}")
    if format.bits > MAXIMUM_RESULT_BITS:
        raise ValueError(
            f"requantising gives at most {MAXIMUM_RESULT_BITS} bits, {format} has {format.bits}"
        )


def _shifted(products: NDArray[Any], shifts: NDArray[Any], rounding: Rounding) -> NDArray[Any]:
    """Return ``products · 2^-shifts``, rounded; where that passes 33 bits, it may be any such."""
    one = products.dtype.type(1) if products.dtype != object else 1
    down, up = np.maximum(shifts, 0), np.maximum(-shifts, 0)
    if up.any():
        up = np.minimum(up, MAXIMUM_RESULT_BITS + 2)
        cap = (one << (MAXIMUM_RESULT_BITS + 1) >> up) + 1
        products = np.where(up > 0, np.clip(products, -cap, cap) << up, products)
    floor = products >> down
    rest, half = products - (floor << down), one << np.maximum(down - 1, 0)
    tie = rest == half
    match rounding:
        case Rounding.TIES_TO_EVEN:
            tie &= floor & 1 == 1
        case Rounding.TIES_TO_AWAY:
            tie &= floor >= 0
    return np.asarray(floor + ((down > 0) & ((rest > half) | tie)))
