"""Floor 2a: the core with a floating accumulator: MAC, dot product, MX dot product, array cell."""

from __future__ import annotations

from typing import Union

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import (
    FloatCorePlan,
    FloatLanePlan,
    LanePlan,
    MergedLanePlan,
    ScalePlan,
    SequentialCorePlan,
    SumRow,
    SumTree,
)
from hw.rtl.accumulate import SumRegisters, core_ports
from hw.rtl.bits import any_of
from hw.rtl.floating import FloatAccumulator, FloatLane, FloatStep, addend_ports
from hw.rtl.lane import Lane
from hw.rtl.library import place, place_lanes
from hw.rtl.merged import MergedLane, build_chains
from hw.rtl.sums import Summand, build_sums, pending_bit
from hw.rtl.tree import Addend, build_tree

AnyLane = Lane | FloatLane | MergedLane
Taker = Union[FloatAccumulator, "FloatTerm"]
"""What takes an addend: an accumulator, or the outputs of a lane on their way to one."""


class ScaleSum(wiring.Component):
    """``exponent`` = sum of two E8M0 scales; ``nan`` if one is NaN (255), where that counts.

    Ports: `weight_scale`, `activation_scale`, `exponent`, `nan`. Combinational.
    """

    def __init__(self, plan: ScalePlan) -> None:
        self.plan = plan
        bits = plan.bits
        ports = {
            "weight_scale": In(bits),
            "activation_scale": In(bits),
            "exponent": Out(bits + 1),
        }
        super().__init__(ports | ({"nan": Out(1)} if plan.flagged else {}))

    def elaborate(self, platform: object) -> Module:
        """Add and compare."""
        m = Module()
        m.d.comb += self.exponent.eq(self.weight_scale + self.activation_scale)
        if self.plan.flagged:
            m.d.comb += self.nan.eq(self.weight_scale.all() | self.activation_scale.all())
        return m


class FloatCore(wiring.Component):
    """``total = R(total + Σ weight[i]·activation[i])``: one rounding per step.

    Ports: `valid`, `last`, `weight` and `activation` (lane i in bits ``[i·w +: w]``, the scale of
    an MX block above them); `total` (a code of the accumulator's minifloat), `total_valid`. Latency
    1 cycle, initiation interval 1, synchronous reset to +0; overflow and special values are those
    of `hw.accumulators.Accumulator`.
    """

    def __init__(self, plan: FloatCorePlan) -> None:
        self.plan = plan
        lane = plan.lane
        scale = 0 if plan.scale is None else plan.scale.bits
        weight, activation = (
            side.format.bits * plan.lanes + scale for side in (lane.weight, lane.activation)
        )
        super().__init__(core_ports(weight, activation, plan.accumulate.bits))

    def elaborate(self, platform: object) -> Module:
        """Connect lanes, tree, scales and accumulator."""
        m = Module()
        lanes = self._lanes(m, platform)
        accumulator = FloatAccumulator(self.plan.accumulate)
        place(m, platform, "accumulate", accumulator, clocked=True)
        m.d.comb += [
            accumulator.valid.eq(self.valid),
            accumulator.last.eq(self.last),
            self.total.eq(accumulator.total),
            self.total_valid.eq(accumulator.total_valid),
        ]
        self._bring(m, platform, lanes, accumulator)
        return m

    def _lanes(self, m: Module, platform: object) -> list[AnyLane]:
        """Place the lanes."""
        lanes = [_lane(self.plan.lane) for _ in range(self.plan.lanes)]
        place_lanes(m, platform, lanes, self.weight, self.activation)
        return lanes

    def _bring(self, m: Module, platform: object, lanes: list[AnyLane], accumulator: Taker) -> None:
        """Connect all that brings the addend to an accumulator."""
        plan = self.plan
        self._add_lanes(m, platform, lanes, accumulator)
        if plan.accumulate.negative_zero:
            m.d.comb += accumulator.all_negative.eq(self._all_negative())
        scale_nan = self._exponent(m, platform, accumulator, lanes)
        for flag in plan.accumulate.flags:
            seen: list[Value] = [getattr(lane, flag) for lane in lanes if flag in plan.lane.flags]
            seen += scale_nan if flag == "nan" else []
            m.d.comb += getattr(accumulator, f"step_{flag}").eq(any_of(seen))

    def _add_lanes(
        self,
        m: Module,
        platform: object,
        lanes: list[AnyLane],
        accumulator: Taker,
    ) -> None:
        """Build the tree from the lanes to the accumulator."""
        plan = self.plan
        if plan.chain is not None:
            sums = build_chains(m, platform, plan.chain, lanes)
            words = [Summand(word, None) for word in sums]
        else:
            words = [Summand(_value(lane), pending_bit(lane)) for lane in lanes]
        if not isinstance(plan.tree, SumTree):
            addends = [Addend(word.value, word.pending) for word in words]
            step = build_tree(m, platform, plan.tree, addends)
            m.d.comb += accumulator.addend.eq(step.value)
            if step.negate is not None:
                m.d.comb += accumulator.negate.eq(step.negate)
            return
        left = build_sums(m, platform, plan.tree, words)
        if plan.final is not None:
            left = [Summand(Const(0, 1), None)] * (len(plan.final.words) - len(left)) + left
            left = build_sums(m, platform, final_tree(plan.final), left)
        m.d.comb += accumulator.addend.eq(left[0].value)

    def _all_negative(self) -> Value:
        """Return whether the signs of all products are minus, zeros included."""
        lane = self.plan.lane
        signs: list[Value] = []
        for i in range(self.plan.lanes):
            sides = ((self.weight, lane.weight.format), (self.activation, lane.activation.format))
            tops = [w.word_select(i, f.bits)[-1] for w, f in sides if f.signed]
            signs.append(Cat(*tops).xor())
        return Cat(*signs).all()

    def _exponent(
        self,
        m: Module,
        platform: object,
        accumulator: Taker,
        lanes: list[AnyLane],
    ) -> list[Value]:
        """Connect the exponent of the addend; return what says that a scale is NaN."""
        plan = self.plan
        if isinstance(plan.lane, FloatLanePlan):
            m.d.comb += accumulator.exponent.eq(lanes[0].exponent)
        if plan.scale is None:
            return []
        scales = ScaleSum(plan.scale)
        place(m, platform, "scale_sum", scales)
        m.d.comb += [
            scales.weight_scale.eq(self.weight[-plan.scale.bits :]),
            scales.activation_scale.eq(self.activation[-plan.scale.bits :]),
            accumulator.exponent.eq(scales.exponent),
        ]
        return [scales.nan] if plan.scale.flagged else []


