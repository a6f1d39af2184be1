"""Floor 2a: BitMoD's processing element for fp16 activations (see `hw.design.bitmod`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.bitmod import LANES
from hw.plan.bitmod import BitmodElementPlan
from hw.plan.bitmod_cells import EXPONENT_BITS, FRACTION, HEX_BITS, WINDOW_BITS
from hw.rtl.bits import named
from hw.rtl.library import place
from hw.rtl.merged_window import Cells
from hw.rtl.sums import SignPairs, SumRowAdder, sum_row_name

HALF_BITS, FIELD_BITS, SHIFT_BITS = 16, 5, 4


class BitmodElement(wiring.Component):
    """Four terms times four activations, added to a group's accumulator, every cycle.

    Ports: `valid`, `last` (the group ends with this cycle);
    for each lane `sign`, `man` and four bits of `shift` (exponent + bsig + 1, 0…8), and an fp16
    code of `activation`. `significand`, `exponent` (and `invalid`) are the accumulator after this
    cycle: combinational, to be captured where `last` and `valid` are high; with `valid` low they
    are of no meaning. Initiation interval 1. The accumulator starts at 0 after `last`, and after
    reset; it does not overflow in a group of the planned size.
    """

    def __init__(self, plan: BitmodElementPlan) -> None:
        self.plan = plan
        ports: dict[str, object] = {
            "valid": In(1),
            "last": In(1),
            "sign": In(LANES),
            "man": In(LANES),
            "shift": In(LANES * SHIFT_BITS),
            "activation": In(LANES * HALF_BITS),
            "significand": Out(plan.bits),
            "exponent": Out(HEX_BITS),
        }
        super().__init__(ports | ({"invalid": Out(1)} if plan.flagged else {}))

    def elaborate(self, platform: object) -> Module:
        """Place lanes, maximum, realignment and rows."""
        m = Module()
        plan = self.plan
        state = Signal(plan.bits, name="state", reset_less=True)
        highest = Signal(HEX_BITS, name="highest", reset_less=True)
        exponents, specials = self._exponents(m, platform)
        reference = self._maximum(m, platform, exponents, highest)
        lanes = self._aligned(m, platform, exponents, reference)
        realign = Cells(
            plan.cells("realign").netlist,
            {"w": In(plan.bits), "h": In(HEX_BITS), "r": In(HEX_BITS), "y": Out(plan.bits)},
            {"w": "w", "h": "h", "r": "r", "y": "y"},
        )
        place(m, platform, "realign", realign)
        m.d.comb += [realign.w.eq(state), realign.h.eq(highest), realign.r.eq(reference)]
        m.d.comb += [
            self.significand.eq(self._rows(m, platform, realign, lanes)),
            self.exponent.eq(reference),
        ]
        clear = named(m, "clear", ResetSignal() | (self.valid & self.last))
        with m.If(clear):
            m.d.sync += [state.eq(0), highest.eq(0)]
        with m.Elif(self.valid):
            m.d.sync += [state.eq(self.significand), highest.eq(self.exponent)]
        if plan.flagged:
            seen = Signal(name="seen", reset_less=True)
            m.d.comb += self.invalid.eq(seen | Cat(*specials).any())
            with m.If(clear):
                m.d.sync += seen.eq(0)
            with m.Elif(self.valid):
                m.d.sync += seen.eq(self.invalid)
        return m

    def _half(self, lane: int) -> tuple[Value, Value, Value]:
        """Return fraction, field and sign of a lane's activation."""
        code = self.activation.word_select(lane, HALF_BITS)
        return code[:FRACTION], code[FRACTION:-1], code[-1]

    def _exponents(self, m: Module, platform: object) -> tuple[list[Cells], list[Signal]]:
        plan = self.plan
        found = []
        for lane in range(LANES):
            ports: dict[str, object] = {
                "f": In(FIELD_BITS),
                "t": In(SHIFT_BITS),
                "x": Out(EXPONENT_BITS),
                "z": Out(1),
            }
            ports |= {"i": Out(1)} if plan.flagged else {}
            cells = Cells(plan.cells("exponent").netlist, ports, {"f": "f", "t": "t", "x": "x"})
            place(m, platform, "exponent", cells, lane)
            m.d.comb += [
                cells.f.eq(self._half(lane)[1]),
                cells.t.eq(self.shift.word_select(lane, SHIFT_BITS)),
            ]
            found.append(cells)
        return found, [cells.i for cells in found] if plan.flagged else []

    def _maximum(
        self, m: Module, platform: object, exponents: list[Cells], highest: Signal
    ) -> Signal:
        search = Cells(
            self.plan.cells("maximum").netlist,
            {
                "a": In(LANES),
                "e": In(LANES * HEX_BITS),
                "h": In(HEX_BITS),
                "r": Out(HEX_BITS),
            },
            {"a": "a", "e": "e", "h": "h", "r": "r"},
        )
        place(m, platform, "maximum", search)
        m.d.comb += [
            search.a.eq(self.man),
            search.e.eq(Cat(*(cells.x[-HEX_BITS:] for cells in exponents))),
            search.h.eq(highest),
        ]
        found: Signal = search.r
        return found

    def _aligned(
        self, m: Module, platform: object, exponents: list[Cells], reference: Signal
    ) -> list[Cells]:
        signs: list[Signal] = []
        for pair in range(LANES // 2):
            maker = SignPairs()
            place(m, platform, "signs", maker, pair)
            first = 2 * pair
            m.d.comb += [
                maker.weight.eq(self.sign[first : first + 2]),
                maker.activation.eq(Cat(*(self._half(first + i)[2] for i in range(2)))),
            ]
            signs += [maker.negate[0], maker.negate[1]]
        found = []
        for lane, exponent in enumerate(exponents):
            cells = Cells(
                self.plan.cells("align").netlist,
                {
                    "m": In(FRACTION),
                    "z": In(1),
                    "x": In(EXPONENT_BITS),
                    "r": In(HEX_BITS),
                    "a": In(1),
                    "s": In(1),
                    "p": Out(WINDOW_BITS),
                    "c": Out(1),
                },
                {"m": "m", "x": "x", "r": "r", "p": "p"},
            )
            place(m, platform, "align", cells, lane)
            m.d.comb += [
                cells.m.eq(self._half(lane)[0]),
                cells.z.eq(exponent.z),
                cells.x.eq(exponent.x),
                cells.r.eq(reference),
                cells.a.eq(self.man[lane]),
                cells.s.eq(signs[lane]),
            ]
            found.append(cells)
        return found

    def _rows(self, m: Module, platform: object, realign: Cells, lanes: list[Cells]) -> Signal:
        words = [Cat(cells.p, cells.s) for cells in lanes]
        three, whole = self.plan.rows
        first, second = SumRowAdder(three), SumRowAdder(whole)
        place(m, platform, sum_row_name(three), first, 0)
        place(m, platform, sum_row_name(whole), second, 1)
        m.d.comb += [
            *(getattr(first, f"word{i}").eq(words[i]) for i in range(3)),
            first.carry1.eq(lanes[1].c),
            first.carry2.eq(lanes[2].c),
            second.word0.eq(realign.y),
            second.word1.eq(first.sum),
            second.carry1.eq(lanes[0].c),
            second.word2.eq(words[3]),
            second.carry2.eq(lanes[3].c),
        ]
        total: Signal = second.sum
        return total
