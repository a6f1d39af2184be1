"""Floor 4. The frame of a sweep's figure: axes, ticks, titles, and what lies outside of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from hw import target
from sweeps.looks import GREY, Layout
from sweeps.points import Point, front_numbers, lanes_text

LEAST_ACCURACY_PERCENT = 80.0
"""The frame ends here, or 20 below the float network if that is less."""

BEYOND_FRONT = 5.0
"""The frame ends at this multiple of the front's largest area."""

MOST_BITS = 1.6
"""The frame of bits per byte ends at this multiple of the float network's."""

_NOISE_PERCENT = 1.0
_NOISE_BITS = 0.02
_ACCURACY_TICKS = (0, 20, 40, 50, 60, 70, 80, 85, 90, 93, 95, 96, 97, 98, 99, 99.5, 100)
_AREA_TICKS = tuple(m * 10**e for e in range(-2, 5) for m in (1, 1.5, 2, 3, 5, 7))

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


def objectives(points: Sequence[Point]) -> tuple[str, str]:
    """The two objectives of a figure: the metric's, and area."""
    return points[0].judged.objective, "sites_per_lane"


def best_points(points: Sequence[Point]) -> list[Point]:
    """The front of a figure's points, from large and good to small."""
    return (
        [points[number] for number in front_numbers(points, objectives(points))] if points else []
    )


def is_shown(axes: Axes, point: Point) -> bool:
    """Whether a point is good enough for the frame."""
    bottom, top = axes.get_ylim()
    return point.value >= bottom if top > bottom else point.value <= bottom


def set_frame(
    axes: Axes, points: Sequence[Point], sizes: Layout, together: Sequence[Point] = ()
) -> None:
    """Scale and name the axes, better is up; say how many points lie outside.

    `together` are the points of all panels, which share the scale upwards; `points` if none.
    """
    _set_upward(axes, together or points)
    area = np.array([point.sites_per_lane for point in points])
    good = np.array([is_shown(axes, point) for point in points])
    shown = [point for point, inside in zip(points, good, strict=True) if inside] or points
    last = max(point.sites_per_lane for point in best_points(shown))
    left = min(point.sites_per_lane for point in shown) / sizes.left_margin
    right = max(min(area.max() * 1.15, last * BEYOND_FRONT), left * 2)
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    outside = int(((area < left) | (area > right) | ~good).sum())
    if outside:
        _note_outside(axes, outside, sizes)
    _ticks(axes.xaxis, _AREA_TICKS)
    axes.tick_params(labelsize=sizes.small, length=2.5, width=0.6, colors="#333333")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_linewidth(0.6)
    axes.grid(color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel(_area_title(points, sizes), fontsize=sizes.text)
    title = points[0].judged.title.format(inputs=points[0].inputs)
    axes.set_ylabel(title, fontsize=sizes.text)


def _set_upward(axes: Axes, points: Sequence[Point]) -> None:
    values = np.array([point.value for point in points])
    if points[0].metric == "accuracy":
        axes.set_yscale("function", functions=(stretched, unstretched))
        axes.set_ylim(_bottom(points, values), 100.2)
        _ticks(axes.yaxis, _ACCURACY_TICKS)
        return
    # Logarithmic in the bits lost, linear within what the held-out contexts do not resolve.
    base = points[0].float_value
    best = min(float(values.min()), *points[0].float_interval)
    noise = max(2 * (base - best), _NOISE_BITS)

    def forward(bits: Any) -> Any:
        return np.log(np.maximum(np.asarray(bits) - base, -0.9 * noise) + noise)

    def back(place: Any) -> Any:
        return np.exp(np.asarray(place)) - noise + base

    least = base * MOST_BITS
    if values.min() > least:
        least = float(values.min()) * 1.3
    bottom = min(least, max(float(values.max()) * 1.05, base + 2 * noise))
    axes.set_yscale("function", functions=(forward, back))
    axes.set_ylim(bottom, base - 0.65 * noise)
    _ticks(axes.yaxis, round_ticks(base - 0.65 * noise, bottom, forward))


def round_ticks(
    low: float, high: float, forward: Callable[[Any], Any], most: int = 9
) -> list[float]:
    """Round numbers from `low` to `high` that stand apart on a scale, the roundest first."""
    apart = abs(forward(high) - forward(low)) / most
    found: list[float] = []
    for step in (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01):
        for number in range(int(np.ceil(low / step)), int(high / step) + 1):
            value = round(number * step, 2)
            if all(abs(forward(value) - forward(other)) >= apart for other in found):
                found.append(value)
    return sorted(found)


def _bottom(points: Sequence[Point], accuracy: Numbers) -> float:
    least = min(LEAST_ACCURACY_PERCENT, points[0].float_value - 20)
    if accuracy.max() < least:
        least = float(accuracy.max()) - 20
    return max(least, float(accuracy.min()) - 2, 0.0)


def _ticks(axis: Any, places: Sequence[float]) -> None:
    axis.set_major_locator(FixedLocator(list(places)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _note_outside(axes: Axes, outside: int, sizes: Layout) -> None:
    _note(axes, f"{outside} pairs lie beyond the frame", 3, sizes)


def _note(axes: Axes, text: str, above: float, sizes: Layout) -> None:
    axes.annotate(
        text,
        (1, 0),
        xycoords="axes fraction",
        xytext=(-2, above),
        textcoords="offset points",
        ha="right",
        fontsize=sizes.small,
        color=GREY,
        path_effects=[withStroke(linewidth=2, foreground="white")],
        zorder=6,
    )


def note_missing(axes: Axes, count: int, sizes: Layout) -> None:
    """Say how many pairs have no place in a figure because they have no hardware."""
    if count:
        text = "pair without hardware is" if count == 1 else "pairs without hardware are"
        _note(axes, f"{count} {text} not drawn", 4 + 1.5 * sizes.small, sizes)


def _area_title(points: Sequence[Point], sizes: Layout) -> str:
    kinds = sorted({point.accumulator for point in points})
    exact = [name for name in kinds if name.startswith("exact:")]
    rest = [name for name in kinds if not name.startswith("exact:")]
    terms = sorted((name.split(":")[1] for name in exact), key=int)
    parts = [f"exact over {' or '.join(terms)} products"] if terms else []
    if exact and all(name.startswith("window:") for name in rest):
        rest = [f"{name.split(':')[1]}-bit window beyond 80 bits" for name in rest]
    title = target.load(points[0].target).title
    single = {point.lanes for point in points} == {1}
    unit = "multiply-accumulate" if single else f"{lanes_text(points)} dot product"
    area = f"LUT-only sites per lane, {unit} on {title} (estimated for Yosys)"
    ends = f"accumulator {', '.join(parts + rest)}"
    texts = [f"{area}; {ends}"] if sizes.legend_columns < 4 else [area, ends]
    return "\n".join(line for text in texts for line in wrap(text, sizes.title_characters))
