"""Floor 3: what the benches drive: every pair of codes, corners, biased random, gaps and resets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from hw.accumulators import AccumulatorKind
from hw.design import Design, OutputStationaryArray
from hw.formats import Format, Special
from sim.ports import operand_words
from sim.scales import set_scales

Codes = NDArray[np.unsignedinteger]
Flags = NDArray[np.bool_]

EXHAUSTIVE_BITS = 16
"""Every pair of codes is driven when both operands have at most this many bits together."""
DEFAULT_VECTORS = 10_000
LONGEST_RUN = 150_000
"""Steps spent at most on driving one sum beyond its accumulator."""
LONGEST_TILE = 20_000
"""The same for a tile of an array."""
IDLE_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Steps:
    """Operands of consecutive steps of a core.

    Parameters
    ----------
    weight, activation
        Codes, shape (steps, words): a word per lane, in a grid per lane and column or row; the
        scale of an MX block is its last word.
    last
        Whether a step ends its sum, shape (steps,).

    """

    weight: Codes
    activation: Codes
    last: Flags

    def __len__(self) -> int:
        return len(self.last)


@dataclass(frozen=True, slots=True)
class CoreStimulus:
    """Steps of a MAC or dot product, spread over clock cycles.

    Parameters
    ----------
    steps
        What is accepted.
    cycle
        Clock cycle of each step; every other cycle is idle or resets.
    reset
        Cycles at which ``rst`` is high, and with it ``valid`` now and then.
    cycles
        Length of the run.
    exhaustive
        Whether every pair of codes occurs.

    """

    steps: Steps
    cycle: NDArray[np.int64]
    reset: NDArray[np.int64]
    cycles: int
    exhaustive: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """One run of an array between two resets.

    Parameters
    ----------
    steps
        Operand beats: weight (beats, columns), activation (beats, rows), last (beats,).
    gap
        Idle cycles before each beat.
    ready
        Pattern of ``result_ready``, repeated; all False holds every result back.

    """

    steps: Steps
    gap: NDArray[np.int64]
    ready: Flags

    @property
    def delivers(self) -> bool:
        """Whether results are taken."""
        return bool(self.ready.any())


def _operands(design: Design) -> list[tuple[Format, int]]:
    """Return each operand's format and how many codes of it a step brings."""
    return list(zip((design.weight, design.activation), operand_words(design), strict=True))


