"""Floor 2c: floating accumulators: distance, alignment, sum, normalisation, rounding, result."""

from __future__ import annotations

from functools import cache

from costmodel.accumulate import control_luts
from costmodel.chain import Row, Wire, function_luts, is_chain, row_cost
from costmodel.coefficients import Coefficients
from costmodel.constant_rows import ConstantRow, constant_row
from costmodel.cost import Cost, luts, total
from costmodel.float_result import WIDE_LUT, glue_luts, result, wide_gate
from costmodel.lanes import gate_luts, special_luts, unpack_luts
from costmodel.normalize import dropped_luts, leading_luts, left_luts
from costmodel.rows import narrow_luts
from costmodel.shift import exponent_sum
from hw.plan import (
    FloatAccumulatePlan,
    FloatLanePlan,
    FloatRegisterPlan,
    FloatStepPlan,
    RightLevel,
    RoundedSum,
    ScalePlan,
)


@cache
def float_lane(plan: FloatLanePlan, target: Coefficients) -> Cost:
    """Return the cost of a lane with an exponent, without its product."""
    operands = (plan.weight, plan.activation)
    needs_normal = not plan.exponents.from_table
    count = sum(
        unpack_luts(operand, needs_normal, bool(plan.flags), target) for operand in operands
    )
    count += plan.weight.has_sign and plan.activation.has_sign
    count += special_luts(*operands, plan.flags, target)
    return luts(count) + exponent_sum(plan.exponents, target)


@cache
def scale_sum(plan: ScalePlan, target: Coefficients) -> Cost:
    """Return the cost of the sum of two scales and of telling NaN."""
    bits: list[tuple[Wire, Wire]] = [((("w", i),), (("a", i),)) for i in range(plan.bits)]
    row = _row([*bits, ((), ())], (), target)
    return row + luts(plan.flagged * (2 * gate_luts(plan.bits, target)))


@cache
def float_accumulate(plan: FloatAccumulatePlan, target: Coefficients) -> Cost:
    """Return the cost of `hw.rtl.floating.FloatAccumulator`."""
    return total(
        (
            luts(glue_luts(plan, target), ff=plan.ff),
            _distance(plan, target),
            *(luts(right_luts(level, target)) for level in plan.align_levels[:-1]),
            luts(lost_luts(plan, target)),
            aligned_sum(plan, target),
            rounding_cost(plan, target),
            luts(wide_gate(plan.precision + 2, target) * plan.relative),
            result(plan, target),
        )
    )


def _row(bits: list[tuple[Wire, Wire]], carry_in: Wire, target: Coefficients) -> Cost:
    row = Row(tuple(bits), carry_in)
    return row_cost(row, target) if is_chain(row.width, target) else luts(narrow_luts(row, target))


def _distance(plan: FloatAccumulatePlan, target: Coefficients) -> Cost:
    """A constant added to the exponent, the difference, and the clamp of each bit."""
    if not plan.exponent_bits:
        return _from_constant(plan, target)
    width = plan.difference_bits
    costs = [constant_row(ConstantRow(plan.anchor, plan.exponent_bits, width), target)]
    rest = width - plan.distance_bits - plan.may_pass_above
    far = rest if (plan.highest - 1) >> plan.distance_bits else 0
    bits: list[tuple[Wire, Wire]] = []
    for i in range(width if far > 0 or plan.may_pass_above else plan.distance_bits):
        inside = i < plan.format.exponent_bits
        field: Wire = (("f", i), ("inverted", i)) if inside else ()
        bits.append(((("r", i),), (*field, "normal") if i == 0 else field))
    costs.append(_row(bits, (), target))
    if far > 0 or plan.may_pass_above:
        costs.append(luts(_clamp_luts(plan.distance_bits, max(far, 0), target)))
    return total(costs)


def _clamp_luts(bits: int, far: int, target: Coefficients) -> float:
    """Return the LUTs of a clamp: each bit reads itself, the sign, and what tells a far distance.

    Families that join LUTs by multiplexers spend these on as many inputs as they can.
    """
    room = target.lut_inputs - 2
    if far <= room:
        return bits
    if target.family in ("xilinx", "ice40"):
        return bits + gate_luts(far, target)
    if far <= room + 2:
        return bits * function_luts(far + 2, target.lut_inputs)
    return 4 * bits + gate_luts(far - room - 1, target)


def _from_constant(plan: FloatAccumulatePlan, target: Coefficients) -> Cost:
    """The difference of a constant and the field."""
    width = plan.distance_bits
    bits = min(plan.format.exponent_bits, width)
    return constant_row(ConstantRow(plan.highest, bits, width, True, True), target)


def _sources(level: RightLevel, place: int) -> int:
    """Return how many bits can come to a place, counted from the highest."""
    most = min(place >> level.low_bit, (1 << level.bits) - 1)
    least = max(-((level.bits_in - 1 - place) >> level.low_bit), 0)
    return max(most - least + 1, 0)


def right_luts(level: RightLevel, target: Coefficients) -> int:
    """Return the LUTs of a level that moves right: a multiplexer per bit."""
    return sum(
        _choice_luts(_sources(level, place), level.bits, target) for place in range(level.width)
    )


