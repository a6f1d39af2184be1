"""Floor 4: what the model of clocks is fitted on and judged by: ``python -m sweeps.clock TARGET``.

Designs are drawn from the distribution of `sweeps.heldout` by a seed, some of them with pipeline
stages, and others of the kinds that it leaves out (`sweeps.clock_draw`); emitted, synthesised, and
placed and routed (`hw.timing`). Those of the file ``costmodel/data/clock_TARGET.csv`` marked "fit"
are fitted, those marked "heldout", placed three times, only judge. Measurements are cached, so that
an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
DATA = Path(costmodel.__file__).parent / "data"
FIT, HELD_OUT = "fit", "heldout"
SEEDS = {FIT: 5, HELD_OUT: 78}
COUNTS = {"ecp5": {FIT: (60, 40), HELD_OUT: (46, 12)}}
"""Designs of the distribution and of the other kinds."""
USUAL_COUNTS = {FIT: (16, 6), HELD_OUT: (10, 4)}
RIDGE = 0.02
"""How much a ns beside what is expected of a time counts, against a period wholly missed."""
PRIOR = "ecp5"
"""The target with most designs."""
Floats = npt.NDArray[np.float64]


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
        Median and each of the seeds: three, but for some of those that are fitted.
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


def measure(design: Design, target: Target, chosen: str) -> Measured:
    """Emit a design and place it, with three seeds if it is to judge."""
    from hw import logical, timing
    from hw.design import DSP_STRUCTURES
    from hw.rtl import emit

    emitted = emit(design, target)
    text, top = emitted.verilog, emitted.top
    dsp = design.structure in DSP_STRUCTURES
    if target.name in logical.LOGICAL:
        found = logical.measure(text, top, target=target, dsp=dsp)
    else:
        seeds = timing.SEEDS if chosen == HELD_OUT else timing.SEEDS[:1]
        found = timing.measure(text, top, seeds, dsp=dsp, target=target.name)
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

    Least squares of relative errors of the period, no time negative. What the designs do not tell
    is pulled towards 0; on targets with fewer designs towards the times of `PRIOR`, all times the
    factor that suits best.
    """
    plain = [row for row in rows if not row.design.pipeline]
    paths = [path(plan(row.design, target)) for row in plain]
    table = np.array([[p.get(name, 0.0) for name in THINGS] for p in paths])
    periods = np.array([1000 / row.fmax_mhz for row in plain])
    known = [bool(column.any()) for column in table.T]
    prior = np.zeros(len(THINGS))
    if target.name != PRIOR:
        prior, known = _prior(table, periods, known)
    times = _least_squares(table, periods, prior)
    staged = [row for row in rows if row.stage_ns is not None]
    stages = np.array([[1.0, row.stage_ns or 0.0] for row in staged])
    start, factor = _least_squares(stages, np.array([1000 / r.fmax_mhz for r in staged]))
    return {
        "things_ns": {n: round(float(t), 3) for n, t in zip(THINGS, times, strict=True)},
        "stage_ns": round(float(start), 3),
        "stage_factor": round(float(factor), 3),
        "unknown": [name for name, told in zip(THINGS, known, strict=True) if not told],
    }


def _prior(table: Floats, periods: Floats, told: list[bool]) -> tuple[Floats, list[bool]]:
    """Return the times of `PRIOR` in this target's measure, and what is known of either."""
    other = delays(PRIOR)
    times = np.array([other.things_ns[name] for name in THINGS])
    ratios = periods / (table @ times)
    known = [here or name not in other.unknown for name, here in zip(THINGS, told, strict=True)]
    return times * float(np.median(ratios)), known


def _least_squares(table: Floats, wanted: Floats, prior: Floats | None = None) -> Floats:
    from scipy.optimize import nnls

    scaled, ones = table / wanted[:, None], np.ones(len(wanted))
    if prior is None:
        exact: Floats = nnls(scaled, ones)[0]
        return exact
    rows = np.vstack([scaled, RIDGE * np.eye(table.shape[1])])
    found: Floats = nnls(rows, np.r_[ones, RIDGE * prior])[0]
    return found


def errors_percent(rows: Sequence[Measured], target: Target) -> Floats:
    """Return the signed errors of estimated clocks."""
    found = []
    for row in rows:
        estimated = clock(plan(row.design, target), row.stage_ns).fmax_mhz
        found.append(100 * (estimated / row.fmax_mhz - 1))
    return np.array(found)


def write_fitted(rows: Sequence[Measured], target: Target, file: Path) -> None:
    """Fit, judge on the designs held out, and write the times with that error.

    Times that come from published delays are as wrong as these may be.
    """
    from hw import logical

    found = fitted([row for row in rows if row.chosen == FIT], target)
    found["calibrated"] = target.name not in logical.LOGICAL
    if found["calibrated"]:
        _write(found | {"error_percent": 0.0}, target, file)
        held_out = [row for row in rows if row.chosen == HELD_OUT]
        error = round(float(np.abs(errors_percent(held_out, target)).mean()), 2)
    else:
        error = logical.published(target.name).error_percent
    _write(found | {"error_percent": error}, target, file)


def _write(found: Mapping[str, Any], target: Target, file: Path) -> None:
    text = yaml.safe_dump(dict(found), sort_keys=False)
    head = f"# Written by sweeps.clock from clock_{target.name}.csv; ns.\n"
    file.write_text(head + text, encoding="utf-8")
    delays.cache_clear()


def measured(target: Target, table: Path) -> list[Measured]:
    """Return the measurements of a file, with those that are missing, which are added to it."""
    from sweeps.clock_draw import draw, draw_others, is_usual

    rows = read(table) if table.exists() else []
    known = {(row.chosen, row.design.slug) for row in rows}
    for chosen, counts in COUNTS.get(target.name, USUAL_COUNTS).items():
        usual = sum(row.chosen == chosen and is_usual(row.design) for row in rows)
        designs = draw_others(target, SEEDS[chosen], counts[1])
        if usual < counts[0]:
            designs += draw(target, SEEDS[chosen], counts[0])
        for design in designs:
            if (chosen, design.slug) not in known:
                known.add((chosen, design.slug))
                rows.append(measure(design, target, chosen))
                table.write_text(to_csv(rows), encoding="utf-8")
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, fit, and print errors and the spread of seeds."""
    parser = argparse.ArgumentParser(prog="python -m sweeps.clock", description=__doc__)
    parser.add_argument("target", nargs="?", default="ecp5", help="such as ecp5")
    parser.add_argument("--only-fit", action="store_true", help="measure nothing")
    options = parser.parse_args(arguments)
    target = load(options.target)
    table = DATA / f"clock_{target.name}.csv"
    rows = read(table) if options.only_fit else measured(target, table)
    write_fitted(rows, target, DATA / f"clock_{target.name}.yaml")
    for chosen in (FIT, HELD_OUT):
        some = [row for row in rows if row.chosen == chosen]
        size = np.abs(errors_percent(some, target))
        spread = np.median([row.spread_percent for row in some if len(row.seed_mhz) > 1] or [0.0])
        print(
            f"{chosen}: {len(some)} designs, mean error {size.mean():.1f} %, 95th percentile "
            f"{np.percentile(size, 95):.1f} %, worst {size.max():.1f} %; "
            f"spread of seeds {spread:.1f} %"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
