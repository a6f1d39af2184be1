"""Floor 4. The columns of a sweep's points that depend on their structure: area, energy, clock.

Energy and clock are there where they are objectives. A structure without a formula for them gives
way to the next in sites that has one (`sweeps.known`); where none has, the columns stay blank, and
the reason stands beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hw.design import Design
from sweeps.engine import Report, evaluate_all
from sweeps.evaluators import figure_salt
from sweeps.generate_command import generate_command
from sweeps.known import QUANTITIES, figures
from sweeps.points import FIGURES, Point
from sweeps.store import Store, Task
from sweeps.sweep import Sweep

COUNTS = ("lut", "sites", "ff", "carry", "dsp")
DECIMALS = 6
"""Of percentages and of costs per lane."""


def point_costs(design: Design, area: Any, target: str, lanes: int | None = None) -> dict[str, Any]:
    """Return the columns of a point that depend on its structure, which is settled.

    Parameters
    ----------
    design, target
        The design and its technology.
    area
        `lut`, `sites`, `ff`, `carry` and `dsp`, by name or as attributes.
    lanes
        Products per cycle; those of its lanes and cores if not said.

    """
    lanes = design.lanes * design.cores if lanes is None else lanes
    counts = area if isinstance(area, Mapping) else {n: getattr(area, n) for n in COUNTS}
    each = {f"{n}_per_lane": round(counts[n] / lanes, DECIMALS) for n in COUNTS if n != "carry"}
    return {
        "structure": design.structure,
        **{name: float(counts[name]) for name in COUNTS},
        **each,
        "command": generate_command(design, target),
    }


def wanted(sweep: Sweep) -> list[str]:
    """Return which of `sweeps.known.QUANTITIES` a sweep's objectives need."""
    names = zip(QUANTITIES, FIGURES, strict=True)
    return [quantity for quantity, column in names if column in sweep.objectives]


def with_figures(
    points: Sequence[Point],
    sweep: Sweep,
    design_of: Callable[[Point, Sweep], Design],
    store: Store,
    hands: Mapping[str, Any],
    report: Report,
) -> list[Point]:
    """Return the points with what `wanted` says, or with the reason why it is not known.

    Parameters
    ----------
    points, sweep, design_of
        The points, what they are of, and how their designs are found.
    store, hands, report
        As for `sweeps.engine.evaluate_all`.

    Raises
    ------
    ValueError
        If none of the points has what is an objective.

    """
    needs = wanted(sweep)
    chosen = [number for number, point in enumerate(points) if point.has_hardware]
    tasks = []
    for number in chosen:
        record: dict[str, Any] = {"design": design_of(points[number], sweep).to_record()}
        record |= {"target": points[number].target, "needs": needs}
        tasks.append(Task("figures", record, figure_salt()))
    found = evaluate_all(tasks, figures, store, **hands, report=report)
    if found and all("unknown" in one for one in found):
        raise ValueError(f"{sweep.name}: no {' and '.join(needs)} known: {found[0]['unknown']}")
    joined = list(points)
    for number, one in zip(chosen, found, strict=True):
        joined[number] = _with_figure(points[number], sweep, design_of, one)
    return joined


def _with_figure(
    point: Point,
    sweep: Sweep,
    design_of: Callable[[Point, Sweep], Design],
    found: Mapping[str, Any],
) -> Point:
    if "unknown" in found:
        return replace(point, unknown=found["unknown"])
    settled = design_of(replace(point, structure=found["structure"]), sweep)
    known: dict[str, Any] = {name: found[name] for name in FIGURES if name in found}
    return replace(point, **point_costs(settled, found, point.target, point.lanes), **known)
