"""Floor 4. The inverse question: which design for this network, within these limits.

The answer comes from a sweep's points. Limits are met by estimates; the best of what is left is the
one least in what is minimised, ties going to the better network (or to fewer LUTs, if the loss of
the network is minimised), then to fewer sites, then to fewer bits. Runners-up are first the other
trade-offs of cost against the network's loss within the limits, then the next best. A clock is met
by an estimate too (`costmodel.timing`): designs that do not reach it as they are get as many
pipeline stages as it takes. Where energy or clock matters, a design has the structure of fewest
sites whose energy and clock are known (`sweeps.known`), and is left out if none is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from costmodel import estimate
from hw.design import Design
from hw.target import load
from sweeps import known, workflow
from sweeps.accuracy import Case, evaluate_scores
from sweeps.bootstrap import paired
from sweeps.figure_columns import point_costs
from sweeps.fronts import best_within
from sweeps.generate_command import generate_command
from sweeps.inference import Engine
from sweeps.metrics import find_metric
from sweeps.pareto import front
from sweeps.points import Point, with_hardware
from sweeps.runs import design_of
from sweeps.sweep import Sweep

COSTS = ("lut", "sites", "energy")
"""What may be minimised, besides the loss of the network."""
LOSS = "loss"
MOST_CLOCKED = 16
"""Designs that are given pipeline stages before giving up."""
_MORE_STAGES = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """What a design must meet; None sets no limit.

    Parameters
    ----------
    lut, sites
        Most of the whole design.
    energy
        Most pJ per MAC, by formula, for random codes.
    loss
        Most of the metric's objective: error in percent, or bits per byte.
    mhz
        Least clock.

    """

    lut: float | None = None
    sites: float | None = None
    energy: float | None = None
    loss: float | None = None
    mhz: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A design within the limits.

    Parameters
    ----------
    point
        Of the sweep.
    design
        Structure settled, with its pipeline stages.
    sites
        With the registers of the stages.
    mhz, energy
        Estimates, where they were asked for.
    on_front
        Whether nothing within the limits is better in both what is minimised and the loss.
    indistinct
        Whether its loss differs from the best candidate's by no more than chance.

    """

    point: Point
    design: Design
    sites: float
    mhz: float | None = None
    energy: float | None = None
    on_front: bool = False
    indistinct: bool = False

    @property
    def command(self) -> str:
        """The command that writes its Verilog."""
        return generate_command(self.design, self.point.target)


def check_clock(target: str) -> None:
    """Raise ValueError unless clocks of a target are estimated."""
    from costmodel.timing import CLOCKED

    if target.partition(":")[0] not in CLOCKED:
        raise ValueError(
            f"a least clock (--min-mhz) needs estimates of clocks, which there are for "
            f"{', '.join(CLOCKED)}, not for {target}"
        )


def recommend(
    points: Sequence[Point],
    sweep: Sweep,
    limits: Limits,
    minimise: str = "lut",
    count: int = 5,
    told: Callable[[str], None] = lambda text: None,
) -> list[Candidate]:
    """Return the best candidate, then runners-up.

    Parameters
    ----------
    points
        Of one target.
    sweep
        What they are of.
    limits
        What candidates meet.
    minimise
        One of `COSTS`, or `LOSS`.
    count
        Candidates at most.
    told
        Told which points are left out because what matters of them is not known.

    Raises
    ------
    ValueError
        If no point meets all limits: the message tells the nearest; or nothing is known of any.

    """
    points = with_hardware(points)
    if limits.mhz is not None:
        check_clock(points[0].target)
    needs = [known.ENERGY] if minimise == "energy" or limits.energy is not None else []
    needs += [known.CLOCK] if limits.mhz is not None else []
    if needs:
        points = _covered(points, sweep, needs, told)
    ordered = sorted(points, key=lambda point: _tie_break(point, minimise))
    columns: dict[str, list[float]] = {
        "lut": [point.lut for point in ordered],
        "sites": [point.sites for point in ordered],
        LOSS: [point.loss for point in ordered],
    }
    if known.ENERGY in needs:
        columns["energy"] = [_energy(point, sweep) for point in ordered]
    wanted = {
        name: limit for name in (*COSTS, LOSS) if (limit := getattr(limits, name)) is not None
    }
    try:
        ranking = best_within(columns, minimise, wanted)
    except ValueError as error:
        raise ValueError(_in_words(str(error), points[0])) from None
    front_first, on_front = _front_first(ranking, columns, minimise)
    energies = columns.get("energy")
    found = []
    for number in front_first:
        found.append(
            Candidate(
                ordered[number],
                design_of(ordered[number], sweep),
                ordered[number].sites,
                energy=energies[number] if energies else None,
                on_front=number in on_front,
            )
        )
    if limits.mhz is not None:
        found = _with_clocks(found, limits, count)
    return _compared(found[:count], sweep)


def _tie_break(point: Point, minimise: str) -> tuple[float, float, int]:
    first = point.lut if minimise == LOSS else point.loss
    return first, point.sites, point.weight_bits + point.activation_bits


