"""Floor 2c: alignment windows."""

from __future__ import annotations

from functools import cache

from costmodel.coefficients import Coefficients, multipliers
from costmodel.cost import Cost
from hw.plan import AlignPlan, ExponentMaximum, OperandPlan, WindowAccumulatePlan, WindowLanePlan


def _linear(target: Coefficients, part: str, features: tuple[float, ...], ff: int = 0) -> Cost:
    """Return a cost that is linear in some features, each resource with its own numbers."""

    def number(resource: str) -> float:
        weights = target.row(f"window_{part}", resource)
        return max(sum(w * x for w, x in zip(weights, features, strict=True)), 0)

    return Cost(number("lut"), number("sites"), ff, round(number("carry")))


@cache
def exponent_maximum(plan: ExponentMaximum, target: Coefficients) -> Cost:
    """Return the cost of the larger of two exponents."""
    return _linear(target, "maximum", (1, plan.exponent_bits))


@cache
def align(plan: AlignPlan, target: Coefficients) -> Cost:
    """Return the cost of one aligner."""
    bits = plan.window_bits
    features = (1, bits, plan.product_bits, plan.exponent_bits, bits * plan.distance_bits)
    return _linear(target, "align", features)


@cache
def window_accumulate(plan: WindowAccumulatePlan, target: Coefficients) -> Cost:
    """Return the cost of the accumulator of a window."""
    bits = plan.bits
    features = (1, bits, plan.exponent_bits, bits * plan.distance_bits, len(plan.flags))
    return _linear(target, "accumulate", features, plan.ff)


@cache
def window_lane(plan: WindowLanePlan, target: Coefficients) -> Cost:
    """Return the cost of a lane of a window."""
    operands = (plan.weight, plan.activation)
    product = multipliers(target.target)[
        plan.weight.significand_bits, plan.activation.significand_bits, False, False
    ]
    features = (
        1,
        product.lut,
        sum(operand.field_bits for operand in operands),
        plan.exponent_bits,
        sum(_negated_bits(operand) for operand in operands),
        sum(operand.significand_bits for operand in operands if operand.gated),
        len(plan.flags),
    )
    return _linear(target, "lane", features)


def _negated_bits(operand: OperandPlan) -> int:
    """Return the bits of a fixed-point operand that is split into sign and magnitude."""
    return operand.significand_bits if operand.has_sign and not operand.is_minifloat else 0
