"""Floor 2c: what a lane holds beside its product: unpacking, signs, exponents, special flags."""

from __future__ import annotations

from functools import cache

from costmodel.chain import function_luts
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts
from costmodel.measured import measured
from costmodel.shift import shift
from hw.formats import MinifloatFormat, Specials
from hw.plan import FlagTree, LanePlan, OperandPlan, SignPair, classes

JOINING = ("ecp5", "gowin")
"""Families that make functions of more than four inputs of LUTs and multiplexers."""


@cache
def lane_glue(plan: LanePlan, target: Coefficients) -> Cost:
    """Return the cost of a lane without its product and shifter."""
    needs_normal = plan.shift is not None and not plan.shift.exponents.from_table
    operands = plan.weight, plan.activation
    count = special_luts(*operands, plan.flags, target)
    if not plan.is_table:
        flagged = bool(plan.flags)
        count += sum(unpack_luts(operand, needs_normal, flagged, target) for operand in operands)
    signs = plan.weight.has_sign and plan.activation.has_sign and not plan.signs_apart
    return luts(count + signs) + _sign_inverter(plan, target)


def _sign_inverter(plan: LanePlan, target: Coefficients) -> Cost:
    """Return the cost of a binary sign, the inverse of its code, that nothing else takes in."""
    binary = [o for o in (plan.weight, plan.activation) if o.is_signs and o.format.bits == 1]
    alone = plan.weight.has_sign != plan.activation.has_sign
    if not binary or not alone or not plan.has_negate or plan.signs_apart or plan.negated:
        return Cost()
    return Cost(sites=1) if target.family == "xilinx" else luts(1)


def sign_pair(plan: SignPair, target: Coefficients) -> Cost:
    """Return the cost of the signs of two products."""
    return luts(1)


@cache
def lane_shift(plan: LanePlan, target: Coefficients) -> Cost:
    """Return the cost of a lane's exponent sum and shifter."""
    return Cost() if plan.shift is None else shift(plan.shift, target)


@cache
def flag_tree(plan: FlagTree, target: Coefficients) -> Cost:
    """Return the cost of the or of each flag over the lanes."""
    known = measured(target.target, "flag_gate", str(plan.lanes))
    if known is not None:
        return known * plan.flags
    return luts(plan.flags * gate_luts(plan.lanes, target))


def tree_luts(inputs: int, lut_inputs: int) -> int:
    """Return the LUTs of a tree of wide gates."""
    return 0 if inputs <= 1 else -(-(inputs - 1) // (lut_inputs - 1))


def gate_luts(inputs: int, target: Coefficients) -> float:
    """Return the LUTs of one and, or or comparison of many bits.

    ECP5 joins LUTs by PFUMX and L6MUX21 for speed, which takes more of them than a tree; so does
    Gowin by MUX2_LUT5 … MUX2_LUT8.
    """
    if target.family in JOINING and inputs > 4:
        known = target.row("wide_gate", "luts")
        if inputs < 5 + len(known):
            return known[inputs - 5]
    return tree_luts(inputs, target.lut_inputs)


def unpack_luts(
    operand: OperandPlan, needs_normal: bool, flagged: bool, target: Coefficients
) -> float:
    """Return the LUTs of a significand, hidden bit included.

    Ungated: the hidden bit, an or of the exponent field. Gated in a lane with flags: a LUT per bit
    beside the classifier (on ECP5, the ungated hidden bit is used if it is there and stands alone).
    Gated without flags: each bit is a function of what tells a special code
    (all magnitude bits, or the exponent field in IEEE formats), in one LUT if it fits, else of a
    shared net; ECP5 spends wide functions instead of the shared net. `needs_normal` asks for the
    ungated hidden bit as well.
    """
    format = operand.format
    if not isinstance(format, MinifloatFormat):
        return 0
    exponent, fraction = format.exponent_bits, format.fraction_bits
    normal = gate_luts(exponent, target)
    if not operand.gated:
        return normal
    asked = normal if needs_normal else 0
    if operand.told_apart or flagged:
        shares = target.family in JOINING and needs_normal and fraction == 0
        told = classify_luts(operand, operand.told_apart, target)
        return told + fraction + (1 if shares else gate_luts(exponent + 1, target)) + asked
    known = measured(target.target, "gated_significand", format.name)
    if known is not None:
        return known.lut + (asked if exponent <= target.lut_inputs else 0)
    deciding = exponent + (fraction if format.specials is Specials.FN else 0)
    inputs = deciding + (format.specials is not Specials.FN)
    if target.family in JOINING:
        return (fraction + 1) * function_luts(min(inputs, 6), 4) + asked
    apart = inputs > target.lut_inputs and deciding != target.lut_inputs
    shared = tree_luts(deciding, target.lut_inputs) if apart else 0
    return fraction + 1 + shared + asked


def special_luts(
    weight: OperandPlan, activation: OperandPlan, flags: tuple[str, ...], target: Coefficients
) -> float:
    """Return the LUTs of a lane's special flags: two classifiers, and what joins them."""
    if not flags:
        return 0
    count = classify_luts(weight, classes(weight, activation, flags), target)
    count += classify_luts(activation, classes(activation, weight, flags), target)
    if "pos_inf" not in flags:
        return count + (weight.raises_flags and activation.raises_flags)
    infinite = weight.has_infinity + activation.has_infinity
    special = weight.raises_flags + activation.raises_flags
    signs = weight.format.signed + activation.format.signed
    features = (1, infinite - 1, special - 1, signs - 1)
    weights = target.row("special_flags", "infinity")
    return count + sum(w * x for w, x in zip(weights, features, strict=True))


def classify_luts(operand: OperandPlan, asked: tuple[str, ...], target: Coefficients) -> float:
    """Return the LUTs of a classifier: measured, or a gate per answer."""
    if not asked:
        return 0
    known = measured(target.target, "classifier", classifier_key(operand, asked))
    if known is not None:
        return known.lut
    gate = measured(target.target, "flag_gate", str(operand.format.bits))
    each = gate_luts(operand.format.bits, target) if gate is None else gate.lut
    return each * len(asked)


def classifier_key(operand: OperandPlan, asked: tuple[str, ...]) -> str:
    """Return the key of a measured classifier; fixed point differs only in its width."""
    named = operand.is_minifloat or operand.is_signs
    name = operand.format.name if named else f"fixed{operand.format.bits}"
    return f"{name}:{'+'.join(asked)}"
