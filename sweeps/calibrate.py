"""Floor 4: designs measured for the cost model, and the error of its estimates on them.

The small modules of `sweeps.primitives` are what formulas are fitted on; whole designs of
`sweeps.heldout` judge them and are never fitted on. Every synthesis is cached, so that an
interrupted run goes on where it was.

Files in ``costmodel/data``: ``measured_<target>.csv``, ``fitted_<target>.yaml``,
``heldout_<target>.csv``, ``residuals.yaml``.
"""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import costmodel
from costmodel import coefficients
from costmodel.fit import fit
from costmodel.model import Estimate
from costmodel.pipeline import staged
from hw.design import DSP_STRUCTURES, Design, from_record
from hw.target import Target, load
from sweeps.heldout import Drawn

RESOURCES = ("lut", "sites", "ff", "carry", "dsp", "bram")
COLUMNS = ("design", "asked", "target", *RESOURCES, "chains", "tool")
DATA = Path(costmodel.__file__).parent / "data"
LEAST_LUT = 50
"""Errors are those of designs of so many LUTs or more."""
EXACT_KINDS = ("mac", "dot", "array")

Show = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """A design with what it measured.

    Parameters
    ----------
    design, asked, target
        As in `sweeps.heldout.Drawn`.
    numbers
        By resource.
    tool
        The synthesiser and its version.
    chains
        Of pipeline registers: length to number (see `costmodel.pipeline`).

    """

    design: Design
    asked: str
    target: Target
    numbers: dict[str, int]
    tool: str
    chains: Mapping[int, int] = field(default_factory=dict)

    def estimate(self) -> Estimate:
        """Return what the formulas say of it, with its pipeline registers."""
        return staged(self.design, self.chains, self.target)

    def to_row(self) -> dict[str, Any]:
        """Return the row of `COLUMNS`."""
        record = json.dumps(self.design.to_record(), separators=(",", ":"))
        names = {"design": record, "asked": self.asked, "target": self.target.label}
        chains = " ".join(f"{length}:{count}" for length, count in sorted(self.chains.items()))
        return {**names, **self.numbers, "chains": chains, "tool": self.tool}


def measure(
    drawn: Iterable[Drawn], workers: int = 2, progress: Show | None = None
) -> list[Measured]:
    """Emit and synthesise designs side by side (results are cached); in the order given.

    Raises
    ------
    Exception
        The first error, or Ctrl-C; what is finished stays in the cache.

    """
    from hw.rtl import emit
    from hw.synthesis import synthesize

    wanted = list(drawn)
    cancel = threading.Event()

    def one(which: Drawn) -> Measured:
        emitted = emit(which.design, which.target)
        dsp = which.design.structure in DSP_STRUCTURES
        name = which.target.name
        found = synthesize(emitted.verilog, emitted.top, name, dsp=dsp, cancel=cancel)
        numbers = {resource: int(getattr(found, resource)) for resource in RESOURCES}
        stored = emitted.record.get("pipeline_chains", {})
        chains = {int(length): int(count) for length, count in stored.items()}
        return Measured(which.design, which.asked, which.target, numbers, found.tool, chains)

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(one, which) for which in wanted]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                if progress is not None:
                    progress(done, len(wanted))
        except BaseException:
            cancel.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of estimates against measured designs, in percent of the measured number.

    Parameters
    ----------
    designs
        Number of designs.
    mean, percentile_95, worst
        Of the absolute error.
    bias
        Mean of the signed error.
    exact
        Fraction of designs without error.

    """

    designs: int
    mean: float
    percentile_95: float
    worst: float
    bias: float
    exact: float


def errors(measured: Iterable[Measured], resource: str, least_lut: int = LEAST_LUT) -> Errors:
    """Return the errors of one of `RESOURCES` over designs of so many LUTs or more.

    Raises
    ------
    ValueError
        If there is no such design.

    """
    pairs = [
        (getattr(one.estimate(), resource), one.numbers[resource])
        for one in measured
        if one.numbers["lut"] >= least_lut
    ]
    return errors_of(pairs)


def errors_of(pairs: Sequence[tuple[float, float]]) -> Errors:
    """Return the errors of pairs of an estimated and a measured number."""
    if not pairs:
        raise ValueError("errors need at least one design")
    off = np.array([100 * (estimated - found) / max(found, 1) for estimated, found in pairs])
    size = np.abs(off)
    return Errors(
        len(pairs),
        float(size.mean()),
        float(np.percentile(size, 95)),
        float(size.max()),
        float(off.mean()),
        float((off == 0).mean()),
    )


def to_csv(rows: Iterable[dict[str, Any]], columns: Sequence[str] = COLUMNS) -> str:
    """Return rows as the text of a CSV file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_csv(path: Path) -> list[Measured]:
    """Return the designs of a CSV file of `COLUMNS`."""
    return list(_read(path))


def _read(path: Path) -> Iterator[Measured]:
    for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        yield Measured(
            from_record(json.loads(row["design"])),
            row["asked"],
            load(row["target"]),
            {name: int(row[name]) for name in RESOURCES},
            row["tool"],
            _chains(row["chains"]),
        )


def _chains(text: str) -> dict[int, int]:
    """Return the lengths and numbers of chains that `Measured.to_row` has written."""
    pairs = (pair.split(":") for pair in text.split())
    return {int(length): int(count) for length, count in pairs}


def held_out(target: str) -> list[Measured]:
    """Return the shipped held-out designs of a target."""
    return read_csv(DATA / f"heldout_{target}.csv")


def calibrate_parts(target: Target, folder: Path = DATA) -> None:
    """Measure the small modules of a target and fit the numbers that are fitted."""
    from sweeps.primitives import COLUMNS as PART_COLUMNS
    from sweeps.primitives import measure_primitives

    rows = measure_primitives(target)
    _write(folder / f"measured_{target.name}.csv", to_csv(rows, PART_COLUMNS))
    write_fitted(target, folder)


def write_fitted(target: Target, folder: Path = DATA) -> None:
    """Fit the numbers that are fitted to the measured modules of a target."""
    file = folder / f"measured_{target.name}.csv"
    measured = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    found = {"coefficients": fit(measured, coefficients.load(target.name))}
    text = yaml.safe_dump(found, sort_keys=False, default_flow_style=None, width=1000)
    _write(
        folder / f"fitted_{target.name}.yaml",
        f"# Written by sweeps.calibrate from measured_{target.name}.csv.\n{text}",
    )


def _write(file: Path, text: str) -> None:
    """Write a file at once or not at all."""
    part = file.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)
