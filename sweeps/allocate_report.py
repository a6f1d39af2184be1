"""Floor 4. What ``macloom allocate`` says and draws of its allocations."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.allocation import Allocation, Problem, allocate
from sweeps.commands_sweep import table
from sweeps.files import json_text
from sweeps.layer_figures import Curve, draw_front, draw_losses
from sweeps.pairwise import Interactions, Refined, refine, refined_front

if TYPE_CHECKING:
    from sweeps.layer_losses import Study

FINE = 0
_MOST_MEASURED = 16
"""Points of a front whose loss is measured jointly, evenly spaced along it."""
_MOST_LISTED = 32
"""Allocations of a front that are listed for people."""
ADDITION, PAIRS, JOINT = "prediction by addition", "prediction with pairs", "measured jointly"


def show(
    arguments: argparse.Namespace,
    problem: Problem,
    study: Study | None,
    found: Allocation,
    more: Mapping[str, Any] | None = None,
    lines: Sequence[str] = (),
) -> int:
    """Say one allocation: `more` is for JSON, `lines` for people in place of its loss."""
    judged = study.judged(found.formats) if study else {}
    if arguments.plot:
        title = "loss of single layers; framed: the allocation"
        draw_losses(
            problem.layers, problem.formats, problem.loss, title, arguments.plot, found.formats
        )
    files = [str(arguments.plot)] if arguments.plot else []
    if arguments.json:
        print(json_text({**record(problem, found), **judged, **(more or {}), "files": files}))
        return FINE
    rows = [("layer", "format", "loss alone", *problem.costs)]
    for i, (layer, name) in enumerate(zip(problem.layers, found.formats, strict=True)):
        j = problem.formats.index(name)
        costs = (f"{array[i, j]:g}" for array in problem.costs.values())
        rows.append((layer, name, f"{problem.loss[i, j]:.2e}", *costs))
    totals = " · ".join(f"{name} {value:.10g}" for name, value in found.totals.items())
    said = [table(rows), totals]
    if lines:
        said += lines
    else:
        how = "by addition and pairs" if problem.pairs else "by addition"
        joint = f", measured jointly {judged['joint_loss']:.4g}" if judged else ""
        said.append(f"loss {how} {found.loss:.4g}{joint}")
    if judged:
        said.append(_score_line(judged))
    if found.gap:
        said.append(f"not proven best: the loss could be {found.gap:.3g} less at most")
    print("\n".join(said + files))
    return FINE


def _score_line(judged: Mapping[str, Any]) -> str:
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


def record(problem: Problem, found: Allocation) -> dict[str, Any]:
    """Return an allocation as plain values."""
    return {
        "formats": dict(zip(problem.layers, found.formats, strict=True)),
        "loss": found.loss,
        "totals": dict(found.totals),
        "gap": found.gap,
    }


def show_pairs(
    arguments: argparse.Namespace,
    problem: Problem,
    study: Study,
    budgets: Mapping[str, float],
    among: str,
    most: int | None,
) -> int:
    """Allocate with interactions of pairs of layers, and say what they change."""
    known = Interactions(problem, study.both, among, most)
    if arguments.front:
        return _show_pairs_front(arguments, known, study)
    plain = allocate(problem, budgets)
    refined = refine(known, budgets)
    choices = {"additive": plain, "pairwise": refined.allocation}
    joint = dict(zip(choices, study.joint([one.formats for one in choices.values()]), strict=True))
    best = min(choices, key=lambda name: (joint[name], name == "additive"))
    records = {
        name: record(problem, one)
        | {
            "additive_loss": _summed(problem, one),
            "pairwise_loss": _summed(known.refined, one),
            "joint_loss": joint[name],
        }
        for name, one in choices.items()
    }
    rows = [("program", *(name for name in (ADDITION, PAIRS, JOINT)))]
    for name, values in records.items():
        cells = (f"{values[key]:.4g}" for key in ("additive_loss", "pairwise_loss", "joint_loss"))
        rows.append((name, *cells))
    same = plain.formats == refined.allocation.formats
    verdict = "both choose this" if same else f"above is the choice of the {best} program"
    lines = ["", table(rows), f"{_measured_line(known, refined.is_proven)}; {verdict}"]
    more = {"programs": records, "chosen": best, "pairs": _pairs_record(known, refined.is_proven)}
    return show(arguments, problem, study, choices[best], more, lines)


def _summed(problem: Problem, found: Allocation) -> float:
    """Return the loss that a problem predicts of an allocation."""
    return problem.evaluated([problem.formats.index(name) for name in found.formats]).loss


def _measured_line(known: Interactions, is_proven: bool) -> str:
    what = "adjacent layers" if known.among == "adjacent" else "layers"
    best = (
        "no other choice is better under all of them"
        if is_proven
        else "others could be better under those not measured"
    )
    return f"{len(known.values)} of {known.possible} pairs of {what} measured: {best}"


def _pairs_record(known: Interactions, is_proven: bool) -> dict[str, Any]:
    problem = known.problem
    return {
        "among": known.among,
        "measured": len(known.values),
        "possible": known.possible,
        "proven": is_proven,
        "interactions": [
            [problem.layers[i], problem.formats[a], problem.layers[j], problem.formats[b], value]
            for ((i, a), (j, b)), value in known.values.items()
        ],
    }


def _show_pairs_front(arguments: argparse.Namespace, known: Interactions, study: Study) -> int:
    """Say the allocations of several budgets, and what the additive program chooses there."""
    problem, cost = known.problem, arguments.front
    front = refined_front(known, cost, _MOST_MEASURED)
    plain = [allocate(problem, {cost: one.allocation.totals[cost]}) for one in front]
    count = len(front)
    measured = study.joint([a.formats for a in (*(one.allocation for one in front), *plain)])
    joint, others = measured[:count], measured[count:]
    is_proven = all(one.is_proven for one in front)
    if arguments.plot:
        costs = [one.allocation.totals[cost] for one in front]
        curves = [
            Curve("pairwise program", costs, [one.allocation.loss for one in front], "steps"),
            Curve("the same by addition", costs, [one.additive for one in front], "dashes"),
            Curve("the same, measured jointly", costs, joint, "rings"),
            Curve("additive program, measured jointly", costs, others, "crosses"),
        ]
        title = _measured_line(known, is_proven).partition(":")[0]
        chosen = [one.allocation for one in front]
        draw_front(problem.layers, problem.formats, chosen, curves, cost, title, arguments.plot)
    files = [str(arguments.plot)] if arguments.plot else []
    if arguments.json:
        records = [
            record(problem, one.allocation)
            | {"additive_loss": one.additive, "joint_loss": both, "proven": one.is_proven}
            | {"additive_program": record(problem, other) | {"joint_loss": alone}}
            for one, both, other, alone in zip(front, joint, plain, others, strict=True)
        ]
        pairs = _pairs_record(known, is_proven)
        print(json_text({"front": records, "pairs": pairs, "files": files}))
        return FINE
    heads = ("by addition", "with pairs", "jointly", "additive choice jointly", "formats")
    rows: list[tuple[str, ...]] = [(cost, *heads)]
    for one, both, alone in zip(front, joint, others, strict=True):
        rows.append(_front_row(one, cost, both, alone))
    head = f"{count} allocations for budgets of {cost}; losses predicted and measured:"
    print("\n".join([head, table(rows), _measured_line(known, is_proven), *files]))
    return FINE


def _front_row(one: Refined, cost: str, both: float, alone: float) -> tuple[str, ...]:
    losses = (one.additive, one.allocation.loss, both, alone)
    total = f"{one.allocation.totals[cost]:.10g}"
    return (total, *(f"{loss:.3e}" for loss in losses), " ".join(one.allocation.formats))


def show_front(
    arguments: argparse.Namespace,
    problem: Problem,
    study: Study | None,
    front: list[Allocation],
) -> int:
    """Say the exact front of losses that add up (or samples of it, with a file's pairs)."""
    cost = arguments.front
    count = min(_MOST_MEASURED, len(front))
    chosen = sorted({round(i * (len(front) - 1) / max(count - 1, 1)) for i in range(count)})
    joint = study.joint([front[number].formats for number in chosen]) if study else []
    measured = dict(zip(chosen, joint, strict=False))
    costs = [one.totals[cost] for one in front]
    what = "best allocations" if problem.pairs else "allocations on the exact front"
    if arguments.plot:
        label = "prediction with pairs" if problem.pairs else "additive prediction (exact front)"
        curves = [Curve(label, costs, [one.loss for one in front], "steps")]
        if measured:
            places = [costs[number] for number in measured]
            curves.append(Curve(JOINT, places, list(measured.values()), "rings"))
        title = f"losses that add up: {len(front)} {what}"
        draw_front(problem.layers, problem.formats, front, curves, cost, title, arguments.plot)
    files = [str(arguments.plot)] if arguments.plot else []
    if arguments.json:
        records = [
            record(problem, one) | {"joint_loss": measured.get(number)}
            for number, one in enumerate(front)
        ]
        print(json_text({"front": records, "files": files}))
        return FINE
    by = "loss with pairs" if problem.pairs else "loss by addition"
    rows = [(cost, by, "measured jointly", "formats")]
    for number in range(len(front)) if len(front) <= _MOST_LISTED else chosen:
        one = front[number]
        both = f"{measured[number]:.3e}" if number in measured else "-"
        rows.append((f"{costs[number]:.10g}", f"{one.loss:.3e}", both, " ".join(one.formats)))
    some = f", {len(chosen)} of them (--json has all)" if len(front) > _MOST_LISTED else ""
    print("\n".join([f"{len(front)} {what}, cheapest first{some}:", table(rows), *files]))
    return FINE
