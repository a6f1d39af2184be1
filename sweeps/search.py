"""Floor 4. Search of formats per layer where losses do not add up, so that each choice is measured.

A choice is one number per layer. `annealed` learns a policy, a probability for each format in each
layer, by policy gradient with a falling entropy term (as FLIQS, arXiv 2308.03290, does for formats
of a supernet; here nothing is trained, choices are evaluated); `evolved` is NSGA-II of Optuna
(extra ``macloom[search]``), `uniform` the baseline, `exhaustive` the truth on small spaces. All
evaluate a choice once, are seeded, and give back every choice they evaluated.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hw.errors import MissingTool
from sweeps.pareto import front

Choice = tuple[int, ...]
Evaluate = Callable[[Choice], Sequence[float]]
"""A choice → its objectives, all minimised."""
MOST_EXHAUSTIVE = 1_000_000
BATCH = 8
RATE = 3.0
ENTROPY = 0.1
KEPT = 0.3
"""How much of a policy's scores the policy of the next target starts with."""
_PENALTY = 2.0


@dataclass(slots=True)
class Found:
    """What a search has evaluated.

    Parameters
    ----------
    choices
        In the order of evaluation, each once.
    costs
        Objectives of each.
    """

    choices: list[Choice] = field(default_factory=list)
    costs: list[tuple[float, ...]] = field(default_factory=list)

    @property
    def table(self) -> npt.NDArray[np.float64]:
        """The objectives as an array (choice, objective)."""
        return np.array(self.costs)

    @property
    def front(self) -> list[Choice]:
        """The choices that nothing evaluated dominates, rising in the first objective."""
        return [self.choices[i] for i in front(self.table)]


class _Memory:
    """Evaluates each choice once, until the budget of evaluations is spent."""

    def __init__(self, evaluate: Evaluate, budget: float) -> None:
        self._evaluate = evaluate
        self._known: dict[Choice, tuple[float, ...]] = {}
        self.budget = budget
        self.found = Found()

    @property
    def spent(self) -> bool:
        return len(self.found.choices) >= self.budget

    def __call__(self, choice: Choice) -> tuple[float, ...]:
        if choice not in self._known:
            costs = tuple(float(value) for value in self._evaluate(choice))
            if any(math.isnan(value) for value in costs):
                raise ValueError(f"an objective must be a number, choice {choice} has NaN")
            self._known[choice] = costs
            self.found.choices.append(choice)
            self.found.costs.append(costs)
        return self._known[choice]


def exhaustive(sizes: Sequence[int], evaluate: Evaluate) -> Found:
    """Evaluate every choice; `sizes` are the formats of each layer.

    Raises
    ------
    ValueError
        For more than a million choices, or an objective that is NaN.
    """
    count = _count(sizes)
    if count > MOST_EXHAUSTIVE:
        raise ValueError(f"at most {MOST_EXHAUSTIVE} choices are enumerated, not {count}")
    memory = _Memory(evaluate, math.inf)
    for choice in itertools.product(*(range(size) for size in sizes)):
        memory(choice)
    return memory.found


def uniform(sizes: Sequence[int], evaluate: Evaluate, budget: int, seed: int) -> Found:
    """Evaluate `budget` different choices drawn at random (all, if there are no more)."""
    memory = _Memory(evaluate, min(budget, _count(sizes)))
    source = np.random.default_rng(seed)
    while not memory.spent:
        memory(tuple(int(source.integers(size)) for size in sizes))
    return memory.found


