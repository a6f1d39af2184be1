"""Floor 2c: adder trees and accumulators of a plan over a sample of operands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from costmodel.activity_lanes import Addend, lane_addend
from costmodel.activity_planes import (
    Plane,
    Silent,
    Statistics,
    Tally,
    added,
    chained,
    extended,
    planes_of,
    run_cells,
    words_of,
)
from hw.accumulators import AccumulatorKind
from hw.plan import (
    AccumulatePlan,
    AdderRow,
    Bounds,
    ChainPlan,
    LanePlan,
    MergedAccumulatePlan,
    MergedLanePlan,
    MergedRow,
    Sign,
    SumTree,
    TreePlan,
    Word,
)

LIMB = 40
"""Bits of the lower of two words that hold long sums."""
SHOWN = 0.4
"""Share of a total's bits that differ from those of the one before (half, but for signs)."""


@lru_cache(maxsize=64)
def lane_sums(
    lane: LanePlan | MergedLanePlan,
    chain: ChainPlan | None,
    tree: TreePlan | SumTree,
    given: Statistics,
) -> tuple[tuple[Addend, ...], Tally]:
    """Return what the tree leaves of all lanes, and the toggles so far; kept for a while.

    The one word of a merged lane without a chain is left as it is.
    """
    addend, within = lane_addend(lane, given)
    tally = Tally(given.scope(), within)
    words = lanes_of(addend, given)
    if chain is not None:
        words = chain_sums(tally, chain, words)
    if chain is not None or isinstance(lane, LanePlan):
        words = tree_sums(tally, tree, words)
    return tuple(words), tally


def lanes_of(addend: Addend, given: Statistics) -> list[Addend]:
    """Return the addend of each lane of one of all lanes."""
    bits = [given.parted(plane) for plane in addend.bits]
    pending = None if addend.pending is None else given.parted(addend.pending)
    nets = {name: given.parted(plane) for name, plane in addend.nets.items()}
    return [
        Addend(
            tuple([plane[lane] for plane in bits]),
            None if pending is None else pending[lane],
            {name: planes[lane] for name, planes in nets.items()},
        )
        for lane in range(given.lanes)
    ]


def tree_sums(tally: Tally, plan: TreePlan | SumTree, addends: list[Addend]) -> list[Addend]:
    """Return what a tree leaves of some words."""
    if isinstance(plan, SumTree):
        known = list(addends)
        for row, operands in plan.rows:
            known.append(_sum_row(tally, row.words, [known[n] for n in operands], row.width))
        return [known[root] for root in plan.roots]
    for level in plan.levels:
        sums = []
        for position, single in enumerate(level):
            left = addends[2 * position]
            right = None if single is None else addends[2 * position + 1]
            sums.append(left if right is None else _adder_row(tally, single, left, right))
        addends = sums
    return addends[:1]


def _adder_row(tally: Tally, row: AdderRow | None, left: Addend, right: Addend) -> Addend:
    assert row is not None
    width = row.bounds.bits
    first = extended(left.bits, width, row.left.signed)
    second = extended(right.bits, width, row.right.signed)
    minus = 0
    if row.relative:
        minus = (left.pending or 0) ^ (right.pending or 0)
        second = [plane ^ minus for plane in second]
    return Addend(tuple(added(tally, "adder row", first, second, minus)), left.pending)


def _sum_row(tally: Tally, words: Sequence[Word], operands: list[Addend], width: int) -> Addend:
    carries = [addend.pending for addend in operands[1:] if addend.pending is not None]
    flips = [False] * len(words)
    return Addend(
        tuple(add_words(tally, "adder row", words, operands, carries, width, flips)),
        operands[0].pending,
    )


def add_words(
    tally: Tally,
    name: str,
    words: Sequence[Word],
    operands: Sequence[Addend],
    carries: Sequence[Plane],
    width: int,
    flips: Sequence[bool],
) -> list[Plane]:
    """Return the sum of two or three words and carries, as `hw.rtl.sums.add_words` adds them."""
    ones = tally.scope.ones
    bits = []
    for word, addend, flip in zip(words, operands, flips, strict=True):
        invert = ones if flip else 0
        if word.sign is Sign.NEGATE:
            invert ^= addend.pending or 0
        own = extended(addend.bits, width, word.bounds.signed)
        bits.append([plane ^ invert for plane in own])
    first, second = [*carries, 0, 0][:2]
    if len(bits) == 2:
        if all(word.sign is Sign.NEGATE for word in words):
            tally.add(f"{name}/logic/inverted", bits[0])
        return added(tally, name, bits[0], bits[1], first)
    selects, majority = [], [second]
    for x, y, z in zip(*bits, strict=True):
        selects.append(x ^ y ^ z ^ majority[-1])
        majority.append((x & y) | (z & (x | y)))
    tally.add(f"{name}/logic/majority", majority[1:])
    return chained(tally, name, selects, majority[:-1], first)


def chain_sums(tally: Tally, plan: ChainPlan, lanes: list[Addend]) -> list[Addend]:
    """Return the sums of merged rows."""
    sums = []
    for number, chain in enumerate(plan.chains):
        before: list[Plane] = []
        counted: dict[str, Plane] = {}
        for place, row in enumerate(chain):
            lane = lanes[number * len(chain) + place]
            previous = extended(before, row.width, True) if row.previous else []
            before = merged_row(tally, "merged row", row, previous, lane)
            if row.carries:
                *before, carry = before
                counted |= {f"c{place}": carry, f"s{place}": lane.nets["s"]}
        if plan.count is not None:
            nets = run_cells(tally, "carry count", plan.count.netlist, counted)
            before += [nets[f"n{i}"] for i in range(plan.count.bits)]
        sums.append(Addend(tuple(before)))
    return sums


