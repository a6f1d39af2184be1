"""Floor 2b: arrays of numbers to a number format and back, rounded once, fast.

`cast` gives the values, `encode` the codes, `decode` the values of codes. Three ways, one result:

- nearest even, saturating, fixed point and common minifloats: `sim.golden.magic`, at memory speed;
- any other format or mode in which order is kept: `sim.golden.steps`, by comparison;
- what wraps, is random, or has more than 16 bits: `sim.golden.grid`, by whole numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.formats import Format, Overflow, Rounding, RoundingMode, Stochastic
from sim.golden import grid, magic, pieces, quotient, scalarwise
from sim.golden.inputs import Random, as_floats, missing_value, random_integers, scale_of
from sim.golden.tables import decoded
from sim.golden.ways import MagicWay, Modes, way_for

Floats = NDArray[Any]
Codes = NDArray[np.unsignedinteger]


def cast(
    values: ArrayLike,
    format: Format,
    scale: ArrayLike = 1.0,
    rounding: RoundingMode = Rounding.TIES_TO_EVEN,
    overflow: Overflow = Overflow.SATURATE,
    *,
    random: Random = None,
    nan: str = "error",
) -> Floats:
    """Return the format's values nearest to ``values / scale``.

    The result is on the format's grid: multiply by `scale` to be near `values` again. A zero
    result is +0. Every result is the exact quotient rounded once, whatever the scale.

    Parameters
    ----------
    values
        Real numbers of any shape: float32 and float64, float16 and the types of ml_dtypes (taken
        as float32), integers up to 2^53 (taken as float64).
    format
        Any format of one code per value whose values float64 holds.
    scale
        Positive and finite; a number, or an array that broadcasts to the shape of `values`.
    rounding, overflow
        See `hw.formats`.
    random
        Of stochastic rounding only: its random integers R, broadcast to the shape of `values`, or
        a NumPy generator that draws them.
    nan
        What NaN becomes in a format that has none: "error", "zero" or "maximum". A format with
        NaN keeps it.

    Returns
    -------
    array
        float32 if `values` come as float32 and every value of the format is one, else float64.

    Raises
    ------
    ValueError
        For NaN where the format has none, a scale that is not positive, a format beyond float64,
        an overflow mode that the format does not have, or random integers out of range.

    """
    floats = as_floats(values)
    _check_format(format)
    kept = floats.dtype == np.float32 and grid.fits_float32(format)
    result = np.empty(floats.shape, np.float32 if kept else np.float64)
    modes = Modes(rounding, overflow, missing_value(nan, format))
    _Job(floats, format, scale, modes, random).run(result, codes=False)
    return result


def encode(
    values: ArrayLike,
    format: Format,
    scale: ArrayLike = 1.0,
    rounding: RoundingMode = Rounding.TIES_TO_EVEN,
    overflow: Overflow = Overflow.SATURATE,
    *,
    random: Random = None,
    nan: str = "error",
) -> Codes:
    """Return the codes of ``cast(values, …)``, the parameters being those of `cast`.

    As `Format.encode`: negative values that round to zero give −0 where the format has it.

    Returns
    -------
    array
        uint8 for formats of at most 8 bits, uint16 up to 16 bits, else uint32 or uint64.

    Raises
    ------
    ValueError
        As `cast`.

    """
    floats = as_floats(values)
    _check_format(format)
    result = np.empty(floats.shape, code_type(format))
    modes = Modes(rounding, overflow, missing_value(nan, format))
    _Job(floats, format, scale, modes, random).run(result, codes=True)
    return result


def decode(codes: ArrayLike, format: Format) -> NDArray[np.float64]:
    """Return the exact values of codes as float64; specials are nan and ±inf.

    Raises
    ------
    ValueError
        If a code is not one of the format, or float64 does not hold the format.

    """
    words = np.asarray(codes)
    if words.dtype.kind not in "iu":
        raise ValueError(f"codes are integers, not {words.dtype}")
    _check_format(format)
    if words.size and (words.min() < 0 or int(words.max()) >> format.bits):
        wrong = words[(words < 0) | (words > (1 << format.bits) - 1)].flat[0]
        raise ValueError(f"a code of {format} lies in 0..{(1 << format.bits) - 1}, not {wrong}")
    return decoded(words, format)


def code_type(format: Format) -> np.dtype[Any]:
    """Return the smallest unsigned type that holds the format's codes."""
    for bits in (8, 16, 32):
        if format.bits <= bits:
            return np.dtype(f"uint{bits}")
    return np.dtype(np.uint64)


