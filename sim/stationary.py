"""Floor 3: what a weight-stationary array is driven with, and what it must deliver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.design import WeightStationaryArray
from sim.expected import Model, output_bits
from sim.ports import Bits, code_bits
from sim.vectors import EXHAUSTIVE_BITS, LONGEST_TILE, corner_codes, extreme_pairs, overflow_run

Codes = NDArray[np.uint16]
TILE_LENGTHS = (1, 1, 2, 3, 4, 5, 8, 12, 30)
"""Beats of a tile, besides as many as there are rows, which leave no bubble."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run between two resets.

    Parameters
    ----------
    weights
        Codes by tile, row and word of a beat (``columns · lane_count``).
    activations
        Codes by beat and word (``rows · lane_count``).
    swap, last
        Whether a beat is the first of a tile, or ends its sums; shape (beats,).
    weight_gap, gap
        Idle cycles before each beat of weights (tiles × rows of them), and of activations.
    ready
        Pattern of ``result_ready``, repeated; all False holds every result back.

    """

    weights: Codes
    activations: Codes
    swap: NDArray[np.bool_]
    last: NDArray[np.bool_]
    weight_gap: NDArray[np.int64]
    gap: NDArray[np.int64]
    ready: NDArray[np.bool_]

    @property
    def delivers(self) -> bool:
        """Whether results are taken."""
        return bool(self.ready.any())


def is_exhaustive(design: WeightStationaryArray, vectors: int) -> bool:
    """Whether so many results let every lane of every cell see every pair of codes."""
    bits = design.weight.bits + design.activation.bits
    return bits <= EXHAUSTIVE_BITS and vectors >= design.columns << bits


def runs(design: WeightStationaryArray, vectors: int, seed: int) -> list[Run]:
    """Return runs that deliver about so many results, counted per column.

    Every pair of codes in every lane if `vectors` allows it, sums beyond the accumulator, tiles of
    one to many beats with corners mixed in, back to back and with gaps on either stream, results
    taken at once, hesitantly, and not at all before a reset.
    """
    rng = np.random.default_rng(seed)
    found = [_beyond(design, rng), _random(design, 60, rng, (0.3, 0.3), 0.0)]
    if is_exhaustive(design, vectors):
        found.append(_pairs(design, rng))
    left = max(vectors // design.columns, 40)
    for share, gaps, ready in (
        (0.4, (0.0, 0.0), 1.0),
        (0.3, (0.2, 0.2), 0.6),
        (0.2, (0.0, 0.5), 1.0),
        (0.2, (0.3, 0.0), 0.25),
    ):
        found.append(_random(design, int(left * share * 1.7) + 1, rng, gaps, ready))
    return found


def _random(
    design: WeightStationaryArray,
    beats: int,
    rng: np.random.Generator,
    gaps: tuple[float, float],
    ready: float,
) -> Run:
    """Return random tiles; about two of three beats end their sums."""
    lengths: list[int] = []
    while sum(lengths) < beats:
        lengths.append(int(rng.choice([design.rows, *TILE_LENGTHS])))
    swap = np.zeros(sum(lengths), np.bool_)
    swap[np.cumsum([0, *lengths[:-1]])] = True
    last = rng.random(len(swap)) < rng.choice([0.1, 0.5, 1.0], size=len(swap), p=[0.2, 0.2, 0.6])
    last[-1] = True
    shape = (len(lengths), design.rows, design.columns * design.lane_count)
    weights = _codes(design.weight, shape, rng)
    activations = _codes(design.activation, (len(swap), design.lanes), rng)
    return _run(design, weights, activations, swap, last, rng, gaps, ready)


def _codes(format: Any, shape: tuple[int, ...], rng: np.random.Generator) -> Codes:
    codes = rng.integers(1 << format.bits, size=shape, dtype=np.uint16)
    corners = rng.choice(corner_codes(format), size=shape)
    chance = rng.choice(
        [0.1, 0.5, 1.0], size=(shape[0], *(1,) * (len(shape) - 1)), p=[0.8, 0.1, 0.1]
    )
    return np.where(rng.random(shape) < chance, corners, codes).astype(np.uint16)


def _beyond(design: WeightStationaryArray, rng: np.random.Generator) -> Run:
    """Return sums of the most extreme products that leave the accumulator, as far as they can."""
    run = overflow_run(design)
    run = run if 0 < run <= LONGEST_TILE else 8
    pairs = extreme_pairs(design)
    shape = (len(pairs), design.rows, design.columns * design.lane_count)
    weights, activations = np.zeros(shape, np.uint16), np.zeros((0, design.lanes), np.uint16)
    for number, (weight, activation) in enumerate(pairs):
        weights[number] = weight
        block = np.full((run, design.lanes), activation, np.uint16)
        activations = np.concatenate([activations, block])
    swap, last = np.zeros(len(activations), np.bool_), np.zeros(len(activations), np.bool_)
    swap[::run], last[run - 1 :: run] = True, True
    return _run(design, weights, activations, swap, last, rng, (0.0, 0.0), 1.0)


def _pairs(design: WeightStationaryArray, rng: np.random.Generator) -> Run:
    """Return tiles under which each lane of each cell multiplies every pair of codes."""
    held, sent = 1 << design.weight.bits, 1 << design.activation.bits
    words = (design.rows, design.columns * design.lane_count)
    begin = rng.integers(held, size=words)
    weights = (np.arange(held)[:, None, None] + begin) % held
    step = np.tile(np.arange(sent), held)[:, None]
    activations = (step + rng.integers(sent, size=design.lanes)) % sent
    swap = np.zeros(held * sent, np.bool_)
    swap[::sent] = True
    ends = np.ones(held * sent, np.bool_)
    codes = weights.astype(np.uint16), activations.astype(np.uint16)
    return _run(design, *codes, swap, ends, rng, (0.0, 0.0), 1.0)


def _run(
    design: WeightStationaryArray,
    weights: Codes,
    activations: Codes,
    swap: NDArray[np.bool_],
    last: NDArray[np.bool_],
    rng: np.random.Generator,
    gaps: tuple[float, float],
    ready: float,
) -> Run:
    waits = []
    for count, share in zip((len(weights) * design.rows, len(swap)), gaps, strict=True):
        waits.append(np.where(rng.random(count) < share, rng.integers(1, 6, count), 0))
    pattern = rng.random(997) < ready
    return Run(weights, activations, swap, last, waits[0], waits[1], pattern)


def words(design: WeightStationaryArray, run: Run) -> tuple[Bits, Bits]:
    """Return the bits of the beats: weights, and ``swap``, ``last`` and activations."""
    weights = run.weights.reshape(-1, design.columns * design.lane_count)
    control = np.stack([run.swap, run.last], axis=1).astype(np.uint8)
    codes = code_bits(run.activations, design.activation.bits)
    return code_bits(weights, design.weight.bits), np.concatenate([control, codes], axis=1)


def results(design: WeightStationaryArray, driven: Sequence[Run], model: Model) -> list[Bits]:
    """Return what each run delivers: a word of all columns' sums and flags per ended sum."""
    found = []
    for run in driven:
        chosen = slice(0, int(np.flatnonzero(run.last)[-1]) + 1)
        weights, codes = _columns(design, run), run.activations[chosen]
        at, ends = (np.cumsum(run.swap) - 1)[chosen], run.last[chosen]
        columns = []
        for column in range(design.columns):
            shown = model(design, weights[at, :, column], codes, ends).take(np.flatnonzero(ends))
            columns.append(output_bits(design, shown))
        names = ("total", *design.flags)
        parts = [np.concatenate([c[name] for c in columns[::-1]], axis=1) for name in names]
        word = np.concatenate(parts, axis=1)
        found.append(word if run.delivers else word[:0])
    return found


def _columns(design: WeightStationaryArray, run: Run) -> Codes:
    """Return weights by tile, k and column."""
    tiles, rows, _ = run.weights.shape
    by_lane = run.weights.reshape(tiles, rows, design.columns, design.lane_count)
    return by_lane.transpose(0, 1, 3, 2).reshape(tiles, design.lanes, design.columns)


def prepared(
    design: WeightStationaryArray, vectors: int, seed: int, model: Model
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arrays of a bench case and what its manifest says of them."""
    driven = runs(design, vectors, seed)
    arrays: dict[str, Any] = {}
    for i, (run, word) in enumerate(zip(driven, results(design, driven, model), strict=True)):
        arrays[f"weights{i}"], arrays[f"words{i}"] = words(design, run)
        arrays[f"weight_gap{i}"], arrays[f"gap{i}"] = run.weight_gap, run.gap
        arrays[f"ready{i}"], arrays[f"result{i}"] = run.ready, word
    entry = {
        "kind": "stationary",
        "segments": len(driven),
        "rows": design.rows,
        "columns": design.columns,
        "exhaustive": is_exhaustive(design, vectors),
    }
    return arrays, entry
