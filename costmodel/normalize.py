"""Floor 2c: normalisation of a floating sum: leading digits, shifts to the left, what they drop."""

from __future__ import annotations

from costmodel.chain import function_luts
from costmodel.coefficients import Coefficients
from costmodel.lanes import gate_luts
from costmodel.measured import measured
from hw.plan import LeftLevel, RoundedSum

ICE40_LUT_INPUTS = 4


def leading_luts(plan: RoundedSum, number: int, target: Coefficients) -> float:
    """Return the LUTs of a digit of the count: measured, or groups unlike the sign and its bits."""
    level = plan.normalize_levels[number]
    key = leading_key(level, digit_mode(plan, number))
    known = measured(target.target, "leading_digit", key)
    if known is not None:
        return known.lut
    groups = (1 << level.bits) - 1
    held = plan.limits_count
    if level.step == 1:
        return level.bits + (held * level.bits if plan.exponent_bits else 0)
    return groups * gate_luts(level.step + 1, target) + level.bits + held


def digit_mode(plan: RoundedSum, number: int) -> str:
    """Return how a digit is limited: not, by a port, or by a constant ("h" behind: if held)."""
    if not plan.limits_count:
        return "free"
    if plan.exponent_bits:
        return "port"
    level = plan.normalize_levels[number]
    constant = plan.highest >> level.low_bit & ((1 << level.bits) - 1)
    return f"const{constant}{'h' if number else ''}"


def leading_key(level: LeftLevel, mode: str) -> str:
    """Return the key of a measured leading digit."""
    looked = min(((1 << level.bits) - 1) * level.step, level.bits_in)
    return f"{level.step}_{level.bits}_{looked}_{mode}"


def left_luts(level: LeftLevel, target: Coefficients) -> float:
    """Return the LUTs of a level that moves left: a multiplexer per bit.

    Low bits come from fewer places. iCE40 makes a bit that is no single LUT in two steps, the first
    of which neighbours share.
    """
    low = level.bits_in - level.width
    count = 0
    shared: set[int] = set()
    for place in range(low, level.bits_in):
        sources = min(place // level.step + 1, 1 << level.bits)
        inputs = sources + level.bits
        if target.family != "ice40" or inputs <= ICE40_LUT_INPUTS:
            count += function_luts(inputs, target.lut_inputs)
        else:
            count += 1
            shared |= {place, place - 2 * level.step}
    return count + sum(1 for place in shared if place >= level.step)


def dropped_luts(level: LeftLevel, target: Coefficients) -> float:
    """Return the LUTs of the sticky bit of what a level drops: measured, or gates."""
    dropped = level.bits_in - level.width
    if dropped <= 0:
        return 0
    known = measured(target.target, "dropped_bits", dropped_key(level))
    if known is not None:
        return known.lut
    groups = min(-(-dropped // level.step), 1 << level.bits)
    return max(gate_luts(dropped + groups + level.bits - 1, target), 1)


def dropped_key(level: LeftLevel) -> str:
    """Return the key of a measured sticky bit."""
    return f"{level.step}_{level.bits}_{level.bits_in - level.width}"
