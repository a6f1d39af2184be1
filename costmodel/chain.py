"""Floor 2c: rows of full adders on a carry chain.

Each bit of a row adds two operand bits. An operand bit is named by the signals it is made from: ()
is a constant 0, one name is a bare net, more names are a function that some LUT must compute. Bits
made in the same way are the same net, so each is counted once.

How the families take the two bits:

xilinx
    The LUT in front of a carry bit computes the exclusive or of both, so it holds the operands'
    own logic too as long as one operand is a bare net (it feeds the chain's DI pin). A bit with a
    constant and a bare net needs no LUT, but its site. Chains of one or two bits become LUTs.
ecp5
    A CCU2C holds two bits and counts as two LUTs; operands that are functions are LUTs before it.
    Up to four result bits become plain logic: a small function whose size is measured.
ice40
    SB_CARRY and a SB_LUT4 per bit share a logic cell; operands that are functions are LUTs before
    it, except in the last bit, which has no SB_CARRY and can take a small function in its LUT. A
    chain whose carry-in is a net needs one more site to enter it.
gowin
    An ALU per bit is a LUT in arithmetic mode; operands that are functions are LUTs before it. A
    chain whose carry-in is a net needs one more site to enter it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from costmodel.coefficients import Coefficients
from costmodel.cost import Cost

Wire = tuple[object, ...]
"""An operand bit, named by the signals it is made from."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of full adders.

    Parameters
    ----------
    bits
        Both operand bits of each result bit, lowest first.
    carry_in
        The net at the carry input; () for a constant 0.

    """

    bits: tuple[tuple[Wire, Wire], ...]
    carry_in: Wire = ()

    @property
    def width(self) -> int:
        """Bits of the result."""
        return len(self.bits)


def row_cost(row: Row, target: Coefficients) -> Cost:
    """Return the cost of a row wide enough for a carry chain; see `is_chain`."""
    if target.family == "xilinx":
        return _xilinx(row, target.lut_inputs)
    if target.family == "ecp5":
        return _ecp5(row)
    if target.family == "gowin":
        return _gowin(row)
    return _ice40(row)


def is_chain(width: int, target: Coefficients) -> bool:
    """Whether a row of so many bits is mapped to carry cells."""
    return width >= target.of("chain", "least_bits")


def function_luts(inputs: int, lut_inputs: int) -> int:
    """Return the LUTs of one function: 1 up to a LUT's inputs, twice that per input beyond.

    On ECP5 the halves are joined by PFUMX and L6MUX21, which are not LUTs.
    """
    if inputs <= 1:
        return 0
    return 1 if inputs <= lut_inputs else 1 << (inputs - lut_inputs)


def logic(wires: Iterable[Wire], lut_inputs: int) -> int:
    """Return the LUTs of distinct operand bits."""
    return sum(function_luts(len(wire), lut_inputs) for wire in set(wires))


def _xilinx(row: Row, lut_inputs: int) -> Cost:
    selects: set[tuple[Wire, Wire]] = set()
    direct: set[Wire] = set()
    luts = 0
    for left, right in row.bits:
        if len(left) + len(right) > 1 and (left, right) not in selects:
            selects.add((left, right))
            luts += function_luts(len({*left, *right}), lut_inputs)
        if len(left) > 1 and len(right) > 1:
            direct.add(left)
    bare = row.width - len(selects)
    extra = sum(function_luts(len(wire), lut_inputs) for wire in direct)
    made = {wire for pair in selects for wire in pair if () in pair}
    carry_in = function_luts(len(row.carry_in), lut_inputs)
    if row.carry_in in made:
        carry_in = 0
    lut = luts + extra + carry_in
    return Cost(lut=lut, sites=lut + bare, carry=-(-row.width // 4))


def _ecp5(row: Row) -> Cost:
    operands = {wire for pair in row.bits for wire in pair} | {row.carry_in}
    cells = -(-row.width // 2)
    lut = 2 * cells + logic(operands, 4)
    return Cost(lut=lut, sites=lut, carry=cells)


def _gowin(row: Row) -> Cost:
    operands = {wire for pair in row.bits for wire in pair} | {row.carry_in}
    lut = row.width + logic(operands, 4)
    return Cost(lut=lut, sites=lut + (len(row.carry_in) > 0), carry=row.width)


def _ice40(row: Row) -> Cost:
    operands: set[Wire] = {row.carry_in}
    for pair in row.bits[:-1]:
        operands.update(pair)
    sums = sum(1 for left, right in row.bits if left or right)
    lut = sums + logic(operands | _last(row.bits, operands), 4)
    entry = int(len(row.carry_in) > 0)
    return Cost(lut=lut, sites=lut + entry, carry=row.width - 1)


def _last(bits: Sequence[tuple[Wire, Wire]], known: set[Wire]) -> set[Wire]:
    """Return what the last bit needs LUTs for: nothing if its own LUT holds the function."""
    left, right = bits[-1]
    if left in known and right in known:
        return set()
    if len({*left, *right}) + 1 <= 4:
        return set()
    return {left, right}
