"""Floor 2c: lanes of a plan over a sample of operands: the words they hand to the tree.

Products run row by row, tables and shifters level by level, merged lanes cell by cell, as the plan
says (`costmodel.activity_planes`). A plain ``*`` is not known inside: its bit products and its
result stand for it. Lanes of a design are equal, so all run at once, one after the other in planes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from costmodel.activity_operands import Side, merged_inputs, side_of, unpack
from costmodel.activity_planes import (
    Plane,
    Scope,
    Statistics,
    Tally,
    added,
    chained,
    extended,
    looked_up,
    plane_of,
    planes_of,
    run_cells,
)
from hw.plan import (
    BoothRow,
    DigitSelection,
    LanePlan,
    MergedLanePlan,
    ProductPlan,
    ShiftLevel,
    ShiftPlan,
    SignSelection,
)


@dataclass(frozen=True, slots=True)
class Addend:
    """A word that leaves a lane or a row, lowest bit first.

    Parameters
    ----------
    bits
        Its nets.
    pending
        The sign or the carry beside it, if any.
    nets
        Of merged lanes, what rows read, by name.

    """

    bits: tuple[Plane, ...]
    pending: Plane | None = None
    nets: dict[str, Plane] = field(default_factory=dict)


@lru_cache(maxsize=256)
def lane_addend(plan: LanePlan | MergedLanePlan, given: Statistics) -> tuple[Addend, Tally]:
    """Return what all lanes hand over, and the toggles within them; kept for a while."""
    tally = Tally(given.scope(given.lanes))
    return _lane(plan, given, tally), tally


def _lane(plan: LanePlan | MergedLanePlan, given: Statistics, tally: Tally) -> Addend:
    weight = side_of(plan.weight, given, True)
    activation = side_of(plan.activation, given, False)
    for operand, side in ((plan.weight, weight), (plan.activation, activation)):
        unpack(tally, operand, side)
    if isinstance(plan, MergedLanePlan):
        return _merged(tally, plan, weight, activation)
    negate = None
    if plan.has_negate:
        negate = weight.negative ^ activation.negative
        if plan.negated:
            negate ^= tally.scope.ones
        if plan.weight.has_sign and plan.activation.has_sign:
            tally.add("signs/logic/sign", (negate,))
    if isinstance(plan.product.selection, SignSelection):
        return _selected(tally, plan, weight, activation)
    bits, carry = product(tally, plan.product, weight, activation, plan.weight.whole)
    if plan.shift is not None:
        bits = _shift(tally, plan, plan.shift, bits, weight, activation)
    bounds = plan.word.bounds
    signed = plan.product.word_bounds.signed
    return Addend(tuple(extended(bits, bounds.bits, signed)), negate if carry is None else carry)


def _selected(tally: Tally, plan: LanePlan, weight: Side, activation: Side) -> Addend:
    """Return ``(multiplicand & nonzero) ^ sign`` with the sign pending."""
    selection = plan.product.selection
    assert isinstance(selection, SignSelection)
    by_weight = plan.product.weight_is_multiplier
    signs, other = (weight, activation) if by_weight else (activation, weight)
    sign = signs.negative ^ (tally.scope.ones if plan.negated else 0)
    nonzero = plane_of(signs.values != 0)
    bits = [(bit & nonzero) ^ sign for bit in other.significand]
    tally.add("product/logic/selection", bits)
    if not selection.multiplicand_signed:
        bits.append(sign)
    return Addend(tuple(bits), sign)


def product(
    tally: Tally, plan: ProductPlan, weight: Side, activation: Side, whole: bool
) -> tuple[list[Plane], Plane | None]:
    """Return the product's word, and what is still to be added to it."""
    bits, carry, within = _multiplied(plan, weight, activation, whole, tally.scope)
    tally.join(within)
    return bits, carry


@lru_cache(maxsize=256)
def _multiplied(
    plan: ProductPlan, weight: Side, activation: Side, whole: bool, scope: Scope
) -> tuple[list[Plane], Plane | None, Tally]:
    """Return the same with the toggles; designs of many accumulators have the same products."""
    tally = Tally(scope)
    bits, carry = _run(tally, plan, weight, activation, whole)
    return bits, carry, tally


def _run(
    tally: Tally, plan: ProductPlan, weight: Side, activation: Side, whole: bool
) -> tuple[list[Plane], Plane | None]:
    if plan.structure == "rows":
        by_weight = plan.weight_is_multiplier
        sides = (weight, activation) if by_weight else (activation, weight)
        return _rows(tally, plan, sides[0].significand, sides[1].significand)
    if plan.structure == "table":
        return _table(tally, plan, weight, activation, whole)
    bits = planes_of(weight.values * activation.values, plan.word_bounds.bits)
    _plain(tally, plan, weight.significand, activation.significand, bits)
    return bits, None


