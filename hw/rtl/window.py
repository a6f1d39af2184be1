"""Floor 2a: alignment windows: lanes with exponents, alignment, the accumulator that follows.

Exponents inside are `offset` too large (see `hw.plan.window`).
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import (
    AlignPlan,
    DistancePlan,
    ExponentMaximum,
    RightShiftLevel,
    WindowAccumulatePlan,
    WindowLanePlan,
)
from hw.rtl.accumulate import SumRegisters, step_ports
from hw.rtl.bits import extend, named
from hw.rtl.lane import drive_flags
from hw.rtl.library import place
from hw.rtl.operand import Operand, unpack_both
from hw.rtl.product import build_product, lookup
from hw.rtl.shift import build_exponents, build_levels
from hw.rtl.tree import Addend


class WindowLane(wiring.Component):
    """Product of significands with its sign and exponent.

    Ports: `weight`, `activation` (codes); `product` (magnitude), `negate`, `exponent` (0 for a zero
    product), special flags. Combinational.
    """

    def __init__(self, plan: WindowLanePlan) -> None:
        self.plan = plan
        ports = {
            "weight": In(plan.weight.format.bits),
            "activation": In(plan.activation.format.bits),
            "product": Out(plan.product.bounds.bits),
            "negate": Out(1),
            "exponent": Out(plan.exponent_bits),
        }
        super().__init__(ports | {flag: Out(1) for flag in plan.flags})

    def elaborate(self, platform: object) -> Module:
        """Unpack, multiply, add exponents."""
        m = Module()
        plan = self.plan
        weight, activation = unpack_both(m, platform, plan, self.weight, self.activation)
        product = build_product(
            m, platform, plan.product, weight.significand, activation.significand
        )
        m.d.comb += [
            self.product.eq(product),
            self.negate.eq(weight.sign ^ activation.sign),
            self.exponent.eq(self._exponent(m, platform, weight, activation)),
        ]
        drive_flags(m, self, plan.flags, weight, activation)
        return m

    def _exponent(self, m: Module, platform: object, weight: Operand, activation: Operand) -> Value:
        """Return the exponent sum, 0 where the product is."""
        if self.plan.exponents is None:
            return Const(0, 1)
        operands = [operand for operand in (weight, activation) if len(operand.field)]
        amount = build_exponents(m, platform, self.plan.exponents, operands)
        check = Nonzero(len(weight.significand), len(activation.significand))
        place(m, platform, "nonzero", check)
        m.d.comb += [
            check.weight.eq(weight.significand),
            check.activation.eq(activation.significand),
        ]
        return amount & check.nonzero.replicate(len(amount))


class Nonzero(wiring.Component):
    """Whether neither `weight` nor `activation` is 0: `nonzero`. Combinational.

    A module of its own: mapped together with what it gates, it is repeated for each bit.
    """

    def __init__(self, weight_bits: int, activation_bits: int) -> None:
        super().__init__(
            {"weight": In(weight_bits), "activation": In(activation_bits), "nonzero": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        """Compare with 0."""
        m = Module()
        m.d.comb += self.nonzero.eq(self.weight.any() & self.activation.any())
        return m


class LargerExponent(wiring.Component):
    """``larger = max(left, right)`` of two exponents. Combinational."""

    def __init__(self, plan: ExponentMaximum) -> None:
        bits = plan.exponent_bits
        super().__init__({"left": In(bits), "right": In(bits), "larger": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        """Compare and select."""
        m = Module()
        m.d.comb += self.larger.eq(Mux(self.left > self.right, self.left, self.right))
        return m


class Distance(wiring.Component):
    """``distance = reference − exponent``, or its largest value if that is larger.

    Ports: `reference` (at least `exponent`), `exponent`, `distance`. Combinational.
    """

    def __init__(self, plan: DistancePlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "reference": In(plan.exponent_bits),
                "exponent": In(plan.exponent_bits),
                "distance": Out(plan.live_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Subtract and clamp."""
        m = Module()
        bits, live = self.plan.exponent_bits, self.plan.live_bits
        exact = named(m, "exact", (self.reference - self.exponent)[:bits])
        far = exact[live:].any() if bits > live else Const(0)
        m.d.comb += self.distance.eq(exact[:live] | far.replicate(live))
        return m


