"""Floor 2a: sums of squares (`hw.plan.square`)."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan.square import SquarePlan
from hw.rtl.accumulate import Accumulator
from hw.rtl.bit_heap import BitHeap, build_heap
from hw.rtl.library import place


class SquareAccumulator(wiring.Component):
    """``total = Σ activation[i]²`` over lanes and steps.

    Ports and protocol: `hw.design.square.SquareSum`. Latency 1 cycle, initiation interval 1,
    synchronous reset to 0; `overflow` is sticky until a sum ends.
    """

    def __init__(self, plan: SquarePlan) -> None:
        self.plan = plan
        design = plan.design
        ports = {
            "valid": In(1),
            "last": In(1),
            "activation": In(design.activation.bits * design.lanes),
            "total": Out(plan.accumulate.bits),
            "total_valid": Out(1),
        }
        super().__init__(ports | {flag: Out(1) for flag in plan.accumulate.flags})

    def elaborate(self, platform: object) -> Module:
        """Connect the heap and the accumulator."""
        m = Module()
        heap = BitHeap(self.plan.heap)
        words = build_heap(m, platform, heap)
        accumulator = Accumulator(self.plan.accumulate)
        place(m, platform, "accumulate", accumulator, clocked=True)
        m.d.comb += [
            heap.x.eq(self.activation),
            accumulator.valid.eq(self.valid),
            accumulator.last.eq(self.last),
            self.total.eq(accumulator.total),
            self.total_valid.eq(accumulator.total_valid),
        ]
        accumulator.take(m, words)
        for flag in self.plan.accumulate.flags:
            m.d.comb += getattr(self, flag).eq(getattr(accumulator, flag))
        return m
