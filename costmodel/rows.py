"""Floor 2c: adder rows: of the tree, and of products by Booth digits."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product

from costmodel.chain import Row, Wire, function_luts, is_chain, logic, row_cost
from costmodel.coefficients import Coefficients
from costmodel.cost import Cost, luts
from costmodel.measured import measured
from hw.plan import AdderRow, BoothRow, Bounds, Sign, SumRow

CARRY_BITS = 4
"""Sum bits of one CARRY4."""


def operand_wire(name: str, index: int, bits: int, signed: bool) -> Wire:
    """Return bit `index` of a word, extended beyond its width."""
    if index >= bits:
        return ((name, bits - 1),) if signed else ()
    return ((name, index),)


@cache
def adder(row: AdderRow, target: Coefficients) -> Cost:
    """Return the cost of one row of the adder tree (`hw.rtl.tree.Adder`).

    In a relative row each bit of the right word is inverted by both signs, and their exclusive
    or is the carry-in.
    """
    width = row.bounds.bits
    signs: Wire = ("left_negate", "right_negate") if row.relative else ()
    bits = tuple(
        (
            operand_wire("left", i, row.left.bits, row.left.signed),
            operand_wire("right", i, row.right.bits, row.right.signed) + signs,
        )
        for i in range(width)
    )
    return _narrow_or_chain(Row(bits, signs), "narrow_adder", adder_key(row), target)


@cache
def booth_row(row: BoothRow, target: Coefficients) -> Cost:
    """Return the cost of one row of a product (`hw.rtl.product.BoothRowAdder`)."""
    selected = tuple(_selected(row, i) for i in range(row.width))
    if not row.previous_bits and not row.negates:
        return luts(logic(selected, target.lut_inputs))
    bits = tuple(
        (
            operand_wire("previous", i, row.previous_bits, row.previous_signed)
            if row.previous_bits
            else (),
            selected[i],
        )
        for i in range(row.width)
    )
    carry_in: Wire = (("digit", 0),) if row.negates else ()
    if target.family == "gowin" and not row.previous_bits:
        bits, carry_in = ((carry_in, selected[0]), *bits[1:]), ()
    cost = _narrow_or_chain(Row(bits, carry_in), "narrow_booth_row", booth_key(row), target)
    if not is_chain(row.width, target):
        return cost
    if not row.previous_bits:
        cost = cost + luts(target.of("booth_row", "first_row"))
    if max(len(wire) for wire in selected) == 5:
        cost = cost + luts(target.of("booth_row", "full_digit"))
    return cost


@cache
def sum_row(row: SumRow, target: Coefficients) -> Cost:
    """Return the cost of a row of two or three words (`hw.rtl.sums.SumRowAdder`).

    Rows of LUT6_2 and CARRY4 by name are what they are: one LUT per bit. Others map as usual.
    """
    if row.dual:
        cost = dual_row(row.width)
        return replace(cost, carry=0) if _never_carries(row) else cost
    left, right = row.words
    sign: Wire = ("negate",) if right.sign is Sign.NEGATE else ()
    bits = tuple(
        (
            operand_wire("left", i, left.bounds.bits, left.bounds.signed),
            operand_wire("right", i, right.bounds.bits, right.bounds.signed) + sign,
        )
        for i in range(row.width)
    )
    carry_in: Wire = sign or (("carry",) if right.pending else ())
    found = Row(bits, carry_in)
    if is_chain(row.width, target):
        return row_cost(found, target)
    return luts(narrow_luts(found, target))


def _never_carries(row: SumRow) -> bool:
    """Whether three words of one bit are all that is added: the second LUT takes what they carry.

    Yosys finds that the chain carries nothing and leaves it out.
    """
    return len(row.words) == 3 and row.width == 2 and not any(row.carries)


def dual_row(width: int) -> Cost:
    """Return the cost of a row of one LUT6_2 and one carry bit per bit."""
    return Cost(lut=width, sites=width, carry=-(-width // CARRY_BITS))


def adder_key(row: AdderRow) -> str:
    """Return the name under which a narrow row of the tree is measured.

    It says the width of the sum where the words do not reach as far as their bits.
    """
    words = row.left, row.right
    sides = "_".join(f"{'s' if word.signed else 'u'}{word.bits}" for word in words)
    left, right = (Bounds.of(word.bits, word.signed) for word in words)
    width = row.bounds.bits
    end = f"_{width}" if width != AdderRow(left, right, row.relative).bounds.bits else ""
    return f"{'relative' if row.relative else 'plain'}_{sides}{end}"


def booth_key(row: BoothRow) -> str:
    """Return the name under which a narrow row of a product is measured."""
    digit = "".join("z" if index < 0 else str(index) for index in row.shape)
    sign = "s" if row.multiplicand_signed else "u"
    before = f"{'s' if row.previous_signed else 'u'}{row.previous_bits}"
    return f"{sign}{row.multiplicand_bits}_d{digit}_{before}_{row.width}"


def _narrow_or_chain(row: Row, part: str, key: str, target: Coefficients) -> Cost:
    if is_chain(row.width, target):
        return row_cost(row, target)
    known = measured(target.target, part, key)
    return luts(narrow_luts(row, target)) if known is None else known


def narrow_luts(row: Row, target: Coefficients) -> int:
    """Return the LUTs of a row too narrow for a chain: each bit a function of all bits below.

    A carry-in that also inverts the operand (a subtraction) does not reach the lowest bit. A bit
    that would take more LUTs than it has inputs is built in steps, a LUT for each. A carry-in of
    its own reaches every bit; all are looked up, in twice the LUTs at most for each bit more.
    """
    inputs: set[object] = set()
    count = 0
    operands = {name for pair in row.bits for wire in pair for name in wire}
    if set(row.carry_in) - operands:
        inputs |= set(row.carry_in)
        for left, right in row.bits:
            inputs |= {*left, *right}
            count += function_luts(len(inputs), target.lut_inputs)
        return min(count, 1 << row.width)
    for position, (left, right) in enumerate(row.bits):
        inputs |= {*left, *right}
        live = inputs - set(row.carry_in) if position == 0 else inputs
        count += min(function_luts(len(live), target.lut_inputs), len(live))
    return count


@cache
def _digit(shape: tuple[int, ...]) -> tuple[bool, bool, tuple[int, ...]]:
    """Return whether a digit selects the multiplicand once and twice, and the bits it reads."""
    live = len({index for index in shape if index >= 0})
    once = twice = False
    for values in product((0, 1), repeat=live):
        high, middle, low = (values[index] if index >= 0 else 0 for index in shape)
        once |= bool(middle ^ low)
        twice |= bool((high and not middle and not low) or (not high and middle and low))
    return once, twice, tuple(range(live))


def _selected(row: BoothRow, index: int) -> Wire:
    """Return one bit of the selected multiple."""
    once, twice, digits = _digit(row.shape)
    nets: list[object] = []
    if once:
        nets += operand_wire("m", index, row.multiplicand_bits, row.multiplicand_signed)
    if twice and index:
        nets += operand_wire("m", index - 1, row.multiplicand_bits, row.multiplicand_signed)
    if not nets:
        return (("digit", 0),) if row.negates else ()
    return tuple(dict.fromkeys([*nets, *(("digit", digit) for digit in digits)]))
