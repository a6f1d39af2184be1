"""Floor 4: other kinds of designs that the activity formula is fitted on and judged by.

``python -m sweeps.activity_kinds TARGET…`` draws the designs of ``activity_kinds.yaml`` and counts
the toggles of their netlists, as `sweeps.activity` does of MACs and dot products; the file is
``costmodel/data/activity_kinds_<target>.csv``.

A family that has been judged anew has designs in the set ``looked``: its former judges, which are
fitted now, if any of its designs are.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
from collections.abc import Sequence
from functools import cache, partial
from itertools import chain
from typing import Any

from hw.design import Design, from_record
from hw.plan.baugh_wooley import STRUCTURE as HEAP
from hw.target import Target, load
from sweeps.activity import rows_of
from sweeps.activity_draw import (
    DATA,
    FITTED,
    JUDGED,
    LOOKED,
    collected,
    settled,
)
from sweeps.activity_draw import specification as drawn_from
from sweeps.calibrate import to_csv
from sweeps.files import write_whole

SETS = (FITTED, LOOKED, JUDGED)
ANEW = "anew"
"""Whose seed draws families that are judged anew."""
PIPELINED_HEAP = f"{HEAP} pipelined"
HEAP_GRID = f"{HEAP} grid"
HEAPS = (HEAP, PIPELINED_HEAP, HEAP_GRID)
ONE_OPERAND = ("square", "constdot")


def specification() -> dict[str, Any]:
    """Return the distribution of the designs."""
    return drawn_from("activity_kinds")


def draw(target: str, chosen: str) -> list[Design]:
    """Return the designs of all families of a target in one of `SETS`, no design in two of them.

    Raises
    ------
    ValueError
        If the distribution says nothing of the target.

    """
    counts = specification()["counts"]
    families = {name: known[target] for name, known in counts.items() if target in known}
    if not families:
        raise ValueError(f"no other kinds are drawn for {target}")
    return list(_drawn(target)[chosen])


@cache
def _drawn(target: str) -> dict[str, tuple[Design, ...]]:
    """Return the designs of a target by set."""
    counts = specification()["counts"]
    families = {name: known[target] for name, known in counts.items() if target in known}
    first = _by_family(target, JUDGED, {f: c.get(LOOKED, c[JUDGED]) for f, c in families.items()})
    taken = {design.slug for designs in first.values() for design in designs}
    fitted = _by_family(target, FITTED, {f: c[FITTED] for f, c in families.items()}, taken)
    taken |= {design.slug for designs in fitted.values() for design in designs}
    again = {f: c[JUDGED] if LOOKED in c else 0 for f, c in families.items()}
    anew = _by_family(target, ANEW, again, taken)
    judged = {family: anew[family] if again[family] else first[family] for family in families}
    looked = {family: first[family] for family in families if again[family] and fitted[family]}
    sets = {FITTED: fitted, LOOKED: looked, JUDGED: judged}
    return {name: tuple(chain(*found.values())) for name, found in sets.items()}


def _by_family(
    target: str, seed: str, counts: dict[str, int], taken: Sequence[str] | set[str] = ()
) -> dict[str, list[Design]]:
    """Return so many designs of each family, none of them in two families or taken."""
    found: dict[str, list[Design]] = {}
    gone = set(taken)
    for family, count in counts.items():
        source = random.Random(f"{specification()['seeds'][seed]} {family}")
        one = partial(_one, source, load(target), family)
        found[family] = collected(one, count, gone)
        gone |= {design.slug for design in found[family]}
    return found


def _one(source: random.Random, technology: Target, family: str) -> Design | None:
    """Return one design, or None where the parts drawn do not go together."""
    if family in ONE_OPERAND:
        found = settled(_of_one_operand(source, family), technology, ())
        return None if found is None else found[0]
    record, structure = _of_two_operands(source, family)
    found = settled(record, technology, (structure,))
    return found[0].with_structure(structure) if found is not None and found[1] else None


def _of_one_operand(source: random.Random, family: str) -> dict[str, Any]:
    """Return the record of a sum of squares, or of a dot product with constant weights."""
    given = specification()
    record: dict[str, Any] = {"kind": family, "activation": source.choice(given["operands"])}
    if family == "square":
        record["lanes"] = source.choice(given["square_lanes"])
        record["accumulator"] = source.choice(given["square_accumulators"])
        return record
    lanes, outputs = source.choice(given["constants"]), source.choice(given["outputs"])
    reach = 1 << source.choice(given["constant_bits"])
    record["weights"] = [
        [source.randint(-reach, reach) for _ in range(lanes)] for _ in range(outputs)
    ]
    return record


def _of_two_operands(source: random.Random, family: str) -> tuple[dict[str, Any], str]:
    """Return the record of a design of any other family, and its structure."""
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
        lanes, structure = _as_heap(source, record, family), HEAP
    if record["kind"] != "mac":
        record["lanes"] = lanes
    return record, structure


def _as_heap(source: random.Random, record: dict[str, Any], family: str) -> int:
    """Make a record that of a heap of bits, and return its lanes."""
    given = specification()
    record["kind"] = source.choice(given["heap_kinds" if family == HEAP else "grid_kinds"])
    record["accumulator"] = source.choice(given["heap_accumulators"])
    if family == PIPELINED_HEAP:
        record["kind"], record["pipeline"] = "dot", source.choice(given["pipelines"])
    if record["kind"] in ("array", "tile"):
        record |= {"rows": source.choice((1, 2)), "columns": source.choice((1, 2, 3))}
    return 1 if record["kind"] == "mac" else source.choice(given["heap_lanes"])


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
            known = stored.get(design.slug) or rows_of(design, target, chosen)
            rows += [row | {"set": chosen} for row in known]
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
