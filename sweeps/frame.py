"""Floor 4. The frame of a sweep's figure: axes, ticks, titles, and what lies outside of it."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from hw import target
from sweeps.looks import GREY, Layout
from sweeps.points import Point, front_numbers

OBJECTIVES = ("error_percent", "sites_per_lane")
LEAST_ACCURACY_PERCENT = 80.0
"""The frame ends here, or 20 below the float network if that is less."""

BEYOND_FRONT = 5.0
"""The frame ends at this multiple of the front's largest area."""

_NOISE_PERCENT = 1.0
_ACCURACY_TICKS = (0, 20, 40, 50, 60, 70, 80, 85, 90, 93, 95, 96, 97, 98, 99, 99.5, 100)
_AREA_TICKS = tuple(m * 10**e for e in range(5) for m in (1, 1.5, 2, 3, 5, 7))

Numbers = npt.NDArray[np.float64]


def stretched(accuracy_percent: Any) -> Any:
    """Where an accuracy stands on the axis: ``-log(error + 1 %)``.

    Logarithmic in the error, so that 97 and 98 are told apart as 80 and 85 are; linear within the
    percent or so that a few hundred images do not resolve.
    """
    return -np.log(np.maximum(100 - np.asarray(accuracy_percent), 0) + _NOISE_PERCENT)


def unstretched(place: Any) -> Any:
    """The inverse of `stretched`."""
    return 100 + _NOISE_PERCENT - np.exp(-np.asarray(place))


def set_frame(axes: Axes, points: Sequence[Point], sizes: Layout) -> None:
    """Scale and name the axes; say how many points lie outside."""
    area = np.array([point.sites_per_lane for point in points])
    accuracy = np.array([point.accuracy_percent for point in points])
    bottom = _bottom(points, accuracy)
    shown = [point for point in points if point.accuracy_percent >= bottom]
    last = max(shown[number].sites_per_lane for number in front_numbers(shown, OBJECTIVES))
    left = min(point.sites_per_lane for point in shown) / sizes.left_margin
    right = max(min(area.max() * 1.15, last * BEYOND_FRONT), left * 2)
    axes.set_xscale("log")
    axes.set_yscale("function", functions=(stretched, unstretched))
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, 100.2)
    outside = int(((area < left) | (area > right) | (accuracy < bottom)).sum())
    if outside:
        _note_outside(axes, outside, sizes)
    _ticks(axes.xaxis, _AREA_TICKS)
    _ticks(axes.yaxis, _ACCURACY_TICKS)
    axes.tick_params(labelsize=sizes.small, length=2.5, width=0.6, colors="#333333")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_linewidth(0.6)
    axes.grid(color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel(_area_title(points, sizes), fontsize=sizes.text)
    axes.set_ylabel(f"Accuracy on {points[0].images} held-out images (%)", fontsize=sizes.text)


def _bottom(points: Sequence[Point], accuracy: Numbers) -> float:
    least = min(LEAST_ACCURACY_PERCENT, points[0].float_accuracy_percent - 20)
    if accuracy.max() < least:
        least = float(accuracy.max()) - 20
    return max(least, float(accuracy.min()) - 2, 0.0)


def _ticks(axis: Any, places: Sequence[float]) -> None:
    axis.set_major_locator(FixedLocator(list(places)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _note_outside(axes: Axes, outside: int, sizes: Layout) -> None:
    axes.annotate(
        f"{outside} pairs lie beyond the frame",
        (1, 0),
        xycoords="axes fraction",
        xytext=(-2, 3),
        textcoords="offset points",
        ha="right",
        fontsize=sizes.small,
        color=GREY,
        path_effects=[withStroke(linewidth=2, foreground="white")],
        zorder=6,
    )


def _area_title(points: Sequence[Point], sizes: Layout) -> str:
    kinds = sorted({point.accumulator for point in points})
    exact = [name for name in kinds if name.startswith("exact:")]
    rest = [name for name in kinds if not name.startswith("exact:")]
    parts = [f"exact over {name.split(':')[1]} products" for name in exact]
    if exact and all(name.startswith("window:") for name in rest):
        rest = [f"{name.split(':')[1]}-bit window beyond 80 bits" for name in rest]
    title = target.load(points[0].target).title
    lanes = points[0].lanes
    unit = f"{lanes}-lane dot product" if lanes > 1 else "multiply-accumulate"
    area = f"LUT-only sites per lane, {unit} on {title} (estimated for Yosys)"
    ends = f"accumulator {', '.join(parts + rest)}"
    texts = [f"{area}; {ends}"] if sizes.legend_columns < 4 else [area, ends]
    return "\n".join(line for text in texts for line in wrap(text, sizes.title_characters))
