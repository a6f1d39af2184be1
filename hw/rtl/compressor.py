"""Floor 2a: dot products of one- and two-bit operands as compressor trees."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan.compressor import CompressorCorePlan, CompressorPlan
from hw.rtl.accumulate import Accumulator
from hw.rtl.cells import Nets
from hw.rtl.library import place
from hw.rtl.sums import Summand


class Compressor(wiring.Component):
    """What the products of a step add up to, as one or two words.

    Ports: `weight`, `activation` (lane i in bits ``[i·w +: w]``); `word0`, `word1`, and `carry0`,
    `carry1` where a bit is still to be added. Combinational.
    """

    def __init__(self, plan: CompressorPlan) -> None:
        self.plan = plan
        ports = {
            "weight": In(plan.weight.bits * plan.lanes),
            "activation": In(plan.activation.bits * plan.lanes),
        }
        for number, word in enumerate(plan.words):
            ports[f"word{number}"] = Out(word.bounds.bits)
            if word.pending:
                ports[f"carry{number}"] = Out(1)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Add the cells."""
        m = Module()
        inputs = {f"w{i}": bit for i, bit in enumerate(self.weight)}
        inputs |= {f"a{i}": bit for i, bit in enumerate(self.activation)}
        nets = Nets(m, platform, inputs)
        nets.add(self.plan.netlist)
        *words, pending = self.plan.outputs
        for number, word in enumerate(words):
            m.d.comb += getattr(self, f"word{number}").eq(nets.word(list(word)))
        for number, net in enumerate(pending):
            m.d.comb += getattr(self, f"carry{number}").eq(nets.nets[net])
        return m


class CompressorCore(wiring.Component):
    """``total = Σ weight[i]·activation[i]`` over lanes and steps.

    Ports: `valid`, `last`, `weight` and `activation` (lane i in bits ``[i·w +: w]``); `total`,
    `total_valid`, sticky `overflow`. Latency 1 cycle, initiation interval 1, synchronous reset to
    0; the meaning, overflow included, is that of `hw.design`. Even sums are kept by half.
    """

    def __init__(self, plan: CompressorCorePlan) -> None:
        self.plan = plan
        ports = {
            "valid": In(1),
            "last": In(1),
            "weight": In(plan.weight.format.bits * plan.lanes),
            "activation": In(plan.activation.format.bits * plan.lanes),
            "total": Out(plan.bits),
            "total_valid": Out(1),
        }
        super().__init__(ports | {flag: Out(1) for flag in plan.accumulate.flags})

    def elaborate(self, platform: object) -> Module:
        """Connect the tree and the accumulator."""
        m = Module()
        plan = self.plan
        tree = Compressor(plan.tree)
        accumulator = Accumulator(plan.accumulate)
        place(m, platform, "compressor", tree)
        place(m, platform, "accumulate", accumulator, clocked=True)
        m.d.comb += [
            tree.weight.eq(self.weight),
            tree.activation.eq(self.activation),
            accumulator.valid.eq(self.valid),
            accumulator.last.eq(self.last),
            self.total.eq(Cat(Const(0, int(plan.tree.halved)), accumulator.total)),
            self.total_valid.eq(accumulator.total_valid),
        ]
        accumulator.take(
            m,
            [
                Summand(getattr(tree, f"word{n}"), getattr(tree, f"carry{n}", None))
                for n in range(len(plan.tree.words))
            ],
        )
        for flag in plan.accumulate.flags:
            m.d.comb += getattr(self, flag).eq(getattr(accumulator, flag))
        return m
