"""Floor 2c: the sum over a plan, and the estimate it gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from costmodel import coefficients
from costmodel.accumulate import accumulate
from costmodel.array import array_shell
from costmodel.binned import BINNED_FORMULAS
from costmodel.bit_heap import BIT_HEAP_FORMULAS
from costmodel.coefficients import Coefficients, Formula, Formulas
from costmodel.compressor import compressor
from costmodel.cost import Cost, grained, total
from costmodel.floating import (
    float_accumulate,
    float_lane,
    float_registers,
    float_step,
    scale_sum,
)
from costmodel.lanes import flag_tree, lane_glue, lane_shift, sign_pair
from costmodel.merged import (
    carry_count,
    merged_accumulate,
    merged_lane_cells,
    merged_lane_glue,
    merged_row,
)
from costmodel.merged_window import (
    exponent_distance,
    maximum,
    merged_window_accumulate,
    merged_window_alignment,
    merged_window_glue,
    merged_window_product,
    running_maximum,
)
from costmodel.once import ONCE_FORMULAS
from costmodel.packed import pack, packed_chain
from costmodel.products import lane_product
from costmodel.rows import adder, sum_row
from costmodel.stationary import stationary_shell
from costmodel.user import corrected
from costmodel.window import align, exponent_maximum, window_accumulate, window_lane
from hw.design import Design
from hw.plan import (
    AccumulatePlan,
    AdderRow,
    AlignPlan,
    ArrayPlan,
    CompressorPlan,
    ExponentMaximum,
    FlagTree,
    FloatAccumulatePlan,
    FloatLanePlan,
    FloatRegisterPlan,
    FloatStepPlan,
    LanePlan,
    MaximumPlan,
    MergedAccumulatePlan,
    MergedLanePlan,
    MergedRow,
    MergedWindowAccumulatePlan,
    MergedWindowLanePlan,
    PackedChain,
    PackedOperand,
    Plan,
    ProductPlan,
    ScalePlan,
    SignPair,
    StationaryShell,
    SumRow,
    WindowAccumulatePlan,
    WindowLanePlan,
    plan,
)
from hw.plan.carry_count import CarryCount
from hw.plan.core import KEPT_PLANS
from hw.plan.running_window import ExponentDistancePlan, RunningMaximumPlan
from hw.target import ASIC, Target

FORMULAS: Formulas = {
    LanePlan: (
        ("unpack", lane_glue),
        ("product", lane_product),
        ("shifter", lane_shift),
    ),
    ProductPlan: (),  # counted with its lane, whose formats fill a table
    AdderRow: (("adder row", adder),),
    SumRow: (("adder row", sum_row),),
    SignPair: (("signs", sign_pair),),
    AccumulatePlan: (("accumulator", accumulate),),
    MergedLanePlan: (("unpack", merged_lane_glue), ("product and shift", merged_lane_cells)),
    MergedRow: (("merged row", merged_row),),
    CarryCount: (("carry count", carry_count),),
    MergedAccumulatePlan: (("accumulator", merged_accumulate),),
    MergedWindowLanePlan: (
        ("unpack", merged_window_glue),
        ("product", merged_window_product),
        ("aligner", merged_window_alignment),
    ),
    MaximumPlan: (("exponent maximum", maximum),),
    RunningMaximumPlan: (("running maximum", running_maximum),),
    ExponentDistancePlan: (("exponent distance", exponent_distance),),
    MergedWindowAccumulatePlan: (("window accumulator", merged_window_accumulate),),
    CompressorPlan: (("compressor", compressor),),
    FlagTree: (("flag tree", flag_tree),),
    ArrayPlan: (("array shell", array_shell),),
    WindowLanePlan: (("unpack", window_lane), ("product", lane_product)),
    ExponentMaximum: (("exponent maximum", exponent_maximum),),
    AlignPlan: (("aligner", align),),
    WindowAccumulatePlan: (("window accumulator", window_accumulate),),
    FloatLanePlan: (("unpack", float_lane), ("product", lane_product)),
    FloatAccumulatePlan: (("floating accumulator", float_accumulate),),
    FloatStepPlan: (("floating accumulator", float_step),),
    FloatRegisterPlan: (("floating accumulator", float_registers),),
    ScalePlan: (("scales", scale_sum),),
    StationaryShell: (("array shell", stationary_shell),),
    PackedOperand: (("pack", pack),),
    PackedChain: (("DSP chain", packed_chain),),
    **BINNED_FORMULAS,
    **BIT_HEAP_FORMULAS,
    **ONCE_FORMULAS,
}
"""The formulas of each type of part, with the names they have in a breakdown; see `formulas_of`."""


@dataclass(frozen=True, slots=True)
class Part:
    """One line of a breakdown: `count` equal parts and what they cost together.

    Transistors and gates are those of the target asic, 0 elsewhere.
    """

    label: str
    count: int
    lut: int
    sites: int
    ff: int
    carry: int
    transistors: int = 0
    gates: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a design costs, by formula.

    Parameters
    ----------
    lut, sites, ff, carry, dsp
        As in `costmodel.cost.Cost`, rounded.
    target
        Name of the target.
    design
        Record of the design.
    breakdown
        Lines by kind of part; they add up but for rounding.
    bram
        Memory blocks, as in `costmodel.cost.Cost`: 0 of designs without memories.
    transistors, gates
        On the target asic (`costmodel.asic`), where LUTs, sites, carry and DSP blocks are 0.

    """

    lut: int
    sites: int
    ff: int
    carry: int
    dsp: int
    target: str
    design: dict[str, Any]
    breakdown: tuple[Part, ...]
    bram: int = 0
    transistors: int = 0
    gates: int = 0

    def to_record(self) -> dict[str, Any]:
        """Return the estimate as plain JSON values."""
        names: tuple[str, ...] = ("lut", "sites", "ff", "carry", "dsp", "target", "design")
        names += ("bram",) if self.bram else ()
        names += ("transistors", "gates") if self.transistors else ()
        return {name: getattr(self, name) for name in names}


