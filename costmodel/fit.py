"""Floor 2c: from measured parts to the coefficients that are fitted; pure and deterministic.

Most numbers of a target follow from how its cells work and are not fitted. Fitted are plain
products wider than the measured ones, and the flags of infinities, both by least squares. Residuals
are those of points left out: each point is predicted by a fit to all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from costmodel.coefficients import Coefficients
from costmodel.lanes import unpack_luts
from costmodel.measured import product_kind
from hw.formats import parse_element
from hw.plan import OperandPlan

LEAST_BITS = 3
"""Products of narrower operands are not what a wide one continues."""
_PRODUCT = re.compile(r"([su])(\d+)x([su])(\d+)")


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients of a linear formula.

    Parameters
    ----------
    values
        In the order of the formula's features.
    points
        Measurements it was fitted on.
    residual
        Mean absolute error of left-out points, in LUTs.
    relative
        The same as a fraction of their mean.

    """

    values: tuple[float, ...]
    points: int
    residual: float
    relative: float

    @property
    def source(self) -> str:
        """Provenance for the coefficient file."""
        return (
            f"least squares on {self.points} measured parts; left-out points within "
            f"{self.residual:.1f} LUT ({100 * self.relative:.1f} %) in the mean"
        )


def fit_products(measured: Iterable[Mapping[str, str]]) -> dict[str, Fit]:
    """Return the formula of wide plain products for each pair of signs.

    Features: product of the operand widths, their sum, 1.

    Parameters
    ----------
    measured
        Rows of ``measured_<target>.csv``.

    """
    points: dict[str, list[tuple[int, int, int]]] = {"unsigned": [], "mixed": [], "signed": []}
    for row in measured:
        if row["part"] != "product":
            continue
        match = _PRODUCT.fullmatch(row["key"])
        assert match is not None
        a, b = int(match[2]), int(match[4])
        if min(a, b) >= LEAST_BITS:
            points[product_kind(match[1] == "s", match[3] == "s")].append((a, b, int(row["lut"])))
    return {
        kind: _fit([(a * b, a + b, 1) for a, b, _ in found], [lut for *_, lut in found])
        for kind, found in points.items()
    }


def fit_special_flags(measured: Iterable[Mapping[str, str]], target: Coefficients) -> Fit:
    """Return the formula of what joins two classifiers where an operand can be infinite.

    Features: 1, whether both operands have infinities, whether both have specials, whether both
    are signed.
    """
    features, luts = [], []
    for row in measured:
        if row["part"] != "infinity_lane":
            continue
        operands = [OperandPlan(parse_element(name)) for name in row["key"].split(":")]
        plain = sum(unpack_luts(operand, False, True, target) for operand in operands)
        plain += all(operand.has_sign for operand in operands)
        found = (
            sum(operand.has_infinity for operand in operands),
            sum(operand.format.has_specials for operand in operands),
            sum(operand.format.signed for operand in operands),
        )
        features.append((1, *(number - 1 for number in found)))
        luts.append(int(row["lut"]) - plain)
    return _fit(features, luts)


def fit(measured: Sequence[Mapping[str, str]], target: Coefficients) -> dict[str, Any]:
    """Return all fitted coefficients of a target, as they stand in ``fitted_<target>.yaml``.

    Parameters
    ----------
    measured
        Rows of ``measured_<target>.csv``.
    target
        The target's other coefficients.

    """
    products = fit_products(measured)
    return {
        "wide_product": {kind: _entry(found) for kind, found in products.items()},
        "special_flags": {"infinity": _entry(fit_special_flags(measured, target))},
    }


def _entry(found: Fit) -> dict[str, Any]:
    return {"value": list(found.values), "source": found.source}


def _fit(features: Sequence[Sequence[float]], values: Sequence[float]) -> Fit:
    """Return a least-squares fit with the errors of left-out points."""
    if len(values) <= len(features[0]):
        raise ValueError(f"a fit needs more points than coefficients, not {len(values)}")
    matrix, wanted = np.array(features, float), np.array(values, float)
    found = np.linalg.lstsq(matrix, wanted, rcond=None)[0]
    # The error of a point left out is its residual over one minus its leverage.
    leverage = np.einsum("ij,ji->i", matrix, np.linalg.pinv(matrix))
    errors = np.abs(wanted - matrix @ found) / np.maximum(1 - leverage, 1e-9)
    return Fit(
        tuple(round(float(value), 4) for value in found),
        len(values),
        round(float(errors.mean()), 2),
        round(float(errors.mean() / max(np.abs(wanted).mean(), 1e-9)), 4),
    )
