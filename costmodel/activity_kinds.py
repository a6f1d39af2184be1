"""Floor 2c: what toggles in cores with alignment windows and floating accumulators.

Their lanes and trees run as the plan says where they are those of fixed sums
(`costmodel.activity_core`). Aligners, accumulators that round, and lanes with windows are LUTs and
carry bits of each kind of part times two densities, with fitted coefficients: toggles per bit of
the operands' codes, and of the running sum as a number of `fp32` (sign, exponent and fraction),
which is what an accumulator that normalises holds.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from costmodel.activity_lanes import fields_of
from costmodel.activity_planes import Statistics, Tally
from costmodel.activity_sums import lane_sums
from costmodel.cost import Cost
from hw.design import SCALE_BIAS, Design, OutputStationaryArray
from hw.formats import Format, MinifloatFormat
from hw.plan import CorePlan, LanePlan, MergedLanePlan, OperandPlan
from hw.plan.float_core import FloatCorePlan
from hw.target import Target

RUN = ("unpack", "product", "product and shift", "shifter", "adder row", "merged row", "signs")
"""Parts that run as the plan says."""
SINGLE_BITS = 32
ABOVE_FRACTION = 9
"""Sign and exponent of `fp32`."""


def lanes_and_tree(core: FloatCorePlan, given: Statistics) -> Tally | None:
    """Return what toggles in lanes and trees of fixed sums, None of other lanes."""
    if not isinstance(core.lane, LanePlan | MergedLanePlan):
        return None
    _, tally = lane_sums(core.lane, core.chain, core.tree, given)
    return tally


def rounding_toggles(
    core: CorePlan | FloatCorePlan,
    costs: dict[str, Cost],
    design: Design,
    target: Target,
    given: Statistics,
    runs: bool,
) -> dict[str, float]:
    """Return LUTs, carry bits and registers of parts times densities, by name.

    Parameters
    ----------
    core, costs
        The core, and what its parts cost by label.
    design, target, given
        As for `costmodel.activity_core.core_toggles`.
    runs
        Whether lanes and tree run, so that they are left out here.

    """
    operand = (given.weight + given.activation) / (design.weight.bits + design.activation.bits)
    total = sum_density(design, given)
    prefix = "window " if design.is_window else ""
    found: dict[str, float] = {}
    for label, cost in costs.items():
        if runs and label in RUN:
            continue
        name = f"{prefix}{label}".replace("window window", "window")
        found[f"{name}/logic/operands"] = float(cost.lut) * operand
        found[f"{name}/logic/sums"] = float(cost.lut) * total
        if cost.carry:
            found[f"{name}/carry/sums"] = cost.carry * target.carry_bits * total
            found[f"{name}/carry/operands"] = cost.carry * target.carry_bits * operand
    bits = design.accumulator_bits + design.exponent_bits
    shown = 1 if isinstance(design, OutputStationaryArray) else 2
    found[f"{prefix or 'float '}register/registers/sums"] = shown * bits * total
    return found


def sum_density(design: Design, given: Statistics) -> float:
    """Return the toggles per bit of the running sum as `fp32` with the fraction that is kept."""
    kept = min(ABOVE_FRACTION + _fraction_bits(design), SINGLE_BITS)
    return _sum_density(design.weight, design.activation, kept, given)


@lru_cache(maxsize=64)
def _sum_density(weight: Format, activation: Format, kept: int, given: Statistics) -> float:
    """Return the same of sums in so many bits."""
    sums = _values(weight, activation, given)
    taken = np.cumsum(sums, axis=1)
    places = np.where(given.last, np.arange(given.last.shape[1]), -1)
    ended = np.maximum.accumulate(places, axis=1)
    before = np.zeros_like(taken)
    before[:, 1:] = np.where(
        ended[:, :-1] >= 0,
        np.take_along_axis(taken, np.maximum(ended[:, :-1], 0), axis=1),
        0,
    )
    words = (taken - before).astype(np.float32).view(np.uint32)
    words >>= np.uint32(SINGLE_BITS - kept)
    return float(np.bitwise_count(words[:, 1:] ^ words[:, :-1]).mean()) / kept


def _fraction_bits(design: Design) -> int:
    """Return the bits of a sum below its highest."""
    format = design.accumulator.format
    if isinstance(format, MinifloatFormat):
        return format.fraction_bits
    return design.accumulator.bits - 2


def _values(weight: Format, activation: Format, given: Statistics) -> NDArray[np.float64]:
    """Return the sum of each step's products in units of their last bit, scales included."""
    sides = []
    for format, codes in ((weight, given.weights), (activation, given.activations)):
        known = fields_of(OperandPlan(format))
        value = known.significand.astype(float) * 2.0 ** (np.maximum(known.exponent, 1) - 1)
        if OperandPlan(format).has_sign:
            value *= 1 - 2 * known.negative
        sides.append(value[codes])
    sums: NDArray[np.float64] = (sides[0] * sides[1]).sum(axis=0)
    if given.scales is not None:
        sums *= 2.0 ** (given.scales.sum(axis=0).astype(float) - 2 * SCALE_BIAS)
    return sums
