"""Floor 4. The figure of a sweep: what a network does versus area, families, fronts, confidence.

Across: sites per lane, logarithmic. Up: accuracy, or bits per byte with the fewest at the top,
stretched near the top (`sweeps.frame`). Drawn without touching matplotlib's global state; equal
points give equal bytes.
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

from hw import target as technology
from sweeps.canvas import figure_bytes, settings
from sweeps.files import write_whole
from sweeps.foreign import Peer
from sweeps.frame import best_points, is_shown, note_missing, set_frame
from sweeps.looks import BLACK, GREY, LAYOUTS, LOOKS, PANEL, PANELS_ACROSS, Layout
from sweeps.naming import name_points
from sweeps.peers import draw_peers, placed
from sweeps.points import Point, check_single, with_hardware
from sweeps.space import BLOCKS

FAMILY_FRONTS = {
    "integer × integer": "integer",
    "minifloat × minifloat": "minifloat",
    BLOCKS: "block",
}
"""Families whose fronts are drawn, and what they are called; points of blocks' are named too."""


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
    if layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {', '.join(LAYOUTS)}, not {layout!r}")
    missing, points = len(points), with_hardware(points)
    check_single(points, "network", "metric", "target")
    sizes = LAYOUTS[layout]
    figure = Figure(figsize=(sizes.width, sizes.height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    note_missing(axes, missing - len(points), sizes)
    _fill(figure, [(axes, points)], sizes, peers)
    return figure


def draw_targets(points: Sequence[Point], peers: Sequence[Peer] = ()) -> Figure:
    """Small multiples: a panel per target, in the order of the points; errors as for `render`."""
    every, points = points, with_hardware(points)
    check_single(points, "network", "metric")
    targets = list(dict.fromkeys(point.target for point in points))
    across = min(PANELS_ACROSS, len(targets))
    down = -(-len(targets) // across)
    size = (PANEL.width * across, PANEL.height * down)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    panels = []
    for number, target in enumerate(targets):
        axes = figure.add_subplot(down, across, number + 1)
        axes.set_title(technology.load(target).title, fontsize=PANEL.text)
        own = [point for point in points if point.target == target]
        note_missing(axes, sum(p.target == target for p in every) - len(own), PANEL)
        panels.append((axes, own))
    _fill(figure, panels, PANEL, peers)
    for number, (axes, _) in enumerate(panels):
        if number % across:
            axes.set_ylabel("")
    return figure


def render_targets(points: Sequence[Point], kind: str, peers: Sequence[Peer] = ()) -> bytes:
    """The figure of `draw_targets` as the bytes of a `png`, `svg` or `pdf` file."""
    with settings():
        return figure_bytes(draw_targets(points, peers), kind, PANEL.dpi)


def _fill(
    figure: Figure,
    panels: Sequence[tuple[Axes, Sequence[Point]]],
    sizes: Layout,
    peers: Sequence[Peer],
) -> None:
    """Draw each panel, then one legend, then names: they need the final layout."""
    together = [point for _, points in panels for point in points]
    drawn = []
    foreign: list[Line2D] = []
    for axes, points in panels:
        own = peers if len(panels) == 1 else [p for p in peers if p.target == points[0].target]
        known = placed(own, points)
        set_frame(axes, points, sizes, together)
        foreign = draw_peers(axes, known, points[0].lanes, sizes) or foreign
        _crowd(axes, points, sizes)
        _baseline(axes, points[0], sizes)
        lines = _fronts(axes, points, sizes)
        best = [point for point in best_points(points) if is_shown(axes, point)]
        _best(axes, best, sizes)
        drawn.append((axes, points, best, lines))
    _legend(figure, together, [point for part in drawn for point in part[2]], sizes, foreign)
    for axes, points, best, lines in drawn:
        blocks = best_points([point for point in points if point.family == BLOCKS])
        extra = [point for point in blocks if is_shown(axes, point) and point not in best]
        if best:
            name_points(figure, axes, points, [*best, *extra], lines, sizes)


def _crowd(axes: Axes, points: Sequence[Point], sizes: Layout) -> None:
    for family, look in LOOKS.items():
        chosen = [point for point in points if point.family == family]
        axes.plot(
            [point.sites_per_lane for point in chosen],
            [point.value for point in chosen],
            look.marker,
            color=look.colour,
            markersize=sizes.marker,
            markeredgewidth=0,
            alpha=0.32,
            zorder=2,
        )


def _baseline(axes: Axes, point: Point, sizes: Layout) -> None:
    """The float network: a dashed line, named where no front comes; its interval at the right."""
    value, metric = point.float_value, point.judged
    axes.axhline(value, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1.5)
    low, high = point.float_interval
    bar = blended_transform_factory(axes.transAxes, axes.transData)
    style: dict[str, Any] = {"color": GREY, "linewidth": 1.0, "zorder": 6, "clip_on": False}
    axes.plot([1.012] * 2, [low, high], transform=bar, **style)
    for end in (low, high):
        axes.plot([1.006, 1.018], [end] * 2, transform=bar, **style)
    axes.annotate(
        f"float64 {metric.text(value)}{metric.unit}",
        (0, value),
        xycoords=("axes fraction", "data"),
        xytext=(3, 2),
        textcoords="offset points",
        ha="left",
        va="bottom",
        fontsize=sizes.small,
        color=GREY,
        path_effects=[withStroke(linewidth=2, foreground="white")],
        zorder=6,
    )


def _fronts(axes: Axes, points: Sequence[Point], sizes: Layout) -> list[Line2D]:
    """Step lines: fronts of families of their own, and the overall one with its band."""
    lines = []
    for family in FAMILY_FRONTS:
        chosen = [point for point in points if point.family == family]
        style = {"color": LOOKS[family].colour, "linewidth": 0.35 * sizes.marker, "zorder": 3}
        lines += _steps(axes, chosen, style)
    best = best_points(points)
    low = [point.interval[0] for point in best]
    high = [point.interval[1] for point in best]
    x = [point.sites_per_lane for point in best] + [axes.get_xlim()[1]]
    axes.fill_between(
        x, [*low, low[-1]], [*high, high[-1]], step="post", color=BLACK, alpha=0.1, lw=0, zorder=1
    )
    style = {"color": BLACK, "linewidth": 0.35 * sizes.marker, "zorder": 4}
    return lines + _steps(axes, points, style)


def _steps(axes: Axes, points: Sequence[Point], style: dict[str, Any]) -> list[Line2D]:
    best = best_points(points)
    if not best:
        return []
    x = [point.sites_per_lane for point in best] + [axes.get_xlim()[1]]
    y = [point.value for point in best]
    return axes.plot(x, [*y, y[-1]], drawstyle="steps-post", **style)


def _best(axes: Axes, best: Sequence[Point], sizes: Layout) -> None:
    """Front points, larger, with bars for their intervals and rings where the best is no better.

    Where measured, a diamond at the measured place is tied to them.
    """
    several = sum(point.indistinct_from_best for point in best) > 1
    for point in best:
        look, y = LOOKS[point.family], point.value
        bar = [point.sites_per_lane] * 2
        axes.plot(bar, point.interval, color=BLACK, lw=0.5, alpha=0.55, zorder=4.8)
        if several and point.indistinct_from_best:
            _ring(axes, point, sizes)
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


def _ring(axes: Axes, point: Point, sizes: Layout) -> None:
    style: dict[str, Any] = {
        "markerfacecolor": "none",
        "markeredgecolor": BLACK,
        "markeredgewidth": 0.6,
    }
    axes.plot(point.sites_per_lane, point.value, "o", ms=3.4 * sizes.marker, zorder=4.9, **style)


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
    label = "front, 95 % interval"
    handles.append(Line2D([], [], color=BLACK, lw=0.35 * sizes.marker, label=label))
    for family, word in FAMILY_FRONTS.items():
        if family in present:
            colour = LOOKS[family].colour
            label = f"{word}-only front"
            handles.append(Line2D([], [], color=colour, lw=0.35 * sizes.marker, label=label))
    if any(point.sites_per_lane_measured is not None for point in best):
        handles.append(Line2D([], [], color="white", marker="D", ms=0.8 * size, lw=0))
        handles[-1].set(markeredgecolor=BLACK, markeredgewidth=0.8, label="measured (Yosys)")
    ringed = [point.target for point in best if point.indistinct_from_best]
    if len(ringed) > len(set(ringed)):
        ring = Line2D([], [], color="none", marker="o", ms=1.5 * size, lw=0)
        ring.set(markeredgecolor=BLACK, markeredgewidth=0.6, label="not told from the best")
        handles.append(ring)
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
