"""Floor 2c: transistors and 2-input gates of a plan, by formula.

A design is the sum of its kept modules (`costmodel.asic_parts`). A module that was measured by
itself costs what it measured (``measured_asic.csv``); any other costs what the formula of its kind
gives: a weighted sum of its features, fitted to the measured ones (``fitted_asic.yaml``, with the
error of modules left out). Flip-flops are exact, 16 transistors each (`hw.asic`). A kind without a
formula is an error.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from costmodel.asic_bitmod import OWN, bitmod_modules
from costmodel.asic_float import (
    float_accumulate_modules,
    round_modules,
    scale_modules,
    shell_modules,
)
from costmodel.asic_kinds import (
    has_pending,
    plane_accumulate_module,
    plane_count_module,
    plane_offset_module,
    plane_row_module,
    selected_accumulate_modules,
    sequencer_module,
    stationary_modules,
    sum_row_module,
)
from costmodel.asic_parts import (
    Module,
    accumulate_modules,
    adder_module,
    align_modules,
    lane_modules,
    made,
    maximum_module,
    window_accumulate_modules,
)
from costmodel.model import Estimate, Part
from hw.plan import (
    AccumulatePlan,
    AdderRow,
    AlignPlan,
    ArrayPlan,
    ExponentMaximum,
    FlagTree,
    FloatAccumulatePlan,
    FloatLanePlan,
    LanePlan,
    Plan,
    ProductPlan,
    RoundPlan,
    ScalePlan,
    StationaryPlan,
    SumRow,
    WindowAccumulatePlan,
    WindowLanePlan,
)
from hw.plan.bitplane import PlaneAccumulate, PlaneOffset, Sequencer
from hw.plan.plane_sums import PlaneCount, PlaneRow

FF_TRANSISTORS = 16
"""Of a plain D flip-flop: Yosys' own figure, as in `hw.asic`."""
Price = tuple[float, float]
"""Transistors without flip-flops, and gates."""


def modules(plan: Plan) -> Counter[Module]:
    """Return the modules of a plan with the number of their instances.

    Raises
    ------
    ValueError
        If a part of the plan has no formula.

    """
    found: Counter[Module] = Counter()
    parts: Iterable[tuple[object, int]] = plan
    if isinstance(plan, Plan) and isinstance(plan.core, StationaryPlan):
        found, inner = stationary_modules(plan.core)
        parts = inner.items()
    for part, count in parts:
        for module, times in _part_modules(part):
            found[module] += times * count
    return found


def _part_modules(part: object) -> Iterator[tuple[Module, int]]:
    match part:
        case LanePlan() | WindowLanePlan() | FloatLanePlan():
            alone = lane_modules(part)
        case ProductPlan():  # counted with its lane
            alone = ()
        case AdderRow():
            alone = (adder_module(part),)
        case SumRow():
            alone = (sum_row_module(part),)
        case PlaneRow():
            alone = (plane_row_module(part),)
        case PlaneCount():
            alone = (plane_count_module(part),)
        case PlaneAccumulate():
            alone = (plane_accumulate_module(part),)
        case PlaneOffset():
            alone = (plane_offset_module(part),)
        case Sequencer():
            alone = (sequencer_module(part),)
        case AccumulatePlan() if has_pending(part):
            alone = selected_accumulate_modules(part)
        case AccumulatePlan():
            alone = accumulate_modules(part)
        case WindowAccumulatePlan():
            alone = window_accumulate_modules(part)
        case AlignPlan():
            alone = align_modules(part)
        case ExponentMaximum():
            alone = (maximum_module(part.exponent_bits),)
        case FloatAccumulatePlan():
            alone = float_accumulate_modules(part)
        case RoundPlan():
            alone = round_modules(part)
        case ScalePlan():
            alone = scale_modules(part)
        case FlagTree():
            size = (part.flags * (part.lanes - 1),)
            alone = (made("", "flag tree", "flag_tree", size),)
        case ArrayPlan():
            yield from shell_modules(part)
            return
        case _ if isinstance(part, OWN):
            yield from bitmod_modules(part)
            return
        case _:
            raise ValueError(
                f"the cost model of asic has no formula for a {type(part).__name__}; synthesize "
                f"measures a design of such parts"
            )
    for module in alone:
        yield module, 1


@cache
def price(module: Module) -> Price:
    """Return transistors (flip-flops left out) and gates of one module.

    Raises
    ------
    ValueError
        If its formula has no coefficients.

    """
    known = _measured().get((module.formula, module.key))
    if known is not None:
        return known
    coefficients = _fitted().get(module.formula)
    if coefficients is None:
        raise ValueError(f"the cost model of asic has no coefficients of {module.formula}")
    transistors, gates = (
        max(sum(c * x for c, x in zip(coefficients[name], module.features, strict=True)), 0.0)
        for name in ("transistors", "gates")
    )
    return transistors, gates


def estimate_gates(plan: Plan) -> Estimate:
    """Return what a plan costs in transistors and gates; errors as `modules` and `price`."""
    lines: dict[str, list[float]] = {}
    for module, count in modules(plan).items():
        transistors, gates = price(module)
        line = lines.setdefault(module.label, [0, 0.0, 0.0, 0])
        line[0] += count
        line[1] += count * (transistors + FF_TRANSISTORS * module.ff)
        line[2] += count * gates
        line[3] += count * module.ff
    sums = [sum(line[place] for line in lines.values()) for place in range(4)]
    return Estimate(
        lut=0,
        sites=0,
        ff=int(sums[3]),
        carry=0,
        dsp=0,
        target=plan.target.label,
        design=plan.design.to_record(),
        breakdown=tuple(
            Part(label, int(n), 0, 0, int(ff), 0, round(transistors), round(gates))
            for label, (n, transistors, gates, ff) in lines.items()
            if transistors or gates
        ),
        transistors=round(sums[1]),
        gates=round(sums[2]),
    )


@cache
def _measured() -> dict[tuple[str, str], Price]:
    file = files("costmodel") / "data" / "measured_asic.csv"
    if not file.is_file():
        return {}
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    return {
        (row["formula"], row["key"]): (float(row["transistors"]), float(row["gates"]))
        for row in rows
    }


@cache
def _fitted() -> dict[str, dict[str, Any]]:
    import yaml

    file = files("costmodel") / "data" / "fitted_asic.yaml"
    if not file.is_file():
        return {}
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    coefficients: dict[str, dict[str, Any]] = found["coefficients"]
    return coefficients
