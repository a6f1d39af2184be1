"""Floor 1c: multiplication by one constant with the fewest additions, found by exhaustion.

A constant is reached from 1 by steps ``|u·2^i ± v·2^j|``, each an adder; shifts are wires, so only
odd numbers count. `cost` is the least number of adders, and `graph` a way to reach it with small
intermediate numbers: all graphs of up to three adders are looked at, with numbers of at most one
bit more than the constant, and what none of them reaches needs four, which always suffice up to
12 bits (Dempster and Macleod, Constant integer multiplication using minimum adders, IEE
Proceedings on Circuits, Devices and Systems, 1994). The least constants of 1, 2, 3 and 4 adders
are 3, 11, 43 and 683 (Gustafsson, Dempster and Wanhammar, Extended results for minimum-adder
constant integer multipliers, ISCAS 2002).

Where an adder row takes three words, `triple_rows` looks for two rows of up to three.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

from hw.formats.khot import signed_digits

OPTIMAL_BITS = 12
"""Up to so many bits the least number of adders is known."""
SEARCHED_BITS = 9
"""Up to so many bits it is looked for when hardware is planned: it takes a second."""
EXHAUSTED = 3
"""Adders of the graphs that are all looked at."""
MOST_TERMS = 3
Digits = tuple[tuple[int, int, int], ...]
"""What a step adds: (odd number, shift, sign) each."""


@dataclass(frozen=True, slots=True)
class Step:
    """An odd number as a sum of shifted ones known before, 1 among them.

    Parameters
    ----------
    value
        The number.
    terms
        Its terms; together they are ``value · 2^drop``.
    drop
        Zeros that are dropped below.

    """

    value: int
    terms: Digits
    drop: int = 0


Graph = tuple[Step, ...]


def odd(value: int) -> tuple[int, int]:
    """Return an integer's odd part, its sign left out, and how far it is shifted."""
    magnitude = abs(value)
    shift = (magnitude & -magnitude).bit_length() - 1
    return magnitude >> shift, shift


def steps_from(u: int, v: int, limit: int) -> Iterator[Step]:
    """Give the odd numbers below a limit that one adder makes of two."""
    seen = set()
    for (a, b), shift in product(((u, v), (v, u)), range(limit.bit_length() + 1)):
        for sign in (1, -1):
            total = (a << shift) + sign * b
            if total == 0:
                continue
            value, drop = odd(total)
            if value >= limit or value in seen or value in (u, v):
                continue
            seen.add(value)
            flip = 1 if total > 0 else -1
            yield Step(value, ((a, shift, flip), (b, 0, flip * sign)), drop)


def _grown(graph: Graph, limit: int) -> Iterator[Step]:
    """Give the steps from any two numbers of a graph, or one of them twice."""
    known = [1, *(step.value for step in graph)]
    for number, u in enumerate(known):
        for v in known[: number + 1]:
            for step in steps_from(u, v, limit):
                if step.value not in known:
                    yield step


def _size(graph: Graph) -> int:
    return sum(step.value.bit_length() for step in graph)


@cache
def _reached(bits: int) -> tuple[dict[int, Graph], ...]:
    """Return, by number of adders up to three, a graph of every number that needs so many."""
    limit = 2 << bits
    levels: list[dict[int, Graph]] = [{1: ()}]
    graphs: list[Graph] = [()]
    for depth in range(1, EXHAUSTED + 1):
        found: dict[int, Graph] = {}
        following: list[Graph] = []
        for graph in graphs:
            for step in _grown(graph, limit):
                new = (*graph, step)
                if depth < EXHAUSTED:
                    following.append(new)
                if not any(step.value in level for level in levels):
                    _keep(found, step.value, new)
        levels.append(found)
        graphs = following
    return tuple(levels)


def _keep(found: dict[int, Graph], value: int, new: Graph) -> None:
    """Keep a graph of a number if it is the smallest so far."""
    if value not in found or _size(new) < _size(found[value]):
        found[value] = new


@cache
def _fourth(bits: int) -> dict[int, Graph]:
    """Return a graph of four adders of numbers that need more than three."""
    levels = _reached(bits)
    found: dict[int, Graph] = {}
    for graph in levels[EXHAUSTED].values():
        known = [1, *(step.value for step in graph)]
        for other in known:
            for step in steps_from(known[-1], other, 1 << bits):
                if not any(step.value in level for level in levels):
                    _keep(found, step.value, (*graph, step))
    return found


@cache
def graph(constant: int) -> Graph:
    """Return a graph of the fewest adders for a constant's odd part of at most 12 bits.

    Raises
    ------
    ValueError
        For 0 and wider constants.

    """
    if constant == 0:
        raise ValueError("0 needs no adders")
    value, _ = odd(constant)
    if value.bit_length() > OPTIMAL_BITS:
        raise ValueError(
            f"fewest adders are known up to {OPTIMAL_BITS} bits, {constant} has "
            f"{value.bit_length()}"
        )
    bits = max(value.bit_length(), 2)
    for level in _reached(bits):
        if value in level:
            return level[value]
    return _fourth(bits)[value]


def cost(constant: int) -> int:
    """Return the least number of adders that multiply by a constant of at most 12 bits."""
    return len(graph(constant)) if constant else 0


def csd(constant: int) -> Digits:
    """Return the canonical signed digits of a constant as terms of 1."""
    return tuple((1, place, sign) for sign, place in signed_digits(constant))


@cache
def triple_rows(constant: int) -> tuple[Graph, ...]:
    """Return ways to make an odd constant by one or two rows of up to three words.

    The first row makes u of two or three digits; the second takes it at least once, beside digits
    or u again.
    """
    digits = csd(constant)
    if len(digits) <= MOST_TERMS:
        return ((Step(constant, digits),),)
    top = constant.bit_length() + 1
    ways: dict[int, Graph] = {}
    for u, first in _firsts(top).items():
        for shift, sign in product(range(top), (1, -1)):
            rest = constant - sign * (u << shift)
            one = (u, shift, sign)
            left = csd(rest)
            if len(left) < MOST_TERMS:
                ways.setdefault(u, (first, Step(constant, (one, *left))))
                continue
            for second, minus in product(range(shift + 1, top), (1, -1)):
                more = csd(rest - minus * (u << second))
                if len(more) <= 1:
                    two = (u, second, minus)
                    ways.setdefault(u, (first, Step(constant, (one, two, *more))))
    return tuple(ways.values())


@cache
def _firsts(top: int) -> dict[int, Step]:
    """Return the odd numbers of two or three digits below a power of two."""
    found: dict[int, Step] = {}
    for high, low in product(range(1, top), range(top)):
        for signs in product((1, -1), repeat=2):
            value = 1 + signs[0] * (1 << high) + signs[1] * (1 << low if low else 0)
            value = abs(value)
            if value > 1 and value & 1 and value < 1 << top and value not in found:
                found[value] = Step(value, csd(value))
    return found
