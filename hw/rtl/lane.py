"""Floor 2a: one lane: two operand codes to one addend on the fixed grid."""

from __future__ import annotations

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import LanePlan, SignSelection
from hw.rtl.bits import extend, named
from hw.rtl.operand import Operand, unpack_both
from hw.rtl.product import build_word, place_table
from hw.rtl.shift import build_shift


class Lane(wiring.Component):
    """Exact product of one weight and one activation: ``(−1)^negate · value``.

    Ports: `weight`, `activation` (codes), `value` (signed if its range is), `negate` (present if an
    operand has a sign of its own and it is not made outside), `carry` (present if 1 may still have
    to be added to the value), `nan`, `pos_inf`, `neg_inf` as far as the plan has them.
    Combinational. A special operand gives value 0.
    """

    def __init__(self, plan: LanePlan) -> None:
        self.plan = plan
        ports = {
            "weight": In(plan.weight.format.bits),
            "activation": In(plan.activation.format.bits),
            "value": Out(plan.word.bounds.bits),
        }
        if plan.word.pending and not plan.signs_apart:
            ports[plan.word.sign.value] = Out(1)
        super().__init__(ports | {flag: Out(1) for flag in plan.flags})

    def elaborate(self, platform: object) -> Module:
        """Unpack, multiply, shift."""
        m = Module()
        plan = self.plan
        weight, activation = unpack_both(m, platform, plan, self.weight, self.activation)
        if plan.has_negate and not plan.signs_apart:
            sign = ~weight.sign if plan.negated else weight.sign
            m.d.comb += self.negate.eq(sign ^ activation.sign)
        m.d.comb += self.value.eq(self._value(m, platform, weight, activation))
        drive_flags(m, self, plan.flags, weight, activation)
        return m

    def _value(self, m: Module, platform: object, weight: Operand, activation: Operand) -> Value:
        plan = self.plan
        if plan.is_table:
            return self._magnitude_table(m, platform)
        sides = weight.significand, activation.significand
        if isinstance(plan.product.selection, SignSelection):
            signs = plan.product.weight_is_multiplier
            sides = (self.weight, sides[1]) if signs else (sides[0], self.activation)
        product, carry = build_word(m, platform, plan.product, *sides)
        if carry is not None:
            m.d.comb += self.carry.eq(carry)
            return product
        if plan.shift is None:
            return extend(product, plan.bounds.bits, plan.bounds.signed)
        shifting = [
            operand
            for operand, side in ((weight, plan.weight), (activation, plan.activation))
            if side.field_bits
        ]
        return build_shift(m, platform, plan.shift, shifting, product)

    def _magnitude_table(self, m: Module, platform: object) -> Value:
        plan = self.plan
        if plan.product.pending is not None:
            m.d.comb += self.carry.eq(1)
        return place_table(
            m,
            platform,
            plan.product,
            self.weight[: plan.weight.magnitude_code_bits],
            self.activation[: plan.activation.magnitude_code_bits],
        )


def drive_flags(
    m: Module,
    ports: wiring.Component,
    flags: tuple[str, ...],
    weight: Operand,
    activation: Operand,
) -> None:
    """Drive the special outputs of one product.

    NaN if an operand is NaN or infinity meets zero; an infinity of the product's sign otherwise.
    """
    if not flags:
        return
    nan: Value = weight.nan | activation.nan
    if "pos_inf" in flags:
        invalid = (weight.infinite & activation.zero) | (activation.infinite & weight.zero)
        nan = named(m, "invalid", nan | invalid)
        infinite = named(m, "infinite", (weight.infinite | activation.infinite) & ~nan)
        negative = weight.negative ^ activation.negative
        m.d.comb += ports.pos_inf.eq(infinite & ~negative)
        m.d.comb += ports.neg_inf.eq(infinite & negative)
    m.d.comb += ports.nan.eq(nan)
