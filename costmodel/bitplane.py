"""Floor 2c: dot products by binary planes: rows and counts of gated words, accumulator, sequencer.

Rows of LUT6_2 and CARRY4 by name are what they are: one LUT per bit. In plain Verilog a row of two
gated words is mapped as `costmodel.chain` tells. Sequencers are measured, all of them
(``costmodel/data/plane_sequencers.csv``, by `sweeps.plane_primitives`).
"""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import cache
from importlib.resources import files

from costmodel.chain import Row, Wire, function_luts, is_chain, row_cost
from costmodel.coefficients import Coefficients, Formulas
from costmodel.cost import Cost, luts
from costmodel.rows import dual_row, narrow_luts, operand_wire
from hw.plan.bitplane import PlaneAccumulate, PlaneOffset, Sequencer
from hw.plan.plane_sums import GATES, NOT, PlaneCount, PlaneRow, PlaneWord, count_luts

DATA = "plane_sequencers.csv"
MOST_NARROW_LUTS = 8
"""LUTs of a bit of the widest row without a chain: two gated words of three bits on ECP5."""
ICE40_ENABLES = 2
"""Both registers have an enable that a reset must pass."""


@cache
def plane_row(row: PlaneRow, target: Coefficients) -> Cost:
    """Return the cost of `hw.rtl.plane_sums.PlaneRowAdder`."""
    if row.native:
        inverter = any(word.gate == NOT for word in row.words)
        return dual_row(row.width) + Cost(sites=int(inverter))
    left, right = (
        [_wire(word, number, i) for i in range(row.width)] for number, word in enumerate(row.words)
    )
    found = Row(tuple(zip(left, right, strict=True)))
    if not is_chain(row.width, target):
        return luts(_narrow_luts(found, target))
    gated = [word for word in row.words if word.gate in GATES]
    if target.family == "xilinx" and len(gated) == 1:
        (word,) = gated
        if word.bounds.bits < max(other.bounds.bits for other in row.words):
            return row_cost(found, target) + luts(word.bounds.bits)
    return row_cost(found, target)


def _narrow_luts(row: Row, target: Coefficients) -> int:
    """Return the LUTs of a row without a chain: each bit a function of all bits below, or less."""
    inputs: set[object] = set()
    count = 0
    for left, right in row.bits:
        inputs |= {*left, *right}
        count += min(function_luts(len(inputs), target.lut_inputs), MOST_NARROW_LUTS)
    return count


def _wire(word: PlaneWord, number: int, index: int) -> Wire:
    """Return a bit of a word as a row takes it."""
    net = operand_wire(f"word{number}", index, word.bounds.bits, word.bounds.signed)
    if word.bounds.low == word.bounds.high == 0:
        return ()
    if word.gate == NOT and net:
        return (*net, "inverted")
    return (*net, f"gate{number}") if net and word.gate in GATES else net


def _row(row: Row, target: Coefficients) -> Cost:
    if is_chain(row.width, target):
        return row_cost(row, target)
    return luts(narrow_luts(row, target))


@cache
def plane_count(count: PlaneCount, target: Coefficients) -> Cost:
    """Return the cost of `hw.rtl.plane_sums.PlaneCounter`."""
    return luts(count_luts(count.bits, count.native, target.lut_inputs))


@cache
def plane_accumulate(plan: PlaneAccumulate, target: Coefficients) -> Cost:
    """Return the cost of `hw.rtl.bitplane.PlaneAccumulator`."""
    if plan.native:
        return dual_row(plan.bits) + Cost(ff=plan.ff)
    sign: Wire = ("negate",) if plan.negates else ()
    bits = []
    for i in range(plan.bits):
        below: Wire = (("state", i - 1),) if i else ()
        state: Wire = (("state", i), *below, "doubles") if plan.doubles else (("state", i),)
        word = operand_wire("word", i, plan.word.bits, plan.word.signed)
        if not word and sign and plan.doubles and target.family == "xilinx":
            word = ("extended",)  # the chain takes the doubled sum, whatever it is added to
        bits.append((state, word + sign))
    enables = ICE40_ENABLES if target.family == "ice40" else 0
    return _row(Row(tuple(bits), sign), target) + luts(enables, ff=plan.ff)


@cache
def plane_offset(plan: PlaneOffset, target: Coefficients) -> Cost:
    """Return the cost of `hw.rtl.bitplane.PlaneOffsetAdder`; places below the constant pass by.

    The lowest bit it changes is inverted and is its own carry: a LUT, or in a chain on iCE40 that
    of the sum, without an SB_CARRY. On Xilinx the chain takes it as it is.
    """
    below = (plan.constant & -plan.constant).bit_length() - 1
    width = max(plan.bounds.bits - below, 1)
    bits = tuple(
        (operand_wire("word", i, plan.word.bits, plan.word.signed), ()) for i in range(width)
    )
    cost = _row(Row(bits), target)
    if target.family == "xilinx":
        return cost
    if target.family == "ice40" and is_chain(width, target):
        return replace(cost, carry=cost.carry - 1)
    return cost + luts(1)


@cache
def sequencer(plan: Sequencer, target: Coefficients) -> Cost:
    """Return the cost of `hw.rtl.bitplane.PlaneSequencer`."""
    found = _measured().get((target.target, sequencer_key(plan)))
    if found is None:
        raise ValueError(f"the cost model of {target.target} has no sequencers of planes")
    return found + Cost(ff=plan.ff)


def sequencer_key(plan: Sequencer) -> str:
    """Return the name under which a sequencer is measured: bits of its counters, and signs."""
    sides = "_".join(
        str((bits - 1).bit_length()) if bits else "whole"
        for bits in (plan.weight_bits, plan.activation_bits)
    )
    return f"{sides}_signed" if plan.signs else sides


@cache
def _measured() -> dict[tuple[str, str], Cost]:
    lines = (files("costmodel") / "data" / DATA).read_text(encoding="utf-8").splitlines()
    return {
        (row["target"], row["key"]): Cost(int(row["lut"]), int(row["sites"]), 0, int(row["carry"]))
        for row in csv.DictReader(lines)
    }


PLANE_FORMULAS: Formulas = {
    PlaneRow: (("plane row", plane_row),),
    PlaneCount: (("plane count", plane_count),),
    PlaneAccumulate: (("accumulator", plane_accumulate),),
    PlaneOffset: (("offset", plane_offset),),
    Sequencer: (("sequencer", sequencer),),
}
"""The formulas of each type of part, with the names they have in a breakdown."""
