"""Floor 2c: what toggles in cores with an alignment window (`hw.plan.window`, `merged_window`).

The largest exponent and the sum are followed step by step, all streams at once; then lanes,
aligners, tree and accumulator run as the plan says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel import window
from costmodel.activity_lanes import Addend, leveled, product
from costmodel.activity_operands import (
    Side,
    exponent_sum,
    merged_inputs,
    side_of,
    unpack,
)
from costmodel.activity_planes import (
    Plane,
    Statistics,
    Tally,
    extended,
    planes_of,
    run_cells,
    words_of,
)
from costmodel.activity_rows import any_of, summed
from costmodel.activity_sums import SHOWN, chain_sums, lanes_of, tree_sums
from costmodel.coefficients import Coefficients
from hw.plan import (
    CorePlan,
    DistancePlan,
    ExponentMaximum,
    MergedWindowAccumulatePlan,
    MergedWindowLanePlan,
    WindowAccumulatePlan,
    WindowLanePlan,
)

NAME = "window accumulator"
WORD_BITS = 62
"""Sums of more bits are Python's integers."""


@dataclass(frozen=True, slots=True)
class Walk:
    """How exponent and sum of a window go, each of shape (streams, steps).

    Parameters
    ----------
    highest, state
        The largest exponent and the sum before a step.
    reference
        The largest exponent with it.

    """

    highest: NDArray[np.int64]
    reference: NDArray[np.int64]
    state: NDArray[Any]


@lru_cache(maxsize=64)
def window_toggles(
    core: CorePlan, given: Statistics, target: Coefficients
) -> tuple[Tally, list[Plane]]:
    """Return what toggles in a core with a window, and its sum after each step; kept."""
    if isinstance(core.lane, MergedWindowLanePlan):
        return _merged(core, core.lane, given)
    assert isinstance(core.lane, WindowLanePlan)
    return _plain(core, core.lane, given, target)


def walk(
    exponents: NDArray[np.int64],
    products: NDArray[np.int64],
    product_bits: int,
    window_bits: int,
    bits: int,
    given: Statistics,
) -> Walk:
    """Return how a window goes.

    Parameters
    ----------
    exponents, products
        Of each lane and step, shape (lanes, streams, steps); a product with its sign.
    product_bits, window_bits, bits
        Of a product's magnitude, the window, and the sum.
    given
        When sums end.

    """
    largest = np.where(products != 0, exponents, 0).max(axis=0)
    highest = np.zeros_like(largest)
    reference = np.zeros_like(largest)
    for t in range(largest.shape[1]):
        reference[:, t] = np.maximum(highest[:, t], largest[:, t])
        if t + 1 < largest.shape[1]:
            highest[:, t + 1] = np.where(given.last[:, t], 0, reference[:, t])
    most = max(bits, window_bits)
    wide: Any = object if most > WORD_BITS else np.int64
    distance = np.clip(reference - exponents, 0, most)  # a product of 0 may be beyond
    placed = np.abs(products).astype(wide)
    rise = window_bits - product_bits
    placed = placed << rise if rise >= 0 else placed >> -rise
    aligned = (placed >> distance.astype(wide)) * np.sign(products).astype(wide)
    step = aligned.sum(axis=0)
    grown = np.minimum(reference - highest, most).astype(wide)
    state = np.zeros(largest.shape, wide)
    half = 1 << (bits - 1)
    for t in range(largest.shape[1] - 1):
        total = (state[:, t] >> grown[:, t]) + step[:, t]
        total = ((total + half) & ((half << 1) - 1)) - half
        state[:, t + 1] = np.where(given.last[:, t], 0, total)
    return Walk(highest, reference, state)


def word_planes(words: NDArray[Any], bits: int) -> list[Plane]:
    """Return the lowest bits of words of any length as planes."""
    found: list[Plane] = []
    while len(found) < bits:
        size = min(bits - len(found), WORD_BITS)
        part = (words >> len(found)) & ((1 << size) - 1)
        found += planes_of(part.astype(np.int64), size)
    return found


def _products(weight: Side, activation: Side) -> NDArray[np.int64]:
    """Return the products of significands with their signs."""
    sign = weight.known.negative[weight.sample] ^ activation.known.negative[activation.sample]
    return weight.values * activation.values * (1 - 2 * sign)


