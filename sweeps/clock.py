"""Floor 4: what the model of clocks is fitted on and judged by: ``python -m sweeps.clock``.

Designs are drawn from the distribution of `sweeps.heldout` by a seed, some of them with pipeline
stages, emitted, synthesised, and placed and routed three times (`hw.timing`). Those of the file
``costmodel/data/clock_ecp5.csv`` marked "fit" are fitted, those marked "heldout" only judge.
Measurements are cached, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

import costmodel
from costmodel.timing import THINGS, clock, delays, path
from hw.design import Design, from_record
from hw.plan import plan
from hw.target import Target, load

COLUMNS = ("set", "design", "fmax_mhz", "seed_mhz", "stage_ns", "tool")
TARGET = "ecp5"
DATA = Path(costmodel.__file__).parent / "data"
FIT, HELD_OUT = "fit", "heldout"
SEEDS = {FIT: 5, HELD_OUT: 78}
COUNTS = {FIT: 60, HELD_OUT: 46}
LUTS = (50, 1000)
PIPELINED, MOST_STAGES = 0.2, 5
PIPELINED_STRUCTURES = ("rows", "table", "behavioural")
RIDGE = 0.02
"""Pulls times that the designs do not tell towards 0; relative to a period."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One design's clock.

    Parameters
    ----------
    chosen
        "fit" or "heldout".
    design
        With its structure and pipeline stages.
    fmax_mhz, seed_mhz
        Median and each of three seeds.
    stage_ns
        Longest path between pipeline registers by `hw.pipeline`; None without stages.
    tool
        Synthesiser and placer.
    """

    chosen: str
    design: Design
    fmax_mhz: float
    seed_mhz: tuple[float, ...]
    stage_ns: float | None
    tool: str

    @property
    def spread_percent(self) -> float:
        """Fastest seed over slowest."""
        return 100 * (max(self.seed_mhz) / min(self.seed_mhz) - 1)


def draw(seed: int, count: int) -> list[Design]:
    """Return designs of 50 to 1000 LUT by estimate, a fifth of those that can with stages."""
    from sweeps import heldout

    target = load(TARGET)
    source = random.Random(seed * 77 + 1)
    found = []
    for drawn in heldout.draw(target, seed, 4 * count):
        design = drawn.design
        may = design.kind != "array" and not design.is_floating
        if may and design.structure in PIPELINED_STRUCTURES and source.random() < PIPELINED:
            design = replace(design, pipeline=source.randint(1, MOST_STAGES))
        if LUTS[0] <= costmodel.estimate(replace(design, pipeline=0), target).lut <= LUTS[1]:
            found.append(design)
    return found[:count]


def measure(design: Design, target: Target, chosen: str) -> Measured:
    """Emit a design and place it with three seeds."""
    from hw import timing
    from hw.design import DSP_STRUCTURES
    from hw.rtl import emit

    emitted = emit(design, target)
    dsp = design.structure in DSP_STRUCTURES
    found = timing.measure(emitted.verilog, emitted.top, dsp=dsp)
    stage = emitted.record.get("path_ns")
    return Measured(chosen, design, found.fmax_mhz, found.seed_mhz, stage, found.tool)


def to_csv(rows: Iterable[Measured]) -> str:
    """Return measurements as CSV; `read` gives them back."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        record = json.dumps(row.design.to_record(), separators=(",", ":"))
        seeds = " ".join(f"{mhz:g}" for mhz in row.seed_mhz)
        stage = "" if row.stage_ns is None else f"{row.stage_ns:g}"
        writer.writerow((row.chosen, record, f"{row.fmax_mhz:g}", seeds, stage, row.tool))
    return text.getvalue()


def read(file: Path) -> list[Measured]:
    """Return the measurements of a file."""
    return [
        Measured(
            row["set"],
            from_record(json.loads(row["design"])),
            float(row["fmax_mhz"]),
            tuple(float(mhz) for mhz in row["seed_mhz"].split()),
            float(row["stage_ns"]) if row["stage_ns"] else None,
            row["tool"],
        )
        for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    ]


