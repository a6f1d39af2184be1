"""Floor 2b: whole tiles of an array."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.design import Design
from sim.golden.outputs import Outputs, blank, checked_codes
from sim.golden.vector import run_steps

Codes = NDArray[np.unsignedinteger]

STEPS_AT_ONCE = 1 << 18


def run_tiles(design: Design, weights: ArrayLike, activations: ArrayLike) -> Outputs:
    """Return the results of tiles of an array: outputs of shape (tiles, rows, columns).

    Parameters
    ----------
    design
        Its cells add one product per lane and beat.
    weights
        Codes, shape (tiles, k, columns). A beat takes as many k as the design has lanes.
    activations
        Codes, shape (tiles, rows, k).

    Raises
    ------
    ValueError
        As `run_steps`.

    """
    left = checked_codes("weights", weights, design.weight.bits, (None, None, None))
    tiles, terms, columns = left.shape
    wanted = (tiles, None, terms)
    right = checked_codes("activations", activations, design.activation.bits, wanted)
    rows = right.shape[1]
    if not terms or terms % design.lanes:
        raise ValueError(f"a tile has whole beats of {design.lanes} k, not {terms}")
    shape = (tiles, rows, columns, terms)
    pairs = (
        np.broadcast_to(left.transpose(0, 2, 1)[:, None], shape),
        np.broadcast_to(right[:, :, None], shape),
    )
    at_once = max(STEPS_AT_ONCE // max(rows * columns * terms, 1), 1)
    parts = [
        _tile_ends(design, *(codes[start : start + at_once] for codes in pairs))
        for start in range(0, tiles, at_once)
    ]
    return _joined(design, parts).shaped(tiles, rows, columns)


def _tile_ends(design: Design, weights: Codes, activations: Codes) -> Outputs:
    lanes = design.lanes
    beats = weights.shape[-1] // lanes
    last = np.arange(weights.size // lanes) % beats == beats - 1
    shown = run_steps(design, weights.reshape(-1, lanes), activations.reshape(-1, lanes), last)
    return shown.take(slice(beats - 1, None, beats))


def _joined(design: Design, parts: list[Outputs]) -> Outputs:
    every = [blank(design, 0), *parts]
    return Outputs(
        np.concatenate([part.total for part in every]),
        np.concatenate([part.total_valid for part in every]),
        {name: np.concatenate([part.flags[name] for part in every]) for name in design.flags},
        np.concatenate([part.exponent for part in every]),
    )
