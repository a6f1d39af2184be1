"""Floor 2a: special values of a BitMoD tile's columns, and the control all columns share."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.bitmod import SCALE_BITS
from hw.design.bitmod_tile import ID_BITS
from hw.formats.bitmod_datatypes import SPECIAL_BITS, SPECIAL_IDS, default_specials
from hw.plan.bitmod_tile import (
    SpecialBankPlan,
    TileControlPlan,
)
from hw.rtl.bits import named
from hw.rtl.library import place


class SpecialSelect(wiring.Component):
    """One of four special values. Ports: `entries`, `special_id`; `special`. Combinational."""

    def __init__(self) -> None:
        super().__init__(
            {
                "entries": In(SPECIAL_IDS * SPECIAL_BITS),
                "special_id": In(ID_BITS),
                "special": Out(SPECIAL_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Select."""
        m = Module()
        m.d.comb += self.special.eq(self.entries.word_select(self.special_id, SPECIAL_BITS))
        return m


class SpecialBank(wiring.Component):
    """The special values of a tile: one bank, an entry selected for each column.

    Ports: `write`, `index`, `value`; `valid`, `ends` (of the tile's groups), `four` (FP4),
    `special_id` (two bits per column); `special` (an entry per column), combinational; `fault`,
    until reset: an id that changed in mid-group. A value written is read from the next cycle on.
    """

    def __init__(self, plan: SpecialBankPlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "write": In(1),
                "index": In(3),
                "value": In(SPECIAL_BITS),
                "valid": In(1),
                "ends": In(1),
                "four": In(1),
                "special_id": In(plan.columns * ID_BITS),
                "special": Out(plan.columns * SPECIAL_BITS),
                "fault": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Hold, select and watch."""
        m = Module()
        entries = []
        for number, default in enumerate(default_specials()):
            entry = Signal(SPECIAL_BITS, name=f"entry_{number}", init=default)
            with m.If(self.write & (self.index == number)):
                m.d.sync += entry.eq(self.value)
            entries.append(entry)
        half = len(entries) // 2
        halves = [Mux(self.four, entries[half + i], entries[i]) for i in range(half)]
        chosen = named(m, "chosen", Cat(*halves))
        for column in range(self.plan.columns):
            select = SpecialSelect()
            place(m, platform, "special_select", select, column)
            m.d.comb += [
                select.entries.eq(chosen),
                select.special_id.eq(self.special_id.word_select(column, ID_BITS)),
                self.special.word_select(column, SPECIAL_BITS).eq(select.special),
            ]
        self._watch(m)
        return m

    def _watch(self, m: Module) -> None:
        """Raise the fault."""
        inside = Signal(name="inside")
        held = Signal(len(self.special_id), name="held", reset_less=True)
        with m.If(self.valid):
            m.d.sync += inside.eq(~self.ends)
            with m.If(~inside):
                m.d.sync += held.eq(self.special_id)
            with m.Elif(held != self.special_id):
                m.d.sync += self.fault.eq(1)


class TileControl(wiring.Component):
    """Counts while the sums of a group are scaled, row by row, and says where each goes.

    Ports: `capture` (a group ends) and `completes` (with it an output); `place` in the scale and
    `row`, from the next cycle on; `last_bit`; `store`: the product of `store_row` is
    done, to be added to its output; `first`: the groups are the first of their outputs;
    `total_valid`. Registers all but `last_bit`.
    """

    def __init__(self, plan: TileControlPlan) -> None:
        self.plan = plan
        row = plan.row_bits
        super().__init__(
            {
                "capture": In(1),
                "completes": In(1),
                "place": Out(3),
                "row": Out(row),
                "last_bit": Out(1),
                "store": Out(1),
                "store_row": Out(row),
                "first": Out(1),
                "total_valid": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count."""
        m = Module()
        running = Signal(name="running")
        fresh = Signal(name="fresh", init=1)
        completing = Signal(name="completing")
        store_completes = Signal(name="store_completes")
        last_row = named(m, "last_row", self.row == self.plan.rows - 1)
        m.d.comb += self.last_bit.eq(running & (self.place == SCALE_BITS - 1))
        with m.If(self.capture):
            m.d.sync += [self.place.eq(0), self.row.eq(0), running.eq(1)]
            m.d.sync += [
                self.first.eq(fresh),
                completing.eq(self.completes),
                fresh.eq(self.completes),
            ]
        with m.Elif(running):
            m.d.sync += self.place.eq(self.place + 1)
            with m.If(self.last_bit):
                m.d.sync += [self.row.eq(self.row + 1), running.eq(~last_row)]
        m.d.sync += self.store.eq(self.last_bit)
        with m.If(self.last_bit):
            m.d.sync += [
                self.store_row.eq(self.row),
                store_completes.eq(completing & last_row),
            ]
        m.d.sync += self.total_valid.eq(self.store & store_completes)
        return m
