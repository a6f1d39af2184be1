"""Floor 2a: heaps of the bits of a sum (`hw.plan.bit_heap`), and cores made of one."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan.bit_heap import BitHeapPlan
from hw.plan.heap_core import HeapCorePlan
from hw.rtl.accumulate import Accumulator, core_ports
from hw.rtl.cells import Nets
from hw.rtl.compressor import place_lookups
from hw.rtl.library import place
from hw.rtl.sums import Summand, SumRowAdder


class BitHeap(wiring.Component):
    """What the terms of a sum add up to, as one or two words.

    Ports: the words its source reads; `word0`, `word1`. Combinational.
    """

    def __init__(self, plan: BitHeapPlan) -> None:
        self.plan = plan
        ports = {name: In(width) for name, width in plan.source.inputs}
        for number, word in enumerate(plan.words):
            ports[f"word{number}"] = Out(word.bounds.bits)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Add the cells."""
        m = Module()
        inputs = {
            f"{name}{i}": bit
            for name, _ in self.plan.source.inputs
            for i, bit in enumerate(getattr(self, name))
        }
        if self.plan.lut_inputs:
            nets = place_lookups(m, platform, self.plan.netlist.luts, inputs)
        else:
            cells = Nets(m, platform, inputs)
            cells.add(self.plan.netlist)
            nets = cells.nets
        for number, word in enumerate(self.plan.outputs):
            m.d.comb += getattr(self, f"word{number}").eq(Cat(*(nets[net] for net in word)))
        return m


def build_heap(m: Module, platform: object, heap: BitHeap, number: object = "") -> list[Summand]:
    """Add a heap to a module, and the row that adds its words if the plan has one.

    `number` tells heaps of different sums apart.
    """
    plan = heap.plan
    place(m, platform, f"heap{number}", heap)
    words = [getattr(heap, f"word{n}") for n in range(len(plan.words))]
    if plan.final_row is None:
        return [Summand(word, None) for word in words]
    row = SumRowAdder(plan.final_row)
    place(m, platform, f"heap_row{number}", row)
    total = Signal(len(words[0]), name=f"heap_total{number}")
    low = plan.passing
    m.d.comb += [
        row.word0.eq(words[0][low:]),
        row.word1.eq(words[1][low:]),
        total.eq(Cat(words[0][:low], row.sum)),
    ]
    return [Summand(total, None)]


class HeapCore(wiring.Component):
    """``total = Σ weight[i]·activation[i]`` over lanes and steps.

    Ports: `valid`, `last`, `weight` and `activation` (lane i in bits ``[i·w +: w]``); `total`,
    `total_valid`, sticky `overflow`. Latency 1 cycle, initiation interval 1, synchronous reset to
    0; the meaning, overflow included, is that of `hw.design`.
    """

    def __init__(self, plan: HeapCorePlan) -> None:
        self.plan = plan
        weight, activation = (s.format.bits * plan.lanes for s in (plan.weight, plan.activation))
        super().__init__(
            core_ports(weight, activation, plan.accumulate.bits, plan.accumulate.flags)
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the heap and the accumulator."""
        m = Module()
        plan = self.plan
        heap = BitHeap(plan.heap)
        words = build_heap(m, platform, heap)
        accumulator = Accumulator(plan.accumulate)
        place(m, platform, "accumulate", accumulator, clocked=True)
        m.d.comb += [
            heap.w.eq(self.weight),
            heap.a.eq(self.activation),
            accumulator.valid.eq(self.valid),
            accumulator.last.eq(self.last),
            self.total.eq(accumulator.total),
            self.total_valid.eq(accumulator.total_valid),
        ]
        accumulator.take(m, words)
        for flag in plan.accumulate.flags:
            m.d.comb += getattr(self, flag).eq(getattr(accumulator, flag))
        return m