def estimate(what: Design | Plan, target: Target | None = None) -> Estimate:
    """Return what a design, or its plan, costs.

    Parameters
    ----------
    what
        A design whose structure is settled (see `sweeps.autotune`), or a plan.
    target
        The target; needed for a design, taken from a plan.

    Raises
    ------
    ValueError
        If the structure is "auto", or the cost model does not know the target, a part or a
        coefficient.

    """
    if isinstance(what, Plan):
        built = what
    elif target is None:
        raise ValueError("an estimate needs a target")
    else:
        built = plan(what, target)
    if built.design.pipeline:
        raise ValueError(
            f"pipeline registers are placed in the netlist: estimate {built.design.slug} without "
            f"them and add `costmodel.pipeline.pipeline_registers` of its emission"
        )
    if built.target.name == ASIC:
        from costmodel.asic import estimate_gates

        return estimate_gates(built)
    lines = lines_of(built)
    if built.target.calibration:
        lines = corrected(lines, built.target.calibration)
    whole = total(cost for _, cost in lines.values())
    return Estimate(
        lut=round(whole.lut),
        sites=round(whole.sites),
        ff=whole.ff,
        carry=whole.carry,
        dsp=whole.dsp,
        bram=whole.bram,
        target=built.target.label,
        design=built.design.to_record(),
        breakdown=tuple(
            Part(label, count, round(c.lut), round(c.sites), c.ff, c.carry)
            for label, (count, c) in lines.items()
        ),
    )


@lru_cache(maxsize=KEPT_PLANS)
def lines_of(built: Plan) -> dict[str, tuple[int, Cost]]:
    """Return by label how many parts cost something, and what together; not to be changed."""
    known = coefficients.load(built.target.name)
    lines: dict[str, tuple[int, Cost]] = {}
    for part, count in built:
        for label, cost in part_costs(part, known):
            if cost == Cost():
                continue
            counted, so_far = lines.get(label, (0, Cost()))
            lines[label] = counted + count, so_far + cost * count
    return lines


def parts_cost(parts: Iterable[tuple[object, int]], target: Coefficients) -> Cost:
    """Return what parts cost together, each so many times."""
    return total(cost * count for part, count in parts for _, cost in part_costs(part, target))


@cache
def part_costs(part: object, target: Coefficients) -> tuple[tuple[str, Cost], ...]:
    """Return the costs of one part, by label.

    Raises
    ------
    ValueError
        If there is no formula for this type of part.

    """
    return tuple(_part_costs(part, target))


def formulas_of(kind: type) -> tuple[tuple[str, Formula], ...]:
    """Return the formulas of a type of part with their labels; those of serial designs load late.

    Raises
    ------
    ValueError
        If there is none.

    """
    found = FORMULAS.get(kind)
    if found is None:
        from costmodel.serial_formulas import SERIAL_FORMULAS

        found = SERIAL_FORMULAS.get(kind)
    if found is None:
        raise ValueError(f"the cost model has no formula for a {kind.__name__}")
    return found


def _part_costs(part: object, target: Coefficients) -> Iterator[tuple[str, Cost]]:
    for label, formula in formulas_of(type(part)):
        yield label, grained(formula(part, target))
