"""Floor 2c: what toggles in one core of a design, by part, for a sample of operands.

Lanes, adder trees, compressor trees and accumulators of fixed sums run as the plan says
(`costmodel.activity_lanes`, `costmodel.activity_sums`). What the plan does not say is taken as the
LUTs of its part times a density: the inside of a plain ``*``, LUTs that rows of four-input LUTs
need beside them, special flags.
"""

from __future__ import annotations

from collections.abc import Iterable

from costmodel import coefficients
from costmodel.activity_constant import constant_toggles
from costmodel.activity_float_core import float_toggles
from costmodel.activity_heap import cut_density, heap_toggles, square_toggles
from costmodel.activity_lanes import Addend, lane_addend
from costmodel.activity_planes import Statistics, Tally, operand_nets, run_cells
from costmodel.activity_sums import accumulated, lane_sums
from costmodel.activity_window import window_toggles
from costmodel.cost import Cost
from costmodel.model import part_costs
from hw.design import Design
from hw.plan import (
    AccumulatePlan,
    CompressorCorePlan,
    CorePlan,
    LanePlan,
    MergedAccumulatePlan,
    MergedLanePlan,
    Plan,
    plan,
)
from hw.plan.constant_dot import ConstantDotPlan
from hw.plan.float_core import FloatCorePlan
from hw.plan.heap_core import HeapCorePlan
from hw.plan.square import SquarePlan
from hw.target import Target

ESTIMATED = ("unpack", "flag tree", "accumulator", "product", "adder row", "shifter")
"""Parts with LUTs that nothing names."""
BESIDE = {
    "product": ("select", "table"),
    "shifter": ("amount",),
    "adder row": ("row",),
    "accumulator": ("row",),
}
"""Parts with LUTs beside the named nets, where LUTs have four inputs, and nets they toggle like."""
KEPT_INPUTS = 6
"""From so many inputs of a LUT on a pipeline does not cut rows, and so no heap (`hw.pipeline`)."""
CONTROL = 4
"""LUTs of an accumulator that follow the control, not the sum."""


def core_toggles(
    design: Design, target: Target, given: Statistics, built: Plan | None = None
) -> dict[str, float]:
    """Return toggles per cycle of one core by name: part, what drives the nets, which nets.

    Parameters
    ----------
    design, target, given
        What, where, and under which operands.
    built
        The design's plan, if it is there already.

    Raises
    ------
    ValueError
        If the core is of a kind that does not run, or as `hw.plan.plan`.

    """
    core = (plan(design, target) if built is None else built).core
    costs = _costs(core.parts().items(), target)
    if isinstance(core, HeapCorePlan):
        run, _ = heap_toggles(core, given)
        return _named(run, costs, design, target, given)
    if isinstance(core, CompressorCorePlan):
        return _named(_compressed(core, given), costs, design, target, given)
    if isinstance(core, SquarePlan):
        run, _ = square_toggles(core, given)
        return _named(run, costs, design, target, given)
    if isinstance(core, ConstantDotPlan):
        run, _ = constant_toggles(core, given, coefficients.load(target.name))
        return _named(run, costs, design, target, given)
    accumulator = getattr(core, "accumulate", None)
    if isinstance(core, FloatCorePlan):
        run, _ = float_toggles(core, design, target, given)
        return _named(run, costs, design, target, given)
    if isinstance(core, CorePlan) and design.is_window:
        known = coefficients.load(target.name)
        run, _ = window_toggles(core, given, known)
        return _named(run, costs, design, target, given)
    if (
        not isinstance(core, CorePlan)
        or not isinstance(core.lane, LanePlan | MergedLanePlan)
        or not isinstance(accumulator, AccumulatePlan | MergedAccumulatePlan)
    ):
        raise ValueError(f"nothing is known of what toggles within {design.slug}")
    words, before = lane_sums(core.lane, core.chain, core.tree, given)
    tally = Tally(given.scope(), before)
    accumulated(tally, accumulator, list(words), given)
    return _named(tally, costs, design, target, given)


