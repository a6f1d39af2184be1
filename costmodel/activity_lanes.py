"""Floor 2c: lanes of a plan over a sample of operands: the words they hand to the tree.

Products run row by row, tables and shifters level by level, merged lanes cell by cell, as the plan
says (`costmodel.activity_planes`). A plain ``*`` is not known inside: its bit products and its
result stand for it. Lanes of a design are equal, so all run at once, one after the other in planes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from costmodel.activity_planes import (
    Codes,
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
from hw.formats import MinifloatFormat, Special
from hw.plan import (
    BoothRow,
    DigitSelection,
    LanePlan,
    MergedLanePlan,
    OperandPlan,
    ProductPlan,
    ShiftPlan,
    SignSelection,
)
from hw.plan.merged_cells import kill_netlist

Numbers = NDArray[np.int64]


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


@dataclass(frozen=True, slots=True)
class Fields:
    """What each code of an operand means: significand, exponent field, sign."""

    significand: Numbers
    exponent: Numbers
    negative: Numbers


@cache
def fields_of(operand: OperandPlan) -> Fields:
    """Return the fields of every code; special ones have the significand 0."""
    format = operand.format
    found = np.zeros((3, 1 << format.bits), np.int64)
    for code in range(1 << format.bits):
        special = isinstance(format.special(code), Special)
        if isinstance(format, MinifloatFormat):
            fraction = format.fraction_bits
            exponent = code >> fraction & ((1 << format.exponent_bits) - 1)
            bits = (code & ((1 << fraction) - 1)) | (exponent > 0) << fraction
            found[:, code] = bits, exponent, format.signed and code >> (format.bits - 1)
            if special and operand.gated:
                found[0, code] = 0
        else:
            value = 0 if special else format.integer(code)
            apart = operand.has_sign
            found[:, code] = abs(value) if apart else value, 0, apart and value < 0
    return Fields(*found)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One operand of all lanes: planes of its significand, sign and code; its fields by sample."""

    significand: list[Plane]
    negative: Plane
    codes: list[Plane]
    known: Fields
    sample: Codes

    @property
    def values(self) -> Numbers:
        """The significand of each sample."""
        return self.known.significand[self.sample]

    @property
    def exponent(self) -> NDArray[np.int16]:
        """The exponent field of each sample."""
        return self.known.exponent.astype(np.int16)[self.sample]


def side_of(operand: OperandPlan, given: Statistics, weights: bool) -> Side:
    """Return an operand's fields for a sample, that of the weights or of the activations."""
    plain = OperandPlan(operand.format, operand.has_sign, operand.gated, operand.whole)
    return _side(plain, given, weights)


@lru_cache(maxsize=256)
def _side(operand: OperandPlan, given: Statistics, weights: bool) -> Side:
    known, codes = fields_of(operand), given.weights if weights else given.activations
    bits = operand.significand_bits
    table = np.uint8 if bits <= 8 else np.int64
    return Side(
        planes_of(known.significand.astype(table)[codes], bits),
        plane_of(known.negative.astype(np.uint8)[codes]),
        planes_of(codes, operand.format.bits),
        known,
        codes,
    )


@lru_cache(maxsize=256)
def lane_addend(plan: LanePlan | MergedLanePlan, given: Statistics) -> tuple[Addend, Tally]:
    """Return what all lanes hand over, and the toggles within them; kept for a while."""
    tally = Tally(given.scope(given.lanes))
    return _lane(plan, given, tally), tally


def _lane(plan: LanePlan | MergedLanePlan, given: Statistics, tally: Tally) -> Addend:
    weight = side_of(plan.weight, given, True)
    activation = side_of(plan.activation, given, False)
    for operand, side in ((plan.weight, weight), (plan.activation, activation)):
        _unpack(tally, operand, side)
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
    bits, carry = _product(tally, plan.product, weight, activation, plan.weight.whole)
    if plan.shift is not None:
        bits = _shift(tally, plan, plan.shift, bits, weight, activation)
    bounds = plan.word.bounds
    signed = plan.product.word_bounds.signed
    return Addend(tuple(extended(bits, bounds.bits, signed)), negate if carry is None else carry)


def _unpack(tally: Tally, operand: OperandPlan, side: Side) -> None:
    if isinstance(operand.format, MinifloatFormat) and not operand.whole:
        made = side.significand if operand.gated else side.significand[-1:]
        tally.add("unpack/logic/significand", made)


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


def _product(
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
    word = bits
    for level in plan.levels:
        word = extended(word, level.width, plan.input_signed)
        for bit in range(level.bits):
            place = level.low_bit + bit
            moved = [*[0] * (1 << place), *word][: level.width]
            select = selects[place]
            word = [a ^ (select & (a ^ b)) for a, b in zip(word, moved, strict=True)]
        tally.add("shifter/logic/level", word)
    return word[plan.offset :]


def _merged(tally: Tally, plan: MergedLanePlan, weight: Side, activation: Side) -> Addend:
    inputs: dict[str, Plane] = {}
    codes: dict[str, Plane] = {}
    for name, operand, side in zip("wa", plan.operands, (weight, activation), strict=True):
        fraction = operand.significand_bits - 1
        normal = plane_of(side.exponent != 0)
        inputs |= _numbered(f"{name}m", [*side.codes[:fraction], normal])
        inputs |= {f"{name}s": side.negative, f"{name}n": normal}
        inputs |= _numbered(f"{name}f", planes_of(side.exponent, operand.field_bits))
        codes |= _numbered(name, side.codes)
    if any(operand.gated for operand in plan.operands):
        inputs["kill"] = run_cells(tally, "unpack", kill_netlist(plan.operands), codes)["kill"]
    nets = run_cells(tally, "product and shift", plan.netlist, inputs)
    kept = {name: net for name, net in nets.items() if name[0] in "sxcl"}
    return Addend((), nets["s"], kept)


def _numbered(prefix: str, planes: Sequence[Plane]) -> dict[str, Plane]:
    return {f"{prefix}{i}": plane for i, plane in enumerate(planes)}
