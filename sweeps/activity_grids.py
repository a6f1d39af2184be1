"""Floor 4: arrays and tiles that the activity formula is judged by, written as data of `costmodel`.

``python -m sweeps.activity_grids TARGET…`` draws designs by the seed of
``activity_grids.yaml``, maps them and counts the toggles of their netlists under each operand
stream, as `sweeps.activity` does of cores. Nothing is fitted to them: the formula has the
coefficients of cores. The file is ``costmodel/data/activity_grids_<target>.csv``.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from typing import Any

from hw.design import Design
from hw.target import Target, load
from sweeps.activity import Row, read_rows, rows_of
from sweeps.activity_draw import DATA, JUDGED, one_of, settled, weighted
from sweeps.activity_draw import specification as drawn_from
from sweeps.calibrate import to_csv
from sweeps.files import write_whole


def specification() -> dict[str, Any]:
    """Return the distribution of the designs."""
    return drawn_from("activity_grids")


def draw(target: str, chosen: str = JUDGED) -> list[Design]:
    """Return the arrays and tiles of a target in one set; no two are the same.

    Raises
    ------
    ValueError
        If the distribution says nothing of the target.

    """
    given = specification()
    if target not in given["counts"]:
        raise ValueError(
            f"grids are drawn for one of {', '.join(given['counts'])}, not for {target}"
        )
    source, technology = random.Random(given["seeds"][chosen]), load(target)
    found: dict[str, Design] = {}
    while len(found) < given["counts"][target][chosen]:
        kind = given["kinds"][len(found) % len(given["kinds"])]
        design = _one(source, technology, kind)
        if design is not None:
            found.setdefault(design.slug, design)
    return list(found.values())


def _one(source: random.Random, technology: Target, kind: str) -> Design | None:
    """Return one design, or None where the parts drawn do not go together."""
    given = specification()
    weight = source.choice(given["formats"])
    same = source.random() < given["same_format"]
    rows, columns = source.choice(given["sides"]), source.choice(given["sides"])
    lanes = source.choice(given["lanes"])
    record: dict[str, Any] = {
        "kind": kind,
        "weight": weight,
        "activation": weight if same else source.choice(given["formats"]),
        "rows": rows,
        "columns": columns,
        "lanes": lanes,
    }
    shares, terms = given["accumulators"], source.choice(given["terms"])
    chosen = weighted(source, shares)
    if not 1 < rows * columns * lanes <= given["most_products"]:
        return None
    exact = settled(record, technology, ())
    if exact is None:
        return None
    bits = exact[0].exact_bits
    record["accumulator"] = f"exact:{terms}" if chosen == "exact" else f"{chosen}:{bits}"
    return one_of(source, record, technology, given["structures"])


def read_grids(target: str) -> list[Row]:
    """Return the measurements of the grids of a target."""
    return read_rows(f"grids_{target}")


def count(target: str) -> None:
    """Count the toggles of the grids of one target, and write its file."""
    rows: list[dict[str, Any]] = []
    for design in draw(target):
        rows += rows_of(design, target, JUDGED)
        print(f"{len(rows)} {design.slug}", file=sys.stderr, flush=True)
    write_whole(DATA / f"activity_grids_{target}.csv", to_csv(rows, list(rows[0])))


def main(arguments: Sequence[str] | None = None) -> int:
    """Count the targets of the command line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("targets", nargs="+")
    for target in parser.parse_args(arguments).targets:
        count(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
