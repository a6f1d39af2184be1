"""Floor 3: what a serial design is driven with and must show, cycle by cycle.

A serial design (`hw.design.SerialDesign`) is open loop: a run is a word of inputs and a word of
outputs for every clock cycle. Row t of the outputs is what is visible after rising edge t, at which
row t of the inputs was applied; before the first edge all registers hold their reset values.
Each kind has a module in `sim` with a function `stimulus`; `MODULES` names it.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.design import SerialDesign
from sim.ports import Bits

VISIBLE_AFTER = 1
"""Edges from a word to what the bench sees of it: outputs are read just before the next edge."""

MODULES: dict[str, str] = {
    "bitplane": "sim.bitplane",
    "bitmod": "sim.bitmod",
    "bitmodtile": "sim.bitmod_tile",
    "memory": "sim.memory",
    "constdot": "sim.constant_dot",
    "square": "sim.square",
}
"""By kind of design: the module with ``stimulus(design, vectors, seed, thorough)``."""


@dataclass(frozen=True, slots=True)
class CycleStimulus:
    """One run from reset.

    Parameters
    ----------
    words
        Inputs of every cycle, as `sim.ports.input_layout` packs them, shape (cycles, bits).
    expected
        Outputs after every cycle, as `sim.ports.output_layout` packs them, shape (cycles, bits).
    vectors
        Results that the run compares.
    exhaustive
        Whether every combination of operands occurs.
    care
        Which output bits are defined; all by default. Its shape is that of `expected`.

    """

    words: Bits
    expected: Bits
    vectors: int
    exhaustive: bool = False
    care: Bits | None = None

    def __post_init__(self) -> None:
        """Reject what does not fit together."""
        if len(self.words) != len(self.expected) or self.words.ndim != 2:
            raise ValueError(
                f"a run has a word in and a word out for every cycle, not {self.words.shape} and "
                f"{self.expected.shape}"
            )
        if self.care is not None and self.care.shape != self.expected.shape:
            raise ValueError(
                f"care has the shape of the outputs, {self.expected.shape}, not {self.care.shape}"
            )


def joined(parts: Sequence[CycleStimulus]) -> CycleStimulus:
    """Return runs one after the other: each must begin as the one before leaves the design."""
    cares = [np.ones_like(part.expected) if part.care is None else part.care for part in parts]
    return CycleStimulus(
        np.concatenate([part.words for part in parts]),
        np.concatenate([part.expected for part in parts]),
        sum(part.vectors for part in parts),
        care=np.concatenate(cares),
    )


@dataclass(frozen=True, slots=True)
class Streams:
    """Many runs of equal length, each from reset: shapes (streams, cycles, bits)."""

    words: NDArray[np.uint8]
    expected: NDArray[np.uint8]
    care: NDArray[np.uint8] | None
    vectors: int


def stimulus(design: SerialDesign, vectors: int, seed: int, thorough: bool = True) -> CycleStimulus:
    """Return a run of a serial design; the same arguments give the same run.

    Parameters
    ----------
    design
        What is driven.
    vectors
        About how many results to ask for.
    seed
        Of the random ones.
    thorough
        Whether to start with corners, every combination of operands of at most 16 bits, idle
        cycles and resets; else only biased random operands follow each other.

    Raises
    ------
    ValueError
        If the kind has no module that tells.

    """
    name = MODULES.get(design.kind)
    if name is None:
        raise ValueError(f"there is no bench for designs of the kind {design.kind}")
    run: CycleStimulus = importlib.import_module(name).stimulus(design, vectors, seed, thorough)
    return later(run, design.pipeline) if design.pipeline else run


def later(run: CycleStimulus, stages: int) -> CycleStimulus:
    """Return a run whose outputs come so many cycles later, before which they are not defined.

    It ends with idle cycles, so that the last results are seen.
    """
    care = np.ones_like(run.expected) if run.care is None else run.care
    before = np.zeros((stages, run.expected.shape[1]), run.expected.dtype)
    idle = np.zeros((stages, run.words.shape[1]), run.words.dtype)
    return CycleStimulus(
        np.concatenate([run.words, idle]),
        np.concatenate([before, run.expected]),
        run.vectors,
        run.exhaustive,
        np.concatenate([np.zeros((stages, care.shape[1]), care.dtype), care]),
    )


def streams(design: SerialDesign, count: int, vectors: int, seed: int) -> Streams:
    """Return `count` runs of about so many vectors in all, cut to the length of the shortest."""
    runs = [
        stimulus(design, max(vectors // count, 1), seed * count + number, False)
        for number in range(count)
    ]
    shortest = min(len(run.words) for run in runs)
    cares = [run.care for run in runs]
    care = None
    if any(care is not None for care in cares):
        whole = (np.ones_like(r.expected) if r.care is None else r.care for r in runs)
        care = np.stack([mask[:shortest] for mask in whole])
    return Streams(
        np.stack([run.words[:shortest] for run in runs]),
        np.stack([run.expected[:shortest] for run in runs]),
        care,
        sum(run.vectors * shortest // len(run.words) for run in runs),
    )
