"""Floor 4. The points of a sweep as one interactive HTML page that needs nothing else.

Plotly's script is written into the page. Hover tells a point; filters choose targets and families
of formats; a chosen point shows the command that generates its Verilog. What is chosen stands in
the address behind `#` (`target=…&families=…|…&only=1&point=N`), so that a view can be sent.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hw.errors import MissingTool
from sweeps.files import write_whole
from sweeps.looks import LOOKS
from sweeps.points import Point, check_single, lanes_text, with_hardware

TEMPLATE = Path(__file__).parent / "data" / "front_page.html"
SYMBOLS = {"s": "square", "o": "circle", "^": "triangle-up", "v": "triangle-down", "P": "cross"}
"""Plotly's names of the markers of `sweeps.looks`."""

LEAST_PERCENT_BELOW = 20.0
MOST_BITS = 1.6
"""The first view ends so far below the float network's accuracy, at this multiple of its bits."""


def save_page(points: Sequence[Point], path: Path) -> Path:
    """Write the page, aside first; errors as `render_page`, and OSError."""
    write_whole(path, render_page(points).encode("utf-8"))
    return path


def render_page(points: Sequence[Point]) -> str:
    """Return the page.

    Parameters
    ----------
    points
        Of one network, any targets.

    Raises
    ------
    ValueError
        If there are no points, or they are of several networks, metrics or sizes.
    hw.errors.MissingTool
        If plotly is missing.

    """
    points = with_hardware(points)
    check_single(points, "network", "metric")
    first = points[0]
    title = f"{first.network}: {first.judged.heading} versus area"
    note = (
        f"{first.inputs} held-out inputs; bars are 95 % intervals; area is estimated for Yosys "
        "without DSP blocks, diamonds are measured. Rings: the best of a front, and the points "
        "whose scores a paired bootstrap does not tell from those of the best."
    )
    parts = {
        "@TITLE@": html.escape(title),
        "@NOTE@": html.escape(note),
        "@PLOTLY@": _plotly(),
        "@DATA@": json.dumps(page_data(points), ensure_ascii=False).replace("</", "<\\/"),
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def page_data(points: Sequence[Point]) -> dict[str, Any]:
    """Return what the page's script works on, as plain JSON values."""
    first = points[0]
    metric = first.judged
    present = {point.family for point in points}
    return {
        "metric": {
            "heading": metric.heading,
            "unit": metric.unit,
            "decimals": metric.decimals,
            "title": metric.title.format(inputs=first.inputs),
        },
        "float": first.float_value,
        "range": _range(points),
        "area": f"LUT-only sites per lane, {lanes_text(points)} designs",
        "targets": list(dict.fromkeys(point.target for point in points)),
        "families": [
            {"name": n, "title": k.title, "colour": k.colour, "symbol": SYMBOLS[k.marker]}
            for n, k in LOOKS.items()
            if n in present
        ],
        "points": [_point(number, point) for number, point in enumerate(points)],
    }


def _point(number: int, point: Point) -> dict[str, Any]:
    low, high = point.interval
    return {
        "number": number,
        "pair": point.pair,
        "family": point.family,
        "target": point.target,
        "value": point.value,
        "low": low,
        "high": high,
        "sites": point.sites_per_lane,
        "measured": point.sites_per_lane_measured,
        "front": point.on_front,
        "same": point.indistinct_from_best,
        "accumulator": point.accumulator,
        "structure": point.structure,
        "command": point.command,
    }


def _range(points: Sequence[Point]) -> list[float]:
    """Return the first view upwards: worst, best."""
    values = [point.value for point in points]
    first, margin = points[0], 0.4
    if first.judged.rises:
        least = max(min(values) - 1, min(first.float_value - LEAST_PERCENT_BELOW, max(values) - 5))
        return [least, 100 + margin]
    best = min(*values, *first.float_interval)
    worst = min(max(values), max(first.float_value * MOST_BITS, min(values) * 1.1))
    return [worst + 0.05 * (worst - best) + 0.01, best - 0.05 * (worst - best) - 0.01]


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise MissingTool("plotly, which draws the page", "pip install 'macloom[html]'") from None
    script: str = get_plotlyjs()
    return script
