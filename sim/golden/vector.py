"""Floor 2b: `sim.golden.scalar` for whole arrays at once, equal to it bit for bit.

`run_steps` takes the accepted steps of a core, `run_stream` its clock cycles, `run_dots` sums of one
step, `run_tiles` the tiles of an array. Sums run from one `last` to the next; the first step begins one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.design import Design
from sim.golden import sums
from sim.golden.flags import step_flags
from sim.golden.limbs import (
    Indices,
    Wide,
    Words,
    delayed,
    limb_ints,
    running,
    running_any,
    sign_extended,
)

Codes = NDArray[np.unsignedinteger]
Flags = NDArray[np.bool_]

STEPS_AT_ONCE = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What a core shows after each step, or clock edge.

    Parameters
    ----------
    total
        Signed totals as 64-bit words, lowest first, sign-extended: shape (…, words), as many words
        as ``accumulator_bits`` needs.
    total_valid
        Whether the step ended its sum, shape (…).
    flags
        The design's flags by name, shape (…) each.
    exponent
        Running maximum exponents of a window design, else zeros; shape (…).

    """

    total: Words
    total_valid: Flags
    flags: dict[str, Flags]
    exponent: NDArray[np.int64]

    def ints(self) -> list[int]:
        """Return the totals as Python integers, in flat order."""
        return limb_ints(self.total)

    def take(self, index: Any) -> Outputs:
        """Return the outputs of some steps."""
        flags = {name: flag[index] for name, flag in self.flags.items()}
        return Outputs(self.total[index], self.total_valid[index], flags, self.exponent[index])

    def shaped(self, *shape: int) -> Outputs:
        """Return the same outputs in another shape."""
        return Outputs(
            self.total.reshape(*shape, self.total.shape[-1]),
            self.total_valid.reshape(shape),
            {name: flag.reshape(shape) for name, flag in self.flags.items()},
            self.exponent.reshape(shape),
        )


