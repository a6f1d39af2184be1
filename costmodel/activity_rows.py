"""Floor 2c: rows of two words over a sample, mapped to a chain or to LUTs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from costmodel.activity_planes import Plane, Silent, Tally, chained
from costmodel.chain import is_chain
from costmodel.coefficients import Coefficients


def any_of(planes: Sequence[Plane]) -> Plane:
    """Return whether any of some nets is 1."""
    return reduce(or_, planes, 0)


def constant(value: int, width: int, ones: Plane) -> list[Plane]:
    """Return the nets of a constant."""
    return [ones if value >> i & 1 else 0 for i in range(width)]


def summed(
    tally: Tally,
    name: str,
    left: Sequence[Plane],
    right: Sequence[Plane],
    carry: Plane,
    target: Coefficients,
    made: Sequence[Plane] | None = None,
) -> list[Plane]:
    """Return the sum of two words and a carry as wide as they are, and count its nets.

    A narrow sum is LUTs. Lowest bits with a constant 0 are wires.

    Parameters
    ----------
    tally, name
        Where toggles are counted, and the part they are of.
    left, right, carry
        What is added.
    target
        The technology.
    made
        Bits of `right` that are functions, which LUTs in front of four-input chains compute, and
        for which every bit of wider ones needs a LUT; None if it is nets, so that a bit with a
        constant 0 needs none but on ECP5, whose chains have LUTs in them.

    """
    ones = tally.scope.ones
    selects = [a ^ b for a, b in zip(left, right, strict=True)]
    sums = chained(Silent(tally.scope), name, selects, left, carry)
    if not is_chain(len(left), target):
        tally.add(f"{name}/logic/narrow", [p for p in sums if p not in (*left, *right)])
        return sums
    start = 0
    while made is None and carry == 0 and start < len(left) and 0 in (left[start], right[start]):
        start += 1
    bits = list(zip(left, right, strict=True))[start:]
    if made is None and target.family != "ecp5":
        bits = [pair for pair in bits if 0 not in pair]
    tally.add(f"{name}/logic/row", [a ^ b for a, b in bits])
    if made and target.family != "xilinx":
        tally.add(f"{name}/logic/operand", [p for p in made if p not in (0, ones)])
    carries = [total ^ select for total, select in zip(sums, selects, strict=True)]
    tally.add(f"{name}/carry/sum", sums[start:])
    tally.add(f"{name}/carry/chain", carries[start + 1 :])
    return sums
