"""Floor 4. What a sweep evaluates, as pure functions of plain records that workers can import.

Each comes with its salt: a digest of the sources its results depend on, so that a store never
gives back what older code computed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hw.design import Design, from_record
from sweeps.store import Record, code_digest

ROOT = Path(__file__).parent.parent
_ARITHMETIC = ("hw/formats", "hw/design", "hw/accumulators.py")
ACCURACY_SOURCES = (
    *_ARITHMETIC,
    "sim/golden",
    *(
        f"sweeps/{name}.py"
        for name in (
            "accuracy",
            "arrays",
            "bootstrap",
            "datasets",
            "elementwise",
            "inference",
            "layers",
            "metrics",
            "models",
            "nodes",
            "onnx_constants",
            "onnx_graph",
            "onnx_operators",
            "operations",
            "pairing",
            "products",
            "quantize",
            "scales",
            "stages",
        )
    ),
)
LOSS_SOURCES = (
    *ACCURACY_SOURCES,
    *(f"sweeps/{name}.py" for name in ("layer_costs", "loss_tasks", "sensitivity")),
)
ESTIMATE_SOURCES = (
    *_ARITHMETIC,
    "hw/plan",
    "hw/target.py",
    "hw/data",
    "costmodel",
    "sweeps/autotune.py",
)


@dataclass(frozen=True, slots=True)
class Network:
    """What a sweep must know of a network and its data.

    Parameters
    ----------
    terms
        Products in the largest sum.
    digest
        Of the files of both.
    metric
        What results are judged by, one of `sweeps.metrics.METRICS`.

    """

    terms: int
    digest: str
    metric: str = "accuracy"


Measure = Callable[[Sequence[Design], str, int | None, Any], list[Mapping[str, Any]]]
"""Designs with settled structure, target, workers, report → `lut`, `sites`, `ff`, `carry` each."""


@dataclass(frozen=True, slots=True)
class Evaluators:
    """The functions behind a sweep; tests put others in their place.

    Parameters
    ----------
    network
        (network, data set) → `Network`.
    accuracy
        Record with the fields of `sweeps.accuracy.Case` → what `sweeps.metrics.summary` says.
    estimate
        Record with `design` and `target` → `structure`, `lut`, `sites`, `ff`, `carry`, `dsp`.
    measure
        See `Measure`.
    accuracy_salt, estimate_salt
        Digests of the code of the two.

    """

    network: Callable[[str, str], Network]
    accuracy: Callable[[Record], Record]
    estimate: Callable[[Record], Record]
    measure: Measure
    accuracy_salt: str = ""
    estimate_salt: str = ""


@cache
def standard() -> Evaluators:
    """The golden arithmetic, the cost model and Yosys."""
    return Evaluators(
        network=describe_network,
        accuracy=accuracy,
        estimate=estimate,
        measure=measure,
        accuracy_salt=_digest(ACCURACY_SOURCES),
        estimate_salt=_digest(ESTIMATE_SOURCES),
    )


@cache
def figure_salt() -> str:
    """Return the digest of what energies and clocks of a sweep depend on (`sweeps.known`)."""
    return _digest(
        (*ESTIMATE_SOURCES, *(f"sweeps/{n}.py" for n in ("activity", "known", "streams")))
    )


@cache
def loss_salt() -> str:
    """Return the digest of what losses of layers depend on (`sweeps.loss_tasks`)."""
    return _digest(LOSS_SOURCES)


def _digest(names: Sequence[str]) -> str:
    return code_digest(*(ROOT / name for name in names))


def describe_network(name: str, dataset: str) -> Network:
    """Look a network and its data up; errors as `sweeps.models.load`."""
    from sweeps import datasets, models

    network = models.load(name)
    own = name.endswith((".npz", ".onnx"))
    file = Path(name) if own else models.DATA / f"{name}.npz"
    data = Path(dataset) if dataset.endswith(".npz") else datasets.DATA / f"{dataset}.npz"
    digest = hashlib.sha256(file.read_bytes() + data.read_bytes()).hexdigest()[:16]
    return Network(network.largest_fan_in, digest, datasets.load_dataset(dataset).metric)


def accuracy(record: Record) -> Record:
    """What a pair of formats makes of a network in the golden arithmetic, by its data's metric."""
    from sweeps.accuracy import Case, score_case
    from sweeps.metrics import summary

    return summary(*score_case(Case(**{k: v for k, v in record.items() if k != "digest"})))


def estimate(record: Record) -> Record:
    """Area of a design by formula, its structure settled for least area."""
    import costmodel
    from hw import target
    from sweeps.autotune import resolve

    technology = target.load(record["target"])
    design = from_record(record["design"])
    try:
        design = resolve(design, technology)
        cost = costmodel.estimate(design, technology)
    except ValueError as error:
        raise ValueError(f"{design.slug}: {error}") from error
    counts = {name: getattr(cost, name) for name in ("lut", "sites", "ff", "carry", "dsp")}
    return {"structure": design.structure, **counts}


def measure(
    designs: Sequence[Design], target: str, workers: int | None, report: Any
) -> list[Mapping[str, Any]]:
    """Area of designs by Yosys, LUT only; kept in the synthesis cache."""
    from hw import rtl
    from hw import target as targets
    from hw.synthesis import Job, synthesize_many

    technology = targets.load(target)
    emitted = [rtl.emit(design, technology) for design in designs]
    jobs = [Job(item.verilog, item.top, target) for item in emitted]

    def progress(done: int, total: int, job: Job) -> None:
        report(done, total, note=job.top)

    return [asdict(item) for item in synthesize_many(jobs, workers, progress)]
