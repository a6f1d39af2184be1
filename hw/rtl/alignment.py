"""Floor 2a: how a floating accumulator meets its addend: distance, shift to the right, one row."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import FloatAccumulatePlan, RightLevel
from hw.rtl.bits import extend, named


class Reference(wiring.Component):
    """B: the exponent port and a constant. Ports: `exponent`, `reference`. Combinational."""

    def __init__(self, plan: FloatAccumulatePlan) -> None:
        self.plan = plan
        super().__init__(
            {"exponent": In(plan.exponent_bits), "reference": Out(plan.difference_bits)}
        )

    def elaborate(self, platform: object) -> Module:
        """Add."""
        m = Module()
        m.d.comb += self.reference.eq(self.exponent + self.plan.anchor)
        return m


class FloatDistance(wiring.Component):
    """How far the accumulator is moved right: ``B − exponent``, clamped.

    Ports: `reference` (B, two's complement where it can be negative; absent where it is constant),
    `field` (of the accumulator), `normal` (it is not 0), `distance`, `above` (the difference is
    negative). Combinational, a row and a LUT per bit that is clamped.
    """

    def __init__(self, plan: FloatAccumulatePlan) -> None:
        self.plan = plan
        ports = {
            "field": In(plan.format.exponent_bits),
            "normal": In(1),
            "distance": Out(plan.distance_bits),
        }
        if plan.exponent_bits:
            ports["reference"] = In(plan.difference_bits)
        if plan.may_pass_above:
            ports["above"] = Out(1)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Subtract and clamp."""
        m = Module()
        plan, width = self.plan, self.plan.difference_bits
        exponent = Cat(self.field[0] | ~self.normal, self.field[1:])
        inverted = named(m, "inverted", ~extend(exponent, width, False))
        constant = Const(plan.highest & ((1 << width) - 1), width)
        reference = self.reference if plan.exponent_bits else constant
        exact = named(m, "exact", reference + inverted + Const(1, 1), width)
        distance: Value = exact[: plan.distance_bits]
        above = exact[-1] if plan.may_pass_above else Const(0)
        rest = exact[plan.distance_bits : width - plan.may_pass_above]
        size = plan.distance_bits
        if len(rest) and plan.exponent_bits and (plan.highest - 1) >> size:
            distance = distance | named(m, "far", rest.any()).replicate(size)
        if plan.may_pass_above:
            distance = distance & ~above.replicate(size)
            m.d.comb += self.above.eq(above)
        m.d.comb += self.distance.eq(distance)
        return m


class RightMover(wiring.Component):
    """One level of the shift to the right; the highest bits stay together.

    Ports: `word`, `select`, `shifted`. Combinational, a LUT per bit.
    """

    def __init__(self, level: RightLevel) -> None:
        self.level = level
        super().__init__(
            {"word": In(level.bits_in), "select": In(level.bits), "shifted": Out(level.width)}
        )

    def elaborate(self, platform: object) -> Module:
        """Select."""
        m = Module()
        m.d.comb += self.shifted.eq(moved_right(m, self.level, self.word, self.select))
        return m


def moved_right(m: Module, level: RightLevel, word: Value, select: Value) -> Value:
    """Return a word moved right, as long as the level says."""
    full = level.bits_in + (((1 << level.bits) - 1) << level.low_bit)
    size = max(full, level.width)
    shifted: Value = Cat(Const(0, size - level.bits_in), word)
    for bit in range(level.bits):
        places = 1 << (level.low_bit + bit)
        right = extend(shifted[places:], size, False)
        shifted = named(m, f"moved_{bit}", Mux(select[bit], right, shifted))
    return shifted[size - level.width :]


class RightSticky(wiring.Component):
    """Whether the last level moves a bit that is set out of the window.

    Ports: `word`, `select`, `sticky`. Combinational.
    """

    def __init__(self, level: RightLevel) -> None:
        self.level = level
        super().__init__({"word": In(level.bits_in), "select": In(level.bits), "sticky": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Or the groups of a step each, as far as they leave."""
        m = Module()
        level = self.level
        bits, step = list(reversed(self.word)), 1 << level.low_bit
        terms = []
        for i in range(1, 1 << level.bits):
            low = max(level.width - i * step, 0)
            high = max(level.width - (i - 1) * step, 0)
            if group := bits[low:high]:
                terms.append(named(m, f"any_{i}", Cat(*group).any()) & (self.select >= i))
        beyond = bits[level.width :]
        if beyond:
            terms.append(Cat(*beyond).any())
        m.d.comb += self.sticky.eq(Cat(*terms).any() if terms else 0)
        return m


class AlignedSum(wiring.Component):
    """The last level of the alignment and the adder row: ``sum = addend ± aligned``.

    Ports: `addend`, `word`, `select`, `subtract`, `carry` (1 where nothing left the window and the
    word is subtracted), `sum`. Combinational; one LUT per bit where the multiplexer has room for
    the addend's bit.
    """

    def __init__(self, plan: FloatAccumulatePlan) -> None:
        self.plan = plan
        level = plan.align_levels[-1]
        super().__init__(
            {
                "addend": In(plan.addend.bits),
                "word": In(level.bits_in),
                "select": In(level.bits),
                "subtract": In(1),
                "carry": In(1),
                "sum": Out(plan.sum_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Move, invert, add."""
        m = Module()
        plan, width = self.plan, self.plan.sum_bits
        aligned = moved_right(m, plan.align_levels[-1], self.word, self.select)
        term = extend(aligned, width, False) ^ self.subtract.replicate(width)
        term = named(m, "term", term)
        wide = extend(self.addend, width - plan.extension, plan.addend.signed)
        m.d.comb += self.sum.eq(Cat(Const(0, plan.extension), wide) + term + self.carry)
        return m


class IsZero(wiring.Component):
    """Whether a word is 0. Ports: `word`, `zero`. Combinational."""

    def __init__(self, bits: int) -> None:
        super().__init__({"word": In(bits), "zero": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Compare."""
        m = Module()
        m.d.comb += self.zero.eq(self.word == 0)
        return m
