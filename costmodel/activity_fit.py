"""Floor 2c: the fit of the activity formula's coefficients (`costmodel.activity`) to toggles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from costmodel.energy import Constants

ROUNDS = 400
"""Rounds of the fit's coordinate descent."""
EMPTY = 1e-12


def fit(
    rows: Sequence[Mapping[str, float]],
    energies: Sequence[tuple[float, float]],
    prior: Mapping[str, float] | None = None,
    pull: float = 1e-4,
) -> dict[str, float]:
    """Return coefficients by name: non-negative least squares of relative errors.

    Parameters
    ----------
    rows
        `features` of each measurement.
    energies
        Measured toggle energy of each in toggles of logic: without the inputs, and with them; the
        error is relative to the latter.
    prior, pull
        Coefficients that the found ones are drawn to (0 by default), and how strongly.

    """
    known = prior or {}
    names = sorted({name for row in rows for name in row} | set(known))
    whole = np.array([total for _, total in energies])
    matrix = np.array([[row.get(name, 0.0) for name in names] for row in rows]) / whole[:, None]
    wanted = np.array([own for own, _ in energies]) / whole
    scale = np.sqrt((matrix**2).sum(axis=0)) + EMPTY
    start = np.array([known.get(name, 0.0) for name in names])
    solved = _non_negative(matrix / scale, wanted, start * scale, pull) / scale
    solved = np.where(scale > EMPTY, solved, start)
    return {name: round(float(value), 5) for name, value in zip(names, solved, strict=True)}


def _non_negative(
    matrix: NDArray[np.float64],
    wanted: NDArray[np.float64],
    start: NDArray[np.float64],
    pull: float,
) -> NDArray[np.float64]:
    """Return the least-squares solution without negative values, by coordinate descent."""
    square = matrix.T @ matrix + pull * np.eye(matrix.shape[1])
    right = matrix.T @ wanted + pull * start
    found = start.copy()
    for _ in range(ROUNDS):
        for j in range(len(found)):
            found[j] = max(0.0, found[j] + (right[j] - square[j] @ found) / square[j, j])
    return found


def measured_energy(rates: Mapping[str, float], known: Constants) -> tuple[float, float]:
    """Return measured toggle energy in toggles of logic: without inputs, and with them."""
    names = ("logic", "carry", "registers")
    own = sum(rates[name] * getattr(known, name) for name in names)
    return own / known.logic, (own + rates["inputs"] * known.inputs) / known.logic
