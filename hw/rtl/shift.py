"""Floor 2a: the exponent sum and the multiplexer levels that place a product on the grid."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Value

from hw.plan import ShiftPlan
from hw.rtl.bits import extend, named
from hw.rtl.operand import Operand
from hw.rtl.product import lookup


def build_shift(m: Module, plan: ShiftPlan, operands: list[Operand], product: Value) -> Value:
    """Add the shifter to a module and return the placed product, `plan.width` bits wide."""
    amount = _amount(m, plan, operands)
    data: Value = product
    for number, level in enumerate(plan.levels):
        inputs = []
        for way in range(level.ways):
            zeros = Const(0, way << level.low_bit) if way else Const(0, 0)
            inputs.append(extend(Cat(zeros, data), level.width, plan.input_signed))
        select = amount[level.low_bit : level.low_bit + level.ways.bit_length() - 1]
        data = named(m, f"shifted_{number}", Array(inputs)[select], level.width)
    return extend(data[plan.offset :], plan.width, plan.input_signed)


def _amount(m: Module, plan: ShiftPlan, operands: list[Operand]) -> Value:
    """Return ``Σ max(field, 1)``, less the offset where it comes from a table."""
    fields = [operand.field for operand in operands]
    if plan.from_table:
        entries = [0]
        for bits in plan.field_bits:
            entries = [e + max(field, 1) - 1 for field in range(1 << bits) for e in entries]
        return lookup(m, "amount", entries, Cat(*fields), plan.amount_bits)
    exponents = [Cat(operand.field[0] | ~operand.normal, operand.field[1:]) for operand in operands]
    total = exponents[0]
    for exponent in exponents[1:]:
        total = total + exponent
    return named(m, "amount", total, plan.amount_bits)
