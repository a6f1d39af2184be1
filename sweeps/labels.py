"""Floor 4. Places labels beside points so that they cover neither each other nor what is drawn.

All in pixels, deterministic: each label tries places around its point, nearest first, and takes
the cheapest; a few rounds let earlier labels make room for later ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float64]
"""Array (place, 2) of x and y."""

Place = tuple[float, float]

_ROUNDS = 6
_ANGLES = 24
_DISTANCES = (1.0, 4.0, 8.0, 13.0, 19.0, 27.0, 36.0, 48.0, 62.0, 78.0, 96.0)
_COST_LABEL = 400.0
"""For covering another label or its leader, or leaving the frame."""

_COST_LINE = 3.0
_COST_MARKER = 3.0
_COST_RIVAL = 30.0
"""For being as near to another labelled point as to the own one."""
_APART = 9.0
"""So much farther, in points, another labelled point is to be that a label may be no rival's."""

_COST_PER_POINT = 0.3


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: Box) -> bool:
        """Whether the two share an area."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )

    def within(self, frame: Box) -> bool:
        """Whether the frame holds all of it."""
        return (
            frame.left <= self.left
            and self.right <= frame.right
            and frame.bottom <= self.bottom
            and self.top <= frame.top
        )

    def count(self, places: Pixels) -> int:
        """How many places lie inside."""
        x, y = places[:, 0], places[:, 1]
        inside = (self.left < x) & (x < self.right) & (self.bottom < y) & (y < self.top)
        return int(inside.sum())

    def meets(self, start: Place, end: Place) -> bool:
        """Whether a segment enters the rectangle (looked at in some places along it)."""
        for step in range(9):
            x = start[0] + (end[0] - start[0]) * step / 8
            y = start[1] + (end[1] - start[1]) * step / 8
            if self.left < x < self.right and self.bottom < y < self.top:
                return True
        return False

    def distance(self, places: Pixels) -> npt.NDArray[np.float64]:
        """How far places are from the rectangle; 0 inside."""
        x, y = places[:, 0], places[:, 1]
        across = np.maximum(np.maximum(self.left - x, x - self.right), 0)
        along = np.maximum(np.maximum(self.bottom - y, y - self.top), 0)
        return np.hypot(across, along)

    def nearest(self, x: float, y: float) -> Place:
        """The place of the rectangle that is nearest to a point."""
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)


@dataclass(frozen=True, slots=True)
class Label:
    """The point a label belongs to, the radius of its marker, and the size of the text."""

    x: float
    y: float
    radius: float
    width: float
    height: float


def place_labels(
    labels: Sequence[Label],
    frame: Box,
    points: Pixels,
    lines: Pixels,
    unit: float = 1.0,
) -> list[Box]:
    """Where the labels go.

    Parameters
    ----------
    labels
        In order of importance.
    frame
        What labels must stay in.
    points
        Markers that should stay visible; one that matters more is there more often.
    lines
        Samples of lines that should stay visible, at equal distances.
    unit
        Pixels per typographic point; distances and costs are in points.

    Returns
    -------
    One box per label. They overlap only where there is no room at all.

    """
    anchors = np.array([(label.x, label.y) for label in labels]).reshape(-1, 2)
    choices = [_choices(label, unit) for label in labels]
    alone = [
        [_cost_alone(number, label, box, frame, points, lines, anchors, unit) for box in boxes]
        for number, (label, boxes) in enumerate(zip(labels, choices, strict=True))
    ]
    placed: list[Box | None] = [None] * len(labels)
    for _ in range(_ROUNDS):
        before = list(placed)
        for number, label in enumerate(labels):
            others = [
                (box, labels[other])
                for other, box in enumerate(placed)
                if box is not None and other != number
            ]
            placed[number] = _cheapest(label, choices[number], alone[number], others)
        if placed == before:
            break
    return [box for box in placed if box is not None]


def _cheapest(
    label: Label, boxes: list[Box], costs: list[float], others: list[tuple[Box, Label]]
) -> Box:
    """The best box beside others; dear boxes are not looked at where a cheaper one is free."""
    best, least = boxes[0], math.inf
    for number in sorted(range(len(boxes)), key=costs.__getitem__):
        if costs[number] >= least:
            break
        cost = costs[number] + _cost_among(label, boxes[number], others)
        if cost < least:
            best, least = boxes[number], cost
    return best


def _choices(label: Label, unit: float) -> list[Box]:
    """Boxes around a point: for each distance and direction the box that just touches it."""
    boxes = []
    half_width, half_height = label.width / 2, label.height / 2
    for distance in _DISTANCES:
        for number in range(_ANGLES):
            # Up and to the left first: there the front leaves room.
            angle = math.radians(135 + (-1) ** number * (number + 1) // 2 * (360 / _ANGLES))
            along, up = math.cos(angle), math.sin(angle)
            gap = label.radius + distance * unit
            x = label.x + along * (gap + half_width)
            y = label.y + up * (gap + half_height)
            boxes.append(Box(x - half_width, y - half_height, x + half_width, y + half_height))
    return boxes


def _cost_alone(
    number: int,
    label: Label,
    box: Box,
    frame: Box,
    points: Pixels,
    lines: Pixels,
    anchors: Pixels,
    unit: float,
) -> float:
    own = box.distance(np.array([[label.x, label.y]]))[0] / unit
    cost = _COST_PER_POINT * own + (0.0 if box.within(frame) else _COST_LABEL)
    cost += _COST_LINE * box.count(lines) + _COST_MARKER * box.count(points)
    rivals = box.distance(np.delete(anchors, number, axis=0)) / unit
    return float(cost + _COST_RIVAL * np.clip((own + _APART - rivals) / _APART, 0, 1).sum())


def _cost_among(label: Label, box: Box, others: Sequence[tuple[Box, Label]]) -> float:
    """What it costs to cover other labels and their leaders, or to be crossed by these."""
    start, end = (label.x, label.y), box.nearest(label.x, label.y)
    clashes = 0
    for other, owner in others:
        other_start, other_end = (owner.x, owner.y), other.nearest(owner.x, owner.y)
        clashes += (
            box.overlaps(other)
            or box.meets(other_start, other_end)
            or other.meets(start, end)
            or _cross(start, end, other_start, other_end)
        )
    return _COST_LABEL * clashes


def _cross(a: Place, b: Place, c: Place, d: Place) -> bool:
    """Whether the segments ab and cd cross."""

    def side(p: Place, q: Place, r: Place) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
