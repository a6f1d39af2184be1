"""Floor 2c: how a floating accumulator chooses its code, and what ties its modules together."""

from __future__ import annotations

from itertools import pairwise

from costmodel.accumulate import control_luts
from costmodel.chain import function_luts
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts
from costmodel.lanes import gate_luts
from costmodel.measured import measured
from costmodel.rows import CARRY_BITS
from hw.formats import MinifloatFormat, Specials
from hw.plan import FloatAccumulatePlan, RoundedSum

WIDE_LUT = 6
LEAST_CARRY_BITS = 3
ECP5_CARRY_BITS = 2
"""Bits of a comparison in one CCU2C; that with the largest code leaves out the lowest."""
RESULT_FRACTIONS = (2, 10, 23)
"""Widths of the fraction for which the choice of the code is measured; others lie between."""


def result(plan: FloatAccumulatePlan, target: Coefficients) -> Cost:
    """Overflow, special values, and a choice per bit."""
    format = plan.format
    keep = plan.zero_apart or plan.may_pass_above
    found = choice(plan, bool(plan.flags), keep, target)
    if plan.zero_apart:
        found = found + luts(wide_gate(plan.addend.bits, target))
    if format.has_infinity or (plan.flags and format.has_specials):
        known = measured(target.target, "float_classifier", format.name)
        classifier = gate_luts(format.bits, target) + 2 * format.has_infinity
        found = found + (luts(classifier) if known is None else known)
    return found


def wide_gate(inputs: int, target: Coefficients) -> float:
    """Return the LUTs of one gate of many bits, as measured where it was."""
    known = measured(target.target, "flag_gate", str(inputs))
    return gate_luts(inputs, target) if known is None else known.lut


def result_key(format: MinifloatFormat, fraction: int, extra: int, nan: bool, keep: bool) -> str:
    """Return the key of a measured choice of the code."""
    marks = f"{'n' if nan else ''}{'k' if keep else ''}"
    return f"{format.specials.value}_e{format.exponent_bits}m{fraction}_{extra}_{marks}"


def choice(plan: RoundedSum, nan: bool, keep: bool, target: Coefficients) -> Cost:
    """Return the cost of `hw.rtl.rounding.FloatResult`: between those of the nearest fractions."""
    format = plan.format
    extra = plan.rounded_bits - format.bits + 1
    fraction = format.fraction_bits
    key = result_key(format, fraction, extra, nan, keep)
    exact = measured(target.target, "float_result", key)
    if exact is not None:
        return exact
    pairs = pairwise(RESULT_FRACTIONS)
    low, high = next((pair for pair in pairs if fraction <= pair[1]), RESULT_FRACTIONS[-2:])
    ends = [
        measured(target.target, "float_result", result_key(format, end, extra, nan, keep))
        for end in (low, high)
    ]
    if ends[0] is None or ends[1] is None:
        return luts(_choice_by_rule(plan, nan, keep, target))
    share = (fraction - low) / (high - low)
    lut, sites, carry = (
        getattr(ends[0], name) + share * (getattr(ends[1], name) - getattr(ends[0], name))
        for name in ("lut", "sites", "carry")
    )
    if target.family == "xilinx":
        carry = _compare_carries(format, extra)
    elif target.family == "ecp5" and ends[0].carry and ends[1].carry:
        carry = -(-(plan.rounded_bits - 1) // ECP5_CARRY_BITS)
    return Cost(lut, sites, carry=round(carry))


def _compare_carries(format: MinifloatFormat, extra: int) -> int:
    """Return the CARRY4 of a comparison with the largest code: a LUT of six bits per carry bit.

    What an exponent field of six bits tells needs none, nor do one or two carry bits, nor a format
    whose largest code is all ones.
    """
    if not format.has_specials or format.exponent_bits + extra <= WIDE_LUT:
        return 0
    carry_bits = -(-(format.bits - 1 + extra) // WIDE_LUT)
    return -(-carry_bits // CARRY_BITS) if carry_bits >= LEAST_CARRY_BITS else 0


def _choice_by_rule(plan: RoundedSum, nan: bool, keep: bool, target: Coefficients) -> float:
    """Return the LUTs of a choice that was not measured: of each bit, and of what it is by."""
    format = plan.format
    inputs = 1 + 2 * keep + 1 + nan
    count: float = (plan.bits - 1) * function_luts(inputs, target.lut_inputs)
    count += gate_luts(plan.rounded_bits, target) + 1
    if format.specials is Specials.FNUZ:
        count += gate_luts(plan.bits, target)
    return count


def glue_luts(plan: FloatAccumulatePlan, target: Coefficients) -> float:
    """Return the LUTs that stand between the modules of an accumulator.

    Control, whether the accumulator is normal, its infinity, the or of the sticky bits; with an
    exponent also the carry, what keeps the accumulator and whether the limit is near.
    """
    count = control_luts((), plan.total_on_last, target)
    count += wide_gate(plan.format.exponent_bits, target) + plan.format.has_infinity + 1
    if plan.exponent_bits:
        near = max(plan.highest_bits - plan.count_bits, 0)
        count += plan.loses_bits + (plan.zero_apart or plan.may_pass_above)
        count += wide_gate(near, target) if near > 1 else 0
    count += bool(plan.flags)
    return count + plan.relative * (1 if target.lut_inputs >= WIDE_LUT else 2)
