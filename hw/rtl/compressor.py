"""Floor 2a: dot products of one- and two-bit operands as compressor trees."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan.cells import Lut
from hw.plan.compressor import CompressorCorePlan, CompressorPlan
from hw.rtl.accumulate import Accumulator, core_ports
from hw.rtl.cells import Nets
from hw.rtl.library import place
from hw.rtl.sums import Summand


class Lookup(wiring.Component):
    """A function of a few nets. Ports: `index`, `out`. Combinational.

    In a module of its own it is one LUT: Yosys does not map a tree of them anew.
    """

    def __init__(self, inputs: int, truth: int) -> None:
        self.truth = truth
        super().__init__({"index": In(inputs), "out": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Look up."""
        m = Module()
        m.d.comb += self.out.eq(Const(self.truth, 1 << len(self.index)).bit_select(self.index, 1))
        return m


def place_lookups(
    m: Module, platform: object, luts: tuple[Lut, ...], inputs: dict[str, Value]
) -> dict[str, Value]:
    """Add LUTs as modules that are kept; return all nets."""
    nets: dict[str, Value] = {"0": Const(0, 1), "1": Const(1, 1), **inputs}
    for lut in luts:
        nets[lut.output] = Signal(name=lut.output)
    for lut in luts:
        cell = Lookup(len(lut.inputs), lut.truth)
        place(m, platform, f"lookup_{len(lut.inputs)}_{lut.truth:x}", cell, lut.output)
        m.d.comb += [
            cell.index.eq(Cat(*(nets[net] for net in lut.inputs))),
            nets[lut.output].eq(cell.out),
        ]
    return nets


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
        if self.plan.lut_inputs:
            nets = place_lookups(m, platform, self.plan.netlist.luts, inputs)
        else:
            cells = Nets(m, platform, inputs)
            cells.add(self.plan.netlist)
            nets = cells.nets
        *words, pending = self.plan.outputs
        for number, word in enumerate(words):
            m.d.comb += getattr(self, f"word{number}").eq(Cat(*(nets[net] for net in word)))
        for number, net in enumerate(pending):
            m.d.comb += getattr(self, f"carry{number}").eq(nets[net])
        return m


class CompressorCore(wiring.Component):
    """``total = Σ weight[i]·activation[i]`` over lanes and steps.

    Ports: `valid`, `last`, `weight` and `activation` (lane i in bits ``[i·w +: w]``); `total`,
    `total_valid`, sticky `overflow`. Latency 1 cycle, initiation interval 1, synchronous reset to
    0; the meaning, overflow included, is that of `hw.design`. Even sums are kept by half.
    """

    def __init__(self, plan: CompressorCorePlan) -> None:
        self.plan = plan
        weight, activation = (s.format.bits * plan.lanes for s in (plan.weight, plan.activation))
        super().__init__(core_ports(weight, activation, plan.bits, plan.accumulate.flags))

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
