"""Floor 4. The figure of a sweep: held-out accuracy versus area, families, fronts and confidence.

Across: sites per lane, logarithmic. Up: accuracy, on a logarithmic axis of the error, so that the
percents near the top are told apart and the poor points are still there. Drawn with the Agg and
SVG back ends directly, without touching matplotlib's global state; equal points give equal bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from matplotlib.transforms import blended_transform_factory

from hw import target
from hw.formats import MinifloatFormat, Specials, parse
from sweeps.accuracy import wilson
from sweeps.files import write_whole
from sweeps.labels import Box, Label, place_labels
from sweeps.points import Point, front_numbers

OBJECTIVES = ("error_percent", "sites_per_lane")
LARGEST_ERROR_PERCENT = 60.0
BEYOND_FRONT = 5.0
"""The frame ends at this error, and at this multiple of the front's largest area."""

BLACK, GREY = "#000000", "#6b6b6b"


@dataclass(frozen=True, slots=True)
class Look:
    """How a family of pairs is drawn: Okabe-Ito colour, marker, and its name in the legend."""

    colour: str
    marker: str
    title: str


LOOKS = {
    "integer × integer": Look("#0072B2", "s", "integer × integer"),
    "minifloat × minifloat": Look("#D55E00", "o", "minifloat × minifloat"),
    "integer × minifloat": Look("#009E73", "^", "integer weight × minifloat"),
    "minifloat × integer": Look("#CC79A7", "v", "minifloat weight × integer"),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes of a figure, in inches and typographic points."""

    width: float
    height: float
    text: float
    small: float
    marker: float
    columns: int
    characters: int
    most_labels: int


LAYOUTS = {
    "wide": Layout(7.2, 4.7, 9.0, 7.6, 3.4, 4, 90, 20),
    "column": Layout(3.5, 3.4, 6.4, 5.8, 2.2, 2, 58, 12),
}
PNG_DPI = {"wide": 200, "column": 400}
_NOT_OURS = ("backend", "backend_fallback", "interactive", "toolbar", "timezone", "docstring")
_ERROR_TICKS = (0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0, 90.0)
_AREA_TICKS = tuple(m * 10**e for e in range(5) for m in (1, 1.5, 2, 3, 5, 7))


def save_figure(points: Sequence[Point], stem: Path, layout: str = "wide") -> tuple[Path, Path]:
    """Draw the points to `stem`.png and `stem`.svg; each written aside, then renamed.

    Raises
    ------
    ValueError
        As `render`.
    OSError
        If a file cannot be written.
    """
    paths = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")
    with _settings():
        figure = draw(points, layout)
        for path in paths:
            write_whole(path, _bytes(figure, path.suffix[1:], layout))
    return paths


def render(points: Sequence[Point], kind: str, layout: str = "wide") -> bytes:
    """The figure as the bytes of a `png`, `svg` or `pdf` file.

    Parameters
    ----------
    points
        Points of one network on one target.
    layout
        One of `LAYOUTS`: `wide` for a README or two columns, `column` for a single column.

    Raises
    ------
    ValueError
        If there are no points, or they are of several networks or targets.
    """
    with _settings():
        return _bytes(draw(points, layout), kind, layout)


@contextmanager
def _settings() -> Iterator[None]:
    """Matplotlib's defaults whatever the user's are, and SVG without random names."""
    own: dict[Any, Any] = {
        "svg.hashsalt": "macloom",
        "svg.fonttype": "path",
        "path.simplify": False,
    }
    usual: dict[Any, Any] = {k: v for k, v in mpl.rcParamsDefault.items() if k not in _NOT_OURS}
    with mpl.rc_context({**usual, **own}):
        yield


def _bytes(figure: Figure, kind: str, layout: str) -> bytes:
    stream = io.BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}
    figure.savefig(stream, format=kind, dpi=PNG_DPI[layout], metadata=dates[kind])
    return stream.getvalue()


def draw(points: Sequence[Point], layout: str = "wide") -> Figure:
    """The figure itself, for further use; parameters and errors as for `render`."""
    _check(points, layout)
    sizes = LAYOUTS[layout]
    figure = Figure(figsize=(sizes.width, sizes.height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _scales(axes, points, sizes)
    _crowd(axes, points, sizes)
    _baseline(axes, points[0], sizes)
    lines = _fronts(axes, points, sizes)
    best = [points[number] for number in front_numbers(points, OBJECTIVES)]
    _best(axes, best, sizes)
    _legend(figure, points, best, sizes)
    _label(figure, axes, points, best, lines, sizes)
    return figure


def _check(points: Sequence[Point], layout: str) -> None:
    if layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {', '.join(LAYOUTS)}, not {layout!r}")
    if not points:
        raise ValueError("a figure needs at least one point, there are none")
    for what in ("network", "target", "lanes"):
        values = sorted({str(getattr(point, what)) for point in points})
        if len(values) > 1:
            raise ValueError(f"a figure shows one {what}, not {', '.join(values)}")


def _error(point: Point) -> float:
    """Error in percent as drawn: a point without any error is drawn at half an image."""
    return max(point.error_percent, 50.0 / point.images)


def _scales(axes: Axes, points: Sequence[Point], sizes: Layout) -> None:
    area = np.array([point.sites_per_lane for point in points])
    errors = np.array([_error(point) for point in points])
    axes.set_xscale("log")
    axes.set_yscale("log")
    last = max(points[number].sites_per_lane for number in front_numbers(points, OBJECTIVES))
    right = min(area.max() * 1.15, last * BEYOND_FRONT)
    least = min(errors.min(), 100 - points[0].float_accuracy_percent)
    axes.set_xlim(area.min() / 1.35, right)
    axes.set_ylim(min(errors.max() * 1.15, LARGEST_ERROR_PERCENT), least / 1.9)
    outside = int(((area > right) | (errors > axes.get_ylim()[0])).sum())
    if outside:
        _note_outside(axes, outside, sizes)
    _ticks(axes.xaxis, _AREA_TICKS, lambda value: f"{value:g}")
    _ticks(axes.yaxis, _ERROR_TICKS, lambda value: f"{100 - value:g}")
    axes.tick_params(labelsize=sizes.small, length=2.5, width=0.6, colors="#333333")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_linewidth(0.6)
    axes.grid(color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel(_area_title(points, sizes), fontsize=sizes.text)
    axes.set_ylabel(f"Accuracy on {points[0].images} held-out images (%)", fontsize=sizes.text)


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


def _ticks(axis: Any, places: Sequence[float], text: Any) -> None:
    axis.set_major_locator(FixedLocator(list(places)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))


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
    texts = [f"{area}; {ends}"] if sizes.columns < 4 else [area, ends]
    return "\n".join(line for text in texts for line in wrap(text, sizes.characters))


def _crowd(axes: Axes, points: Sequence[Point], sizes: Layout) -> None:
    for family, look in LOOKS.items():
        chosen = [point for point in points if point.family == family]
        axes.plot(
            [point.sites_per_lane for point in chosen],
            [_error(point) for point in chosen],
            look.marker,
            color=look.colour,
            markersize=sizes.marker,
            markeredgewidth=0,
            alpha=0.32,
            zorder=2,
        )


def _baseline(axes: Axes, point: Point, sizes: Layout) -> None:
    """The float network: a dashed line, and its interval as a bar at the right edge."""
    error = 100 - point.float_accuracy_percent
    axes.axhline(error, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1.5)
    low, high = wilson(point.float_correct, point.images)
    bar = blended_transform_factory(axes.transAxes, axes.transData)
    style: dict[str, Any] = {"color": GREY, "linewidth": 1.0, "zorder": 6, "clip_on": False}
    axes.plot([1.012] * 2, [100 - 100 * low, 100 - 100 * high], transform=bar, **style)
    for end in (low, high):
        axes.plot([1.006, 1.018], [100 - 100 * end] * 2, transform=bar, **style)
    axes.annotate(
        f"float64 {point.float_accuracy_percent:.1f} %",
        (1, error),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=sizes.small,
        color=GREY,
        path_effects=[withStroke(linewidth=2, foreground="white")],
        zorder=6,
    )


def _fronts(axes: Axes, points: Sequence[Point], sizes: Layout) -> list[Line2D]:
    """Step lines: a front for integers, one for minifloats, and the overall one with its band."""
    lines = []
    for family in ("integer × integer", "minifloat × minifloat"):
        chosen = [point for point in points if point.family == family]
        style = {"color": LOOKS[family].colour, "linewidth": 0.35 * sizes.marker, "zorder": 3}
        lines += _steps(axes, chosen, style)
    best = [points[number] for number in front_numbers(points, OBJECTIVES)]
    low = [max(100 - point.accuracy_high_percent, 1e-3) for point in best]
    high = [100 - point.accuracy_low_percent for point in best]
    x = [point.sites_per_lane for point in best] + [axes.get_xlim()[1]]
    axes.fill_between(
        x, [*low, low[-1]], [*high, high[-1]], step="post", color=BLACK, alpha=0.1, lw=0, zorder=1
    )
    style = {"color": BLACK, "linewidth": 0.35 * sizes.marker, "zorder": 4}
    return lines + _steps(axes, points, style)


def _steps(axes: Axes, points: Sequence[Point], style: dict[str, Any]) -> list[Line2D]:
    best = [points[number] for number in front_numbers(points, OBJECTIVES)]
    if not best:
        return []
    x = [point.sites_per_lane for point in best] + [axes.get_xlim()[1]]
    y = [_error(point) for point in best]
    return axes.plot(x, [*y, y[-1]], drawstyle="steps-post", **style)


def _best(axes: Axes, best: Sequence[Point], sizes: Layout) -> None:
    """Front points, larger; where measured, a diamond at the measured place tied to them."""
    for point in best:
        look, y = LOOKS[point.family], _error(point)
        axes.plot(
            point.sites_per_lane,
            y,
            look.marker,
            color=look.colour,
            markersize=2.0 * sizes.marker,
            markeredgecolor=BLACK,
            markeredgewidth=0.7,
            zorder=5,
        )
        measured = point.sites_per_lane_measured
        if measured is not None:
            axes.plot([point.sites_per_lane, measured], [y, y], color=BLACK, lw=0.7, zorder=5.5)
            axes.plot(
                measured,
                y,
                "D",
                color="white",
                markersize=0.95 * sizes.marker,
                markeredgecolor=BLACK,
                markeredgewidth=0.7,
                zorder=5.6,
            )


def _legend(figure: Figure, points: Sequence[Point], best: Sequence[Point], sizes: Layout) -> None:
    present = {point.family for point in points}
    size = 1.5 * sizes.marker
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, ms=size, lw=0, label=look.title)
        for family, look in LOOKS.items()
        if family in present
    ]
    label = "front, 95 % interval shaded"
    handles.append(Line2D([], [], color=BLACK, lw=0.35 * sizes.marker, label=label))
    for family, word in (("integer × integer", "integer"), ("minifloat × minifloat", "minifloat")):
        if family in present:
            colour = LOOKS[family].colour
            label = f"{word}-only front"
            handles.append(Line2D([], [], color=colour, lw=0.35 * sizes.marker, label=label))
    if any(point.sites_per_lane_measured is not None for point in best):
        handles.append(Line2D([], [], color="white", marker="D", ms=0.8 * size, lw=0))
        handles[-1].set(markeredgecolor=BLACK, markeredgewidth=0.8, label="measured (Yosys)")
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=sizes.columns,
        fontsize=sizes.small,
        frameon=False,
        handlelength=1.4,
        handletextpad=0.5,
        columnspacing=1.4,
        labelspacing=0.35,
        borderpad=0.1,
    )


def _label(
    figure: Figure,
    axes: Axes,
    points: Sequence[Point],
    best: Sequence[Point],
    lines: Sequence[Line2D],
    sizes: Layout,
) -> None:
    """Name the most accurate front points."""
    named = sorted(best, key=lambda point: point.error_percent)[: sizes.most_labels]
    finite = _all_finite(points)
    texts = [
        axes.annotate(
            _short(point, finite),
            (point.sites_per_lane, _error(point)),
            fontsize=sizes.small,
            color=BLACK,
            path_effects=[withStroke(linewidth=1.8, foreground="white")],
            zorder=7,
        )
        for point in named
    ]
    figure.canvas.draw()
    figure.set_layout_engine("none")
    to_pixels = axes.transData.transform
    unit = figure.dpi / 72
    radius = sizes.marker * unit
    labels = []
    for point, text in zip(named, texts, strict=True):
        x, y = to_pixels((point.sites_per_lane, _error(point)))
        extent = text.get_window_extent()
        labels.append(Label(x, y, radius, extent.width + 2 * unit, extent.height))
    bounds = axes.get_window_extent()
    frame = Box(bounds.x0 + unit, bounds.y0 + unit, bounds.x1 - unit, bounds.y1)
    measured = [
        (point.sites_per_lane_measured, _error(point))
        for point in best
        if point.sites_per_lane_measured is not None
    ]
    marks = [(point.sites_per_lane, _error(point)) for point in points]
    heavy = [(point.sites_per_lane, _error(point)) for point in best]
    drawn = np.concatenate([_samples(axes, line, 3 * unit) for line in lines])
    solid = [to_pixels(marks), _discs(to_pixels(heavy), radius)]
    solid += [_discs(to_pixels(measured), radius / 2)] if measured else []
    boxes = place_labels(labels, frame, np.concatenate(solid), drawn, unit)
    to_data = axes.transData.inverted().transform
    for label, box, text in zip(labels, boxes, texts, strict=True):
        text.set_position(((box.left - label.x) / unit + 1, (box.bottom - label.y) / unit))
        text.set_anncoords("offset points")
        _leader(axes, label, box, to_data, radius + 3 * unit)


def _leader(axes: Axes, label: Label, box: Box, to_data: Any, shortest: float) -> None:
    """A thin line from a label to its point, unless they are close together."""
    end = box.nearest(label.x, label.y)
    if np.hypot(end[0] - label.x, end[1] - label.y) > shortest:
        x, y = to_data([(label.x, label.y), end]).T
        axes.plot(x, y, color=GREY, linewidth=0.5, zorder=4.5)


def _discs(centres: Any, radius: float) -> Any:
    """Places that fill discs: each centre and rings around it."""
    angles = np.arange(8) * np.pi / 4
    ring = np.column_stack([np.cos(angles), np.sin(angles)])
    shape = np.concatenate([[[0, 0]], ring * radius / 2, ring * radius])
    return (np.asarray(centres)[:, None] + shape).reshape(-1, 2)


def _samples(axes: Axes, line: Line2D, step: float) -> Any:
    """Pixels along a step line."""
    corners = axes.transData.transform(np.column_stack(line.get_data()))
    middle = np.column_stack([corners[1:, 0], corners[:-1, 1]])
    path = np.insert(corners, np.arange(1, len(corners)), middle, axis=0)
    pieces = [
        np.linspace(start, end, 2 + int(np.hypot(*(end - start)) / step))
        for start, end in pairwise(path)
    ]
    return np.concatenate(pieces)


def _all_finite(points: Sequence[Point]) -> bool:
    formats = {parse(name) for point in points for name in (point.weight, point.activation)}
    return all(
        format.specials is Specials.FINITE
        for format in formats
        if isinstance(format, MinifloatFormat)
    )


def _short(point: Point, finite: bool) -> str:
    """The pair's name; without `finite` where all minifloats of the figure are."""
    if not finite:
        return point.pair
    names = [name.removesuffix("finite") for name in (point.weight, point.activation)]
    return "×".join(n.removesuffix("fn") if n.startswith("e") else n for n in names)
