"""Floor 2a: a tile of BitMoD elements (see `hw.design.bitmod_tile`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.bitmod import CODE_BITS, DIGIT_BITS, LANES, SCALE_BITS
from hw.design.bitmod_tile import ID_BITS
from hw.formats.bitmod_datatypes import SPECIAL_BITS
from hw.plan.bitmod import BitmodElementPlan
from hw.plan.bitmod_tile import (
    BitmodTilePlan,
)
from hw.plan.floating import FloatAccumulatePlan
from hw.rtl.bitmod_bank import SpecialBank, TileControl
from hw.rtl.bitmod_column import ExactStep, TileColumn
from hw.rtl.bitmod_element import Element, element_of, feed
from hw.rtl.bitmod_terms import Sequencer, TermGenerator
from hw.rtl.floating import FloatStep
from hw.rtl.library import place


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
        element = element_of(self.plan.single.element)
        place(m, platform, "element", element, f"{row}_{column}", clocked=True)
        activation = self.activation.word_select(row, self.activation_bits)
        feed(m, element, generator, sequencer, self.valid, activation)
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
