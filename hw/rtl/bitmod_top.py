"""Floor 2a: BitMoD's processing element as a design of its own (`hw.design.BitmodPe`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.bitmod import CODE_BITS, DIGIT_BITS, LANES, SCALE_BITS
from hw.formats.bitmod_datatypes import SPECIAL_BITS
from hw.plan.bitmod import BitmodElementPlan, BitmodPlan
from hw.plan.floating import FloatAccumulatePlan
from hw.rtl.accumulate import Accumulator
from hw.rtl.bitmod_element import Element, element_of, feed
from hw.rtl.bitmod_scale import Dequantiser
from hw.rtl.bitmod_terms import Sequencer, SpecialValues, TermGenerator
from hw.rtl.floating import FloatAccumulator
from hw.rtl.library import place


class Bitmod(wiring.Component):
    """Term generator, element, dequantiser and output accumulator, one of each.

    Ports and protocol: `hw.design.BitmodPe`. A weight takes 2 (FP3, FP4), 3 (INT5, INT6) or 4
    cycles (INT8), the next step follows at once, whatever its datatype; the total is visible 10
    cycles after the last term of an output. Synchronous reset. Nothing overflows; a floating output
    beyond its range is infinite.
    """

    def __init__(self, plan: BitmodPlan) -> None:
        self.plan = plan
        self.floating = isinstance(plan.element, BitmodElementPlan)
        self.flagged = plan.dequantiser.flagged
        ports: dict[str, object] = {
            "valid": In(1),
            "weight": In(LANES * CODE_BITS),
            "activation": In(LANES * (16 if self.floating else 8)),
            "datatype": In(3),
            "special_id": In(2),
            "scale": In(SCALE_BITS),
            "special_write": In(1),
            "special_index": In(3),
            "special_value": In(SPECIAL_BITS),
            "significand": Out(plan.element.bits),
            "group_valid": Out(1),
            "total": Out(plan.output.bits),
            "total_valid": Out(1),
            "fault": Out(1),
        }
        ports |= {"exponent": Out(plan.dequantiser.exponent_bits)} if self.floating else {}
        super().__init__(ports | ({"invalid": Out(1)} if self.flagged else {}))

    def elaborate(self, platform: object) -> Module:
        """Connect the parts."""
        m = Module()
        sequencer = Sequencer(self.plan.sequencer)
        place(m, platform, "sequencer", sequencer, clocked=True)
        m.d.comb += [
            sequencer.valid.eq(self.valid),
            sequencer.datatype.eq(self.datatype),
            sequencer.special_id.eq(self.special_id),
            self.fault.eq(sequencer.fault),
        ]
        element = self._element(m, platform, sequencer)
        scaler = self._scaler(m, platform, sequencer, element)
        self._output(m, platform, sequencer, scaler)
        return m

    def _element(self, m: Module, platform: object, sequencer: Sequencer) -> Element:
        """Place what makes terms and what accumulates them."""
        values = SpecialValues(self.plan.specials)
        place(m, platform, "special_values", values, clocked=True)
        generator = TermGenerator(self.plan.generator)
        place(m, platform, "term_generator", generator)
        m.d.comb += [
            values.write.eq(self.special_write),
            values.index.eq(self.special_index),
            values.value.eq(self.special_value),
            values.four.eq(self.datatype[0]),
            values.special_id.eq(self.special_id),
            generator.weight.eq(self.weight),
            generator.datatype.eq(self.datatype),
            generator.special.eq(values.special),
            generator.digit.eq(sequencer.digit),
        ]
        element = element_of(self.plan.element)
        place(m, platform, "element", element, clocked=True)
        feed(m, element, generator, sequencer, self.valid, self.activation)
        return element

    def _scaler(
        self,
        m: Module,
        platform: object,
        sequencer: Sequencer,
        element: Element,
    ) -> Dequantiser:
        scaler = Dequantiser(self.plan.dequantiser)
        place(m, platform, "dequantiser", scaler, clocked=True)
        m.d.comb += [
            scaler.capture.eq(sequencer.ends),
            scaler.significand.eq(element.significand),
            scaler.scale.eq(self.scale),
            self.significand.eq(scaler.held_significand),
            self.group_valid.eq(scaler.captured),
        ]
        if self.floating:
            m.d.comb += [
                scaler.exponent.eq(element.exponent),
                self.exponent.eq(scaler.held_exponent),
            ]
        if self.flagged:
            m.d.comb += [
                scaler.invalid.eq(element.invalid),
                self.invalid.eq(scaler.held_invalid),
            ]
        return scaler

    def _output(
        self, m: Module, platform: object, sequencer: Sequencer, scaler: Dequantiser
    ) -> None:
        """Add scaled groups; the group that completes an output is remembered while scaled."""
        completes = Signal(name="completes", reset_less=True)
        with m.If(sequencer.ends):
            m.d.sync += completes.eq(sequencer.completes)
        plan = self.plan.output
        output: FloatAccumulator | Accumulator
        if isinstance(plan, FloatAccumulatePlan):
            output = FloatAccumulator(plan)
            exponent = Cat(Const(0, (DIGIT_BITS - 1).bit_length()), scaler.held_exponent)
            m.d.comb += output.exponent.eq(exponent)
            if self.flagged:
                m.d.comb += output.step_nan.eq(scaler.held_invalid)
        else:
            output = Accumulator(plan)
        place(m, platform, "output", output, clocked=True)
        m.d.comb += [
            output.valid.eq(scaler.done),
            output.last.eq(completes),
            output.addend.eq(scaler.product),
            self.total.eq(output.total),
            self.total_valid.eq(output.total_valid),
        ]
