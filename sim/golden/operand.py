"""Floor 2b: a matrix on a format's grid, with what bounds its sums of products."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.formats import Format, MinifloatFormat

Values = NDArray[np.float64]

_CHUNK = 1 << 15
_FRACTION = (1 << 52) - 1
_HIDDEN = 1 << 52


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
        peak, finest = _measured(array)
        if not peak <= float(format.maximum) and not _is_minimum(array, format):
            raise ValueError(f"values of {format} lie in {_range(format)}, not {_worst(array)}")
        if not format.signed and array.min(initial=0.0) < 0:
            raise ValueError(f"values of {format} lie in {_range(format)}, not {array.min()}")
        if finest is not None and finest < format.lsb_exponent:
            raise ValueError(f"values are not multiples of 2^{format.lsb_exponent}, as {format}")
        return cls(array, format, peak, format.lsb_exponent if finest is None else finest)

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


def _measured(array: Values) -> tuple[float, int | None]:
    """Return (largest magnitude, exponent of the lowest set bit of all; None without any)."""
    flat = np.ascontiguousarray(array).reshape(-1)
    peak, finest = 0.0, None
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK]
        highest = float(np.abs(part).max())
        if not highest < np.inf:
            raise ValueError(f"factors of a matrix product are finite, not {_worst(part)}")
        peak = max(peak, highest)
        lowest = _lowest_bit(part)
        finest = lowest if finest is None or (lowest is not None and lowest < finest) else finest
    return peak, finest


def _lowest_bit(part: Values) -> int | None:
    words = part.view(np.int64)
    field = (words >> 52) & 0x7FF
    significand = words & _FRACTION
    significand |= np.where(field > 0, np.int64(_HIDDEN), np.int64(0))
    lowest = (significand & -significand).astype(np.float64).view(np.int64) >> 52
    exponents = lowest + np.maximum(field, 1)
    found = exponents[significand > 0]
    return int(found.min()) - 1023 - 1075 if found.size else None


def _is_minimum(array: Values, format: Format) -> bool:
    """Whether only the most negative number of two's complement passes the maximum."""
    return bool(array.min() >= float(format.minimum) and array.max() <= float(format.maximum))


def _range(format: Format) -> str:
    return f"{float(format.minimum)}..{float(format.maximum)}"


def _worst(array: NDArray[Any]) -> Any:
    wrong = array[~np.isfinite(array)]
    return wrong.flat[0] if wrong.size else array.flat[np.argmax(np.abs(array))]
