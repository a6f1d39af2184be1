"""Floor 3: the model of the bench: what every output bit must be, from the golden results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.design import Design, Grid, OutputStationaryArray
from sim.golden.vector import Outputs
from sim.ports import (
    Bits,
    code_bits,
    input_layout,
    limb_bits,
    operand_bits,
    operand_words,
    output_layout,
)
from sim.vectors import CoreStimulus, Segment, Steps, join

Model = Callable[[Design, NDArray[Any], NDArray[Any], NDArray[np.bool_]], Outputs]
"""Golden arithmetic, as `sim.golden.vector.run_steps`: outputs after each of consecutive steps."""


def output_bits(design: Design, outputs: Outputs) -> dict[str, Bits]:
    """Return the bits of total, exponent and flags, by port name."""
    found = {"total": limb_bits(outputs.total, design.accumulator_bits)}
    if design.exponent_bits:
        found["exponent"] = code_bits(outputs.exponent[:, None], design.exponent_bits)
    for flag in design.flags:
        found[flag] = outputs.flags[flag].astype(np.uint8)[:, None]
    return found


def core_words(design: Design, stimulus: CoreStimulus, seed: int) -> Bits:
    """Return the input word of every cycle; operands and `last` are noise on idle cycles."""
    rng = np.random.default_rng(seed)
    cycles, steps = stimulus.cycles, stimulus.steps
    valid, last, reset = (np.zeros((cycles, 1), np.uint8) for _ in range(3))
    weights, activations = operand_words(design)
    weight = rng.integers(1 << design.weight.bits, size=(cycles, weights))
    activation = rng.integers(1 << design.activation.bits, size=(cycles, activations))
    last[:, 0] = rng.random(cycles) < 0.5
    valid[stimulus.cycle] = 1
    last[stimulus.cycle] = steps.last[:, None]
    weight[stimulus.cycle], activation[stimulus.cycle] = steps.weight, steps.activation
    reset[stimulus.reset] = 1
    valid[stimulus.reset] = rng.random((len(stimulus.reset), 1)) < 0.5
    return input_layout(design).pack(
        {
            "rst": reset,
            "valid": valid,
            "last": last,
            "weight": operand_bits(design, weight, design.weight.bits),
            "activation": operand_bits(design, activation, design.activation.bits),
        }
    )


def core_response(design: Design, stimulus: CoreStimulus, model: Model) -> Bits:
    """Return the output word that follows every cycle."""
    steps, cycles = stimulus.steps, stimulus.cycles
    ends = steps.last.copy()
    before = np.searchsorted(stimulus.cycle, stimulus.reset) - 1
    ends[before[before >= 0]] = True
    shown = _shown(design, Steps(steps.weight, steps.activation, ends), model)
    latest = np.full(cycles, -1)
    latest[stimulus.cycle] = np.arange(len(steps))
    latest[stimulus.reset] = -2
    moments = np.where(latest == -1, 0, np.arange(cycles))
    latest = latest[np.maximum.accumulate(moments)]
    total_valid = np.zeros((cycles, 1), np.uint8)
    total_valid[stimulus.cycle] = steps.last[:, None]
    alive = (latest >= 0)[:, None]
    held = {name: np.where(alive, bits[latest], 0) for name, bits in shown.items()}
    return output_layout(design).pack({"total_valid": total_valid, **held}).astype(np.uint8)


def _shown(design: Design, steps: Steps, model: Model) -> dict[str, Bits]:
    """Return the bits of every output after each step; the first cell in the lowest bits."""
    if not isinstance(design, Grid):
        return output_bits(design, model(design, steps.weight, steps.activation, steps.last))
    count = len(steps)
    parts = [cell_steps(design, steps, r, c) for r, c in _cells(design)]
    every = join(parts, design, cell=True)
    every.last[count - 1 :: count] = True
    found = output_bits(design, model(design, every.weight, every.activation, every.last))
    return {
        name: np.concatenate(np.split(bits, design.cores)[::-1], axis=1)
        for name, bits in found.items()
    }


def cell_steps(design: Grid, steps: Steps, row: int, column: int) -> Steps:
    """Return the steps of one cell: the words of its column and of its row."""
    lanes = design.lanes
    return Steps(
        steps.weight[:, column * lanes : (column + 1) * lanes],
        steps.activation[:, row * lanes : (row + 1) * lanes],
        steps.last,
    )


def array_words(design: OutputStationaryArray, steps: Steps) -> Bits:
    """Return the input word of every beat, with ``result_ready`` and ``rst`` low."""
    zero = np.zeros((len(steps), 1), np.uint8)
    return input_layout(design).pack(
        {
            "rst": zero,
            "result_ready": zero,
            "operands_valid": zero + 1,
            "operands_last": steps.last.astype(np.uint8)[:, None],
            "weight": code_bits(steps.weight, design.weight.bits),
            "activation": code_bits(steps.activation, design.activation.bits),
        }
    )


def array_response(
    design: OutputStationaryArray, segments: Sequence[Segment], model: Model
) -> list[Bits]:
    """Return the result beats each segment delivers: ``result_last`` and the payload as words."""
    cells = [
        join([_tiles(cell_steps(design, s.steps, r, c)) for s in segments], design, cell=True)
        for r, c in _cells(design)
    ]
    every = join(cells, design, cell=True)
    ends = np.flatnonzero(every.last)
    outputs = model(design, every.weight, every.activation, every.last).take(ends)
    shown = output_bits(design, outputs)
    tiles = [int(segment.steps.last.sum()) for segment in segments]
    kept = np.repeat([segment.delivers for segment in segments], tiles)
    beats = _beats(design, shown, sum(tiles))[kept]
    cuts = np.cumsum([t if s.delivers else 0 for s, t in zip(segments, tiles, strict=True)])
    return [part.reshape(-1, part.shape[-1]) for part in np.split(beats, cuts[:-1])]


def _cells(design: Grid) -> list[tuple[int, int]]:
    return [(r, c) for r in range(design.rows) for c in range(design.columns)]


def _tiles(steps: Steps) -> Steps:
    """Return the steps up to the last that ends a tile; the reset drops what follows."""
    ended = np.flatnonzero(steps.last)
    count = int(ended[-1]) + 1 if len(ended) else 0
    return Steps(steps.weight[:count], steps.activation[:count], steps.last[:count])


def _beats(design: OutputStationaryArray, shown: dict[str, Bits], tiles: int) -> Bits:
    """Return words of shape (tiles, rows, bits) from the cells' bits, which are cell by cell."""
    rows, columns = design.rows, design.columns
    last = np.zeros((tiles, rows, 1), np.uint8)
    last[:, -1] = 1
    parts = [last]
    for name in ("total", "exponent", *design.flags):
        if name in shown:
            cells = shown[name].reshape(rows, columns, tiles, -1)
            words = cells.transpose(2, 0, 1, 3)[:, :, ::-1]
            parts.append(words.reshape(tiles, rows, -1))
    return np.concatenate(parts, axis=2)
