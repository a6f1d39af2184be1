"""Floor 1c: what leaves a chain of adder rows above their width, counted once.

A placed product of w bits with sign s is, in two's complement, ``((word ^ s) + s) − s · 2^w``. Rows
that all are w bits wide add the first part and hand out a carry each; what they lack is
``(carries − signs) · 2^w``: the number of set bits among carries and inverted signs, less the
number of rows. A compressor tree counts them in 1.5 sites a row. Without it rows grow by three bits
along a chain of eight, and a row must add each further chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from hw.plan.builder import exclusive_or, same
from hw.plan.cells import Chain, ChainBit, Lut, Netlist, bitwise
from hw.plan.heap import Heap, compress

GROUP = 7
"""Bits that one counter of the first column takes (`hw.plan.heap`)."""


@dataclass(frozen=True, slots=True)
class CarryCount:
    """``Σ carries − Σ signs`` of the rows of a chain, two's complement.

    Parameters
    ----------
    rows
        Rows, each with a carry and a sign.
    bits
        Width of the count.

    """

    rows: int
    bits: int

    @property
    def netlist(self) -> Netlist:
        """The cells: read ``c0 …`` (carries) and ``s0 …`` (signs), drive ``n0 …``."""
        return _netlist(self.rows, self.bits)


@cache
def _netlist(rows: int, bits: int) -> Netlist:
    """Return a compressor tree of all bits and of the constant, and the row that ends it."""
    heap = Heap({0: _order(rows)})
    for column in range(bits):
        if -rows >> column & 1:
            heap.put(column, "1")
    compress(heap, lambda column: 2)
    luts = list(heap.luts)
    words = [(*heap.columns.get(column, ()), "0", "0")[:2] for column in range(bits)]
    first = next((n for n, (_, second) in enumerate(words) if second != "0"), bits)
    luts += [bitwise(f"n{n}", words[n][:1], same) for n in range(first)]
    row = [
        ChainBit(f"n{first + n}", bitwise("", two, exclusive_or), two[0])
        for n, two in enumerate(words[first:])
    ]
    if len(row) == 1:  # needs no carry
        luts.append(bitwise(row[0].output, words[first], exclusive_or))
        row = []
    chains = [*heap.chains, *([Chain("0", tuple(row), "")] if row else [])]
    signs = frozenset(f"s{row}" for row in range(rows))
    return Netlist(
        tuple(_inverted(lut, signs) for lut in luts),
        tuple(_inverted_chain(chain, signs) for chain in chains),
    )


def _order(rows: int) -> list[str]:
    """Return all bits such that a counter takes a carry first and last, signs between.

    Those two enter its chain by themselves; a sign must pass a LUT, which inverts it.
    """
    carries = [f"c{row}" for row in range(rows)]
    signs = [f"s{row}" for row in range(rows)]
    found: list[str] = []
    while carries:
        middle = [signs.pop(0) for _ in range(min(GROUP - 2, len(signs)))]
        found += [carries.pop(0), *middle, *carries[: GROUP - 1 - len(middle)]]
        del carries[: GROUP - 1 - len(middle)]
    return found


def _inverted(lut: Lut, nets: frozenset[str]) -> Lut:
    """Return a function with some of its inputs inverted."""
    turned = sum(1 << place for place, net in enumerate(lut.inputs) if net in nets)
    codes = range(1 << len(lut.inputs))
    return Lut(lut.output, lut.inputs, sum((lut.truth >> (c ^ turned) & 1) << c for c in codes))


def _inverted_chain(chain: Chain, nets: frozenset[str]) -> Chain:
    """Return a chain whose functions read some nets inverted."""
    assert chain.carry_in not in nets
    bits = []
    for bit in chain.bits:
        assert bit.direct not in nets
        direct = bit.direct if isinstance(bit.direct, str) else _inverted(bit.direct, nets)
        bits.append(ChainBit(bit.output, _inverted(bit.select, nets), direct))
    return Chain(chain.carry_in, tuple(bits), chain.carry_out)
