"""Floor 1c: truth tables as integers: bit i is the value where the inputs, lowest first, read i.

A rule in ``& | ^ ~`` is evaluated once, on the tables of its inputs, and tables are kept by the
shape of what they are asked for: which inputs are the same, and which are constants.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache

WIDEST = 6
"""Inputs that may matter: those of a LUT."""

Kept = tuple[int, ...] | None
"""Numbers of the inputs that matter; None for all."""


@cache
def column(index: int, count: int) -> int:
    """Return the truth table of one of `count` inputs."""
    half = 1 << index
    return ((1 << (1 << count)) - 1) // ((1 << half) + 1) << half


@cache
def evaluated(
    shape: tuple[int, ...], rule: Callable[..., int], parameters: tuple[Hashable, ...]
) -> tuple[Kept, int]:
    """Return which inputs matter to a rule, and its truth table over these.

    Parameters
    ----------
    shape
        For each argument of the rule the number of its input, or −1 for a constant 0 and −2 for
        a constant 1.
    rule
        A function of a module: tables of the arguments (a constant 1 is the integer −1) and the
        parameters to a table.
    parameters
        What else it depends on.

    Raises
    ------
    ValueError
        If more than six inputs matter.

    """
    count = max((0, *(place + 1 for place in shape)))
    columns = [column(place, count) if place >= 0 else place + 1 for place in shape]
    return supported(rule(*columns, *parameters) & ((1 << (1 << count)) - 1), count)


@cache
def supported(truth: int, inputs: int) -> tuple[Kept, int]:
    """Return the inputs a truth table depends on, and its table over them.

    Raises
    ------
    ValueError
        If these are more than six.

    """
    kept: list[int] = []
    left = inputs
    for index in range(inputs):
        place = len(kept)
        high = column(place, left)
        half = 1 << place
        if (truth & high) >> half != truth & ~high:
            kept.append(index)
            continue
        left -= 1
        truth = _without(truth, half, 1 << left)
    if len(kept) > WIDEST:
        raise ValueError(f"a LUT has at most {WIDEST} inputs, not {len(kept)}")
    return (None if len(kept) == inputs else tuple(kept)), truth


def _without(truth: int, half: int, size: int) -> int:
    """Return every other block of `half` codes of a truth table, put together to `size` codes."""
    mask = (1 << half) - 1
    return sum((truth >> 2 * start & mask) << start for start in range(0, size, half))


@cache
def columns_of(entries: tuple[int, ...], width: int) -> tuple[int, ...]:
    """Return the truth tables of the lowest bits of a table with a word for each code."""
    tables = [0] * width
    for code, entry in enumerate(entries):
        place = 1 << code
        for bit in range(width):
            if entry >> bit & 1:
                tables[bit] |= place
    return tuple(tables)
