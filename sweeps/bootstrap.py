"""Floor 4. Whether two results on the same inputs differ: a paired bootstrap of their scores.

Inputs are drawn again with replacement, each with both of its scores, and the mean difference is
taken; the interval holds the middle 95 % of many such draws (Efron and Tibshirani 1993, percentile
method). Where it holds 0, no difference is claimed.
"""

from __future__ import annotations

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


def paired(
    first: npt.ArrayLike, second: npt.ArrayLike, seed: int = 0, resamples: int = RESAMPLES
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
    if len(levels) <= 64:  # right or wrong: how many of each difference is all there is to draw
        drawn = source.multinomial(len(left), counts / len(left), resamples)
        means = drawn @ levels / len(left)
    else:
        means = _means(left - right, source, resamples)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Difference(float((left - right).mean()), float(low), float(high))


def _means(
    differences: npt.NDArray[np.float64], source: np.random.Generator, resamples: int
) -> npt.NDArray[np.float64]:
    count = len(differences)
    at_once = max(_AT_ONCE // count, 1)
    parts = []
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        parts.append(differences[source.integers(count, size=(rows, count))].mean(axis=1))
    return np.concatenate(parts)


def indistinct_from_best(
    scores: Sequence[npt.ArrayLike], seed: int = 0, resamples: int = RESAMPLES
) -> list[bool]:
    """Return for each result whether it differs from the best mean by no more than chance.

    Parameters
    ----------
    scores
        Scores of each result on the same inputs.
    seed, resamples
        As for `paired`.
    """
    means = [float(np.mean(np.asarray(row, dtype=np.float64))) for row in scores]
    best = scores[int(np.argmax(means))]
    return [not paired(best, row, seed, resamples).is_claimed for row in scores]
