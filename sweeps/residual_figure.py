"""Floor 4: predicted against measured LUTs of the held-out designs, a panel for each target."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from costmodel.expected import group_of as group_of_design
from hw.design import SerialDesign
from hw.target import load
from sweeps.calibrate import LEAST_LUT, Measured, errors, held_out
from sweeps.canvas import figure_bytes, settings
from sweeps.files import write_whole

GROUPS = (
    ("mac, dot, array", "#0072B2", "o"),
    ("tile", "#E69F00", "s"),
    ("mxdot", "#009E73", "^"),
    ("floating accumulator", "#CC79A7", "D"),
    ("packed", "#D55E00", "P"),
    ("weight-stationary", "#000000", "X"),
    ("bit planes, BitMoD, constants, squares", "#56B4E9", "v"),
)
"""Colours of Okabe and Ito, which people of all colour vision tell apart; shapes differ too."""
COLUMNS = 3
PANEL_INCHES = 3.4
DPI = 150


def group_of(one: Measured) -> str:
    """Return which of `GROUPS` a design belongs to."""
    kind = group_of_design(one.design)
    if kind in ("tile", "mxdot", "packed", "weight-stationary"):
        return kind
    if isinstance(one.design, SerialDesign):
        return GROUPS[-1][0]
    return "floating accumulator" if one.design.is_floating else "mac, dot, array"


def draw(targets: Sequence[str], file: Path) -> None:
    """Draw the panels and write the figure; its suffix says the kind of file.

    Raises
    ------
    ValueError
        If the suffix is of no kind of figure.
    OSError
        If the file cannot be written.

    """
    with settings():
        write_whole(file, figure_bytes(_figure(targets), file.suffix[1:], DPI))


def _figure(targets: Sequence[str]) -> Figure:
    rows = -(-len(targets) // COLUMNS)
    columns = min(COLUMNS, len(targets))
    figure = Figure(figsize=(PANEL_INCHES * columns, PANEL_INCHES * rows + 0.5))
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for number, (panel, name) in enumerate(zip(panels, targets, strict=False)):
        _panel(panel, name, held_out(name))
        if number % columns == 0:
            panel.set_ylabel("estimated LUT")
        if number + columns >= len(targets):
            panel.set_xlabel("measured LUT (Yosys)")
    for panel in panels[len(targets) :]:
        panel.set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    beside = len(targets) < len(panels)
    where: dict[str, Any] = {"loc": "lower center", "ncol": len(labels)}
    if beside:
        where |= {"loc": "lower right", "ncol": 1, "bbox_to_anchor": (0.95, 0.15)}
    figure.legend(handles, labels, frameon=False, **where)
    figure.suptitle("Estimates on held-out designs, nothing fitted on them (grey: ± 12 %)")
    figure.tight_layout(rect=(0, 0.0 if beside else 0.05, 1, 0.99))
    return figure


def _panel(panel: Any, name: str, measured: Sequence[Measured]) -> None:
    """Draw one target."""
    known = [one for one in measured if one.numbers["lut"] > 0]
    pairs = [(one.numbers["lut"], max(one.estimate().lut, 1), group_of(one)) for one in known]
    for group, colour, marker in GROUPS:
        xs = [x for x, _, which in pairs if which == group]
        ys = [y for _, y, which in pairs if which == group]
        panel.scatter(xs, ys, s=16, c=colour, marker=marker, alpha=0.75, linewidths=0, label=group)
    low, high = 0.7 * min(x for x, _, _ in pairs), 1.5 * max(x for x, _, _ in pairs)
    panel.plot([low, high], [low, high], color="0.35", linewidth=0.8, zorder=0)
    panel.fill_between(
        [low, high], [0.88 * low, 0.88 * high], [1.12 * low, 1.12 * high], color="0.9", zorder=-1
    )
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlim(low, high)
    panel.set_ylim(low, high)
    panel.set_aspect("equal")
    panel.set_title(load(name).title, fontsize=10)
    found = errors(known, "lut")
    panel.text(
        0.04,
        0.96,
        f"{found.designs} designs of ≥ {LEAST_LUT} LUT\nmean {found.mean:.2f} %\n"
        f"95 % within {found.percentile_95:.1f} %\nworst {found.worst:.1f} %",
        transform=panel.transAxes,
        va="top",
        fontsize=8,
    )