def word_count(design: Design) -> int:
    """Return the 64-bit words of a total."""
    return -(-design.accumulator_bits // 64)


def run_steps(
    design: Design, weights: ArrayLike, activations: ArrayLike, last: ArrayLike
) -> Outputs:
    """Return what a core shows after each of its steps.

    Parameters
    ----------
    design
        The core; of an array, one cell.
    weights, activations
        Codes, shape (steps, lanes).
    last
        Whether a step ends its sum, shape (steps,).

    Raises
    ------
    ValueError
        For operands of another shape, or codes that are not of their format.

    """
    left = checked_codes("weights", weights, design.weight.bits, (None, design.lanes))
    right = checked_codes("activations", activations, design.activation.bits, left.shape)
    ends = np.asarray(last, dtype=np.bool_)
    if ends.shape != left.shape[:1]:
        raise ValueError(f"last has shape {left.shape[:1]}, one per step, not {ends.shape}")
    starts = np.flatnonzero(delayed(ends, np.zeros(0, np.intp))) if len(ends) else np.zeros(0, int)
    starts = np.concatenate([[0], starts[starts > 0]])[: len(ends) or None]
    if not len(ends):
        return _nothing(design)
    if design.is_window:
        total, overflow, exponent = _window(design, left, right, starts)
    else:
        total, overflow = _fixed(design, left, right, starts)
        exponent = np.zeros(len(ends), np.int64)
    flags = _flags(design, left, right, starts, overflow)
    return Outputs(total.limbs(word_count(design)), ends.copy(), flags, exponent)


def run_dots(design: Design, weights: ArrayLike, activations: ArrayLike) -> Outputs:
    """Return the outputs of sums of one step each: operands of shape (sums, lanes).

    Raises
    ------
    ValueError
        As `run_steps`.

    """
    return run_steps(design, weights, activations, np.ones(len(np.asarray(weights)), np.bool_))


def run_stream(
    design: Design,
    weights: ArrayLike,
    activations: ArrayLike,
    valid: ArrayLike,
    last: ArrayLike,
    reset: ArrayLike | None = None,
) -> Outputs:
    """Return what a core shows after each clock edge, given its inputs before that edge.

    Parameters
    ----------
    design
        The core; of an array, one cell.
    weights, activations
        Codes, shape (cycles, lanes); anything of that shape while not valid.
    valid, last, reset
        The ports of these names, shape (cycles,); `reset` clears everything and wins.

    Raises
    ------
    ValueError
        As `run_steps`.

    """
    clear = np.zeros(len(np.asarray(valid)), np.bool_) if reset is None else np.asarray(reset, bool)
    accepted = np.asarray(valid, dtype=np.bool_) & ~clear
    ends = np.asarray(last, dtype=np.bool_)
    cycle = np.flatnonzero(accepted)
    resets = np.cumsum(clear)[cycle]
    cut = np.append(np.diff(resets) > 0, False)[: len(cycle)]
    steps = run_steps(
        design, np.asarray(weights)[cycle], np.asarray(activations)[cycle], ends[cycle] | cut
    )
    latest = np.full(len(accepted), -1)
    latest[cycle] = np.arange(len(cycle))
    moments = np.where(accepted | clear, np.arange(len(accepted)), 0)
    latest = latest[np.maximum.accumulate(moments)]
    return _held(design, steps, latest, accepted & ends)


def _held(design: Design, steps: Outputs, latest: Indices, total_valid: Flags) -> Outputs:
    """Spread steps over cycles; -1 shows the state after a reset."""
    blank = latest < 0
    if not len(steps.total):
        return _blank(design, len(latest))
    shown = steps.take(np.maximum(latest, 0))
    for array in (shown.total, shown.exponent, *shown.flags.values()):
        array[blank] = 0
    return Outputs(shown.total, total_valid, shown.flags, shown.exponent)


def _nothing(design: Design) -> Outputs:
    return _blank(design, 0)


def _blank(design: Design, count: int) -> Outputs:
    flags = {name: np.zeros(count, np.bool_) for name in design.flags}
    total = np.zeros((count, word_count(design)), np.uint64)
    return Outputs(total, np.zeros(count, np.bool_), flags, np.zeros(count, np.int64))


def run_tiles(design: Design, weights: ArrayLike, activations: ArrayLike) -> Outputs:
    """Return the results of tiles of an array: outputs of shape (tiles, rows, columns).

    Parameters
    ----------
    design
        Its cells add one product per beat.
    weights
        Codes, shape (tiles, beats, columns).
    activations
        Codes, shape (tiles, rows, beats).

    Raises
    ------
    ValueError
        As `run_steps`.

    """
    left = checked_codes("weights", weights, design.weight.bits, (None, None, None))
    tiles, beats, columns = left.shape
    wanted = (tiles, None, beats)
    right = checked_codes("activations", activations, design.activation.bits, wanted)
    rows = right.shape[1]
    if not beats:
        raise ValueError("a tile has at least 1 beat, not 0")
    shape = (tiles, rows, columns, beats)
    pairs = (
        np.broadcast_to(left.transpose(0, 2, 1)[:, None], shape),
        np.broadcast_to(right[:, :, None], shape),
    )
    at_once = max(STEPS_AT_ONCE // max(rows * columns * beats, 1), 1)
    parts = [
        _tile_ends(design, *(codes[start : start + at_once] for codes in pairs))
        for start in range(0, tiles, at_once)
    ]
    return _joined(design, parts).shaped(tiles, rows, columns)


def _tile_ends(design: Design, weights: Codes, activations: Codes) -> Outputs:
    beats = weights.shape[-1]
    last = np.arange(weights.size) % beats == beats - 1
    shown = run_steps(design, weights.reshape(-1, 1), activations.reshape(-1, 1), last)
    return shown.take(slice(beats - 1, None, beats))


def _joined(design: Design, parts: list[Outputs]) -> Outputs:
    every = [_nothing(design), *parts]
    return Outputs(
        np.concatenate([part.total for part in every]),
        np.concatenate([part.total_valid for part in every]),
        {name: np.concatenate([part.flags[name] for part in every]) for name in design.flags},
        np.concatenate([part.exponent for part in every]),
    )


def checked_codes(what: str, codes: ArrayLike, bits: int, shape: tuple[int | None, ...]) -> Codes:
    """Return codes as an array; None in `shape` is any length.

    Raises
    ------
    ValueError
        For another shape, numbers that are not integers, or codes that are not of the format.

    """
    array = np.asarray(codes)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{what} are integer codes, not {array.dtype}")
    fits = len(shape) == array.ndim and all(
        wanted in (None, size) for wanted, size in zip(shape, array.shape, strict=True)
    )
    if not fits:
        text = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{what} have shape ({text}), not {array.shape}")
    may_exceed = array.dtype.kind == "i" or 8 * array.dtype.itemsize > bits
    if may_exceed and array.size and (array.min() < 0 or int(array.max()) >> bits):
        wrong = array[(array < 0) | (array > (1 << bits) - 1)].flat[0]
        raise ValueError(f"{what} lie in 0..{(1 << bits) - 1}, not {wrong}")
    return array


def _fixed(
    design: Design, weights: Codes, activations: Codes, starts: Indices
) -> tuple[Wide, Flags]:
    """Running totals of an accumulator without a window, and where one step does not fit."""
    bits = design.accumulator_bits
    if not sums.is_modular(design):
        if sums.is_narrow(design):
            steps = sums.narrow_sums(design, weights, activations).tolist()
        else:
            steps = sums.python_sums(design, weights, activations)
        return _saturated(steps, starts, bits), np.zeros(len(weights), np.bool_)
    if sums.is_narrow(design):
        narrow = sums.narrow_sums(design, weights, activations)
        exact = narrow if len(starts) == len(narrow) else running(narrow, starts)
        if _surely_fits(exact, len(weights), design):
            return Wide.of(exact), np.zeros(len(exact), np.bool_)
        total = sign_extended(exact, bits)
        return Wide.of(total), np.asarray(delayed(total, starts) + narrow != total)
    wide = sums.wide_sums(design, weights, activations)
    wrapped = wide.running(starts).wrapped(bits)
    return wrapped, (wrapped.delayed(starts) + wide).differs(wrapped)


def _surely_fits(running_sums: NDArray[np.int64], steps: int, design: Design) -> bool:
    """Whether no running sum left the accumulator, nor 64 bits."""
    if steps * sums.largest_step(design) >= 1 << 63:
        return False
    half = 1 << (design.accumulator_bits - 1)
    return -half <= int(running_sums.min()) and int(running_sums.max()) < half


def _saturated(steps: list[int], starts: Indices, bits: int) -> Wide:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    ends = [*starts[1:].tolist(), len(steps)]
    shown: list[int] = []
    for start, end in zip(starts.tolist(), ends, strict=True):
        total = 0
        for step in steps[start:end]:
            total += step
            if not low <= total <= high:
                total = low if total < 0 else high
            shown.append(total)
    return _wide(shown, bits)


def _window(
    design: Design, weights: Codes, activations: Codes, starts: Indices
) -> tuple[Wide, Flags, NDArray[np.int64]]:
    """Running totals of an alignment window, where one step does not fit, and exponents."""
    trees, top = sums.window_trees(design, weights, activations, starts)
    growth = (top - delayed(top, starts)).tolist()
    total, overflow = _moved_sums(trees, growth, starts, design.accumulator_bits)
    return total, overflow, top


def _moved_sums(
    trees: list[int], growth: list[int], starts: Indices, bits: int
) -> tuple[Wide, Flags]:
    half = 1 << (bits - 1)
    ends = [*starts[1:].tolist(), len(trees)]
    shown: list[int] = []
    overflow = np.zeros(len(trees), np.bool_)
    for start, end in zip(starts.tolist(), ends, strict=True):
        total = 0
        for tree, distance in zip(trees[start:end], growth[start:end], strict=True):
            total = (total >> distance) + tree
            if not -half <= total < half:
                overflow[len(shown)] = True
                total = (total + half) % (2 * half) - half
            shown.append(total)
    return _wide(shown, bits), overflow


def _wide(totals: list[int], bits: int) -> Wide:
    return Wide.of(np.array(totals, np.int64)) if bits <= 64 else Wide.of_ints(totals)


def _flags(
    design: Design, weights: Codes, activations: Codes, starts: Indices, overflow: Flags
) -> dict[str, Flags]:
    names = design.flags
    found = {"overflow": running_any(overflow, starts)} if "overflow" in names else {}
    if "nan" not in names:
        return found
    raised = step_flags(design, weights, activations)
    nan, pos_inf, neg_inf = (
        running_any(flag, starts) for flag in (raised.nan, raised.pos_inf, raised.neg_inf)
    )
    found["nan"] = nan | pos_inf & neg_inf
    if "pos_inf" in names:
        found |= {"pos_inf": pos_inf, "neg_inf": neg_inf}
    return found


__all__ = [
    "Outputs",
    "checked_codes",
    "run_dots",
    "run_steps",
    "run_stream",
    "run_tiles",
    "word_count",
]
