"""Floor 4. Runs a sweep: evaluates accuracy and area, joins them, finds and measures the fronts.

Accuracy depends on the network and the arithmetic, area on the design and the target: the two are
evaluated and kept apart, and joined here, so that each is computed once however often it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from hw.accumulators import AccumulatorKind, parse_accumulator
from hw.design import Design
from sweeps.bootstrap import indistinct_from_best
from sweeps.engine import Report, evaluate_all
from sweeps.evaluators import Evaluators, Network, standard
from sweeps.figure_columns import COUNTS, DECIMALS, point_costs, wanted, with_figures
from sweeps.files import write_whole
from sweeps.metrics import OBJECTIVES, find_metric, unpack
from sweeps.pairing import element_of, is_in_blocks, storage_bits
from sweeps.points import Point, front_numbers, to_csv
from sweeps.progress import Progress
from sweeps.store import Store, Task
from sweeps.sweep import Entry, Sweep

Reporter = Callable[[str], AbstractContextManager[Report]]
"""Makes the progress display of a named piece of work; `sweeps.progress.Progress` is one."""

STORE_NAME = "points.sqlite"
NAN = float("nan")
_GROUPS = re.compile(r"^bitmod.*_(\d+)x(\d+)")
"""Weights per group, and groups, in the name of a BitMoD element."""


def run(
    sweep: Sweep,
    store: Store,
    *,
    workers: int | None = None,
    executor: Callable[[], Executor] | None = None,
    reporter: Reporter = Progress,
    evaluators: Evaluators | None = None,
) -> list[Point]:
    """All points of a sweep, fronts marked and, if the sweep says so, measured.

    Parameters
    ----------
    sweep
        What to do.
    store
        Where results are looked up and kept.
    workers
        Processes; the number of CPUs if none is given.
    executor
        Makes an executor for accuracies and areas instead of local processes (`sweeps.cluster`).
    reporter
        Shows progress.
    evaluators
        What to evaluate with; the standard ones if none are given.

    Raises
    ------
    ValueError
        If the sweep names what does not exist, or cannot be evaluated.
    sweeps.engine.Interrupted
        After Ctrl-C; what was finished is in the store.

    """
    tools = evaluators or standard()
    network = tools.network(sweep.network, sweep.dataset)
    _check_objectives(sweep, network.metric)
    entries = sweep.entries(network.terms)
    hands: dict[str, Any] = {"workers": workers, "executor": executor}
    costs = _cost_tasks(sweep, entries, tools.estimate_salt)
    with reporter("area") as report:
        areas = iter(evaluate_all(costs, tools.estimate, store, **hands, report=report))
    cases = [_accuracy_task(sweep, entry, network, tools.accuracy_salt) for entry in entries]
    with reporter("accuracy") as report:
        accuracies = _accuracies(cases, tools, store, hands, report)
    points = [
        _point(sweep.network, entry, target, accuracy, next(areas) if entry.design else {})
        for target, (entry, accuracy) in product(
            sweep.targets, zip(entries, accuracies, strict=True)
        )
    ]
    if wanted(sweep):
        with reporter("energy and clock") as report:
            points = with_figures(points, sweep, design_of, store, hands, report)
    points = mark_fronts(points, sweep.objectives)
    scores = [accuracy["scores"] for accuracy in accuracies]
    points = mark_indistinct(points, scores * len(sweep.targets))
    if sweep.measure_front:
        points = measure_front(points, sweep, workers=workers, reporter=reporter, evaluators=tools)
    return points


def _cost_tasks(sweep: Sweep, entries: Sequence[Entry], salt: str) -> list[Task]:
    """Return the estimates to be made: on each target of all entries that have a design."""
    return [
        Task("estimate", {"design": design.to_record(), "target": name}, salt)
        for name, design in product(sweep.targets, (entry.design for entry in entries))
        if design is not None
    ]


def _accuracies(
    cases: Sequence[Task],
    tools: Evaluators,
    store: Store,
    hands: Mapping[str, Any],
    report: Report,
) -> list[dict[str, Any]]:
    """Evaluate by activation format, as workers keep the activations they have quantised."""
    ordered = sorted(cases, key=lambda task: str(task.record["activation"]))
    found = evaluate_all(ordered, tools.accuracy, store, **hands, report=report)
    by_key = {task.key: result for task, result in zip(ordered, found, strict=True)}
    return [by_key[task.key] for task in cases]


def measure_front(
    points: Sequence[Point],
    sweep: Sweep,
    *,
    workers: int | None = None,
    reporter: Reporter = Progress,
    evaluators: Evaluators | None = None,
) -> list[Point]:
    """The points, those on the front with their measured area.

    Front points less accurate than `sweep.measure_from_percent` are left as they are (bits per
    byte have no such limit). Parameters as for `run`.
    """
    tools = evaluators or standard()
    measured = list(points)
    for target in sweep.targets:
        chosen = [
            number
            for number, point in enumerate(points)
            if point.target == target
            and point.on_front
            and (
                point.accuracy_percent is None
                or point.accuracy_percent >= sweep.measure_from_percent
            )
        ]
        settled = [design_of(points[number], sweep) for number in chosen]
        with reporter(f"synthesis for {target}") as report:
            report(0, len(chosen))
            found = tools.measure(settled, target, workers, report)
        for number, counts in zip(chosen, found, strict=True):
            measured[number] = _with_measurement(points[number], counts)
    return measured


def write_results(points: Sequence[Point], folder: Path) -> list[Path]:
    """Write `points.csv`, and for each target the figure as PNG and SVG; return the paths.

    With several targets, `pareto.png` has them side by side; `pareto_energy` has energies across,
    where there are any.
    """
    from sweeps.energy_figure import save_energy_figure
    from sweeps.plot import render_targets, save_figure

    table = folder / "points.csv"
    write_whole(table, to_csv(points))
    targets = list(dict.fromkeys(point.target for point in points))
    paths = [table]
    for target in targets:
        stem = folder / ("pareto" if len(targets) == 1 else f"pareto_{target}")
        own = [point for point in points if point.target == target]
        paths += save_figure(own, stem)
        paths += save_energy_figure(own, stem.with_name(f"{stem.name}_energy"))
    if len(targets) > 1:
        paths.append(folder / "pareto.png")
        write_whole(paths[-1], render_targets(points, "png"))
    return paths


def mark_fronts(points: Sequence[Point], objectives: Sequence[str]) -> list[Point]:
    """Set `on_front` (among a target's points) and `on_family_front` (among those of a family)."""
    best = _fronts(points, objectives, lambda point: (point.target,))
    family = _fronts(points, objectives, lambda point: (point.target, point.family))
    return [
        replace(point, on_front=number in best, on_family_front=number in family)
        for number, point in enumerate(points)
    ]


def mark_indistinct(points: Sequence[Point], scores: Sequence[str]) -> list[Point]:
    """Set `indistinct_from_best` of front points: no other than a target's best but by chance.

    Parameters
    ----------
    points
        With their fronts marked.
    scores
        Of each point, packed (`sweeps.metrics.pack`).

    """
    marked = list(points)
    for target in dict.fromkeys(point.target for point in points):
        front = [n for n, point in enumerate(points) if point.on_front and point.target == target]
        own = [unpack(scores[number]) for number in front]
        found = indistinct_from_best(own, is_series=points[front[0]].judged.is_series)
        for number, same in zip(front, found, strict=True):
            marked[number] = replace(points[number], indistinct_from_best=same)
    return marked


def _check_objectives(sweep: Sweep, metric: str) -> None:
    """Refuse objectives of a metric that the data set does not have."""
    own = find_metric(metric).objective
    for name in sweep.objectives:
        if name in OBJECTIVES and name != own:
            raise ValueError(
                f"{sweep.name}: {sweep.dataset} is judged by {own}, which `objectives` must name "
                f"instead of {name}"
            )


def _fronts(
    points: Sequence[Point], objectives: Sequence[str], key: Callable[[Point], tuple[str, ...]]
) -> set[int]:
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, point in enumerate(points):
        groups.setdefault(key(point), []).append(number)
    return {
        members[place]
        for members in groups.values()
        for place in front_numbers([points[number] for number in members], objectives)
    }


def _accuracy_task(sweep: Sweep, entry: Entry, network: Network, salt: str) -> Task:
    """The accuracy an entry has; lanes matter only to accumulators that lose something."""
    plain = entry.design is not None and not is_in_blocks(
        entry.weight, entry.activation, entry.scheme
    )
    name = entry.design.accumulator.name if entry.design and plain else entry.accumulator
    exact = name.startswith(AccumulatorKind.EXACT.value)
    record: dict[str, Any] = {
        "weight": entry.weight.name,
        "activation": entry.activation.name,
        "accumulator": name,
        "method": ",".join(entry.methods),
        "first": sweep.first_layer,
        "last": sweep.last_layer,
        "lanes": 16 if exact else entry.design.lanes if entry.design else entry.hardware.lanes,
        "network": sweep.network,
        "dataset": sweep.dataset,
        "digest": network.digest,
    }
    if sweep.inputs is not None:
        record["inputs"] = sweep.inputs
    return Task("accuracy", record, salt)


def _point(
    network: str,
    entry: Entry,
    target: str,
    accuracy: Mapping[str, Any],
    area: Mapping[str, Any],
) -> Point:
    design, lanes = entry.design, entry.hardware.lanes
    columns: dict[str, Any]
    if design is None:
        accumulator = parse_accumulator(entry.accumulator)
        costs = dict.fromkeys([*COUNTS, *(f"{n}_per_lane" for n in COUNTS if n != "carry")], NAN)
        columns = {"design": "", "structure": "", "no_hardware": entry.hardware.reason, **costs}
        columns |= {"accumulator": str(accumulator), "accumulator_bits": accumulator.bits}
    else:
        settled = design.with_structure(area["structure"])
        columns = {"design": design.slug, **point_costs(settled, area, target, lanes)}
        columns |= {"accumulator": design.accumulator.name}
        columns |= {"accumulator_bits": design.accumulator_bits}
    weight, activation = entry.weight, entry.activation
    return Point(
        **_judged(accuracy),
        weight=weight.name,
        activation=activation.name,
        weight_bits=element_of(weight).bits,
        activation_bits=element_of(activation).bits,
        weight_storage_bits=storage_bits(weight, entry.scheme.group, entry.scheme.format),
        activation_storage_bits=storage_bits(activation),
        lanes=lanes,
        target=target,
        network=network,
        method=accuracy["method"],
        **columns,
    )


def _judged(result: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a metric from `sweeps.metrics.summary`."""
    metric = find_metric(result["metric"])
    names = {"value": metric.value, "low": metric.low, "high": metric.high}
    names["float_value"] = metric.float_value
    columns: dict[str, Any] = {
        column: round(result[name], DECIMALS) for name, column in names.items()
    }
    columns |= {"metric": metric.name, metric.inputs: result["inputs"]}
    if metric.name == "accuracy":
        images = result["inputs"]
        columns["correct"] = round(result["value"] * images / 100)
        columns["float_correct"] = round(result["float_value"] * images / 100)
        columns["error_percent"] = round(100 * (images - columns["correct"]) / images, DECIMALS)
    else:
        for end in ("low", "high"):
            columns[f"{metric.float_value}_{end}"] = round(result[f"float_{end}"], DECIMALS)
    return columns


def _with_measurement(point: Point, counts: Mapping[str, Any]) -> Point:
    return replace(
        point,
        lut_measured=float(counts["lut"]),
        sites_measured=float(counts["sites"]),
        ff_measured=float(counts["ff"]),
        carry_measured=float(counts["carry"]),
        lut_per_lane_measured=round(counts["lut"] / point.lanes, DECIMALS),
        sites_per_lane_measured=round(counts["sites"] / point.lanes, DECIMALS),
    )


def design_of(point: Point, sweep: Sweep) -> Design:
    """The design of a point, its structure settled: what `hw.rtl.emit` takes.

    Raises
    ------
    ValueError
        If the point has no hardware.
    """
    groups = _GROUPS.search(point.design)
    terms = int(groups[1]) * int(groups[2]) if groups else 1
    found = sweep.hardware_of(
        point.weight, point.activation, point.scheme, point.accumulator, terms
    )
    if found.design is None:
        raise ValueError(f"{point.pair} has no hardware: {found.reason}")
    return found.design.with_structure(point.structure)
