"""Floor 2c: the fit of the activity formula's coefficients (`costmodel.activity`) to toggles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from costmodel.activity import DERIVED
from costmodel.energy import Constants

ROUNDS = 400
"""Rounds of the fit's coordinate descent."""
PULL = {True: 0.3, False: 0.003}
"""How strongly coefficients are drawn to 1 (nets that plans name) or to 0 (others), in squared
relative errors; chosen on the designs of the former judging seeds."""
COUNTED_LUTS = ("extra", "beside")
"""Last words of nets of which only the LUTs are known: those that join LUTs toggle as well."""
KINDS = ("logic", "carry", "registers")


def fit(
    rows: Sequence[Mapping[str, float]],
    rates: Sequence[Mapping[str, float]],
    known: Constants,
    names: Sequence[str] = (),
) -> dict[str, float]:
    """Return coefficients by name: non-negative least squares, relative to the whole energy.

    Logic, carry chains and registers are measured apart, and are fitted apart.

    Parameters
    ----------
    rows
        Toggles of each measurement by name (`costmodel.activity_core.core_toggles`), of all cores.
    rates
        Measured toggles of each.
    known
        What they cost.
    names
        Names that have a coefficient even if no measurement has them.

    """
    found: dict[str, float] = {}
    whole = np.array([measured_energy(rate, known) for rate in rates])
    for kind in KINDS:
        own = {name for row in rows for name in row} | set(names)
        chosen = sorted(name for name in own if name.split("/")[1] == kind)
        price = getattr(known, kind) / whole
        matrix = np.array([[row.get(name, 0.0) for name in chosen] for row in rows])
        wanted = np.array([rate[kind] for rate in rates]) * price
        nets = [name.rpartition("/")[2] for name in chosen]
        pull = np.array(
            [PULL[each in DERIVED and each.split()[-1] not in COUNTED_LUTS] for each in nets]
        )
        start = np.array([each in DERIVED for each in nets], float)
        solved = _non_negative(matrix * price[:, None], wanted, start, pull)
        found |= {name: round(float(v), 4) for name, v in zip(chosen, solved, strict=True)}
    return found


def _non_negative(
    matrix: NDArray[np.float64],
    wanted: NDArray[np.float64],
    start: NDArray[np.float64],
    pull: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the least-squares solution without negative values, by coordinate descent."""
    square = matrix.T @ matrix + np.diag(pull)
    right = matrix.T @ wanted + pull * start
    found = start.copy()
    for _ in range(ROUNDS):
        for j in range(len(found)):
            found[j] = max(0.0, found[j] + (right[j] - square[j] @ found) / square[j, j])
    return found


def measured_energy(rates: Mapping[str, float], known: Constants) -> float:
    """Return measured toggle energy per cycle in pJ, without the clock."""
    return sum(rates[name] * float(getattr(known, name)) for name in ("inputs", *KINDS))
