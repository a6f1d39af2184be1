"""Floor 4. The commands about formats layer by layer: ``sensitivity`` and ``allocate``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.arguments import add_json, at_least, word
from sweeps.files import json_text, write_whole

if TYPE_CHECKING:
    from sweeps.allocation import Allocation, Problem

FINE = 0
FORMATS = "int2×uint2,int3×uint3,int4×uint4,int6×uint6,int8×uint8"
COST_OF = ("unit", "macs")
_METHODS = ("one-layer", "hessian")
_SCALES = ("mse", "max")
_MOST_MEASURED = 16
"""Points of a front whose loss is measured jointly, evenly spaced along it."""
_MOST_LISTED = 32
"""Allocations of a front that are listed for people."""
_COSTS = "lut, sites, memory (bits of weights), bops, energy (nJ per input)"


def declare_sensitivity(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``macloom sensitivity``."""
    parser.epilog = (
        "The loss is the mean divergence (nats) of the outputs from the float network's, with one "
        "layer quantised; --method hessian: mean Hessian trace times squared weight error (HAWQ)."
    )
    _add_network(parser, required=True)
    parser.add_argument(
        "--method",
        type=word(*_METHODS),
        default=_METHODS[0],
        metavar="NAME",
        help=f"{' or '.join(_METHODS)} ({_METHODS[0]})",
    )
    parser.add_argument("--target", metavar="TARGET", help="give each layer's lut and sites too")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE.csv", help="what `macloom allocate` reads"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="heat map; .png, .svg or .pdf")
    add_json(parser)


