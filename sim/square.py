"""Floor 3: what a sum of squares is driven with and must show (`sim.cycles`)."""

from __future__ import annotations

import numpy as np

from hw.design.square import SquareSum
from sim.bits import split_words, word_bits
from sim.cycles import CycleStimulus
from sim.golden import square as golden
from sim.ports import input_layout, output_layout

EXHAUSTIVE_BITS = 16
IDLE_SHARE, RESET_SHARE, LAST_SHARE, CORNER_SHARE = 0.1, 0.01, 0.05, 0.2
LONG = 300
"""Steps of all greatest squares, which leave an accumulator of the default terms."""


def stimulus(design: SquareSum, vectors: int, seed: int, thorough: bool = True) -> CycleStimulus:
    """Return a run; see `sim.cycles.stimulus`.

    A thorough run starts with every combination of at most 16 bits of operands, and a sum that
    leaves the accumulator if `LONG` steps can.
    """
    rng = np.random.default_rng([seed, 37])
    bits, lanes = design.activation.bits, design.lanes
    corners = np.array([0, 1, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1])
    codes = rng.integers(0, 1 << bits, (vectors, lanes))
    codes = np.where(
        rng.random(codes.shape) < CORNER_SHARE, rng.choice(corners, codes.shape), codes
    )
    exhaustive = thorough and bits * lanes <= EXHAUSTIVE_BITS
    first = []
    if exhaustive:
        first.append(split_words(np.arange(1 << bits * lanes), bits, lanes))
    if thorough:
        most = max(range(1 << bits), key=lambda code: design.activation.integer(code) ** 2)
        first.append(np.full((LONG, lanes), most))
    codes = np.concatenate([*first, codes])
    count, begin = len(codes), len(codes) - vectors
    valid, reset = rng.random(count) >= IDLE_SHARE, rng.random(count) < RESET_SHARE
    last = rng.random(count) < LAST_SHARE
    valid[:begin], reset[:begin] = True, False
    if thorough:
        last[begin - LONG - 1 : begin] = False
        last[begin - LONG - 1 if begin > LONG else 0] = begin > LONG
    total, ended, overflow = golden.run_many(design, reset, valid, last, codes)
    words = input_layout(design).pack(
        {
            "rst": word_bits(reset, 1),
            "valid": word_bits(valid, 1),
            "last": word_bits(last, 1),
            "activation": word_bits(codes, bits),
        }
    )
    shown = {
        "total": word_bits(total, design.accumulator_bits),
        "total_valid": word_bits(ended, 1),
    }
    shown |= {flag: word_bits(overflow, 1) for flag in design.flags}
    counted = int((valid & ~reset).sum())
    return CycleStimulus(words, output_layout(design).pack(shown), counted, exhaustive)
