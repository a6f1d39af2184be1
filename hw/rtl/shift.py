"""Floor 2a: the exponent sum and the multiplexer levels that place a product on the grid."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import ExponentPlan, ShiftLevel, ShiftPlan
from hw.rtl.bits import extend, named
from hw.rtl.library import place
from hw.rtl.operand import Operand
from hw.rtl.product import lookup


class ExponentSum(wiring.Component):
    """Amount of a shift from the operands' exponent fields.

    Ports: `field_0` (and `field_1`), `normal_0` (and `normal_1`: field is not 0; absent where the
    amount is a table), `amount`. Combinational.
    """

    def __init__(self, plan: ExponentPlan) -> None:
        self.plan = plan
        ports = {f"field_{i}": In(bits) for i, bits in enumerate(plan.field_bits)}
        if not plan.from_table:
            ports |= {f"normal_{i}": In(1) for i in range(len(plan.field_bits))}
        super().__init__(ports | {"amount": Out(plan.amount_bits)})

    def elaborate(self, platform: object) -> Module:
        """Look the sum up, or add ``max(field, 1)``."""
        m = Module()
        plan = self.plan
        fields = [getattr(self, f"field_{i}") for i in range(len(plan.field_bits))]
        if plan.from_table:
            entries = [0]
            for bits in plan.field_bits:
                entries = [e + max(field, 1) - 1 for field in range(1 << bits) for e in entries]
            m.d.comb += self.amount.eq(lookup(entries, Cat(*fields), plan.amount_bits))
            return m
        exponents = [
            Cat(field[0] | ~getattr(self, f"normal_{i}"), field[1:])
            for i, field in enumerate(fields)
        ]
        m.d.comb += self.amount.eq(sum(exponents[1:], exponents[0]))
        return m


class LevelMultiplexer(wiring.Component):
    """One level of a shifter: ``shifted = word << (select << low_bit)``, a LUT per bit.

    Ports: `word`, `select`, `shifted`. Combinational. Each level is a module of its own: mapped
    together, levels are restructured for depth at the price of a third more LUTs.
    """

    def __init__(self, level: ShiftLevel, word_bits: int, signed: bool, drop: int) -> None:
        self.level = level
        self.signed = signed
        self.drop = drop
        super().__init__(
            {
                "word": In(word_bits),
                "select": In(level.bits),
                "shifted": Out(level.width - drop),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Shift bit by bit of the amount; mapping makes one LUT of it."""
        m = Module()
        level = self.level
        word = extend(self.word, level.width, self.signed)
        for bit in range(level.bits):
            moved = Cat(Const(0, 1 << (level.low_bit + bit)), word)[: level.width]
            word = named(m, f"moved_{bit}", Mux(self.select[bit], moved, word))
        m.d.comb += self.shifted.eq(word[self.drop :])
        return m


def build_levels(
    m: Module,
    platform: object,
    levels: tuple[ShiftLevel, ...],
    word: Value,
    signed: bool,
    amount: Value,
    drop: int = 0,
) -> Value:
    """Add multiplexer levels, narrow ones first; the last one drops low bits of the result."""
    for number, level in enumerate(levels):
        dropped = drop if number == len(levels) - 1 else 0
        multiplexer = LevelMultiplexer(level, len(word), signed, dropped)
        place(m, platform, f"shift_level_{number}", multiplexer)
        m.d.comb += [
            multiplexer.word.eq(word),
            multiplexer.select.eq(amount[level.low_bit : level.low_bit + level.bits]),
        ]
        word = multiplexer.shifted
    return word


def build_exponents(
    m: Module, platform: object, plan: ExponentPlan, operands: list[Operand]
) -> Value:
    """Add the exponent sum of the operands that shift and return it."""
    exponents = ExponentSum(plan)
    place(m, platform, "exponent_sum", exponents)
    for i, operand in enumerate(operands):
        m.d.comb += getattr(exponents, f"field_{i}").eq(operand.field)
        if not plan.from_table:
            m.d.comb += getattr(exponents, f"normal_{i}").eq(operand.normal)
    return exponents.amount


def build_shift(
    m: Module, platform: object, plan: ShiftPlan, operands: list[Operand], product: Value
) -> Value:
    """Add exponent sum and shifter to a module and return the placed product."""
    amount = build_exponents(m, platform, plan.exponents, operands)
    signed = plan.input_signed
    word = build_levels(m, platform, plan.levels, product, signed, amount, plan.offset)
    return extend(word, plan.width, signed)
