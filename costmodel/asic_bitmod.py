"""Floor 2c: elements and tiles of BitMoD as modules of gates (`costmodel.asic_parts`).

Cells, rows and control are those of `costmodel.bitmod`, under the same names; what adds a group to
its output is that of `costmodel.asic_parts` and `costmodel.asic_float`, in tiles without registers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from costmodel.asic_float import float_accumulate_modules
from costmodel.asic_parts import Module, made
from costmodel.bitmod import cells_name, flag_name, row_name
from hw.plan import AccumulatePlan
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
from hw.plan.bitmod_tile import OutputStepPlan, SpecialBankPlan, TileColumnPlan, TileControlPlan

ELEMENT, GENERATOR, SCALE, OUTPUT = "element", "term generator", "dequantiser", "output"
SHARED = "sequencer and special values"
OWN = (
    *(BitmodCells, TermCells, BitmodRow, BitmodElementPlan, BitmodIntPlan, SpecialValuesPlan),
    *(SequencerPlan, DequantiserPlan, OutputMark, OutputStepPlan, SpecialBankPlan),
    *(TileColumnPlan, TileControlPlan),
)
"""Parts that only elements and tiles of BitMoD have."""
TERM_MODULES = {"select": "term_select", "special": "special_term", "weight": "weight_term"}


@cache
def bitmod_modules(part: object) -> tuple[tuple[Module, int], ...]:
    """Return the modules of one of `OWN` with their numbers."""
    return tuple(Counter(_modules(part)).items())


def _modules(part: object) -> Iterator[Module]:
    match part:
        case BitmodCells() | TermCells():
            yield _cells(part)
        case BitmodRow():
            yield _row(part)
        case BitmodElementPlan():
            yield _named("element", ELEMENT, flag_name(part.flagged), (part.ff, 1), part.ff)
            yield from [_named("signs", ELEMENT, "pair", (1,))] * 2
        case BitmodIntPlan():
            yield _named("element", ELEMENT, f"exact{part.bits}", (part.bits, 1), part.ff)
            yield _named("exact_row", ELEMENT, str(part.bits), (part.bits, 1))
        case DequantiserPlan():
            key = f"{part.bits}_{part.exponent_bits}{flag_name(part.flagged)}"
            yield _named("dequantiser", SCALE, key, (part.bits, part.ff, 1), part.ff)
            yield _scale_row(part.bits)
        case TileColumnPlan():
            yield _column(part)
            yield _scale_row(part.bits)
        case SpecialBankPlan():
            yield _named("special_bank", SHARED, str(part.columns), (part.columns, 1), part.ff)
            yield from [_named("special_select", SHARED, "", (1,))] * part.columns
        case OutputStepPlan():
            yield from _step(part)
        case OutputMark():  # in the top module
            yield made("", SHARED, "bitmod_output_mark", (1,), ff=part.ff)
        case _:
            yield _shared(part)


def _named(name: str, label: str, key: str, features: tuple[float, ...], ff: int = 0) -> Module:
    kind = "exact_element" if name == "element" and key.startswith("exact") else name
    return made(name, label, f"bitmod_{kind}", features, key, ff)


def _cells(part: BitmodCells | TermCells) -> Module:
    name, key = cells_name(part)
    size = (sum(max(len(lut.inputs) - 1, 0) for lut in part.netlist.luts), 1)
    chained = sum(len(chain.bits) for chain in part.netlist.chains)
    if isinstance(part, TermCells):
        return _named(TERM_MODULES[name], GENERATOR, key, (*size, chained))
    return _named(name, ELEMENT, key, (*size, chained))


def _row(part: BitmodRow) -> Module:
    kinds = {"PLAIN": "", "CARRY": "c", "NEGATE": "n"}
    words = "_".join(
        f"{'s' if word.bounds.signed else 'u'}{word.bounds.bits}{kinds[word.sign.name]}"
        for word in part.row.words
    )
    formula = f"bitmod_row_{len(part.row.words)}"
    features = (part.row.width, 1)
    return made(f"sum_{words}_{part.row.width}", ELEMENT, formula, features, row_name(part.row)[1])


def _scale_row(bits: int) -> Module:
    return _named("scale_row", SCALE, str(bits), (bits, 1))


def _column(part: TileColumnPlan) -> Module:
    """Return registers, their enables, and the choice among them."""
    bits = part.captured_bits + part.output_bits
    features = (part.rows * bits, (part.rows - 1) * bits, part.ff, part.rows, 1)
    key = f"{part.rows}_{part.bits}_{part.captured_bits}_{part.output_bits}"
    return _named("tile_column", SCALE, key, features, part.ff)


def _step(part: OutputStepPlan) -> Iterator[Module]:
    """Yield an accumulator without its registers."""
    inner = part.accumulate
    if isinstance(inner, AccumulatePlan):
        key = f"{inner.bits}_{inner.addend.bits}"
        features = (min(inner.addend.bits, inner.bits), inner.bits, 1)
        yield made("output_step", OUTPUT, "bitmod_exact_step", features, key)
        return
    first, *rest = float_accumulate_modules(inner)
    yield replace(first, name="output_step", label=OUTPUT, formula="bitmod_float_step", ff=0)
    yield from rest


def _shared(part: object) -> Module:
    """Return one of the modules a design has once."""
    match part:
        case SpecialValuesPlan():
            return _named("special_values", SHARED, "", (1,), part.ff)
        case SequencerPlan():
            odd = [count & count - 1 > 0 for count in (part.steps, part.groups)]
            features = (part.step_bits, part.group_bits, sum(odd), len(part.datatypes), 1)
            key = f"{part.steps}_{part.groups}_{'+'.join(part.datatypes)}"
            return _named("sequencer", SHARED, key, features, part.ff)
        case TileControlPlan():
            size = (part.row_bits, part.rows & part.rows - 1 > 0, 1)
            return _named("tile_control", SHARED, str(part.rows), size, part.ff)
    raise ValueError(f"the cost model of asic has no formula for a {type(part).__name__}")
