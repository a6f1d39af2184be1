"""Floor 2a: BitMoD's processing element for int8 activations, exact (see `hw.design.bitmod`)."""

from __future__ import annotations

from amaranth.hdl import Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.bitmod import LANES
from hw.plan.bitmod import BitmodIntPlan
from hw.plan.bitmod_cells import INT_WORD_BITS, LARGEST_BASE
from hw.rtl.bits import extend, named
from hw.rtl.library import place
from hw.rtl.merged_window import Cells
from hw.rtl.sums import SumRowAdder, sum_row_name

INT_BITS, EXPONENT_BITS, BASE_BITS = 8, 2, 3


class ExactRow(wiring.Component):
    """``sum = state + addend + carry``, the addend sign-extended. Combinational."""

    def __init__(self, bits: int, addend_bits: int) -> None:
        self.bits = bits
        super().__init__(
            {"state": In(bits), "addend": In(addend_bits), "carry": In(1), "sum": Out(bits)}
        )

    def elaborate(self, platform: object) -> Module:
        """Add."""
        m = Module()
        m.d.comb += self.sum.eq(self.state + extend(self.addend, self.bits, True) + self.carry)
        return m


class BitmodIntElement(wiring.Component):
    """Four terms times four int8 activations, added exactly, every cycle.

    Ports: `valid`, `last`; for each lane `sign`, `man` and two bits of `shift` (the exponent);
    `base` (bsig + 1, 0…7, of all lanes); an int8 code of `activation`. `significand`: the sum after
    this cycle in units of a half, combinational; see `hw.rtl.bitmod.BitmodElement`.
    """

    def __init__(self, plan: BitmodIntPlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "valid": In(1),
                "last": In(1),
                "sign": In(LANES),
                "man": In(LANES),
                "shift": In(LANES * EXPONENT_BITS),
                "base": In(BASE_BITS),
                "activation": In(LANES * INT_BITS),
                "significand": Out(plan.bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Place lanes, rows, the common shift and the accumulator."""
        m = Module()
        plan = self.plan
        words = [self._lane(m, platform, lane) for lane in range(LANES)]
        three, four = plan.rows
        first, second = SumRowAdder(three), SumRowAdder(four)
        place(m, platform, sum_row_name(three), first, 0)
        place(m, platform, sum_row_name(four), second, 1)
        move = Cells(
            plan.base.netlist,
            {
                "w": In(four.width),
                "b": In(BASE_BITS),
                "c": In(1),
                "y": Out(four.width + LARGEST_BASE),
            },
            {"w": "w", "b": "b", "y": "y"},
        )
        place(m, platform, "base", move)
        row = ExactRow(plan.bits, four.width + LARGEST_BASE)
        place(m, platform, "exact_row", row)
        state = Signal(plan.bits, name="state", reset_less=True)
        m.d.comb += [
            *(getattr(first, f"word{i}").eq(words[i]) for i in range(3)),
            first.carry1.eq(self.sign[1]),
            first.carry2.eq(self.sign[2]),
            second.word0.eq(first.sum),
            second.word1.eq(words[3]),
            second.carry1.eq(self.sign[3]),
            move.w.eq(second.sum),
            move.b.eq(self.base),
            move.c.eq(self.sign[0]),
            row.state.eq(state),
            row.addend.eq(move.y),
            row.carry.eq(self.sign[0]),
            self.significand.eq(row.sum),
        ]
        clear = named(m, "clear", ResetSignal() | (self.valid & self.last))
        with m.If(clear):
            m.d.sync += state.eq(0)
        with m.Elif(self.valid):
            m.d.sync += state.eq(self.significand)
        return m

    def _lane(self, m: Module, platform: object, lane: int) -> Signal:
        cells = Cells(
            self.plan.lane.netlist,
            {
                "i": In(INT_BITS),
                "s": In(1),
                "a": In(1),
                "t": In(EXPONENT_BITS),
                "p": Out(INT_WORD_BITS),
            },
            {"i": "i", "t": "t", "p": "p"},
        )
        place(m, platform, "int_lane", cells, lane)
        m.d.comb += [
            cells.i.eq(self.activation.word_select(lane, INT_BITS)),
            cells.s.eq(self.sign[lane]),
            cells.a.eq(self.man[lane]),
            cells.t.eq(self.shift.word_select(lane, EXPONENT_BITS)),
        ]
        found: Signal = cells.p
        return found
