"""Floor 4. Figures of layers by formats: losses as a heat map, allocations, fronts of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sweeps.allocation import Allocation, Values
from sweeps.canvas import KINDS, figure_bytes, settings
from sweeps.files import write_whole

DPI = 150
MOST_NUMBERS = 24
"""Layers beyond which cells are not written into."""
MOST_MARKED = 60
"""Allocations of a front beyond which they are not marked one by one."""
UNITS = {
    "memory": "memory (bits of weights)",
    "energy": "energy (nJ per input)",
    "lut": "LUT",
    "cycles": "cycles per input",
    "latency": "latency (µs per input)",
}
_COLOURS = "cividis"
"""Even in lightness, and the same to people of all colour vision."""
_FRAME = "#D55E00"
LOOKS: dict[str, dict[str, Any]] = {
    "steps": {"drawstyle": "steps-post", "marker": "s", "markersize": 3.5, "color": "#0072B2"},
    "dashes": {"drawstyle": "steps-post", "ls": (0, (3, 2)), "lw": 1.0, "color": "#56B4E9"},
    "rings": {"ls": "", "marker": "o", "markersize": 5.5, "fillstyle": "none", "color": _FRAME},
    "crosses": {"ls": "", "marker": "x", "markersize": 5, "color": "0.25"},
}
"""Of curves: predictions are lines, measurements marks."""


def check_figure(path: Path | None) -> None:
    """Raise ValueError unless the file's suffix is of a figure."""
    if path is not None and path.suffix[1:] not in KINDS:
        known = ", ".join(f".{kind}" for kind in KINDS)
        raise ValueError(f"a figure is one of {known}, not {path.suffix!r}")


def draw_losses(
    layers: Sequence[str],
    formats: Sequence[str],
    loss: Values,
    title: str,
    path: Path,
    chosen: Sequence[str] = (),
) -> None:
    """Draw losses, layer × format, on a logarithmic scale of colours.

    Parameters
    ----------
    layers, formats, loss
        As in `sweeps.sensitivity.Sensitivity`; what is not positive or finite stays grey.
    title
        Says what of.
    path
        PNG, SVG or PDF.
    chosen
        A format per layer to frame: the allocation.

    Raises
    ------
    ValueError
        If the suffix is of no figure.
    OSError
        If the file cannot be written.
    """
    check_figure(path)
    with settings():
        size = (2.8 + 0.75 * len(formats), 1.9 + 0.3 * len(layers))
        figure = Figure(figsize=(max(size[0], 5.0), size[1]), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        image = _heat_map(axes, layers, formats, loss)
        for row, name in enumerate(chosen):
            corner = (list(formats).index(name) - 0.5, row - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=_FRAME, linewidth=2.2))
        axes.set_title(title, fontsize=10)
        if image is not None:
            figure.colorbar(image, ax=axes, label="loss of this layer alone", shrink=0.9)
        write_whole(path, figure_bytes(figure, path.suffix[1:], DPI))


def _heat_map(axes: Any, layers: Sequence[str], formats: Sequence[str], loss: Values) -> Any:
    shown = np.where(np.isfinite(loss) & (loss > 0), loss, np.nan)
    axes.set_facecolor("0.85")
    image = None
    if np.isfinite(shown).any():
        low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
        norm = LogNorm(low, high if high > low else 2 * low)
        image = axes.imshow(shown, cmap=_COLOURS, norm=norm, aspect="auto")
        if len(layers) <= MOST_NUMBERS:
            for (i, j), value in np.ndenumerate(shown):
                dark = np.isfinite(value) and norm(value) < 0.55
                text = f"{value:.1e}" if np.isfinite(value) else "-"
                colour = "white" if dark else "black"
                axes.text(j, i, text, ha="center", va="center", fontsize=6.5, color=colour)
    else:
        axes.set_xlim(-0.5, len(formats) - 0.5)
        axes.set_ylim(len(layers) - 0.5, -0.5)
    axes.set_xticks(range(len(formats)), formats, rotation=35, ha="right", fontsize=8)
    axes.set_yticks(range(len(layers)), layers, fontsize=8)
    axes.tick_params(length=0)
    return image


@dataclass(frozen=True, slots=True)
class Curve:
    """Losses over costs, in one of the looks of `LOOKS`."""

    label: str
    costs: Sequence[float]
    losses: Sequence[float]
    look: str


def draw_front(
    layers: Sequence[str],
    formats: Sequence[str],
    front: Sequence[Allocation],
    curves: Sequence[Curve],
    cost: str,
    title: str,
    path: Path,
) -> None:
    """Draw a front of allocations: losses over one cost, and below it each layer's format.

    Parameters
    ----------
    layers, formats
        Names; formats in the order of their colours.
    front
        Allocations, cheapest first.
    curves
        Losses predicted and measured.
    cost
        Name of the cost.
    title, path
        As for `draw_losses`; errors too.
    """
    check_figure(path)
    with settings():
        figure = Figure(figsize=(7.2, 4.4 + 0.28 * len(layers)), layout="constrained")
        FigureCanvasAgg(figure)
        ratios = [3.0, max(1.0, 0.28 * len(layers))]
        upper, lower = figure.subplots(2, 1, height_ratios=ratios)
        _losses(upper, curves)
        upper.set_xlabel(UNITS.get(cost, cost), fontsize=9)
        upper.set_title(title, fontsize=10)
        _allocations(lower, layers, formats, front, [one.totals[cost] for one in front])
        name = UNITS.get(cost, cost)
        lower.set_xlabel(f"{name} of the front's allocations, cheapest first", fontsize=9)
        handles = [
            Rectangle((0, 0), 1, 1, color=_colour(number, len(formats)))
            for number in range(len(formats))
        ]
        figure.legend(
            handles, formats, loc="outside lower center", fontsize=8, frameon=False, ncols=6
        )
        write_whole(path, figure_bytes(figure, path.suffix[1:], DPI))


def _losses(axes: Any, curves: Sequence[Curve]) -> None:
    for curve in curves:
        style = dict(LOOKS[curve.look])
        if len(curve.costs) > MOST_MARKED:
            style["marker"] = None
        axes.plot(curve.costs, curve.losses, label=curve.label, **style)
    if min(min(curve.losses) for curve in curves) > 0:
        axes.set_yscale("log")
    axes.set_ylabel("loss (nats)", fontsize=9)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.legend(fontsize=8, frameon=False)
    axes.tick_params(labelsize=8)


def _allocations(
    axes: Any,
    layers: Sequence[str],
    formats: Sequence[str],
    front: Sequence[Allocation],
    costs: Sequence[float],
) -> None:
    numbers = np.array([[formats.index(name) for name in one.formats] for one in front]).T
    norm = Normalize(0, max(len(formats) - 1, 1))
    axes.imshow(numbers, cmap=_COLOURS, norm=norm, aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(layers)), layers, fontsize=8)
    step = -(-len(front) // 7)
    ticks = range(0, len(front), step)
    axes.set_xticks(ticks, [f"{costs[n]:.4g}" for n in ticks], fontsize=8)


def _colour(number: int, count: int) -> Any:
    return mpl.colormaps[_COLOURS](number / max(count - 1, 1))
