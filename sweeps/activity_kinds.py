"""Floor 4: other kinds of designs that the activity formula is fitted on and judged by.

``python -m sweeps.activity_kinds TARGET…`` draws the designs of ``activity_kinds.yaml`` and counts
the toggles of their netlists, as `sweeps.activity` does of MACs and dot products; the file is
``costmodel/data/activity_kinds_<target>.csv``.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import yaml

from hw.design import Design, from_record
from hw.plan import structures
from hw.plan.baugh_wooley import STRUCTURE as HEAP
from hw.target import Target, load
from sweeps.activity import DATA, FITTED, JUDGED, rows_of
from sweeps.calibrate import to_csv
from sweeps.files import write_whole

SPEC = DATA / "activity_kinds.yaml"
SETS = (FITTED, JUDGED)
TRIES = 2000
PIPELINED_HEAP = f"{HEAP} pipelined"
HEAP_GRID = f"{HEAP} grid"
HEAPS = (HEAP, PIPELINED_HEAP, HEAP_GRID)


@cache
def specification() -> dict[str, Any]:
    """Return the distribution of the designs."""
    found: dict[str, Any] = yaml.safe_load(SPEC.read_text(encoding="utf-8"))
    return found


def draw(target: str, chosen: str) -> list[Design]:
    """Return the designs of all families of a target in one of `SETS`.

    Raises
    ------
    ValueError
        If the distribution says nothing of the target.

    """
    given = specification()
    families = [name for name, counts in given["counts"].items() if target in counts]
    if not families:
        raise ValueError(f"no other kinds are drawn for {target}")
    found: dict[str, Design] = {}
    taken = {d.slug for d in draw(target, JUDGED)} if chosen == FITTED else set()
    for family in families:
        source = random.Random(f"{given['seeds'][chosen]} {family}")
        wanted = len(found) + given["counts"][family][target][chosen]
        for _ in range(TRIES):
            if len(found) == wanted:
                break
            design = _one(source, load(target), family)
            if design is not None and design.slug not in taken:
                found.setdefault(design.slug, design)
    return list(found.values())


def _one(source: random.Random, technology: Target, family: str) -> Design | None:
    """Return one design, or None where the parts drawn do not go together."""
    given = specification()
    lists = {"mxdot": "elements", "compressor": "signs"}
    lists |= dict.fromkeys(("fixed", "pipelined"), "fixed_formats")
    lists |= dict.fromkeys(HEAPS, "heap_formats")
    formats = given[lists.get(family, "formats")]
    weight = source.choice(formats)
    activation = source.choice([weight, source.choice(formats)])
    lanes, structure = source.choice(given["lanes"]), source.choice(given["structures"])
    record: dict[str, Any] = {"weight": weight, "activation": activation}
    accumulators = {"window": given["windows"], "float": given["floats"], "mxdot": ["fp32"]}
    record["accumulator"] = source.choice(accumulators.get(family, ["exact:64", "exact:256"]))
    record["kind"] = "mac" if lanes == 1 else "dot"
    if family == "compressor":
        record["kind"], lanes, structure = "dot", source.choice((8, 16, 24, 32)), "compressor"
    elif family == "pipelined":
        record["pipeline"] = source.choice(given["pipelines"])
    elif family == "mxdot":
        record["kind"], lanes = "mxdot", source.choice((4, 8))
    elif family in HEAPS:
        structure = HEAP
        record["kind"] = source.choice(given["heap_kinds" if family == HEAP else "grid_kinds"])
        record["accumulator"] = source.choice(given["heap_accumulators"])
        if family == PIPELINED_HEAP:
            record["kind"], record["pipeline"] = "dot", source.choice(given["pipelines"])
        if record["kind"] in ("array", "tile"):
            record |= {"rows": source.choice((1, 2)), "columns": source.choice((1, 2, 3))}
        lanes = 1 if record["kind"] == "mac" else source.choice(given["heap_lanes"])
    if record["kind"] != "mac":
        record["lanes"] = lanes
    try:
        design = from_record(record)
        known = structures(design, technology)
    except ValueError:
        return None
    return design.with_structure(structure) if structure in known else None


def count(target: str, only_new: bool = False) -> None:
    """Count the toggles of the designs of one target, or of those its file lacks; write it."""
    path = DATA / f"activity_kinds_{target}.csv"
    stored: dict[str, list[dict[str, Any]]] = {}
    if only_new and path.is_file():
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            stored.setdefault(from_record(json.loads(row["design"])).slug, []).append(row)
    rows: list[dict[str, Any]] = []
    for chosen in SETS:
        for design in draw(target, chosen):
            rows += stored.get(design.slug) or rows_of(design, target, chosen)
            print(f"{len(rows)} {design.slug}", file=sys.stderr, flush=True)
    write_whole(path, to_csv(rows, list(rows[0])))


def main(arguments: Sequence[str] | None = None) -> int:
    """Count the targets of the command line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("targets", nargs="+")
    parser.add_argument("--new", action="store_true", help="count only what the file lacks")
    given = parser.parse_args(arguments)
    for target in given.targets:
        count(target, given.new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
