"""Figures of the area table: sites by format and structure, and what the flags cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from area_measure import BASELINE, Area, Result
from area_rows import ASKED_ON, Group
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from hw.design import Design
from sweeps.canvas import figure_bytes, settings
from sweeps.files import write_whole
from sweeps.looks import BLACK, GREY, LAYOUTS, Look

SIZES = LAYOUTS["wide"]
STRUCTURES = {
    "rows": Look("#0072B2", "s", "Booth rows"),
    "table": Look("#009E73", "^", "table"),
    "merged": Look("#D55E00", "o", "merged lanes"),
    "baugh-wooley": Look("#E69F00", "v", "all bits in one heap"),
}
PLAIN = Look(GREY, "X", "behavioural Verilog, ours")
PEER = Look("#CC79A7", "D", "best peer (LUT)")
_TICKS = tuple(ten * tick for ten in (1, 10, 100, 1000) for tick in (1, 1.5, 2, 3, 5, 7))
_POLICIES = {
    "has none": Look("#0072B2", "", "every code a number"),
    "ignore": Look("#E69F00", "", "specials contribute 0"),
    "flag": Look("#D55E00", "", "specials contribute 0 and set flags"),
}
_ROW_INCHES, _MARKER = 0.235, 6.0


def save_areas(
    results: Sequence[Result], groups: Mapping[str, Group], folder: Path
) -> tuple[Path, ...]:
    """Draw the results on `ASKED_ON` to ``area.png`` and ``area.svg`` of a folder."""
    with settings():
        return _save(draw_areas(results, groups), folder / "area.png")


def save_flags(prices: Sequence[tuple[Design, Area]], folder: Path) -> tuple[Path, ...]:
    """Draw what the flags cost to ``area_flags.png`` and ``.svg`` of a folder."""
    with settings():
        return _save(draw_flags(prices), folder / "area_flags.png")


def _save(figure: Figure, path: Path) -> tuple[Path, ...]:
    paths = path, path.with_suffix(".svg")
    for place in paths:
        write_whole(place, figure_bytes(figure, place.suffix[1:], SIZES.dpi))
    return paths


def drawable(results: Sequence[Result]) -> list[Result]:
    """Return the results that the figure shows: without DSP blocks, on one target."""
    return [r for r in results if r.target == ASKED_ON and r.products_per_dsp is None]


def draw_areas(results: Sequence[Result], groups: Mapping[str, Group]) -> Figure:
    """Return the figure: a panel per group, a line per row, a marker per structure.

    Raises
    ------
    ValueError
        If there is nothing to draw.

    """
    shown = drawable(results)
    keys = list(dict.fromkeys(result.group for result in shown))
    if not keys:
        raise ValueError(f"a figure of areas needs a row on {ASKED_ON}, there are none")
    counts = [sum(result.group == key for result in shown) for key in keys]
    height = 0.55 + sum(_ROW_INCHES * count + 0.62 for count in counts)
    figure = Figure(figsize=(SIZES.width, height), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(keys), 1, squeeze=False, height_ratios=[n + 0.5 for n in counts])
    for axes, key in zip(panels[:, 0], keys, strict=True):
        _panel(axes, [result for result in shown if result.group == key], groups[key])
    figure.legend(
        handles=_legend(shown),
        loc="outside upper center",
        ncols=4,
        fontsize=SIZES.small,
        frameon=False,
        columnspacing=1.4,
        handletextpad=0.5,
    )
    return figure


def _panel(axes: Axes, rows: Sequence[Result], group: Group) -> None:
    for place, result in enumerate(rows):
        _row(axes, place, result)
    _rows_axis(axes, [result.name for result in rows])
    axes.set_xscale("log")
    low, high = axes.dataLim.intervalx
    axes.set_xlim(low / 1.12, high * 1.12)
    axes.xaxis.set_major_locator(
        FixedLocator([t for t in _TICKS if low / 1.12 <= t <= high * 1.12])
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    unit = group.unit.replace("LUT", "LUT sites")
    axes.set_xlabel(f"{unit}, {ASKED_ON}", fontsize=SIZES.small, labelpad=1.5)
    axes.set_title(group.title, fontsize=SIZES.text, loc="left", pad=3)


def _row(axes: Axes, place: int, result: Result) -> None:
    """Draw one row: from what it would take to what it takes, and what was asked."""
    style: dict[str, Any] = {"lw": 0, "ms": _MARKER, "markeredgewidth": 0}
    areas = {**result.others, result.structure: result.ours}
    if result.structure != BASELINE:
        areas.pop(BASELINE, None)
    ends = [area.sites for area in (*areas.values(), result.baseline)]
    axes.plot([min(ends), max(ends)], [place] * 2, color="#d9d9d9", lw=1.2, zorder=1)
    axes.plot(result.baseline.sites, place, PLAIN.marker, color=PLAIN.colour, zorder=2, **style)
    if result.peer_lut is not None:
        hollow = {**style, "markeredgewidth": 1.1, "ms": 0.75 * _MARKER}
        look = {"mfc": "white", "mec": PEER.colour}
        axes.plot(result.peer_lut, place, PEER.marker, zorder=3, **{**hollow, **look})
    for name, area in areas.items():
        look_of = STRUCTURES.get(name, PLAIN)
        edge = {"markeredgecolor": BLACK, "markeredgewidth": 0.9}
        chosen = edge if name == result.structure else {}
        order = 5 if chosen else 4
        marker = look_of.marker
        axes.plot(
            area.sites, place, marker, color=look_of.colour, zorder=order, **{**style, **chosen}
        )
    if result.asked is not None:
        axes.vlines(result.asked, place - 0.42, place + 0.42, color=BLACK, lw=1.6, zorder=3.5)


def _rows_axis(axes: Axes, names: Sequence[str]) -> None:
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_yticks(range(len(names)), names, fontsize=SIZES.small)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=SIZES.small, length=2.5, width=0.6, colors="#333333")
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_linewidth(0.6)


def _legend(shown: Sequence[Result]) -> list[Line2D]:
    used = {name for result in shown for name in (result.structure, *result.others)}
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, lw=0, ms=_MARKER, mew=0)
        for name, look in STRUCTURES.items()
        if name in used
    ]
    titles = [look.title for name, look in STRUCTURES.items() if name in used]
    handles.append(Line2D([], [], color="white", marker="o", lw=0, ms=_MARKER, mec=BLACK, mew=0.9))
    handles.append(Line2D([], [], color=BLACK, marker="|", lw=0, ms=9, mew=1.6))
    handles.append(Line2D([], [], color=PLAIN.colour, marker=PLAIN.marker, lw=0, ms=_MARKER, mew=0))
    titles += ["black edge: chosen", "asked: at most", PLAIN.title]
    if any(result.peer_lut is not None for result in shown):
        handles.append(Line2D([], [], color="white", marker=PEER.marker, lw=0, ms=0.75 * _MARKER))
        handles[-1].set(markeredgecolor=PEER.colour, markeredgewidth=1.1)
        titles.append(PEER.title)
    for handle, title in zip(handles, titles, strict=True):
        handle.set_label(title)
    return handles


def draw_flags(prices: Sequence[tuple[Design, Area]]) -> Figure:
    """Return the figure of bars: formats with the number of sites per lane they take."""
    height = 0.95 + _ROW_INCHES * len(prices)
    figure = Figure(figsize=(SIZES.width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    used: dict[str, Look] = {}
    for place, (design, area) in enumerate(prices):
        policy = design.specials if design.has_specials else "has none"
        look = used[policy] = _POLICIES[policy]
        axes.barh(place, area.sites, height=0.72, color=look.colour)
        axes.annotate(
            f"{area.sites:.1f}",
            (area.sites, place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=SIZES.small,
        )
    _rows_axis(axes, [design.weight.name for design, _ in prices])
    axes.set_xlim(0, 1.08 * max(area.sites for _, area in prices))
    axes.set_xlabel(
        f"LUT sites per lane of an exact dot product of {prices[0][0].lanes} lanes, {ASKED_ON}",
        fontsize=SIZES.small,
    )
    handles = [
        Line2D([], [], color=look.colour, marker="s", lw=0, ms=7, label=look.title)
        for key, look in _POLICIES.items()
        if key in used
    ]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=3, fontsize=SIZES.small, frameon=False
    )
    return figure
