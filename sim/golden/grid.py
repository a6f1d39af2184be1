"""Floor 2b: rounding arrays to fixed point and minifloats in every mode, by whole numbers.

An element divided by the step of its binade is exact (a power of two); the rounding modes then
work on whole numbers, and overflow is resolved on the result, which has no upper end of its own.
The plain counterpart of `sim.golden.magic`, for every width that float64 holds; it also says which
formats float64 and float32 hold.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.formats import (
    FixedFormat,
    Format,
    MinifloatFormat,
    Overflow,
    Rounding,
    RoundingMode,
    Special,
    Stochastic,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FLOAT64_PRECISION, FLOAT64_LEAST, FLOAT64_TOP = 53, -1074, 1024
FLOAT32_PRECISION, FLOAT32_LEAST, FLOAT32_TOP = 24, -149, 128
_FAR = 2.0**1023
_WRAPS = (Overflow.WRAP, Overflow.WRAP_SIGN_MAGNITUDE)


def precision(format: Format) -> int:
    """Return the significant bits that a value of the format can have."""
    return format.precision if isinstance(format, MinifloatFormat) else format.magnitude_bits


def top_exponent(format: Format) -> int:
    """Return the exponent of the power of two above the largest magnitude."""
    return format.lsb_exponent + format.magnitude_bits


def is_classic(format: Format) -> bool:
    """Whether this is fixed point or a minifloat of the common kind.

    Common are a sign, subnormals, −0 where the kind has it, and ties that go by the significand.
    """
    if isinstance(format, MinifloatFormat):
        usual = format.signed and format.subnormals and format.exponent_bits > 0
        fnuz = format.specials.value == "fnuz"
        zero = format.negative_zero or fnuz
        return usual and zero and not format.ties_by_code
    return isinstance(format, FixedFormat)


@lru_cache(maxsize=1024)
def fits_float64(format: Format) -> bool:
    """Whether float64 holds every value, and the binades of minifloats as normal numbers."""
    if isinstance(format, FixedFormat | MinifloatFormat):
        lowest = format.emin if isinstance(format, MinifloatFormat) else -1022
        return lowest >= -1022 and _fits(format, FLOAT64_PRECISION, FLOAT64_LEAST, FLOAT64_TOP)
    return all(Fraction(float(v)) == v for v in _finite(format))


@lru_cache(maxsize=1024)
def fits_float32(format: Format) -> bool:
    """Whether float32 holds every value."""
    if isinstance(format, FixedFormat | MinifloatFormat):
        return _fits(format, FLOAT32_PRECISION, FLOAT32_LEAST, FLOAT32_TOP)
    values = np.array([float(v) for v in _finite(format)])
    with np.errstate(over="ignore", under="ignore"):
        return bool(np.array_equal(values.astype(np.float32), values))


def _fits(format: Format, most_bits: int, least: int, top: int) -> bool:
    return (
        precision(format) <= most_bits
        and format.lsb_exponent >= least
        and top_exponent(format) <= top
    )


def _finite(format: Format) -> list[Fraction]:
    return [v for v in format.values() if not isinstance(v, Special)]


def round_whole(
    values: Floats, rounding: RoundingMode, random: NDArray[Any] | None = None
) -> Floats:
    """Round to whole numbers; infinities stay."""
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
        step = _steps_away(rest, cut, np.signbit(values), rounding, random)
    return np.asarray(cut + np.copysign(step, values))


def _steps_away(
    rest: Floats,
    cut: Floats,
    negative: NDArray[np.bool_],
    rounding: RoundingMode,
    random: NDArray[Any] | None,
) -> NDArray[np.bool_]:
    """Whether magnitudes with these rests go up by one."""
    if isinstance(rounding, Stochastic):
        assert random is not None
        return stochastic_carry(rest, rounding, random)
    match rounding:
        case Rounding.TO_ODD:
            return np.asarray((rest > 0) & (np.fmod(cut, 2.0) == 0))
        case Rounding.TIES_TOWARD_ZERO:
            return rest > 0.5
        case Rounding.TIES_TOWARD_NEGATIVE:
            return np.where(negative, rest >= 0.5, rest > 0.5)
        case Rounding.TIES_TOWARD_POSITIVE:
            return np.where(negative, rest > 0.5, rest >= 0.5)
    return rest >= 0.5


def stochastic_carry(rest: Floats, rounding: Stochastic, random: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether stochastic rounding takes magnitudes with these rests (0 <= rest < 1) up by one.

    Multiplying by powers of two is exact, and so are whole numbers of up to 34 bits.
    """
    whole = 2.0**rounding.bits
    match rounding.variant:
        case "a":
            carried = np.floor(rest * whole) + random >= whole
        case "b":
            carried = np.floor(rest * (2 * whole)) + (2.0 * random + 1) >= 2 * whole
        case _:
            carried = np.rint(rest * whole) + random >= whole
    return np.asarray(carried & (rest > 0))


