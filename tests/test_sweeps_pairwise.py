"""Interactions measured where they matter: against brute force, within a limit, on a network."""

import itertools
import json
import math

import numpy as np
import pytest

from sweeps.allocation import Problem, allocate
from sweeps.cli import main
from sweeps.loss_tasks import Setting, loss
from sweeps.pairwise import Interactions, refine, refined_front

LAYERS = tuple("abcdef")
FORMATS = ("w2", "w3", "w4", "w8")


class Truth:
    """Losses of single layers and of pairs, and a note of what was asked."""

    def __init__(self, seed):
        source = np.random.default_rng(seed)
        loss = np.sort(source.random((6, 4)), axis=1)[:, ::-1] ** 4
        bits = np.tile([2.0, 3.0, 4.0, 8.0], (6, 1)) * source.integers(1, 9, (6, 1))
        self.problem = Problem(LAYERS, FORMATS, loss, {"memory": bits})
        self.interactions = {
            (x, y): float(source.normal(0.5, 1) * math.sqrt(loss[x] * loss[y]))
            for x, y in itertools.combinations(itertools.product(range(6), range(4)), 2)
            if x[0] < y[0]
        }
        self.asked = []

    def measure(self, pairs):
        self.asked.append(list(pairs))
        single = self.problem.loss
        return [float(single[x] + single[y]) + self.interactions[x, y] for x, y in pairs]

    def best(self, budget, adjacent=False):
        """The least loss of all 4096 choices, negative interactions taken as 0."""
        least = math.inf
        for choice in itertools.product(range(4), repeat=6):
            cells = list(enumerate(choice))
            if sum(self.problem.costs["memory"][cell] for cell in cells) > budget:
                continue
            pairs = itertools.pairwise(cells) if adjacent else ()
            own = pairs if adjacent else itertools.combinations(cells, 2)
            total = sum(self.problem.loss[cell] for cell in cells)
            least = min(least, total + sum(max(self.interactions[p], 0) for p in own))
        return float(least)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("among", ["adjacent", "all"])
def test_some_measurements_prove_the_best_under_all(seed, among):
    truth = Truth(seed)
    known = Interactions(truth.problem, truth.measure, among)
    costs = truth.problem.costs["memory"]
    for share in (0.2, 0.4, 0.7):
        budget = float(costs.min(axis=1).sum() * (1 - share) + costs.max(axis=1).sum() * share)
        found = refine(known, {"memory": budget})
        assert found.is_proven
        assert found.allocation.totals["memory"] <= budget
        expected = truth.best(budget, among == "adjacent")
        assert found.allocation.loss == pytest.approx(expected, abs=1e-9)
        numbers = [FORMATS.index(name) for name in found.allocation.formats]
        assert found.additive == pytest.approx(sum(truth.problem.loss[range(6), numbers]))
    pairs = 5 if among == "adjacent" else 15
    assert known.possible == pairs * 16
    asked = list(itertools.chain(*truth.asked))
    assert len(asked) == len(set(asked)) == len(known.values)
    assert 0 < len(asked) < 0.6 * known.possible
    assert known.values == pytest.approx({pair: truth.interactions[pair] for pair in asked})
    assert min(known.values.values()) < 0, "kept as measured"
    assert all(value > 0 for value in known.refined.pairs.values()), "but not counted"


def test_a_limit_is_kept_and_the_most_promising_go_first():
    truth = Truth(1)
    known = Interactions(truth.problem, truth.measure, "all", most=4)
    found = refine(known, {"memory": 100.0})
    assert len(known.values) == 4
    assert not found.is_proven
    first = truth.asked[0]
    plain = allocate(truth.problem, {"memory": 100.0})
    cells = [(i, FORMATS.index(name)) for i, name in enumerate(plain.formats)]
    ranked = sorted(
        itertools.combinations(cells, 2),
        key=lambda p: -math.sqrt(truth.problem.loss[p[0]] * truth.problem.loss[p[1]]),
    )
    assert first == ranked[:4]
    truth.asked.clear()
    refine(known, {"memory": 90.0})
    assert not any(truth.asked)


def test_a_front_has_the_best_of_each_of_its_costs():
    truth = Truth(2)
    known = Interactions(truth.problem, truth.measure, "all")
    front = refined_front(known, "memory", 7)
    assert len(front) >= 4
    for one in front:
        assert one.is_proven
        cost = one.allocation.totals["memory"]
        assert one.allocation.loss == pytest.approx(truth.best(cost), abs=1e-9)
    assert len(known.values) < 0.8 * known.possible


def test_what_is_no_interaction_is_refused():
    truth = Truth(0)
    with pytest.raises(ValueError, match="adjacent or all, not 'some'"):
        Interactions(truth.problem, truth.measure, "some")
    with_pairs = Problem(
        LAYERS, FORMATS, truth.problem.loss, truth.problem.costs, truth.interactions
    )
    with pytest.raises(ValueError, match="a problem that has none"):
        Interactions(with_pairs, truth.measure)
    broken = Interactions(truth.problem, lambda pairs: [math.nan for _ in pairs])
    with pytest.raises(ValueError, match="NaN"):
        refine(broken, {"memory": 100.0})


WORDS = ["allocate", "--network", "digits_cnn", "--formats", "int2×uint2,int4×uint4"]


def test_the_command_measures_what_it_says(tmp_path, capsys):
    folder, figure = tmp_path / "losses", tmp_path / "front.png"
    words = [*WORDS, "--inputs", "20", "--losses", str(folder), "--budget", "memory=20000"]
    assert main([*words, "--pairs", "all", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    pairs = first["pairs"]
    assert pairs["proven"]
    assert pairs["possible"] == 3 * 4
    assert 3 <= pairs["measured"] == len(pairs["interactions"]) <= 12
    setting = Setting.of("digits_cnn", "digits", "mse", 20)

    def measured(formats):
        return loss(setting.task(formats).record)["loss"]

    for a, x, b, y, value in pairs["interactions"]:
        expected = measured({a: x, b: y}) - measured({a: x}) - measured({b: y})
        assert value == pytest.approx(expected, abs=1e-12)
    programs = first["programs"]
    assert first["joint_loss"] == min(one["joint_loss"] for one in programs.values())
    assert first["formats"] == programs[first["chosen"]]["formats"]
    whole = programs["pairwise"]["formats"]
    assert programs["pairwise"]["joint_loss"] == measured(whole)
    assert main([*words, "--pairs", "all"]) == 0
    printed = capsys.readouterr()
    assert f"{pairs['measured']} of 12 pairs of layers measured" in printed.out
    assert "already there" in printed.err
    assert main([*words, "--pairs", "--workers", "2", "--json"]) == 0
    adjacent = json.loads(capsys.readouterr().out)["pairs"]
    assert (adjacent["among"], adjacent["possible"]) == ("adjacent", 8)
    words[-2:] = ["--front", "memory", "--plot", str(figure)]
    assert main([*words, "--pairs", "6"]) == 0
    assert "6 of 12 pairs of layers measured: others could" in capsys.readouterr().out
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert main([*words, "--pairs", "all", "--json"]) == 0
    front = json.loads(capsys.readouterr().out)["front"]
    assert len(front) >= 3
    for one in front:
        assert one["joint_loss"] == measured(one["formats"])
        assert one["additive_program"]["totals"]["memory"] <= one["totals"]["memory"]
    for wrong, message in (("0", "from 1 on"), ("some", "not 'some'")):
        assert main([*words, "--pairs", wrong]) == 2
        assert message in capsys.readouterr().err