def declare_allocate(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``macloom allocate``."""
    parser.epilog = (
        f"Costs: {_COSTS}. Each layer has a 16-lane dot product of its own with an exact "
        "accumulator; a network's cost is their sum, or with --cost-of macs the sum of areas "
        "weighted by the layers' shares of all MACs: the mean area of a unit where layers get "
        "units in proportion to their work. A problem file has its own costs."
    )
    _add_network(parser, required=False)
    parser.add_argument(
        "--problem",
        type=Path,
        metavar="FILE",
        help="CSV (layer,format,loss,COST…) or JSON (layers, formats, loss, costs, tied) instead",
    )
    parser.add_argument(
        "--budget",
        action="append",
        default=[],
        metavar="COST=MOST",
        help="such as lut=3000; repeatable",
    )
    parser.add_argument("--target", default="xcup", metavar="TARGET", help="of lut, sites, energy")
    parser.add_argument(
        "--cost-of",
        type=word(*COST_OF),
        default=COST_OF[0],
        metavar="WHAT",
        help="unit: areas of the layers' units add up; macs: weighted by shares of MACs (unit)",
    )
    parser.add_argument("--front", metavar="COST", help="every trade-off of loss against this cost")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="map of layers by formats; .png, .svg or .pdf"
    )
    add_json(parser)


def _add_network(parser: argparse.ArgumentParser, required: bool) -> None:
    parser.add_argument(
        "--network", required=required, metavar="N", help="shipped, or a .npz or .onnx file"
    )
    parser.add_argument(
        "--dataset", metavar="D", help="shipped, or a .npz file (that of the shipped network)"
    )
    parser.add_argument(
        "--formats",
        metavar="PAIRS",
        help="weight×activation between commas (`*` does for ×); one name for both "
        f"({FORMATS}; with a network whose inputs of layers are negative int for uint)",
    )
    parser.add_argument(
        "--inputs", type=at_least(1), default=100, metavar="N", help="training inputs used (100)"
    )
    parser.add_argument(
        "--scales",
        type=word(*_SCALES),
        default=_SCALES[0],
        metavar="NAME",
        help=f"how scales are chosen: {' or '.join(_SCALES)} ({_SCALES[0]})",
    )


def sensitivity(arguments: argparse.Namespace) -> int:
    """``macloom sensitivity``."""
    from sweeps.commands_sweep import table
    from sweeps.layer_figures import check_figure, draw_losses
    from sweeps.layer_losses import measure, open_study
    from sweeps.problem_files import to_csv

    check_figure(arguments.plot)
    study = open_study(arguments)
    costs = study.costs(arguments.target, ("lut", "sites") if arguments.target else ())
    found = measure(study, arguments.method)
    paths = [path for path in (arguments.output, arguments.plot) if path]
    if arguments.output:
        text = to_csv(found.layers, found.formats, found.loss, costs)
        write_whole(arguments.output, text)
    if arguments.plot:
        title = f"{study.engine.network.name}: {_MEASURES[arguments.method]}"
        draw_losses(found.layers, found.formats, found.loss, title, arguments.plot)
    if arguments.json:
        record = {
            "layers": list(found.layers),
            "formats": list(found.formats),
            "loss": found.loss.tolist(),
            "costs": {name: array.tolist() for name, array in costs.items()},
            "method": arguments.method,
            "inputs": len(study.inputs),
            "files": [str(path) for path in paths],
        }
        print(json_text(record))
        return FINE
    rows = [("layer", *found.formats)]
    for name, losses in zip(found.layers, found.loss, strict=True):
        rows.append((name, *(f"{loss:.2e}" for loss in losses)))
    print("\n".join([f"{_MEASURES[arguments.method]}:", table(rows), *map(str, paths)]))
    return FINE


_MEASURES = {
    "one-layer": "loss (nats) with one layer quantised",
    "hessian": "mean Hessian trace × squared weight error",
}


def allocate(arguments: argparse.Namespace) -> int:
    """``macloom allocate``."""
    from sweeps import allocation
    from sweeps.layer_figures import check_figure
    from sweeps.layer_losses import Study, open_study, problem_of
    from sweeps.problem_files import read_problem

    if (arguments.network is None) == (arguments.problem is None):
        raise ValueError("what is allocated is given by --network or by --problem, one of the two")
    if arguments.problem is not None and (arguments.formats or arguments.dataset):
        raise ValueError("--formats and --dataset go with --network: a problem file has its own")
    check_figure(arguments.plot)
    budgets = _budgets(arguments.budget)
    if not budgets and not arguments.front:
        raise ValueError("an allocation needs a --budget COST=MOST, or a --front COST")
    if budgets and arguments.front:
        raise ValueError("--front goes through all budgets by itself: leave out --budget")
    study: Study | None = None
    if arguments.problem is not None:
        problem = read_problem(arguments.problem)
    else:
        study = open_study(arguments)
        names = tuple(dict.fromkeys([*budgets, *filter(None, [arguments.front]), "lut", "memory"]))
        problem = problem_of(study, arguments.target, names, arguments.cost_of == "macs")
    if arguments.front:
        front = allocation.exact_front(problem, arguments.front)
        return _show_front(arguments, problem, study, front)
    return _show(arguments, problem, study, allocation.allocate(problem, budgets))


def _budgets(texts: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.partition("=")
        try:
            most = float(number)
        except ValueError:
            most = float("nan")
        if not equals or not most >= 0:
            raise ValueError(f"a budget is COST=MOST with MOST at least 0, not {text!r}")
        if name in found:
            raise ValueError(f"each cost has one budget, {name} has two")
        found[name] = most
    return found


def _show(arguments: argparse.Namespace, problem: Problem, study: Any, found: Allocation) -> int:
    from sweeps.commands_sweep import table
    from sweeps.layer_figures import draw_losses

    judged = study.judged(found.formats) if study else {}
    if arguments.plot:
        title = "loss of single layers; framed: the allocation"
        draw_losses(
            problem.layers, problem.formats, problem.loss, title, arguments.plot, found.formats
        )
    files = [str(arguments.plot)] if arguments.plot else []
    if arguments.json:
        print(json_text({**_record(problem, found), **judged, "files": files}))
        return FINE
    rows = [("layer", "format", "loss alone", *problem.costs)]
    for i, (layer, name) in enumerate(zip(problem.layers, found.formats, strict=True)):
        j = problem.formats.index(name)
        costs = (f"{array[i, j]:g}" for array in problem.costs.values())
        rows.append((layer, name, f"{problem.loss[i, j]:.2e}", *costs))
    totals = " · ".join(f"{name} {value:.10g}" for name, value in found.totals.items())
    lines = [table(rows), totals, f"loss by addition {found.loss:.4g}"]
    if judged:
        lines[-1] += f", measured jointly {judged['joint_loss']:.4g}"
        lines.append(_score_line(judged))
    if found.gap:
        lines.append(f"not proven best: the loss could be {found.gap:.3g} less at most")
    print("\n".join(lines + files))
    return FINE


def _score_line(judged: dict[str, Any]) -> str:
    if judged["metric"] == "accuracy":
        now, plain = (f"{100 * judged[name]:.2f} %" for name in ("score", "float_score"))
    else:
        now, plain = (f"{-judged[name]:.4f}" for name in ("score", "float_score"))
    metric = judged["metric"].replace("_", " ")
    beyond = "" if judged["distinct"] else "not "
    return (
        f"held-out {metric} {now} (float {plain}, {beyond}distinct beyond chance) "
        f"on {judged['held_out']} inputs"
    )


def _record(problem: Problem, found: Allocation) -> dict[str, Any]:
    return {
        "formats": dict(zip(problem.layers, found.formats, strict=True)),
        "loss": found.loss,
        "totals": dict(found.totals),
        "gap": found.gap,
    }


def _show_front(
    arguments: argparse.Namespace, problem: Problem, study: Any, front: list[Allocation]
) -> int:
    from sweeps.commands_sweep import table
    from sweeps.layer_figures import draw_front

    count = min(_MOST_MEASURED, len(front))
    chosen = sorted({round(i * (len(front) - 1) / max(count - 1, 1)) for i in range(count)})
    measured = {number: study.joint(front[number].formats) for number in chosen} if study else {}
    if arguments.plot:
        title = f"exact front of additive losses: {len(front)} allocations"
        draw_front(
            problem.layers, problem.formats, front, measured, arguments.front, title, arguments.plot
        )
    files = [str(arguments.plot)] if arguments.plot else []
    if arguments.json:
        records = [
            _record(problem, one) | {"joint_loss": measured.get(number)}
            for number, one in enumerate(front)
        ]
        print(json_text({"front": records, "files": files}))
        return FINE
    rows = [(arguments.front, "loss by addition", "measured jointly", "formats")]
    for number in range(len(front)) if len(front) <= _MOST_LISTED else chosen:
        one = front[number]
        joint = f"{measured[number]:.3e}" if number in measured else "-"
        cost = f"{one.totals[arguments.front]:.10g}"
        rows.append((cost, f"{one.loss:.3e}", joint, " ".join(one.formats)))
    some = f", {len(chosen)} of them (--json has all)" if len(front) > _MOST_LISTED else ""
    head = f"{len(front)} allocations on the exact front, cheapest first{some}:"
    print("\n".join([head, table(rows), *files]))
    return FINE
