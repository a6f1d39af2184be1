"""Floor 1c: which functions of a netlist (`hw.plan.cells`) share a LUT6_2.

Two functions fit one if they read at most five nets together. They must stand at the same level, so
that no loop runs through a cell; a function whose readers stand further down may wait for a mate.
Among the functions of a level, those with the fewest possible mates choose first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from itertools import combinations
from typing import Protocol

DUAL_INPUTS = 5
"""Inputs that both functions of a LUT6_2 share."""


class Cell(Protocol):
    """What has inputs: a function or a chain."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The nets it reads."""
        ...


class Graph:
    """Functions and chains, and which of them read which.

    Parameters
    ----------
    cells
        All cells, in the order of a netlist; chains count as one.
    outputs
        The nets each drives.

    """

    def __init__(self, cells: Sequence[Cell], outputs: Sequence[tuple[str, ...]]) -> None:
        driver = {net: number for number, nets in enumerate(outputs) for net in nets}
        self.cells = cells
        self.before = [
            {driver[net] for net in cell.inputs if net in driver} - {number}
            for number, cell in enumerate(cells)
        ]

    def latest(self) -> list[int]:
        """Return for each cell the last level, from the end, that keeps the depth: 0 is the end."""
        levels = self._depths()
        due = [max(levels, default=0)] * len(levels)
        for number in sorted(range(len(levels)), key=lambda n: -levels[n]):
            for other in self.before[number]:
                due[other] = min(due[other], due[number] - 1)
        return due

    def _depths(self) -> list[int]:
        """Return for each cell how many stand before it at most."""
        found = [-1] * len(self.before)
        for start in range(len(found)):
            stack = [start]
            while stack:
                number = stack[-1]
                missing = [other for other in self.before[number] if found[other] < 0]
                if not missing:
                    found[number] = max((found[o] + 1 for o in self.before[number]), default=0)
                    stack.pop()
                else:
                    stack += missing
        return found


def pack(graph: Graph, functions: frozenset[int], waiting: bool) -> list[tuple[int, ...]]:
    """Return the functions of a graph in groups of one or two.

    Parameters
    ----------
    graph
        All cells.
    functions
        Numbers of those that are LUTs; the others only take part in the order.
    waiting
        Whether functions without a mate wait for the next level as long as they may.

    """
    due = graph.latest()
    left = set(range(len(due)))
    groups: list[tuple[int, ...]] = []
    level = 0
    while left:
        ready = sorted(number for number in left if not graph.before[number] & left)
        urgent = {n for n in ready if due[n] <= level}
        chosen = mated([n for n in ready if n in functions], graph.cells, urgent)
        kept = [group for group in chosen if waiting and len(group) == 1 and due[group[0]] > level]
        groups += [group for group in chosen if group not in kept]
        left -= set(ready) - {number for group in kept for number in group}
        level += 1
    return groups


def mated(numbers: Sequence[int], cells: Sequence[Cell], urgent: Set[int]) -> list[tuple[int, ...]]:
    """Return functions in groups of one or two that together read at most five nets.

    Of equals, the `urgent` ones come first.
    """
    masks = _masks(numbers, cells)
    small = [n for n in numbers if masks[n].bit_count() <= DUAL_INPUTS]
    mates: dict[int, set[int]] = {n: set() for n in numbers}
    for one, other in combinations(small, 2):
        if (masks[one] | masks[other]).bit_count() <= DUAL_INPUTS:
            mates[one].add(other)
            mates[other].add(one)
    groups: list[tuple[int, ...]] = []
    left = set(numbers)
    while left:
        first = min(left, key=lambda n: (not mates[n], len(mates[n]), n not in urgent, n))
        group: tuple[int, ...] = (first,)
        if mates[first]:
            shared = {n: (masks[first] & masks[n]).bit_count() for n in mates[first]}
            second = min(
                mates[first], key=lambda n: (len(mates[n]), n not in urgent, -shared[n], n)
            )
            group = (first, second)
        groups.append(group)
        left -= set(group)
        for gone in group:
            for other in mates.pop(gone):
                if other in mates:
                    mates[other].discard(gone)
    return sorted(groups)


def _masks(numbers: Iterable[int], cells: Sequence[Cell]) -> dict[int, int]:
    """Return the nets that functions read, a bit each."""
    bits: dict[str, int] = {}
    return {
        number: sum(
            1 << bits.setdefault(net, len(bits)) for net in dict.fromkeys(cells[number].inputs)
        )
        for number in numbers
    }
