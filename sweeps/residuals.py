"""Floor 4: the residual table: errors of estimates on the held-out designs, by target and kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import yaml

from costmodel.expected import group_of
from hw.target import ASIC, names
from sweeps.calibrate import DATA, EXACT_KINDS, LEAST_LUT, RESOURCES, Measured, errors, held_out

ALL = "all"
CORE = "mac, dot, array"


def judged() -> list[str]:
    """Return the targets of LUTs that have held-out designs."""
    luts = (name for name in names() if name != ASIC)
    return [name for name in luts if (DATA / f"heldout_{name}.csv").is_file()]


def groups(measured: Sequence[Measured]) -> dict[str, list[Measured]]:
    """Return the held-out designs of `LEAST_LUT` LUTs and more: all, the core kinds, each kind.

    Those with a floating accumulator, those with pipeline stages, and those without primitives on
    targets that have them, are groups besides.
    """
    large = [one for one in measured if one.numbers["lut"] >= LEAST_LUT]
    found = {ALL: large, CORE: [one for one in large if one.design.kind in EXACT_KINDS]}
    for kind in sorted({group_of(one.design) for one in large}):
        found[kind] = [one for one in large if group_of(one.design) == kind]
    for name, members in (
        ("floating", [one for one in large if one.design.is_floating]),
        ("pipelined", [one for one in large if one.design.pipeline]),
        ("portable", [one for one in large if one.target.is_portable]),
    ):
        if members:
            found[name] = members
    return found


def rows_of(target: str) -> list[dict[str, Any]]:
    """Return the rows of the table for a target: errors in percent, fractions that are exact."""
    found = []
    for group, members in groups(held_out(target)).items():
        row: dict[str, Any] = {"target": target, "designs of": group, "number": len(members)}
        for resource in ("lut", "sites"):
            size = errors(members, resource)
            row[f"{resource} mean"] = round(size.mean, 2)
            row[f"{resource} p95"] = round(size.percentile_95, 2)
            row[f"{resource} worst"] = round(size.worst, 2)
        for resource in RESOURCES[2:]:
            row[f"{resource} exact"] = round(errors(members, resource).exact, 3)
        row["rank"] = round(rank_correlation(members), 5)
        found.append(row)
    return found


def rank_correlation(measured: Sequence[Measured], resource: str = "lut") -> float:
    """Return Spearman's rank correlation of estimates and measurements; NaN of a single one."""
    if len(measured) < 2:
        return float("nan")
    estimated = [getattr(one.estimate(), resource) for one in measured]
    found = [one.numbers[resource] for one in measured]
    return float(np.corrcoef(_ranks(estimated), _ranks(found))[0, 1])


def _ranks(values: Sequence[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return ranks; equal values share the mean of theirs."""
    _, which, counts = np.unique(np.array(values), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: np.ndarray[Any, np.dtype[np.float64]] = (last - (counts - 1) / 2)[which]
    return shared


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as aligned text."""
    heads = list(rows[0])
    cells = [heads, *([str(row[head]) for head in heads] for row in rows)]
    widths = [max(len(line[n]) for line in cells) for n in range(len(heads))]
    lines = [
        "  ".join(
            cell.ljust(width) if n < 2 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def expected_yaml(targets: Sequence[str]) -> str:
    """Return ``residuals.yaml``: what `costmodel.expected` tells of an estimate's error."""
    record: dict[str, Any] = {}
    for target in targets:
        members = groups(held_out(target))
        known: dict[str, Any] = {}
        for group, some in members.items():
            found = errors(some, "lut")
            known[group] = {
                "designs": len(some),
                "mean": round(found.mean, 2),
                "percentile_95": round(found.percentile_95, 2),
                "worst": round(found.worst, 2),
                "largest_lut": max(one.numbers["lut"] for one in some),
                "largest_lanes": max(one.design.lanes for one in some),
            }
        record[target] = known
    head = "# LUT errors on held-out designs, percent; written by sweeps.residuals.\n"
    return head + yaml.safe_dump(record, sort_keys=False, default_flow_style=None, width=100)
