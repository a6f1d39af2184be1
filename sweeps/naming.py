"""Floor 4. Names the front points of a sweep's figure, beside them and clear of each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from hw.formats import MinifloatFormat, Specials, parse
from sweeps.labels import Box, Label, place_labels
from sweeps.looks import BLACK, GREY, Layout
from sweeps.points import Point


def name_points(
    figure: Figure,
    axes: Axes,
    points: Sequence[Point],
    best: Sequence[Point],
    lines: Sequence[Line2D],
    sizes: Layout,
) -> None:
    """Name the best of some points and fix the figure's layout.

    Parameters
    ----------
    points
        All points of the figure, `best` those to be named.
    lines
        Step lines that names should not cover.

    """
    named = sorted(best, key=lambda point: point.loss)[: sizes.most_labels]
    finite = _all_finite(points)
    written = list(axes.texts)
    texts = [
        axes.annotate(
            _short(point, finite),
            (point.sites_per_lane, point.value),
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
        x, y = to_pixels((point.sites_per_lane, point.value))
        extent = text.get_window_extent()
        labels.append(Label(x, y, radius, extent.width + 2 * unit, extent.height))
    bounds = axes.get_window_extent()
    frame = Box(bounds.x0 + unit, bounds.y0 + unit, bounds.x1 - unit, bounds.y1)
    measured = [
        (point.sites_per_lane_measured, point.value)
        for point in best
        if point.sites_per_lane_measured is not None
    ]
    marks = [(point.sites_per_lane, point.value) for point in points]
    heavy = [(point.sites_per_lane, point.value) for point in best]
    drawn = np.concatenate([_samples(axes, line, 3 * unit) for line in lines])
    solid = [to_pixels(marks), _discs(to_pixels(heavy), radius + unit)]
    solid += [_discs(to_pixels(measured), radius / 2 + unit)] if measured else []
    solid += [_filled(text.get_window_extent(), 3 * unit) for text in written]
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


def _filled(box: Any, step: float) -> Any:
    """Places that fill a rectangle."""
    across = np.arange(box.x0, box.x1 + step, step)
    upwards = np.arange(box.y0, box.y1 + step, step)
    return np.stack(np.meshgrid(across, upwards), axis=-1).reshape(-1, 2)


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
    pair = "×".join(n.removesuffix("fn") if n.startswith("e") else n for n in names)
    return f"{pair}{point.scheme.sharing}"