def _choice_luts(sources: int, bits: int, target: Coefficients) -> int:
    """Return the LUTs of a bit of a shifter; iCE40 has a LUT per bit of the amount."""
    count = function_luts(sources + bits, target.lut_inputs)
    return min(count, bits) if target.family == "ice40" else count


def lost_luts(plan: FloatAccumulatePlan, target: Coefficients) -> float:
    """What leaves the window at the right: an or of all bits that can, each with its amount."""
    if not plan.loses_bits:
        return 0
    level = plan.align_levels[-1]
    if target.family in ("ecp5", "gowin"):
        return gate_luts(level.bits_in, target) + (1 << level.bits) - 1
    step, ways = 1 << level.low_bit, (1 << level.bits) - 1
    moved = min(ways * step, level.width) + max(level.bits_in - level.width, 0)
    inputs = min(moved, level.bits_in) + level.bits
    return wide_gate(inputs, target) if target.family == "xilinx" else gate_luts(inputs, target)


NARROW_TERM: dict[str, dict[int, dict[int, float]]] = {
    "ecp5": {1: {1: 1, 2: 1}, 2: {1: 1, 2: 2, 3: 3.5, 4: 4}},
    "ice40": {1: {1: 1, 2: 1}, 2: {1: 1, 2: 2, 3: 2.6, 4: 3}},
    "gowin": {1: {1: 1, 2: 1}, 2: {1: 1, 2: 2, 3: 3.5, 4: 4}},
}
"""LUT4 of one inverted bit of the last shift, for its bits of the amount and its sources: each
source with a bit of the amount and the sign is a LUT, and what joins two of them one more."""


def aligned_sum(plan: FloatAccumulatePlan, target: Coefficients) -> Cost:
    """The row, with the last multiplexers in its LUTs where they have room."""
    level = plan.align_levels[-1]
    extra = 0.0
    bits: list[tuple[Wire, Wire]] = []
    for position in range(plan.sum_bits):
        place = plan.aligned_bits - 1 - position
        sources = _sources(level, place) if place >= 0 else 0
        left = position - plan.extension
        signed = plan.addend.signed
        bit = min(left, plan.addend.bits - 1) if signed or left < plan.addend.bits else -1
        addend: Wire = (("s", bit),) if left >= 0 and bit >= 0 else ()
        inputs = sources + level.bits if sources else 0
        if target.lut_inputs < WIDE_LUT:
            extra += NARROW_TERM[target.family][level.bits][sources] if sources else 0
            bits.append((addend, (("term", position),) if sources else ("subtract",)))
            continue
        if inputs + 1 + len(addend) > target.lut_inputs:
            extra += function_luts(inputs, target.lut_inputs)
            inputs = 1
        word: Wire = (*(("m", position, i) for i in range(inputs)), "subtract")
        bits.append((addend, word))
    return _row(bits, ("carry",), target) + luts(extra)


def _field(plan: RoundedSum, target: Coefficients) -> Cost:
    """``limit − count``."""
    width, wide = plan.highest_bits, target.lut_inputs >= WIDE_LUT
    if plan.exponent_bits:
        limit: list[Wire] = [(("b", i),) for i in range(width)]
        bits: list[tuple[Wire, Wire]] = [
            (wire, (("c", i), "inverted") if i < plan.count_bits else ())
            for i, wire in enumerate(limit)
        ]
        return _row(bits, (), target) + luts(wide and width > plan.count_bits)
    bits_in = min(plan.count_bits, width)
    return constant_row(ConstantRow(plan.highest, bits_in, width, True), target)


def _rounder(plan: RoundedSum, target: Coefficients) -> Cost:
    """Hidden bit, the decision, and one row over fraction and field."""
    fraction = plan.format.fraction_bits
    bits: list[tuple[Wire, Wire]] = [((), (("k", i), "sign")) for i in range(fraction)]
    for i in range(plan.rounded_bits - fraction):
        field: Wire = (("f", i), "hidden") if i < plan.highest_bits else ()
        bits.append((("hidden",) if i == 0 else (), field))
    return _row(bits, ("up",), target) + luts(2 * function_luts(4, target.lut_inputs))


def rounding_cost(plan: RoundedSum, target: Coefficients) -> Cost:
    """Return the cost of normalising a sum and rounding it, without the choice of the code.

    Digits of the count, the levels that move by them, what these drop; the field, the rounder.
    """
    count = sum(
        leading_luts(plan, number, target) + left_luts(level, target) + dropped_luts(level, target)
        for number, level in enumerate(plan.normalize_levels)
    )
    return luts(count) + _field(plan, target) + _rounder(plan, target)


@cache
def float_step(plan: FloatStepPlan, target: Coefficients) -> Cost:
    """Return the cost of `hw.rtl.floating.FloatStep`: an accumulator without its registers."""
    inner = plan.accumulate
    control = control_luts((), inner.total_on_last, target)
    return float_accumulate(inner, target) + luts(-control, ff=-inner.ff)


@cache
def float_registers(plan: FloatRegisterPlan, target: Coefficients) -> Cost:
    """Return the cost of the registers of a floating accumulator and of their control."""
    return luts(control_luts((), plan.total_on_last, target), ff=plan.ff)
