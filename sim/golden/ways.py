"""Floor 2b: the ways of conversion behind one face, each with its buffers; `way_for` chooses.

A way writes what a piece of numbers becomes, codes or values. Its `decision_bits` say how many
significant bits the numbers have at which its result turns (see `sim.golden.quotient`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hw.formats import Format, Overflow, Rounding, RoundingMode, Stochastic, TableFormat
from hw.formats.base import MAXIMUM_TABLE_BITS
from sim.golden import magic, scalarwise
from sim.golden.grid import FLOAT64_PRECISION, Grid, knows, precision
from sim.golden.inputs import nan_code
from sim.golden.intervals import Intervals, is_exact
from sim.golden.steps import Steps, staircase
from sim.golden.tables import decoded

STAIRCASE_BITS = 12
"""Wider formats that `Grid` knows do not climb stairs: those are made slowly."""

WRAPS = (Overflow.WRAP, Overflow.WRAP_SIGN_MAGNITUDE)
_FAR = float(np.finfo(np.float64).max)

Array = NDArray[Any]


@dataclass(frozen=True)
class Modes:
    """What a conversion does beside its format; `missing` as in `inputs.missing_value`."""

    rounding: RoundingMode
    overflow: Overflow
    missing: float | None


class Way(Protocol):
    """Converts pieces of numbers of one type."""

    decision_bits: int

    def convert(self, source: Array, random: Array | None, out: Array) -> None:
        """Write the result of each number; raise ValueError for NaN that has no place."""


class MagicWay:
    """Nearest even, saturating: `sim.golden.magic`."""

    def __init__(
        self, format: Format, modes: Modes, codes: bool, float_type: Any, size: int
    ) -> None:
        self.decision_bits = precision(format) + 1
        self.kernel = magic.kernel(format, float_type, size, modes.missing)
        self._run = self.kernel.encode if codes else self.kernel.cast

    def convert(self, source: Array, random: Array | None, out: Array) -> None:
        """See `Way`."""
        self._run(source, out)


class _WithNan(ABC):
    """What the slower ways share: NaN is told apart before, and resolved after."""

    def __init__(self, format: Format, modes: Modes, codes: bool) -> None:
        self.format, self.modes, self.codes = format, modes, codes
        self._nan: float | None = modes.missing if nan_code(format) is None else np.nan
        if codes and self._nan is not None:
            self._nan = format.encode(self._nan, Rounding.TIES_TO_EVEN)

    def convert(self, source: Array, random: Array | None, out: Array) -> None:
        """See `Way`."""
        has_nan = bool(np.isnan(source.max()))
        if has_nan and self._nan is None:
            raise ValueError(f"{self.format} has no code for nan")
        self._convert(source, random, out)
        if has_nan:
            out[np.isnan(source)] = self._nan

    @abstractmethod
    def _convert(self, source: Array, random: Array | None, out: Array) -> None:
        """Convert what is not NaN."""


class StairWay(_WithNan):
    """Any mode that keeps order, formats of at most 16 bits: `sim.golden.steps`."""

    def __init__(
        self, format: Format, modes: Modes, codes: bool, out_type: Any, float_type: Any, size: int
    ) -> None:
        super().__init__(format, modes, codes)
        assert isinstance(modes.rounding, Rounding)
        stairs = staircase(format, modes.rounding, modes.overflow)
        results = (stairs.codes if codes else stairs.values).astype(out_type)
        self.decision_bits = stairs.decision_bits
        self._refuses = bool((stairs.codes < 0).any())
        self._steps = Steps(stairs, float_type, results, size)

    def _convert(self, source: Array, random: Array | None, out: Array) -> None:
        if self._refuses and np.isinf(source).any():
            wrong = source[np.isinf(source)].flat[0]
            raise ValueError(f"{self.format} has no code for {wrong}")
        self._steps.convert(source, out)


class GridWay(_WithNan):
    """Wide, wrapping or random: `sim.golden.grid`."""

    def __init__(self, format: Format, modes: Modes, codes: bool) -> None:
        super().__init__(format, modes, codes)
        self._grid = Grid(format, modes.rounding, modes.overflow)
        self.decision_bits = self._grid.decision_bits

    def _convert(self, source: Array, random: Array | None, out: Array) -> None:
        found = self._grid.encode(source.astype(np.float64), random)
        np.copyto(out, found if self.codes else _values(found, self.format), casting="unsafe")


class RandomWay(_WithNan):
    """Stochastic rounding to the levels of a table: `sim.golden.intervals`."""

    def __init__(self, format: Format, modes: Modes, codes: bool) -> None:
        super().__init__(format, modes, codes)
        assert isinstance(format, TableFormat)
        assert isinstance(modes.rounding, Stochastic)
        self._intervals = Intervals(format, modes.rounding, modes.overflow)
        self.decision_bits = self._intervals.decision_bits

    def _convert(self, source: Array, random: Array | None, out: Array) -> None:
        assert random is not None
        found = self._intervals.encode(source.astype(np.float64), random)
        np.copyto(out, found if self.codes else _values(found, self.format), casting="unsafe")


class ScalarWay(_WithNan):
    """Element by element."""

    decision_bits = FLOAT64_PRECISION

    def _convert(self, source: Array, random: Array | None, out: Array) -> None:
        modes = self.modes
        found = scalarwise.codes_of(
            source, None, random, self.format, modes.rounding, modes.overflow
        )
        np.copyto(out, found if self.codes else _values(found, self.format), casting="unsafe")


def _values(codes: NDArray[np.int64], format: Format) -> NDArray[np.float64]:
    return decoded(codes, format) + 0.0


def way_for(
    format: Format, modes: Modes, codes: bool, out_type: Any, float_type: Any, size: int
) -> Way:
    """Return the fastest way that is right.

    Parameters
    ----------
    format, modes, codes
        What is wanted.
    out_type
        Type of the result.
    float_type
        Of the numbers that come: float32 or float64.
    size
        Elements of the largest piece.

    """
    rounding, overflow = modes.rounding, modes.overflow
    usual = rounding is Rounding.TIES_TO_EVEN and overflow is Overflow.SATURATE
    if usual and magic.suits(format, float_type):
        return MagicWay(format, modes, codes, float_type, size)
    check_overflow(format, overflow)
    known = knows(format, rounding)
    narrow = STAIRCASE_BITS if known else MAXIMUM_TABLE_BITS
    if isinstance(rounding, Rounding) and overflow not in WRAPS and format.bits <= narrow:
        return StairWay(format, modes, codes, out_type, float_type, size)
    if known:
        return GridWay(format, modes, codes)
    if isinstance(rounding, Stochastic) and is_exact(format, rounding):
        return RandomWay(format, modes, codes)
    return ScalarWay(format, modes, codes)


@lru_cache(maxsize=1024)
def check_overflow(format: Format, overflow: Overflow) -> None:
    """Raise ValueError if the format does not have this overflow mode."""
    for value in (0.0, float(format.maximum), *(() if overflow in WRAPS else (-_FAR, _FAR))):
        format.encode(value, Rounding.TIES_TO_EVEN, overflow)


__all__ = ["MagicWay", "Modes", "Way", "way_for"]
