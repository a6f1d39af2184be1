"""Floor 3: what a dot product with constant weights is driven with and must show (`sim.cycles`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw.design.constant_dot import ConstantDot
from sim.bits import split_words, word_bits
from sim.cycles import CycleStimulus
from sim.golden import constant_dot as golden
from sim.ports import input_layout, output_layout

EXHAUSTIVE_BITS = 16
IDLE_SHARE, RESET_SHARE, CORNER_SHARE = 0.1, 0.02, 0.2


def stimulus(design: ConstantDot, vectors: int, seed: int, thorough: bool = True) -> CycleStimulus:
    """Return a run; see `sim.cycles.stimulus`.

    A thorough run starts with every combination of at most 16 bits of activations, or with all
    activations at each corner, alone and together.
    """
    rng = np.random.default_rng([seed, 31])
    bits, lanes = design.activation.bits, design.lanes
    exhaustive = thorough and bits * lanes <= EXHAUSTIVE_BITS
    codes = rng.integers(0, 1 << bits, (vectors, lanes))
    corners = np.array([0, 1, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1])
    drawn = rng.choice(corners, codes.shape)
    codes = np.where(rng.random(codes.shape) < CORNER_SHARE, drawn, codes)
    if exhaustive:
        every = np.arange(1 << bits * lanes)
        codes = np.concatenate([split_words(every, bits, lanes), codes])
    elif thorough:
        alone = [np.eye(lanes, dtype=np.int64) * corner for corner in corners]
        codes = np.concatenate([*alone, np.repeat(corners[:, None], lanes, 1), codes])
    first = len(codes) - vectors
    valid, reset = rng.random(len(codes)) >= IDLE_SHARE, rng.random(len(codes)) < RESET_SHARE
    valid[:first], reset[:first] = True, False
    return _run(design, codes, valid, reset, exhaustive)


def _run(
    design: ConstantDot,
    codes: NDArray[np.int64],
    valid: NDArray[np.bool_],
    reset: NDArray[np.bool_],
    exhaustive: bool,
) -> CycleStimulus:
    words = input_layout(design).pack(
        {
            "rst": word_bits(reset, 1),
            "valid": word_bits(valid, 1),
            "activation": word_bits(codes, design.activation.bits),
        }
    )
    shown = valid & ~reset
    expected = output_layout(design).pack(
        {
            "total": word_bits(golden.totals_of_many(design, codes), design.total_bits),
            "total_valid": word_bits(shown, 1),
        }
    )
    return CycleStimulus(words, expected, int(shown.sum()), exhaustive)