class Aligner(wiring.Component):
    """Place a product at the top of the window and shift it right to the reference exponent.

    Ports: `product`, `exponent`, `reference` (at least `exponent`), `aligned`. Combinational; cut
    toward zero.
    """

    def __init__(self, plan: AlignPlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "product": In(plan.product_bits),
                "exponent": In(plan.distance.exponent_bits),
                "reference": In(plan.distance.exponent_bits),
                "aligned": Out(plan.window_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Subtract exponents, then shift the reversed word to the left, level by level."""
        m = Module()
        plan = self.plan
        amount = build_distance(m, platform, plan.distance, self.reference, self.exponent)
        mirrored = Cat(reversed(self.product))
        shifted = build_levels(m, platform, plan.levels, mirrored, False, amount)
        m.d.comb += self.aligned.eq(Cat(reversed(extend(shifted, plan.window_bits, False))))
        return m


def build_distance(
    m: Module, platform: object, plan: DistancePlan, reference: Value, exponent: Value
) -> Value:
    """Add a distance to a module and return it."""
    distance = Distance(plan)
    place(m, platform, f"distance_{plan.live_bits}", distance)
    m.d.comb += [distance.reference.eq(reference), distance.exponent.eq(exponent)]
    return distance.distance


class RightShifter(wiring.Component):
    """One level of an arithmetic shift to the right, a LUT per bit.

    Ports: `word`, `select`, `shifted`. Combinational.
    """

    def __init__(self, level: RightShiftLevel) -> None:
        self.level = level
        super().__init__(
            {"word": In(level.width), "select": In(level.bits), "shifted": Out(level.width)}
        )

    def elaborate(self, platform: object) -> Module:
        """Shift bit by bit of the amount; mapping makes one LUT of it."""
        m = Module()
        level = self.level
        word: Value = self.word
        for bit in range(level.bits):
            moved = extend(word[1 << (level.low_bit + bit) :], level.width, signed=True)
            word = named(m, f"moved_{bit}", Mux(self.select[bit], moved, word))
        m.d.comb += self.shifted.eq(word)
        return m


class WindowAccumulator(wiring.Component):
    """Adds aligned addends; shifts its own sum right when the running maximum exponent grows.

    Ports: those of `hw.rtl.accumulate.Accumulator`, and `step_exponent` (largest of the step, 0 if
    all products are zero), `reference` (the new running maximum, for the aligners), `exponent`
    (without the offset).
    """

    def __init__(self, plan: WindowAccumulatePlan) -> None:
        self.plan = plan
        ports = step_ports(plan.addend.bits, True, plan.bits, plan.flags)
        ports["reference"] = Out(plan.exponent_bits)
        ports["exponent"] = Out(plan.shown_bits)
        super().__init__(ports | {"step_exponent": In(plan.exponent_bits)})

    def elaborate(self, platform: object) -> Module:
        """Follow the exponent, realign, add."""
        m = Module()
        plan = self.plan
        registers = SumRegisters(m, self, plan.total_on_last)
        highest = registers.register("highest", plan.exponent_bits)
        state = registers.register("accumulator", plan.bits)
        self._follow_exponent(m, platform, registers, highest)
        kept = self._kept(m, platform, state, highest)
        addend = extend(self.addend, plan.bits, plan.addend.signed)
        step = named(m, "signed_addend", addend ^ self.negate.replicate(plan.bits))
        exact = named(m, "exact", kept + step + self.negate)
        registers.follow(state, exact[: plan.bits], self.total)
        sign = (self.addend[-1] if plan.addend.signed else Const(0)) ^ self.negate
        registers.flags(plan.flags, (kept[-1] == sign) & (exact[plan.bits - 1] != sign))
        return m

    def _follow_exponent(
        self, m: Module, platform: object, registers: SumRegisters, highest: Value
    ) -> None:
        """Keep the running maximum; show it without its offset, 0 before any product."""
        plan = self.plan
        larger = LargerExponent(ExponentMaximum(plan.exponent_bits))
        place(m, platform, "larger_exponent", larger)
        m.d.comb += [
            larger.left.eq(self.step_exponent),
            larger.right.eq(highest),
            self.reference.eq(larger.larger),
        ]
        shown = Signal(plan.exponent_bits)
        registers.follow(highest, self.reference, shown)
        if not plan.offset:
            m.d.comb += self.exponent.eq(shown)
            return
        entries = [max(value - plan.offset, 0) for value in range(1 << plan.exponent_bits)]
        m.d.comb += self.exponent.eq(lookup(entries, shown, plan.shown_bits))

    def _kept(self, m: Module, platform: object, state: Value, highest: Value) -> Value:
        """Return the sum moved to the new maximum."""
        plan = self.plan
        amount = build_distance(m, platform, plan.distance, self.reference, highest)
        word = state
        for number, level in enumerate(plan.levels):
            shifter = RightShifter(level)
            place(m, platform, f"right_shift_{number}", shifter)
            m.d.comb += [
                shifter.word.eq(word),
                shifter.select.eq(amount[level.low_bit : level.low_bit + level.bits]),
            ]
            word = shifter.shifted
        return word


def build_alignment(
    m: Module,
    platform: object,
    plan: AlignPlan,
    lanes: list[WindowLane],
    accumulator: WindowAccumulator,
) -> list[Addend]:
    """Add the maximum tree and the aligners; return the aligned addends."""
    exponents: list[Value] = [lane.exponent for lane in lanes]
    maximum = ExponentMaximum(plan.distance.exponent_bits)
    number = 0
    while len(exponents) > 1:
        following: list[Value] = []
        for left, right in zip(exponents[0::2], exponents[1::2], strict=False):
            larger = LargerExponent(maximum)
            place(m, platform, "larger_exponent", larger, number)
            number += 1
            m.d.comb += [larger.left.eq(left), larger.right.eq(right)]
            following.append(larger.larger)
        exponents = following + exponents[len(exponents) - len(exponents) % 2 :]
    m.d.comb += accumulator.step_exponent.eq(exponents[0])
    addends = []
    for i, lane in enumerate(lanes):
        aligner = Aligner(plan)
        place(m, platform, "align", aligner, i)
        m.d.comb += [
            aligner.product.eq(lane.product),
            aligner.exponent.eq(lane.exponent),
            aligner.reference.eq(accumulator.reference),
        ]
        addends.append(Addend(aligner.aligned, lane.negate))
    return addends
