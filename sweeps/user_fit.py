"""Floor 4: from measured designs to a user's target: weights of the lines of a breakdown.

Our estimate of a design is a sum of lines (product, shifter, accumulator, …). The weight of each
line is fitted so that the sum is what the user's tool counts, held near one common scale as far as
the designs do not say otherwise (ridge regression on relative errors). Errors are those of designs
left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

import costmodel
from costmodel.user import OTHERS, VERSION
from hw.design import Design
from hw.target import Target
from sweeps.autotune import resolve
from sweeps.calibrate import Errors, errors_of

LEAST_DESIGNS = 3
RIDGES = (0.003, 0.03, 0.3, 3.0, 30.0)
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Point:
    """A design and what the user's tool counted; `source` says where that stands."""

    design: Design
    lut: int
    source: str


@dataclass(frozen=True, slots=True)
class UserFit:
    """Weights of a user's target, with the errors before and after.

    Parameters
    ----------
    feature
        "lut" or "sites", whichever predicts left-out designs better.
    weights
        By label, and `OTHERS`.
    before
        Errors of our own estimates against the user's tool.
    after
        Errors of left-out designs.

    """

    feature: str
    weights: dict[str, float]
    before: Errors
    after: Errors


def fit_user(points: Sequence[Point], base: Target) -> UserFit:
    """Return the weights that fit measured designs.

    Raises
    ------
    ValueError
        For fewer than three designs, one that measured no LUTs, or one the model does not cover.

    """
    if len(points) < LEAST_DESIGNS:
        raise ValueError(f"a calibration needs at least {LEAST_DESIGNS} designs, not {len(points)}")
    for point in points:
        if point.lut < 1:
            raise ValueError(f"{point.source}: a design has at least one LUT, not {point.lut}")
    wanted = np.array([point.lut for point in points], float)
    best: tuple[float, str, float, tuple[str, ...], Numbers] | None = None
    for feature in ("lut", "sites"):
        labels, matrix = _lines(points, base, feature)
        for ridge in RIDGES:
            left_out = [_predict_without(matrix, wanted, ridge, k) for k in range(len(points))]
            mean = float(np.abs(np.array(left_out) / wanted - 1).mean())
            if best is None or mean < best[0]:
                best = mean, feature, ridge, labels, np.array(left_out)
    assert best is not None
    _, feature, ridge, labels, left_out_best = best
    matrix = _lines(points, base, feature)[1]
    weights, scale = _weights(matrix, wanted, ridge)
    found = {label: round(float(w), 4) for label, w in zip(labels, weights, strict=True)}
    ours = [float(value) for value in matrix.sum(axis=1)]
    return UserFit(
        feature,
        found | {OTHERS: round(scale, 4)},
        errors_of(list(zip(ours, wanted.tolist(), strict=True))),
        errors_of(list(zip(left_out_best.tolist(), wanted.tolist(), strict=True))),
    )


def to_yaml(points: Sequence[Point], fitted: UserFit, base: Target, tool: str) -> str:
    """Return the file of a user's target, with where each number comes from."""
    designs = [point.design for point in points]
    bits = [f.bits for design in designs for f in (design.weight, design.activation)]
    lanes = [design.lanes for design in designs]
    luts = [point.lut for point in points]
    record: dict[str, Any] = {
        "version": VERSION,
        "base": base.name,
        "tool": tool,
        "designs": len(points),
        "feature": fitted.feature,
        "weights": fitted.weights,
        "error_percent": {
            name: round(getattr(fitted.after, name), 2)
            for name in ("mean", "percentile_95", "worst")
        },
        "range": {
            "kinds": sorted({design.kind for design in designs}),
            "accumulators": sorted({design.accumulator.kind.value for design in designs}),
            "operand_bits": [min(bits), max(bits)],
            "lanes": [min(lanes), max(lanes)],
            "lut": [min(luts), max(luts)],
        },
        "provenance": [
            {"design": point.design.slug, "lut": point.lut, "source": point.source}
            for point in points
        ],
    }
    head = "# A user's target, written by `macloom calibrate`. Errors: of designs left out.\n"
    return head + yaml.safe_dump(record, sort_keys=False, default_flow_style=None, width=100)


def _lines(points: Sequence[Point], base: Target, feature: str) -> tuple[tuple[str, ...], Numbers]:
    """Return the labels of all breakdowns and a row of their sizes for each design."""
    rows = []
    for point in points:
        found = costmodel.estimate(resolve(point.design, base), base)
        rows.append({part.label: getattr(part, feature) for part in found.breakdown})
    labels = tuple(sorted({label for row in rows for label in row}))
    return labels, np.array([[row.get(label, 0) for label in labels] for row in rows], float)


def _weights(matrix: Numbers, wanted: Numbers, ridge: float) -> tuple[Numbers, float]:
    """Return the weights, at least 0, and the common scale they are held near."""
    totals = matrix.sum(axis=1)
    scale = float(np.median(wanted / np.maximum(totals, 1)))
    relative = matrix / wanted[:, None]
    rest = 1 - scale * relative.sum(axis=1)
    gram = relative.T @ relative + ridge * np.eye(matrix.shape[1])
    return np.maximum(scale + np.linalg.solve(gram, relative.T @ rest), 0), scale


def _predict_without(matrix: Numbers, wanted: Numbers, ridge: float, left_out: int) -> float:
    others = np.arange(len(wanted)) != left_out
    weights, scale = _weights(matrix[others], wanted[others], ridge)
    known = matrix[others].any(axis=0)
    return float(matrix[left_out] @ np.where(known, weights, scale))
