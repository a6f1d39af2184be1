"""Floor 4. The loss of a network with some layers quantised, as tasks for `sweeps.engine`.

What a task computes depends on its record alone: single layers, pairs of layers and whole
allocations are the same task with more formats, whoever evaluates it and in which order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from sweeps import layer_costs
from sweeps.datasets import Data, load_dataset
from sweeps.evaluators import describe_network, loss_salt
from sweeps.inference import Arithmetic, Engine, Images
from sweeps.models import load
from sweeps.sensitivity import joint_loss
from sweeps.store import Record, Task

KIND = "loss"


@dataclass(frozen=True, slots=True)
class Setting:
    """What losses are of.

    Parameters
    ----------
    network, dataset
        Names, or paths of files.
    digest
        Of the content of both.
    scales
        How scales are chosen, as `sweeps.quantize` names it.
    inputs
        How many training inputs are looked at, evenly spaced among them.

    """

    network: str
    dataset: str
    digest: str
    scales: str
    inputs: int

    @classmethod
    def of(cls, network: str, dataset: str, scales: str, inputs: int) -> Setting:
        """Return the setting of files as they are now; errors as `sweeps.models.load`."""
        digest = describe_network(network, dataset).digest
        return cls(network, dataset, digest, scales, inputs)

    def task(self, formats: Mapping[str, str]) -> Task:
        """Return the task of the loss with layers, by name, in pairs of formats, by name."""
        record = {name: getattr(self, name) for name in self.__slots__}
        return Task(KIND, {**record, "formats": dict(formats)}, loss_salt())

    @property
    def engine(self) -> Engine:
        """The network on its data, kept in this process."""
        return _engine(self.network, self.dataset, self.digest)

    @property
    def images(self) -> Images:
        """The training inputs looked at."""
        return training_inputs(self.engine.dataset, self.inputs)


def training_inputs(data: Data, count: int) -> Images:
    """Return so many training inputs, evenly spaced, all if there are fewer."""
    most = min(count, len(data.training))
    return data.training[np.linspace(0, len(data.training) - 1, most).round().astype(np.int64)]


def loss(record: Record) -> dict[str, Any]:
    """Return `loss`, the divergence (nats) of the outputs from the float network's.

    Parameters
    ----------
    record
        The fields of `Setting`, and `formats`: a pair of formats by name of each quantised layer.

    """
    formats = record["formats"]
    setting = Setting(**{name: record[name] for name in Setting.__slots__})
    engine = setting.engine
    units = [
        _units(setting, formats[node.name])[number] if node.name in formats else None
        for number, node in enumerate(engine.network.multiplying)
    ]
    return {"loss": joint_loss(engine, units, setting.images)}


@lru_cache(maxsize=2)
def _engine(network: str, dataset: str, digest: str) -> Engine:
    return Engine(load(network), load_dataset(dataset))


@lru_cache(maxsize=64)
def _units(setting: Setting, name: str) -> tuple[Arithmetic | None, ...]:
    (pair,) = layer_costs.parse_pairs(name)
    return layer_costs.units(setting.engine, pair, setting.scales)
