"""Floor 2b: `sim.golden.scalar` for whole arrays at once, equal to it bit for bit.

`run_steps` takes the accepted steps of a core, `run_stream` its clock cycles, `run_dots` sums of
one step each. Sums run from one `last` to the next; the first step begins one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.design import Design, MxDotProduct
from sim.golden.accumulate import fixed_totals, window_totals
from sim.golden.flags import step_flags
from sim.golden.float_steps import is_special_case, run_fitted
from sim.golden.limbs import Indices, running_any
from sim.golden.mx import run_scaled
from sim.golden.outputs import Outputs, blank, checked_codes, word_count

Codes = NDArray[np.unsignedinteger]
Flags = NDArray[np.bool_]


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
    size = max(design.weight.bits, design.scale_bits)
    left = checked_codes("weights", weights, size, (None, design.operand_codes))
    size = max(design.activation.bits, design.scale_bits)
    right = checked_codes("activations", activations, size, left.shape)
    ends = np.asarray(last, dtype=np.bool_)
    if ends.shape != left.shape[:1]:
        raise ValueError(f"last has shape {left.shape[:1]}, one per step, not {ends.shape}")
    if not len(ends):
        return blank(design, 0)
    if isinstance(design, MxDotProduct):
        return run_scaled(design, left, right, ends)
    if is_special_case(design):
        return run_fitted(design, left, right, ends, run_steps)
    starts = np.flatnonzero(np.concatenate([[True], ends[:-1]]))
    if design.is_window:
        total, overflow, exponent = window_totals(design, left, right, starts)
    else:
        total, overflow = fixed_totals(design, left, right, starts)
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
    cycles = np.asarray(valid).shape
    ports = [np.asarray(port, dtype=np.bool_) for port in (valid, last)]
    clear = np.zeros(cycles, np.bool_) if reset is None else np.asarray(reset, dtype=np.bool_)
    operands = np.asarray(weights), np.asarray(activations)
    if len(cycles) != 1 or any(port.shape[:1] != cycles for port in (*ports, clear, *operands)):
        raise ValueError(f"all inputs have one entry per cycle, as valid, of shape {cycles}")
    accepted, ends = ports[0] & ~clear, ports[1]
    cycle = np.flatnonzero(accepted)
    resets = np.cumsum(clear)[cycle]
    cut = np.append(np.diff(resets) > 0, False)[: len(cycle)]
    steps = run_steps(design, operands[0][cycle], operands[1][cycle], ends[cycle] | cut)
    latest = np.full(len(accepted), -1)
    latest[cycle] = np.arange(len(cycle))
    moments = np.where(accepted | clear, np.arange(len(accepted)), 0)
    latest = latest[np.maximum.accumulate(moments)]
    return _held(design, steps, latest, accepted & ends)


def _held(design: Design, steps: Outputs, latest: Indices, total_valid: Flags) -> Outputs:
    """Spread steps over cycles; -1 shows the state after a reset."""
    if not len(steps.total):
        return blank(design, len(latest))
    shown = steps.take(np.maximum(latest, 0))
    for array in (shown.total, shown.exponent, *shown.flags.values()):
        array[latest < 0] = 0
    return Outputs(shown.total, total_valid, shown.flags, shown.exponent)


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


__all__ = ["Outputs", "run_dots", "run_steps", "run_stream"]
