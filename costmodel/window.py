"""Floor 2c: alignment windows."""

from __future__ import annotations

from functools import cache

from costmodel.accumulate import adding_row, control_luts, shared_sign
from costmodel.chain import function_luts
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts, total
from costmodel.lanes import gate_luts, special_luts, unpack_luts
from costmodel.measured import measured
from costmodel.shift import exponent_sum, levels_cost
from hw.plan import (
    AlignPlan,
    DistancePlan,
    ExponentMaximum,
    RightShiftLevel,
    WindowAccumulatePlan,
    WindowLanePlan,
)


@cache
def exponent_maximum(plan: ExponentMaximum, target: Coefficients) -> Cost:
    """Return the cost of the larger of two exponents (a comparison and a multiplexer)."""
    bits = plan.exponent_bits
    known = measured(target.target, "exponent_maximum", str(bits))
    return luts(2 * bits - 1) if known is None else known


@cache
def distance(plan: DistancePlan, target: Coefficients) -> Cost:
    """Return the cost of a clamped exponent difference."""
    bits, live = plan.exponent_bits, plan.live_bits
    known = measured(target.target, "distance", f"{bits}_{live}")
    return luts(bits + (live if live < bits else 1)) if known is None else known


@cache
def align(plan: AlignPlan, target: Coefficients) -> Cost:
    """Return the cost of one aligner: a distance and the levels of the mirrored shifter."""
    levels = levels_cost(plan.levels, plan.product_bits, False, 0, target)
    return distance(plan.distance, target) + levels


@cache
def window_accumulate(plan: WindowAccumulatePlan, target: Coefficients) -> Cost:
    """Return the cost of the accumulator of a window, the realigning of its sum included."""
    row = adding_row(plan.bits, plan.bits, plan.addend, True, target)
    control = control_luts(plan.flags, plan.total_on_last, target)
    sign = shared_sign(plan.bits, plan.bits, plan.addend, target)
    shown = shown_luts(plan.exponent_bits, target) if plan.offset else 0
    return total(
        (
            row,
            luts(control + sign + shown, ff=plan.ff),
            exponent_maximum(ExponentMaximum(plan.exponent_bits), target),
            distance(plan.distance, target),
            *(luts(right_shift_luts(level, target)) for level in plan.levels),
        )
    )


def right_shift_luts(level: RightShiftLevel, target: Coefficients) -> int:
    """Return the LUTs of a shift to the right: one per bit but the sign."""
    return (level.width - 1) * function_luts((1 << level.bits) + level.bits, target.lut_inputs)


def shown_luts(bits: int, target: Coefficients) -> float:
    """Return the LUTs that take the offset off the exponent shown."""
    narrow = min(bits, target.lut_inputs)
    return bits + target.of("window", "shown_per_wide_bit") * (bits - narrow)


@cache
def window_lane(plan: WindowLanePlan, target: Coefficients) -> Cost:
    """Return the cost of a lane of a window without its product."""
    operands = (plan.weight, plan.activation)
    exponents = plan.exponents
    needs_normal = exponents is not None and not exponents.from_table
    flagged = bool(plan.flags)
    count = sum(unpack_luts(operand, needs_normal, flagged, target) for operand in operands)
    count += plan.weight.has_sign and plan.activation.has_sign
    count += special_luts(*operands, plan.flags, target)
    costs = [luts(count)]
    for operand in operands:
        if operand.has_sign and not (operand.is_minifloat or operand.is_signs):
            costs.append(magnitude(operand.significand_bits, target))
    if exponents is not None:
        costs.append(exponent_sum(exponents, target))
        costs.append(nonzero(*(operand.significand_bits for operand in operands), target))
        costs.append(luts(exponents.amount_bits))
    return total(costs)


@cache
def nonzero(weight_bits: int, activation_bits: int, target: Coefficients) -> Cost:
    """Return the cost of telling that no significand is 0."""
    high, low = max(weight_bits, activation_bits), min(weight_bits, activation_bits)
    known = measured(target.target, "nonzero", f"{high}_{low}")
    return luts(gate_luts(high + low, target)) if known is None else known


@cache
def magnitude(bits: int, target: Coefficients) -> Cost:
    """Return the cost of the absolute value of a two's complement word."""
    known = measured(target.target, "magnitude", str(bits))
    if known is None:
        raise ValueError(f"the cost model of {target.target} has no magnitude of {bits} bits")
    return known
