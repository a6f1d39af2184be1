"""Floor 2b: a matrix on a format's grid, with what bounds its sums of products."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.formats import Format, MinifloatFormat

Values = NDArray[np.float64]

_CHUNK = 1 << 13
_FRACTION = (1 << 52) - 1
_NOWHERE = 1 << 20


@dataclass(frozen=True, eq=False)
class Operand:
    """Values of a format, as one factor of a matrix product.

    Parameters
    ----------
    values
        float64, two dimensions, exact values of `format`.
    format
        Their format.
    peak
        Largest magnitude present, or more.
    finest
        Every value present is a whole multiple of 2 to this power.

    """

    values: Values
    format: Format
    peak: float
    finest: int

    @classmethod
    def of(cls, values: ArrayLike, format: Format) -> Operand:
        """Look through `values`, of any shape, once.

        Raises
        ------
        ValueError
            For values that are not of the format.

        """
        array = np.asarray(values, dtype=np.float64)
        low, high, finest = _measured(array, format)
        if low < float(format.minimum) or high > float(format.maximum):
            wrong = high if high > float(format.maximum) else low
            span = f"{float(format.minimum)}..{float(format.maximum)}"
            raise ValueError(f"values of {format} lie in {span}, not {wrong}")
        if finest < format.lsb_exponent:
            raise ValueError(f"values of {format} are multiples of 2^{format.lsb_exponent}")
        return cls(array, format, max(high, -low), finest)

    def rearranged(self, values: ArrayLike) -> Operand:
        """Return the same values in other places, repeated, left out or padded with zeros."""
        return Operand(np.asarray(values, np.float64), self.format, self.peak, self.finest)

    @property
    def bits(self) -> int:
        """Bits of the largest magnitude in units of ``2**finest``."""
        return int(np.frexp(self.peak)[1]) - self.finest if self.peak else 0

    @cached_property
    def single(self) -> NDArray[np.float32]:
        """The values as float32."""
        return self.values.astype(np.float32)

    @cached_property
    def magnitudes(self) -> Values:
        """The values without their signs."""
        return np.abs(self.values)

    @cached_property
    def column_reach(self) -> float:
        """Upper bound of the sum of magnitudes of every column."""
        margin = 1 + len(self.values) * 2.0**-52
        return float(self.magnitudes.sum(axis=0).max(initial=0.0)) * margin

    @cached_property
    def steps(self) -> Values:
        """The step between neighbours in each value's binade (2^lsb for fixed point); 0 for 0."""
        if not isinstance(self.format, MinifloatFormat):
            return np.where(self.values == 0, 0.0, 2.0**self.format.lsb_exponent)
        words = self.values.view(np.int64) & (0x7FF << 52)
        np.maximum(words, (self.format.emin + 1023) << 52, out=words)
        steps = words.view(np.float64) * 2.0**-self.format.fraction_bits
        steps[self.values == 0] = 0.0
        return steps

    @cached_property
    def last_bits(self) -> Values:
        """The lowest set bit of each value; 0 for 0."""
        known = np.where(self.steps == 0, 1.0, self.steps)
        whole = (self.magnitudes / known).astype(np.int64)
        return (whole & -whole).astype(np.float64) * known


def _measured(array: Values, format: Format) -> tuple[float, float, int]:
    """Return (least, greatest, exponent of the lowest bit set in any); 0 counts as present."""
    flat = np.ascontiguousarray(array).reshape(-1)
    low, high, finest = 0.0, 0.0, _NOWHERE
    lowest_bit = _lowest_of_few if format.magnitude_bits <= 62 else _lowest_of_many
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK]
        least, greatest = float(part.min()), float(part.max())
        if not (least > -np.inf and greatest < np.inf):
            raise ValueError(f"factors of a matrix product are finite, not {least}..{greatest}")
        low, high = min(low, least), max(high, greatest)
        if high <= float(format.maximum) and low >= float(format.minimum):
            finest = min(finest, lowest_bit(part, format))
    return low, high, format.lsb_exponent if finest == _NOWHERE else finest


def _lowest_of_few(part: Values, format: Format) -> int:
    """Exponent of the lowest bit, by integers in units of the format's step."""
    units = part * 2.0**-format.lsb_exponent
    whole = units.astype(np.int64)
    if not np.array_equal(whole, units):
        return format.lsb_exponent - 1
    union = int(np.bitwise_or.reduce(whole))
    return format.lsb_exponent + (union & -union).bit_length() - 1 if union else _NOWHERE


def _lowest_of_many(part: Values, format: Format) -> int:
    """Exponent of the lowest bit, from the words of float64."""
    words = part.view(np.int64)
    field = words >> 52
    field &= 0x7FF
    significand = words & _FRACTION
    significand |= (field > 0).astype(np.int64) << 52
    zero = significand == 0
    np.maximum(field, 1, out=field)
    significand &= -significand
    field += significand.astype(np.float64).view(np.int64) >> 52
    field += zero.astype(np.int64) << 32
    least = int(field.min()) - 1023 - 1075
    return min(least, _NOWHERE)
