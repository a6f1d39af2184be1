"""Floor 2a: a tile of BitMoD elements (see `hw.design.bitmod_tile`)."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.bitmod import CODE_BITS, DIGIT_BITS, LANES, SCALE_BITS
from hw.design.bitmod_tile import ID_BITS
from hw.formats.bitmod_datatypes import SPECIAL_BITS, SPECIAL_IDS, default_specials
from hw.plan.accumulate import AccumulatePlan
from hw.plan.bitmod import BitmodElementPlan
from hw.plan.bitmod_tile import (
    BitmodTilePlan,
    SpecialBankPlan,
    TileColumnPlan,
    TileControlPlan,
)
from hw.plan.floating import FloatAccumulatePlan
from hw.rtl.bitmod import BitmodElement
from hw.rtl.bitmod_int import BitmodIntElement
from hw.rtl.bitmod_scale import ScaleRow
from hw.rtl.bitmod_terms import Sequencer, TermGenerator
from hw.rtl.bits import extend, named
from hw.rtl.floating import FloatAccumulator
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


class FloatStep(FloatAccumulator):
    """A floating accumulator without its registers: ``following = R(previous + S · 2^e)``.

    Ports: `previous`, `addend`, `exponent`, `step_nan` (where the plan has it); `following`.
    Combinational.
    """

    def __init__(self, plan: FloatAccumulatePlan) -> None:
        self.plan = plan
        ports: dict[str, object] = {
            "previous": In(plan.bits),
            "addend": In(plan.addend.bits),
            "following": Out(plan.bits),
        }
        ports |= {"exponent": In(plan.exponent_bits)} if plan.exponent_bits else {}
        wiring.Component.__init__(self, ports | {f"step_{flag}": In(1) for flag in plan.flags})

    def elaborate(self, platform: object) -> Module:
        """Build the sum."""
        m = Module()
        m.d.comb += self.following.eq(self._following(m, platform, self.previous))
        return m


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


Element = BitmodElement | BitmodIntElement


class BitmodTileArray(wiring.Component):
    """Rows × columns elements; a term generator, a dequantiser and an accumulator per column.

    Ports and protocol: `hw.design.BitmodTile`. A step takes 2 (FP3, FP4), 3 (INT5, INT6) or 4
    cycles (INT8), the next one follows at once, whatever its datatype; the totals are visible
    ``8 · rows + 2`` cycles after the last term of an output. Synchronous reset. Nothing overflows;
    a floating output beyond its range is infinite.
    """

    def __init__(self, plan: BitmodTilePlan) -> None:
        self.plan = plan
        self.floating = isinstance(plan.single.element, BitmodElementPlan)
        self.activation_bits = LANES * (16 if self.floating else 8)
        rows, columns = plan.rows, plan.columns
        super().__init__(
            {
                "valid": In(1),
                "weight": In(columns * LANES * CODE_BITS),
                "activation": In(rows * self.activation_bits),
                "datatype": In(3),
                "special_id": In(columns * ID_BITS),
                "scale": In(columns * SCALE_BITS),
                "special_write": In(1),
                "special_index": In(3),
                "special_value": In(SPECIAL_BITS),
                "total": Out(rows * columns * plan.column.output_bits),
                "total_valid": Out(1),
                "fault": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the parts."""
        m = Module()
        plan = self.plan
        sequencer = Sequencer(plan.sequencer)
        place(m, platform, "sequencer", sequencer, clocked=True)
        control = TileControl(plan.control)
        place(m, platform, "tile_control", control, clocked=True)
        bank = self._bank(m, platform, sequencer)
        m.d.comb += [
            sequencer.valid.eq(self.valid),
            sequencer.datatype.eq(self.datatype),
            control.capture.eq(sequencer.ends),
            control.completes.eq(sequencer.completes),
            self.total_valid.eq(control.total_valid),
            self.fault.eq(sequencer.fault | bank.fault),
        ]
        for number in range(plan.columns):
            generator = self._generator(m, platform, sequencer, bank, number)
            elements = [
                self._element(m, platform, sequencer, generator, row, number)
                for row in range(plan.rows)
            ]
            self._column(m, platform, sequencer, control, elements, number)
        return m

    def _bank(self, m: Module, platform: object, sequencer: Sequencer) -> SpecialBank:
        bank = SpecialBank(self.plan.specials)
        place(m, platform, "special_bank", bank, clocked=True)
        m.d.comb += [
            bank.write.eq(self.special_write),
            bank.index.eq(self.special_index),
            bank.value.eq(self.special_value),
            bank.valid.eq(self.valid),
            bank.ends.eq(sequencer.ends),
            bank.four.eq(self.datatype[0]),
            bank.special_id.eq(self.special_id),
        ]
        return bank

    def _generator(
        self, m: Module, platform: object, sequencer: Sequencer, bank: SpecialBank, column: int
    ) -> TermGenerator:
        generator = TermGenerator(self.plan.generator)
        place(m, platform, "term_generator", generator, column)
        m.d.comb += [
            generator.weight.eq(self.weight.word_select(column, LANES * CODE_BITS)),
            generator.datatype.eq(self.datatype),
            generator.special.eq(bank.special.word_select(column, SPECIAL_BITS)),
            generator.digit.eq(sequencer.digit),
        ]
        return generator

    def _element(
        self,
        m: Module,
        platform: object,
        sequencer: Sequencer,
        generator: TermGenerator,
        row: int,
        column: int,
    ) -> Element:
        plan = self.plan.single.element
        element: Element
        if isinstance(plan, BitmodElementPlan):
            element = BitmodElement(plan)
        else:
            element = BitmodIntElement(plan)
            m.d.comb += element.base.eq(generator.base)
        place(m, platform, "element", element, f"{row}_{column}", clocked=True)
        m.d.comb += [
            element.valid.eq(self.valid),
            element.last.eq(sequencer.ends),
            element.sign.eq(generator.sign),
            element.man.eq(generator.man),
            element.shift.eq(generator.shift),
            element.activation.eq(self.activation.word_select(row, self.activation_bits)),
        ]
        return element

    def _column(
        self,
        m: Module,
        platform: object,
        sequencer: Sequencer,
        control: TileControl,
        elements: list[Element],
        number: int,
    ) -> None:
        """Place what scales a column's sums and adds them to its outputs."""
        plan = self.plan.column
        column = TileColumn(plan)
        place(m, platform, "tile_column", column, number, clocked=True)
        names = ("place", "row", "last_bit", "first", "store", "store_row")
        m.d.comb += [getattr(column, name).eq(getattr(control, name)) for name in names]
        m.d.comb += [
            column.capture.eq(sequencer.ends),
            column.scale.eq(self.scale.word_select(number, SCALE_BITS)),
        ]
        words = ["significand", *(["exponent"] if plan.exponent_bits else [])]
        words += ["invalid"] if plan.flagged else []
        for name in words:
            gathered = Cat(*(getattr(element, name) for element in elements))
            m.d.comb += getattr(column, name).eq(gathered)
        step = self._step(m, column)
        place(m, platform, "output_step", step, number)
        m.d.comb += [
            step.previous.eq(column.previous),
            step.addend.eq(column.product),
            column.following.eq(step.following),
        ]
        for row in range(self.plan.rows):
            place_of = row * self.plan.columns + number
            word = self.total.word_select(place_of, plan.output_bits)
            m.d.comb += word.eq(column.total.word_select(row, plan.output_bits))

    def _step(self, m: Module, column: TileColumn) -> FloatStep | ExactStep:
        accumulate = self.plan.single.output
        if not isinstance(accumulate, FloatAccumulatePlan):
            return ExactStep(accumulate)
        step = FloatStep(accumulate)
        exponent = Cat(Const(0, (DIGIT_BITS - 1).bit_length()), column.product_exponent)
        m.d.comb += step.exponent.eq(exponent)
        if self.plan.column.flagged:
            m.d.comb += step.step_nan.eq(column.product_invalid)
        return step