def _plain(
    core: CorePlan, plan: WindowLanePlan, given: Statistics, target: Coefficients
) -> tuple[Tally, list[Plane]]:
    align, accumulate = core.align, core.accumulate
    assert align is not None
    assert isinstance(accumulate, WindowAccumulatePlan)
    within = Tally(given.scope(given.lanes))
    weight, activation = side_of(plan.weight, given, True), side_of(plan.activation, given, False)
    for operand, side in ((plan.weight, weight), (plan.activation, activation)):
        unpack(within, operand, side)
        if operand.has_sign and not (operand.is_minifloat or operand.is_signs):
            within.add("unpack/logic/significand", side.significand)
    signed = _products(weight, activation)
    bits, _ = product(within, plan.product, weight, activation, plan.weight.whole)
    negate = weight.negative ^ activation.negative
    if plan.weight.has_sign and plan.activation.has_sign:
        within.add("signs/logic/sign", (negate,))
    exponent: list[Plane] = [0]
    if plan.exponents is not None:
        amount = exponent_sum(
            within, (plan.weight, plan.activation), plan.exponents, weight, activation, target
        )
        some = any_of(weight.significand) & any_of(activation.significand)
        exponent = [bit & some for bit in amount]
        within.add("unpack/logic/exponent", [some, *exponent])
    numbers = _numbers(exponent, signed.shape)
    gone = walk(numbers, signed, align.product_bits, align.window_bits, accumulate.bits, given)
    reference = planes_of(
        np.broadcast_to(gone.reference, signed.shape), align.distance.exponent_bits
    )
    distance = _distance(within, "aligner", align.distance, reference, exponent, target)
    mirrored = leveled(within, "aligner", align.levels, bits[::-1], False, distance)
    aligned = extended(mirrored, align.window_bits, False)[::-1]
    tally = Tally(given.scope(), within)
    _search(tally, gone, numbers, align.distance.exponent_bits, target)
    words = tree_sums(tally, core.tree, lanes_of(Addend(tuple(aligned), negate), given))
    return tally, _accumulated(tally, accumulate, words[0], gone, given, target)


def _numbers(planes: list[Plane], shape: tuple[int, ...]) -> NDArray[np.int64]:
    return words_of([*planes, 0], int(np.prod(shape))).reshape(shape)


def _distance(
    tally: Tally,
    name: str,
    plan: DistancePlan,
    reference: list[Plane],
    exponent: list[Plane],
    target: Coefficients,
) -> list[Plane]:
    """Return how far an exponent is below the reference, clamped, and count it."""
    ones = tally.scope.ones
    inverted = [bit ^ ones for bit in exponent]
    exact = summed(tally, name, reference, inverted, ones, target, ())
    if plan.exponent_bits == plan.live_bits:
        return exact
    far = any_of(exact[plan.live_bits :])
    found = [bit | far for bit in exact[: plan.live_bits]]
    tally.add(f"{name}/logic/distance", found)
    return found


def _search(
    tally: Tally, gone: Walk, exponents: NDArray[np.int64], bits: int, target: Coefficients
) -> None:
    """Count the search of the largest exponent, the accumulator's comparison included."""
    cost = float(window.exponent_maximum(ExponentMaximum(bits), target).lut)
    words = list(exponents)
    while len(words) > 1:
        pairs = zip(words[0::2], words[1::2], strict=False)
        larger = [np.maximum(left, right) for left, right in pairs]
        for one in larger:
            _larger(tally, "exponent maximum", one, bits, cost)
        words = larger + words[len(words) - len(words) % 2 :]
    _larger(tally, NAME, gone.reference, bits, cost)


def _larger(tally: Tally, name: str, word: NDArray[np.int64], bits: int, luts: float) -> None:
    planes = planes_of(word, bits)
    tally.add(f"{name}/logic/larger", planes)
    density = tally.scope.toggles(planes) / bits
    tally.put(f"{name}/logic/larger beside", max(luts - bits, 0.0) * density)


