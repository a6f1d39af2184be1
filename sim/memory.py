"""Floor 3: what a memory is driven with and must show (`sim.cycles`).

Addresses cluster, so that words are read again, over the whole depth, its ends, and powers of two;
words are random, zeros and ones. Reads meet writes of the same address, which is not compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw.design.memory import Memory
from sim.cycles import CycleStimulus
from sim.golden import memory as golden
from sim.ports import Bits, input_layout

WRITE_SHARE, RESET_SHARE, NEAR_SHARE, CORNER_SHARE = 0.6, 0.02, 0.7, 0.2
NEAR = 16
"""Addresses of a cluster."""


def stimulus(design: Memory, vectors: int, seed: int, thorough: bool = True) -> CycleStimulus:
    """Return a run of a memory; see `sim.cycles.stimulus`.

    A thorough run first writes and reads every word of at most `vectors`.
    """
    rng = np.random.default_rng([seed, 23])
    sweep = np.arange(min(design.depth, vectors)) if thorough else np.arange(0)
    whole = len(sweep)
    count = 2 * whole + vectors
    written, asked = _addresses(design, rng, count), _addresses(design, rng, count)
    write, reset = rng.random(count) < WRITE_SHARE, rng.random(count) < RESET_SHARE
    written[:whole], write[:whole], reset[:whole] = sweep, True, False
    asked[whole : 2 * whole], write[whole : 2 * whole] = sweep, False
    words = (rng.random((count, design.width)) < 0.5).astype(np.uint8)
    words[rng.random(count) < 0.1] = 0
    words[rng.random(count) < 0.1] = 1
    return _run(design, reset, write, written, words, asked)


def _addresses(design: Memory, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    depth = design.depth
    corners = np.array([0, depth - 1, *(1 << n for n in range((depth - 1).bit_length()))])
    base = np.repeat(rng.integers(0, depth, -(-count // 64)), 64)[:count]
    near = (base + rng.integers(0, NEAR, count)) % depth
    found = np.where(rng.random(count) < NEAR_SHARE, near, rng.integers(0, depth, count))
    return np.where(rng.random(count) < CORNER_SHARE, rng.choice(corners, count), found)


def _run(
    design: Memory,
    reset: NDArray[np.bool_],
    write: NDArray[np.bool_],
    written: NDArray[np.int64],
    words: Bits,
    asked: NDArray[np.int64],
) -> CycleStimulus:
    layout = input_layout(design)
    packed = layout.pack(
        {
            "rst": reset[:, None].astype(np.uint8),
            "write_enable": write[:, None].astype(np.uint8),
            "write_address": _bits(written, design.address_bits),
            "write_data": words,
            "read_address": _bits(asked, design.address_bits),
        }
    )
    values = [int("".join(map(str, row)), 2) for row in words.tolist()]
    cycles = zip(
        reset.tolist(), write.tolist(), written.tolist(), values, asked.tolist(), strict=True
    )
    expected = np.zeros((len(words), design.width), np.uint8)
    care = np.zeros_like(expected)
    for row, shown in enumerate(golden.run(cycles)):
        if shown is not None:
            expected[row] = [shown >> bit & 1 for bit in reversed(range(design.width))]
            care[row] = 1
    return CycleStimulus(packed, expected, int(care[:, 0].sum()), care=care)


def _bits(values: NDArray[np.int64], width: int) -> Bits:
    """Return rows of bits, the highest first."""
    shifts = np.arange(width)[::-1]
    return (values[:, None] >> shifts & 1).astype(np.uint8)
