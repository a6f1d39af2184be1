"""Floor 2c: what a lane holds beside its product: unpacking, signs, exponents, special flags."""

from __future__ import annotations

from functools import cache

from costmodel.chain import function_luts
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts
from costmodel.measured import measured
from costmodel.shift import shift
from hw.formats import MinifloatFormat, Specials
from hw.plan import FlagTree, LanePlan, OperandPlan

WIDEST_ECP5_FUNCTION = 7
"""Inputs of the widest function that ECP5 makes of LUTs and multiplexers."""


@cache
def lane_glue(plan: LanePlan, target: Coefficients) -> Cost:
    """Return the cost of a lane without its product and shifter."""
    needs_normal = plan.shift is not None and not plan.shift.exponents.from_table
    count: float = 0
    if not plan.is_table:
        count += unpack_luts(plan.weight, needs_normal, target)
        count += unpack_luts(plan.activation, needs_normal, target)
    count += plan.weight.has_sign and plan.activation.has_sign
    count += special_luts(plan.weight, plan.activation, plan.flags, not plan.is_table, target)
    return luts(count)


@cache
def lane_shift(plan: LanePlan, target: Coefficients) -> Cost:
    """Return the cost of a lane's exponent sum and shifter."""
    return Cost() if plan.shift is None else shift(plan.shift, target)


@cache
def flag_tree(plan: FlagTree, target: Coefficients) -> Cost:
    """Return the cost of the or of each flag over the lanes."""
    return luts(plan.flags * gate_luts(plan.lanes, target))


def tree_luts(inputs: int, lut_inputs: int) -> int:
    """Return the LUTs of a tree of wide gates."""
    return 0 if inputs <= 1 else -(-(inputs - 1) // (lut_inputs - 1))


def gate_luts(inputs: int, target: Coefficients) -> float:
    """Return the LUTs of one and, or or comparison of many bits.

    ECP5 joins LUTs by PFUMX and L6MUX21 for speed, which takes more of them than a tree.
    """
    if target.family == "ecp5" and 4 < inputs <= WIDEST_ECP5_FUNCTION:
        return target.row("wide_gate", "luts")[inputs - 5]
    return tree_luts(inputs, target.lut_inputs)


def unpack_luts(operand: OperandPlan, needs_normal: bool, target: Coefficients) -> float:
    """Return the LUTs of a significand, hidden bit included.

    Ungated: the hidden bit, an or of the exponent field. Gated: each bit is a function of what
    tells a special code (all magnitude bits, or the exponent field in IEEE formats), in one LUT if
    it fits, else of a shared net; `needs_normal` asks for the ungated hidden bit as well. ECP5
    spends wide functions instead of the shared net.
    """
    format = operand.format
    if not isinstance(format, MinifloatFormat):
        return 0
    exponent, fraction = format.exponent_bits, format.fraction_bits
    normal = gate_luts(exponent, target)
    if not operand.gated:
        return normal
    asked = normal if needs_normal else 0
    known = measured(target.target, "gated_significand", format.name)
    if known is not None:
        return known.lut + (asked if exponent <= target.lut_inputs else 0)
    deciding = exponent + (fraction if format.specials is Specials.FN else 0)
    inputs = deciding + (format.specials is not Specials.FN)
    if target.family == "ecp5":
        return (fraction + 1) * function_luts(min(inputs, 6), 4) + asked
    apart = inputs > target.lut_inputs and deciding != target.lut_inputs
    shared = tree_luts(deciding, target.lut_inputs) if apart else 0
    return fraction + 1 + shared + asked


def special_luts(
    weight: OperandPlan,
    activation: OperandPlan,
    flags: tuple[str, ...],
    unpacked: bool,
    target: Coefficients,
) -> float:
    """Return the LUTs of a lane's special flags."""
    if not flags:
        return 0
    if "pos_inf" not in flags:
        inputs = sum(_nan_inputs(o, unpacked, target.lut_inputs) for o in (weight, activation))
        return gate_luts(inputs, target)
    infinite = [o for o in (weight, activation) if _has_infinity(o)]
    magnitudes = weight.magnitude_code_bits + activation.magnitude_code_bits
    return (
        target.of("special_flags", "infinity")
        + target.of("special_flags", "second_infinity") * (len(infinite) - 1)
        + target.of("special_flags", "per_bit") * magnitudes
    )


def _has_infinity(operand: OperandPlan) -> bool:
    return isinstance(operand.format, MinifloatFormat) and operand.format.has_infinity


def _nan_inputs(operand: OperandPlan, unpacked: bool, lut_inputs: int) -> int:
    """Return the nets that tell an operand's NaN."""
    format = operand.format
    if not isinstance(format, MinifloatFormat) or not format.has_specials:
        return 0
    magnitude = format.exponent_bits + format.fraction_bits
    if format.specials is Specials.FNUZ:
        if unpacked and format.exponent_bits > 1:
            return format.fraction_bits + 2
        return magnitude + 1
    return 1 if unpacked and magnitude > lut_inputs else magnitude
