"""Floor 4. ``macloom allocate``: a format for each layer within budgets."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.arguments import add_json, at_least, word
from sweeps.commands_layers import add_network

if TYPE_CHECKING:
    from sweeps.layer_costs import Units

COST_OF = ("unit", "macs")
ADJACENT, ALL = "adjacent", "all"
_COSTS = (
    "lut, sites, dsp, memory (bits of weights), bops, energy (nJ per input), cycles (per input), "
    "latency (µs per input)"
)
_UNIT_KINDS = ("dot", "weight-serial", "both-serial")
_LATENCY = re.compile(r"(\d+(?:\.\d*)?(?:e[+-]?\d+)?)\s*(ns|us|µs|ms|s)?")
_MICROSECONDS = {"ns": 1e-3, "us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6}
_OF_HARDWARE = ("unit", "lanes", "units", "structure", "mhz", "max_latency")


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``macloom allocate``."""
    parser.epilog = (
        f"Costs: {_COSTS}. Each layer has a 16-lane dot product of its own with an exact "
        "accumulator; a network's cost is their sum, or with --cost-of macs the sum of areas "
        "weighted by the layers' shares of all MACs: the mean area of a unit where layers get "
        "units in proportion to their work. Layers run one after the other. A problem file has its "
        "own costs. --pairs measures what two layers lose together beyond the sum (N: at most so "
        "many losses, the most promising first; adjacent, the default, or all: as many as it takes "
        "to prove the choice best under all of them). Measured losses are kept: the same command "
        "resumes."
    )
    add_network(parser, required=False)
    add = parser.add_argument
    add(
        "--problem",
        type=Path,
        metavar="FILE",
        help="CSV (layer,format,loss,COST…) or JSON (layers, formats, loss, costs, tied, pairs)",
    )
    add(
        "--budget",
        action="append",
        default=[],
        metavar="COST=MOST",
        help="such as lut=3000; repeatable",
    )
    add("--max-latency", metavar="TIME", help="budget of one input: cycles, or such as 50us, 2ms")
    add("--front", metavar="COST", help="every trade-off of loss against this cost")
    add(
        "--pairs",
        nargs="?",
        const=ADJACENT,
        metavar="N",
        help="losses of pairs of layers too: adjacent ones, all, or at most N (adjacent)",
    )
    add("--target", default="xcup", metavar="TARGET", help="of the hardware (xcup)")
    add(
        "--cost-of",
        type=word(*COST_OF),
        default=COST_OF[0],
        metavar="WHAT",
        help="unit: areas of the layers' units add up; macs: weighted by shares of MACs (unit)",
    )
    _add_units(parser)
    add("--plot", type=Path, metavar="FILE", help="map of layers by formats; .png, .svg or .pdf")
    add_json(parser)


def _add_units(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the hardware of a layer")
    add = group.add_argument
    add(
        "--unit",
        type=word(*_UNIT_KINDS),
        metavar="KIND",
        help=f"{', '.join(_UNIT_KINDS)}: a cycle per step, per bit of the weight, per pair of bits",
    )
    add("--lanes", type=at_least(1), metavar="N", help="products per step of a unit (16)")
    add("--units", type=at_least(1), metavar="N", help="units side by side (1)")
    add("--structure", metavar="NAME", help="of a dot's products (auto)")
    add("--mhz", type=_clock, metavar="F", help="clock of latencies (each unit's own by formula)")


def _clock(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return value


def allocate(arguments: argparse.Namespace) -> int:
    """``macloom allocate``."""
    from sweeps import allocate_report, allocation
    from sweeps.executors import hands_of
    from sweeps.layer_figures import check_figure
    from sweeps.layer_losses import open_study, problem_of
    from sweeps.problem_files import read_problem

    _check(arguments)
    check_figure(arguments.plot)
    budgets = budgets_of(arguments)
    if not budgets and not arguments.front:
        raise ValueError(
            "an allocation needs a --budget COST=MOST or --max-latency TIME, or a --front COST"
        )
    if budgets and arguments.front:
        raise ValueError("--front goes through all budgets by itself: leave out --budget")
    if arguments.problem is not None:
        problem = read_problem(arguments.problem)
        if not arguments.front:
            found = allocation.allocate(problem, budgets)
            return allocate_report.show(arguments, problem, None, found)
        front = allocation.budget_front if problem.pairs else allocation.exact_front
        return allocate_report.show_front(arguments, problem, None, front(problem, arguments.front))
    wanted = pairs_of(arguments.pairs) if arguments.pairs is not None else None
    with hands_of(arguments) as hands:
        study = open_study(arguments, hands, units_of(arguments))
        names = tuple(dict.fromkeys([*budgets, *filter(None, [arguments.front]), "lut", "memory"]))
        problem = problem_of(study, arguments.target, names, arguments.cost_of == "macs")
        if wanted is not None:
            return allocate_report.show_pairs(arguments, problem, study, budgets, *wanted)
        if arguments.front:
            found_front = allocation.exact_front(problem, arguments.front)
            return allocate_report.show_front(arguments, problem, study, found_front)
        found = allocation.allocate(problem, budgets)
        return allocate_report.show(arguments, problem, study, found)


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what does not go together."""
    if (arguments.network is None) == (arguments.problem is None):
        raise ValueError("what is allocated is given by --network or by --problem, one of the two")
    if arguments.problem is None:
        return
    if arguments.formats or arguments.dataset:
        raise ValueError("--formats and --dataset go with --network: a problem file has its own")
    if arguments.pairs is not None:
        raise ValueError("--pairs measures a network: a problem file has its own `pairs`")
    for name in _OF_HARDWARE:
        if getattr(arguments, name) is not None:
            raise ValueError(
                f"--{name.replace('_', '-')} goes with --network: a problem file has its own costs"
            )


def units_of(arguments: argparse.Namespace) -> Units:
    """Return the hardware that the arguments describe."""
    from hw.design import STRUCTURES
    from sweeps.layer_costs import LANES, UNIT_KINDS, Units

    structure = arguments.structure or "auto"
    if structure not in STRUCTURES:
        raise ValueError(f"a structure is one of {', '.join(STRUCTURES)}, not {structure!r}")
    return Units(
        arguments.unit or UNIT_KINDS[0],
        arguments.lanes or LANES,
        arguments.units or 1,
        structure,
        arguments.mhz,
    )


def pairs_of(text: str) -> tuple[str, int | None]:
    """Return which pairs of layers are looked at, and how many losses are measured at most.

    Raises
    ------
    ValueError
        If it is neither a number nor one of the words.

    """
    if text in (ADJACENT, ALL):
        return text, None
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(
            f"--pairs is {ADJACENT}, {ALL} or a number of losses from 1 on, not {text!r}"
        )
    return ALL, int(text)


def budgets_of(arguments: argparse.Namespace) -> dict[str, float]:
    """Return the most of each cost, by its name.

    Raises
    ------
    ValueError
        For what is no budget, or two of one cost.

    """
    found: dict[str, float] = {}
    for text in arguments.budget:
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
    if arguments.max_latency is not None:
        name, most = _latency(arguments.max_latency)
        if name in found:
            raise ValueError(f"each cost has one budget, {name} has two")
        found[name] = most
    return found


def _latency(text: str) -> tuple[str, float]:
    """Read `20000` (cycles) or `50us`."""
    match = _LATENCY.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"a latency is a number of cycles, or a time such as 50us or 2ms, not {text!r}"
        )
    if match[2] is None:
        return "cycles", float(match[1])
    return "latency", float(match[1]) * _MICROSECONDS[match[2]]
