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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

import costmodel
from costmodel.timing import THINGS, Delays, delays, path
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
LINKS = "dsp_links"
BLOCKS = ("dsp", LINKS, "memory")
"""Hard blocks are other ones in each family: their times are never taken over."""
PULL = 0.25
"""How much a time that differs from what `PRIOR` says by itself counts, as `RIDGE` does."""
LEAST_PRIOR = 0.05
FOLDS = 8
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
    staged = [row for row in rows if row.stage_ns is not None]
    prior, factor = np.zeros(len(THINGS)), 1.0
    if target.name != PRIOR:
        prior, factor, known = _prior(table, periods, known)
    column, passing_ns = list(THINGS).index(LINKS), _passing_ns(target)
    if passing_ns:
        periods -= table[:, column] * passing_ns
        table[:, column] = 0.0
    times = _least_squares(table, periods, prior)
    times[column] = passing_ns or times[column]
    start, slope = _stages(staged, factor, target.name == PRIOR)
    return {
        "things_ns": {n: round(float(t), 3) for n, t in zip(THINGS, times, strict=True)},
        "stage_ns": round(start, 3),
        "stage_factor": round(slope, 3),
        "unknown": [name for name, told in zip(THINGS, known, strict=True) if not told],
    }


def _passing_ns(target: Target) -> float:
    """Return the time from one DSP block of a cascade to the next, 0 where it is not published.

    Few of the designs measured have a cascade, and the longest have 32 blocks: a sum and a wire
    each, and so not fitted.
    """
    from hw import logical

    if target.name not in logical.LOGICAL:
        return 0.0
    known = logical.published(target.name)
    return known.dsp["add"] + known.wires[0][1]


def _prior(table: Floats, periods: Floats, told: list[bool]) -> tuple[Floats, float, list[bool]]:
    """Return the times of `PRIOR` in this target's measure, their factor, and what is known."""
    other = delays(PRIOR)
    times = np.array([other.things_ns[name] for name in THINGS])
    factor = float(np.median(periods / (table @ times)))
    lacking = {*other.unknown, *BLOCKS}
    known = [here or name not in lacking for name, here in zip(THINGS, told, strict=True)]
    return times * factor, factor, known


def _stages(staged: Sequence[Measured], factor: float, alone: bool) -> tuple[float, float]:
    """Return `stage_ns` and `stage_factor`: fitted alone, or those of `PRIOR` times a factor.

    That factor is the one that suits the pipelined designs best, or without any `factor`.
    """
    periods = np.array([1000 / row.fmax_mhz for row in staged])
    if alone:
        stages = np.array([[1.0, row.stage_ns or 0.0] for row in staged])
        start, slope = _least_squares(stages, periods)
        return float(start), float(slope)
    other = delays(PRIOR)
    if staged:
        expected = [other.staged_ns(row.stage_ns or 0.0) for row in staged]
        factor = float(np.median(periods / np.array(expected)))
    return factor * other.stage_ns, factor * other.stage_factor


def _least_squares(table: Floats, wanted: Floats, prior: Floats | None = None) -> Floats:
    """Return times, none negative, of least relative errors; pulled towards `prior` if given."""
    from scipy.optimize import nnls

    scaled, ones = table / wanted[:, None], np.ones(len(wanted))
    if prior is None:
        exact: Floats = nnls(scaled, ones)[0]
        return exact
    pull = np.full(len(prior), RIDGE)
    if prior.any():
        pull = PULL / np.maximum(prior, prior.max() * LEAST_PRIOR)
    rows = np.vstack([scaled, np.diag(pull)])
    found: Floats = nnls(rows, np.r_[ones, pull * prior])[0]
    return found


def errors_percent(rows: Sequence[Measured], target: Target, times: Delays | None = None) -> Floats:
    """Return the signed errors of estimated clocks, by the target's times or by others."""
    known = delays(target.name) if times is None else times
    found = []
    for row in rows:
        built = plan(row.design, target)
        period = (
            known.period_ns(path(built)) if row.stage_ns is None else known.staged_ns(row.stage_ns)
        )
        found.append(100 * (1000 / period / row.fmax_mhz - 1))
    return np.array(found)


def judged(rows: Sequence[Measured], target: Target) -> Floats:
    """Return the errors of designs that the times were not fitted to.

    Of `PRIOR` those held out; on targets with fewer designs of all, each by the times that the
    designs of other folds give.
    """
    if target.name == PRIOR:
        fit = [row for row in rows if row.chosen == FIT]
        times = _times(fitted(fit, target))
        return errors_percent([row for row in rows if row.chosen == HELD_OUT], target, times)
    found = []
    for fold in range(FOLDS):
        others = [row for number, row in enumerate(rows) if number % FOLDS != fold]
        some = [row for number, row in enumerate(rows) if number % FOLDS == fold]
        times = replace(_times(fitted(others, target)), unknown=())
        found.append(errors_percent(some, target, times))
    return np.concatenate(found)


def _times(found: Mapping[str, Any]) -> Delays:
    return Delays(**{**found, "error_percent": 0.0, "unknown": tuple(found["unknown"])})


def write_fitted(rows: Sequence[Measured], target: Target, file: Path) -> None:
    """Fit, judge on the designs held out, and write the times with that error.

    Times that come from published delays are as wrong as these may be and, for 95 % of designs, as
    the formula is against them: both together by squares.
    """
    from hw import logical

    fit = [row for row in rows if row.chosen == FIT or target.name != PRIOR]
    found = fitted(fit, target)
    found["calibrated"] = target.name not in logical.LOGICAL
    sizes = np.abs(judged(rows, target))
    found["error_percent"] = round(float(sizes.mean()), 2)
    if not found["calibrated"]:
        found["formula_error_percent"] = found["error_percent"]
        own = float(np.percentile(sizes, 95))
        both = np.hypot(own, logical.published(target.name).error_percent)
        found["error_percent"] = 5.0 * float(np.ceil(both / 5))
    _write(found, target, file)


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
    size = np.abs(judged(rows, target))
    spread = np.median([row.spread_percent for row in rows if len(row.seed_mhz) > 1] or [0.0])
    print(
        f"{len(rows)} designs; {len(size)} judged by times not fitted to them: mean error "
        f"{size.mean():.1f} %, 95th percentile {np.percentile(size, 95):.1f} %, "
        f"worst {size.max():.1f} %; spread of seeds {spread:.1f} %"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
