"""Floor 3: what dot products by binary planes are driven with, and must show (`sim.cycles`).

Dot products of random precision, signs and length follow each other; precision ports carry noise
but at the one edge where they count (`hw.design.BitPlane`). A thorough run has idle cycles, with
noise on all other inputs, and dot products that a reset cuts short.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.design.bitplane import BitPlane
from hw.formats import Format
from sim.cycles import CycleStimulus
from sim.ports import Bits, code_bits, input_layout, limb_bits, output_layout

EXHAUSTIVE_BITS = 16
"""Every combination of operands is driven when all lanes have at most this many bits together."""
LONGEST = 1 << 18
"""Cycles spent at most on that."""
IDLE_SHARE = 0.1
RESETS = 6
CHUNKS = (1, 1, 1, 1, 2, 2, 3, 5)

_CORNERS = np.array(
    [
        (0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0),
        (0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0),
        (0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1),
    ],
    np.uint16,
)
"""Of the greatest code t: 0, t, t // 2 + 1 (the most negative), t // 2 and 1."""

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Side:
    """One operand of many dot products.

    Parameters
    ----------
    bits, signed
        Precision of each dot product, shape (dots,).
    codes
        Of every chunk, shape (chunks, rows or columns, lanes).

    """

    bits: Whole
    signed: Whole
    codes: NDArray[np.uint16]

    def values(self, chunks: Whole, bipolar: bool) -> Whole:
        """Return the integers of the codes."""
        bits, signed = (np.repeat(w, chunks)[:, None, None] for w in (self.bits, self.signed))
        codes = self.codes.astype(np.int64)
        if bipolar:
            return 2 * codes - ((1 << bits) - 1)
        return codes - ((codes >> (bits - 1) & signed) << bits)


@dataclass(frozen=True, slots=True)
class Dots:
    """Dot products: chunks of each, shape (dots,), and their operands."""

    chunks: Whole
    weight: Side
    activation: Side

    def totals(self, design: BitPlane) -> NDArray[np.uint64]:
        """Return the dot products modulo 2**64, shape (dots, rows, columns)."""
        weight, activation = (
            side.values(self.chunks, design.is_bipolar) for side in (self.weight, self.activation)
        )
        sums = np.einsum("trl,tcl->trc", activation, weight)
        return np.add.reduceat(sums, _starts(self.chunks), axis=0).astype(np.uint64)


@dataclass(frozen=True, slots=True)
class Played:
    """Where dot products stand in a run.

    Parameters
    ----------
    dot, chunk, weight_plane, activation_plane, last, row
        Of every cycle with a chunk: its dot product, chunk, planes, whether it is the last chunk of
        its pass, and the row of the run.
    begin
        Row at which the precision of each dot product is read.
    end
        Row of the last chunk of each dot product, -1 if a reset cuts it short.
    reset
        Rows with a reset.
    rows
        Length of the run.

    """

    dot: Whole
    chunk: Whole
    weight_plane: Whole
    activation_plane: Whole
    last: NDArray[np.bool_]
    row: Whole
    begin: Whole
    end: Whole
    reset: Whole
    rows: int


