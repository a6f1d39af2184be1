"""Exact allocation against brute force."""

import itertools
import math
import os

import numpy as np
import pytest

from sweeps.allocation import Problem, allocate, budget_front, exact_front
from sweeps.pareto import front

LAYERS = ("a", "b", "c", "d", "e")
FORMATS = ("int2", "int3", "int4", "int8")


def problem(seed, pairs=0, tied=(), whole=True):
    source = np.random.default_rng(seed)
    loss = np.sort(source.random((5, 4)), axis=1)[:, ::-1] ** 3
    costs = {
        "lut": np.sort(source.integers(1, 100, (5, 4)), axis=1).astype(float),
        "energy": np.sort(source.random((5, 4)), axis=1),
    }
    if not whole:
        costs["lut"] = costs["lut"] / 7
    terms = {}
    while len(terms) < pairs:
        first, second = sorted(source.choice(5, 2, replace=False).tolist())
        cells = ((first, int(source.integers(4))), (second, int(source.integers(4))))
        terms[cells] = float(source.normal() / 9)
    return Problem(LAYERS, FORMATS, loss, costs, terms, tied)


def every(p):
    """All choices, with their allocation."""
    for choice in itertools.product(range(4), repeat=5):
        named = dict(zip(LAYERS, choice, strict=True))
        if all(len({named[n] for n in group}) == 1 for group in p.tied):
            yield p.evaluated(choice)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("pairs", "tied"), [(0, ()), (8, ()), (0, (("a", "d"), ("b", "c"))), (5, (("e", "a"),))]
)
def test_the_optimum_is_that_of_brute_force(seed, pairs, tied):
    p = problem(seed, pairs, tied, whole=seed % 2 == 0)
    all_of_them = list(every(p))
    totals = sorted(a.totals["lut"] for a in all_of_them)
    checked = 0
    for share in (0.0, 0.1, 0.4, 0.8, 1.0):
        budget = totals[int(share * (len(totals) - 1))]
        energy = float(np.median([a.totals["energy"] for a in all_of_them]))
        for budgets in ({"lut": budget}, {"lut": budget, "energy": energy}):
            fits = [a for a in all_of_them if all(a.totals[n] <= b for n, b in budgets.items())]
            if not fits:
                with pytest.raises(ValueError, match=r"meets|cannot be met"):
                    allocate(p, budgets)
                continue
            found = allocate(p, budgets)
            assert all(found.totals[n] <= b * (1 + 1e-9) for n, b in budgets.items())
            assert found.loss == pytest.approx(min(a.loss for a in fits), abs=1e-9)
            assert found.gap == 0
            checked += 1
    assert checked >= 6


