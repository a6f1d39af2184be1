"""Floor 4. A network's losses by layer and pair of formats, and what an allocation really loses."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweeps import layer_costs
from sweeps.allocation import Problem
from sweeps.bootstrap import paired
from sweeps.datasets import Text, load_dataset
from sweeps.inference import Arithmetic, Engine, Images
from sweeps.layer_costs import Pair
from sweeps.layers import Values
from sweeps.models import load
from sweeps.progress import Progress
from sweeps.sensitivity import Sensitivity, hessian_losses, joint_loss, one_layer_losses

_WIDTHS = (2, 3, 4, 6, 8)
_OWN_DATA = {"bytes_lm": "kjv"}
"""Data sets of shipped networks other than the digits."""


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A network on its data, the pairs its layers may have, and the training inputs looked at."""

    engine: Engine
    pairs: tuple[Pair, ...]
    method: str
    inputs: Images

    def costs(self, target: str | None, names: Iterable[str]) -> dict[str, Values]:
        """Return costs by name, as `sweeps.layer_costs.layer_costs`; memory and bops always."""
        wanted = dict.fromkeys([*names, "memory", "bops"])
        return layer_costs.layer_costs(self.engine.network, self.pairs, wanted, target or "")

    def units(self) -> dict[str, tuple[Arithmetic | None, ...]]:
        """Return the arithmetic of all layers in each pair, by the pair's name."""
        return {str(pair): layer_costs.units(self.engine, pair, self.method) for pair in self.pairs}

    def chosen(self, formats: Sequence[str]) -> tuple[Arithmetic | None, ...]:
        """Return the arithmetic with each layer in its own pair."""
        every = self.units()
        return tuple(every[name][number] for number, name in enumerate(formats))

    def joint(self, formats: Sequence[str]) -> float:
        """Return the loss with every layer in its pair at once, on the inputs losses are of."""
        return joint_loss(self.engine, self.chosen(formats), self.inputs)

    def judged(self, formats: Sequence[str]) -> dict[str, Any]:
        """Return what an allocation does.

        `joint_loss`, the mean held-out `score` beside the float network's (more is better), and
        whether the two are `distinct` beyond chance (`sweeps.bootstrap`).
        """
        data = self.engine.dataset
        held_out = data.held_out
        if isinstance(data, Text):
            held_out = held_out[: len(self.inputs)]
        outputs = self.engine.outputs(held_out, self.chosen(formats))
        scores = data.scores(outputs, held_out)
        plain = data.scores(self.engine.float_outputs(held_out), held_out)
        return {
            "joint_loss": self.joint(formats),
            "metric": data.metric,
            "score": float(scores.mean()),
            "float_score": float(plain.mean()),
            "distinct": paired(scores, plain).is_claimed,
            "held_out": len(held_out),
        }


def open_study(arguments: argparse.Namespace) -> Study:
    """Return the study that a command's arguments ask for.

    Raises
    ------
    ValueError
        For an unknown network, data set or format.
    OSError
        If a file cannot be read.
    """
    network = load(arguments.network)
    data = load_dataset(arguments.dataset or _OWN_DATA.get(arguments.network, "digits"))
    engine = Engine(network, data)
    count = min(arguments.inputs, len(data.training))
    chosen = data.training[np.linspace(0, len(data.training) - 1, count).round().astype(np.int64)]
    if arguments.formats:
        pairs = layer_costs.parse_pairs(arguments.formats)
    else:
        sign = "int" if has_negative_inputs(engine) else "uint"
        pairs = layer_costs.parse_pairs(",".join(f"int{n}×{sign}{n}" for n in _WIDTHS))
    return Study(engine, pairs, arguments.scales, chosen)


def has_negative_inputs(engine: Engine) -> bool:
    """Tell whether a multiplying node has a negative input on the training inputs."""
    nodes = engine.network.multiplying
    sides = ((node.name, side) for node in nodes for side in range(len(node.inputs)))
    return any(bool((engine.samples(name, side) < 0).any()) for name, side in sides)


def measure(study: Study, method: str = "one-layer") -> Sensitivity:
    """Return losses by `sweeps.sensitivity`, with progress: "one-layer" or "hessian"."""
    if method == "hessian":
        return hessian_losses(study.engine, study.units(), study.inputs)
    with Progress("sensitivity") as report:

        def told(done: int, total: int, what: str) -> None:
            report(done, total, note=what)

        return one_layer_losses(study.engine, study.units(), study.inputs, told)


def problem_of(study: Study, target: str, names: Iterable[str], by_macs: bool) -> Problem:
    """Return the allocation problem: measured losses, and costs by name.

    Parameters
    ----------
    study
        Network, pairs and inputs.
    target
        Of the hardware.
    names
        Costs that are needed beside memory and bops.
    by_macs
        Whether areas (lut, sites) count by the layer's share of all MACs.

    Raises
    ------
    ValueError
        As `sweeps.layer_costs.layer_costs`.
    """
    costs = study.costs(target, names)
    if by_macs:
        weight = layer_costs.shares(study.engine.network)[:, None]
        costs |= {name: costs[name] * weight for name in ("lut", "sites") if name in costs}
    found = measure(study)
    return Problem(found.layers, found.formats, found.loss, costs)