def stimulus(design: BitPlane, vectors: int, seed: int, thorough: bool) -> CycleStimulus:
    """Return a run of a design of binary planes; see `sim.cycles.stimulus`."""
    rng = np.random.default_rng(seed)
    every = every_dot(design, rng) if thorough else None
    dots = every or random_dots(design, max(-(-vectors // design.cores), 1), rng)
    played = play(design, dots, rng, thorough and every is None)
    results = int((played.end >= 0).sum()) * design.cores
    words, shown = _words(design, dots, played, rng, thorough), _expected(design, dots, played)
    return CycleStimulus(words, shown, results, exhaustive=every is not None)


def random_dots(design: BitPlane, count: int, rng: np.random.Generator) -> Dots:
    """Return dot products of uniform and of extreme operands, in random precision."""
    chunks = rng.choice(CHUNKS, size=count)
    sides = []
    for format, serial, copies in _sides(design):
        bits, signed = _settled(format, count)
        if serial:
            drawn = rng.integers(1, format.bits + 1, count)
            bits = np.where(rng.random(count) < 0.3, bits, drawn)
            signed = rng.integers(2, size=count)
        codes = _codes(np.repeat(bits, chunks), (copies, design.lanes), rng)
        sides.append(Side(bits, signed, codes))
    return Dots(chunks, *sides)


def _codes(bits: Whole, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint16]:
    """Return codes of so many bits each: uniform, with corners mixed in, or corners only."""
    top = (np.int64(1) << bits)[:, None, None].astype(np.uint32)
    whole = (len(bits), *shape)
    codes = rng.integers(1 << 16, size=whole, dtype=np.uint16) % top
    which, mode = rng.integers(16, size=whole, dtype=np.uint8), rng.random((len(bits), 1, 1))
    factor, shift, more = _CORNERS[:, which]
    corners = ((top - 1) * factor >> shift) + more
    mixed = (mode < 0.2) & (which % 2 == 0) | (mode < 0.1)
    one = np.where(mode > 0.9, corners[:, :1, :1], codes)
    return np.where(mixed, corners, one).astype(np.uint16)


def every_dot(design: BitPlane, rng: np.random.Generator) -> Dots | None:
    """Return every combination of operands in every precision, None if they are too many.

    In the order of chance; one chunk each.
    """
    if design.cores > 1:
        return None
    lanes = design.lanes
    grids = []
    for format, serial, _ in _sides(design):
        widths = range(1, format.bits + 1) if serial else (format.bits,)
        signs = (0, 1) if serial and not design.is_bipolar else (int(format.signed),)
        grids.append(list(product(widths, signs)))
    parts, cycles = [], 0
    for (wide, negative), (bits, signed) in product(*grids):
        if lanes * (wide + bits) > EXHAUSTIVE_BITS:
            return None
        count = 1 << lanes * (wide + bits)
        cycles += count * len(design.passes(wide, bits))
        if cycles > LONGEST:
            return None
        codes = np.arange(count)
        fields = [codes >> wide * k & (1 << wide) - 1 for k in range(lanes)]
        fields += [codes >> lanes * wide + bits * k & (1 << bits) - 1 for k in range(lanes)]
        parts.append((np.tile([[wide, negative, bits, signed]], (count, 1)), np.stack(fields, 1)))
    settings, codes = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    order = rng.permutation(len(settings))
    settings, words = settings[order], codes[order].astype(np.uint16)[:, None]
    weight = Side(settings[:, 0], settings[:, 1], words[:, :, :lanes])
    activation = Side(settings[:, 2], settings[:, 3], words[:, :, lanes:])
    return Dots(np.ones(len(settings), np.int64), weight, activation)


def play(design: BitPlane, dots: Dots, rng: np.random.Generator, thorough: bool) -> Played:
    """Return the cycles of dot products one after the other, in a thorough run with gaps."""
    table, lengths = _passes(design)
    passes = lengths[dots.weight.bits, dots.activation.bits]
    full = passes * dots.chunks
    length, count = full.copy(), len(full)
    if thorough:
        cut = rng.choice(count, size=min(RESETS, count // 2), replace=False)
        length[cut] = rng.integers(1, full[cut] + 1) - (rng.random(len(cut)) < 0.5)
    else:
        cut = np.zeros(0, np.int64)
    is_cut = np.zeros(count, np.bool_)
    is_cut[cut] = length[cut] < full[cut]
    dot = np.repeat(np.arange(count), length)
    place = np.arange(len(dot)) - np.repeat(_starts(length), length)
    chunks = dots.chunks[dot]
    planes = table[dots.weight.bits[dot], dots.activation.bits[dot], place // chunks]
    gap = np.zeros(len(dot), np.int64)
    if thorough:
        gap = np.where(rng.random(len(dot)) < IDLE_SHARE, rng.integers(1, 4, len(dot)), 0)
    after = np.searchsorted(dot, np.flatnonzero(is_cut) + 1)
    after = after[after < len(dot)]
    gap[:1] += 1
    gap[after] += 1
    row = np.cumsum(gap + 1) - 1
    rows = int(row[-1]) + 3 if len(row) else 3
    begin = np.full(count, -1)
    start = _starts(length)
    begin[length > 0] = row[start[length > 0]] - 1
    end = np.where(is_cut | (length == 0), -1, row[np.maximum(start + length - 1, 0)])
    return Played(
        dot,
        place % chunks + _starts(dots.chunks)[dot],
        planes[:, 0],
        planes[:, 1],
        place % chunks == chunks - 1,
        row,
        begin,
        end,
        np.unique(row[after] - gap[after]),
        rows,
    )


def _words(
    design: BitPlane, dots: Dots, played: Played, rng: np.random.Generator, noisy: bool
) -> Bits:
    """Return the inputs of every row; what does not count is noise: of precision, or of all."""
    layout, rows = input_layout(design), played.rows
    words = np.zeros((rows, layout.width), np.uint8)
    settings = [layout.column(f.name) for f in layout.fields if f.name.endswith(("bits", "signed"))]
    if noisy:
        settings = [slice(0, layout.width)]
    for column in settings:
        words[:, column] = rng.integers(2, size=words[:, column].shape, dtype=np.uint8)
    valid, reset = np.zeros(rows, np.uint8), np.zeros(rows, np.uint8)
    valid[played.row], reset[played.reset] = 1, 1
    valid[played.reset] = rng.integers(2, size=len(played.reset))
    words[:, layout.column("rst")] = reset[:, None]
    words[:, layout.column("valid")] = valid[:, None]
    words[played.row, layout.column("last")] = played.last[:, None]
    known = {field.name for field in layout.fields}
    for name, side, plane, (format, serial, _) in zip(
        ("weight", "activation"),
        (dots.weight, dots.activation),
        (played.weight_plane, played.activation_plane),
        _sides(design),
        strict=True,
    ):
        codes = side.codes[played.chunk].reshape(len(played.row), -1)
        if serial:
            bits = (codes[:, ::-1] >> plane[:, None].astype(np.uint16) & 1).astype(np.uint8)
        else:
            bits = code_bits(codes, format.bits)
        words[played.row, layout.column(name)] = bits
        begun = played.begin >= 0
        for port, value in ((f"{name}_bits", side.bits - 1), (f"{name}_signed", side.signed)):
            if port in known:
                column = layout.column(port)
                shown = code_bits(value[begun, None], column.stop - column.start)
                words[played.begin[begun], column] = shown
    return words


def _expected(design: BitPlane, dots: Dots, played: Played) -> Bits:
    """Return the outputs after every row."""
    rows, bits = played.rows, design.accumulator_bits
    totals = dots.totals(design).reshape(-1, 1)
    cells = limb_bits(totals, bits).reshape(len(dots.chunks), design.cores, bits)
    shown = np.concatenate([cells[:, ::-1].reshape(len(cells), -1), _zeros(design)])
    latest = np.full(rows, -1)
    latest[played.end[played.end >= 0]] = np.flatnonzero(played.end >= 0)
    latest[played.reset] = len(cells)
    latest[0] = len(cells) if latest[0] == -1 else latest[0]
    moment = np.maximum.accumulate(np.where(latest == -1, 0, np.arange(rows)))
    fresh = np.zeros((rows, 1), np.uint8)
    fresh[played.end[played.end >= 0]] = 1
    return output_layout(design).pack({"total_valid": fresh, "total": shown[latest[moment]]})


def _zeros(design: BitPlane) -> Bits:
    return np.zeros((1, design.cores * design.accumulator_bits), np.uint8)


def _sides(design: BitPlane) -> tuple[tuple[Format, bool, int], ...]:
    """Return of each operand its widest format, whether it comes in planes, and its copies."""
    return (
        (design.weight, design.serial_weight, design.columns),
        (design.activation, design.serial_activation, design.rows),
    )


def _settled(format: Format, count: int) -> tuple[Whole, Whole]:
    """Return bits and sign of an operand in its widest format."""
    return np.full(count, format.bits), np.full(count, int(format.signed))


def _starts(lengths: Whole) -> Whole:
    found: Whole = np.cumsum(lengths) - lengths
    return found


@lru_cache(maxsize=64)
def _passes(design: BitPlane) -> tuple[NDArray[Any], Whole]:
    """Return planes of each pass, and their number, by bits of the weights and activations."""
    wide, bits = design.weight.bits, design.activation.bits
    most = len(design.passes(wide, bits))
    table = np.zeros((wide + 1, bits + 1, most, 2), np.int64)
    lengths = np.zeros((wide + 1, bits + 1), np.int64)
    for w, a in product(range(1, wide + 1), range(1, bits + 1)):
        passes = design.passes(w, a)
        lengths[w, a] = len(passes)
        for number, one in enumerate(passes):
            table[w, a, number] = one.weight_plane or 0, one.activation_plane or 0
    return table, lengths
