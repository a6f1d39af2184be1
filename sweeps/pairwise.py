"""Floor 4. Allocation with interactions of pairs of layers, measured where they matter.

The interaction of two layers is the loss with both quantised less the sum of their single losses.
Only what adds to the loss counts: a negative one is taken as 0, because losses do not fall below 0
however many such pairs an allocation stacks, and the program would stack them.

So a program that knows some of the interactions never overrates a loss, and `refine` need not
measure them all: it measures those of the program's own best choice and solves again, until it
knows all of that choice's. Then the choice is the best under all interactions, measured or not
(a cutting-plane method). If measurements run out, the pairs that may matter most were measured
first: those with the greatest 2·√(loss·loss), which bounds the interaction where the loss is a
quadratic form (Cauchy-Schwarz).

Interactions in integer programs: CLADO (arXiv 2307.05657), IMPQ (arXiv 2509.15455).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise

from sweeps.allocation import Allocation, Cell, Problem, allocate, budgets_of, undominated

Both = tuple[Cell, Cell]
"""A layer in a format with another, later one in a format."""
Measure = Callable[[Sequence[Both]], Sequence[float]]
"""Returns the loss with both quantised."""

ADJACENT, ALL = "adjacent", "all"


@dataclass(slots=True)
class Interactions:
    """Interactions measured so far, and which ones may still be.

    Parameters
    ----------
    problem
        Without pairs.
    measure
        Measures.
    among
        "adjacent": of layers that follow each other in the network's order; "all".
    most
        How many are measured at most, None for no limit.
    values
        The interactions as measured, negative ones too.

    """

    problem: Problem
    measure: Measure
    among: str = ADJACENT
    most: int | None = None
    values: dict[Both, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse problems that have pairs, and words that are none."""
        if self.problem.pairs:
            raise ValueError("pairs of layers are measured for a problem that has none")
        if self.among not in (ADJACENT, ALL):
            raise ValueError(f"pairs are {ADJACENT} or {ALL}, not {self.among!r}")

    @property
    def possible(self) -> int:
        """How many interactions there are among the pairs of layers looked at."""
        count = len(self.problem.layers)
        pairs = count - 1 if self.among == ADJACENT else count * (count - 1) // 2
        return pairs * len(self.problem.formats) ** 2

    @property
    def refined(self) -> Problem:
        """The problem with what is known."""
        known = {both: value for both, value in self.values.items() if value > 0}
        return replace(self.problem, pairs=known)

    def missing(self, found: Allocation) -> list[Both]:
        """Return the pairs of an allocation not measured yet, most promising first."""
        chosen = [self.problem.formats.index(name) for name in found.formats]
        cells = list(enumerate(chosen))
        pairs = pairwise(cells)
        own = pairs if self.among == ADJACENT else combinations(cells, 2)
        return sorted((p for p in own if p not in self.values), key=lambda p: -self._bound(p))

    def learn(self, pairs: Sequence[Both]) -> int:
        """Measure pairs as far as the limit goes; return how many."""
        left = len(pairs) if self.most is None else max(self.most - len(self.values), 0)
        chosen = list(pairs)[:left]
        loss = self.problem.loss
        for both, value in zip(chosen, self.measure(chosen) if chosen else (), strict=True):
            if math.isnan(value):
                raise ValueError(f"a loss is a number, that of the pair {both} is NaN")
            self.values[both] = value - float(loss[both[0]]) - float(loss[both[1]])
        return len(chosen)

    def _bound(self, both: Both) -> float:
        first, second = (max(float(self.problem.loss[cell]), 0.0) for cell in both)
        return 2 * math.sqrt(first * second)


@dataclass(frozen=True, slots=True)
class Refined:
    """An allocation under interactions.

    Parameters
    ----------
    allocation
        Its loss has the interactions known in the end.
    additive
        Its loss by addition.
    is_proven
        Whether nothing is better under all interactions of the pairs looked at.

    """

    allocation: Allocation
    additive: float
    is_proven: bool


def refine(known: Interactions, budgets: Mapping[str, float]) -> Refined:
    """Return the best allocation within budgets, measuring interactions as it needs them.

    Raises
    ------
    ValueError
        As `sweeps.allocation.allocate`.

    """
    while True:
        found = allocate(known.refined, budgets)
        missing = known.missing(found)
        if not missing or not known.learn(missing):
            return _judged(known, found, is_proven=not missing and not found.gap)


def refined_front(known: Interactions, cost: str, count: int = 16) -> list[Refined]:
    """Return the best allocations for budgets of a cost spaced by equal factors, cheapest first.

    Raises
    ------
    ValueError
        As `sweeps.allocation.budgets_of`.

    """
    found = [(b, refine(known, {cost: b})) for b in budgets_of(known.problem, cost, count)]
    found = [(b, one if one.is_proven else refine(known, {cost: b})) for b, one in found]
    by_formats = {one.allocation.formats: one for _, one in found}
    best = undominated([one.allocation for one in by_formats.values()], cost)
    return [by_formats[one.formats] for one in best]


def _judged(known: Interactions, found: Allocation, is_proven: bool) -> Refined:
    numbers = [known.problem.formats.index(name) for name in found.formats]
    return Refined(found, known.problem.evaluated(numbers).loss, is_proven)
