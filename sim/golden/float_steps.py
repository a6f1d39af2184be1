"""Floor 2b: running totals of floating accumulators and of exact registers shown fitted.

Sums run side by side: step t of all sums at once. Products are exact in float64, IEEE 754 gives
their specials and zeros; each sum is rounded to odd, then to the accumulator's format, which is one
rounding (`sim.golden.odd`). Formats far outside float64 go through `sim.golden.scalar`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.accumulators import Accumulator, AccumulatorMode
from hw.design import Design
from hw.formats import MinifloatFormat
from sim.golden import float_sum
from sim.golden.float_grid import codes_of, is_near, operand_values, rounded
from sim.golden.limbs import Words, limb_ints
from sim.golden.odd import odd_sum, odd_sum_of_two
from sim.golden.outputs import Outputs, word_count
from sim.golden.scalar import GoldenCore, clamped

Values = NDArray[np.float64]
Codes = NDArray[np.unsignedinteger]
Flags = NDArray[np.bool_]
Runner = Callable[[Design, Codes, Codes, Flags], Outputs]

EXACT_BITS = 53
FEW = 6
"""So many sums are faster one after the other."""


def is_special_case(design: Design) -> bool:
    """Whether `run_fitted` runs the design."""
    return design.is_floating or design.is_binned or design.accumulator.is_once


def run_fitted(
    design: Design, weights: Codes, activations: Codes, last: Flags, run: Runner
) -> Outputs:
    """Return what a core shows after each of its steps; see `sim.golden.vector.run_steps`.

    Parameters
    ----------
    design
        Its accumulator is floating, binned, or of the mode "once".
    weights, activations, last
        Checked operands of shape (steps, lanes), and ends of sums.
    run
        `run_steps` itself, for the exact register of the mode "once".

    """
    if not design.accumulator.is_once:
        if design.is_binned or not is_near(design):
            return _scalar(design, weights, activations, last)
        total = codes_of(_stepped(design, weights, activations, last), _format(design))
        zeros = np.zeros(len(last), np.int64)
        return Outputs(total[:, None], last.copy(), {}, zeros)
    register = replace(design, accumulator=Accumulator.exact(design.accumulator.terms))
    if register.is_window or not is_near(design):
        return _scalar(design, weights, activations, last)
    return _shown(design, register, run(register, weights, activations, last))


def _format(design: Design) -> MinifloatFormat:
    assert design.accumulator.format is not None
    return design.accumulator.format


def _stepped(design: Design, weights: Codes, activations: Codes, last: Flags) -> Values:
    """Return the values shown, step by step, of sums that run side by side."""
    format = _format(design)
    tables = [operand_values(f, design.specials) for f in (design.weight, design.activation)]
    starts = np.flatnonzero(np.concatenate([[True], last[:-1]]))
    lengths = np.diff(starts, append=len(last))
    longest_first = np.argsort(-lengths, kind="stable")
    starts, lengths = starts[longest_first], lengths[longest_first]
    shown = np.empty(len(last))
    state = np.zeros(len(starts))
    for t in range(int(lengths[0])):
        alive = int(np.searchsorted(-lengths, -t, side="left"))
        if alive <= FEW:
            for one in range(alive):
                steps = slice(int(starts[one]) + t, int(starts[one] + lengths[one]))
                products = _products(tables, weights[steps], activations[steps])
                shown[steps] = _long(float(state[one]), products, design, format)
            break
        now = starts[:alive] + t
        products = _products(tables, weights[now], activations[now])
        state = _added(state[:alive], products, design, format)
        shown[now] = state
    return shown


def _products(tables: Sequence[Values], weights: Codes, activations: Codes) -> Values:
    """Return exact products, shape (lanes, steps)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(tables[0].take(weights.T) * tables[1].take(activations.T))


