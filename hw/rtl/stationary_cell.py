"""Floor 2a: a cell of the weight-stationary array (`hw.plan.stationary`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import LanePlan, MergedRow, OperandPlan, StationaryCell, SumTree
from hw.rtl.bits import any_of, extend
from hw.rtl.lane import Lane
from hw.rtl.library import place, place_lanes
from hw.rtl.merged import MergedLane, MergedRowAdder, connect_placed, row_name
from hw.rtl.sums import (
    SignPairs,
    Summand,
    SumRowAdder,
    build_sums,
    pending_bit,
    sum_row_name,
)
from hw.rtl.tree import Addend, build_tree


class Cell(wiring.Component):
    """``below = above + Σ weight[i]·activation[i]``, a cycle later.

    Ports: `advance` (nothing changes while it is low), `weight` and `activation` (lane i in bits
    ``[i·w +: w]``), `above` (but in the first row), `below`; with a suffix ``_flag`` the special
    flags that come, `<flag>_above`, and go, `<flag>_below`. Latency 1 cycle, initiation interval
    1, no reset; sums are exact.
    """

    def __init__(self, plan: StationaryCell) -> None:
        self.plan = plan
        lane = plan.lane
        ports: dict[str, object] = {
            "advance": In(1),
            "weight": In(lane.weight.format.bits * plan.lanes),
            "activation": In(lane.activation.format.bits * plan.lanes),
            "below": Out(plan.after.bits),
        }
        if plan.before is not None:
            ports["above"] = In(plan.before.bits)
        for flag in plan.flags:
            ports[f"{flag}_below"] = Out(1)
            if plan.before is not None:
                ports[f"{flag}_above"] = In(1)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Connect lanes, rows and registers."""
        m = Module()
        plan = self.plan
        lanes = [
            Lane(plan.lane) if isinstance(plan.lane, LanePlan) else MergedLane(plan.lane)
            for _ in range(plan.lanes)
        ]
        place_lanes(m, platform, lanes, self.weight, self.activation)
        total = self._merged(m, platform, lanes) if plan.merged else self._added(m, platform, lanes)
        self._register(m, "below", total)
        for flag in plan.flags:
            seen: list[Value] = [getattr(lane, flag) for lane in lanes]
            seen += [getattr(self, f"{flag}_above")] if plan.before is not None else []
            self._register(m, f"{flag}_below", any_of(seen))
        return m

    def _register(self, m: Module, port: str, following: Value) -> None:
        """Show a word one cycle later."""
        held = Signal(len(following), name=f"{port}_register", reset_less=True)
        with m.If(self.advance):
            m.d.sync += held.eq(following)
        m.d.comb += getattr(self, port).eq(held)

    def _merged(self, m: Module, platform: object, lanes: list[Lane | MergedLane]) -> Value:
        """Add lanes row by row to what comes from above."""
        total: Value | None = getattr(self, "above", None)
        for number, (row, lane) in enumerate(zip(self.plan.merged, lanes, strict=True)):
            assert isinstance(row, MergedRow)
            adder = MergedRowAdder(row)
            place(m, platform, row_name(row), adder, number)
            connect_placed(m, adder, lane)
            if total is not None:
                m.d.comb += adder.previous.eq(extend(total, row.width, signed=True))
            total = adder.sum
        assert total is not None
        return total

    def _added(self, m: Module, platform: object, lanes: list[Lane | MergedLane]) -> Value:
        """Add the lanes up, and their sum to what comes from above."""
        plan = self.plan
        words = self._words(m, platform, lanes)
        if plan.row is None:
            (word,) = words
            return word.value
        adder = SumRowAdder(plan.row)
        place(m, platform, sum_row_name(plan.row), adder)
        first = [Summand(getattr(self, "above", Const(0)), None)]
        summands = first * (len(plan.row.words) - len(words)) + words
        for position, summand in enumerate(summands):
            m.d.comb += getattr(adder, f"word{position}").eq(summand.value)
            pending = pending_bit(adder, str(position))
            if pending is not None:
                m.d.comb += pending.eq(summand.pending)
        return adder.sum

    def _words(self, m: Module, platform: object, lanes: list[Lane | MergedLane]) -> list[Summand]:
        """Return what the lanes' tree leaves."""
        plan = self.plan
        assert plan.tree is not None
        signs = self._signs(m, platform)
        pending = [signs[i] if signs else pending_bit(lane) for i, lane in enumerate(lanes)]
        values: list[Value] = [lane.value for lane in lanes]
        if isinstance(plan.tree, SumTree):
            pairs = zip(values, pending, strict=True)
            return build_sums(m, platform, plan.tree, [Summand(*pair) for pair in pairs])
        addends = [Addend(*pair) for pair in zip(values, pending, strict=True)]
        step = build_tree(m, platform, plan.tree, addends)
        return [Summand(step.value, step.negate)]

    def _signs(self, m: Module, platform: object) -> list[Value]:
        """Make the signs of all products outside the lanes, if the plan says so."""
        signs: list[Value] = []
        for number in range(self.plan.sign_pairs):
            pair = SignPairs()
            place(m, platform, "sign_pair", pair, number)
            for port, codes, operand in (
                (pair.weight, self.weight, self.plan.lane.weight),
                (pair.activation, self.activation, self.plan.lane.activation),
            ):
                m.d.comb += port.eq(Cat(*self._tops(codes, operand, 2 * number)))
            signs += list(pair.negate)
        return signs

    def _tops(self, codes: Value, operand: OperandPlan, first: int) -> list[Value]:
        """Return the sign bits of two lanes."""
        lanes = range(first, min(first + 2, self.plan.lanes))
        return [
            codes.word_select(lane, operand.format.bits)[-1] if operand.has_sign else Const(1)
            for lane in lanes
        ]
