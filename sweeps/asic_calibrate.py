"""Floor 4: what the cost model of gates is fitted on and judged by, written as data of `costmodel`.

``python -m sweeps.asic_calibrate`` synthesises the development designs, whose kept modules are
measured one by one, and the enumerated ones of `sweeps.asic_bench` (``measured_asic.csv``), fits
the formulas (``fitted_asic.yaml``), and draws and measures the judged designs with another seed
(``heldout_asic.csv``), on which nothing is fitted and whose modules are not kept. Every synthesis
is cached, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import costmodel
from costmodel.asic import modules
from costmodel.asic_fit import fit
from costmodel.asic_parts import Module
from hw.asic import FF_TRANSISTORS, AsicMeasurement, measure
from hw.design import Design, from_record
from hw.plan import plan
from hw.rtl import emit
from hw.target import ASIC, load
from sweeps.asic_bench import measure_parts
from sweeps.asic_designs import distribution, draw

DATA = Path(costmodel.__file__).parent / "data"
PART_COLUMNS = ("formula", "key", "features", "transistors", "gates")
SHELLS = {"array_control", "stationary_shell", "bitmod_output_mark"}
"""Formulas of what the top modules of arrays, and of elements of BitMoD, hold."""
COLUMNS = ("design", "transistors", "gates", "ff", "tool")


def measured(design: Design) -> AsicMeasurement:
    """Return what a design costs in gates, by Yosys; cached."""
    emitted = emit(design, load(ASIC))
    return measure(emitted.verilog, emitted.top)


def measure_all(designs: Sequence[Design], workers: int | None = None) -> list[AsicMeasurement]:
    """Measure designs side by side, in their order."""
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        return list(pool.map(measured, designs))


def module_rows(design: Design, found: AsicMeasurement) -> Iterator[tuple[Module, tuple[int, int]]]:
    """Yield the modules of a design that its netlist kept, with what each measured.

    A module's flip-flops are left out of its transistors. The shell of an array, which is the top
    module itself, is among them; flags that several lanes raise are in the module around them.
    """
    prefix = f"{design.slug}_"
    listed = modules(plan(design, load(ASIC)))
    names = {module.name: module for module in listed if module.name}
    glue = {module.formula: module for module in listed if not module.name}
    for shell in SHELLS & glue.keys():
        names[""] = glue[shell]
    if "flag_tree" in glue:
        core = "processing_element" if design.cores > 1 or "array_control" in glue else ""
        names[core] = glue["flag_tree"]
    for name, numbers in found.by_module.items():
        module = names.get(name.removeprefix(prefix) if name != design.slug else "")
        if module is not None:
            logic = numbers["transistors"] - FF_TRANSISTORS * numbers["ff"]
            yield module, (logic, numbers["gates"])


def part_table(pairs: Iterable[tuple[Module, tuple[int, int]]]) -> list[dict[str, Any]]:
    """Return a row of `PART_COLUMNS` for each distinct module of measured ones."""
    found = {
        (module.formula, module.key): {
            "formula": module.formula,
            "key": module.key,
            "features": " ".join(f"{number:g}" for number in module.features),
            "transistors": transistors,
            "gates": gates,
        }
        for module, (transistors, gates) in pairs
    }
    return [found[key] for key in sorted(found)]


def design_row(design: Design, found: AsicMeasurement) -> dict[str, Any]:
    """Return a row of `COLUMNS`."""
    return {
        "design": json.dumps(design.to_record(), separators=(",", ":")),
        **{name: getattr(found, name) for name in COLUMNS[1:]},
    }


def read_held_out(path: Path = DATA / "heldout_asic.csv") -> list[tuple[Design, dict[str, int]]]:
    """Return the judged designs with what they measured."""
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    return [
        (from_record(json.loads(row["design"])), {name: int(row[name]) for name in COLUMNS[1:4]})
        for row in rows
    ]


def errors(pairs: Sequence[tuple[Design, Mapping[str, int]]], resource: str) -> dict[str, float]:
    """Return the errors of estimates in percent: mean, 95th percentile, worst, bias, rank.

    `resource` is "transistors", "gates" or "ff"; rank is Spearman's correlation.
    """
    target = load(ASIC)
    estimates = [getattr(costmodel.estimate(design, target), resource) for design, _ in pairs]
    found = np.array([numbers[resource] for _, numbers in pairs], float)
    off = 100 * (np.array(estimates, float) - found) / np.maximum(found, 1)
    size = np.abs(off)
    ranks = [np.argsort(np.argsort(values)).astype(float) for values in (estimates, found)]
    return {
        "designs": len(pairs),
        "mean": float(size.mean()),
        "percentile_95": float(np.percentile(size, 95)),
        "worst": float(size.max()),
        "bias": float(off.mean()),
        "rank": float(np.corrcoef(ranks[0], ranks[1])[0, 1]),
    }


def _csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_modules() -> list[dict[str, Any]]:
    """Return the measured modules, rows of `PART_COLUMNS`."""
    text = (DATA / "measured_asic.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def write_modules(rows: Iterable[Mapping[str, Any]]) -> None:
    """Write measured modules in order; of those that are there twice the first."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in rows:
        found.setdefault((row["formula"], row["key"]), row)
    write_csv(DATA / "measured_asic.csv", [found[key] for key in sorted(found)], PART_COLUMNS)


def write_csv(file: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write rows of a table, whole or not at all."""
    _write(file, _csv(rows, columns))


def _write(file: Path, text: str) -> None:
    part = file.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


def write_fitted(folder: Path = DATA) -> None:
    """Fit the formulas to the measured modules."""
    text = (folder / "measured_asic.csv").read_text(encoding="utf-8")
    found = {"coefficients": fit(list(csv.DictReader(text.splitlines())))}
    body = yaml.safe_dump(found, sort_keys=False, default_flow_style=None, width=1000)
    head = "# Written by sweeps.asic_calibrate from measured_asic.csv (Yosys 0.70).\n"
    _write(folder / "fitted_asic.yaml", head + body)


def main(arguments: Sequence[str] | None = None) -> int:
    """Calibrate, judge, and print the errors."""
    known = distribution()
    parser = argparse.ArgumentParser(prog="python -m sweeps.asic_calibrate", description=__doc__)
    parser.add_argument("--seed", type=int, default=known["seed"], help="of the judged designs")
    parser.add_argument("--count", type=int, default=known["count"], help="of the judged designs")
    parser.add_argument("--only-judge", action="store_true", help="leave the coefficients alone")
    parser.add_argument("--only-fit", action="store_true", help="do not draw judged designs")
    parser.add_argument("--workers", type=int, help="processes (all CPUs)")
    options = parser.parse_args(arguments)
    if not options.only_judge:
        designs = draw(known["development_seed"], known["development_count"])
        found = measure_all(designs, options.workers)
        pairs = [pair for one in zip(designs, found, strict=True) for pair in module_rows(*one)]
        rows = part_table([*measure_parts(), *pairs])
        measured_here = {row["formula"] for row in rows}
        rows += [row for row in read_modules() if row["formula"] not in measured_here]
        write_modules(rows)
        write_fitted()
    if not options.only_fit:
        judged = draw(options.seed, options.count)
        found = measure_all(judged, options.workers)
        rows = [design_row(design, one) for design, one in zip(judged, found, strict=True)]
        write_csv(DATA / "heldout_asic.csv", rows, COLUMNS)
        for resource in COLUMNS[1:4]:
            print(resource, errors(read_held_out(), resource))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
