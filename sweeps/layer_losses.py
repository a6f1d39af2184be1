"""Floor 4. A network's losses by layer and pair of formats, and what an allocation really loses."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sweeps import layer_costs
from sweeps.allocation import Problem
from sweeps.bootstrap import paired
from sweeps.datasets import Text, own_name
from sweeps.engine import evaluate_all
from sweeps.executors import Hands
from sweeps.inference import Arithmetic, Engine, Images
from sweeps.layer_costs import Pair, Units
from sweeps.layers import Values
from sweeps.loss_tasks import Setting, loss
from sweeps.metrics import find_metric
from sweeps.pairwise import Both
from sweeps.progress import Progress
from sweeps.quantize import find_method
from sweeps.sensitivity import Sensitivity, hessian_losses
from sweeps.store import Store

STORE_NAME = "losses.sqlite"
_WIDTHS = (2, 3, 4, 6, 8)
"""Data sets of shipped networks other than the digits."""
_WORTH_PROCESSES = 400
"""Losses from which on more than one process is used unasked: each makes the network ready anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A network on its data, the pairs its layers may have, and who measures what they lose.

    Parameters
    ----------
    setting
        Network, data, scales and training inputs.
    pairs
        Pairs of formats.
    folder
        Where losses are kept.
    hands
        Who measures.
    units
        The hardware that each layer has.

    """

    setting: Setting
    pairs: tuple[Pair, ...]
    folder: Path
    hands: Hands = field(default_factory=Hands)
    units: Units = field(default_factory=Units)

    @property
    def engine(self) -> Engine:
        """The network on its data."""
        return self.setting.engine

    @property
    def inputs(self) -> Images:
        """The training inputs looked at."""
        return self.setting.images

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the multiplying nodes."""
        return tuple(node.name for node in self.engine.network.multiplying)

    def costs(self, target: str | None, names: Iterable[str]) -> dict[str, Values]:
        """Return costs by name, as `sweeps.layer_costs.layer_costs`; memory and bops always."""
        wanted = dict.fromkeys([*names, "memory", "bops"])
        group = find_method(self.setting.scales).scheme.group
        if group and any(name in layer_costs.PER_TARGET for name in wanted):
            raise ValueError(
                f"units have scales per tensor and output, not per group of {group}: take formats "
                f"of blocks, such as block<int4,{group},e8m0,floor>"
            )
        network = self.engine.network
        return layer_costs.layer_costs(network, self.pairs, wanted, target or "", self.units)

    def arithmetics(self) -> dict[str, tuple[Arithmetic | None, ...]]:
        """Return the arithmetic of all layers in each pair, by the pair's name."""
        scales = self.setting.scales
        return {str(pair): layer_costs.units(self.engine, pair, scales) for pair in self.pairs}

    def losses(self, choices: Sequence[dict[str, str]], label: str) -> list[float]:
        """Return the losses with some layers, by name, in pairs, by name, the others in float."""
        tasks = [self.setting.task(choice) for choice in choices]
        usual = 1 if len(tasks) < _WORTH_PROCESSES else None
        with Store(self.folder / STORE_NAME) as store, Progress(label) as report:
            found = evaluate_all(tasks, loss, store, **self.hands.options(usual), report=report)
        return [float(one["loss"]) for one in found]

    def joint(self, choices: Sequence[Sequence[str]]) -> list[float]:
        """Return the losses with every layer in its pair at once, on the same inputs."""
        whole = [dict(zip(self.layers, formats, strict=True)) for formats in choices]
        return self.losses(whole, "joint losses")

    def both(self, pairs: Sequence[Both]) -> list[float]:
        """Return the losses with two layers quantised, by numbers of layers and pairs."""
        names = [str(pair) for pair in self.pairs]
        return self.losses([{self.layers[i]: names[j] for i, j in one} for one in pairs], "pairs")

    def judged(self, formats: Sequence[str]) -> dict[str, Any]:
        """Return what an allocation does.

        `joint_loss`, the mean held-out `score` beside the float network's (more is better), and
        whether the two are `distinct` beyond chance (`sweeps.bootstrap`).
        """
        data = self.engine.dataset
        held_out = data.held_out
        if isinstance(data, Text):
            held_out = held_out[: len(self.inputs)]
        every = self.arithmetics()
        chosen = tuple(every[name][number] for number, name in enumerate(formats))
        scores = data.scores(self.engine.outputs(held_out, chosen), held_out)
        plain = data.scores(self.engine.float_outputs(held_out), held_out)
        is_series = find_metric(data.metric).is_series
        return {
            "joint_loss": self.joint([formats])[0],
            "metric": data.metric,
            "score": float(scores.mean()),
            "float_score": float(plain.mean()),
            "distinct": paired(scores, plain, is_series=is_series).is_claimed,
            "held_out": len(held_out),
        }


def open_study(
    arguments: argparse.Namespace, hands: Hands | None = None, units: Units | None = None
) -> Study:
    """Return the study that a command's arguments ask for.

    Raises
    ------
    ValueError
        For an unknown network, data set or format.
    OSError
        If a file cannot be read.
    """
    dataset = arguments.dataset or own_name(arguments.network)
    setting = Setting.of(arguments.network, dataset, arguments.scales, arguments.inputs)
    if arguments.formats:
        pairs = layer_costs.parse_pairs(arguments.formats)
    else:
        sign = "int" if has_negative_inputs(setting.engine) else "uint"
        pairs = layer_costs.parse_pairs(",".join(f"int{n}×{sign}{n}" for n in _WIDTHS))
    return Study(setting, pairs, arguments.losses, hands or Hands(), units or Units())


def has_negative_inputs(engine: Engine) -> bool:
    """Tell whether a multiplying node has a negative input on the training inputs."""
    nodes = engine.network.multiplying
    sides = ((node.name, side) for node in nodes for side in range(len(node.inputs)))
    return any(bool((engine.samples(name, side) < 0).any()) for name, side in sides)


def measure(study: Study, method: str = "one-layer") -> Sensitivity:
    """Return losses by `sweeps.sensitivity`, with progress: "one-layer" or "hessian"."""
    if method == "hessian":
        return hessian_losses(study.engine, study.arithmetics(), study.inputs)
    formats = tuple(str(pair) for pair in study.pairs)
    choices = [{layer: name} for name in formats for layer in study.layers]
    found = np.array(study.losses(choices, "sensitivity"))
    return Sensitivity(study.layers, formats, found.reshape(len(formats), -1).T)


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
