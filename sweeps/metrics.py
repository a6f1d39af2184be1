"""Floor 4. What networks are judged by: accuracy or bits per byte, its columns and its words.

A result is what `sweeps.accuracy.evaluate_scores` found, summed up as plain JSON values: the
metric's value with its 95 % interval, the float network's on the same inputs, and the score of
each input, packed, so that two results can be compared input by input (`sweeps.bootstrap`).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sweeps.accuracy import Scores, wilson
from sweeps.bootstrap import paired

Numbers = npt.NDArray[np.float64]
_BITS, _SINGLES = "bits", "float32"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric and where points have it.

    Parameters
    ----------
    name
        As `sweeps.datasets.Data.metric` says it.
    value, low, high, float_value, inputs
        Columns of `sweeps.points.Point`: the value, its 95 % interval, the float network's value,
        and how many held-out inputs it is of.
    objective
        The column that is minimised.
    rises
        Whether more is better.
    heading, unit, decimals
        In tables and figures; `unit` follows a number.
    title
        Of an axis; `{inputs}` stands for their number.
    is_series
        Whether neighbouring inputs resemble each other, as contexts of one text do.

    """

    name: str
    value: str
    low: str
    high: str
    float_value: str
    inputs: str
    objective: str
    rises: bool
    heading: str
    unit: str
    decimals: int
    title: str
    is_series: bool

    def text(self, value: float) -> str:
        """Return a value with as many decimals as it deserves."""
        return f"{value:.{self.decimals}f}"


METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            name="accuracy",
            value="accuracy_percent",
            low="accuracy_low_percent",
            high="accuracy_high_percent",
            float_value="float_accuracy_percent",
            inputs="images",
            objective="error_percent",
            rises=True,
            heading="accuracy %",
            unit=" %",
            decimals=1,
            title="Accuracy on {inputs} held-out images (%)",
            is_series=False,
        ),
        Metric(
            name="bits_per_byte",
            value="bits_per_byte",
            low="bits_per_byte_low",
            high="bits_per_byte_high",
            float_value="float_bits_per_byte",
            inputs="contexts",
            objective="bits_per_byte",
            rises=False,
            heading="bits per byte",
            unit=" bits per byte",
            decimals=3,
            title="Bits per byte on {inputs} held-out contexts",
            is_series=True,
        ),
    )
}
OBJECTIVES = tuple(metric.objective for metric in METRICS.values())


def find_metric(name: str) -> Metric:
    """Return the metric of that name; ValueError if there is none."""
    if name not in METRICS:
        raise ValueError(f"a metric is one of {', '.join(METRICS)}, not {name!r}")
    return METRICS[name]


def summary(metric: str, scores: Scores) -> dict[str, Any]:
    """Sum scores up: `metric`, `inputs`, `method`, `value`, `low`, `high`, `float_…`, `scores`.

    Accuracies are in percent with Wilson's interval; bits per byte have the interval of a
    bootstrap over blocks of neighbouring contexts.

    Raises
    ------
    ValueError
        For an unknown metric, no scores, or scores that are NaN.

    """
    find_metric(metric)
    interval = _share if metric == "accuracy" else _bits
    value, low, high = interval(scores.quantised)
    float_value, float_low, float_high = interval(scores.floating)
    return {
        "metric": metric,
        "inputs": len(scores.quantised),
        "method": scores.method,
        "value": value,
        "low": low,
        "high": high,
        "float_value": float_value,
        "float_low": float_low,
        "float_high": float_high,
        "scores": pack(scores.quantised),
    }


def _share(scores: Numbers) -> tuple[float, float, float]:
    correct = int(scores.sum())
    low, high = wilson(correct, len(scores))
    return 100 * correct / len(scores), 100 * low, 100 * high


def _bits(scores: Numbers) -> tuple[float, float, float]:
    # scores are minus the bits per byte
    found = paired(scores, np.zeros(len(scores)), is_series=True)
    return -found.mean, -found.high, -found.low


def pack(scores: npt.ArrayLike) -> str:
    """Return scores (input,) as text: a bit each where all are 0 or 1, else float32."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"scores are finite numbers in a row, not of shape {values.shape}")
    binary = bool(np.isin(values, (0.0, 1.0)).all())
    data = np.packbits(values.astype(bool)) if binary else values.astype("<f4")
    kind = _BITS if binary else _SINGLES
    return f"{kind}:{len(values)}:{base64.b64encode(data.tobytes()).decode('ascii')}"


def unpack(text: str) -> Numbers:
    """Return what `pack` was given, up to the precision of float32; ValueError for other text."""
    kind, _, rest = text.partition(":")
    length, _, data = rest.partition(":")
    try:
        count, raw = int(length), base64.b64decode(data, validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(f"packed scores are KIND:COUNT:BASE64, not {text[:40]!r}") from None
    size = {_BITS: (count + 7) // 8, _SINGLES: 4 * count}.get(kind)
    if count < 0 or size != len(raw):
        raise ValueError(f"packed scores of {count} inputs cannot be {len(raw)} bytes of {kind}")
    if kind == _SINGLES:
        return np.frombuffer(raw, dtype="<f4").astype(np.float64)
    return np.unpackbits(np.frombuffer(raw, dtype=np.uint8), count=count).astype(np.float64)
