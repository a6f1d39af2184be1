"""Floor 4. The figure of an estimate: LUTs and registers of each kind of part, as bars.

Drawn without touching matplotlib's global state; equal estimates give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from hw.design import from_record
from sweeps.canvas import KINDS, figure_bytes, settings
from sweeps.files import write_whole
from sweeps.looks import BLACK, GREY

Found = Mapping[str, Any]
"""What `sweeps.workflow.estimate` returns with its breakdown."""

BARS = (("lut", "LUTs", "#0072B2"), ("ff", "flip-flops", "#E69F00"))
"""Count, title and Okabe-Ito colour of each bar, from top to bottom."""
HEIGHT = 0.36
"""Of a bar, where a part has a height of 1."""
WIDTH_INCHES, INCHES_PER_PART, INCHES_AROUND = 7.2, 0.44, 1.35
TEXT, SMALL = 9.0, 7.6
DPI = 200


def save_figure(found: Found, path: Path) -> Path:
    """Draw the breakdown of an estimate to a `.png`, `.svg` or `.pdf`; it is written whole.

    Raises
    ------
    ValueError
        As `render`.
    OSError
        If the file cannot be written.

    """
    write_whole(path, render(found, path.suffix[1:].lower()))
    return path


def render(found: Found, kind: str) -> bytes:
    """Return the figure as the bytes of a `png`, `svg` or `pdf` file.

    Raises
    ------
    ValueError
        If it is another kind, or the estimate has no parts with LUTs or flip-flops.

    """
    if kind not in KINDS:
        raise ValueError(f"a figure is one of {', '.join(KINDS)}, not {kind!r}")
    parts = [part for part in found.get("parts", ()) if part["lut"] or part["ff"]]
    if not parts:
        raise ValueError("a breakdown is drawn of parts with LUTs or flip-flops, there is none")
    with settings():
        return figure_bytes(draw(found, parts), kind, DPI)


def draw(found: Found, parts: list[dict[str, Any]]) -> Figure:
    """Return the figure of some parts; call it within `sweeps.canvas.settings`."""
    size = (WIDTH_INCHES, INCHES_AROUND + INCHES_PER_PART * len(parts))
    figure = Figure(size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    parts = sorted(parts, key=lambda part: (part["lut"], part["ff"]))
    for number, (name, title, colour) in enumerate(BARS):
        values = [part[name] for part in parts]
        places = [
            place + HEIGHT * (0.5 - number) * all(part[bar] for bar, _, _ in BARS)
            for place, part in enumerate(parts)
        ]
        axes.barh(places, values, HEIGHT, color=colour, label=f"{title} ({found[name]:,} in all)")
        _number(axes, places, values, found[name])
    axes.set_yticks(range(len(parts)), [_label(part) for part in parts])
    _frame(axes, found)
    return figure


def _number(axes: Axes, places: list[float], values: list[int], whole: int) -> None:
    """Write each count, and its share, behind its bar."""
    for place, value in zip(places, values, strict=True):
        if value:
            axes.annotate(
                f"{value:,} ({_percent(value, whole)})",
                (value, place),
                (3, 0),
                textcoords="offset points",
                va="center",
                fontsize=SMALL,
                color=BLACK,
                path_effects=[withStroke(linewidth=2.5, foreground="white")],
            )


def _percent(value: int, whole: int) -> str:
    share = 100 * value / max(whole, value)
    return "< 1 %" if share < 1 else f"{share:.0f} %"


def _label(part: Mapping[str, Any]) -> str:
    return f"{part['label']} × {part['count']:,}"


def _frame(axes: Axes, found: Found) -> None:
    design = from_record(found["design"])
    axes.set_title(f"{design.slug} on {found['target']}, estimated", fontsize=TEXT, loc="left")
    axes.set_xlabel("LUTs, flip-flops (number, all parts of a kind together)", fontsize=TEXT)
    axes.tick_params(labelsize=SMALL, color=GREY)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.16)
    axes.set_xlim(left=0)
    axes.grid(axis="x", color=GREY, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(fontsize=SMALL, frameon=False, loc="lower right")
