"""Floor 2b: running totals of every accumulator, for whole arrays of steps.

`starts` are the indices at which sums begin; the first is 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw.design import Design
from sim.golden import sums
from sim.golden.limbs import Indices, Wide, delayed, running, sign_extended

Codes = NDArray[np.unsignedinteger]
Flags = NDArray[np.bool_]


def fixed_totals(
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


def window_totals(
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
