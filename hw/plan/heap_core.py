"""Floor 1c: the core of a dot product whose products and adder tree are one heap of bits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from hw.design import Design
from hw.plan.accumulate import AccumulatePlan
from hw.plan.baugh_wooley import BitProducts
from hw.plan.bit_heap import BitHeapPlan
from hw.plan.khot import STRUCTURE as KHOT
from hw.plan.khot import ShiftedSum
from hw.plan.operand import OperandPlan
from hw.plan.sums import Word
from hw.plan.terms import HeapSource
from hw.target import Target


@dataclass(frozen=True, slots=True)
class HeapCorePlan:
    """A heap of the bits of all products of a step, and what adds its words.

    Parameters
    ----------
    lanes, weight, activation
        Products of a step and the operands.
    heap
        What makes words of them.
    accumulate
        What adds the words: both in a row of three on Xilinx, else their sum.

    """

    lanes: int
    weight: OperandPlan
    activation: OperandPlan
    heap: BitHeapPlan
    accumulate: AccumulatePlan

    def parts(self) -> Counter[Hashable]:
        """Return the primitives of the core with their counts."""
        return Counter([self.heap, self.accumulate])


def added_words(heap: BitHeapPlan) -> tuple[Word, ...]:
    """Return what an accumulator adds of a heap: its words, or their sum, as wide as the first."""
    return heap.words if heap.final_row is None else heap.words[:1]


def plan_heap_core(design: Design, target: Target, on_last: bool) -> HeapCorePlan:
    """Return the core of a design whose products of bits, or shifted activations, are one heap."""
    inputs = 0 if target.primitives else target.lut_inputs
    source: HeapSource = BitProducts(design.weight, design.activation, design.lanes)
    if design.structure == KHOT:
        source = ShiftedSum(design.weight, design.activation, design.lanes, inputs)
    heap = BitHeapPlan(source, inputs)
    kept = AccumulatePlan(
        design.accumulator.kind,
        design.accumulator_bits,
        added_words(heap),
        design.flags,
        on_last,
        lean=target.primitives,
    )
    weight, activation = OperandPlan(design.weight), OperandPlan(design.activation)
    return HeapCorePlan(design.lanes, weight, activation, heap, kept)
