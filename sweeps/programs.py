"""Floor 4. The integer programs behind `sweeps.allocation`, for HiGHS (`scipy.optimize.milp`).

One binary variable per layer and format, one of a layer's is 1. A term of a pair of layers is the
product of two of them. Where a pair of layers has several terms, all products of its formats are
variables, whose sums over either side are the binary variables (as in Adams and Johnson's
linearisation of the quadratic assignment problem: on chains of layers nothing but budgets needs
branching); a lone term is bounded by three inequalities.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sweeps.allocation import Cell, Problem

SLACK = 1e-9
"""By which share a budget may be passed."""
_FEW = 1
"""Terms of a pair of layers up to which only their own products are variables."""

_MOST_GROWTH = 1e12
"""Budgets that are short by more than this are 0, or as good as that."""

Term = tuple[int, float]


@dataclass(slots=True)
class _Rows:
    """Linear constraints so far: entries (row, column, value), and the bounds of each row."""

    entries: list[tuple[int, int, float]] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def add(self, terms: Sequence[Term], least: float, most: float) -> None:
        """Bound a sum of terms (column, factor)."""
        self.entries.extend((len(self.low), column, value) for column, value in terms)
        self.low.append(least)
        self.high.append(most)

    def constraint(self, columns: int) -> object:
        """Return them as `scipy.optimize` takes them."""
        from scipy.optimize import LinearConstraint
        from scipy.sparse import coo_array

        rows, places, values = zip(*self.entries, strict=True)
        matrix = coo_array((values, (rows, places)), shape=(len(self.low), columns))
        return LinearConstraint(matrix.tocsr(), self.low, self.high)


def allowed_formats(problem: Problem) -> list[list[int]]:
    """Return the formats each layer may have; those of tied layers may all have them.

    Raises
    ------
    ValueError
        For tied layers without a common format.

    """
    allowed = [set(np.flatnonzero(np.isfinite(row)).tolist()) for row in problem.loss]
    for group in problem.tied:
        numbers = [problem.layers.index(name) for name in group]
        common = set.intersection(*(allowed[i] for i in numbers))
        if not common:
            raise ValueError(f"tied layers {', '.join(group)} have no format all of them may have")
        for i in numbers:
            allowed[i] = common
    return [sorted(formats) for formats in allowed]


def solve(
    problem: Problem, budgets: Mapping[str, float], seconds: float
) -> tuple[list[int], float]:
    """Return the format number of each layer, and the gap of the loss.

    Parameters
    ----------
    problem, budgets
        As for `sweeps.allocation.allocate`, the names of the budgets checked.
    seconds
        After which the best found so far is returned.

    Raises
    ------
    ValueError
        If nothing meets the budgets together: the message tells the nearest that can.

    """
    from scipy.optimize import Bounds, milp

    allowed = allowed_formats(problem)
    place = _places(allowed)
    rows = _choices(problem, budgets, allowed, place)
    values = [
        *(float(problem.loss[cell]) for cell in place),
        *_products(problem, allowed, rows, place),
    ]
    objective = np.array(values)
    scale = float(np.abs(objective).max(initial=0.0)) or 1.0
    with _quiet():
        found = milp(
            objective / scale,
            constraints=[rows.constraint(len(objective))],
            integrality=np.r_[np.ones(len(place)), np.zeros(len(objective) - len(place))],
            bounds=Bounds(0, 1),
            options={"mip_rel_gap": 0.0, "time_limit": seconds},
        )
    if found.x is None:
        wanted = ", ".join(f"{name} ≤ {budget:g}" for name, budget in budgets.items())
        why = "in the time given" if found.status == 1 else f"together: {nearest(problem, budgets)}"
        raise ValueError(f"no allocation meets {wanted} {why}")
    shares = np.full(problem.loss.shape, -1.0)
    for cell, number in place.items():
        shares[cell] = found.x[number]
    gap = max(float(found.fun - found.mip_dual_bound) * scale, 0.0) if found.status == 1 else 0.0
    return shares.argmax(axis=1).tolist(), gap


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what HiGHS prints of its own accord (a line per repaired solution) from our output."""
    flush = ctypes.CDLL(None).fflush
    sys.stdout.flush()
    kept, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        flush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nothing)


