"""Floor 4: small modules of `costmodel.asic_kinds`, enumerated to be measured."""

from __future__ import annotations

import random
from collections.abc import Iterator

from amaranth.lib import wiring

from costmodel.asic_kinds import (
    plane_accumulate_module,
    plane_count_module,
    plane_offset_module,
    plane_row_module,
    selected_accumulate_modules,
    sequencer_module,
    sum_row_module,
)
from costmodel.asic_parts import Module, selection_module
from hw.accumulators import AccumulatorKind
from hw.plan import AccumulatePlan, Bounds, Sign, SignSelection, SumRow, Word
from hw.plan.bitplane import PlaneAccumulate, PlaneOffset
from hw.plan.plane_sums import AND, NOT, XNOR, PlaneCount, PlaneRow, PlaneWord
from hw.rtl.accumulate import Accumulator
from hw.rtl.bitplane import PlaneAccumulator, PlaneOffsetAdder, PlaneSequencer
from hw.rtl.plane_sums import PlaneCounter, PlaneRowAdder
from hw.rtl.signs import SignSelector
from hw.rtl.sums import SumRowAdder
from sweeps.plane_primitives import sequencers

SEED = 5
ACCUMULATORS = 14
"""Accumulators of each kind."""
Pair = tuple[Module, wiring.Component]


def kind_parts() -> Iterator[Pair]:
    """Yield the modules with their hardware."""
    for plan in sequencers():
        yield sequencer_module(plan), PlaneSequencer(plan)
    for bits in range(1, 9):
        for signed in (False, True)[: 1 + (bits > 1)]:
            for masked in (False, True):
                selection = SignSelection(bits, signed, masked, False)
                yield selection_module(selection), SignSelector(selection)
    for row in _sum_rows():
        yield sum_row_module(row), SumRowAdder(row)
    for found in _plane_rows():
        yield plane_row_module(found), PlaneRowAdder(found)
    for bits in (2, 3):
        for gate in (AND, XNOR):
            count = PlaneCount(bits, gate, False)
            yield plane_count_module(count), PlaneCounter(count)
    yield from _accumulators()


def _carry(half: int) -> Word:
    return Word(Bounds(-half, half - 1), Bounds(-half, half), Sign.CARRY)


def _sum_rows() -> Iterator[SumRow]:
    """Yield rows of words with a carry, and of a partial sum and such a word."""
    for bits in range(2, 10):
        half = 1 << (bits - 1)
        for apart in (0, 1, 2):
            yield SumRow((_carry(half << apart), _carry(half)))
        yield SumRow((Word.plain(Bounds(0, 0)), _carry(half)))
        for times in (1, 2, 3, 6):
            partial = Word.plain(Bounds(-times * half, times * half))
            yield SumRow((partial, _carry(half)))
            yield SumRow((partial, Word.plain(Bounds(-half, half))))


def _word(bits: int, signed: bool, gate: str = "") -> PlaneWord:
    half = 1 << (bits - 1)
    return PlaneWord(Bounds(-half, half - 1) if signed else Bounds(0, 2 * half - 1), gate)


def _plane_rows() -> Iterator[PlaneRow]:
    """Yield rows of words with and without gates."""
    for bits in range(1, 9):
        for signed in (False, True)[: 1 + (bits > 1)]:
            for gate in (AND, XNOR):
                one = _word(bits, signed, gate)
                yield PlaneRow((one, one), 0, False)
                yield PlaneRow((one, _word(bits + 1, signed)), 0, False)
                yield PlaneRow((one, PlaneWord(Bounds(0, 0))), 0, False)
    for bits in range(2, 13):
        for signed in (False, True):
            for apart in (0, 1, 3):
                words = _word(bits, signed), _word(bits + apart, signed)
                yield PlaneRow(words, 0, False)
                yield PlaneRow((words[0], _word(bits + apart, signed, NOT)), 1, False)


def _accumulators() -> Iterator[Pair]:
    """Yield accumulators of selected words, of planes, and the row that adds a constant."""
    source = random.Random(SEED)
    for subtracts in (False, True):
        for pending in (False, True):
            for _ in range(ACCUMULATORS if subtracts or pending else 0):
                half = 1 << source.randint(2, 11)
                word = _carry(half) if pending else Word.plain(Bounds(-half, half))
                bits = half.bit_length() + source.randint(2, 24)
                exact = source.random() < 0.7
                kind = AccumulatorKind.EXACT if exact else AccumulatorKind.WRAP
                flags = ("overflow",) if exact else ()
                on_last = source.random() < 0.5
                plan = AccumulatePlan(kind, bits, (word,), flags, on_last, subtracts=subtracts)
                (module,) = selected_accumulate_modules(plan)
                yield module, Accumulator(plan)
    for doubles in (False, True):
        for negates in (False, True):
            for _ in range(ACCUMULATORS):
                added = _word(source.randint(2, 14), source.random() < 0.5).bounds
                bits = max(added.bits + 1, source.randint(10, 40))
                kept = PlaneAccumulate(bits, added, doubles, negates, 0, False)
                yield plane_accumulate_module(kept), PlaneAccumulator(kept)
    for _ in range(2 * ACCUMULATORS):
        added = _word(source.randint(3, 12), source.random() < 0.5).bounds
        constant = source.choice((1, 2, 3, 4, 8, 16)) * ((1 << source.randint(1, 8)) - 1)
        offset = PlaneOffset(added, constant if added.signed else -constant)
        yield plane_offset_module(offset), PlaneOffsetAdder(offset)
