"""Floor 2c: from measured modules to the formulas of gates; pure and deterministic.

Each formula is a weighted sum of the features of `costmodel.asic_parts`. Weights minimise squared
errors relative to the square root of the size, so that neither small nor large modules rule.
Residuals are those of modules left out: each is predicted by a fit to all others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

RESOURCES = ("transistors", "gates")
RIDGE = 1e-3
"""Keeps weights of features that always come together small; relative to the features' squares."""


def fit(measured: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return the coefficients of every formula with their provenance.

    Parameters
    ----------
    measured
        Rows of ``measured_asic.csv``.

    """
    groups: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in measured:
        groups[row["formula"]].append(row)
    found: dict[str, Any] = {}
    for formula, rows in sorted(groups.items()):
        matrix = np.array([[float(x) for x in row["features"].split()] for row in rows])
        entry: dict[str, Any] = {}
        told = []
        for resource in RESOURCES:
            wanted = np.array([float(row[resource]) for row in rows])
            weights, error = _solve(matrix, wanted)
            entry[resource] = [round(float(weight), 4) for weight in weights]
            told.append(f"{100 * error:.1f} % of {resource}")
        entry["source"] = f"{len(rows)} modules; left out: {', '.join(told)}"
        found[formula] = entry
    return found


def _solve(matrix: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the weights, and the mean error of left-out rows over the mean of all."""
    scale = 1 / np.sqrt(np.maximum(wanted, 8.0))
    rows, values = matrix * scale[:, None], wanted * scale
    square = rows.T @ rows
    ridge = RIDGE * np.diag(np.maximum(np.diag(square), 1e-9))
    inverse = np.linalg.inv(square + ridge)
    weights = inverse @ rows.T @ values
    leverage = np.einsum("ij,jk,ik->i", rows, inverse, rows)
    off = np.abs(values - rows @ weights) / np.maximum(1 - leverage, 0.05) / scale
    return weights, float(off.mean() / max(wanted.mean(), 1e-9))
