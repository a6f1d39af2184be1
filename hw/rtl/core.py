"""Floor 2a: the accumulation core: lanes, tree and accumulator; MAC, dot product and array cell."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import (
    AccumulatePlan,
    CorePlan,
    LanePlan,
    MergedAccumulatePlan,
    MergedLanePlan,
    MergedWindowAccumulatePlan,
    MergedWindowLanePlan,
    SumTree,
    WindowAccumulatePlan,
)
from hw.rtl.accumulate import SPECIAL_FLAGS, Accumulator
from hw.rtl.bits import any_of
from hw.rtl.lane import Lane
from hw.rtl.library import place, place_lanes
from hw.rtl.merged import MergedAccumulator, MergedLane, build_chains, connect_placed
from hw.rtl.merged_window import MergedWindowAccumulator, MergedWindowLane, build_maximum
from hw.rtl.running_window import WindowProductLane, build_running
from hw.rtl.sums import SignPairs, Summand, build_sums, pending_bit
from hw.rtl.tree import Addend, build_tree
from hw.rtl.window import WindowAccumulator, WindowLane, build_alignment

AnyLane = Lane | WindowLane | MergedLane | MergedWindowLane | WindowProductLane
AnyAccumulator = Accumulator | WindowAccumulator | MergedAccumulator | MergedWindowAccumulator


class Core(wiring.Component):
    """``total = Σ weight[i]·activation[i]`` over lanes and steps.

    Ports: `valid`, `last`, `weight` and `activation` (lane i in bits ``[i·w +: w]``); `total`,
    `total_valid`, `exponent` (alignment windows), sticky flags. Latency 1 cycle, initiation
    interval 1, synchronous reset to 0; the meaning is that of `hw.design`.
    """

    def __init__(self, plan: CorePlan) -> None:
        self.plan = plan
        lane, accumulate = plan.lane, plan.accumulate
        ports = {
            "valid": In(1),
            "last": In(1),
            "weight": In(lane.weight.format.bits * plan.lanes),
            "activation": In(lane.activation.format.bits * plan.lanes),
            "total": Out(accumulate.bits),
            "total_valid": Out(1),
        }
        if isinstance(accumulate, WindowAccumulatePlan | MergedWindowAccumulatePlan):
            ports["exponent"] = Out(accumulate.shown_bits)
        super().__init__(ports | {flag: Out(1) for flag in accumulate.flags})

    def elaborate(self, platform: object) -> Module:
        """Connect lanes, tree and accumulator."""
        m = Module()
        plan = self.plan
        lanes = [_lane(plan) for _ in range(plan.lanes)]
        place_lanes(m, platform, lanes, self.weight, self.activation)
        accumulator: AnyAccumulator
        if isinstance(plan.accumulate, AccumulatePlan):
            accumulator = Accumulator(plan.accumulate)
        elif isinstance(plan.accumulate, MergedAccumulatePlan):
            accumulator = MergedAccumulator(plan.accumulate)
        elif isinstance(plan.accumulate, MergedWindowAccumulatePlan):
            accumulator = MergedWindowAccumulator(plan.accumulate)
            m.d.comb += self.exponent.eq(accumulator.exponent)
            assert plan.maximum is not None
            if plan.running is None:
                build_maximum(m, platform, plan.maximum, lanes, accumulator)
        else:
            assert plan.align is not None
            accumulator = WindowAccumulator(plan.accumulate)
            m.d.comb += self.exponent.eq(accumulator.exponent)
        place(m, platform, "accumulate", accumulator, clocked=True)
        placed = lanes
        if plan.running is not None:
            assert plan.maximum is not None
            plans, control = (plan.running, plan.maximum), (self.valid, self.last)
            placed = build_running(m, platform, plans, lanes, accumulator, control)
        self._add_lanes(m, platform, placed, accumulator)
        m.d.comb += [
            accumulator.valid.eq(self.valid),
            accumulator.last.eq(self.last),
            self.total.eq(accumulator.total),
            self.total_valid.eq(accumulator.total_valid),
        ]
        for flag in plan.accumulate.flags:
            m.d.comb += getattr(self, flag).eq(getattr(accumulator, flag))
            if flag in SPECIAL_FLAGS:
                seen: list[Value] = [getattr(lane, flag) for lane in lanes]
                m.d.comb += getattr(accumulator, f"step_{flag}").eq(any_of(seen))
        return m

    def _add_lanes(
        self,
        m: Module,
        platform: object,
        lanes: list[AnyLane],
        accumulator: AnyAccumulator,
    ) -> None:
        """Build the tree from the lanes to the accumulator."""
        plan = self.plan
        if isinstance(accumulator, MergedAccumulator):
            connect_placed(m, accumulator, lanes[0])
            return
        words: list[Summand] = []
        if plan.chain is not None:
            words = [Summand(v, None) for v in build_chains(m, platform, plan.chain, lanes)]
        if isinstance(plan.tree, SumTree):
            assert isinstance(accumulator, Accumulator)
            signs = self._signs(m, platform, accumulator)
            words = words or [
                Summand(lane.value, signs[i] if signs else pending_bit(lane))
                for i, lane in enumerate(lanes)
            ]
            accumulator.take(m, build_sums(m, platform, plan.tree, words))
            return
        if words:
            addends = [Addend(word.value, None) for word in words]
        elif plan.align is not None:
            addends = build_alignment(m, platform, plan.align, lanes, accumulator)
        else:
            addends = [Addend(lane.value, getattr(lane, "negate", None)) for lane in lanes]
        step = build_tree(m, platform, plan.tree, addends)
        m.d.comb += accumulator.addend.eq(step.value)
        if step.negate is not None:
            m.d.comb += accumulator.negate.eq(step.negate)

    def _signs(self, m: Module, platform: object, accumulator: Accumulator) -> list[Value]:
        """Make the signs of all products outside the lanes, if the plan says so."""
        plan = self.plan
        tops = [
            [
                word.word_select(i, operand.format.bits)[-1] if operand.has_sign else Const(1)
                for i in range(plan.lanes)
            ]
            for word, operand in (
                (self.weight, plan.lane.weight),
                (self.activation, plan.lane.activation),
            )
        ]
        if accumulator.plan.takes_signs:
            m.d.comb += accumulator.signs.eq(Cat(*(side[0] for side in tops)))
        signs: list[Value] = []
        for number in range(plan.sign_pairs):
            pair = SignPairs()
            place(m, platform, "sign_pair", pair, number)
            two = slice(2 * number, 2 * number + 2)
            m.d.comb += [pair.weight.eq(Cat(*tops[0][two])), pair.activation.eq(Cat(*tops[1][two]))]
            signs += list(pair.negate)
        return signs


def _lane(core: CorePlan) -> AnyLane:
    plan = core.lane
    if isinstance(plan, LanePlan):
        return Lane(plan)
    if isinstance(plan, MergedWindowLanePlan):
        return WindowProductLane(plan) if core.running else MergedWindowLane(plan)
    return MergedLane(plan) if isinstance(plan, MergedLanePlan) else WindowLane(plan)
