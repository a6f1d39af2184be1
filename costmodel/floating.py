"""Floor 2c: floating accumulators: distance, alignment, sum, normalisation, rounding, result."""

from __future__ import annotations

from functools import cache

from costmodel.accumulate import control_luts
from costmodel.chain import Row, Wire, function_luts, is_chain, row_cost
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts, total
from costmodel.lanes import gate_luts, special_luts, unpack_luts
from costmodel.rows import narrow_luts
from costmodel.shift import exponent_sum
from hw.formats import Specials
from hw.plan import FloatAccumulatePlan, FloatLanePlan, LeftLevel, RightLevel, ScalePlan


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
    format = plan.format
    control = control_luts((), plan.total_on_last, target) + gate_luts(format.exponent_bits, target)
    return total(
        (
            luts(control + plan.relative, ff=plan.ff),
            _distance(plan, target),
            *(luts(right_luts(level, target)) for level in plan.align_levels[:-1]),
            luts(_lost_luts(plan, target)),
            _aligned_sum(plan, target),
            *(luts(_digit_luts(plan, level, target)) for level in plan.normalize_levels),
            *(luts(left_luts(level, target)) for level in plan.normalize_levels),
            _field(plan, target),
            _rounder(plan, target),
            luts(_result_luts(plan, target)),
        )
    )


def _row(bits: list[tuple[Wire, Wire]], carry_in: Wire, target: Coefficients) -> Cost:
    row = Row(tuple(bits), carry_in)
    return row_cost(row, target) if is_chain(row.width, target) else luts(narrow_luts(row, target))


def _distance(plan: FloatAccumulatePlan, target: Coefficients) -> Cost:
    """A constant added to the exponent, the difference, and the clamp of each bit."""
    width = plan.difference_bits
    varies = plan.exponent_bits > 0
    costs = []
    if varies and plan.anchor:
        places = range((plan.anchor & -plan.anchor).bit_length() - 1, width)
        costs.append(_row([((("e", i),), ()) for i in places], (), target))
    bits: list[tuple[Wire, Wire]] = []
    for i in range(width):
        inside = i < plan.format.exponent_bits
        field: Wire = (("f", i), ("inverted", i)) if inside else ()
        bits.append(((("r", i),) if varies else (), (*field, "normal") if i == 0 else field))
    costs.append(_row(bits, (), target))
    rest = width - plan.distance_bits - plan.may_pass_above
    far = varies and rest > 0 and (plan.highest - 1) >> plan.distance_bits > 0
    if far or plan.may_pass_above:
        costs.append(luts(plan.distance_bits + (gate_luts(rest, target) if far else 0)))
    return total(costs)


def _sources(level: RightLevel, place: int) -> int:
    """Return how many bits can come to a place, counted from the highest."""
    starts = (place - (way << level.low_bit) for way in range(1 << level.bits))
    return sum(0 <= start < level.bits_in for start in starts)


def right_luts(level: RightLevel, target: Coefficients) -> int:
    """Return the LUTs of a level that moves right: a multiplexer per bit."""
    return sum(
        _choice_luts(_sources(level, place), level.bits, target) for place in range(level.width)
    )


def _choice_luts(sources: int, bits: int, target: Coefficients) -> int:
    """Return the LUTs of a bit of a shifter; iCE40 has a LUT per bit of the amount."""
    count = function_luts(sources + bits, target.lut_inputs)
    return min(count, bits) if target.family == "ice40" else count


def _lost_luts(plan: FloatAccumulatePlan, target: Coefficients) -> float:
    if not plan.loses_bits:
        return 0
    level = plan.align_levels[-1]
    return gate_luts(level.bits_in, target) + (1 << level.bits) - 1


