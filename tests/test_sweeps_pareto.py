import time

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sweeps.pareto
from sweeps.pareto import front, non_dominated


def naive(costs: np.ndarray) -> np.ndarray:
    """The definition, point by point."""
    columns = np.ascontiguousarray(costs.T)
    mask = np.ones(len(costs), dtype=bool)
    for number, point in enumerate(costs):
        no_worse = np.logical_and.reduce([c <= p for c, p in zip(columns, point, strict=True)])
        others = np.flatnonzero(no_worse)
        equal = (costs[others] == point).all(axis=1)
        mask[number] = equal.all() and others[0] == number
    return mask


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_equals_the_definition(data):
    objectives = data.draw(st.integers(2, 4))
    values = st.sampled_from([0.0, 1.0, 2.0, 3.0, 5.0, float("inf"), float("-inf"), 1e-300, -0.0])
    rows = data.draw(st.lists(st.tuples(*[values] * objectives), max_size=40))
    costs = np.array(rows).reshape(-1, objectives)
    assert (non_dominated(costs) == naive(costs)).all()


@pytest.mark.parametrize("objectives", [2, 3, 4])
@pytest.mark.parametrize("kind", ["coarse", "fine", "sphere", "line"])
def test_equals_the_definition_where_pivots_and_blocks_work(objectives, kind):
    random = np.random.default_rng(objectives)
    count = 4200
    costs = {
        "coarse": random.integers(0, 12, (count, objectives)).astype(float),
        "fine": random.random((count, objectives)),
        "sphere": -np.abs(random.normal(size=(count, objectives))),
        "line": random.random((count, 1)) + 0.01 * random.random((count, objectives)),
    }[kind]
    if kind == "sphere":
        costs /= np.linalg.norm(costs, axis=1, keepdims=True)
    expected = naive(costs)
    assert (non_dominated(costs) == expected).all()
    assert expected.any()


def test_ties_are_kept_once_and_it_is_the_first():
    costs = [[2, 1], [1, 2], [2, 1], [1, 2], [3, 3], [1, 3]]
    assert non_dominated(costs).tolist() == [True, True, False, False, False, False]


def test_front_rises_in_the_first_objective():
    costs = [[5, 0, 1], [1, 9, 9], [3, 3, 3], [3, 2, 4], [9, 9, 9]]
    assert front(costs).tolist() == [1, 3, 2, 0]


def test_no_points_have_no_front():
    assert non_dominated(np.empty((0, 2))).tolist() == []
    assert front(np.empty((0, 3))).tolist() == []


def test_nan_is_refused():
    with pytest.raises(ValueError, match="must be a number, point 1 has NaN"):
        non_dominated([[1, 2], [np.nan, 0]])


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 5), (2, 2, 2)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"points × 2\.\.4 objectives, not shape"):
        non_dominated(np.zeros(shape))


def test_the_filter_does_not_change_its_input():
    costs = np.random.default_rng(0).random((9000, 2))
    before = costs.copy()
    non_dominated(costs)
    assert (costs == before).all()


def crowded(count: int, objectives: int, kind: str) -> np.ndarray:
    """Points along their front: nearly all on it, some, or many times the same ones."""
    random = np.random.default_rng(objectives)
    sphere = np.abs(random.normal(size=(count, objectives)))
    sphere = 1 - sphere / np.linalg.norm(sphere, axis=1, keepdims=True)
    if kind == "on it":
        return sphere
    if kind == "near it":
        return sphere + 0.01 * random.random((count, 1))
    if kind == "one level":
        return np.column_stack([np.zeros(count), sphere[:, 1:]])
    return np.rint(sphere * (40 if kind == "tied" else 4))


KINDS = ("on it", "near it", "one level", "tied", "mostly equal")


@pytest.mark.parametrize("objectives", [2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_crowded_fronts_equal_the_definition_and_a_peer(objectives, kind):
    costs = crowded(3000, objectives, kind)
    found = non_dominated(costs)
    assert (found == naive(costs)).all()
    assert (found == moocore.is_nondominated(costs, keep_weakly=False)).all()
    more = crowded(60_000, objectives, kind)
    assert (non_dominated(more) == moocore.is_nondominated(more, keep_weakly=False)).all()


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_halves_and_staircases_equal_the_definition_on_few_points(data):
    """The parts that large sets need, on sets so small that each is often met."""
    objectives = data.draw(st.integers(3, 4))
    values = st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, float("inf"), float("-inf")])
    rows = data.draw(st.lists(st.tuples(*[values] * objectives), min_size=1, max_size=90))
    costs = np.array(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeps.pareto, "_BLOCK", 8)
        patch.setattr(sweeps.pareto, "_LEAF", 4)
        patch.setattr(sweeps.pareto, "_SMALL", 16)
        patch.setattr("sweeps.dominance._PAIRWISE", 2)
        assert (non_dominated(costs) == naive(costs)).all()


def test_the_front_is_in_lexicographic_order():
    costs = crowded(20_000, 3, "tied")
    found = costs[front(costs)]
    assert len(found) > 100
    assert (np.lexsort(found.T[::-1]) == np.arange(len(found))).all()


@pytest.mark.parametrize("kind", ["random", "on it", "near it"])
@pytest.mark.parametrize(("objectives", "limit_seconds"), [(2, 0.1), (3, 0.3)])
def test_a_million_points_take_no_time(objectives, limit_seconds, kind):
    """In so few seconds on a machine at rest; on a busy one no longer than a peer written in C."""
    random = np.random.default_rng(1).random((1_000_000, objectives))
    costs = random if kind == "random" else crowded(1_000_000, objectives, kind)
    taken = []
    for _ in range(5):
        start = time.process_time()
        mask = non_dominated(costs)
        taken.append(time.process_time() - start)
        if taken[-1] < limit_seconds:
            break
    assert mask.sum() == 1_000_000 if kind == "on it" else 5 < mask.sum() < 200_000
    if min(taken) >= limit_seconds:
        start = time.process_time()
        moocore.is_nondominated(costs, keep_weakly=False)
        assert min(taken) < time.process_time() - start