def _plain(
    tally: Tally,
    plan: ProductPlan,
    left: list[Plane],
    right: list[Plane],
    bits: list[Plane],
) -> None:
    """Count nets that stand for those of a plain ``*``: bit products, and full adders of them.

    How Yosys adds them is not known to the plan: `costmodel.activity` takes these densities times
    the LUTs and carry bits of the product.
    """
    ones, width = tally.scope.ones, len(bits)
    columns: list[list[Plane]] = [[] for _ in range(width)]
    first = extended(left, width, plan.weight.signed)
    for place, bit in enumerate(right):
        minus = plan.activation.signed and place == len(right) - 1
        for column in range(place, width):
            columns[column].append((first[column - place] & bit) ^ (ones if minus else 0))
        if minus:
            columns[place].append(ones)
    inner: list[Plane] = []
    for column in range(width):
        heap = columns[column]
        while len(heap) > 2:
            a, b, c = heap.pop(0), heap.pop(0), heap.pop(0)
            heap.append(a ^ b ^ c)
            inner.append(heap[-1])
            if column + 1 < width:
                columns[column + 1].append((a & b) | (c & (a | b)))
                inner.append(columns[column + 1][-1])
    partial = [a & b for a in left for b in right]
    for name, nets in (("bits", partial), ("inner", inner or partial), ("result", bits)):
        tally.add(f"plain/{name}", nets)


def _table(
    tally: Tally, plan: ProductPlan, weight: Side, activation: Side, whole: bool
) -> tuple[list[Plane], Plane | None]:
    """Return the table's word; it is indexed by whole codes, or by significands."""
    sides = [side.codes if whole else side.significand for side in (weight, activation)]
    index = [*sides[0][: plan.weight_bits], *sides[1][: plan.activation_bits]]
    bits = [
        looked_up(
            sum((entry >> bit & 1) << place for place, entry in enumerate(plan.entries)),
            index,
            tally.scope.ones,
        )
        for bit in range(plan.word_bounds.bits)
    ]
    tally.add("product/logic/table", bits)
    return bits, tally.scope.ones if plan.pending is not None else None


def _rows(
    tally: Tally, plan: ProductPlan, multiplier: list[Plane], multiplicand: list[Plane]
) -> tuple[list[Plane], Plane | None]:
    done: list[Plane] = []
    previous: list[Plane] | None = None
    carry = None
    if isinstance(plan.selection, DigitSelection):
        previous, carry = _digit(tally, plan.selection, multiplier, multiplicand)
    for row in plan.rows:
        before: list[Plane] = []
        if previous is not None:
            done += previous[:2]
            before = previous[2:] if len(previous) > 2 else previous[-1:]
        previous = _booth(tally, row, multiplier, multiplicand, before)
    if previous is None:
        return multiplicand, None
    return [*done, *previous][: plan.word_bounds.bits], carry


def _digit(
    tally: Tally, plan: DigitSelection, multiplier: list[Plane], multiplicand: list[Plane]
) -> tuple[list[Plane], Plane]:
    low, high = multiplier[:2]
    two = high & ~low
    negates = high | (tally.scope.ones ^ (low | high)) if plan.inverts_zero else high
    word = [0, *multiplicand, multiplicand[-1] if plan.multiplicand_signed else 0]
    bits = [((low & word[i + 1]) | (two & word[i])) ^ negates for i in range(plan.own_bits)]
    tally.add("product/logic/selection", bits)
    if plan.inverts_zero:
        tally.add("product/logic/selection", (negates,))
    top = bits[-1] if plan.multiplicand_signed else negates
    return [*bits, *[top] * (plan.width - len(bits))], negates


def _booth(
    tally: Tally,
    row: BoothRow,
    multiplier: list[Plane],
    multiplicand: list[Plane],
    previous: list[Plane],
) -> list[Plane]:
    high, middle, low = (0 if bit is None else multiplier[bit] for bit in row.triple)
    one = middle ^ low
    two = (high & ~middle & ~low) | (~high & middle & low)
    once = extended(multiplicand, row.width, row.multiplicand_signed)
    twice = extended([0, *multiplicand], row.width, row.multiplicand_signed)
    selected = [((a & one) | (b & two)) ^ high for a, b in zip(once, twice, strict=True)]
    tally.add("product/logic/select", selected)
    if not row.previous_bits:
        return chained(tally, "product", selected, [0] * row.width, high)
    left = extended(previous, row.width, row.previous_signed)
    return added(tally, "product", left, selected, high)


def _shift(
    tally: Tally,
    lane: LanePlan,
    plan: ShiftPlan,
    bits: list[Plane],
    weight: Side,
    activation: Side,
) -> list[Plane]:
    amount = np.zeros(weight.sample.shape, np.int16)
    for operand, side in ((lane.weight, weight), (lane.activation, activation)):
        if operand.field_bits:
            amount += np.maximum(side.exponent, 1) - plan.exponents.from_table
    selects = planes_of(amount, plan.amount_bits)
    tally.add("shifter/logic/amount", selects)
    return leveled(tally, "shifter", plan.levels, bits, plan.input_signed, selects)[plan.offset :]


def leveled(
    tally: Tally,
    name: str,
    levels: Sequence[ShiftLevel],
    word: list[Plane],
    signed: bool,
    selects: Sequence[Plane],
) -> list[Plane]:
    """Return a word moved left, level by level."""
    for level in levels:
        word = extended(word, level.width, signed)
        for bit in range(level.bits):
            place = level.low_bit + bit
            moved = [*[0] * (1 << place), *word][: level.width]
            select = selects[place]
            word = [a ^ (select & (a ^ b)) for a, b in zip(word, moved, strict=True)]
        tally.add(f"{name}/logic/level", word)
    return word


def _merged(tally: Tally, plan: MergedLanePlan, weight: Side, activation: Side) -> Addend:
    inputs = merged_inputs(tally, plan.operands, weight, activation)
    nets = run_cells(tally, "product and shift", plan.netlist, inputs)
    kept = {name: net for name, net in nets.items() if name[0] in "sxcl"}
    return Addend((), nets["s"], kept)
