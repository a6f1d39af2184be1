"""Floor 2b: arrays to mixtures of codebooks, equal to `MixtureFormat.quantize` bit for bit.

A level is found by comparing with ``midpoint · scale``, products of so few bits that they are
exact: no division. Errors are compared in float64; those too close for that, and not of the same
values, in exact integers, and where these do not fit, in exact rationals by the specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.formats import Format, Special
from hw.formats.mixture import (
    LEAST_SCALE,
    MOST_SCALE,
    NAN_POLICIES,
    ROUNDING,
    SCALE_LIMIT,
    MixtureFormat,
    peak,
)
from sim.golden.block_rows import Floats, Rows, in_blocks
from sim.golden.block_scales import Codes, exact_quotient, significant_bits_of
from sim.golden.exact_squares import smaller
from sim.golden.inputs import as_floats

CLOSE = 1e-9
"""Relative distance below which float64 does not decide between two sums of squares."""


@dataclass(frozen=True, slots=True, eq=False)
class MixtureTensor:
    """An array in a mixture of codebooks.

    Parameters
    ----------
    format
        The format.
    elements : array of uint8
        Codes of each group's codebook, in the shape of the values.
    ids : array of uint8
        Place of each group's codebook: as many axes, one entry per group along `axis`.
    scales : array
        Codes of fp16 (uint16) or integers (uint8), one per group.
    outer : array of float32
        What one step of the integer scales is worth, one entry per row; 1 for fp16 scales.
    axis
        Axis along which the groups lie.
    """

    format: MixtureFormat
    elements: Codes
    ids: Codes
    scales: Codes
    outer: NDArray[np.float32]
    axis: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return self.elements.shape

    def values(self) -> NDArray[np.float64]:
        """Return the exact values."""
        tables = np.array([_table(codebook).by_code for codebook in self.format.codebooks])
        scales = self.scales.view(np.float16) if self.format.scale_kind == "fp16" else self.scales
        steps: Floats = scales.astype(np.float64) * self.outer
        elements = self.elements.reshape(self.elements.shape or (1,))
        cut = (slice(None),) * self.axis + (slice(elements.shape[self.axis]),)
        ids, steps = (
            np.repeat(each, self.format.block_size, axis=self.axis)[cut]
            for each in (self.ids, steps)
        )
        found: NDArray[np.float64] = tables[ids, elements] * steps
        return found.reshape(self.elements.shape)


def quantize_mixture(
    values: ArrayLike,
    format: MixtureFormat,
    axis: int = -1,
    nan: str = "error",
    partial: str = "error",
) -> MixtureTensor:
    """Return an array in a mixture of codebooks, as `MixtureFormat.quantize` says for each row.

    Parameters and errors are those of `sim.golden.quantize`; NaN has no policy "block".
    """
    floats = as_floats(values)
    if nan not in NAN_POLICIES:
        raise ValueError(f"nan is one of {', '.join(NAN_POLICIES)}, not {nan!r}")
    rows = Rows.of(format, floats.shape, axis, format.block_size, partial)
    array = rows.split(floats)
    elements = np.empty((rows.count, rows.length), np.uint8)
    ids = np.empty((rows.count, rows.blocks), np.uint8)
    scales = np.empty((rows.count, rows.blocks))
    for many, columns, blocks in rows.block_pieces():
        piece = _admitted(array[many, columns], nan, format)
        search = _Search(in_blocks(piece, blocks.stop - blocks.start), format)
        elements[many, columns] = search.codes.reshape(piece.shape)
        ids[many, blocks], scales[many, blocks] = search.ids, search.scales
    codes, outer = _second_level(scales, format)
    return MixtureTensor(
        format,
        np.ascontiguousarray(rows.join(elements)).reshape(floats.shape),
        rows.join(ids),
        rows.join(codes),
        rows.join(outer, shared=outer.size == 1),
        rows.axis,
    )


def _admitted(piece: Floats, nan: str, format: MixtureFormat) -> Floats:
    missing = np.isnan(piece)
    if not missing.any():
        return np.ascontiguousarray(piece)
    if nan == "error":
        raise ValueError(f"{format} has no code for nan: choose another policy for nan")
    return np.where(missing, piece.dtype.type(np.inf if nan == "maximum" else 0.0), piece)


def _second_level(scales: Floats, format: MixtureFormat) -> tuple[Codes, NDArray[np.float32]]:
    """Return (codes of the scales, step per row)."""
    if format.scale_kind == "fp16":
        return scales.astype(np.float16).view(np.uint16), np.ones((1, 1), np.float32)
    most = scales.max(axis=1, keepdims=True)
    outer = exact_quotient(most, float(SCALE_LIMIT), 7).astype(np.float32)
    integers = np.rint(exact_quotient(scales, outer.astype(np.float64), 24))
    return np.minimum(integers, SCALE_LIMIT).astype(np.uint8), outer


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """A codebook as arrays: levels ascending, their codes, midpoints, values by code."""

    levels: Floats
    codes: Codes
    midpoints: Floats
    by_code: Floats
    below_zero: int | None
    """Code of negative numbers that round to zero, where that is not the code of 0."""


@lru_cache(maxsize=256)
def _table(codebook: Format) -> _Table:
    values = [value for value in codebook.values() if not isinstance(value, Special)]
    levels = sorted(set(values))
    codes = [codebook.encode(level) for level in levels]
    middles = [(low + high) / 2 for low, high in pairwise(levels)]
    smallest = min((abs(level) for level in levels if level), default=Fraction(1))
    below = codebook.encode(-smallest / 1024, ROUNDING)
    return _Table(
        np.array(levels, np.float64),
        np.array(codes, np.uint8),
        np.array(middles, np.float64),
        np.array(values, np.float64),
        below if 0 in levels and below != codebook.encode(0) else None,
    )


class _Search:
    """The best codebook of each group (row, group, value): ids, fp16 scales, codes."""

    def __init__(self, groups: Floats, format: MixtureFormat) -> None:
        self.groups, self.format = groups, format
        self.finite = bool(np.isfinite(groups).all())
        known = groups if self.finite else np.where(np.isfinite(groups), groups, 0)
        amax = np.abs(known).max(axis=2).astype(np.float64)
        infinite = np.zeros(amax.shape, np.bool_)
        if not self.finite:
            infinite = np.isinf(groups).any(axis=2) & (amax == 0)
        self.best = np.full(amax.shape, np.inf)
        self.ids = np.zeros(amax.shape, np.uint8)
        self.scales = np.zeros(amax.shape)
        self.codes = np.zeros(groups.shape, np.uint8)
        self.near = np.zeros(amax.shape, np.bool_)
        self.best_values = np.zeros(groups.shape)
        for place, codebook in enumerate(format.codebooks):
            self._try(place, codebook, self._first_level(amax, infinite, codebook))
        for row, group in np.argwhere(self.near).tolist():
            self._settle(row, group)

    @staticmethod
    def _first_level(amax: Floats, infinite: NDArray[np.bool_], codebook: Format) -> Floats:
        largest = peak(codebook)
        ideal = exact_quotient(amax, float(largest), significant_bits_of(largest))
        ideal[infinite] = float(MOST_SCALE)
        with np.errstate(over="ignore", under="ignore"):
            scale = ideal.astype(np.float16).astype(np.float64)
        return np.clip(scale, float(np.float16(float(LEAST_SCALE))), float(MOST_SCALE))

    def _try(self, place: int, codebook: Format, scales: Floats) -> None:
        table, type = _table(codebook), self.groups.dtype
        wide = scales.astype(type)[..., None]
        index = np.zeros(self.groups.shape, np.uint8)
        for middle in table.midpoints:
            index += self.groups > wide * type.type(middle)
        values = table.levels[index] * scales[..., None]
        difference = values - self.groups
        if not self.finite:
            difference[~np.isfinite(self.groups)] = 0
        error = np.einsum("rgv,rgv->rg", difference, difference)
        better = error < self.best
        if place:
            near = np.abs(error - self.best) <= CLOSE * np.maximum(error, self.best)
            near &= self._differs(values, near)
            better, near = self._decide(values, better, near)
            self.near = np.where(better & ~near, False, self.near | near)
        self.best_values[better] = values[better]
        codes = table.codes[index]
        if table.below_zero is not None:
            codes[(codes == codebook.encode(0)) & (self.groups < 0)] = table.below_zero
        self.best[better], self.ids[better] = error[better], place
        self.scales[better], self.codes[better] = scales[better], codes[better]

    def _differs(self, values: Floats, near: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return where groups take other values than with the best codebook so far."""
        differs = np.zeros(near.shape, np.bool_)
        if near.any():
            differs[near] = (values[near] != self.best_values[near]).any(axis=1)
        return differs

    def _decide(
        self, values: Floats, better: NDArray[np.bool_], near: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which groups are better, and which are still too near, after exact integers."""
        # A group that waits for the specification has no best values to compare with.
        open_ = near & ~self.near
        if not open_.any():
            return better, near
        below, known = smaller(values[open_], self.best_values[open_], self.groups[open_])
        better, near = better.copy(), near.copy()
        better[open_] = np.where(known, below, better[open_])
        near[open_] = ~known
        return better, near

    def _settle(self, row: int, group: int) -> None:
        """Choose for one group in exact rationals."""
        values = [
            Fraction(float(value)) if np.isfinite(value) else _infinity(value)
            for value in self.groups[row, group]
        ]
        place, scale, codes = self.format.best(values)
        self.ids[row, group], self.scales[row, group] = place, float(scale)
        self.codes[row, group] = codes


def _infinity(value: Any) -> Special:
    return Special.POS_INF if value > 0 else Special.NEG_INF