def _check_format(format: Format) -> None:
    if not grid.fits_float64(format):
        raise ValueError(f"values of {format} are not exact in float64")


class _Job:
    """One conversion: the checked arguments, and what is done with each piece."""

    def __init__(
        self, values: Floats, format: Format, scale: ArrayLike, modes: Modes, random: Random
    ) -> None:
        self.values, self.format, self.modes = np.atleast_1d(values), format, modes
        self.divisor, self.exact = scale_of(scale, self.values.shape)
        self.random = random_integers(random, modes.rounding, self.values.shape)

    def run(self, result: Any, codes: bool) -> None:
        """Fill `result`, piece by piece."""
        out, size = result.reshape(self.values.shape), min(result.size, pieces.CHUNK)
        if not size:
            return
        given = isinstance(self.random, np.ndarray)
        divisors = _ONE if self.divisor is None else self.divisor
        randoms = self.random if isinstance(self.random, np.ndarray) else _ONE
        float_type = self._float_type()
        self.quotients = np.empty(0 if self.divisor is None else size, float_type)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            self.way = way_for(self.format, self.modes, codes, out.dtype, float_type, size)
            for source, divisor, random, target in pieces.cut(self.values, divisors, randoms, out):
                drawn = random if given else self._draw(source.shape)
                if self.divisor is None:
                    self.way.convert(source, drawn, target)
                else:
                    self._divide(source, divisor, drawn, target)

    def _float_type(self) -> Any:
        """Type of the quotients: float32 only where a division loses nothing in it."""
        if self.values.dtype == np.float64 or self.divisor is None:
            return self.values.dtype
        near = self.divisor.size == 1 and 2.0**-20 <= self.divisor.flat[0] <= 2.0**20
        small = magic.suits(self.format, np.float32)
        return np.float32 if self.exact and near and small else np.float64

    def _draw(self, shape: tuple[int, ...]) -> Floats | None:
        if not isinstance(self.modes.rounding, Stochastic):
            return None
        assert isinstance(self.random, np.random.Generator)
        return self.random.integers(0, 1 << self.modes.rounding.bits, shape, np.uint64)

    def _divide(self, source: Floats, divisor: Floats, random: Floats | None, out: Any) -> None:
        """Convert quotients: exact ones, ones that decide alike, or with a second look."""
        quotients = self.quotients[: source.size].reshape(source.shape)
        if self.exact and (isinstance(self.way, MagicWay) or quotients.dtype == np.float32):
            np.divide(source, divisor, out=quotients, casting="same_kind")
        elif self.exact:
            quotient.divide_by_power(source, divisor, quotients)
        elif self.way.decision_bits <= quotient.MOST_BITS:
            quotient.divide(source, divisor, self.way.decision_bits, quotients)
        else:
            self._look_twice(source, divisor, random, out)
            return
        self.way.convert(quotients, random, out)

    def _look_twice(self, source: Floats, divisor: Floats, random: Floats | None, out: Any) -> None:
        """Ask the specification where the neighbours of a rounded quotient convert apart."""
        quotients = np.divide(source, divisor, dtype=np.float64)
        below, above = np.empty_like(out), np.empty_like(out)
        self.way.convert(np.nextafter(quotients, -np.inf), random, below)
        self.way.convert(np.nextafter(quotients, np.inf), random, above)
        self.way.convert(quotients, random, out)
        unsure = (below != above) & np.isfinite(source) & (source != 0)
        if unsure.any():
            divisors = np.broadcast_to(divisor, source.shape)[unsure]
            randoms = None if random is None else np.broadcast_to(random, source.shape)[unsure]
            modes = self.modes
            found = scalarwise.codes_of(
                source[unsure], divisors, randoms, self.format, modes.rounding, modes.overflow
            )
            is_code = out.dtype.kind == "u"
            out[unsure] = found if is_code else decoded(found, self.format) + 0.0


_ONE = np.ones(1)
