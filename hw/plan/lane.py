"""Floor 1c: one lane: two operand codes in, one addend out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hw.design import Design, WeightStationaryArray, without_hardware
from hw.plan.baugh_wooley import STRUCTURE as BAUGH_WOOLEY
from hw.plan.baugh_wooley import why_no_heap
from hw.plan.binned import STRUCTURES as BINNED
from hw.plan.compressor import can_compress
from hw.plan.khot import STRUCTURE as KHOT
from hw.plan.khot import why_no_shifts
from hw.plan.merged import can_merge
from hw.plan.merged_window import can_merge_window
from hw.plan.once import REFUSED, exact_design
from hw.plan.operand import OperandPlan, gated_apart
from hw.plan.packed_tile import can_pack
from hw.plan.product import Bounds, ProductPlan, plan_product, table_product
from hw.plan.selection import SignSelection
from hw.plan.shift import ShiftPlan, plan_shift
from hw.plan.signs import signs_and_integer
from hw.plan.sums import Sign, Word
from hw.target import Target

TABLE_INPUTS = 6
"""Widest table: its bits are single LUT6s."""


@dataclass(frozen=True, slots=True)
class LanePlan:
    """Product of one lane on the fixed grid: ``(−1)^negate · value``.

    Parameters
    ----------
    weight, activation
        The operands.
    product
        Product of significands, or of whole magnitude codes if `is_table`.
    shift
        Placement of the product, None where exponents do not vary.
    bounds
        Range of `value`, before the sign.
    flags
        Special outputs of the lane: "nan", "pos_inf", "neg_inf" as far as they occur and count.
    signs_apart
        Whether the sign of the product is made outside the lane, from the operands' highest bits.
    negated
        Whether the value is that of −weight·activation (`hw.plan.selection`).

    """

    weight: OperandPlan
    activation: OperandPlan
    product: ProductPlan
    shift: ShiftPlan | None
    bounds: Bounds
    flags: tuple[str, ...]
    signs_apart: bool = False
    negated: bool = False

    @property
    def is_table(self) -> bool:
        """Whether value is a table of both whole magnitude codes."""
        return self.product.structure == "table" and self.shift is None

    @property
    def has_negate(self) -> bool:
        """Whether the sign leaves the lane apart from the value."""
        if isinstance(self.product.selection, SignSelection):
            return False
        return self.weight.has_sign or self.activation.has_sign

    @property
    def word(self) -> Word:
        """What the lane hands to the tree."""
        if self.has_negate:
            return Word.negated(self.bounds)
        if self.product.pending is not None:
            return Word(self.product.pending, self.bounds, Sign.CARRY)
        return Word.plain(self.bounds)


def table_inputs(weight: OperandPlan, activation: OperandPlan) -> int:
    """Return the inputs of a table of both magnitude codes."""
    return weight.magnitude_code_bits + activation.magnitude_code_bits


def structures(design: Design, target: Target | None = None) -> tuple[str, ...]:
    """Return the product structures that can serve a design, plainest first.

    Without a target, those that every target can build: "merged" needs LUTs of six inputs, "packed"
    blocks that `hw.plan.packed` knows.
    """
    if design.accumulator.is_once:
        kept = structures(exact_design(design.with_structure("auto")), target)
        return tuple(structure for structure in kept if structure not in REFUSED)
    if design.is_binned:
        return BINNED
    shifts = (KHOT,) if target is not None and not why_no_shifts(design, target) else ()
    if without_hardware(design.weight):
        return shifts
    weight, activation = OperandPlan(design.weight), OperandPlan(design.activation)
    known = ["behavioural", "rows"]
    if not design.is_window:
        if weight.is_signs and activation.is_signs:
            known = []
        elif signs_and_integer(weight, activation) is not None:
            known = ["rows"]
    significands = weight.significand_bits + activation.significand_bits
    signs = weight.is_signs or activation.is_signs
    whole = significands if design.is_window else table_inputs(weight, activation)
    if (whole if signs else min(whole, significands)) <= TABLE_INPUTS:
        known.append("table")
    if (
        (target is None or target.dsp)
        and not signs
        and significands > TABLE_INPUTS
        and max(
            weight.significand_bits + (not weight.signed),
            activation.significand_bits + (not activation.signed),
        )
        <= 18
    ):
        known.append("dsp")
    if target is not None and target.lut_inputs >= TABLE_INPUTS and _can_merge(design):
        known.append("merged")
    if isinstance(design, WeightStationaryArray):
        return tuple(known)  # the others end in an accumulator
    if target is not None and can_compress(design, target):
        known.append("compressor")
    if target is not None and can_pack(design, target):
        known.append("packed")
    if target is not None and not why_no_heap(design, target):
        known.append(BAUGH_WOOLEY)
    return (*known, *shifts)


def _can_merge(design: Design) -> bool:
    return can_merge_window(design) if design.is_window else can_merge(design)


def plan_lane(design: Design, target: Target) -> LanePlan:
    """Return the lane of a design whose structure is settled."""
    counts = not (design.is_floating and design.specials == "flag")
    weight = OperandPlan(design.weight, special_counts=counts)
    activation = OperandPlan(design.activation, special_counts=counts)
    whole = design.structure == "table" and table_inputs(weight, activation) <= TABLE_INPUTS
    flags = design.product_flags
    if not whole and not design.is_floating and signs_and_integer(weight, activation) is not None:
        return _plan_signs(design, weight, activation, target)
    if whole:
        weight, activation = replace(weight, whole=True), replace(activation, whole=True)
    else:
        weight, activation = (gated_apart(one, flags, target) for one in (weight, activation))
    apart = target.primitives and weight.has_sign and activation.has_sign and not flags
    apart = apart and not design.is_floating
    if whole:
        product = table_product(
            _value_bounds(weight),
            _value_bounds(activation),
            _magnitudes(weight),
            _magnitudes(activation),
            target.primitives,
            may_pend=target.primitives and not (weight.has_sign or activation.has_sign),
        )
        return LanePlan(weight, activation, product, None, product.bounds, flags, apart)
    product = plan_product(
        design.structure,
        Bounds(weight.low, weight.high),
        weight.significand_bits,
        Bounds(activation.low, activation.high),
        activation.significand_bits,
        target.primitives,
        may_pend=not (weight.has_sign or activation.has_sign),
    )
    bounds = _value_bounds(weight) * _value_bounds(activation)
    shift = plan_shift(
        (weight, activation),
        product.bounds.bits,
        product.bounds.signed,
        bounds.bits,
        target.lut_inputs,
    )
    return LanePlan(weight, activation, product, shift, bounds, flags, apart)


def _plan_signs(
    design: Design, weight: OperandPlan, activation: OperandPlan, target: Target
) -> LanePlan:
    """Return the lane of a binary or ternary operand and an integer.

    A word is inverted in the lane, or, if it is that of a binary operand, in the adder row it goes
    to: in pairs where there is LUT6_2, and by the accumulator where there is one lane.
    """
    found = signs_and_integer(weight, activation)
    assert found is not None
    signs, other = found
    binary = signs.format.bits == 1
    bounds = _value_bounds(weight) * _value_bounds(activation)
    sides = Bounds(weight.low, weight.high), Bounds(activation.low, activation.high)
    widths = weight.significand_bits, activation.significand_bits
    if binary and (design.lanes == 1 or target.lut_inputs >= TABLE_INPUTS):
        product = plan_product(
            design.structure, sides[0], widths[0], sides[1], widths[1], target.primitives
        )
        apart = target.primitives and design.lanes == 1
        return LanePlan(
            weight, activation, product, None, bounds, (), apart, negated=design.lanes > 1
        )
    selection = SignSelection(
        other.significand_bits, other.signed, masked=not binary, packed=target.primitives
    )
    product = ProductPlan(
        "rows",
        sides[0],
        sides[1],
        widths[0],
        widths[1],
        weight_is_multiplier=signs is weight,
        selection=selection,
        pending=selection.word_bounds(Bounds(other.low, other.high)),
    )
    reach = Bounds(other.low, other.high).magnitude
    return LanePlan(weight, activation, product, None, Bounds(-reach, reach), (), negated=binary)


def _magnitudes(operand: OperandPlan) -> list[int]:
    """Return the value of every code without its sign bit, on the grid."""
    return [operand.format.integer(code) for code in range(1 << operand.magnitude_code_bits)]


def _value_bounds(operand: OperandPlan) -> Bounds:
    """Return the range of an operand on its format's grid, its separate sign left out."""
    low = 0 if operand.has_sign else operand.format.minimum_integer
    return Bounds(low, operand.format.maximum_integer)