def knows(format: Format, rounding: RoundingMode) -> bool:
    """Whether `Grid` converts to this format in this rounding mode."""
    if isinstance(format, MinifloatFormat):
        by_code = rounding in (Rounding.TIES_TO_EVEN, Rounding.TO_ODD)
        return not (format.ties_by_code and by_code)
    return isinstance(format, FixedFormat)


class Grid:
    """A format that `Grid` `knows`, under one rounding and one overflow mode."""

    def __init__(self, format: Format, rounding: RoundingMode, overflow: Overflow) -> None:
        self.format, self.rounding, self.overflow = format, rounding, overflow
        if isinstance(format, MinifloatFormat):
            self._far = self._ask(_FAR), self._ask(-_FAR)

    @property
    def decision_bits(self) -> int:
        """Significant bits of the numbers at which the result turns."""
        if self.overflow in _WRAPS:
            return FLOAT64_PRECISION
        extra = self.rounding.bits + 1 if isinstance(self.rounding, Stochastic) else 1
        return precision(self.format) + 1 + extra

    def encode(self, values: Floats, random: NDArray[Any] | None) -> Integers:
        """Return the codes of float64 numbers; NaN counts as 0."""
        known = np.where(np.isnan(values), 0.0, values)
        if isinstance(self.format, MinifloatFormat):
            return self._minifloat(self.format, known, random)
        return self._fixed(known, random)

    def _ask(self, value: float) -> int:
        return self.format.encode(value, self.rounding, self.overflow)

    def _fixed(self, values: Floats, random: NDArray[Any] | None) -> Integers:
        format = self.format
        if self.overflow in _WRAPS:
            infinite = np.isinf(values)
            if infinite.any():
                raise ValueError(f"{format} has no code for {values[infinite].flat[0]}")
            reach = np.fmod(values, 2.0 ** (format.lsb_exponent + format.bits + 1))
        else:
            far = 2.0 ** min(top_exponent(format) + 2, FLOAT64_TOP - 1)
            reach = np.clip(values, -far, far)
        whole = _divided(reach, -format.lsb_exponent)
        integers = round_whole(whole, self.rounding, random).astype(np.int64)
        return np.asarray(self._resolved(integers) & ((1 << format.bits) - 1))

    def _resolved(self, integers: Integers) -> Integers:
        """Resolve overflow of rounded integers, as `FixedFormat.encode`."""
        low, high = self.format.minimum_integer, self.format.maximum_integer
        match self.overflow:
            case Overflow.WRAP:
                return integers
            case Overflow.WRAP_SIGN_MAGNITUDE:
                turned = (integers >> self.format.bits ^ integers >> (self.format.bits - 1)) & 1
                return np.where(turned == 1, ~integers, integers)
            case Overflow.TO_ZERO:
                return np.where((integers < low) | (integers > high), 0, integers)
            case Overflow.SATURATE_SYMMETRIC if self.format.signed:
                low = -high
        return np.clip(integers, low, high)

    def _minifloat(
        self, format: MinifloatFormat, values: Floats, random: NDArray[Any] | None
    ) -> Integers:
        codes = self._magnitudes(format, np.clip(values, -_FAR, _FAR), random)
        negative = np.signbit(values)
        beyond = codes > format.maximum_code
        if not format.signed:
            beyond |= negative & (codes > 0)
        signs = negative if format.negative_zero else negative & (codes > 0)
        codes |= signs * np.int64(format.sign_bit)
        codes[beyond] = np.where(negative[beyond], self._far[1], self._far[0])
        for infinity in (np.inf, -np.inf):
            there = values == infinity
            if there.any():
                codes[there] = self._ask(infinity)
        return codes

    def _magnitudes(
        self, format: MinifloatFormat, values: Floats, random: NDArray[Any] | None
    ) -> Integers:
        """Return the codes of the magnitudes, unbounded above."""
        binade = np.frexp(values)[1] - 1  # 0 for 0
        small = (binade < format.emin) | (values == 0)
        binade = np.where(small, format.emin, binade)
        shift = (binade - format.fraction_bits).astype(np.int32)
        if not format.subnormals:
            shift[small] = format.emin
        whole = np.abs(round_whole(_divided(values, -shift), self.rounding, random))
        magnitude = whole.astype(np.int64)
        if not format.subnormals:
            if self.rounding is Rounding.TO_ODD and format.fraction_bits:
                magnitude[small] = 0  # the code of the least number is even
            magnitude[small] <<= format.fraction_bits
        # A significand that rounds up to the next binade carries into the exponent field.
        fields = np.minimum(binade - format.emin, 1 << 20).astype(np.int64)
        return np.asarray((fields << format.fraction_bits) + magnitude)


def _divided(values: Floats, exponents: Any) -> Floats:
    """Multiply by powers of two; what vanishes stays more than nothing."""
    scaled: Floats = np.ldexp(values, exponents)
    lost = (scaled == 0) & (values != 0)
    scaled[lost] = np.copysign(2.0**-1000, values[lost])
    return scaled