def merged_row(
    tally: Tally, name: str, row: MergedRow, previous: Sequence[Plane], lane: Addend
) -> list[Plane]:
    """Return ``previous ± placed product``, and above it the carry if that leaves the row."""
    inputs = lane.nets | {f"p{i}": plane for i, plane in enumerate(previous)}
    nets = run_cells(tally, name, row.netlist, inputs)
    return [nets[f"t{i}"] for i in range(row.width)] + ([nets["co"]] if row.carries else [])


def accumulated(
    tally: Tally,
    plan: AccumulatePlan | MergedAccumulatePlan,
    words: list[Addend],
    given: Statistics,
) -> list[Plane]:
    """Return the sum of every step, and count the accumulator and its registers."""
    if isinstance(plan, MergedAccumulatePlan):
        reach = plan.row
        step = merged_row(Silent(tally.scope), "", reach, [0] * plan.bits, words[0])
        state = _states(step, plan.bits, given, saturates=False)
        sums = merged_row(tally, "accumulator", reach, state, words[0])
    else:
        width = plan.sum_bits
        step = _stepped(Silent(tally.scope), plan, [0] * width, words, width)
        saturates = plan.kind is AccumulatorKind.SATURATE
        state = _states(step, plan.bits, given, saturates)
        sums = _stepped(tally, plan, extended(state, width, True), words, width)
        if saturates:
            tally.add("accumulator/logic/limited", sums[: plan.bits - 1])
            sums = [*sums[: plan.bits - 1], sums[-1]]
    tally.add("register/registers/state", state)
    if plan.total_on_last:
        tally.put("register/registers/ends", SHOWN * plan.bits / given.steps)
    else:
        tally.add("register/registers/total", sums[: plan.bits])
        tally.put("register/registers/ends", 2 / given.steps)
        tally.put("accumulator/logic/control", 2 / given.steps)
    return sums


def _stepped(
    tally: Tally, plan: AccumulatePlan, state: list[Plane], words: list[Addend], width: int
) -> list[Plane]:
    """Return the state and a step's words, added as `hw.rtl.accumulate` does."""
    ones = tally.scope.ones
    carries = [addend.pending for addend in words if addend.pending is not None]
    if plan.subtracts:
        carries = [plane ^ ones for plane in carries] + [ones] * (len(words) - len(carries))
    if plan.relative and plan.subtracts:
        carries = [(words[0].pending or 0) ^ ones]
    reach = 1 << (plan.bits - 1)
    state_word = Word.plain(Bounds(-reach, reach - 1))
    flips = [False, *[plan.subtracts] * len(words)]
    return add_words(
        tally,
        "accumulator",
        (state_word, *plan.words),
        [Addend(tuple(state)), *words],
        carries,
        width,
        flips,
    )


def _states(step: Sequence[Plane], bits: int, given: Statistics, saturates: bool) -> list[Plane]:
    """Return the sum so far before every step, of steps in two's complement."""
    shape, size = given.last.shape, given.last.size
    if len(step) <= LIMB and bits <= LIMB:
        if saturates and bits < LIMB:
            whole = words_of(step, size).reshape(shape)
            return planes_of(_clamped(whole, bits, given.last), bits)
        return planes_of(_sums_before(_narrowed(step), given), bits)
    whole = words_of(step[:LIMB], size).reshape(shape)
    low = whole & ((1 << LIMB) - 1)
    high = words_of(step[LIMB:], size).reshape(shape) if len(step) > LIMB else whole >> LIMB
    if saturates and bits < LIMB:
        return planes_of(_clamped(low + (high << LIMB), bits, given.last), bits)
    below, above = (_before(limb, given.last) for limb in (low, high))
    above += below >> LIMB
    found = planes_of(below & ((1 << LIMB) - 1), min(bits, LIMB))
    return found + (planes_of(above, bits - LIMB) if bits > LIMB else [])


def _narrowed(word: Sequence[Plane]) -> tuple[Plane, ...]:
    """Return a word in two's complement without the copies of its sign."""
    width = len(word)
    while width > 1 and word[width - 1] == word[width - 2]:
        width -= 1
    return tuple(word[:width])


@lru_cache(maxsize=64)
def _sums_before(step: tuple[Plane, ...], given: Statistics) -> NDArray[np.int64]:
    """Return the sum before every step; kept for a while, for accumulators of other widths."""
    whole = words_of(step, given.last.size).reshape(given.last.shape)
    return _before(whole, given.last)


def _before(steps: NDArray[np.int64], last: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the sums before every step, from 0 after each end."""
    sums = np.cumsum(steps, axis=1)
    places = np.where(last, np.arange(last.shape[1]), -1)
    ended = np.maximum.accumulate(places, axis=1)
    taken = np.where(ended >= 0, np.take_along_axis(sums, np.maximum(ended, 0), axis=1), 0)
    found: NDArray[np.int64] = np.zeros_like(sums)
    found[:, 1:] = (sums - taken)[:, :-1]
    return found


def _clamped(steps: NDArray[np.int64], bits: int, last: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the same of sums that saturate."""
    found: NDArray[np.int64] = np.zeros_like(steps)
    reach = 1 << (bits - 1)
    for t in range(1, steps.shape[1]):
        after = np.clip(found[:, t - 1] + steps[:, t - 1], -reach, reach - 1)
        found[:, t] = np.where(last[:, t - 1], 0, after)
    return found
