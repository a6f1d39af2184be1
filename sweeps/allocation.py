"""Floor 4. Which format each layer gets: exact allocation under budgets, by integer programming.

A `Problem` is plain arrays: what each layer loses in each format, and what that costs. `allocate`
finds the choice with the least total loss that meets all budgets (`sweeps.programs`), `exact_front`
every trade-off of loss against one cost. Losses add up over layers, which is a model: its
prediction is to be compared with the loss measured jointly. Terms of pairs of layers correct it
(`sweeps.pairwise` measures them).

Sources: the additive integer program of HAWQ-V3 (arXiv 2011.10680); pairwise terms after IMPQ
(arXiv 2509.15455).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sweeps.pareto import front
from sweeps.programs import SLACK, allowed_formats, solve

Values = npt.NDArray[np.float64]
Cell = tuple[int, int]
"""Numbers of a layer and of a format."""
MOST_PARTIAL = 4_000_000
"""`exact_front` gives up when it would compare more partial allocations than this at once."""
_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Layers, formats, losses and costs.

    Parameters
    ----------
    layers, formats
        Names.
    loss
        Array (layer, format), what the network loses if that layer alone has that format; infinite
        where it may not have it.
    costs
        Arrays (layer, format), at least 0, by name: "lut", "memory", "energy", "bops", …
    pairs
        What is added to the loss if two layers have these formats both, by ((layer, format),
        (layer, format)) with the lower layer first.
    tied
        Names of layers that must have the same format, group by group.

    Raises
    ------
    ValueError
        For shapes that do not fit, NaN, negative or infinite costs, a layer without any format
        allowed, or groups that name no layers.

    """

    layers: tuple[str, ...]
    formats: tuple[str, ...]
    loss: Values
    costs: Mapping[str, Values]
    pairs: Mapping[tuple[Cell, Cell], float] = field(default_factory=dict)
    tied: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is not a problem."""
        shape = (len(self.layers), len(self.formats))
        for name, array in (("loss", self.loss), *self.costs.items()):
            if array.shape != shape:
                raise ValueError(
                    f"{name} has a number for each of {shape[0]} layers and {shape[1]} formats, "
                    f"not shape {array.shape}"
                )
            if np.isnan(array).any():
                layer, number = np.argwhere(np.isnan(array))[0]
                raise ValueError(
                    f"{name} is a number, not NaN: layer {self.layers[layer]}, "
                    f"format {self.formats[number]}"
                )
        for name, array in self.costs.items():
            if (array < 0).any() or np.isinf(array).any():
                raise ValueError(f"costs are finite and at least 0, {name} is not")
        if np.isneginf(self.loss).any() or np.isinf(self.loss).all(axis=1).any():
            raise ValueError("every layer needs a format with a finite loss")
        unknown = {name for group in self.tied for name in group} - set(self.layers)
        if unknown:
            raise ValueError(f"tied layers are layers of the problem, {min(unknown)} is not")
        for (first, second), value in self.pairs.items():
            if not (first[0] < second[0] and math.isfinite(value)):
                raise ValueError("pairs have two layers, the lower first, and a finite loss")

    def evaluated(self, choice: Sequence[int], gap: float = 0.0) -> Allocation:
        """Return a choice, a format number per layer, with its loss and costs added up."""
        rows = np.arange(len(self.layers))
        numbers = np.asarray(choice, dtype=np.intp)
        loss = math.fsum(self.loss[rows, numbers])
        loss += math.fsum(
            value
            for (first, second), value in self.pairs.items()
            if numbers[first[0]] == first[1] and numbers[second[0]] == second[1]
        )
        totals = {name: math.fsum(array[rows, numbers]) for name, array in self.costs.items()}
        return Allocation(tuple(self.formats[i] for i in numbers), loss, totals, gap)


@dataclass(frozen=True, slots=True)
class Allocation:
    """A format for each layer.

    Parameters
    ----------
    formats
        Name of each layer's format, in the order of the layers.
    loss
        Additive prediction, with the terms of pairs.
    totals
        Costs by name.
    gap
        How much less the loss could be at most: 0 where the solver proved the optimum.

    """

    formats: tuple[str, ...]
    loss: float
    totals: Mapping[str, float]
    gap: float = 0.0


def allocate(
    problem: Problem, budgets: Mapping[str, float], seconds: float = _PATIENCE_SECONDS
) -> Allocation:
    """Return the allocation of least loss that meets all budgets.

    Parameters
    ----------
    problem
        What is to be allocated.
    budgets
        Most of each cost, by its name; costs without a budget are free.
    seconds
        After which the best allocation found so far is returned, with its gap.

    Raises
    ------
    ValueError
        For a budget without a cost, or budgets that cannot be met: the message tells the nearest
        that can.

    """
    for name, budget in budgets.items():
        if name not in problem.costs:
            known = ", ".join(problem.costs)
            raise ValueError(f"a budget is for one of {known}, not for {name!r}")
        if math.isnan(budget):
            raise ValueError(f"the budget for {name} is a number, not NaN")
    _check_feasible(problem, budgets)
    tightened = dict(budgets)
    while True:
        choice, gap = solve(problem, tightened, seconds)
        found = problem.evaluated(choice, gap)
        over = {n: found.totals[n] - b for n, b in budgets.items() if found.totals[n] > b}
        if all(excess <= SLACK * abs(budgets[name]) for name, excess in over.items()):
            return found
        for name, excess in over.items():  # within the solver's tolerance, but not within ours
            tightened[name] -= 2 * excess


def _least(problem: Problem, name: str) -> float:
    """Return the least total of one cost."""
    only = {name: problem.costs[name]}
    relaxed = Problem(
        problem.layers,
        problem.formats,
        np.where(np.isfinite(problem.loss), problem.costs[name], np.inf),
        only,
        tied=problem.tied,
    )
    choice, _ = solve(relaxed, {}, _PATIENCE_SECONDS)
    return relaxed.evaluated(choice).loss


def _check_feasible(problem: Problem, budgets: Mapping[str, float]) -> None:
    for name, budget in budgets.items():
        least = _least(problem, name)
        if least > budget * (1 + SLACK):
            raise ValueError(
                f"a budget of {budget:g} for {name} cannot be met: the least is {least:g}"
            )


def exact_front(problem: Problem, cost: str, limit: int = MOST_PARTIAL) -> list[Allocation]:
    """Return every trade-off of loss against one cost, cheapest first; nothing dominates them.

    Layers join one after the other; of the partial allocations so far only those stay that no other
    dominates, which loses none of the whole ones because loss and cost both add up.

    Raises
    ------
    ValueError
        For an unknown cost, a problem with pairs, or one with more partial allocations than
        `limit`: the message says how far it came.

    """
    if cost not in problem.costs:
        raise ValueError(f"a cost is one of {', '.join(problem.costs)}, not {cost!r}")
    if problem.pairs:
        raise ValueError("a front is exact for losses that add up; a problem with pairs is solved")
    allowed = allowed_formats(problem)
    groups = _groups(problem)
    points = np.zeros((1, 2))
    chosen = np.zeros((1, 0), dtype=np.int16)
    for done, group in enumerate(groups):
        formats = allowed[group[0]]
        add = np.array(
            [
                [sum(problem.costs[cost][i, j] for i in group) for j in formats],
                [sum(problem.loss[i, j] for i in group) for j in formats],
            ]
        ).T
        if len(points) * len(formats) > limit:
            raise ValueError(
                f"the exact front has more than {limit} partial allocations after {done} of "
                f"{len(groups)} layers: allocate for chosen budgets instead"
            )
        sums = (points[:, None] + add[None]).reshape(-1, 2)
        kept = front(sums)
        points = sums[kept]
        numbers = np.array(formats, dtype=np.int16)[kept % len(formats)]
        chosen = np.column_stack([chosen[kept // len(formats)], numbers])
    found = []
    for row in chosen:
        choice = [0] * len(problem.layers)
        for group, number in zip(groups, row, strict=True):
            for i in group:
                choice[i] = int(number)
        found.append(problem.evaluated(choice))
    return found


def _groups(problem: Problem) -> list[list[int]]:
    """Return layers that are chosen together: those tied, and each other one by itself."""
    leader = {name: name for name in problem.layers}

    def root(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for group in problem.tied:
        for name in group[1:]:
            leader[root(name)] = root(group[0])
    groups: dict[str, list[int]] = {}
    for number, name in enumerate(problem.layers):
        groups.setdefault(root(name), []).append(number)
    return list(groups.values())


def budget_front(problem: Problem, cost: str, count: int = 16) -> list[Allocation]:
    """Return the best allocations for budgets spaced by equal factors over what a cost may be.

    Each is exact for its budget, the list is a sample of the front: what `exact_front` is for
    problems with pairs. None dominates another; cheapest first.

    Raises
    ------
    ValueError
        For an unknown cost, or fewer than two budgets.

    """
    found = [allocate(problem, {cost: budget}) for budget in budgets_of(problem, cost, count)]
    return undominated(found, cost)


def budgets_of(problem: Problem, cost: str, count: int) -> list[float]:
    """Return budgets from the least total of a cost to that of the least loss, by equal factors."""
    if cost not in problem.costs:
        raise ValueError(f"a cost is one of {', '.join(problem.costs)}, not {cost!r}")
    if count < 2:
        raise ValueError(f"a front needs two budgets at least, not {count}")
    least, most = _least(problem, cost), allocate(problem, {}).totals[cost]
    spaced = np.geomspace if least > 0 else np.linspace
    return [least, *map(float, spaced(least, max(most, least), count)[1:-1]), max(most, least)]


def undominated(found: Sequence[Allocation], cost: str) -> list[Allocation]:
    """Return the allocations that no other dominates in a cost and the loss, cheapest first."""
    return [found[i] for i in front([(one.totals[cost], one.loss) for one in found])]