def annealed(
    sizes: Sequence[int],
    evaluate: Evaluate,
    budget: int,
    seed: int,
    targets: int = 14,
    rounds: int = 40,
) -> Found:
    """Learn a policy per target of the second objective, from cheap to dear, each from the last.

    Parameters
    ----------
    sizes
        Formats of each layer.
    evaluate
        Two objectives: a loss, and a cost.
    budget
        Evaluations in all, at most.
    seed
        Of the samples.
    targets
        Costs aimed at, evenly spaced between the least and the greatest seen.
    rounds
        Batches of samples per target.

    Raises
    ------
    ValueError
        If an objective is NaN.
    """
    memory = _Memory(evaluate, min(budget, _count(sizes)))
    source = np.random.default_rng(seed)
    ends = [memory(tuple(0 for _ in sizes)), memory(tuple(size - 1 for size in sizes))]
    low, high = sorted(end[1] for end in ends)
    worst = max(end[0] for end in ends)
    scores = [np.zeros(size) for size in sizes]
    whole = memory.budget
    for number in range(targets):
        target = low + (high - low) * (number + 0.5) / targets
        memory.budget = whole * (number + 1) // targets
        scores = [KEPT * row for row in scores]
        _learn(scores, memory, source, (worst, target), rounds)
    return memory.found


def _learn(
    scores: list[npt.NDArray[np.float64]],
    memory: _Memory,
    source: np.random.Generator,
    scales: tuple[float, float],
    rounds: int,
) -> None:
    """Move a policy, given by its scores, to the least loss at a cost of at most the target."""
    mean = 0.0
    for step in range(rounds):
        if memory.spent:
            return
        shares = [_softmax(row) for row in scores]
        batch = [
            tuple(int(source.choice(len(share), p=share)) for share in shares) for _ in range(BATCH)
        ]
        rewards = np.array([_reward(memory(choice), scales) for choice in batch])
        mean = float(rewards.mean()) if not step else 0.8 * mean + 0.2 * float(rewards.mean())
        spread = float(rewards.std()) or 1.0
        entropy = ENTROPY * 0.5 * (1 + math.cos(math.pi * step / rounds))
        for layer, share in enumerate(shares):
            slope = np.zeros(len(share))
            for choice, reward in zip(batch, rewards, strict=True):
                slope += (np.arange(len(share)) == choice[layer]) * (reward - mean) / spread
                slope -= share * (reward - mean) / spread
            information = np.log(np.maximum(share, 1e-12))
            uncertain = -share * (information - float((share * information).sum()))
            scores[layer] += RATE * (slope / BATCH + entropy * uncertain)


def _reward(costs: tuple[float, ...], scales: tuple[float, float]) -> float:
    worst, target = scales
    over = max(costs[1] / target - 1, 0.0) if target > 0 else 0.0
    return -(costs[0] / (worst or 1.0)) - _PENALTY * over


def _softmax(row: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shares = np.exp(row - row.max())
    normal: npt.NDArray[np.float64] = shares / shares.sum()
    return normal


def evolved(
    sizes: Sequence[int], evaluate: Evaluate, budget: int, seed: int, population: int = 24
) -> Found:
    """Search by NSGA-II (Deb et al. 2002), as Optuna has it.

    Raises
    ------
    hw.errors.MissingTool
        If Optuna is not installed.
    ValueError
        If an objective is NaN.
    """
    try:
        import optuna
    except ImportError:
        raise MissingTool("optuna, which has NSGA-II", "pip install 'macloom[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    memory = _Memory(evaluate, min(budget, _count(sizes)))
    first = memory(tuple(0 for _ in sizes))
    sampler = optuna.samplers.NSGAIISampler(population_size=population, seed=seed)
    study = optuna.create_study(directions=["minimize"] * len(first), sampler=sampler)
    for _ in _until_spent(memory, 20 * budget):
        trial = study.ask()
        choice = tuple(trial.suggest_int(str(i), 0, size - 1) for i, size in enumerate(sizes))
        study.tell(trial, list(memory(choice)))
    return memory.found


def _until_spent(memory: _Memory, most: int) -> Iterator[int]:
    """Count trials until the budget of evaluations is spent; known choices cost nothing."""
    for number in range(most):
        if memory.spent:
            return
        yield number


def _count(sizes: Sequence[int]) -> int:
    if not sizes or min(sizes) < 1:
        raise ValueError(f"every layer has a format to choose, not sizes {tuple(sizes)}")
    return math.prod(sizes)
