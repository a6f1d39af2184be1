"""Floor 2a: BitMoD's dequantiser: a group's significand times its scale, bit by bit."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.bitmod import SCALE_BITS
from hw.plan.bitmod import DequantiserPlan
from hw.rtl.bits import extend, named
from hw.rtl.library import place


class ScaleRow(wiring.Component):
    """``sum = high + (scale_bit ? word : 0)``, a bit wider. Combinational, a LUT per bit."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        super().__init__(
            {"high": In(bits), "word": In(bits), "scale_bit": In(1), "sum": Out(bits + 1)}
        )

    def elaborate(self, platform: object) -> Module:
        """Select and add."""
        m = Module()
        width = self.bits + 1
        word = extend(self.word, width, True) & self.scale_bit.replicate(width)
        m.d.comb += self.sum.eq(extend(self.high, width, True) + named(m, "selected", word))
        return m


class Dequantiser(wiring.Component):
    """Takes a group's sum and shows it times its scale, while the next group accumulates.

    Ports: `capture` (take what stands at the other inputs), `significand`, `exponent`, `invalid`
    (as the plan has them), `scale` (unsigned, 8 bits); `held_significand`, `held_exponent`,
    `held_invalid` from the next cycle on; `captured` for one cycle; `product` (two's complement, 8
    bits wider, exact) in the cycle in which `done` is high, 9 cycles after the capture. The lowest
    bit of the scale comes first; its register gives way to the product's low bits. The next capture
    must not come before 9 cycles have passed.
    """

    def __init__(self, plan: DequantiserPlan) -> None:
        self.plan = plan
        ports: dict[str, object] = {
            "capture": In(1),
            "significand": In(plan.bits),
            "scale": In(SCALE_BITS),
            "held_significand": Out(plan.bits),
            "captured": Out(1),
            "product": Out(plan.bits + SCALE_BITS),
            "done": Out(1),
        }
        if plan.exponent_bits:
            ports |= {
                "exponent": In(plan.exponent_bits),
                "held_exponent": Out(plan.exponent_bits),
            }
        super().__init__(
            ports | ({"invalid": In(1), "held_invalid": Out(1)} if plan.flagged else {})
        )

    def elaborate(self, platform: object) -> Module:
        """Hold, count, add and shift."""
        m = Module()
        plan = self.plan
        high = Signal(plan.bits, name="high", reset_less=True)
        low = Signal(SCALE_BITS, name="low", reset_less=True)
        left = Signal(range(SCALE_BITS + 1), name="left")
        row = ScaleRow(plan.bits)
        place(m, platform, "scale_row", row)
        m.d.comb += [
            row.high.eq(high),
            row.word.eq(self.held_significand),
            row.scale_bit.eq(low[0]),
            self.product.eq(Cat(low, high)),
        ]
        busy = named(m, "busy", left.any())
        m.d.sync += [self.captured.eq(self.capture), self.done.eq(left == 1)]
        with m.If(self.capture):
            m.d.sync += [self.held_significand.eq(self.significand), high.eq(0)]
            if plan.exponent_bits:
                m.d.sync += self.held_exponent.eq(self.exponent)
            if plan.flagged:
                m.d.sync += self.held_invalid.eq(self.invalid)
        with m.Elif(busy):
            m.d.sync += high.eq(row.sum[1:])
        with m.If(self.capture | busy):
            m.d.sync += [
                low.eq(Mux(self.capture, self.scale, Cat(low[1:], row.sum[0]))),
                left.eq(Mux(self.capture, SCALE_BITS, left - 1)),
            ]
        return m
