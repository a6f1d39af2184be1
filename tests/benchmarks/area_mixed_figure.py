"""Figure of the mixed table: sites and transistors per MAC and cycle over the bits of a weight."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from sweeps.canvas import figure_bytes, settings
from sweeps.files import write_whole
from sweeps.looks import BLACK, GREY, LAYOUTS, Look

if TYPE_CHECKING:
    from area_mixed import Family, Point

SIZES = LAYOUTS["wide"]
LOOKS = {
    "fixed": Look("#0072B2", "s", "made for one width"),
    "wide": Look("#56B4E9", "D", "made for one width, 8 or 4 lanes"),
    "serial": Look("#009E73", "^", "bit-plane, weights serial"),
    "planes": Look("#CC79A7", "v", "bit-plane, both serial"),
    "bitmod": Look("#D55E00", "o", "BitMoD tile"),
}
COUNTS = {"sites": "LUT sites", "transistors": "transistors"}
_TICKS = tuple(ten * tick for ten in (1, 10, 100, 1000, 10000) for tick in (1, 1.5, 2, 3, 5, 7))


def save(points: Sequence[Point], families: Sequence[Family], folder: Path) -> list[Path]:
    """Draw the points of one target to ``area_mixed.png`` and ``.svg`` of a folder."""
    with settings():
        figure = draw(points)
        paths = [folder / f"area_mixed.{kind}" for kind in ("png", "svg")]
        for path in paths:
            write_whole(path, figure_bytes(figure, path.suffix[1:], SIZES.dpi))
    return paths


def draw(points: Sequence[Point]) -> Figure:
    """Return the figure: a column per activation, a row per count.

    Raises
    ------
    ValueError
        If there is nothing to draw.

    """
    if not points:
        raise ValueError("a figure needs at least one point, there are none")
    activations = list(dict.fromkeys(point.activation for point in points))
    figure = Figure(figsize=(SIZES.width, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(COUNTS), len(activations), squeeze=False, sharex=True)
    for row, (what, unit) in zip(panels, COUNTS.items(), strict=True):
        for axes, activation in zip(row, activations, strict=True):
            _panel(axes, [p for p in points if p.activation == activation], what)
        row[0].set_ylabel(f"{unit} per MAC and cycle", fontsize=SIZES.small)
    for column, activation in zip(panels.T, activations, strict=True):
        column[0].set_title(f"activations {activation}", fontsize=SIZES.text, loc="left", pad=3)
        column[-1].set_xlabel("bits of a weight", fontsize=SIZES.small)
    used = {point.family for point in points}
    handles = [_handle(look) for key, look in LOOKS.items() if key in used]
    handles.append(
        Line2D([], [], color=GREY, lw=0.9, ls=(0, (4, 3)), label="the smallest array for 8 bits")
    )
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=3,
        fontsize=SIZES.small,
        frameon=False,
        columnspacing=1.4,
    )
    return figure


def _panel(axes: Axes, points: Sequence[Point], what: str) -> None:
    values: list[float] = []
    for key, look in LOOKS.items():
        line = sorted((p.weight_bits, p.per_mac(what)) for p in points if p.family == key)
        known = [(bits, value) for bits, value in line if value is not None]
        if not known:
            continue
        values += [value for _, value in known]
        axes.plot(*zip(*known, strict=True), color=look.colour, marker=look.marker, ms=5, lw=1.2)
    arrays = [p for p in points if p.family in ("fixed", "wide")]
    widest = max((p.weight_bits for p in arrays), default=0)
    limits = [p.per_mac(what) for p in arrays if p.weight_bits == widest]
    known_limits = [limit for limit in limits if limit is not None]
    if known_limits:
        axes.axhline(min(known_limits), color=GREY, lw=0.9, ls=(0, (4, 3)), zorder=1)
    axes.set_yscale("log")
    low, high = min(values) / 1.25, max(values) * 1.25
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in _TICKS if low <= tick <= high]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xticks(range(1, 9))
    axes.tick_params(labelsize=SIZES.small, length=2.5, width=0.6, colors=BLACK)
    axes.grid(color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _handle(look: Look) -> Line2D:
    return Line2D([], [], color=look.colour, marker=look.marker, ms=5, lw=1.2, label=look.title)
