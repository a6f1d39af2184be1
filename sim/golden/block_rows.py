"""Floor 2b: arrays as rows of blocks, and the cache-sized pieces in which they are worked on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.formats.partition import check_row

Floats = NDArray[Any]
PIECE = 1 << 15
"""Elements worked on at once: buffers of this many stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Rows:
    """How an array of some shape is read as rows (row, element) whose blocks lie side by side.

    Parameters
    ----------
    shape
        Shape of the array.
    axis
        Axis along which blocks lie, 0 … ndim - 1.
    size
        Elements per block; None: the whole array is one block.
    """

    shape: tuple[int, ...]
    axis: int
    size: int | None

    @classmethod
    def of(
        cls, format: object, shape: tuple[int, ...], axis: int, size: int | None, partial: str
    ) -> Rows:
        """Check the arguments; a single number counts as a row of one.

        Raises
        ------
        ValueError
            For an axis that is none, no elements, or blocks that do not divide the axis under
            partial="error".

        """
        whole = shape or (1,)
        if not -len(whole) <= axis < len(whole):
            raise ValueError(f"axis lies in {-len(whole)}..{len(whole) - 1}, not {axis}")
        place = axis % len(whole)
        count = math.prod(whole)
        check_row(format, size, whole[place] if count else 0, partial)
        return cls(whole, place, size)

    @property
    def length(self) -> int:
        """Elements of a row."""
        return math.prod(self.shape) if self.size is None else self.shape[self.axis]

    @property
    def count(self) -> int:
        """Rows."""
        return math.prod(self.shape) // self.length

    @property
    def block(self) -> int:
        """Elements per block (the last one of a row may be shorter)."""
        return self.size or self.length

    @property
    def blocks(self) -> int:
        """Blocks per row."""
        return -(-self.length // self.block)

    def split(self, array: Floats) -> Floats:
        """Return the array as (row, element), a view where that is possible."""
        if self.size is None:
            return array.reshape(1, -1)
        return np.moveaxis(array.reshape(self.shape), self.axis, -1).reshape(-1, self.length)

    def join(self, rows: Floats, shared: bool = False) -> Floats:
        """Return (row, something) as an array of the shape, something along the axis.

        `shared`: one thing for all rows; every length is 1.
        """
        if self.size is None or shared:
            if rows.size == 1:
                return rows.reshape((1,) * len(self.shape))
            return rows.reshape(self.shape)
        moved = self.shape[: self.axis] + self.shape[self.axis + 1 :]
        return np.moveaxis(rows.reshape(*moved, rows.shape[1]), -1, self.axis)

    def pieces(self) -> Iterator[tuple[slice, slice, slice]]:
        """Yield (rows, elements, blocks) of about PIECE elements: whole blocks, or parts of one.

        The elements of a piece have blocks of one length: a shorter last block comes alone.
        """
        whole = self.length // self.block * self.block
        step = max(PIECE // self.block, 1) * self.block
        yield from self._grid(0, whole, min(step, whole) if whole else 0)
        if whole < self.length:
            yield from self._grid(whole, self.length, self.length - whole)

    def block_pieces(self) -> Iterator[tuple[slice, slice, slice]]:
        """As `pieces`, but never a part of a block."""
        return self.pieces() if self.block <= PIECE else self._whole_blocks()

    def _whole_blocks(self) -> Iterator[tuple[slice, slice, slice]]:
        for row in range(self.count):
            whole = self.length // self.block * self.block
            step = max(PIECE // self.block, 1) * self.block
            for first in [*range(0, whole, step), *([whole] if whole < self.length else [])]:
                last = min(first + step, whole) if first < whole else self.length
                blocks = slice(first // self.block, -(-last // self.block))
                yield slice(row, row + 1), slice(first, last), blocks

    def _grid(self, start: int, stop: int, step: int) -> Iterator[tuple[slice, slice, slice]]:
        if stop == start:
            return
        many = max(PIECE // step, 1) if step == stop - start else 1
        for row in range(0, self.count, many):
            for first in range(start, stop, step):
                last = min(first + step, stop)
                blocks = slice(first // self.block, -(-last // self.block))
                yield from self._parts(slice(row, min(row + many, self.count)), first, last, blocks)

    def _parts(
        self, rows: slice, first: int, last: int, blocks: slice
    ) -> Iterator[tuple[slice, slice, slice]]:
        if blocks.stop - blocks.start > 1 or last - first <= PIECE:
            yield rows, slice(first, last), blocks
            return
        for start in range(first, last, PIECE):
            yield rows, slice(start, min(start + PIECE, last)), blocks


def in_blocks(piece: Floats, blocks: int) -> Floats:
    """Return a piece (row, element) as (row, block, element)."""
    return piece.reshape(piece.shape[0], blocks, -1)
