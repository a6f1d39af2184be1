"""Floor 2b: what a weight-stationary array shows for each beat of activations.

A column is a dot product (`hw.design`): a beat is one of its steps, whose weights are those of the
tile at work, row by row and lane by lane.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.design import WeightStationaryArray
from sim.golden.outputs import Outputs, checked_codes
from sim.golden.scalar import GoldenCore, Output
from sim.golden.vector import run_steps


def stationary_results(
    design: WeightStationaryArray,
    weights: Sequence[Sequence[Sequence[int]]],
    activations: Sequence[Sequence[int]],
    tile: Sequence[int],
    last: Sequence[bool],
) -> list[list[Output]]:
    """Return the output of every column after each beat, on Python integers.

    Parameters
    ----------
    design
        The array; k runs over ``rows · lane_count``.
    weights
        Codes by tile, k and column.
    activations
        Codes by beat and k.
    tile
        The tile at work in each beat.
    last
        Whether a beat ends the sums.

    Raises
    ------
    ValueError
        If there is not one code per k, or a code is not one of its format.

    """
    cores = [GoldenCore(design) for _ in range(design.columns)]
    return [
        [
            core.step([row[column] for row in weights[at]], codes, ends)
            for column, core in enumerate(cores)
        ]
        for codes, at, ends in zip(activations, tile, last, strict=True)
    ]


def run_stationary(
    design: WeightStationaryArray,
    weights: ArrayLike,
    activations: ArrayLike,
    tile: ArrayLike,
    last: ArrayLike,
) -> Outputs:
    """Return the same for whole arrays: outputs of shape (beats, columns).

    Parameters
    ----------
    design
        The array.
    weights
        Codes, shape (tiles, k, columns) with ``rows · lane_count`` k.
    activations
        Codes, shape (beats, k).
    tile
        The tile at work in each beat, shape (beats,).
    last
        Whether a beat ends the sums, shape (beats,).

    Raises
    ------
    ValueError
        For other shapes or codes that are not of their format.

    """
    lanes, columns = design.lanes, design.columns
    held = checked_codes("weights", weights, design.weight.bits, (None, lanes, columns))
    codes = checked_codes("activations", activations, design.activation.bits, (None, lanes))
    at, ends = np.asarray(tile), np.asarray(last, dtype=np.bool_)
    beats = len(codes)
    if at.shape != (beats,) or ends.shape != (beats,):
        raise ValueError(f"tile and last have one entry per beat, {beats}, not {at.shape}")
    if beats and not (at.min() >= 0 and at.max() < len(held)):
        raise ValueError(f"the tile of a beat lies in 0..{len(held) - 1}, not {at.max()}")
    steps = held[at].transpose(2, 0, 1).reshape(-1, lanes)
    cut = ends.copy()
    cut[-1:] = True
    shown = run_steps(design, steps, np.tile(codes, (columns, 1)), np.tile(cut, columns))
    found = shown.shaped(columns, beats)
    every = _by_beat(found)
    every.total_valid[:] = ends[:, None]
    return every


def _by_beat(found: Outputs) -> Outputs:
    """Return outputs of shape (beats, columns) from those of shape (columns, beats)."""

    def turned(array: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.ascontiguousarray(np.swapaxes(array, 0, 1))

    flags = {name: turned(flag).astype(np.bool_) for name, flag in found.flags.items()}
    return Outputs(
        turned(found.total).astype(np.uint64),
        turned(found.total_valid).astype(np.bool_),
        flags,
        turned(found.exponent).astype(np.int64),
    )
