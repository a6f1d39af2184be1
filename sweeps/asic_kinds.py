"""Floor 4: designs of other kinds for the target asic: drawn, measured, judged kind by kind.

Selected products (binary and ternary weights), weight-stationary arrays, dot products by binary
planes, elements and tiles of BitMoD, as ``heldout_asic_kinds.yaml`` has them.
``python -m sweeps.asic_kinds`` prints the errors on the judged designs
(``heldout_asic_kinds.csv``); with ``--measure`` it first measures the development designs, adds
their modules to ``measured_asic.csv``, fits all formulas anew, and draws and measures the judged
ones, whose modules are not kept.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections.abc import Callable, Container, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from costmodel.asic import modules
from costmodel.bitmod import ALL_DATATYPES
from hw.design import Design, from_record
from hw.plan import plan
from hw.target import ASIC, load
from sweeps.asic_bench import measure_modules
from sweeps.asic_calibrate import (
    COLUMNS,
    DATA,
    design_row,
    errors,
    measure_all,
    module_rows,
    part_table,
    read_held_out,
    read_modules,
    write_csv,
    write_fitted,
    write_modules,
)
from sweeps.asic_designs import distribution as usual
from sweeps.asic_designs import format_of
from sweeps.asic_kind_bench import kind_parts
from sweeps.heldout_serial import bitmod, bitmod_tile, bitplane, chosen

JUDGED = DATA / "heldout_asic_kinds.csv"
Record = dict[str, Any]


@cache
def distribution() -> dict[str, Any]:
    """Return the distribution of the file."""
    import yaml

    text = (files("costmodel") / "data" / "heldout_asic_kinds.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def _accumulator(source: random.Random, known: Mapping[str, Any]) -> str:
    word = source.choice(("exact", "exact", "wrap"))
    return f"exact:{source.choice(known['terms'])}" if word == "exact" else "wrap:40"


def _signs(source: random.Random) -> Record:
    """Return a design with binary or ternary weights."""
    own, known = distribution()["signs"], usual()
    kind = chosen(source, own["kinds"])
    family = chosen(source, own["families"])
    bits = "" if family in ("binary", "ternary") else str(source.randint(*own["bits"]))
    formats = [chosen(source, own["selecting"]), f"{family}{bits}"]
    if source.random() < 0.3:
        formats.reverse()
    record: Record = {"kind": kind, "weight": formats[0], "activation": formats[1]}
    if kind == "dot":
        record["lanes"] = source.choice(own["lanes"])
    if kind == "array":
        record |= {side: source.choice(own["sides"]) for side in ("rows", "columns")}
    structure = source.choice(("rows", "rows", "table"))
    return record | {"accumulator": _accumulator(source, known), "structure": structure}


def _stationary(source: random.Random) -> Record:
    """Return a weight-stationary array."""
    own, known = distribution()["weight-stationary"], usual()
    weight = format_of(source, known)
    activation = weight if source.random() < known["equal_operands"] else format_of(source, known)
    name = source.choice(("binary", "ternary")) if source.random() < own["signs"] else weight.name
    record: Record = {
        "kind": "array",
        "dataflow": "weight-stationary",
        "weight": name,
        "activation": activation.name,
        "structure": chosen(source, own["structures"]),
        "specials": chosen(source, known["policies"]),
        "lanes": source.choice(own["lanes"]),
        **{side: source.choice(own["sides"]) for side in ("rows", "columns")},
    }
    return record | {"accumulator": _accumulator(source, known)}


def _bitplane(source: random.Random) -> Record:
    """Return a dot product by binary planes."""
    return bitplane(source, {**distribution(), "terms": {16: 1, 64: 1, 256: 1, 1024: 1}})


def _bitmod(source: random.Random) -> Record:
    """Return an element or a small tile of BitMoD."""
    own = distribution()["bitmod"]
    known = {"bitmod": own, "policies": usual()["policies"]}
    record = chosen(source, {bitmod: 1, bitmod_tile: 1})(source, known)
    if source.random() < own["some"]:
        record["datatypes"] = source.sample(ALL_DATATYPES, source.randint(1, len(ALL_DATATYPES)))
    return dict(record)


KINDS: Mapping[str, Callable[[random.Random], Record]] = {
    "signs": _signs,
    "weight-stationary": _stationary,
    "bitplane": _bitplane,
    "bitmod": _bitmod,
}
SERIAL = "bitplane", "bitmod"
"""By name; a design of a kind is told from others by `kind_of`."""


def kind_of(design: Design) -> str:
    """Return the name in `KINDS` of a design."""
    for kind in SERIAL:
        if design.kind.startswith(kind):
            return kind
    return "weight-stationary" if "dataflow" in design.to_record() else "signs"


def draw(kind: str, seed: int, count: int, without: Container[str] = ()) -> list[Design]:
    """Return different designs of a kind that can be built on gates and have formulas.

    Designs whose slug is among `without` are passed over.
    """
    source = random.Random(f"asic:{kind}:{seed}")
    most = distribution()["weight-stationary"]["most_product_bits"]
    found: dict[str, Design] = {}
    while len(found) < count:
        try:
            design = from_record(KINDS[kind](source))
            modules(plan(design, load(ASIC)))
        except ValueError:
            continue
        large = kind not in SERIAL and design.lanes * design.cores * design.product_bits > most
        if not large and design.slug not in without:
            found.setdefault(design.slug, design)
    return list(found.values())


def judged(seed: int, kinds: Sequence[str] = tuple(KINDS)) -> list[Design]:
    """Return the judged designs of a seed, kind by kind: none that formulas are fitted to."""
    count = distribution()["count"]
    found = []
    for kind in kinds:
        fitted = {design.slug for design in development(kind)}
        found += draw(kind, seed, count[kind], fitted)
    return found


def development(kind: str) -> list[Design]:
    """Return the designs of a kind to whose modules the formulas are fitted."""
    known = distribution()
    return draw(kind, known["development_seed"], known["development_count"][kind])


def measure_development(workers: int | None = None, kinds: Sequence[str] = tuple(KINDS)) -> None:
    """Add the modules of development designs to those measured, and fit all formulas anew."""
    designs = [design for kind in kinds for design in development(kind)]
    found = measure_all(designs, workers)
    pairs = [pair for one in zip(designs, found, strict=True) for pair in module_rows(*one)]
    rows = part_table([*measure_modules(kind_parts()), *pairs])
    write_modules([*rows, *read_modules()])
    write_fitted()


def measure_judged(
    seed: int, workers: int | None = None, kinds: Sequence[str] = tuple(KINDS)
) -> None:
    """Draw and measure the judged designs of some kinds; those of others stay."""
    designs = judged(seed, kinds)
    found = measure_all(designs, workers)
    rows = [design_row(design, one) for design, one in zip(designs, found, strict=True)]
    old = csv.DictReader(JUDGED.read_text(encoding="utf-8").splitlines())
    kept = [row for row in old if kind_of(from_record(json.loads(row["design"]))) not in kinds]
    write_csv(JUDGED, [*kept, *rows], COLUMNS)


def table() -> str:
    """Return the errors by kind as text."""
    pairs = read_held_out(JUDGED)
    lines = []
    for kind in KINDS:
        some = [pair for pair in pairs if kind_of(pair[0]) == kind]
        for resource in COLUMNS[1:4]:
            told = errors(some, resource)
            lines.append(
                f"{kind}, {told['designs']} designs, {resource}: mean {told['mean']:.2f} %, 95th "
                f"percentile {told['percentile_95']:.2f} %, worst {told['worst']:.2f} %"
            )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the errors; with ``--measure`` of new measurements."""
    known = distribution()
    parser = argparse.ArgumentParser(prog="python -m sweeps.asic_kinds", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure, fit and judge anew")
    parser.add_argument("--only-judge", action="store_true", help="leave the coefficients alone")
    parser.add_argument("--only-fit", action="store_true", help="leave the judged designs alone")
    parser.add_argument("--only", choices=KINDS, action="append", help="a kind to measure (all)")
    parser.add_argument("--seed", type=int, default=known["seed"], help="of the judged designs")
    parser.add_argument("--workers", type=int, help="threads (all CPUs)")
    options = parser.parse_args(arguments)
    if options.measure and not options.only_judge:
        measure_development(options.workers, options.only or tuple(KINDS))
    if options.measure and not options.only_fit:
        measure_judged(options.seed, options.workers, options.only or tuple(KINDS))
    if not options.only_fit:
        print(table())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