def _aligned_sum(plan: FloatAccumulatePlan, target: Coefficients) -> Cost:
    """The row, with the last multiplexers in its LUTs where they have room."""
    level = plan.align_levels[-1]
    extra = 0
    bits: list[tuple[Wire, Wire]] = []
    for position in range(plan.sum_bits):
        place = plan.aligned_bits - 1 - position
        sources = _sources(level, place) if place >= 0 else 0
        left = position - plan.extension
        signed = plan.addend.signed
        bit = min(left, plan.addend.bits - 1) if signed or left < plan.addend.bits else -1
        addend: Wire = (("s", bit),) if left >= 0 and bit >= 0 else ()
        inputs = sources + level.bits if sources else 0
        if inputs + 1 + len(addend) > target.lut_inputs:
            extra += function_luts(inputs, target.lut_inputs)
            inputs = 1
        word: Wire = (*(("m", position, i) for i in range(inputs)), "subtract")
        bits.append((addend, word))
    return _row(bits, ("carry", "lost"), target) + luts(extra)


def _digit_luts(plan: FloatAccumulatePlan, level: LeftLevel, target: Coefficients) -> float:
    """Groups unlike the sign, the digit's bits, and what holds the limit."""
    groups = (1 << level.bits) - 1
    held = plan.limits_count
    if level.step == 1:
        return level.bits + (held * level.bits if plan.exponent_bits else 0)
    count = groups * gate_luts(level.step + 1, target) + level.bits
    return count + held


def left_luts(level: LeftLevel, target: Coefficients) -> float:
    """Return the LUTs of a level of the normalisation and of the sticky bit of what it drops."""
    count = level.width * _choice_luts(1 << level.bits, level.bits, target)
    dropped = level.bits_in - level.width
    if dropped <= 0:
        return count
    groups = min(-(-dropped // level.step), 1 << level.bits)
    return count + max(gate_luts(dropped + groups + level.bits - 1, target), 1)


def _field(plan: FloatAccumulatePlan, target: Coefficients) -> Cost:
    limit: list[Wire] = [
        (("b", i),) if plan.exponent_bits else () for i in range(plan.highest_bits)
    ]
    bits: list[tuple[Wire, Wire]] = [
        (wire, (("c", i), "inverted") if i < plan.count_bits else ())
        for i, wire in enumerate(limit)
    ]
    if not plan.exponent_bits and plan.count_bits >= plan.highest_bits and _all_ones(plan.highest):
        return Cost()
    return _row(bits, (), target)


def _all_ones(value: int) -> bool:
    return value & (value + 1) == 0


def _rounder(plan: FloatAccumulatePlan, target: Coefficients) -> Cost:
    """Hidden bit, the decision, and one row over fraction and field."""
    fraction = plan.format.fraction_bits
    bits: list[tuple[Wire, Wire]] = [((), (("k", i), "sign")) for i in range(fraction)]
    for i in range(plan.rounded_bits - fraction):
        field: Wire = (("f", i), "hidden") if i < plan.highest_bits else ()
        bits.append((("hidden",) if i == 0 else (), field))
    zero = gate_luts(plan.precision + 2, target) + 1 if plan.relative else 0
    return _row(bits, ("up",), target) + luts(2 * function_luts(4, target.lut_inputs) + zero)


def _result_luts(plan: FloatAccumulatePlan, target: Coefficients) -> float:
    """Overflow, special values, and a choice per bit."""
    format = plan.format
    keep = plan.zero_apart or plan.may_pass_above
    count = plan.bits - 1 + gate_luts(plan.rounded_bits, target) + 1.0
    if plan.zero_apart:
        count += gate_luts(plan.addend.bits, target)
    if format.has_infinity or (plan.flags and format.has_specials):
        count += gate_luts(format.bits, target) + format.has_infinity
    if plan.flags:
        count += 2 + 3 * ("pos_inf" in plan.flags)
    if format.specials is Specials.FNUZ:
        count += gate_luts(plan.bits, target)
    choice = 1 + 2 * keep + format.has_infinity + bool(plan.flags)
    return count * (1 if choice <= target.lut_inputs else 2)
