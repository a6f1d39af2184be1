"""Floor 4: what the cost model is fitted on and judged by, written as data of `costmodel`.

``python -m sweeps.calibrate TARGET…`` measures the small modules of `sweeps.primitives`, fits what
is fitted, draws whole designs by a seed, synthesises them and tells the error of the estimates.
Whole designs are never fitted on. Synthesis is cached, so that an interrupted run goes on.

Files, all in ``costmodel/data``: ``measured_<target>.csv``, ``fitted_<target>.yaml``,
``heldout_<target>.csv``.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import costmodel
from costmodel import coefficients
from costmodel.fit import fit
from hw.accumulators import Accumulator, AccumulatorKind
from hw.design import Design, from_record
from hw.formats import FixedFormat, Format, parse_element
from hw.plan import structures
from hw.target import Target, load

COLUMNS = ("design", "lut", "sites", "ff", "carry", "dsp", "tool")
LANES = (2, 3, 4, 5, 8, 12, 16, 24, 32)
SIDES = (1, 2, 3, 4, 5, 6)
MAXIMUM_CELLS = 12
TERMS = (16, 64, 256, 1024)
SEED = 4711
COUNT = 100
DATA = Path(costmodel.__file__).parent / "data"


def draw(seed: int, count: int) -> list[Design]:
    """Return designs drawn from the distribution of the calibration; no two are the same.

    35 % MACs, 45 % dot products, 20 % arrays; integers, fixed point and minifloats of up to 8 bits
    with all specials, mixed and equal; all accumulators; each structure that can serve.
    """
    source = random.Random(seed)
    found: dict[str, Design] = {}
    while len(found) < count:
        design = _one(source)
        if design is not None:
            found.setdefault(design.slug, design)
    return list(found.values())


def measure(
    designs: Iterable[Design],
    target: Target,
    workers: int | None = None,
    progress: Callable[[int, int, Any], None] | None = None,
) -> list[dict[str, Any]]:
    """Synthesise designs (results are cached) and return a row of `COLUMNS` for each."""
    from hw.rtl import emit
    from hw.synthesis import Job, synthesize_many

    wanted = list(designs)
    jobs = []
    for design in wanted:
        emitted = emit(design, target)
        jobs.append(Job(emitted.verilog, emitted.top, target.name, design.structure == "dsp"))
    measured = synthesize_many(jobs, workers, progress)
    return [
        {
            "design": json.dumps(design.to_record(), separators=(",", ":")),
            **{name: getattr(result, name) for name in COLUMNS[1:]},
        }
        for design, result in zip(wanted, measured, strict=True)
    ]


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


def errors(
    measured: Iterable[tuple[Design, dict[str, int]]], target: Target, resource: str
) -> Errors:
    """Return the errors of one resource: "lut", "sites", "ff", "carry" or "dsp"."""
    pairs = [
        (getattr(costmodel.estimate(design, target), resource), numbers[resource])
        for design, numbers in measured
    ]
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


def read_csv(path: Path) -> Iterator[tuple[Design, dict[str, int]]]:
    """Yield the designs of a CSV file with their measured numbers."""
    for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        numbers = {name: int(row[name]) for name in COLUMNS[1:-1]}
        yield from_record(json.loads(row["design"])), numbers


def _one(source: random.Random) -> Design | None:
    """Return one design, or None where the parts drawn do not go together."""
    weight = _format(source)
    activation = weight if source.random() < 0.4 else _format(source)
    record: dict[str, Any] = {
        "kind": source.choices(("mac", "dot", "array"), (35, 45, 20))[0],
        "weight": weight.name,
        "activation": activation.name,
        "specials": source.choice(("flag", "ignore")),
    }
    if record["kind"] == "dot":
        record["lanes"] = source.choice(LANES)
    if record["kind"] == "array":
        record["rows"], record["columns"] = source.choice(SIDES), source.choice(SIDES)
        if record["rows"] * record["columns"] > MAXIMUM_CELLS:
            return None
    accumulator = _accumulator(source, from_record(record))
    if accumulator is None:
        return None
    design = from_record(record | {"accumulator": accumulator.name})
    return design.with_structure(source.choice(structures(design)))


def _format(source: random.Random) -> Format:
    """Return a format of at most 8 bits."""
    kind = source.choices(("int", "uint", "fixed", "minifloat"), (30, 15, 10, 45))[0]
    if kind == "int":
        return parse_element(f"int{source.randint(2, 8)}")
    if kind == "uint":
        return parse_element(f"uint{source.randint(1, 8)}")
    if kind == "fixed":
        bits = source.randint(2, 8)
        return FixedFormat(bits, source.randint(0, bits), source.random() < 0.7)
    while True:
        bits = source.randint(3, 8)
        exponent = source.randint(1, bits - 1)
        suffix = source.choice(("finite", "fn", "fnuz", ""))
        try:
            return parse_element(f"e{exponent}m{bits - 1 - exponent}{suffix}")
        except ValueError:
            continue


def _accumulator(source: random.Random, design: Design) -> Accumulator | None:
    """Return an accumulator that suits a design's products."""
    kinds = (
        AccumulatorKind.EXACT,
        AccumulatorKind.WRAP,
        AccumulatorKind.SATURATE,
        AccumulatorKind.WINDOW,
    )
    kind = source.choices(kinds, (50, 15, 20, 15))[0]
    terms = source.choice([terms for terms in TERMS if terms >= design.lanes])
    if kind is AccumulatorKind.EXACT:
        return Accumulator(kind, terms=terms)
    if kind is AccumulatorKind.WINDOW:
        bits = source.randint(design.significand_product_bits, 32)
        return Accumulator(kind, bits=max(bits, 4), terms=terms)
    bits = design.product_bits + source.randint(0, 10)
    return Accumulator(kind, bits=bits) if 4 <= bits <= 80 else None


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


def measure_held_out(target: Target, seed: int, count: int, folder: Path = DATA) -> None:
    """Draw designs, synthesise them and write what they measured."""
    rows = measure(draw(seed, count), target)
    _write(folder / f"heldout_{target.name}.csv", to_csv(rows))


def _write(file: Path, text: str) -> None:
    """Write a file at once or not at all."""
    part = file.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


def main(arguments: Sequence[str] | None = None) -> int:
    """Calibrate the targets named on the command line and print the errors."""
    parser = argparse.ArgumentParser(prog="python -m sweeps.calibrate", description=__doc__)
    parser.add_argument("targets", nargs="+", help="targets to calibrate")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the designs left out")
    parser.add_argument("--count", type=int, default=COUNT, help="number of designs left out")
    parser.add_argument("--only-judge", action="store_true", help="leave the coefficients alone")
    options = parser.parse_args(arguments)
    for name in options.targets:
        target = load(name)
        if not options.only_judge:
            calibrate_parts(target)
        measure_held_out(target, options.seed, options.count)
        measured = list(read_csv(DATA / f"heldout_{name}.csv"))
        for resource in ("lut", "sites", "ff", "carry", "dsp"):
            print(name, resource, errors(measured, target, resource))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
