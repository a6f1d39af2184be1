import math

import numpy as np
import pytest

from sweeps.bootstrap import indistinct_from_best, paired


def test_the_interval_is_that_of_the_normal_limit():
    source = np.random.default_rng(1)
    for difference in (source.normal(0.3, 2, 4000), source.choice((-1.0, 0.0, 1.0), 4000)):
        base = source.normal(size=4000)
        found = (
            paired(base + difference, base)
            if len(set(difference)) > 3
            else paired(difference, np.zeros(4000))
        )
        half = 1.96 * difference.std() / math.sqrt(4000)
        assert found.mean == pytest.approx(difference.mean())
        assert found.low == pytest.approx(difference.mean() - half, abs=0.06 * half)
        assert found.high == pytest.approx(difference.mean() + half, abs=0.06 * half)


def test_pairing_finds_what_separate_intervals_hide():
    source = np.random.default_rng(2)
    hard = source.normal(0, 5, 500)
    better, worse = hard + 0.1 + source.normal(0, 0.1, 500), hard
    assert paired(better, worse).is_claimed
    assert paired(worse, better).high < 0
    assert not paired(better, source.permutation(worse)).is_claimed


def test_equal_results_differ_by_nothing():
    scores = np.array([1.0, 0.0, 1.0])
    found = paired(scores, scores)
    assert (found.mean, found.low, found.high, found.is_claimed) == (0, 0, 0, False)


def test_coverage_is_about_95_percent():
    source = np.random.default_rng(3)
    inside = 0
    for run in range(400):
        right = source.random((2, 540)) < np.array([[0.97], [0.95]])
        found = paired(right[0], right[1], seed=run, resamples=1000)
        inside += found.low <= 0.02 <= found.high
    assert 0.92 <= inside / 400 <= 0.98


def test_which_are_not_worse_than_the_best():
    source = np.random.default_rng(4)
    base = source.normal(size=300)
    rows = [base, base - 0.5, base + source.normal(0, 0.01, 300)]
    assert indistinct_from_best(rows) == [True, False, True]


def test_what_is_not_paired_is_refused():
    with pytest.raises(ValueError, match=r"not shapes \(3,\) and \(2,\)"):
        paired(np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match="not NaN"):
        paired([np.nan], [0.0])
