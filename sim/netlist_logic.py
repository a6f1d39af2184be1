"""Floor 3: truth tables of up to six inputs as few three-input word operations.

A processor with AVX-512 does any function of three words in one instruction; elsewhere such an
operation is a few plain ones. A table is split by rules that are tried in order of what they cost:
an input it does not depend on is dropped; three inputs or fewer are one operation; two inputs under
which the rest takes but one form (or its complement, or a constant) are one operation on that form;
else it is split by the input whose two halves cost least (Shannon), and what halves share is made
once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import combinations

MAXIMUM_INPUTS = 6


@dataclass(slots=True)
class Program:
    """Operations in order; each is (table of three inputs, names of these).

    Parameters
    ----------
    prefix
        How the names of results begin.

    """

    prefix: str
    steps: list[tuple[int, tuple[str, str, str]]] = field(default_factory=list)
    known: dict[tuple[int, tuple[str, ...]], str] = field(default_factory=dict)

    def name(self, table: int, inputs: tuple[str, ...]) -> str:
        """Return the name of a function's value, adding the operations it needs.

        Parameters
        ----------
        table
            Bit ``i`` is the output where input ``k`` is bit ``k`` of ``i``.
        inputs
            Names, at most six.

        Returns
        -------
        An input's name, ``zero``, ``ones``, or the result of the last operation.

        """
        table, kept = reduced(table, len(inputs))
        names = tuple(inputs[k] for k in kept)
        size = len(names)
        if not size:
            return "ones" if table else "zero"
        if size == 1 and table == 0b10:
            return names[0]
        key = (table, names)
        if key not in self.known:
            self.known[key] = self._made(table, names)
        return self.known[key]

    def _made(self, table: int, names: tuple[str, ...]) -> str:
        size = len(names)
        if size <= 3:
            padded = names + (names[-1],) * (3 - size)
            return self._step(_widened(table, size), padded)
        split = best_split(table, size)
        rest = [k for k in range(size) if k not in split.chosen]
        inner = tuple(names[k] for k in rest)
        first = self.name(split.forms[0], inner)
        if len(split.chosen) == 2:
            x, y = (names[k] for k in split.chosen)
            return self._step(split.table, (first, x, y))
        second = self.name(split.forms[1], inner)
        return self._step(split.table, (first, second, names[split.chosen[0]]))

    def _step(self, table: int, names: tuple[str, ...]) -> str:
        a, b, c = names
        self.steps.append((table, (a, b, c)))
        return f"{self.prefix}{len(self.steps) - 1}"


@dataclass(frozen=True, slots=True)
class Split:
    """How a table becomes an operation on smaller ones.

    Parameters
    ----------
    chosen
        One or two inputs taken out.
    forms
        Tables over the other inputs: one if two inputs are taken out, else two.
    table
        The operation on (form, input, input) or (form, form, input).
    operations
        Of the whole.

    """

    chosen: tuple[int, ...]
    forms: tuple[int, ...]
    table: int
    operations: int


def reduced(table: int, inputs: int) -> tuple[int, tuple[int, ...]]:
    """Return a table without the inputs it does not depend on, and the inputs that are left."""
    kept = list(range(inputs))
    for k in reversed(range(inputs)):
        low, high = cofactors(table, len(kept), k)
        if low == high:
            table = low
            del kept[k]
    return table, tuple(kept)


@cache
def cofactors(table: int, inputs: int, chosen: int) -> tuple[int, int]:
    """Return the tables of the other inputs where one is 0 and where it is 1."""
    halves = [0, 0]
    places = [0, 0]
    for row in range(1 << inputs):
        side = row >> chosen & 1
        halves[side] |= (table >> row & 1) << places[side]
        places[side] += 1
    return halves[0], halves[1]


@cache
def cost(table: int, inputs: int) -> int:
    """Return how many operations a table takes, not counting what other tables share."""
    table, kept = reduced(table, inputs)
    size = len(kept)
    if not size or (size == 1 and table == 0b10):
        return 0
    return 1 if size <= 3 else best_split(table, size).operations


@cache
def best_split(table: int, inputs: int) -> Split:
    """Return the cheapest split of a table that depends on all its inputs, four to six of them."""
    found = [s for pair in combinations(range(inputs), 2) if (s := _pair(table, inputs, pair))]
    if found:
        return min(found, key=lambda split: split.operations)
    return min((_shannon(table, inputs, k) for k in range(inputs)), key=lambda s: s.operations)


def _pair(table: int, inputs: int, pair: tuple[int, int]) -> Split | None:
    """Return the split by two inputs, if the rest takes one form only."""
    x, y = pair
    full = (1 << (1 << (inputs - 2))) - 1
    form = None
    rows = 0
    for side_y, half in enumerate(cofactors(table, inputs, y)):
        for side_x, quarter in enumerate(cofactors(half, inputs - 1, x)):
            place = 2 * side_x + 4 * side_y
            if quarter in (0, full):
                rows |= (0b11 if quarter else 0) << place
                continue
            form = quarter if form is None else form
            if quarter not in (form, full ^ form):
                return None
            rows |= (0b10 if quarter == form else 0b01) << place
    assert form is not None
    return Split(pair, (form,), rows, 1 + cost(form, inputs - 2))


def _shannon(table: int, inputs: int, chosen: int) -> Split:
    low, high = cofactors(table, inputs, chosen)
    full = (1 << (1 << (inputs - 1))) - 1
    if high == full ^ low:
        return Split((chosen,), (low, 0), 0b01011010, 1 + cost(low, inputs - 1))
    operations = 1 + cost(low, inputs - 1) + cost(high, inputs - 1)
    return Split((chosen,), (low, high), 0b11001010, operations)


def _widened(table: int, inputs: int) -> int:
    """Return a table of one to three inputs as one of three, the last input repeated."""
    rows = 0
    for row in range(8):
        used = row & ((1 << inputs) - 1)
        rows |= (table >> used & 1) << row
    return rows
