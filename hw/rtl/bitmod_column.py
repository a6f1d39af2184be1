"""Floor 2a: a column of a BitMoD tile: its rows' groups scaled one after the other, and added."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.bitmod import SCALE_BITS
from hw.plan.accumulate import AccumulatePlan
from hw.plan.bitmod_tile import (
    TileColumnPlan,
)
from hw.rtl.bitmod_scale import ScaleRow
from hw.rtl.bits import extend, named
from hw.rtl.library import place


class TileColumn(wiring.Component):
    """Captures the sums of a column, and multiplies them by the column's scale one by one.

    Ports: `capture` with `scale` and, word by word, the rows' `significand` (`exponent`,
    `invalid`, as the plan has them); `place`, `row`, `last_bit`, `first`, `store`, `store_row` (of
    `TileControl`); `product`, `product_exponent`, `product_invalid` (registers) and
    `previous` (the output they are to be added to), `following` (the sum, from outside); `total`,
    an output per row. A product takes 8 cycles, the lowest bit of the scale first.
    """

    def __init__(self, plan: TileColumnPlan) -> None:
        self.plan = plan
        row = max((plan.rows - 1).bit_length(), 1)
        ports: dict[str, object] = {
            "capture": In(1),
            "scale": In(SCALE_BITS),
            "significand": In(plan.rows * plan.bits),
            "place": In(3),
            "row": In(row),
            "last_bit": In(1),
            "store": In(1),
            "store_row": In(row),
            "first": In(1),
            "product": Out(plan.product_bits),
            "previous": Out(plan.output_bits),
            "following": In(plan.output_bits),
            "total": Out(plan.rows * plan.output_bits),
        }
        if plan.exponent_bits:
            ports["exponent"] = In(plan.rows * plan.exponent_bits)
            ports["product_exponent"] = Out(plan.exponent_bits)
        if plan.flagged:
            ports |= {"invalid": In(plan.rows), "product_invalid": Out(1)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Capture, multiply, keep."""
        m = Module()
        plan = self.plan
        held = Signal(SCALE_BITS, name="held_scale", reset_less=True)
        with m.If(self.capture):
            m.d.sync += held.eq(self.scale)
        word = self._captured(m, "significand", plan.bits)
        self._multiply(m, platform, word, named(m, "scale_bit", Array(held)[self.place]))
        if plan.exponent_bits:
            exponent = self._captured(m, "exponent", plan.exponent_bits)
            with m.If(self.last_bit):
                m.d.sync += self.product_exponent.eq(exponent)
        if plan.flagged:
            invalid = self._captured(m, "invalid", 1)
            with m.If(self.last_bit):
                m.d.sync += self.product_invalid.eq(invalid)
        self._outputs(m)
        return m

    def _captured(self, m: Module, port: str, bits: int) -> Value:
        """Hold a port's words from the end of a group on; return that of the current row."""
        words = []
        for row in range(self.plan.rows):
            word = Signal(bits, name=f"held_{port}_{row}", reset_less=True)
            with m.If(self.capture):
                m.d.sync += word.eq(getattr(self, port).word_select(row, bits))
            words.append(word)
        return named(m, f"current_{port}", Array(words)[self.row])

    def _multiply(self, m: Module, platform: object, word: Value, bit: Value) -> None:
        """Add the word where the scale has a bit, move right, and keep what is done."""
        plan = self.plan
        high = Signal(plan.bits, name="high", reset_less=True)
        low = Signal(SCALE_BITS - 1, name="low", reset_less=True)
        row = ScaleRow(plan.bits)
        place(m, platform, "scale_row", row)
        m.d.comb += [row.high.eq(high), row.word.eq(word), row.scale_bit.eq(bit)]
        clear = named(m, "clear", self.capture | self.last_bit)
        with m.If(clear):
            m.d.sync += high.eq(0)
        with m.Else():
            m.d.sync += high.eq(row.sum[1:])
        m.d.sync += low.eq(Cat(low[1:], row.sum[0]))
        with m.If(self.last_bit):
            m.d.sync += self.product.eq(Cat(low, row.sum))

    def _outputs(self, m: Module) -> None:
        """Keep an output per row."""
        totals = []
        for row in range(self.plan.rows):
            total = Signal(self.plan.output_bits, name=f"total_{row}")
            with m.If(self.store & (self.store_row == row)):
                m.d.sync += total.eq(self.following)
            totals.append(total)
        m.d.comb += self.total.eq(Cat(*totals))
        with m.If(self.last_bit & self.first):
            m.d.sync += self.previous.eq(0)
        with m.Elif(self.last_bit):
            m.d.sync += self.previous.eq(Array(totals)[self.row])


class ExactStep(wiring.Component):
    """``following = previous + addend``, exact. Ports: those names. Combinational."""

    def __init__(self, plan: AccumulatePlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "previous": In(plan.bits),
                "addend": In(plan.addend.bits),
                "following": Out(plan.bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Add."""
        m = Module()
        m.d.comb += self.following.eq(
            self.previous + extend(self.addend, len(self.following), True)
        )
        return m
