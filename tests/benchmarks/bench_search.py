"""Searches over the digits network's layers and formats, by hypervolume of the exact front.

Every layer may have one of eight pairs of formats: 512 choices, all of them measured jointly on
training images in the golden arithmetic (loss) beside the sites of one 16-lane unit per layer.
"""

import time
from collections.abc import Iterator

import numpy as np
from measure import Row

from hw import target
from sweeps.accuracy import Case, arithmetic
from sweeps.allocation import Problem, exact_front
from sweeps.autotune import resolve
from sweeps.datasets import load_dataset
from sweeps.fronts import hypervolume
from sweeps.inference import Engine
from sweeps.models import load
from sweeps.pairwise import Interactions, refined_front
from sweeps.pareto import non_dominated
from sweeps.search import annealed, evolved, exhaustive, uniform
from sweeps.sensitivity import joint_loss, one_layer_losses

PAIRS = (
    ("int2", "uint2"),
    ("int2", "uint3"),
    ("int3", "uint3"),
    ("e2m1fn", "uint3"),
    ("int4", "uint4"),
    ("e2m1fn", "e2m1fn"),
    ("int6", "uint6"),
    ("int8", "uint8"),
)
IMAGES = 200
BUDGETS = (60, 120)
SEEDS = range(5)
BUDGETS_OF_FRONT = 24


def rows() -> Iterator[Row]:
    """Shares of the exact front's hypervolume, mean over seeds; and what the sum predicts."""
    engine = Engine(load("digits_cnn"), load_dataset("digits"))
    images = engine.dataset.training[:IMAGES]
    units = {f"{w} × {a}": arithmetic(engine, Case(w, a, method="max"), "max") for w, a in PAIRS}
    columns = list(units.values())
    sites = np.array([_sites(column[0]) for column in columns])

    def evaluate(choice: tuple[int, ...]) -> tuple[float, float]:
        mixed = tuple(columns[j][i] for i, j in enumerate(choice))
        return joint_loss(engine, mixed, images), float(sites[list(choice)].sum())

    layers = len(columns[0])
    sizes = (len(PAIRS),) * layers
    start = time.perf_counter()
    exact = exhaustive(sizes, evaluate)
    seconds = time.perf_counter() - start
    yield Row("joint evaluations", len(exact.choices) / seconds, "choices/s")
    reference = exact.table.max(axis=0) * 1.01
    whole = hypervolume(exact.table, reference)
    for budget in BUDGETS:
        for search in (annealed, evolved, uniform):
            shares = [
                hypervolume(search(sizes, evaluate, budget, seed).table, reference) / whole
                for seed in SEEDS
            ]
            label = f"{search.__name__}, {budget} of {len(exact.choices)}"
            yield Row(label, float(np.mean(shares)), "hypervolume", 1.0, "exact front")
    alone = one_layer_losses(engine, units, images)
    problem = Problem(
        alone.layers, alone.formats, alone.loss, {"sites": np.tile(sites, (layers, 1))}
    )
    added = exact_front(problem, "sites")
    jointly = [evaluate(tuple(alone.formats.index(n) for n in a.formats)) for a in added]
    share = hypervolume(jointly, reference) / whole
    label = f"integer program on sums, {alone.loss.size} evaluations"
    yield Row(label, share, "hypervolume", 1.0, "exact front")
    yield from pairwise_rows(problem, columns, engine, images, evaluate, (reference, whole))
    ratios = [a.loss / cost[0] for a, cost in zip(added, jointly, strict=True) if cost[0] > 0]
    yield Row("sum of single losses over the joint one", float(np.median(ratios)), "median", 1.0)
    size = float(non_dominated(exact.table).sum())
    yield Row("front of sums, front of joint losses", float(len(added)), "choices", size)


def pairwise_rows(problem, columns, engine, images, evaluate, scale) -> Iterator[Row]:
    """Shares of the pairwise program, with all interactions at hand and with few measured."""
    reference, whole = scale
    names = problem.formats

    def both(pairs) -> list[float]:
        found = []
        for cells in pairs:
            units = [None] * len(problem.layers)
            for layer, number in cells:
                units[layer] = columns[number][layer]
            found.append(joint_loss(engine, units, images))
        return found

    for among, most in (("adjacent", None), ("all", 12), ("all", None)):
        known = Interactions(problem, both, among, most)
        front = refined_front(known, "sites", BUDGETS_OF_FRONT)
        chosen = [tuple(names.index(n) for n in one.allocation.formats) for one in front]
        jointly = [evaluate(choice) for choice in chosen]
        share = hypervolume(jointly, reference) / whole
        count = problem.loss.size + len(known.values)
        label = f"program with pairs, {among}, {count} evaluations"
        yield Row(label, share, "hypervolume", 1.0, "exact front")
        ratios = [
            one.allocation.loss / cost[0]
            for one, cost in zip(front, jointly, strict=True)
            if cost[0] > 0
        ]
        yield Row(
            f"its prediction over the joint loss, {among}", float(np.median(ratios)), "median", 1.0
        )


def _sites(unit) -> float:
    import costmodel

    technology = target.load("xcup")
    return float(costmodel.estimate(resolve(unit.design, technology), technology).sites)
