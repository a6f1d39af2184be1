"""Floor 1c: dot products of one- and two-bit operands as trees of look-up tables alone.

What `hw.plan.compressor` is for Xilinx slices, for any FPGA: see `hw.plan.counters` for the tree.
Products of two nets stand in full adders; those of ternary operands, and of bits and signs, are
digits 0, 1 and 2, which are counted in groups if a LUT reads a group, else added in rows, a lane
after the other, each handing its sum on. Sums of two equal halves need one bit more than all but
the last one; a bit kept for the carry input of the accumulator avoids that.
"""

from __future__ import annotations

from typing import Any

from hw.formats import Format
from hw.plan.bit_products import (
    digit_rules,
    drop,
    inverted,
    kind_of,
    nets_of,
    side_of,
    take_away,
)
from hw.plan.cells import LUT_INPUTS, Lut, bitwise
from hw.plan.counters import Tables
from hw.plan.heap import Heap

ROW_LANES = 8
"""Lanes of a row: as many LUTs stand one after the other."""
MOST_OF_ROW = 3
"""A digit and what comes before it."""

Made = tuple[tuple[Lut, ...], tuple[str, ...], tuple[str, ...]]


def tabulate(
    weight: Format, activation: Format, lanes: int, constant: int, lut_inputs: int
) -> Made:
    """Return the LUTs of a tree, the nets of its word and those still to be added.

    Parameters
    ----------
    weight, activation, lanes
        What is multiplied.
    constant
        What is taken away from the heap's value, by the sign of the word; 0 if nothing.
    lut_inputs
        Inputs of a LUT.

    """
    found = [_tree(weight, activation, lanes, constant, lut_inputs, held) for held in (False, True)]
    return min(found, key=lambda made: len(made[0]) + len(made[2]))


def _tree(
    weight: Format, activation: Format, lanes: int, constant: int, lut_inputs: int, held: bool
) -> Made:
    """Return the tree, with a bit held for the accumulator's carry input or not."""
    tables = Tables(Heap({}), lut_inputs)
    heap = tables.heap
    kind = kind_of(weight, activation)
    digits = kind in ("mixed", "digits")
    column = int(kind == "signs" and lanes % 2)
    pending: tuple[str, ...] = ()
    products = [] if digits else _waiting(weight, activation, lanes, kind, tables)
    if held and not digits and not column:
        pending = (products.pop(),)
    largest = 2 * lanes - held if digits else len(products) << column
    sign = take_away(heap, constant, largest) if constant else None
    if digits:
        pending = _add_digits(weight, activation, lanes, tables, held)
    else:
        tables.add_products(column, products, 1)
    tables.compress(lambda column: 1)
    for net in pending:
        tables.make(net)
    nets = {column: list(found) for column, found in heap.columns.items() if found}
    if sign is not None:
        for column in [column for column in nets if column > sign]:
            drop(heap, nets.pop(column))
        nets[sign] = [inverted(heap, nets.get(sign, ["0"])[0])]
    word = tuple(nets.get(column, ["0"])[0] for column in range(max(nets) + 1))
    return tuple(heap.luts), word, pending


def _waiting(
    weight: Format, activation: Format, lanes: int, kind: str, tables: Tables
) -> list[str]:
    """Return the products of two nets as nets that wait for a LUT."""
    truth = 0b1001 if kind == "signs" else 0b1000
    return [tables.wait(nets_of(weight, activation, lane), truth) for lane in range(lanes)]


def _either(*nets_and_rules: Any) -> int:
    """Return whether one of two rules says 1."""
    *nets, one, other = nets_and_rules
    return int(one(*nets) | other(*nets))


def _add_digits(
    weight: Format, activation: Format, lanes: int, tables: Tables, held: bool
) -> tuple[str, ...]:
    """Add ``product + 1`` of every lane; the last one's, if held, is the sum of two nets, one kept.

    Returns
    -------
    tuple
        The net that is kept.

    """
    low, high = digit_rules((side_of(weight), side_of(activation)))[2]
    digits: list[tuple[str, str]] = []
    for lane in range(lanes):
        nets = nets_of(weight, activation, lane)
        one, two = (bitwise("", (*nets, "0"), rule) for rule in (low, high))
        digits.append((tables.wait(one.inputs, one.truth), tables.wait(two.inputs, two.truth)))
    kept: tuple[str, ...] = ()
    if held:
        # 0, 1, 2 as "not 0" and "2", which both count once
        nets = nets_of(weight, activation, lanes - 1)
        kept = (digits.pop()[1],)
        either = bitwise("", (*nets, "0"), _either, low, high)
        tables.heap.put(0, tables.wait(either.inputs, either.truth))
    size = tables.lut_inputs // (weight.bits + activation.bits)
    if size > 1 and tables.lut_inputs == LUT_INPUTS:
        for start in range(0, len(digits), size):
            group = digits[start : start + size]
            tables.add(0, [one for one, _ in group], [two for _, two in group], 2 * len(group))
        return kept
    for start in range(0, len(digits), ROW_LANES):
        before: list[str] = []
        for digit in digits[start : start + ROW_LANES]:
            total, carry = tables.count([digit[0], *before], [digit[1]], MOST_OF_ROW)
            tables.heap.put(1, carry)
            before = [total]
        tables.heap.put(0, before[0])
    return kept
