"""Floor 1c: the adder tree over the lanes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hw.plan.product import Bounds


@dataclass(frozen=True, slots=True)
class AdderRow:
    """Sum of two addends, one LUT per result bit on the carry chain.

    With `relative`, each addend comes with a sign of its own and the row gives
    ``left ± right`` (minus where the signs differ) with the left addend's sign still pending.
    """

    left: Bounds
    right: Bounds
    relative: bool

    @property
    def bounds(self) -> Bounds:
        """Range of the result, its pending sign left out."""
        if not self.relative:
            return Bounds(self.left.low + self.right.low, self.left.high + self.right.high)
        reach = self.right.magnitude
        return Bounds(self.left.low - reach, self.left.high + reach)


@dataclass(frozen=True, slots=True)
class TreePlan:
    """Pairwise adder rows, level by level; an odd addend passes to the next level.

    Parameters
    ----------
    levels
        For each level its rows from left to right; None passes an addend on.
    bounds
        Range of the sum.

    """

    levels: tuple[tuple[AdderRow | None, ...], ...]
    bounds: Bounds

    def parts(self) -> Iterator[AdderRow]:
        """Give the rows."""
        return (row for level in self.levels for row in level if row is not None)


def plan_tree(lanes: int, addend: Bounds, relative: bool) -> TreePlan:
    """Return the tree that adds `lanes` equal addends."""
    addends = [addend] * lanes
    levels: list[tuple[AdderRow | None, ...]] = []
    while len(addends) > 1:
        pairs = zip(addends[0::2], addends[1::2], strict=False)
        rows: list[AdderRow | None] = [AdderRow(a, b, relative) for a, b in pairs]
        sums = [row.bounds for row in rows if row is not None]
        if len(addends) % 2:
            rows.append(None)
            sums.append(addends[-1])
        levels.append(tuple(rows))
        addends = sums
    return TreePlan(tuple(levels), addends[0])