def _long(
    state: float, products: Values, design: Design, format: MinifloatFormat
) -> Sequence[float]:
    """Return the accumulator after each step of one sum."""
    if design.accumulator.mode is AccumulatorMode.SEQUENTIAL:
        each = products.T.reshape(-1, 1).tolist()
        return float_sum.running(state, each, format)[design.lanes - 1 :: design.lanes]
    addends = _addends(np.zeros(0), products, design)[1:]
    return float_sum.running(state, np.stack(addends, axis=1).tolist(), format)


def _added(state: Values, products: Values, design: Design, format: MinifloatFormat) -> Values:
    """Return the accumulators after one step; products of shape (lanes, sums)."""
    if design.accumulator.mode is AccumulatorMode.SEQUENTIAL:
        for one in products:
            state = rounded(odd_sum_of_two(state, one), format)
        return state
    return rounded(odd_sum(_addends(state, products, design)), format)


def _addends(state: Values, products: Values, design: Design) -> Sequence[Values]:
    """Return the addends of a step: two where float64 holds every sum of products."""
    if design.lanes * max(map(abs, design.product_bounds)) >= 1 << EXACT_BITS:
        return [state, *products]
    tree = products[0]
    with np.errstate(invalid="ignore"):
        for one in products[1:]:
            tree = tree + one
    return [state, tree]


def _shown(design: Design, register: Design, kept: Outputs) -> Outputs:
    """Fit exact totals to the accumulator of the mode "once"."""
    if design.is_floating:
        values = _values(kept.total, register)
        if design.specials == "flag":
            _mark(values, kept.flags)
        total = codes_of(rounded(values, _format(design)), _format(design))[:, None]
    elif register.accumulator_bits <= 64:
        half = 1 << (design.accumulator_bits - 1)
        totals = kept.total[:, 0].view(np.int64)
        if half < 1 << 63:
            totals = np.clip(totals, -half, half - 1)
        total = totals.view(np.uint64)[:, None]
        if word_count(design) == 2:
            total = np.concatenate([total, (totals >> 63).view(np.uint64)[:, None]], axis=1)
    else:
        ints = [clamped(value, design.accumulator_bits) for value in limb_ints(kept.total)]
        total = _limbs(ints, word_count(design))
    flags = {name: kept.flags[name] for name in design.flags}
    return Outputs(total, kept.total_valid, flags, kept.exponent)


def _values(limbs: Words, register: Design) -> Values:
    """Return exact totals as float64, rounded to odd."""
    low = limbs[:, 0]
    if register.accumulator_bits <= EXACT_BITS:
        values = low.view(np.int64).astype(np.float64)
    else:
        high = low.view(np.int64) >> 32 if limbs.shape[1] == 1 else low >> np.uint64(32)
        digits: list[NDArray[Any]] = [low & np.uint64(0xFFFFFFFF), high]
        if limbs.shape[1] == 2:
            digits.append(limbs[:, 1].view(np.int64))
        scaled = [digit.astype(np.float64) * 2.0 ** (32 * i) for i, digit in enumerate(digits)]
        values = odd_sum(scaled)
    return np.ldexp(values, register.lsb_exponent)


def _mark(values: Values, flags: dict[str, Flags]) -> None:
    """Write the specials a sum has seen over its value."""
    for name, special in (("pos_inf", np.inf), ("neg_inf", -np.inf), ("nan", np.nan)):
        if name in flags:
            values[flags[name]] = special


def _scalar(design: Design, weights: Codes, activations: Codes, last: Flags) -> Outputs:
    """Step by step on Python integers."""
    core = GoldenCore(design)
    steps = zip(weights.tolist(), activations.tolist(), last.tolist(), strict=True)
    shown = [core.step(w, a, end) for w, a, end in steps]
    flags = {
        name: np.array([output.flags[name] for output in shown], np.bool_) for name in design.flags
    }
    total = _limbs([output.total for output in shown], word_count(design))
    return Outputs(total, last.copy(), flags, np.zeros(len(last), np.int64))


def _limbs(values: Sequence[int], words: int) -> Words:
    mask = (1 << 64) - 1
    limbs = [[value >> 64 * word & mask for word in range(words)] for value in values]
    return np.array(limbs, np.uint64).reshape(len(values), words)