def _accumulated(
    tally: Tally,
    plan: WindowAccumulatePlan,
    addend: Addend,
    gone: Walk,
    given: Statistics,
    target: Coefficients,
) -> list[Plane]:
    reference = planes_of(gone.reference, plan.exponent_bits)
    highest = planes_of(gone.highest, plan.exponent_bits)
    state = word_planes(gone.state, plan.bits)
    distance = _distance(tally, NAME, plan.distance, reference, highest, target)
    word = state
    for level in plan.levels:
        before = word
        for bit in range(level.low_bit, level.low_bit + level.bits):
            moved = extended(word[1 << bit :] or word[-1:], len(word), True)
            word = [a ^ (distance[bit] & (a ^ b)) for a, b in zip(word, moved, strict=True)]
        tally.add(f"{NAME}/logic/right", word[:-1])
        luts = window.right_shift_luts(level, target)
        density = tally.scope.toggles(before) / len(before)
        tally.put(f"{NAME}/logic/right beside", max(luts - len(word) + 1, 0) * density)
    negate = addend.pending or 0
    step = [bit ^ negate for bit in extended(addend.bits, plan.bits, plan.addend.signed)]
    total = summed(tally, NAME, word, step, negate, target, step if negate else None)
    _registers(tally, plan, state, total, highest, reference, given)
    return total


def _registers(
    tally: Tally,
    plan: WindowAccumulatePlan | MergedWindowAccumulatePlan,
    state: list[Plane],
    total: list[Plane],
    highest: list[Plane],
    reference: list[Plane],
    given: Statistics,
) -> None:
    tally.add("register/registers/state", [*state, *highest])
    if plan.offset:
        tally.add(f"{NAME}/logic/shown", reference)
    if plan.total_on_last:
        shown = len(state) + plan.exponent_bits
        tally.put("register/registers/ends", SHOWN * shown / given.steps)
        return
    tally.add("register/registers/total", [*total, *reference])
    tally.put("register/registers/ends", 2 / given.steps)


def _merged(
    core: CorePlan, plan: MergedWindowLanePlan, given: Statistics
) -> tuple[Tally, list[Plane]]:
    accumulate, maximum = core.accumulate, core.maximum
    assert isinstance(accumulate, MergedWindowAccumulatePlan)
    assert maximum is not None
    assert core.chain is not None
    within = Tally(given.scope(given.lanes))
    weight, activation = side_of(plan.weight, given, True), side_of(plan.activation, given, False)
    inputs = merged_inputs(within, plan.operands, weight, activation)
    made = run_cells(within, "product", plan.product, inputs)
    bits, places = plan.exponent_bits, plan.placement
    exponent = [made[f"e{i}"] for i in range(bits)]
    signed = _products(weight, activation)
    numbers = _numbers(exponent, signed.shape)
    gone = walk(numbers, signed, places.product_bits, places.width, accumulate.bits, given)
    reference = planes_of(np.broadcast_to(gone.reference, signed.shape), bits)
    nets = made | inputs | {f"r{i}": plane for i, plane in enumerate(reference)}
    placed = run_cells(within, "aligner", plan.alignment, nets)
    kept = {name: net for name, net in placed.items() if name[0] in "sxcl"}
    tally = Tally(given.scope(), within)
    found = {
        f"e{lane * bits + i}": plane
        for i, net in enumerate(exponent)
        for lane, plane in enumerate(given.parted(net))
    }
    found |= {f"nz{lane}": plane for lane, plane in enumerate(given.parted(made["nz"]))}
    highest = planes_of(gone.highest, bits)
    found |= {f"h{i}": plane for i, plane in enumerate(highest)}
    run_cells(tally, "exponent maximum", maximum.netlist, found)
    lanes = lanes_of(Addend((), placed["s"], kept), given)
    (left,) = tree_sums(tally, core.tree, chain_sums(tally, core.chain, lanes))
    state = word_planes(gone.state, accumulate.bits)
    largest = planes_of(gone.reference, bits)
    row = {f"a{i}": plane for i, plane in enumerate(left.bits)}
    row |= {f"q{i}": plane for i, plane in enumerate(state)}
    row |= {f"h{i}": plane for i, plane in enumerate(highest)}
    row |= {f"r{i}": plane for i, plane in enumerate(largest)}
    sums = run_cells(tally, NAME, accumulate.netlist, row)
    total = [sums[f"t{i}"] for i in range(accumulate.bits)]
    _registers(tally, accumulate, state, total, highest, largest, given)
    return tally, total
