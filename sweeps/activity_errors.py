"""Floor 4: what the activity formula misses, by target, family and stream; the table of it.

``python -m sweeps.activity_errors`` compares the formula with all netlist simulations of designs
that were judged (`sweeps.activity`, `sweeps.activity_grids`) and writes ``activity_errors.yaml``,
which estimates quote and ``macloom energy --show`` prints.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import Any

import numpy as np
import yaml

from costmodel import activity
from sweeps.activity import Row, errors, read_rows
from sweeps.activity_draw import DATA, JUDGED
from sweeps.files import write_whole

PATH = DATA / "activity_errors.yaml"
ALL = "all"
TARGETS = ("xcup", "ecp5", "xc7", "ice40", "gowin")
Table = dict[str, dict[str, dict[str, dict[str, float]]]]
"""By target, family and stream: mean, 95th percentile and worst in percent, number of designs."""


def judged(target: str) -> list[Row]:
    """Return the simulations of designs never looked at before the formula stood."""
    names = [target, f"grids_{target}", f"kinds_{target}"]
    found = [row for name in names for row in read_rows(name)]
    return [row for row in found if row.chosen == JUDGED]


def summary(target: str, rows: list[Row]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the errors of some simulations by family and stream."""
    groups: dict[tuple[str, str], list[tuple[Row, float]]] = defaultdict(list)
    for row, off in zip(rows, 100 * np.abs(errors(target, rows)), strict=True):
        for stream in (row.stream, ALL):
            groups[activity.family_of(row.design), stream].append((row, float(off)))
    found: dict[str, dict[str, dict[str, float]]] = {}
    for (family, stream), group in sorted(groups.items()):
        values = [off for _, off in group]
        found.setdefault(family, {})[stream] = {
            "mean": round(float(np.mean(values)), 1),
            "percentile_95": round(float(np.percentile(values, 95)), 1),
            "worst": round(max(values), 1),
            "designs": len({row.design for row, _ in group}),
        }
    return found


def table() -> list[tuple[str, ...]]:
    """Return the stored errors as rows of text, heads first."""
    rows: list[tuple[str, ...]] = [
        ("target", "kind", "stream", "mean %", "95 % below", "worst %", "designs")
    ]
    for target, families in activity.errors().items():
        for family, streams in families.items():
            for stream, each in streams.items():
                numbers = [f"{each[name]:.1f}" for name in ("mean", "percentile_95", "worst")]
                rows.append((target, family, stream, *numbers, f"{each['designs']}"))
    return rows


def write(targets: tuple[str, ...]) -> None:
    """Write the errors of some targets; those of others stay."""
    stored: dict[str, Any] = yaml.safe_load(PATH.read_text("utf-8")) if PATH.exists() else {}
    for target in targets:
        stored[target] = summary(target, judged(target))
    write_whole(PATH, yaml.safe_dump(stored, sort_keys=False))
    activity.errors.cache_clear()


if __name__ == "__main__":
    write(tuple(sys.argv[1:]) or TARGETS)
