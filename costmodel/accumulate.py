"""Floor 2c: the accumulator of exact, wrapping and saturating sums."""

from __future__ import annotations

from functools import cache

from costmodel.chain import Row, Wire, function_luts, is_chain, row_cost
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts
from costmodel.lanes import tree_luts
from costmodel.rows import narrow_luts, operand_wire
from hw.accumulators import AccumulatorKind
from hw.plan import AccumulatePlan

INLINE_TOP_BITS = 3
"""Up to so many top bits are compared within the LUT that clamps a bit."""
CONTROL_LUTS = 2
"""``valid & last`` and ``reset | (valid & last)``."""


@cache
def accumulate(plan: AccumulatePlan, target: Coefficients) -> Cost:
    """Return the cost of `hw.rtl.accumulate.Accumulator`.

    The adder row reads the register as a bare net; enable and clear are pins of the registers.
    Saturation adds a LUT per bit but the highest, and apart from them what decides whether the
    sum fits, unless that is a matter of three bits.
    """
    row = _row(plan)
    if is_chain(plan.sum_bits, target):
        cost = row_cost(row, target)
    else:
        cost = luts(narrow_luts(row, target))
    extra = CONTROL_LUTS + flag_luts(plan.flags)
    extra_fitted = _saturation_luts(plan, target) + _shared_sign(plan, target)
    return cost + luts(extra + extra_fitted, ff=plan.ff)


def flag_luts(flags: tuple[str, ...]) -> int:
    """Return the LUTs of the sticky flags: one each, and one to show two infinities as NaN."""
    return len(flags) + ("pos_inf" in flags)


def _row(plan: AccumulatePlan) -> Row:
    negate: Wire = ("negate",) if plan.relative else ()
    bits = tuple(
        (
            operand_wire("state", i, plan.bits, signed=True),
            operand_wire("addend", i, plan.addend.bits, plan.addend.signed) + negate,
        )
        for i in range(plan.sum_bits)
    )
    return Row(bits, negate)


def _shared_sign(plan: AccumulatePlan, target: Coefficients) -> float:
    """LUT of an addend's inverted sign where it stands at two or more bits of a row."""
    beyond = plan.sum_bits - plan.addend.bits
    if plan.relative and plan.addend.signed and beyond > 0:
        return target.of("accumulate", "shared_sign")
    return 0


def _saturation_luts(plan: AccumulatePlan, target: Coefficients) -> float:
    if plan.kind is not AccumulatorKind.SATURATE:
        return 0
    top = plan.sum_bits - plan.bits + 1
    apart = 0 if top <= INLINE_TOP_BITS else _fits_luts(top, target.lut_inputs)
    return plan.bits - 1 + apart


def _fits_luts(top: int, lut_inputs: int) -> int:
    """Return the LUTs that tell whether so many bits are the same."""
    return function_luts(top, lut_inputs) if top <= 7 else tree_luts(top, lut_inputs)
