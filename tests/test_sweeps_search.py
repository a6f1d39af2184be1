"""Searches judged by hypervolume against the exact front of spaces small enough to enumerate."""

import numpy as np
import pytest

from sweeps.fronts import hypervolume
from sweeps.search import annealed, evolved, exhaustive, uniform

SIZES = (6, 6, 6, 6, 6)
BUDGET = 500


def space(seed):
    """Losses that do not add up: single terms, terms of neighbours, and a product over all."""
    source = np.random.default_rng(seed)
    loss = np.sort(source.random((5, 6)), axis=1)[:, ::-1]
    cost = np.sort(source.integers(5, 80, (5, 6)), axis=1)
    pair = source.normal(size=(4, 6, 6)) / 12

    def evaluate(choice):
        single = [loss[i, j] for i, j in enumerate(choice)]
        joint = sum(pair[i, choice[i], choice[i + 1]] for i in range(4))
        return (
            sum(single) + abs(joint) + 2 * float(np.prod(single)),
            float(sum(cost[i, j] for i, j in enumerate(choice))),
        )

    return evaluate


def share(found, exact):
    reference = exact.table.max(axis=0) * 1.01
    return hypervolume(found.table, reference) / hypervolume(exact.table, reference)


@pytest.mark.parametrize("seed", range(10, 13))
def test_searches_come_near_the_exact_front(seed):
    evaluate = space(seed)
    exact = exhaustive(SIZES, evaluate)
    assert len(exact.choices) == 6**5
    shares = {
        name: share(search(SIZES, evaluate, BUDGET, 1), exact)
        for name, search in (("annealed", annealed), ("evolved", evolved), ("uniform", uniform))
    }
    assert shares["evolved"] > 0.96
    assert shares["annealed"] > 0.96
    assert max(shares.values()) <= 1
    assert min(shares["annealed"], shares["evolved"]) > shares["uniform"]


@pytest.mark.parametrize("search", [annealed, evolved, uniform])
def test_searches_are_seeded_frugal_and_evaluate_each_choice_once(search):
    calls = []
    inner = space(0)

    def evaluate(choice):
        calls.append(choice)
        return inner(choice)

    found = search(SIZES, evaluate, 100, 3)
    assert found.choices == calls
    assert len(set(calls)) == len(calls)
    assert 90 <= len(calls) <= 100 + 8
    assert search(SIZES, inner, 100, 3).choices == found.choices
    assert search(SIZES, inner, 100, 4).choices != found.choices
    assert set(found.front) <= set(calls)


@pytest.mark.parametrize("search", [annealed, evolved, uniform])
def test_small_spaces_end(search):
    found = search((2, 2), lambda c: (float(c[0] + c[1]), 3.0 - sum(c)), 100, 1)
    assert len(found.choices) <= 4


def test_what_is_no_space_is_refused():
    with pytest.raises(ValueError, match="not 10000000"):
        exhaustive((10,) * 7, lambda choice: (0.0, 0.0))
    with pytest.raises(ValueError, match=r"not sizes \(2, 0\)"):
        uniform((2, 0), lambda choice: (0.0, 0.0), 5, 1)
    with pytest.raises(ValueError, match=r"choice \(0,\) has NaN"):
        exhaustive((2,), lambda choice: (float("nan"),))
