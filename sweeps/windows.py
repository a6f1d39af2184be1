"""Floor 4. Sums of products in an alignment window, fast: only the sums that may lose bits go slow.

A window (`hw.design`) places each product relative to the largest exponent its sum has seen and
cuts what falls below. A sum whose products span no more than the guard bits loses nothing and is
the exact sum, which a BLAS gives; the span is bounded by that of the row plus that of the column.
The other sums are taken step by step.
"""

import numpy as np
import numpy.typing as npt

from hw.design import DotProduct
from hw.formats import Format, MinifloatFormat
from sweeps.layers import Values

FLOAT64_BITS = 53
PAIRS_AT_ONCE = 4096
FAR = 1 << 20
"""An exponent beyond all others, for rows without a non-zero value."""

Exponents = npt.NDArray[np.int32]


def window_totals(activations: Values, weights: Values, design: DotProduct) -> Values:
    """Sums of products as the window has them at the end: (row, column).

    Parameters
    ----------
    activations, weights : arrays (row, term) and (term, column), values of the design's formats
    design : DotProduct with a window
        Terms are taken in order, `design.lanes` per step.

    Raises
    ------
    ValueError
        If the accumulator has more bits than a float64 significand.
    """
    if design.accumulator_bits > FLOAT64_BITS:
        raise ValueError(
            f"sums in a window need an accumulator of at most {FLOAT64_BITS} bits, "
            f"{design.accumulator} makes {design.accumulator_bits}"
        )
    rows, columns = activations, np.ascontiguousarray(weights.T)
    span = _span(rows, design.activation)[:, None] + _span(columns, design.weight)
    overflows = weights.shape[0] > design.accumulator.terms
    result = activations @ weights
    row, column = np.nonzero((span > design.guard_bits) | overflows)
    for start in range(0, len(row), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        operands = rows[row[part]], columns[column[part]]
        result[row[part], column[part]] = stepped_sums(*operands, design)
    return result


def stepped_sums(activations: Values, weights: Values, design: DotProduct) -> Values:
    """One sum per row of both operands, (row, term) each, by the letter of `sim.golden.scalar`."""
    exponents = _exponents(activations, design.activation) + _exponents(weights, design.weight)
    products = activations * weights
    exponents[products == 0] = 0
    total = np.zeros(len(products))
    highest = np.zeros(len(products), dtype=np.int32)
    for start in range(0, products.shape[1], design.lanes):
        lanes = slice(start, start + design.lanes)
        reference = np.maximum(highest, exponents[:, lanes].max(axis=1))
        units = np.ldexp(products[:, lanes], -(design.lsb_exponent + reference)[:, None])
        kept = np.floor(np.ldexp(total, highest - reference))
        total = _wrapped(kept + np.trunc(units).sum(axis=1), design)
        highest = reference
    return np.asarray(np.ldexp(total, design.lsb_exponent + highest))


def _wrapped(total: Values, design: DotProduct) -> Values:
    """Two's complement reading of whole numbers below 2^53."""
    half = 2.0 ** (design.accumulator_bits - 1)
    if np.abs(total).max(initial=0.0) < half:
        return total
    return np.asarray((total + half) % (2 * half) - half)


def _span(values: Values, format: Format) -> Exponents:
    """Largest less smallest exponent of each row's non-zero values; 0 where there are none."""
    if not isinstance(format, MinifloatFormat):
        return np.zeros(len(values), dtype=np.int32)
    exponents = _exponents(values, format)
    lowest = np.where(values == 0, FAR, exponents).min(axis=1)
    return np.asarray(np.maximum(exponents.max(axis=1) - lowest, 0))


def _exponents(values: Values, format: Format) -> Exponents:
    """Exponent shift of each value: ``max(field, 1) - 1``; 0 for fixed point and for zeros."""
    if not isinstance(format, MinifloatFormat):
        return np.zeros(values.shape, dtype=np.int32)
    binades = np.frexp(values)[1] - 1
    return np.where(values == 0, 0, np.maximum(binades - format.emin, 0))