def _places(allowed: list[list[int]]) -> dict[Cell, int]:
    """Return the variable of each layer and format."""
    cells = [(i, j) for i, formats in enumerate(allowed) for j in formats]
    return {cell: number for number, cell in enumerate(cells)}


def _choices(
    problem: Problem,
    budgets: Mapping[str, float],
    allowed: list[list[int]],
    place: Mapping[Cell, int],
) -> _Rows:
    """One format per layer, equal formats of tied layers, budgets."""
    rows = _Rows()
    for layer, formats in enumerate(allowed):
        rows.add([(place[layer, number], 1.0) for number in formats], 1.0, 1.0)
    for group in problem.tied:
        first, *rest = (problem.layers.index(name) for name in group)
        for other, number in product(rest, allowed[first]):
            rows.add([(place[first, number], 1.0), (place[other, number], -1.0)], 0.0, 0.0)
    for name, budget in budgets.items():
        costs = problem.costs[name]
        size = max(float(costs.max()), 1e-300)
        terms = [(number, float(costs[cell]) / size) for cell, number in place.items()]
        rows.add(terms, -np.inf, budget / size * (1 + SLACK))
    return rows


def _products(
    problem: Problem, allowed: list[list[int]], rows: _Rows, place: Mapping[Cell, int]
) -> Iterator[float]:
    """Yield the loss of each product's variable, in order, after adding its constraints."""
    blocks: dict[tuple[int, int], dict[tuple[int, int], float]] = {}
    for (first, second), value in problem.pairs.items():
        if first in place and second in place:
            blocks.setdefault((first[0], second[0]), {})[first[1], second[1]] = value
    column = len(place)
    for (i, j), terms in blocks.items():
        is_dense = len(terms) > _FEW
        chosen = list(product(allowed[i], allowed[j])) if is_dense else list(terms)
        columns = {cell: column + number for number, cell in enumerate(chosen)}
        if is_dense:
            for a in allowed[i]:
                sums = [(columns[a, b], 1.0) for b in allowed[j]]
                rows.add([*sums, (place[i, a], -1.0)], 0.0, 0.0)
            for b in allowed[j]:
                sums = [(columns[a, b], 1.0) for a in allowed[i]]
                rows.add([*sums, (place[j, b], -1.0)], 0.0, 0.0)
        else:
            for (a, b), both in columns.items():
                left, right = place[i, a], place[j, b]
                rows.add([(both, 1.0), (left, -1.0)], -np.inf, 0.0)
                rows.add([(both, 1.0), (right, -1.0)], -np.inf, 0.0)
                rows.add([(both, 1.0), (left, -1.0), (right, -1.0)], -1.0, np.inf)
        yield from (terms.get(cell, 0.0) for cell in chosen)
        column += len(chosen)


def nearest(problem: Problem, budgets: Mapping[str, float]) -> str:
    """Say by how much all budgets would have to grow together, by bisection over their excess."""
    low, high = 1.0, 2.0
    while not _meets(problem, {n: b * high for n, b in budgets.items()}):
        low, high = high, 2 * high
        if high > _MOST_GROWTH:
            return "one of them is too small by itself for what the others leave"
    for _ in range(20):
        middle = (low + high) / 2
        fits = _meets(problem, {n: b * middle for n, b in budgets.items()})
        low, high = (low, middle) if fits else (middle, high)
    told = ", ".join(f"{name} {budget * high:.4g}" for name, budget in budgets.items())
    return f"the nearest that can is {told}"


def _meets(problem: Problem, budgets: Mapping[str, float]) -> bool:
    from scipy.optimize import Bounds, milp

    allowed = allowed_formats(problem)
    place = _places(allowed)
    found = milp(
        np.zeros(len(place)),
        constraints=[_choices(problem, budgets, allowed, place).constraint(len(place))],
        integrality=np.ones(len(place)),
        bounds=Bounds(0, 1),
    )
    return found.x is not None
