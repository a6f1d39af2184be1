"""Floor 2c: how complex a table is: nodes of the decision diagrams of its bits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache


@cache
def decision_nodes(entries: tuple[int, ...], width: int) -> int:
    """Return the nodes of the reduced ordered decision diagrams of all bits of a table, shared.

    Parameters
    ----------
    entries
        Value at each index, as many as a power of two; the lowest index bit is asked last.
    width
        Bits of a value.

    Complements share a node, as an inverter makes one of the other.
    """
    nodes: set[tuple[int, ...]] = set()

    def visit(truth: tuple[int, ...]) -> None:
        if len(set(truth)) == 1:
            return
        half = len(truth) // 2
        low, high = truth[:half], truth[half:]
        if low == high:
            visit(low)
            return
        if truth[0]:
            truth = tuple(1 - bit for bit in truth)
        if truth in nodes:
            return
        nodes.add(truth)
        visit(low)
        visit(high)

    for bit in range(width):
        visit(tuple(_bits(entries, bit)))
    return len(nodes)


def _bits(entries: Sequence[int], bit: int) -> list[int]:
    return [entry >> bit & 1 for entry in entries]
