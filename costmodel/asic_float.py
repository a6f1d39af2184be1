"""Floor 2c: floating accumulators and shells of arrays as modules of gates, see `asic_parts`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache

from costmodel.asic_parts import Module, made
from hw.formats import Specials
from hw.plan import (
    ArrayPlan,
    FloatAccumulatePlan,
    RightLevel,
    RoundedSum,
    RoundPlan,
    ScalePlan,
)

LABEL = "floating accumulator"


@cache
def float_accumulate_modules(plan: FloatAccumulatePlan) -> tuple[Module, ...]:
    """Return the modules of a floating accumulator."""
    format = plan.format
    classified = format.has_infinity or (bool(plan.flags) and format.has_specials)
    keeps = plan.may_pass_above or plan.zero_apart
    own = (
        plan.bits,
        format.exponent_bits,
        plan.relative,
        plan.negative_zero,
        len(plan.flags),
        format.has_infinity,
        max(plan.highest_bits - plan.count_bits, 0) * bool(plan.exponent_bits),
        1,
    )
    modules = [made("accumulate", LABEL, "float_accumulate", own, ff=plan.ff)]
    modules += _distance(plan)
    for number, level in enumerate(plan.align_levels[:-1]):
        ways = _ways(level)
        key = f"{level.low_bit}_{level.bits}_{level.bits_in}_{level.width}"
        sizes = (ways[1], ways[2], ways[3], ways[4], 1)
        modules.append(made(f"align_{number}", LABEL, f"mover_{level.bits}", sizes, key))
    modules += _sum(plan)
    modules += _rounding(plan)
    if plan.relative:
        modules.append(_module("sum_is_zero", (plan.precision + 2, 1), "is_zero"))
    if plan.zero_apart:
        modules.append(_module("addend_is_zero", (plan.addend.bits, 1), "is_zero"))
    if classified:
        size = (format.exponent_bits, format.fraction_bits, format.has_infinity, 1)
        modules.append(_module("classify_accumulator", size))
    modules.append(_result(plan, bool(plan.flags), keeps))
    return tuple(modules)


@cache
def round_modules(plan: RoundPlan) -> tuple[Module, ...]:
    """Return the modules that round an exact register."""
    return (*_rounding(plan), _result(plan, bool(plan.flags), False))


def _rounding(plan: RoundedSum) -> Iterator[Module]:
    """Yield what normalises a sum and rounds it."""
    yield from _normalize(plan)
    yield _module("field_row", (plan.highest_bits, plan.count_bits, bool(plan.exponent_bits), 1))
    yield _module("rounder", (plan.precision, plan.rounded_bits - plan.precision, 1))


def _result(plan: RoundedSum, nan: bool, keeps: bool) -> Module:
    """Return what chooses the code."""
    format = plan.format
    features = (
        plan.bits,
        plan.bits * keeps,
        plan.bits * nan,
        plan.bits * (format.specials is Specials.FNUZ),
        format.has_infinity,
        plan.rounded_bits,
        1,
    )
    key = f"{format.name}:{plan.rounded_bits}:{int(keeps)}{int(nan)}"
    return made("result", LABEL, "result", features, key)


def _module(name: str, features: tuple[float, ...], formula: str = "") -> Module:
    return made(name, LABEL, formula or name, features)


def _distance(plan: FloatAccumulatePlan) -> Iterator[Module]:
    """Yield what finds how far the accumulator is moved."""
    varies = bool(plan.exponent_bits)
    rest = plan.difference_bits - plan.distance_bits - plan.may_pass_above
    size = (
        plan.difference_bits,
        plan.distance_bits * plan.may_pass_above,
        plan.distance_bits * (rest > 0),
        max(rest, 0),
        plan.format.exponent_bits,
        1,
    )
    key = f"{size}:{plan.highest if not varies else 'port'}".replace(" ", "")
    name = "distance_port" if varies else "distance_constant"
    yield made("distance", LABEL, name, size, key)
    if varies:
        live = plan.difference_bits - ((plan.anchor & -plan.anchor).bit_length() - 1)
        key = f"{plan.exponent_bits}_{plan.difference_bits}_{plan.anchor}"
        yield made("reference", LABEL, "reference", (live, plan.exponent_bits, 1), key)


def _ways(level: RightLevel) -> Counter[int]:
    """Return how many bits of a level have how many sources."""
    found: Counter[int] = Counter()
    for place in range(level.width):
        starts = (place - (way << level.low_bit) for way in range(1 << level.bits))
        found[sum(0 <= start < level.bits_in for start in starts)] += 1
    return found


def _sum(plan: FloatAccumulatePlan) -> Iterator[Module]:
    """Yield the adder row with the last level of the alignment, and the bits that leave."""
    level = plan.align_levels[-1]
    if plan.loses_bits:
        yield _module("lost", (level.bits_in, level.bits, 1))
    ways = _ways(level)
    muxes = ways[2] + 2 * ways[3] + 3 * ways[4]
    features = (plan.sum_bits, ways[1], muxes, min(plan.addend.bits, plan.sum_bits), 1)
    key = f"{plan.sum_bits}_{plan.addend.bits}_{plan.addend.signed}_{plan.extension}_"
    key += f"{level.low_bit}_{level.bits}_{level.bits_in}_{level.width}"
    yield made("aligned_sum", LABEL, "aligned_sum", features, key)


def _normalize(plan: RoundedSum) -> Iterator[Module]:
    """Yield the count of leading bits and the levels it moves."""
    for number, level in enumerate(plan.normalize_levels):
        groups = (1 << level.bits) - 1
        looked = min(groups * level.step, level.bits_in)
        held = plan.limits_count and (bool(plan.exponent_bits) or number > 0)
        size = (looked, level.bits, held * level.bits, held and level.low_bit > 0, 1)
        limit = "port" if plan.exponent_bits else plan.highest >> level.low_bit & groups
        key = f"{looked}_{level.bits}_{level.low_bit}_{plan.limits_count}_{limit}_{held}"
        yield made(f"leading_{number}", LABEL, f"leading_{level.bits}", size, key)
        ways: Counter[int] = Counter()
        for place in range(level.bits_in - level.width, level.bits_in):
            starts = (place - way * level.step for way in range(groups + 1))
            ways[sum(start >= 0 for start in starts)] += 1
        features = (ways[1], ways[2], ways[3], ways[4], 1)
        key = f"{level.low_bit}_{level.bits}_{level.bits_in}_{level.width}"
        yield made(f"normalize_{number}", LABEL, f"normalize_{level.bits}", features, key)
        dropped = level.bits_in - level.width
        if dropped > 0:
            reached = min(-(-dropped // level.step), groups + 1)
            yield _module(f"dropped_{number}", (dropped, reached, 1), "dropped")


@cache
def scale_modules(plan: ScalePlan) -> tuple[Module, ...]:
    """Return the module of the sum of two scales."""
    return (made("scale_sum", "scales", "scale_sum", (plan.bits, plan.flagged)),)


@cache
def shell_modules(plan: ArrayPlan) -> tuple[tuple[Module, int], ...]:
    """Return the shell of an array: registers and control, and what selects its rows."""
    control = 2 if plan.diagonals > 1 else 1
    ff = plan.operand_ff + 2 * (plan.diagonals - 1) + plan.row_index_bits + control
    features = (plan.diagonals > 1, plan.diagonals - 1, plan.row_index_bits, 1)
    label = "array shell"
    found = [(made("", label, "array_control", features, ff=ff), 1)]
    if plan.rows > 1:
        found.append(
            (made("next_row", label, "next_row", (plan.row_index_bits,), str(plan.rows)), 1)
        )
    chosen = Counter(ways for level in plan.selection for ways in level if ways > 1)
    width = plan.result_bits * plan.columns
    for ways, number in chosen.items():
        size = ((ways - 1) * width, 1)
        key = f"{ways}_{width}"
        found.append((made(f"select_{ways}", label, f"select_{ways}", size, key), number))
    return tuple(found)
