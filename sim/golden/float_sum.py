"""Floor 2b: one long sum in a floating accumulator, on Python floats.

The steps of `sim.golden.float_steps` for a single sum, where an array per step would hold one
number: the same arithmetic, float64 rounded to odd and then to the accumulator's format.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hw.formats import MinifloatFormat

DOUBLE_BITS = 53


@dataclass(frozen=True, slots=True)
class Grid:
    """What rounding needs of a format: see `sim.golden.float_grid.rounded`."""

    emin: int
    fraction_bits: int
    largest: float
    beyond: float
    has_infinity: bool
    has_negative_zero: bool

    @classmethod
    def of(cls, format: MinifloatFormat) -> Grid:
        """Return the grid of a signed minifloat with subnormals."""
        high = float(format.maximum)
        return cls(
            format.emin,
            format.fraction_bits,
            high,
            math.inf if format.has_infinity else high,
            format.has_infinity,
            format.encode(-0.0) != 0,
        )

    def rounded(self, value: float) -> float:
        """Return the nearest value, ties to even; specials and the sign of zero kept."""
        if not math.isfinite(value):
            return value if self.has_infinity else math.nan
        step = max(math.frexp(value)[1] - 1, self.emin) - self.fraction_bits
        magnitude = math.ldexp(round(math.ldexp(abs(value), -step)), step)
        if magnitude > self.largest:
            magnitude = self.beyond
        result = math.copysign(magnitude, value)
        return result if magnitude or self.has_negative_zero else 0.0


def running(
    state: float, addends: Iterable[Sequence[float]], format: MinifloatFormat
) -> list[float]:
    """Return the accumulator after each rounding: of itself plus all addends of an entry."""
    grid = Grid.of(format)
    shown = []
    for terms in addends:
        state = grid.rounded(odd_sum([state, *terms]))
        shown.append(state)
    return shown


def odd_sum(terms: Sequence[float]) -> float:
    """Return the exact sum rounded to odd; specials and zeros as IEEE 754 adds them."""
    plain = sum(terms, -0.0)
    if not math.isfinite(plain):
        return plain
    total = math.fsum(terms)
    rest = math.fsum([*terms, -total])
    if rest == 0:
        return total or (plain if plain == 0 else 0.0)  # -0 if every term is
    if int(math.ldexp(math.frexp(total)[0], DOUBLE_BITS)) & 1:
        return total
    return math.nextafter(total, math.copysign(math.inf, rest))