def fitted(rows: Sequence[Measured], target: Target) -> dict[str, Any]:
    """Return the times that suit measured designs best, as `costmodel.timing.Delays` takes them.

    Least squares of relative errors of the period, no time negative.
    """
    plain = [row for row in rows if not row.design.pipeline]
    paths = [path(plan(row.design, target)) for row in plain]
    table = np.array([[p.get(name, 0.0) for name in THINGS] for p in paths])
    periods = np.array([1000 / row.fmax_mhz for row in plain])
    times = _least_squares(table, periods, RIDGE)
    staged = [row for row in rows if row.stage_ns is not None]
    stages = np.array([[1.0, row.stage_ns or 0.0] for row in staged])
    start, factor = _least_squares(stages, np.array([1000 / r.fmax_mhz for r in staged]), 0.0)
    return {
        "things_ns": {n: round(float(t), 3) for n, t in zip(THINGS, times, strict=True)},
        "stage_ns": round(float(start), 3),
        "stage_factor": round(float(factor), 3),
    }


def _least_squares(
    table: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64], ridge: float
) -> npt.NDArray[np.float64]:
    from scipy.optimize import nnls

    count = table.shape[1]
    rows = np.vstack([table / wanted[:, None], ridge * np.eye(count)])
    found: npt.NDArray[np.float64] = nnls(rows, np.r_[np.ones(len(wanted)), np.zeros(count)])[0]
    return found


def errors_percent(rows: Sequence[Measured], target: Target) -> npt.NDArray[np.float64]:
    """Return the signed errors of estimated clocks."""
    return np.array(
        [
            100 * (clock(plan(row.design, target), row.stage_ns).fmax_mhz / row.fmax_mhz - 1)
            for row in rows
        ]
    )


def write_fitted(rows: Sequence[Measured], target: Target, file: Path) -> None:
    """Fit, judge on the designs held out, and write the times with that error."""
    found = fitted([row for row in rows if row.chosen == FIT], target)
    for error in (0.0, None):  # once to judge, once with the judgement
        if error is None:
            held_out = [row for row in rows if row.chosen == HELD_OUT]
            error = round(float(np.abs(errors_percent(held_out, target)).mean()), 2)
        text = yaml.safe_dump(found | {"error_percent": error}, sort_keys=False)
        file.write_text(
            f"# Written by sweeps.clock from clock_{target.name}.csv; ns.\n{text}", encoding="utf-8"
        )
        delays.cache_clear()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, fit, and print errors and the spread of seeds."""
    parser = argparse.ArgumentParser(prog="python -m sweeps.clock", description=__doc__)
    parser.add_argument("--only-fit", action="store_true", help="measure nothing")
    options = parser.parse_args(arguments)
    target, table = load(TARGET), DATA / f"clock_{TARGET}.csv"
    rows = read(table) if table.exists() else []
    if not options.only_fit:
        known = {(row.chosen, row.design.slug) for row in rows}
        for chosen, seed in SEEDS.items():
            for design in draw(seed, COUNTS[chosen]):
                if (chosen, design.slug) not in known:
                    rows.append(measure(design, target, chosen))
                    table.write_text(to_csv(rows), encoding="utf-8")
    write_fitted(rows, target, DATA / f"clock_{TARGET}.yaml")
    for chosen in (FIT, HELD_OUT):
        some = [row for row in rows if row.chosen == chosen]
        size = np.abs(errors_percent(some, target))
        spread = np.median([row.spread_percent for row in some])
        print(
            f"{chosen}: {len(some)} designs, mean error {size.mean():.1f} %, 95th percentile "
            f"{np.percentile(size, 95):.1f} %, worst {size.max():.1f} %; "
            f"spread of seeds {spread:.1f} %"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
