"""Floor 4. The heat map of signal to noise, tensors by formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sweeps.canvas import figure_bytes, settings
from sweeps.files import write_whole
from sweeps.layer_figures import DPI, MOST_NUMBERS
from sweeps.quantize import AnyFormat
from sweeps.sqnr import Noise

_MOST_NAMES = 80
"""Tensors beyond which not every one is named."""


def draw(
    names: Sequence[str],
    formats: Sequence[AnyFormat],
    found: Sequence[Sequence[Noise]],
    scales: str,
    path: Path,
) -> None:
    """Draw dB by colour, tensors downwards, formats with their bits per weight across.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    decibels = np.array([[one.sqnr_db for one in row] for row in found])
    shown = np.where(np.isfinite(decibels), decibels, np.nan)
    together = [sum(column[1:], column[0]) for column in zip(*found, strict=True)]
    with settings():
        height = 1.9 + 0.3 * min(len(names), MOST_NUMBERS) + 0.12 * max(0, min(len(names), 90) - 24)
        size = (max(3.4 + 0.8 * len(formats), 5.0), height)
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        axes.set_facecolor("0.85")
        known = shown[np.isfinite(shown)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        image = axes.imshow(shown, cmap="cividis", vmin=low, vmax=high, aspect="auto")
        if len(names) <= MOST_NUMBERS:
            for (i, j), value in np.ndenumerate(shown):
                dark = np.isfinite(value) and value < low + 0.55 * (high - low)
                text = f"{value:.1f}" if np.isfinite(value) else "exact"
                colour = "white" if dark else "black"
                axes.text(j, i, text, ha="center", va="center", fontsize=6.5, color=colour)
        titles = [
            f"{format.name}\n{one.bits_per_weight:.2f} bits"
            for format, one in zip(formats, together, strict=True)
        ]
        axes.set_xticks(range(len(formats)), titles, rotation=35, ha="right", fontsize=8)
        step = -(-len(names) // _MOST_NAMES)
        axes.set_yticks(range(0, len(names), step), names[::step], fontsize=8 if step == 1 else 6)
        axes.tick_params(length=0)
        axes.set_title(f"signal to quantisation noise of weights (scales: {scales})", fontsize=10)
        figure.colorbar(image, ax=axes, label="dB", shrink=0.9)
        write_whole(path, figure_bytes(figure, path.suffix[1:], DPI))
