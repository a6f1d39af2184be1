"""Floor 1c: tables of six inputs whose bits share LUT6_2.

A LUT6_2 gives two functions of the same five inputs. Two bits of a table pair up if both are
functions of five signals, one of which may be another bit of the table: knowing that bit can stand
for knowing two inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations

DUAL_INPUTS = 5
"""Inputs that both functions of a LUT6_2 share."""


@dataclass(frozen=True, slots=True)
class TablePair:
    """Two bits of a table in one LUT6_2.

    Parameters
    ----------
    bits
        Numbers of the bits: O5, O6.
    inputs
        Numbers of the index bits they are functions of.
    helper
        Number of the table's bit they are a function of, too; None without one.
    truths
        Their truth tables: bit k is the value where the inputs, lowest first, then the helper read
        k; 0 where they never do.

    """

    bits: tuple[int, int]
    inputs: tuple[int, ...]
    helper: int | None
    truths: tuple[int, int]


@cache
def pair_up(entries: tuple[int, ...], width: int) -> tuple[TablePair, ...]:
    """Return bits of a table to put in pairs, as many as are found one after the other.

    Bits whose LUT is needed anyway, being constant, an input or another bit again, are left out.
    Pairs without a helper come first; a helper is a bit that has no helper itself.
    """
    index_bits = (len(entries) - 1).bit_length()
    columns = [
        sum((entry >> bit & 1) << place for place, entry in enumerate(entries))
        for bit in range(width)
    ]
    wires = [_wire(i, len(entries)) for i in range(index_bits)]
    trivial = {0, (1 << len(entries)) - 1, *wires}
    open_bits = [b for b in range(width) if columns[b] not in {*trivial, *columns[:b]}]
    found: list[TablePair] = []
    for signals, helper in _signals(index_bits, open_bits):
        if helper in {bit for pair in found if pair.helper is not None for bit in pair.bits}:
            continue
        nets = [wires[i] for i in signals] + ([] if helper is None else [columns[helper]])
        places = _places(nets, len(entries))
        helpers = {pair.helper for pair in found} | {helper}
        taken = {bit for pair in found for bit in pair.bits}
        allowed = [b for b in open_bits if b not in taken and (helper is None or b not in helpers)]
        truths = {b: _truth(columns[b], places) for b in allowed}
        fitting = [(b, truth) for b, truth in truths.items() if truth is not None]
        while len(fitting) > 1:
            (one, first), (two, second), *fitting = fitting
            found.append(TablePair((one, two), signals, helper, (first, second)))
    return tuple(found)


def _signals(index_bits: int, bits: list[int]) -> Iterator[tuple[tuple[int, ...], int | None]]:
    """Yield choices of five signals: index bits alone, then four of them and a bit of the table."""
    for signals in combinations(range(index_bits), min(DUAL_INPUTS, index_bits)):
        yield signals, None
    for helper in bits:
        for signals in combinations(range(index_bits), min(DUAL_INPUTS - 1, index_bits)):
            yield signals, helper


def _wire(number: int, size: int) -> int:
    """Return an index bit as a column of a table."""
    return sum(1 << place for place in range(size) if place >> number & 1)


def _places(nets: list[int], size: int) -> list[int]:
    """Return for each code of some nets the places of a table where they read it."""
    places = [(1 << size) - 1]
    for net in nets:
        places = [place & ~net for place in places] + [place & net for place in places]
    return places


def _truth(column: int, places: list[int]) -> int | None:
    """Return a column as a function of nets that read code k at `places[k]`, None if it is none."""
    truth = 0
    for code, place in enumerate(places):
        if column & place:
            if place & ~column:
                return None
            truth |= 1 << code
    return truth
