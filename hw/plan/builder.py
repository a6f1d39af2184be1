"""Floor 1c: collecting cells (`hw.plan.cells`), and the functions of bits they are made of.

These work on truth tables as integers (`hw.plan.truth`), so that one call gives a whole table.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import reduce
from operator import and_, or_

from hw.plan.cells import Chain, Lut, Netlist, bitwise, lookup


class CellBuilder:
    """Collects cells."""

    def __init__(self) -> None:
        self.luts: list[Lut] = []
        self.chains: list[Chain] = []

    def done(self) -> Netlist:
        """Return all cells added."""
        return Netlist(tuple(self.luts), tuple(self.chains))

    def add(self, luts: Sequence[Lut], chains: Sequence[Chain]) -> None:
        """Add cells."""
        self.luts += luts
        self.chains += chains

    def lut(
        self,
        output: str,
        inputs: tuple[str, ...],
        rule: Callable[..., int],
        *parameters: Hashable,
    ) -> str:
        """Add a function (see `hw.plan.cells.bitwise`) and return its net."""
        self.luts.append(bitwise(output, inputs, rule, *parameters))
        return output

    def table(self, output: str, inputs: tuple[str, ...], truth: int) -> str:
        """Add a function by its truth table and return its net."""
        self.luts.append(lookup(output, inputs, truth))
        return output

    def rename(self, old: str, new: str) -> None:
        """Give a net another name, too."""
        if old != new:
            self.lut(new, (old,), same)


def same(a: int) -> int:
    """Return the net itself."""
    return a


def exclusive_or(a: int, b: int) -> int:
    """Return whether two nets differ."""
    return a ^ b


def both_not(a: int, b: int) -> int:
    """Return the first net where the second is 0."""
    return a & ~b


def chosen(*values: int) -> int:
    """Return the net a code names, inverted by the sign: all nets, the code's, the sign, its width.

    The code's lowest bit comes first.
    """
    *nets, sign, bits = values
    words, code = nets[:-bits], nets[-bits:]
    return any_of(*(x & equals(code, number) for number, x in enumerate(words))) ^ sign


def all_of(*values: int) -> int:
    """Return whether all nets are set."""
    return reduce(and_, values, -1)


def any_of(*values: int) -> int:
    """Return whether a net is set."""
    return reduce(or_, values, 0)


def any_both(*values: int) -> int:
    """Whether a bit of the first half and the same bit of the second half are set."""
    half = len(values) // 2
    return any_of(*(x & y for x, y in zip(values[:half], values[half:], strict=True)))


def equals(nets: Sequence[int], code: int) -> int:
    """Return whether a word is a code."""
    return all_of(*(net if code >> i & 1 else ~net for i, net in enumerate(nets)))
