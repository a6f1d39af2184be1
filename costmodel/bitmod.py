"""Floor 2c: BitMoD's element, which a plan gives LUT by LUT, and what surrounds it.

The parts that are given as cells cost what they are on targets with primitives. Elsewhere the
synthesiser maps each of them by itself, and there are few: what they measured is in
``bitmod_<target>.csv`` (`sweeps.bitmod_primitives`), with what holds counters and registers.
"""

from __future__ import annotations

from functools import cache

from costmodel.coefficients import Coefficients, Formulas
from costmodel.cost import Cost, total
from costmodel.measured import measured
from costmodel.merged import netlist_cost
from costmodel.rows import dual_row, sum_row
from hw.formats.bitmod_datatypes import DATATYPES
from hw.plan import SumRow
from hw.plan.bitmod import (
    BitmodCells,
    BitmodElementPlan,
    BitmodIntPlan,
    BitmodRow,
    DequantiserPlan,
    OutputMark,
    SequencerPlan,
    SpecialValuesPlan,
)
from hw.plan.bitmod_decode import TermCells

Named = tuple[str, str]
"""Part and key of a measured module."""
ALL_DATATYPES = tuple(datatype.name for datatype in DATATYPES)
SAME = {"xc7": "xcup"}
"""A target that maps plain modules as another: all of their ``measured_<target>.csv`` are equal."""
STEPS = 32
"""Steps of the sequencers in which groups and datatypes are measured."""
MOST_COUNTED = 32
"""Counters beyond are measured once per width, and once more where they do not end alone."""


def known_cost(name: Named, target: Coefficients) -> Cost:
    """Return what a module measured.

    Raises
    ------
    ValueError
        If it was not measured.

    """
    found = measured(SAME.get(target.target, target.target), *name, collection="bitmod")
    if found is None:
        part, key = name
        raise ValueError(
            f"the cost model of {target.target} has no measured {part} of BitMoD: {key}"
        )
    return found


def cells_name(plan: BitmodCells | TermCells) -> Named:
    """Return the name under which cells are measured."""
    if isinstance(plan, TermCells):
        return plan.name, "+".join(plan.datatypes) + (":summed" if plan.summed else ":apart")
    return plan.name, f"{plan.bits}{flag_name(plan.flagged)}"


def flag_name(flagged: bool) -> str:
    """Return what tells whether special activations are told."""
    return "flagged" if flagged else "plain"


def row_name(row: SumRow) -> Named:
    """Return the name under which a row is measured."""
    return "row", "_".join(str(word.bounds.bits) for word in row.words)


def scale_row_name(bits: int) -> Named:
    """Return the name under which the row that scales a significand is measured."""
    return "scale_row", str(bits)


def sequencer_name(steps: int, groups: int, datatypes: tuple[str, ...]) -> Named:
    """Return the name under which a sequencer is measured."""
    return "sequencer", f"{steps}:{groups}:{'+'.join(datatypes)}"


def dequantiser_name(plan: DequantiserPlan) -> Named:
    """Return the name under which the control of a dequantiser is measured."""
    return "dequantiser", f"{plan.exponent_bits}{flag_name(plan.flagged)}"


def counted(number: int) -> int:
    """Return the number of steps or groups that was measured for one: itself, or of its width."""
    if number <= MOST_COUNTED:
        return number
    bits = (number - 1).bit_length()
    return 1 << bits if number == 1 << bits else 5 << bits - 3


@cache
def bitmod_cells(plan: BitmodCells | TermCells, target: Coefficients) -> Cost:
    """Return the cost of a part that is given LUT by LUT."""
    if plan.packed:
        return netlist_cost(plan.netlist, True, target)
    return known_cost(cells_name(plan), target)


@cache
def bitmod_row(plan: BitmodRow, target: Coefficients) -> Cost:
    """Return the cost of a row of two or three words."""
    if plan.packed:
        return dual_row(plan.row.width) if plan.row.dual else sum_row(plan.row, target)
    return known_cost(row_name(plan.row), target)


@cache
def bitmod_element(plan: BitmodElementPlan, target: Coefficients) -> Cost:
    """Return the cost of signs, clear, sticky flag and registers."""
    pair = Cost(1, 1) if plan.packed else known_cost(("signs", "pair"), target)
    control = known_cost(("element", flag_name(plan.flagged)), target)
    return pair * 2 + control + Cost(ff=plan.ff)


@cache
def bitmod_int(plan: BitmodIntPlan, target: Coefficients) -> Cost:
    """Return the cost of the row of the accumulator, its clear and registers."""
    row = known_cost(("exact_row", str(plan.bits)), target)
    return row + known_cost(("int_element", ""), target) + Cost(ff=plan.ff)


@cache
def special_values(plan: SpecialValuesPlan, target: Coefficients) -> Cost:
    """Return the cost of the special values' register and its selection."""
    return known_cost(("special_values", ""), target) + Cost(ff=plan.ff)


@cache
def sequencer(plan: SequencerPlan, target: Coefficients) -> Cost:
    """Return the cost of the counters: of steps, and what groups and datatypes change of it."""
    base = known_cost(sequencer_name(STEPS, 1, ALL_DATATYPES), target)
    served = known_cost(sequencer_name(STEPS, 1, plan.datatypes), target)
    steps = known_cost(sequencer_name(counted(plan.steps), 1, ALL_DATATYPES), target)
    groups = known_cost(sequencer_name(STEPS, counted(plan.groups), ALL_DATATYPES), target)
    return total((steps, groups, served, base * -2)) + Cost(ff=plan.ff)


@cache
def dequantiser(plan: DequantiserPlan, target: Coefficients) -> Cost:
    """Return the cost of the row and of what loads, shifts and counts."""
    row = known_cost(scale_row_name(plan.bits), target)
    return row + known_cost(dequantiser_name(plan), target) + Cost(ff=plan.ff)


def output_mark(plan: OutputMark, target: Coefficients) -> Cost:
    """Return the cost of a register."""
    del target
    return Cost(ff=plan.ff)


BITMOD_FORMULAS: Formulas = {
    BitmodCells: (("element", bitmod_cells),),
    BitmodRow: (("element", bitmod_row),),
    BitmodElementPlan: (("element", bitmod_element),),
    BitmodIntPlan: (("element", bitmod_int),),
    TermCells: (("term generator", bitmod_cells),),
    SpecialValuesPlan: (("special values", special_values),),
    SequencerPlan: (("sequencer", sequencer),),
    OutputMark: (("sequencer", output_mark),),
    DequantiserPlan: (("dequantiser", dequantiser),),
}
"""The formulas of BitMoD's parts (see `costmodel.model.FORMULAS`)."""
