import math

import numpy as np
import pytest

from sweeps.bootstrap import block_length, indistinct_from_best, paired


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


def autoregressive(count: int, strength: float, source: np.random.Generator) -> np.ndarray:
    """Each number is `strength` times the one before, plus noise; the mean is 0."""
    noise = source.normal(size=count + 200)
    series = np.zeros(count + 200)
    for place in range(1, count + 200):
        series[place] = strength * series[place - 1] + noise[place]
    return series[200:]


def coverage(strength: float, count: int, is_series: bool, runs: int = 200) -> float:
    source = np.random.default_rng(7)
    inside = 0
    for run in range(runs):
        series = autoregressive(count, strength, source)
        found = paired(series, np.zeros(count), run, 400, is_series=is_series)
        inside += found.low <= 0 <= found.high
    return inside / runs


def test_blocks_keep_the_coverage_that_neighbours_take_from_single_draws():
    """Contexts that resemble the one before by half: 960 of them, and 256."""
    assert coverage(0.5, 960, is_series=False) < 0.82
    assert coverage(0.5, 960, is_series=True) > 0.91
    assert coverage(0.5, 256, is_series=True) > 0.86
    assert 0.91 <= coverage(0.0, 256, is_series=True) <= 0.98


def test_blocks_are_as_long_as_theory_says():
    """AR(1): G / g = 2 r / (1 - r²), so that the best length is (6 r² / (1 - r²)² · n)^(1/3)."""
    source = np.random.default_rng(8)
    for strength in (0.3, 0.5, 0.7):
        found = [block_length(autoregressive(20_000, strength, source)) for _ in range(9)]
        best = (6 * strength**2 / (1 - strength**2) ** 2 * 20_000) ** (1 / 3)
        assert np.median(found) == pytest.approx(best, rel=0.25)
    assert block_length(source.normal(size=5000)) == 1
    assert block_length(autoregressive(5000, -0.5, source)) == 1, "never narrower than alone"
    assert block_length(np.zeros(100)) == 1
    assert block_length([1.0, 2.0]) == 1
    assert block_length(np.arange(900.0)) <= 90


def test_blocks_of_one_are_single_draws():
    source = np.random.default_rng(9)
    scores = source.normal(size=300)
    alone = paired(scores, np.zeros(300))
    assert paired(scores, np.zeros(300), is_series=True) == alone


def test_blocks_on_a_circle_draw_every_input_equally():
    """The mean of means is the mean, whatever the length, also where blocks do not divide it."""
    source = np.random.default_rng(10)
    series = autoregressive(1001, 0.8, source) + 3
    found = paired(series, np.zeros(1001), is_series=True)
    middle = (found.low + found.high) / 2
    assert middle == pytest.approx(series.mean(), abs=0.05 * (found.high - found.low))
    alone = paired(series, np.zeros(1001))
    assert found.high - found.low > 1.8 * (alone.high - alone.low)
