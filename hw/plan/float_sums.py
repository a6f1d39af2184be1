"""Floor 1c: which floating accumulator a design gets: exponents, window, special cases."""

from __future__ import annotations

from hw.design import SCALE_BIAS, SCALE_MAXIMUM, Design, MxDotProduct
from hw.formats import Format, MinifloatFormat
from hw.plan.floating import FloatAccumulatePlan, FloatLanePlan
from hw.plan.operand import OperandPlan, gated_apart
from hw.plan.product import Bounds, plan_product
from hw.plan.shift import plan_exponents
from hw.target import Target

ANCHOR_SLACK = 4
"""How many bits a window may be longer than needed to save an adder row on its exponent."""
WINDOW_BIT_LUTS = 4
"""About what a bit of the window costs: shifter, adder row, normalisation."""
NEVER = 1 << 20
"""Highest bit of an addend that needs nothing below it."""


def plan_float_lane(design: Design, target: Target) -> FloatLanePlan | None:
    """Return the lane of a design of one product whose exponent varies, None for any other."""
    counts = not (design.is_floating and design.specials == "flag")
    weight, activation = (
        gated_apart(OperandPlan(format, special_counts=counts), design.product_flags, target)
        for format in (design.weight, design.activation)
    )
    exponents = plan_exponents((weight, activation), target.lut_inputs)
    if exponents is None or design.lanes > 1:
        return None
    product = plan_product(
        design.structure,
        Bounds(weight.low, weight.high),
        weight.significand_bits,
        Bounds(activation.low, activation.high),
        activation.significand_bits,
        target.primitives,
        may_pend=False,
    )
    return FloatLanePlan(weight, activation, product, exponents, design.product_flags)


def plan_float_mac(design: Design, lane: FloatLanePlan, on_last: bool) -> FloatAccumulatePlan:
    """Return the accumulator of one product whose exponent varies."""
    format = design.accumulator.format
    assert format is not None
    offset = lane.exponents.offset
    largest = lane.weight.largest_shift + lane.activation.largest_shift
    grid = design.product_lsb_exponent - format.lsb_exponent + 1 - offset
    return plan_float_sum(
        format,
        lane.product.bounds,
        lane.has_negate,
        largest + offset,
        grid,
        _least_products(lane, grid + offset),
        lane.flags,
        negative_zero=_has_negative_zero(design),
        total_on_last=on_last,
    )


def plan_fixed_sum(
    design: Design, addend: Bounds, relative: bool, on_last: bool
) -> FloatAccumulatePlan:
    """Return the accumulator of sums on the fixed grid of a design's products.

    It is a multiple of the grid itself, so that nothing but zeros leaves at the right, and addends
    below half its last place cannot make it grow: its exponent stays below ``grid + |S| + 2``.
    """
    format = design.accumulator.format
    assert format is not None
    grid = design.product_lsb_exponent - format.lsb_exponent + 1
    size = addend.magnitude.bit_length()
    top = min(max(format.maximum_field, 1), grid + size + 1)
    return FloatAccumulatePlan(
        format,
        addend,
        relative,
        exponent_max=0,
        grid=grid,
        anchor=max(top, grid + size - format.precision),
        extension=0,
        loses_bits=False,
        zero_apart=False,
        flags=design.product_flags,
        negative_zero=_has_negative_zero(design),
        total_on_last=on_last,
    )


def plan_float_sum(
    format: MinifloatFormat,
    addend: Bounds,
    relative: bool,
    exponent_max: int,
    grid: int,
    least: tuple[tuple[int, int], ...],
    flags: tuple[str, ...],
    negative_zero: bool,
    total_on_last: bool,
) -> FloatAccumulatePlan:
    """Return the accumulator of an addend whose exponent varies.

    Parameters
    ----------
    format, addend, relative, exponent_max, grid, flags, negative_zero, total_on_last
        As in `FloatAccumulatePlan`.
    least
        For groups of addends: the largest exponent, and the highest bit of the least addend that
        is not 0. The first group is the one 0 belongs to.

    """
    precision = format.precision
    extension = max(0, *(min(precision + 1 - lead, exponent - 1) for exponent, lead in least))
    return FloatAccumulatePlan(
        format,
        addend,
        relative,
        exponent_max,
        grid,
        _anchor(grid + addend.magnitude.bit_length() + 1, exponent_max),
        extension,
        loses_bits=max(exponent for exponent, _ in least) - 1 > extension,
        zero_apart=least[0][0] - 1 > extension,
        flags=flags,
        negative_zero=negative_zero,
        total_on_last=total_on_last,
    )


def _anchor(least: int, exponent_max: int) -> int:
    """Return the cheapest anchor: adding 0 or a multiple of a power of two saves an adder row."""

    def cost(anchor: int) -> int:
        bits = max((exponent_max + anchor).bit_length(), 1)
        tail = (anchor & -anchor).bit_length() - 1 if anchor else bits
        return max(bits - tail, 0) + WINDOW_BIT_LUTS * (anchor - least)

    return min(range(least, least + ANCHOR_SLACK), key=cost)


def _least_products(lane: FloatLanePlan, grid: int) -> tuple[tuple[int, int], ...]:
    """Return the groups of products: of subnormals and of normal numbers."""
    groups: list[tuple[int, int]] = []
    for w_shift, w_lead in _groups(lane.weight.format):
        for a_shift, a_lead in _groups(lane.activation.format):
            groups.append((grid + w_shift + a_shift, w_lead + a_lead))
    zeros = [
        grid + lane.weight.largest_shift * (i == 0) + lane.activation.largest_shift * (i == 1)
        for i in range(2)
    ]
    return ((max(zeros), NEVER), *groups)


def _groups(format: Format) -> tuple[tuple[int, int], ...]:
    """Return (largest exponent shift, highest bit of the least significand but 0)."""
    if not isinstance(format, MinifloatFormat):
        return ((0, 0),)
    top = max(format.maximum_field, 1) - 1
    subnormal = (0, 0)
    return (subnormal, (top, format.fraction_bits)) if top else (subnormal,)


def _has_negative_zero(design: Design) -> bool:
    """Whether the accumulator can hold −0: a sum smaller than its grid must be possible."""
    format = design.accumulator.format
    assert format is not None
    finer = design.product_lsb_exponent < format.lsb_exponent
    signed = design.weight.signed or design.activation.signed
    return finer and signed and format.negative_zero


def plan_scaled_sum(design: MxDotProduct, addend: Bounds, relative: bool) -> FloatAccumulatePlan:
    """Return the accumulator of sums on a grid that two E8M0 scales move."""
    format = design.accumulator.format
    assert format is not None
    grid = design.product_lsb_exponent - 2 * SCALE_BIAS - format.lsb_exponent + 1
    largest = 2 * SCALE_MAXIMUM
    flags = ("nan", *(flag for flag in design.product_flags if flag != "nan"))
    return plan_float_sum(
        format,
        addend,
        relative,
        largest,
        grid,
        ((largest + grid, NEVER), (largest + grid, 0)),
        flags if design.specials == "flag" else (),
        negative_zero=False,
        total_on_last=False,
    )