class FloatTerm(FloatCore):
    """What one lane brings to a floating accumulator: product, sign, exponent, specials.

    Ports: `weight`, `activation` (codes), and those of `hw.rtl.floating.addend_ports` as outputs.
    Combinational.
    """

    def __init__(self, plan: FloatCorePlan) -> None:
        self.plan = plan
        ports: dict[str, object] = {
            "weight": In(plan.lane.weight.format.bits),
            "activation": In(plan.lane.activation.format.bits),
        }
        brought = {name: Out(port.shape) for name, port in addend_ports(plan.accumulate).items()}
        wiring.Component.__init__(self, ports | brought)

    def elaborate(self, platform: object) -> Module:
        """Connect the lane."""
        m = Module()
        self._bring(m, platform, self._lanes(m, platform), self)
        return m


class SequentialAccumulator(wiring.Component):
    """``acc = R(acc + S[i] · 2^e[i])`` for each lane, lane 0 first: a rounding per product.

    Ports: `valid`, `last`, `total`, `total_valid`, and for each lane those of
    `hw.rtl.floating.addend_ports` with its number behind. Latency 1 cycle, initiation interval 1,
    synchronous reset to +0; the lanes' sums follow each other within the cycle.
    """

    def __init__(self, plan: SequentialCorePlan) -> None:
        self.plan = plan
        bits = plan.registers.bits
        ports: dict[str, object] = {
            "valid": In(1),
            "last": In(1),
            "total": Out(bits),
            "total_valid": Out(1),
        }
        self.names = tuple(addend_ports(plan.one.accumulate))
        for lane in range(plan.lanes):
            brought = addend_ports(plan.one.accumulate)
            ports |= {f"{name}_{lane}": port for name, port in brought.items()}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Chain the sums between the registers."""
        m = Module()
        registers = SumRegisters(m, self, self.plan.registers.total_on_last)
        state = registers.register("accumulator", self.plan.registers.bits)
        previous: Value = state
        for lane in range(self.plan.lanes):
            step = FloatStep(self.plan.one.accumulate)
            place(m, platform, "float_step", step, lane)
            m.d.comb += step.previous.eq(previous)
            for name in self.names:
                m.d.comb += getattr(step, name).eq(getattr(self, f"{name}_{lane}"))
            previous = step.following
        registers.follow(state, previous, self.total)
        return m


class SequentialCore(wiring.Component):
    """``total = R(total + weight[i]·activation[i])`` for each lane: a rounding per product.

    Ports, latency, initiation interval, reset and overflow: those of `FloatCore`.
    """

    def __init__(self, plan: SequentialCorePlan) -> None:
        self.plan = plan
        lane = plan.one.lane
        weight, activation = (
            side.format.bits * plan.lanes for side in (lane.weight, lane.activation)
        )
        super().__init__(core_ports(weight, activation, plan.registers.bits))

    def elaborate(self, platform: object) -> Module:
        """Connect the lanes to the accumulator."""
        m = Module()
        accumulator = SequentialAccumulator(self.plan)
        place(m, platform, "accumulate", accumulator, clocked=True)
        terms = [FloatTerm(self.plan.one) for _ in range(self.plan.lanes)]
        place_lanes(m, platform, terms, self.weight, self.activation, "term")
        for lane, term in enumerate(terms):
            for name in accumulator.names:
                m.d.comb += getattr(accumulator, f"{name}_{lane}").eq(getattr(term, name))
        m.d.comb += [
            accumulator.valid.eq(self.valid),
            accumulator.last.eq(self.last),
            self.total.eq(accumulator.total),
            self.total_valid.eq(accumulator.total_valid),
        ]
        return m


def final_tree(row: SumRow) -> SumTree:
    """Return the tree of one row."""
    count = len(row.words)
    return SumTree(count, ((row, tuple(range(count))),), (count,), (row.result,))


def _value(lane: Lane | FloatLane) -> Value:
    return lane.value if isinstance(lane, Lane) else lane.product


def _lane(plan: LanePlan | FloatLanePlan | MergedLanePlan) -> AnyLane:
    if isinstance(plan, MergedLanePlan):
        return MergedLane(plan)
    return Lane(plan) if isinstance(plan, LanePlan) else FloatLane(plan)