def word_density(
    design: Design, target: Target, given: Statistics, registers: float = 0.0
) -> float:
    """Return toggles per bit of pipeline registers, so many in a stage of a core.

    They hold what passes a heap of bits, else operands and products, half and half.
    """
    operand = (given.weight + given.activation) / (design.weight.bits + design.activation.bits)
    core = plan(design, target).core
    if isinstance(core, HeapCorePlan):
        return cut_density(core, given, target.lut_inputs >= KEPT_INPUTS, registers)
    if not isinstance(core, CorePlan) or not isinstance(core.lane, LanePlan):
        return operand
    bits = lane_addend(core.lane, given)[0].bits
    product = given.scope(given.lanes).toggles(bits) / len(bits) / given.lanes
    return (operand + product) / 2


def _compressed(core: CompressorCorePlan, given: Statistics) -> Tally:
    tally = Tally(given.scope())
    inputs = operand_nets(given, core.weight.format.bits, core.activation.format.bits)
    nets = run_cells(tally, "compressor", core.tree.netlist, inputs)
    *words, pending = core.tree.outputs
    addends = [
        Addend(tuple([nets[n] for n in word]), nets[pending[k]] if k < len(pending) else None)
        for k, word in enumerate(words)
    ]
    accumulated(tally, core.accumulate, addends, given)
    return tally


def _costs(parts: Iterable[tuple[object, int]], target: Target) -> dict[str, Cost]:
    """Return what the parts of a core cost, by label."""
    known = coefficients.load(target.name)
    found: dict[str, Cost] = {}
    for part, count in parts:
        for label, cost in part_costs(part, known):
            found[label] = found.get(label, Cost()) + cost * count
    return found


def _named(
    tally: Tally, costs: dict[str, Cost], design: Design, target: Target, given: Statistics
) -> dict[str, float]:
    """Return the toggles that were counted, and LUTs times densities for the others."""
    found = {
        name: value
        for name, value in tally.counts.items()
        if not name.startswith("plain/") and not name.endswith("/select")
    }
    operand = (given.weight + given.activation) / (design.weight.bits + design.activation.bits)
    for label in ESTIMATED:
        if label in costs:
            found[f"{label}/logic/rest"] = float(costs[label].lut) * operand
    for label, densities in BESIDE.items():
        if label in costs:
            found[f"{label}/logic/extra"] = _beside(
                tally, label, densities, float(costs[label].lut)
            )
    if design.structure == "dsp":
        found["product/logic/total"] = tally.counts["plain/result"]
    elif "plain/result" in tally.counts:
        product = costs["product"]
        for name in ("bits", "inner", "result"):
            found[f"product/logic/{name}"] = float(product.lut) * tally.density(f"plain/{name}")
        carried = product.carry * target.carry_bits
        found["product/carry/result"] = carried * tally.density("plain/result")
    return _as_cells(found, coefficients.load(target.name).family)


def _beside(tally: Tally, label: str, densities: tuple[str, ...], luts: float) -> float:
    """Return the toggles of a part's LUTs that are no named nets: as dense as some that are."""
    prefix = f"{label}/logic/"
    known = {name: nets for name, nets in tally.nets.items() if name.startswith(prefix)}
    named = sum(nets for name, nets in known.items() if not name.endswith("/select"))
    named += CONTROL if label == "accumulator" else 0
    for name in densities:
        if known.get(prefix + name):
            return max(luts - named, 0.0) * tally.density(prefix + name)
    return 0.0


def _as_cells(found: dict[str, float], family: str) -> dict[str, float]:
    """Return the toggles with rows as the chains of a family are.

    iCE40: a LUT adds both bits and the carry, so that a sum is a LUT's output and nothing selects.
    Gowin: an ALU does the same, its sum is an output of the chain.
    """
    if family not in ("ice40", "gowin"):
        return found
    moved: dict[str, float] = {}
    for name, value in found.items():
        label, kind, nets = name.split("/")
        if nets == "row":
            continue
        if nets == "sum" and family == "ice40":
            kind = "logic"
        moved[f"{label}/{kind}/{nets}"] = value
    return moved
