"""Floor 4. The figure of a sweep: held-out accuracy versus area, families, fronts and confidence.

Across: sites per lane, logarithmic. Up: accuracy, stretched near the top (`sweeps.frame`). Drawn
without touching matplotlib's global state; equal points give equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.transforms import blended_transform_factory

from sweeps.accuracy import wilson
from sweeps.canvas import figure_bytes, settings
from sweeps.files import write_whole
from sweeps.foreign import Peer
from sweeps.frame import OBJECTIVES, set_frame
from sweeps.looks import BLACK, GREY, LAYOUTS, LOOKS, Layout
from sweeps.naming import name_points
from sweeps.peers import draw_peers, placed
from sweeps.points import Point, front_numbers


def save_figure(
    points: Sequence[Point], stem: Path, layout: str = "wide", peers: Sequence[Peer] = ()
) -> tuple[Path, Path]:
    """Draw the points to `stem`.png and `stem`.svg; each written aside, then renamed.

    Raises
    ------
    ValueError
        As `render`.
    OSError
        If a file cannot be written.
    """
    paths = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")
    with settings():
        figure = draw(points, layout, peers)
        for path in paths:
            write_whole(path, figure_bytes(figure, path.suffix[1:], LAYOUTS[layout].dpi))
    return paths


def render(
    points: Sequence[Point], kind: str, layout: str = "wide", peers: Sequence[Peer] = ()
) -> bytes:
    """The figure as the bytes of a `png`, `svg` or `pdf` file.

    Parameters
    ----------
    points
        Points of one network on one target.
    layout
        One of `LAYOUTS`: `wide` for a README or two columns, `column` for a single column.
    peers
        Measured foreign designs, drawn at the accuracy of their formats.

    Raises
    ------
    ValueError
        If there are no points, they are of several networks or targets, or a peer does not fit.
    """
    with settings():
        return figure_bytes(draw(points, layout, peers), kind, LAYOUTS[layout].dpi)


def draw(points: Sequence[Point], layout: str = "wide", peers: Sequence[Peer] = ()) -> Figure:
    """The figure itself, for further use; parameters and errors as for `render`."""
    _check(points, layout)
    sizes = LAYOUTS[layout]
    figure = Figure(figsize=(sizes.width, sizes.height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    known = placed(peers, points)
    set_frame(axes, points, sizes)
    foreign = draw_peers(axes, known, points[0].lanes, sizes)
    _crowd(axes, points, sizes)
    _baseline(axes, points[0], sizes)
    lines = _fronts(axes, points, sizes)
    best = [points[number] for number in front_numbers(points, OBJECTIVES)]
    best = [point for point in best if point.accuracy_percent >= axes.get_ylim()[0]]
    _best(axes, best, sizes)
    _legend(figure, points, best, sizes, foreign)
    name_points(figure, axes, points, best, lines, sizes)
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


def _crowd(axes: Axes, points: Sequence[Point], sizes: Layout) -> None:
    for family, look in LOOKS.items():
        chosen = [point for point in points if point.family == family]
        axes.plot(
            [point.sites_per_lane for point in chosen],
            [point.accuracy_percent for point in chosen],
            look.marker,
            color=look.colour,
            markersize=sizes.marker,
            markeredgewidth=0,
            alpha=0.32,
            zorder=2,
        )


def _baseline(axes: Axes, point: Point, sizes: Layout) -> None:
    """The float network: a dashed line, and its interval as a bar at the right edge."""
    accuracy = point.float_accuracy_percent
    axes.axhline(accuracy, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1.5)
    low, high = wilson(point.float_correct, point.images)
    bar = blended_transform_factory(axes.transAxes, axes.transData)
    style: dict[str, Any] = {"color": GREY, "linewidth": 1.0, "zorder": 6, "clip_on": False}
    axes.plot([1.012] * 2, [100 * low, 100 * high], transform=bar, **style)
    for end in (low, high):
        axes.plot([1.006, 1.018], [100 * end] * 2, transform=bar, **style)
    axes.annotate(
        f"float64 {point.float_accuracy_percent:.1f} %",
        (1, accuracy),
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
    low = [point.accuracy_low_percent for point in best]
    high = [point.accuracy_high_percent for point in best]
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
    y = [point.accuracy_percent for point in best]
    return axes.plot(x, [*y, y[-1]], drawstyle="steps-post", **style)


def _best(axes: Axes, best: Sequence[Point], sizes: Layout) -> None:
    """Front points, larger; where measured, a diamond at the measured place tied to them."""
    for point in best:
        look, y = LOOKS[point.family], point.accuracy_percent
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


def _legend(
    figure: Figure,
    points: Sequence[Point],
    best: Sequence[Point],
    sizes: Layout,
    foreign: Sequence[Line2D],
) -> None:
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
        handles=[*handles, *foreign],
        loc="outside upper center",
        ncols=sizes.legend_columns,
        fontsize=sizes.small,
        frameon=False,
        handlelength=1.4,
        handletextpad=0.5,
        columnspacing=1.4,
        labelspacing=0.35,
        borderpad=0.1,
    )