@pytest.mark.parametrize("share", [0.2, 1.0])
@pytest.mark.parametrize("tied", [(), (("a", "c"),)])
def test_many_pairs_are_solved_exactly_too(share, tied):
    source = np.random.default_rng(11)
    terms = {
        ((i, a), (j, b)): float(source.normal() / 4)
        for i, j in itertools.combinations(range(5), 2)
        for a, b in itertools.product(range(4), repeat=2)
        if source.random() < share
    }
    plain = problem(2, tied=tied)
    p = Problem(LAYERS, FORMATS, plain.loss, plain.costs, terms, tied)
    all_of_them = list(every(p))
    totals = sorted(a.totals["lut"] for a in all_of_them)
    for place in range(0, len(totals), len(totals) // 8):
        least = min(a.loss for a in all_of_them if a.totals["lut"] <= totals[place])
        found = allocate(p, {"lut": totals[place]})
        assert found.loss == pytest.approx(least, abs=1e-9)
        assert found.gap == 0
    points = budget_front(p, "lut", 9)
    costs = np.array([(a.totals["lut"], a.loss) for a in all_of_them])
    for one in points:
        within = costs[costs[:, 0] <= one.totals["lut"], 1]
        assert one.loss == pytest.approx(within.min(), abs=1e-9)
    assert len(points) >= 3
    assert [a.totals["lut"] for a in points] == sorted(a.totals["lut"] for a in points)


def test_a_budget_of_nothing_ends():
    p = problem(0)
    opposed = {"lut": p.costs["lut"].copy(), "dsp": p.costs["lut"][:, ::-1].copy()}
    opposed["lut"][0, 0] = opposed["dsp"][0, 3] = 0
    crossed = Problem(LAYERS[:1], FORMATS, p.loss[:1], {n: a[:1] for n, a in opposed.items()})
    with pytest.raises(ValueError, match="too small by itself for what the others leave"):
        allocate(crossed, {"lut": 0, "dsp": 0})


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("tied", [(), (("a", "b", "e"),)])
def test_the_front_is_that_of_brute_force(seed, tied):
    p = problem(seed, tied=tied)
    found = exact_front(p, "lut")
    costs = np.array([(a.totals["lut"], a.loss) for a in every(p)]).round(12)
    expected = costs[front(costs)]
    points = np.array([(a.totals["lut"], a.loss) for a in found])
    assert len(found) > 5
    assert points == pytest.approx(expected)
    for allocation in found[:: max(len(found) // 4, 1)]:
        again = allocate(p, {"lut": allocation.totals["lut"]})
        assert again.loss == pytest.approx(allocation.loss)


def test_forbidden_formats_are_never_chosen():
    p = problem(1)
    loss = p.loss.copy()
    loss[2, :3] = np.inf
    only = Problem(LAYERS, FORMATS, loss, p.costs)
    assert allocate(only, {}).formats[2] == "int8"
    assert {a.formats[2] for a in exact_front(only, "lut")} == {"int8"}


def test_forty_layers_are_solved_exactly():
    source = np.random.default_rng(3)
    layers = tuple(f"l{i}" for i in range(40))
    loss = np.sort(source.random((40, 8)), axis=1)[:, ::-1]
    cost = np.sort(source.integers(1, 300, (40, 8)), axis=1).astype(float)
    p = Problem(layers, tuple("abcdefgh"), loss, {"lut": cost})
    points = exact_front(p, "lut")
    middle = points[len(points) // 2]
    found = allocate(p, {"lut": middle.totals["lut"]})
    assert found.loss == pytest.approx(middle.loss)
    assert found.totals["lut"] <= middle.totals["lut"]


def test_what_cannot_be_met_is_refused_with_the_nearest():
    p = problem(0)
    least = p.costs["lut"].min(axis=1).sum()
    with pytest.raises(ValueError, match=f"lut cannot be met: the least is {least:g}"):
        allocate(p, {"lut": least - 1})
    opposed = {"lut": p.costs["lut"], "energy": p.costs["lut"][:, ::-1].copy()}
    crossed = Problem(LAYERS, FORMATS, p.loss, opposed)
    low = {n: array.min(axis=1).sum() for n, array in opposed.items()}
    with pytest.raises(ValueError, match="nearest that can is lut") as caught:
        allocate(crossed, low)
    nearest = [float(w.strip(",")) for w in str(caught.value).split() if w[0].isdigit()][-2:]
    assert allocate(crossed, dict(zip(low, [n * 1.001 for n in nearest], strict=True)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": np.zeros((5, 3))}, r"not shape \(5, 3\)"),
        ({"loss": np.full((5, 4), np.nan)}, "not NaN: layer a, format int2"),
        ({"loss": np.full((5, 4), np.inf)}, "format with a finite loss"),
        ({"costs": {"lut": np.full((5, 4), -1.0)}}, "at least 0, lut is not"),
        ({"tied": (("a", "z"),)}, "z is not"),
        ({"pairs": {((1, 0), (0, 0)): 1.0}}, "the lower first"),
    ],
)
def test_what_is_no_problem_is_refused(change, message):
    p = problem(0)
    parts = {"loss": p.loss, "costs": p.costs, "pairs": {}, "tied": ()} | change
    with pytest.raises(ValueError, match=message):
        Problem(LAYERS, FORMATS, **parts)


def test_unknown_costs_and_long_fronts_are_refused():
    p = problem(0)
    with pytest.raises(ValueError, match="not for 'lutt'"):
        allocate(p, {"lutt": 1.0})
    with pytest.raises(ValueError, match="not NaN"):
        allocate(p, {"lut": math.nan})
    with pytest.raises(ValueError, match="not 'x'"):
        exact_front(p, "x")
    with pytest.raises(ValueError, match="more than 10 partial allocations after 1 of 5"):
        exact_front(p, "lut", limit=10)
    with pytest.raises(ValueError, match="with pairs"):
        exact_front(problem(0, pairs=1), "lut")


def test_the_solver_says_nothing(capfd):
    from sweeps import programs

    with programs._quiet():
        os.write(1, b"chatter")
    os.write(1, b"ours")
    assert allocate(problem(0), {}).formats
    assert capfd.readouterr().out == "ours"