def _front_first(
    ranking: Any, columns: Mapping[str, Sequence[float]], minimise: str
) -> tuple[list[int], set[int]]:
    """Return the best, then the rest of the front, then the others, in order of the ranking."""
    other = "lut" if minimise == LOSS else LOSS
    table = np.array([[columns[minimise][n], columns[other][n]] for n in ranking])
    best = {int(ranking[place]) for place in front(table)}
    order = [int(n) for n in ranking]
    return [n for n in order if n in best] + [n for n in order if n not in best], best


def _in_words(message: str, point: Point) -> str:
    """Say a loss as the metric's value: accuracies instead of errors."""
    if point.metric != "accuracy":
        return message.replace(f"{LOSS} ", "bits per byte ")
    head, found, tail = message.partition(f"{LOSS} ")
    if not found:
        return message
    number, _, rest = tail.partition(" instead of ")
    limit, semicolon, more = rest.partition(";")
    values = f"accuracy {100 - float(number):.4g} % instead of {100 - float(limit):.4g} %"
    return f"{head}{values}{semicolon}{more}"


def _energy(point: Point, sweep: Sweep) -> float:
    return known.energy_pj_per_mac(design_of(point, sweep), load(point.target))


def _covered(
    points: Sequence[Point], sweep: Sweep, needs: Sequence[str], told: Callable[[str], None]
) -> list[Point]:
    """Return the points in structures of which all that is needed is known; the others left out."""
    found, reasons = [], []
    for point in points:
        design, target = design_of(point, sweep), load(point.target)
        try:
            chosen = known.settled_for(design, target, needs)
        except ValueError as error:
            reasons.append(str(error))
            continue
        if chosen.structure != design.structure:
            cost = estimate(chosen, target)
            point = replace(point, **point_costs(chosen, cost, point.target))
        found.append(point)
    what = " and ".join(needs)
    if not found:
        raise ValueError(f"no design's {what} is known by formula: {reasons[0]}")
    if reasons:
        told(
            f"{len(reasons)} of {len(points)} designs are left out, their {what} is not known: "
            f"{reasons[0]}"
        )
    return found


def _with_clocks(candidates: Sequence[Candidate], limits: Limits, count: int) -> list[Candidate]:
    """Return candidates that reach the clock, with stages where it takes them.

    Raises
    ------
    ValueError
        If none of the first `MOST_CLOCKED` does; tells the fastest.

    """
    least = limits.mhz or 0.0
    found: list[Candidate] = []
    fastest, reasons = 0.0, []
    for candidate in candidates[:MOST_CLOCKED]:
        if len(found) == count:
            break
        try:
            for tried in _clocked(candidate, least):
                fits = limits.sites is None or tried.sites <= limits.sites
                fastest = max(fastest, tried.mhz or 0.0)
                if fits and (tried.mhz or 0.0) >= least:
                    found.append(tried)
                    break
        except ValueError as error:
            reasons.append(str(error))
    if not found:
        why = f"; {reasons[0]}" if reasons else ""
        raise ValueError(
            f"no point meets all limits: mhz {fastest:.4g} instead of {least:g} with the other "
            f"limits kept, of the best {min(len(candidates), MOST_CLOCKED)}{why}"
        )
    return found


def _clocked(candidate: Candidate, least: float) -> Iterator[Candidate]:
    """Yield a candidate as it is, then with more and more stages, with estimated clocks."""
    from costmodel import timing
    from hw import rtl
    from hw.plan import plan

    target = load(candidate.point.target)
    plain = timing.clock(plan(candidate.design, target)).fmax_mhz
    yield replace(candidate, mhz=plain)
    if plain >= least:
        return
    first = workflow.clocked(candidate.design, candidate.point.target, least)
    for more in range(_MORE_STAGES):
        design = replace(first, pipeline=first.pipeline + more)
        path_ns = rtl.emit(design, target).record.get("path_ns")
        mhz = timing.clock(plan(design, target), path_ns).fmax_mhz
        sites = workflow.estimate(design, candidate.point.target)["sites"]
        yield replace(candidate, design=design, mhz=mhz, sites=float(sites))


def _compared(candidates: Sequence[Candidate], sweep: Sweep) -> list[Candidate]:
    """Say of each candidate whether its scores differ from the first's beyond chance."""
    from sweeps import models
    from sweeps.datasets import load_dataset

    engine = Engine(models.load(sweep.network), load_dataset(sweep.dataset))
    scores = []
    for candidate in candidates:
        point = candidate.point
        case = Case(
            point.weight,
            point.activation,
            accumulator=point.accumulator,
            method=point.method,
            first=sweep.first_layer,
            last=sweep.last_layer,
            network=sweep.network,
            dataset=sweep.dataset,
        )
        scores.append(evaluate_scores(engine, case, point.inputs).quantised)
    is_series = find_metric(engine.dataset.metric).is_series
    return [
        replace(one, indistinct=not paired(scores[0], own, is_series=is_series).is_claimed)
        for one, own in zip(candidates, scores, strict=True)
    ]
