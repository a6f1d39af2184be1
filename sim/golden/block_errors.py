"""Floor 2b: the scales of least squared error for many blocks at once.

Errors are compared in float64; blocks whose best candidates are too close for that are settled in
exact rationals by the specification.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.formats import Format, Rounding, Special
from hw.formats.block import BlockFormat
from hw.formats.scale import ScaleRule, scale_levels
from sim.golden.block_scales import Codes, Floats, divisor_bits, exact_quotient
from sim.golden.convert import cast

CLOSE = 1e-9
"""Relative distance below which float64 does not decide between two sums of squares."""


@lru_cache(maxsize=256)
def closed_under_doubling(element: Format) -> bool:
    """Whether twice every value, where it is in range, is a value again.

    Then a larger power-of-two scale at which no value saturates has a part of the grid of a
    smaller one: it is never better.
    """
    values = {value for value in element.values() if not isinstance(value, Special)}
    doubled = {2 * value for value in values}
    return all(
        value in values or not element.minimum <= value <= element.maximum for value in doubled
    )


def least_error_codes(
    blocks: Floats, codes: Codes, outer: Floats, format: BlockFormat, rounding: Rounding
) -> None:
    """Replace scale codes by those of least squared error; of equals, the smallest scale.

    Parameters
    ----------
    blocks : array (block, element)
        Finite values; NaN where an element does not count.
    codes : array (block,)
        Codes for blocks without a value but 0, which stay.
    outer : array (block,)
        G.

    """
    some = np.flatnonzero((np.nan_to_num(blocks) != 0).any(axis=1))
    if not len(some):
        return
    search = _Search(blocks[some], outer[some], format, rounding)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        codes[some] = search.run()


class _Search:
    """Candidates from the largest scale downwards, with the best error so far."""

    def __init__(self, blocks: Floats, outer: Floats, format: BlockFormat, rounding: Rounding):
        self.blocks, self.outer, self.format, self.rounding = blocks, outer, format, rounding
        self.levels = scale_levels(format.scale_format)
        self.amax = np.nanmax(np.abs(blocks), axis=1)
        # Errors are those of blocks brought near 1, so that no square leaves float64.
        self.unit = np.ldexp(1.0, -np.frexp(self.amax)[1])
        self.best = np.full(len(blocks), np.inf)
        self.chosen = np.zeros(len(blocks), np.int64)
        self.rivals: dict[int, set[int]] = {}

    def run(self) -> NDArray[Any]:
        """Return the chosen codes."""
        values = [float(value) for value, _ in self.levels]
        element = self.format.element
        top, most = float(max(element.maximum, -element.minimum)), float(element.maximum)
        bounded = bool(self.format.scale_powers) and closed_under_doubling(element)
        bounded &= self.rounding in NEAREST
        for place in reversed(range(len(values))):
            if bounded and place:  # scales above the first at which nothing saturates are no better
                below = values[place - 1] * self.outer * most
                live = below < self.amax
                if not live.any():
                    continue
            else:
                live = np.ones(len(self.amax), np.bool_)
            reach = values[place] * self.outer * top
            saturated = (np.maximum(self.amax - reach, 0.0) * self.unit) ** 2
            hopeless = saturated > self.best * (1 + CLOSE)
            if hopeless.all():
                break  # smaller scales saturate more
            live &= ~hopeless
            if live.any():
                self._try(place, values[place], np.flatnonzero(live))
        for index, places in self.rivals.items():
            self.chosen[index] = self._exactly(index, places)
        return np.array([code for _, code in self.levels])[self.chosen]

    def _try(self, place: int, value: float, live: NDArray[np.intp]) -> None:
        error = self._errors(value, live)
        best = self.best[live]
        near = np.isfinite(best) & (np.abs(error - best) <= CLOSE * np.maximum(error, best))
        better = error < best
        for index in live[near].tolist():
            self.rivals.setdefault(index, set()).update((int(self.chosen[index]), place))
        for index in live[better & ~near].tolist() if self.rivals else ():
            self.rivals.pop(index, None)
        self.best[live] = np.where(better, error, best)
        self.chosen[live] = np.where(better, place, self.chosen[live])

    def _errors(self, value: float, live: NDArray[np.intp]) -> Floats:
        blocks = self.blocks[live]
        known = np.nan_to_num(blocks)
        divisor = (value * self.outer[live])[:, None]
        if value:
            quotient = exact_quotient(known, divisor, divisor_bits(self.format))
            grid = cast(quotient, self.format.element, rounding=self.rounding) * divisor
        else:
            grid = np.zeros_like(known)
        difference = np.where(np.isnan(blocks), 0.0, grid - known) * self.unit[live][:, None]
        return np.asarray((difference**2).sum(axis=1))

    def _exactly(self, index: int, places: set[int]) -> int:
        """Return the place of the least error, the smallest scale of equals."""
        block = [Fraction(float(value)) for value in self.blocks[index] if not np.isnan(value)]
        outer = Fraction(float(self.outer[index]))
        error = self.format.squared_error
        return min(
            places, key=lambda at: (error(block, self.levels[at][0] * outer, self.rounding), at)
        )


NEAREST = (
    Rounding.TIES_TO_EVEN,
    Rounding.TIES_TO_AWAY,
    Rounding.TIES_TOWARD_ZERO,
    Rounding.TIES_TOWARD_NEGATIVE,
    Rounding.TIES_TOWARD_POSITIVE,
)


def needs_search(format: BlockFormat) -> bool:
    """Whether the scales of a format are those of least error."""
    return format.scale_rule is ScaleRule.MSE
