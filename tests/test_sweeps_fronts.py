"""Hypervolumes against moocore and by counting; knees; best points under limits."""

import moocore
import numpy as np
import pytest

from sweeps.fronts import best_within, hypervolume, knee


@pytest.mark.parametrize("objectives", [2, 3, 4])
@pytest.mark.parametrize("seed", range(8))
def test_hypervolume_is_moocores(objectives, seed):
    source = np.random.default_rng(seed)
    points = source.random((150, objectives))
    if seed % 2:
        points = np.round(points * 8) / 8  # ties
    if seed % 4 == 2:
        points /= np.linalg.norm(points, axis=1)[:, None]  # nothing dominates
    for reference in (np.ones(objectives), np.full(objectives, 0.7)):
        expected = moocore.hypervolume(points, ref=reference)
        assert hypervolume(points, reference) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_hypervolume_counts_dominated_cells(objectives):
    source = np.random.default_rng(7)
    points = source.integers(0, 6, (12, objectives)).astype(float)
    cells = np.stack(np.meshgrid(*[np.arange(6)] * objectives, indexing="ij"), -1)
    covered = (points[:, None] <= cells.reshape(1, -1, objectives)).all(axis=2).any(axis=0)
    assert hypervolume(points, np.full(objectives, 6.0)) == covered.sum()


def test_hypervolume_of_nothing_and_of_what_it_is_not():
    assert hypervolume(np.ones((3, 2)), (1, 1)) == 0
    assert hypervolume(np.zeros((0, 2)), (1, 1)) == 0
    assert hypervolume([[-np.inf, 0]], (1, 1)) == np.inf
    with pytest.raises(ValueError, match=r"not shape \(3,\)"):
        hypervolume(np.ones((3, 2)), (1, 1, 1))
    with pytest.raises(ValueError, match="finite"):
        hypervolume(np.ones((3, 2)), (1, np.inf))


def test_the_knee_bends_most():
    points = np.array([(0, 10), (1, 2), (2, 1.5), (10, 0), (5, 5)])
    assert knee(points) == 1
    assert knee(points * (1000, 1)) == 1
    assert knee([(3, 4)]) == 0
    with pytest.raises(ValueError, match="two objectives"):
        knee(np.zeros((0, 2)))


def test_best_within_limits():
    columns = {"lut": [10, 20, 30, 40], "error": [4, 3, 2, 1], "delay": [1, 9, 1, 1]}
    assert best_within(columns, "error", {"lut": 30}).tolist() == [2, 1, 0]
    assert best_within(columns, "lut", {"error": 3, "delay": 5}).tolist() == [2, 3]
    with pytest.raises(ValueError, match="lut 30 instead of 25; or error 4 instead of 2"):
        best_within(columns, "error", {"lut": 25, "error": 2, "delay": 5})
    with pytest.raises(ValueError, match="not even with any one"):
        best_within(columns, "error", {"lut": 1, "error": 0.5, "delay": 5})
    with pytest.raises(ValueError, match="not 'luts'"):
        best_within(columns, "luts", {})
