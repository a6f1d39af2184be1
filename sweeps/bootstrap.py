"""Floor 4. Whether two results on the same inputs differ: a paired bootstrap of their scores.

Inputs are drawn again with replacement, each with both of its scores, and the mean difference is
taken; the interval holds the middle 95 % of many such draws (Efron and Tibshirani 1993, percentile
method). Where it holds 0, no difference is claimed.

Neighbouring contexts of a text resemble each other, so that drawing them one by one makes intervals
too narrow. There blocks of neighbours are drawn, on a circle (Politis and Romano 1992), as long as
the autocorrelation of the differences asks for: `block_length`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
LEVEL = 0.95
_AT_ONCE = 1 << 22


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean score of a first result minus that of a second, with its interval."""

    mean: float
    low: float
    high: float

    @property
    def is_claimed(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


Numbers = npt.NDArray[np.float64]


def paired(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    seed: int = 0,
    resamples: int = RESAMPLES,
    *,
    is_series: bool = False,
) -> Difference:
    """Return the difference of two results.

    Parameters
    ----------
    first, second
        Scores of the same inputs in the same order, more is better; shape (input,).
    seed
        Of the draws.
    resamples
        Draws.
    is_series
        Whether neighbouring inputs may resemble each other, as contexts of a text do.

    Raises
    ------
    ValueError
        For scores of different numbers of inputs, none, or NaN.

    """
    left, right = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if left.ndim != 1 or left.shape != right.shape or not len(left):
        raise ValueError(
            f"paired scores are of the same inputs, at least one, not shapes {left.shape} and "
            f"{right.shape}"
        )
    if np.isnan(left).any() or np.isnan(right).any():
        raise ValueError("scores are numbers, not NaN")
    levels, counts = np.unique(left - right, return_counts=True)
    source = np.random.default_rng(seed)
    length = block_length(left - right) if is_series else 1
    if length > 1:
        means = _means_of_blocks(left - right, length, source, resamples)
    elif len(levels) <= 64:  # right or wrong: how many of each difference is all there is to draw
        drawn = source.multinomial(len(left), counts / len(left), resamples)
        means = drawn @ levels / len(left)
    else:
        means = _means(left - right, source, resamples)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Difference(float((left - right).mean()), float(low), float(high))


def block_length(series: npt.ArrayLike) -> int:
    """Return how many neighbours are drawn together: 1 where they do not resemble each other.

    The rule of Politis and White (2004, with Patton's correction of 2009) for the circular
    bootstrap: lags count up to twice the first after which max(5, sqrt(log10 n)) in a row have
    autocorrelations within ±2 sqrt(log10(n) / n), under a trapezoidal window; with these,
    ``(3 G² / (2 g²))^(1/3) · n^(1/3)``, rounded up, at most min(3 sqrt(n), n / 3). Where the window
    gives no more variance than independence does, nothing is drawn together: an interval never
    becomes narrower by neighbours.

    Parameters
    ----------
    series
        Numbers in order, shape (input,).
    """
    values = np.asarray(series, dtype=np.float64)
    count = len(values)
    values = values - values.mean()
    variance = float((values**2).sum()) / count
    if count < 8 or variance == 0:
        return 1
    row = max(5, math.ceil(math.sqrt(math.log10(count))))
    most = min(math.ceil(math.sqrt(count)) + row, count - 1)
    products = [(values[lag:] * values[: count - lag]).sum() for lag in range(most + 1)]
    covariances = np.array(products) / count
    within = np.abs(covariances[1:] / variance) < 2 * math.sqrt(math.log10(count) / count)
    quiet = [lag for lag in range(most - row + 1) if within[lag : lag + row].all()]
    last = quiet[0] if quiet else most - row
    lags = np.arange(1, min(max(2 * last, 1), most) + 1)
    window = np.minimum(1.0, 2 * (1 - lags / lags[-1]))
    spread = 2 * window * covariances[lags]
    total = variance + float(spread.sum())
    if last == 0 or total <= variance:
        return 1
    ratio = float((spread * lags).sum()) / total
    longest = math.ceil(min(3 * math.sqrt(count), count / 3))
    return min(max(math.ceil(math.cbrt(1.5 * ratio**2 * count)), 1), longest)


def _means(differences: Numbers, source: np.random.Generator, resamples: int) -> Numbers:
    count = len(differences)
    at_once = max(_AT_ONCE // count, 1)
    parts = []
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        parts.append(differences[source.integers(count, size=(rows, count))].mean(axis=1))
    return np.concatenate(parts)


def _means_of_blocks(
    differences: Numbers, length: int, source: np.random.Generator, resamples: int
) -> Numbers:
    """Means of as many numbers, in blocks from anywhere on the circle; the last one is cut."""
    count = len(differences)
    around = np.concatenate([[0.0], np.cumsum(np.concatenate([differences, differences]))])
    whole, rest = divmod(count, length)
    starts = np.arange(count)
    sums = around[starts + length] - around[starts]
    ends = around[starts + rest] - around[starts]
    drawn = source.integers(count, size=(resamples, whole + 1))
    found: Numbers = (sums[drawn[:, :-1]].sum(axis=1) + ends[drawn[:, -1]]) / count
    return found


def indistinct_from_best(
    scores: Sequence[npt.ArrayLike],
    seed: int = 0,
    resamples: int = RESAMPLES,
    *,
    is_series: bool = False,
) -> list[bool]:
    """Return for each result whether it differs from the best mean by no more than chance.

    Parameters
    ----------
    scores
        Scores of each result on the same inputs.
    seed, resamples, is_series
        As for `paired`.
    """
    means = [float(np.mean(np.asarray(row, dtype=np.float64))) for row in scores]
    best = scores[int(np.argmax(means))]
    return [
        not paired(best, row, seed, resamples, is_series=is_series).is_claimed for row in scores
    ]
