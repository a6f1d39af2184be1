"""Floor 1c: dot products with constant weights as adder rows that share what they can.

Weights are taken in canonical signed digits (Reitwiesner 1960). Ways that are tried, of which the
one of fewest sites is built:

- every output by itself, its digits added by rows;
- pairs of digits that occur more than once, in any output, shifted or negated, are one node (the
  elimination of common sub-expressions after Hartley, Subexpression sharing in filters using
  canonic signed digit multipliers, IEEE Transactions on Circuits and Systems II, 1996), the most
  frequent pair first; rows of three words ask for pairs that occur more often to be worth it;
- for one input: graphs of fewest adders (`hw.plan.adder_graph`), one output after the other,
  those of fewest adders first, each using the numbers that are there already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import combinations

from hw.design.constant_dot import ConstantDot
from hw.formats.khot import signed_digits
from hw.plan.adder_graph import SEARCHED_BITS, Graph, graph, odd, triple_rows
from hw.plan.constant_rows import ConstantRow, Rows, Term
from hw.plan.digits import Bounds
from hw.plan.serial import SerialCorePlan
from hw.target import ASIC, Target

MOST_PAIRS = 30_000
"""Pairs of digits: beyond, nothing is shared."""
Pattern = tuple[int, int, int, int]
"""Two nodes, how much further the second is shifted, and the product of their signs."""


@dataclass(frozen=True, slots=True)
class ConstantRegisters:
    """So many registers: of totals, and of whether they are valid."""

    bits: int


@dataclass(frozen=True, slots=True)
class ConstantDotPlan(SerialCorePlan):
    """Rows, and what each output is.

    Parameters
    ----------
    design
        What is built.
    rows
        The rows and the nodes they read; nodes are the activations, then the rows.
    outputs
        The node of each output, how far it is shifted and its sign; None of weights that are 0.

    """

    design: ConstantDot
    rows: tuple[tuple[ConstantRow, tuple[int, ...]], ...]
    outputs: tuple[Term | None, ...]

    @property
    def latency_cycles(self) -> int:
        """Cycles from activations to totals."""
        return 1

    @property
    def initiation_interval(self) -> int:
        """Totals in every cycle."""
        return 1

    @property
    def kept(self) -> tuple[tuple[int, Bounds], ...]:
        """Nodes that outputs show, each once, and their ranges: these are registers."""
        inputs = _inputs(self.design)
        ranges = [*inputs, *(row.bounds for row, _ in self.rows)]
        nodes = dict.fromkeys(output[0] for output in self.outputs if output is not None)
        return tuple((node, ranges[node]) for node in nodes)

    def parts(self) -> Counter[Hashable]:
        """Return rows and registers."""
        found: Counter[Hashable] = Counter(row for row, _ in self.rows)
        found[ConstantRegisters(sum(bounds.bits for _, bounds in self.kept) + 1)] += 1
        return found


def plan_constant_dot(design: ConstantDot, target: Target) -> ConstantDotPlan:
    """Return the rows of fewest sites that were found.

    Raises
    ------
    ValueError
        On the target asic.

    """
    if target.name == ASIC:
        raise ValueError("constant dot products are for FPGAs, not asic")
    most = 3 if target.primitives else 2
    ways = [_shared(design, most, least) for least in (0, 2, 3, 4)[: 2 if most == 2 else 4]]
    if design.lanes == 1:
        ways += _graphs(design, most)
    rows, outputs = min(ways, key=lambda way: (way[0].sites, len(way[0].made)))
    return ConstantDotPlan(design, tuple(rows.made), tuple(outputs))


Way = tuple[Rows, list[Term | None]]


def _inputs(design: ConstantDot) -> tuple[Bounds, ...]:
    one = Bounds(design.activation.minimum_integer, design.activation.maximum_integer)
    return (one,) * design.lanes


def _digits(design: ConstantDot) -> list[list[Term]]:
    """Return the digits of the weights of each output."""
    return [
        [(lane, place, sign) for lane, w in enumerate(row) for sign, place in signed_digits(w)]
        for row in design.constants
    ]


def _shared(design: ConstantDot, most: int, least: int) -> Way:
    """Return rows where pairs of digits that occur so often are shared; 0: none."""
    rows, outputs = Rows(_inputs(design)), _digits(design)
    if least and sum(len(terms) ** 2 for terms in outputs) // 2 <= MOST_PAIRS:
        _eliminate(rows, outputs, least)
    return rows, [_settled(rows, rows.reduce(terms, most)) for terms in outputs]


def _settled(rows: Rows, output: Term | None) -> Term | None:
    """Return an output whose sign is settled by a row, if it was negative."""
    if output is None or output[2] > 0:
        return output
    node, shift, _ = output
    bounds = rows.bounds(node)
    kept = tuple(-c for c in rows.coefficients[node])
    rows.coefficients.append(kept)
    rows.made.append((ConstantRow((bounds,), (0,), (True,), rows.range_of(kept)), (node,)))
    return len(rows.coefficients) - 1, shift, 1


def _eliminate(rows: Rows, outputs: list[list[Term]], least: int) -> None:
    """Replace pairs of digits by nodes, the most frequent first."""
    counts = [_patterns(terms) for terms in outputs]
    total: Counter[Pattern] = sum(counts, Counter())
    dead: set[Pattern] = set()
    while True:
        alive = ((n, -p[2], p) for p, n in total.items() if n >= least and p not in dead)
        best = max(alive, default=None)
        if best is None:
            return
        pattern = best[2]
        found = [_places(terms, pattern) for terms in outputs]
        if sum(map(len, found)) < least:
            dead.add(pattern)
            continue
        first, second, shift, sign = pattern
        made = rows.add(((first, 0, 1), (second, shift, sign)), keep_sign=True)
        for number, places in enumerate(found):
            if not places:
                continue
            outputs[number] = _replaced(outputs[number], places, made)
            total -= counts[number]
            counts[number] = _patterns(outputs[number])
            total += counts[number]


def _pattern(one: Term, two: Term) -> Pattern:
    low, high = sorted((one, two), key=lambda term: (term[1], term[0]))
    return low[0], high[0], high[1] - low[1], low[2] * high[2]


def _patterns(terms: list[Term]) -> Counter[Pattern]:
    return Counter(_pattern(one, two) for one, two in combinations(terms, 2))


def _places(terms: list[Term], pattern: Pattern) -> list[tuple[Term, Term]]:
    """Return pairs of a pattern in a sum, no term in two of them."""
    first, second, shift, sign = pattern
    left, found = set(terms), []
    for term in sorted(terms, key=lambda term: term[1]):
        node, place, own = term
        other = (second, place + shift, own * sign)
        if node == first and term in left and other in left and other != term:
            left -= {term, other}
            found.append((term, other))
    return found


def _replaced(terms: list[Term], places: list[tuple[Term, Term]], made: Term) -> list[Term]:
    """Return a sum whose pairs are the node that was made."""
    gone = {term for pair in places for term in pair}
    node, up, sign = made
    return [term for term in terms if term not in gone] + [
        (node, low[1] + up, low[2] * sign) for low, _ in places
    ]


def _graphs(design: ConstantDot, most: int) -> list[Way]:
    """Return the rows of graphs of one input, if all constants are small enough."""
    constants = [row[0] for row in design.constants]
    odds = sorted({odd(c)[0] for c in constants if c})
    if odds[-1].bit_length() > SEARCHED_BITS:
        return []
    ways = [_built(design, {c: graph(c) for c in odds})]
    if most > 2:
        best: dict[int, Graph] = {}
        for constant in odds:
            choices = (graph(constant), *triple_rows(constant))
            best[constant] = min(choices, key=lambda way: _built(design, {constant: way})[0].sites)
        ways.append(_built(design, best))
    return [(rows, [_settled(rows, out) for out in outputs]) for rows, outputs in ways]


def _built(design: ConstantDot, graphs: dict[int, Graph]) -> Way:
    """Return rows for the steps of graphs; constants without a graph are left out."""
    rows = Rows(_inputs(design))
    for steps in sorted(graphs.values(), key=lambda steps: (len(steps), steps[-1:] != ())):
        for step in steps:
            terms = tuple(
                (rows.coefficients.index((value,)), shift, sign)
                for value, shift, sign in step.terms
            )
            if (step.value,) not in rows.coefficients:
                rows.add(terms, keep_sign=True)
    outputs: list[Term | None] = []
    for (constant,) in design.constants:
        value, shift = odd(constant) if constant else (0, 0)
        if (value,) in rows.coefficients:
            node = rows.coefficients.index((value,))
            outputs.append((node, shift, 1 if constant > 0 else -1))
        else:
            outputs.append(None)
    return rows, outputs
