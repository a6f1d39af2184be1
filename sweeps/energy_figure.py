"""Floor 4. The figure of a sweep with energy across: what a network does versus pJ per MAC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sweeps.canvas import figure_bytes, settings
from sweeps.files import write_whole
from sweeps.looks import LAYOUTS
from sweeps.plot import draw
from sweeps.points import Point

LAYOUT = "wide"


def save_energy_figure(points: Sequence[Point], stem: Path) -> list[Path]:
    """Draw the points whose energy is known to `stem`.png and `stem`.svg; none if there is none.

    Across stands the energy by formula, under random codes, in the place of the area of
    `sweeps.plot`, with the fronts of energy and loss.

    Raises
    ------
    ValueError
        As `sweeps.plot.draw`.
    OSError
        If a file cannot be written.

    """
    shown = [
        replace(
            point,
            sites_per_lane=point.energy_pj_per_mac,
            sites_per_lane_measured=None,
            indistinct_from_best=False,
        )
        for point in points
        if point.energy_pj_per_mac is not None
    ]
    if not shown:
        return []
    paths = [stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")]
    with settings():
        figure = draw(shown, LAYOUT)
        (axes,) = figure.axes
        axes.set_xlabel(_title(points, len(shown)), fontsize=LAYOUTS[LAYOUT].text)
        for path in paths:
            write_whole(path, figure_bytes(figure, path.suffix[1:], LAYOUTS[LAYOUT].dpi))
    return paths


def _title(points: Sequence[Point], shown: int) -> str:
    left = len(points) - shown
    title = f"energy on {points[0].target} by formula, random codes (pJ per MAC)"
    return f"{title}; {left} designs without a formula left out" if left else title
