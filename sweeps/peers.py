"""Floor 4. Foreign designs in a sweep's figure: their measured area at their formats' accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from sweeps.foreign import Peer
from sweeps.looks import BLACK, Layout
from sweeps.points import Point

_MARGIN = 1.25


def placed(peers: Sequence[Peer], points: Sequence[Point]) -> list[tuple[Peer, float]]:
    """Return each peer with the value its pair of formats has among the points.

    Raises
    ------
    ValueError
        If no point has a peer's formats.

    """
    values = {(point.weight, point.activation): point.value for point in points}
    found = []
    for peer in peers:
        if (peer.weight, peer.activation) not in values:
            raise ValueError(
                f"no point has the formats of {peer.name}, {peer.weight} × {peer.activation}"
            )
        found.append((peer, values[peer.weight, peer.activation]))
    return found


def draw_peers(
    axes: Axes, peers: Sequence[tuple[Peer, float]], lanes: int, sizes: Layout
) -> list[Line2D]:
    """Draw crosses with names, widening the area axis; return the handle for the legend.

    `lanes` are those of the figure; other sizes are told with the name.
    """
    if not peers:
        return []
    left, right = axes.get_xlim()
    areas = [peer.sites_per_lane for peer, _ in peers]
    axes.set_xlim(min(left, min(areas) / _MARGIN), max(right, max(areas) * _MARGIN))
    style: dict[str, Any] = {"marker": "X", "color": BLACK, "markeredgecolor": "white", "lw": 0}
    for peer, value in peers:
        axes.plot(peer.sites_per_lane, value, ms=2.2 * sizes.marker, zorder=8, **style)
        axes.annotate(
            peer.name if peer.lanes == lanes else f"{peer.name} ({peer.lanes} lanes)",
            (peer.sites_per_lane, value),
            xytext=(0, -1.6 * sizes.marker),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=sizes.small,
            path_effects=[withStroke(linewidth=1.8, foreground="white")],
            zorder=8,
        )
    return [Line2D([], [], ms=1.6 * sizes.marker, label="others' RTL, measured (Yosys)", **style)]
