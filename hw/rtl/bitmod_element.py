"""Floor 2a: an element of BitMoD of either kind, and what its terms bring it."""

from __future__ import annotations

from amaranth.hdl import Module, Value

from hw.plan.bitmod import BitmodElementPlan, BitmodIntPlan
from hw.rtl.bitmod import BitmodElement
from hw.rtl.bitmod_int import BitmodIntElement
from hw.rtl.bitmod_terms import Sequencer, TermGenerator

Element = BitmodElement | BitmodIntElement


def element_of(plan: BitmodElementPlan | BitmodIntPlan) -> Element:
    """Return the component of an element's plan."""
    if isinstance(plan, BitmodElementPlan):
        return BitmodElement(plan)
    return BitmodIntElement(plan)


def feed(
    m: Module,
    element: Element,
    generator: TermGenerator,
    sequencer: Sequencer,
    valid: Value,
    activation: Value,
) -> None:
    """Connect an element with the terms of its weights, the ends of their groups, its operands."""
    if isinstance(element, BitmodIntElement):
        m.d.comb += element.base.eq(generator.base)
    m.d.comb += [
        element.valid.eq(valid),
        element.last.eq(sequencer.ends),
        element.sign.eq(generator.sign),
        element.man.eq(generator.man),
        element.shift.eq(generator.shift),
        element.activation.eq(activation),
    ]