def corner_codes(format: Format) -> Codes:
    """Return codes at the edges of a format: extremes, zero, smallest, specials, bit patterns."""
    top = 1 << format.bits
    codes = {0, 1, top // 2 - 1, top // 2, (top // 2 + 1) % top, top - 1, top - 2}
    codes |= {format.encode(format.maximum), format.encode(format.minimum)}
    if format.has_specials:
        first = {format.special(code): code for code in reversed(range(top))}
        codes |= {code for special, code in first.items() if isinstance(special, Special)}
    return np.array(sorted(codes), np.uint16)


def random_steps(design: Design, count: int, rng: np.random.Generator) -> Steps:
    """Return random steps: uniform codes, corners mixed in, corners only, and single lanes."""
    mode = rng.random((count, 1))
    lane = rng.integers(design.lanes, size=(count, 1))
    drawn = []
    for format, words in _operands(design):
        single = lane != np.arange(words) % design.lanes
        codes = rng.integers(1 << format.bits, size=(count, words), dtype=np.uint16)
        corners = rng.choice(corner_codes(format), size=(count, words))
        mixed = (mode < 0.25) & (rng.random((count, words)) < 0.5) | (mode < 0.1)
        codes = np.where(mixed, corners, codes)
        drawn.append(np.where((mode > 0.9) & single, format.encode(0), codes).astype(np.uint16))
    set_scales(design, drawn[0], drawn[1], rng)
    return Steps(drawn[0], drawn[1], rng.random(count) < 1 / rng.integers(1, 40, size=count))


def uniform_steps(design: Design, count: int, rng: np.random.Generator) -> Steps:
    """Return steps of uniformly random codes, made as fast as random bytes."""
    drawn: list[Codes] = []
    for format, words in _operands(design):
        top, shape = 1 << format.bits, (count, words)
        if format.bits <= 8:
            drawn.append(rng.integers(top, size=shape, dtype=np.uint8))
        else:
            drawn.append(rng.integers(top, size=shape, dtype=np.uint16))
    set_scales(design, drawn[0], drawn[1], rng)
    return Steps(drawn[0], drawn[1], rng.integers(256, size=count, dtype=np.uint8) < 32)


def pair_steps(design: Design, rng: np.random.Generator) -> Steps:
    """Return every pair of codes once, in random order, in sums of random length."""
    weights, activations = 1 << design.weight.bits, 1 << design.activation.bits
    order = rng.permutation(weights * activations)
    weight, activation = np.divmod(order, activations)
    return Steps(
        weight.astype(np.uint16)[:, None],
        activation.astype(np.uint16)[:, None],
        rng.random(len(order)) < 0.1,
    )


def corner_steps(design: Design, rng: np.random.Generator) -> Steps:
    """Return corners × corners, the same pair in all lanes of all cells."""
    pairs = np.array(
        list(product(corner_codes(design.weight), corner_codes(design.activation))), np.uint16
    )
    weight, activation = (
        np.repeat(pairs[:, i : i + 1], words, axis=1)
        for i, words in enumerate(operand_words(design))
    )
    set_scales(design, weight, activation, rng)
    return Steps(weight, activation, rng.random(len(pairs)) < 0.2)


def overflow_run(design: Design) -> int:
    """Return the steps after which the largest products exceed the accumulator (0: too many)."""
    lanes = design.lanes
    if design.accumulator.kind in (AccumulatorKind.EXACT, AccumulatorKind.WINDOW):
        steps = (1 << design.accumulator.growth_bits) // lanes + 2
    else:
        largest = max(map(abs, design.product_bounds)) * lanes
        steps = (1 << (design.accumulator_bits - 1)) // largest + 2
    return 2 * steps if 2 * steps <= LONGEST_RUN else 0


def overflow_steps(design: Design, rng: np.random.Generator) -> Steps:
    """Return sums that pass the accumulator's upper and lower bound and come back."""
    run = overflow_run(design)
    parts = []
    for weight, activation in extreme_pairs(design) if run else ():
        weights, activations = operand_words(design)
        full = (
            np.full((run, weights), weight, np.uint16),
            np.full((run, activations), activation, np.uint16),
        )
        set_scales(design, *full, rng)
        parts.append(Steps(*full, np.zeros(run, np.bool_)))
        noise = random_steps(design, 64, rng)
        parts.append(Steps(noise.weight, noise.activation, np.arange(64) == 63))
        parts.append(random_steps(design, 64, rng))
    return join(parts, design)


def extreme_pairs(design: Design) -> list[tuple[int, int]]:
    """Return the codes of the largest and of the smallest product."""
    weights, activations = (
        (f.encode(f.maximum), f.encode(f.minimum)) for f in (design.weight, design.activation)
    )
    pairs = list(product(weights, activations))
    values = [design.weight.integer(w) * design.activation.integer(a) for w, a in pairs]
    return [pairs[int(np.argmax(values))], pairs[int(np.argmin(values))]]


def join(parts: list[Steps], design: Design, cell: bool = False) -> Steps:
    """Return steps one after the other, of a whole design or of one cell of it."""
    words = (design.operand_codes,) * 2 if cell else operand_words(design)
    weight, activation = (np.zeros((0, count), np.uint16) for count in words)
    return Steps(
        np.concatenate([weight, *(part.weight for part in parts)]),
        np.concatenate([activation, *(part.activation for part in parts)]),
        np.concatenate([np.zeros(0, np.bool_), *(part.last for part in parts)]),
    )


def is_exhaustive(design: Design) -> bool:
    """Whether every pair of codes of this design is driven."""
    return design.kind == "mac" and design.weight.bits + design.activation.bits <= EXHAUSTIVE_BITS


def core_stimulus(design: Design, vectors: int, seed: int) -> CoreStimulus:
    """Return the run of a MAC or dot product; the same seed gives the same run."""
    rng = np.random.default_rng(seed)
    exhaustive = is_exhaustive(design)
    parts = [corner_steps(design, rng), overflow_steps(design, rng)]
    left = max(vectors - sum(map(len, parts)), 0)
    parts.insert(0, pair_steps(design, rng) if exhaustive else random_steps(design, left, rng))
    steps = join(parts, design)
    gap = np.where(rng.random(len(steps)) < IDLE_SHARE, rng.integers(1, 4, len(steps)), 0)
    resets = np.sort(rng.choice(len(steps), size=min(4, len(steps)), replace=False))
    gap[0] += 2
    gap[resets] += 2
    cycle = np.cumsum(gap) + np.arange(len(steps))
    reset = np.unique(np.concatenate([[0], cycle[resets] - 1]))
    return CoreStimulus(steps, cycle, reset, int(cycle[-1]) + 4, exhaustive)


def array_stimulus(design: OutputStationaryArray, vectors: int, seed: int) -> list[Segment]:
    """Return runs of an array that deliver about `vectors` result words, with resets between.

    Tiles of one to many k, back to back and with gaps, results taken at once or hesitantly; one
    run is cut in the middle of a tile and one while its results wait.
    """
    rng = np.random.default_rng(seed)
    tiles = max(vectors // (design.rows * design.columns), 4)
    run = overflow_run(design)
    run = run if 0 < run <= LONGEST_TILE else 8
    everything = _tiles(design, [run, run, *_lengths(rng, 2)], rng, extremes=True)
    cut = _tiles(design, [5], rng)
    return [
        _segment(everything, rng, gaps=0.0, ready=1.0),
        _segment(Steps(cut.weight, cut.activation, np.zeros(5, np.bool_)), rng, 0.2, 1.0),
        _segment(_tiles(design, _lengths(rng, tiles // 2), rng), rng, gaps=0.2, ready=0.6),
        _segment(_tiles(design, [3], rng), rng, gaps=0.0, ready=0.0),
        _segment(_tiles(design, _lengths(rng, tiles // 4), rng), rng, gaps=0.0, ready=1.0),
        _segment(
            _tiles(design, _lengths(rng, tiles - tiles // 2 - tiles // 4), rng), rng, 0.3, 0.2
        ),
    ]


def _lengths(rng: np.random.Generator, tiles: int) -> list[int]:
    """Return a number of k for each tile, short ones more often."""
    return [int(k) for k in rng.choice([1, 2, 3, 4, 5, 8, 12, 17, 30], size=max(tiles, 1))]


def _tiles(
    design: OutputStationaryArray,
    lengths: list[int],
    rng: np.random.Generator,
    extremes: bool = False,
) -> Steps:
    beats = sum(lengths)
    drawn = []
    for format, words in _operands(design):
        codes = rng.integers(1 << format.bits, size=(beats, words), dtype=np.uint16)
        corners = rng.choice(corner_codes(format), size=(beats, words))
        drawn.append(np.where(rng.random((beats, words)) < 0.1, corners, codes).astype(np.uint16))
    if extremes:
        for i, pair in enumerate(extreme_pairs(design)):
            run = slice(sum(lengths[:i]), sum(lengths[: i + 1]))
            drawn[0][run], drawn[1][run] = pair
    last = np.zeros(beats, np.bool_)
    last[np.cumsum(lengths) - 1] = True
    return Steps(drawn[0], drawn[1], last)


def _segment(steps: Steps, rng: np.random.Generator, gaps: float, ready: float) -> Segment:
    count = len(steps)
    gap = np.where(rng.random(count) < gaps, rng.integers(1, 6, count), 0)
    pattern = rng.random(997) < ready
    return Segment(steps, gap.astype(np.int64), pattern)
