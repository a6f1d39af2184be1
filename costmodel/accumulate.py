"""Floor 2c: the accumulator of exact, wrapping and saturating sums."""

from __future__ import annotations

from functools import cache

from costmodel.chain import Row, Wire, is_chain, row_cost
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts
from costmodel.lanes import tree_luts
from costmodel.measured import measured
from costmodel.rows import dual_row, narrow_luts, operand_wire
from hw.accumulators import AccumulatorKind
from hw.plan import AccumulatePlan, Bounds

INLINE_TOP_BITS = 3
"""Up to so many top bits are compared within the LUT that clamps a bit."""


@cache
def accumulate(plan: AccumulatePlan, target: Coefficients) -> Cost:
    """Return the cost of `hw.rtl.accumulate.Accumulator`.

    Control is ``valid & last`` and what clears, and on iCE40, where an enable holds back a reset,
    the enables. The adder row reads the register as a bare net; enable and clear are pins of the
    registers. Saturation adds a LUT per bit but the highest, and apart from them what decides
    whether the sum fits, unless that is a matter of three bits.
    """
    count = control_luts(plan.flags, plan.total_on_last, target, plan.lean) + _saturation_luts(
        plan, target
    )
    if len(plan.words) > 1:
        count += plan.subtracts and any(word.pending for word in plan.words)
        return dual_row(plan.sum_bits) + luts(count, ff=plan.ff)
    row = adding_row(
        plan.bits, plan.sum_bits, plan.addend, plan.relative, target, plan.words[0].pending
    )
    if plan.relative:
        count += shared_sign(plan.bits, plan.sum_bits, plan.addend, target)
    return row + luts(count, ff=plan.ff) + _inversion(plan, target)


def _inversion(plan: AccumulatePlan, target: Coefficients) -> Cost:
    """Return the cost of taking a word away: only LUTs of Xilinx invert it on their way."""
    if not plan.subtracts:
        return Cost()
    bits = 0 if plan.relative or target.family == "xilinx" else plan.addend.bits
    return luts(bits) + inverter(target) * plan.words[0].pending


def inverter(target: Coefficients) -> Cost:
    """Return the cost of an inverter by itself, which Yosys does not count as a LUT on Xilinx."""
    return Cost(sites=1) if target.family == "xilinx" else luts(1)


def adding_row(
    state_bits: int,
    width: int,
    addend: Bounds,
    relative: bool,
    target: Coefficients,
    carry: bool = False,
) -> Cost:
    """Return the cost of the row that adds an addend (± by its sign) to the sum so far.

    `carry` tells whether a bit beside the addend is added, too.
    """
    negate: Wire = ("negate",) if relative else ()
    bits = tuple(
        (
            operand_wire("state", i, state_bits, signed=True),
            operand_wire("addend", i, addend.bits, addend.signed) + negate,
        )
        for i in range(width)
    )
    row = Row(bits, negate or (("carry",) if carry else ()))
    return row_cost(row, target) if is_chain(width, target) else luts(narrow_luts(row, target))


def control_luts(
    flags: tuple[str, ...], total_on_last: bool, target: Coefficients, lean: bool = False
) -> float:
    """Return the LUTs of control and sticky flags.

    Lean control is one LUT, with the sign of a lone product in it or not. A flag takes one, and one
    more shows two infinities as NaN.
    """
    name = "lean_control" if lean else "control_on_last" if total_on_last else "control"
    control = target.of("accumulate", name)
    return control + len(flags) + ("pos_inf" in flags)


def shared_sign(state_bits: int, width: int, addend: Bounds, target: Coefficients) -> float:
    """Return the LUT of an addend's inverted sign where it stands at several bits of a row."""
    places = min(state_bits, width) - addend.bits + 1
    several = places > 1 or (places < 1 and width > state_bits)
    return target.of("accumulate", "shared_sign") if addend.signed and several else 0


def _saturation_luts(plan: AccumulatePlan, target: Coefficients) -> float:
    if plan.kind is not AccumulatorKind.SATURATE:
        return 0
    top = plan.sum_bits - plan.bits + 1
    return plan.bits - 1 + (fits_luts(top, target) if top > INLINE_TOP_BITS else 0)


def fits_luts(top: int, target: Coefficients) -> float:
    """Return the LUTs of `hw.rtl.accumulate.Fits` of so many bits."""
    known = measured(target.target, "saturation_check", str(top))
    return 2 * tree_luts(top, target.lut_inputs) + 1 if known is None else known.lut
