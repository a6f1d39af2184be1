"""Floor 4. Sums of products under a stated accumulator, fast: a bound proves what BLAS may do.

A float64 matrix product is exact, whatever order a BLAS adds in, when every partial sum is a whole
multiple of one power of two and stays below 2^53 of it. An accumulator that cannot overflow on the
tensors present, and a window that cannot cut a bit of them, give that same exact sum. Both are
proved from the values present; rows that escape the proof are summed on Python integers.
`sim.golden` says what the right totals are; `tests/test_sweeps_accuracy.py` holds these to it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.accumulators import AccumulatorKind
from hw.design import DotProduct
from hw.formats import Format, MinifloatFormat
from sweeps.layers import Values
from sweeps.windows import FLOAT64_BITS, window_totals

ROUNDING_MARGIN = 1 + 2.0**-30
"""Makes a bound that was itself summed in float64 a bound."""

Whole = npt.NDArray[Any]
"""Whole numbers: float64 below 2^53, or Python integers."""


@dataclass(frozen=True, slots=True, eq=False)
class Operand:
    """Values of a format, with what bounds their products.

    Parameters
    ----------
    values : array
        Exact values of `format`: (row, term) for activations, (term, column) for weights.
    format : Format
    peak : float
        Largest magnitude present.
    least : float
        Smallest non-zero magnitude present; 0 where all are zero.
    """

    values: Values
    format: Format
    peak: float
    least: float

    @classmethod
    def of(cls, values: Values, format: Format) -> "Operand":
        """Look through `values` once."""
        magnitudes = np.abs(values)
        peak = float(magnitudes.max(initial=0.0))
        if not isinstance(format, MinifloatFormat):
            return cls(values, format, peak, 2.0**format.lsb_exponent if peak else 0.0)
        return cls(values, format, peak, float(_least(magnitudes).min(initial=peak)))

    def rearranged(self, values: Values) -> "Operand":
        """The same operand with its values in other places, repeated, or padded with zeros."""
        return Operand(values, self.format, self.peak, self.least)

    @property
    def finest_exponent(self) -> int:
        """Every value present is a whole multiple of 2 to this power."""
        return int(_finest_exponent(np.array(self.least), self.format))

    def whole(self, rows: npt.NDArray[np.bool_] | slice, exact: bool) -> Whole:
        """Chosen rows in units of the format's finest step."""
        units = np.ldexp(self.values[rows], -self.format.lsb_exponent)
        return np.frompyfunc(int, 1, 1)(units) if exact else units


def totals(activations: Operand, weights: Operand, design: DotProduct) -> Values:
    """Sums of products as the design's accumulator has them at the end: (row, column).

    Terms are added in order, `design.lanes` per step. Totals of more than 53 bits are rounded once,
    to nearest even.

    Raises
    ------
    ValueError
        If the accumulator is a window of more than 53 bits.
    """
    if design.is_window:
        return window_totals(activations.values, weights.values, design)
    reach = _reach(np.array(activations.peak), weights)
    fits = bool(reach < 2.0 ** (design.accumulator_bits - 1 + design.product_lsb_exponent))
    if fits and reach < _limit(activations.finest_exponent, weights):
        return activations.values @ weights.values
    clamps = design.accumulator.kind is AccumulatorKind.SATURATE and not fits
    easy = _easy(activations, weights, to_the_last_bit=clamps)
    result = np.empty((len(easy), weights.values.shape[1]))
    for rows, exact in ((easy, False), (~easy, True)):
        if rows.any():
            operands = activations.whole(rows, exact), weights.whole(slice(None), exact)
            sums = _accumulate(*operands, design)
            result[rows] = np.ldexp(sums.astype(np.float64), design.product_lsb_exponent)
    return result


def _accumulate(activations: Whole, weights: Whole, design: DotProduct) -> Whole:
    """Whole totals step after step; wrapping once, at the end, gives the same bits."""
    half = 2 ** (design.accumulator_bits - 1)
    if design.accumulator.kind is not AccumulatorKind.SATURATE:
        return _wrapped(activations @ weights, half)
    total = activations[:, :0] @ weights[:0]
    for start in range(0, activations.shape[1], design.lanes):
        lanes = slice(start, start + design.lanes)
        total = np.clip(total + activations[:, lanes] @ weights[lanes], -half, half - 1)
    return total


def _wrapped(total: Whole, half: int) -> Whole:
    """Two's complement reading; `fmod` and the difference of near numbers are exact in float64."""
    if total.dtype == object:
        return (total + half) % (2 * half) - half
    residue = np.fmod(total, 2.0 * half)
    residue = np.where(residue >= half, residue - 2.0 * half, residue)
    return np.where(residue < -half, residue + 2.0 * half, residue)


def _reach(peaks: Values, weights: Operand) -> Values:
    """Upper bounds of the magnitude of every partial sum, for activations up to `peaks`."""
    largest = np.abs(weights.values).sum(axis=0).max(initial=0.0) * ROUNDING_MARGIN
    return np.asarray(peaks * largest)


def _limit(finest: int | Whole, weights: Operand) -> Values:
    """What partial sums must stay below for float64 to hold them, one addition more included."""
    exponent = FLOAT64_BITS - 1 + weights.finest_exponent + np.asarray(finest)
    return np.asarray(np.ldexp(1.0, exponent))


def _easy(activations: Operand, weights: Operand, to_the_last_bit: bool) -> npt.NDArray[np.bool_]:
    """Rows whose sums float64 holds; `to_the_last_bit` of the formats, not of the tensors."""
    magnitudes = np.abs(activations.values)
    reach = _reach(magnitudes.max(axis=1), weights)
    if to_the_last_bit:
        lsb = activations.format.lsb_exponent + weights.format.lsb_exponent
        return reach < 2.0 ** (FLOAT64_BITS - 1 + lsb)
    finest = _finest_exponent(_least(magnitudes).min(axis=1), activations.format)
    return reach < _limit(finest, weights)


def _least(magnitudes: Values) -> Values:
    return np.where(magnitudes > 0, magnitudes, np.inf)


def _finest_exponent(least: Values, format: Format) -> npt.NDArray[np.int32]:
    """Exponent of the last bit that a value of at least this magnitude can have."""
    lsb = np.asarray(format.lsb_exponent, dtype=np.int32)
    if not isinstance(format, MinifloatFormat):
        return np.broadcast_to(lsb, least.shape)
    binade = np.frexp(least)[1] - 1
    return np.where(np.isfinite(least), np.maximum(binade - format.fraction_bits, lsb), lsb)
