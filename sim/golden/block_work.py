"""Floor 2b: one array on its way to a block format: its scales, and what its elements round."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hw.formats import Format, Rounding
from hw.formats.block import NAN_POLICIES, BlockFormat, Outer, check_nan
from sim.golden.block_errors import NEAREST, least_error_codes, needs_search
from sim.golden.block_rows import Floats, Rows, in_blocks
from sim.golden.block_scales import (
    FLOAT32_MAXIMUM,
    Codes,
    check_exact,
    codes_of_nothing,
    divisor_bits,
    exact_quotient,
    mark_nan,
    outer_scales,
    scale_codes,
)
from sim.golden.convert import decode
from sim.golden.inputs import as_floats


class Work:
    """One array on its way to a block format: rows, scales, and quotients piece by piece."""

    def __init__(
        self,
        values: ArrayLike,
        format: BlockFormat,
        axis: int,
        nan: str,
        partial: str,
        rounding: Rounding,
        amax: float | None = None,
    ) -> None:
        check_exact(format)
        if nan not in NAN_POLICIES:
            raise ValueError(f"nan is one of {', '.join(NAN_POLICIES)}, not {nan!r}")
        check_nan(format, nan)
        self.format, self.nan, self.rounding = format, nan, rounding
        self.floats = as_floats(values)
        self.rows = Rows.of(format, self.floats.shape, axis, format.block_size, partial)
        self.array = self.rows.split(self.floats)
        shape = self.rows.count, self.rows.blocks
        self.amax = np.zeros(shape)
        self.infinite = np.zeros(shape, np.bool_)
        self.missing = np.zeros(shape, np.bool_)
        # float32 all the way: finite values over powers of two, to elements far from underflow.
        self.plain = (
            self.floats.dtype == np.float32
            and divisor_bits(format) == 1
            and rounding in NEAREST
            and format.element.lsb_exponent >= -100
            and _rounds_to_zero(format.element)
        )
        self._measure()
        self.plain &= not (self.infinite.any() or self.missing.any())
        self.top = self.amax.max(keepdims=True) if amax is None else np.full((1, 1), amax)
        self.outer = self._outer()
        peak = self.top if format.outer is Outer.TENSOR else self.amax.max(axis=1)[:, None]
        self.scales = self._scales(np.asarray(peak))
        mark_nan(self.scales, self.missing, format)

    def tops_fit(self) -> bool:
        """Whether no value of the blocks at hand can leave float32."""
        scales = decode(self.scales, self.format.scale_format)
        element = self.format.element
        top = np.nanmax(scales, initial=0.0) * float(max(element.maximum, -element.minimum))
        return bool(top <= FLOAT32_MAXIMUM)

    def quotients(self) -> Any:
        """Yield (piece, values / (G · X), G · X per block): what the element format rounds."""
        bits = divisor_bits(self.format)
        for rows, columns, blocks in self.rows.pieces():
            divisor = decode(self.scales[rows, blocks], self.format.scale_format)
            divisor = divisor * (self.outer[rows] if self.outer.size > 1 else self.outer)
            if self._narrow(divisor):
                inverse = (1.0 / divisor[..., None]).astype(np.float32)
                with np.errstate(over="ignore", under="ignore"):  # far beyond the elements
                    quotient = in_blocks(self.array[rows, columns], divisor.shape[1]) * inverse
            else:
                quotient = self._quotient(self._piece(rows, columns), divisor, bits)
            yield (rows, columns), quotient.reshape(quotient.shape[0], -1), divisor

    def _narrow(self, divisor: Floats) -> bool:
        """Whether float32 divides exactly enough: by powers of two, and what underflows is tiny."""
        return bool(
            self.plain
            and divisor.min(initial=1.0) >= 2.0**-126
            and divisor.max(initial=1.0) <= 2.0**126
        )

    @staticmethod
    def _quotient(piece: Floats, divisor: Floats, bits: int) -> Floats:
        """Return ``piece / divisor`` (row, block, element), 0 for scales that are 0 or NaN."""
        blocks = in_blocks(piece, divisor.shape[1])
        nothing = ~(divisor > 0)
        if nothing.any():
            blocks = np.where(nothing[..., None], 0.0, blocks)
            divisor = np.where(nothing, 1.0, divisor)
        return exact_quotient(blocks, divisor[..., None], bits)

    def _piece(self, rows: slice, columns: slice) -> Floats:
        """Return some values as float64, NaN replaced as the policy says."""
        piece = self.array[rows, columns].astype(np.float64)
        lost = np.isnan(piece)
        if lost.any():
            piece[lost] = np.inf if self.nan == "maximum" else 0.0
        return piece

    def _measure(self) -> None:
        """Find the largest finite magnitude of each block, and which have infinities or NaN."""
        for rows, columns, blocks in self.rows.pieces():
            many = blocks.stop - blocks.start
            piece = in_blocks(np.abs(self.array[rows, columns]), many)
            starts = np.arange(0, piece.size, piece.shape[2])  # quicker than max along a short axis
            peak = np.maximum.reduceat(piece.reshape(-1), starts).astype(np.float64)
            peak = peak.reshape(piece.shape[:2])
            if not np.isfinite(peak).all():
                peak = self._sort_out(piece, rows, blocks)
            np.maximum(self.amax[rows, blocks], peak, out=self.amax[rows, blocks])

    def _sort_out(self, piece: Floats, rows: slice, blocks: slice) -> Floats:
        lost, infinite = np.isnan(piece), np.isinf(piece)
        if lost.any() and self.nan == "error":
            raise ValueError(f"{self.format} has no code for nan: choose another policy for nan")
        if self.nan == "maximum":
            infinite |= lost
        if self.nan == "block":
            self.missing[rows, blocks] |= lost.any(axis=2)
        self.infinite[rows, blocks] |= infinite.any(axis=2)
        self.plain &= not lost.any()
        finite = np.where(lost | infinite, 0.0, piece)
        return np.asarray(finite.max(axis=2).astype(np.float64))

    def _outer(self) -> Floats:
        """Return G as (row, 1), or (1, 1)."""
        match self.format.outer:
            case Outer.ROW:
                return outer_scales(self.amax.max(axis=1, keepdims=True), self.format)
            case Outer.TENSOR:
                return outer_scales(self.top, self.format)
        return np.ones((1, 1))

    def _scales(self, peak: Floats) -> Codes:
        codes = codes_of_nothing(self.infinite, self.format)
        if not needs_search(self.format):
            scale_codes(codes, self.amax, peak, self.outer, self.format)
            return codes
        outer = np.broadcast_to(self.outer, self.amax.shape)
        for rows, columns, blocks in self.rows.block_pieces():
            piece = self._piece(rows, columns)
            piece[~np.isfinite(piece)] = np.nan
            some = in_blocks(piece, blocks.stop - blocks.start)
            found = codes[rows, blocks].reshape(-1)
            least_error_codes(
                some.reshape(-1, some.shape[2]),
                found,
                outer[rows, blocks].reshape(-1),
                self.format,
                self.rounding,
            )
            codes[rows, blocks] = found.reshape(codes[rows, blocks].shape)
        return codes


def _rounds_to_zero(element: Format) -> bool:
    """Whether what underflows float32 is the same to a format as zero: not so for posits."""
    tiny = 2.0**-140
    return all(element.encode(t) == element.encode(z) for t, z in ((tiny, 0.0), (-tiny, -0.0)))
