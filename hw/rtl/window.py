"""Floor 2a: alignment windows: lanes with exponents, alignment, the accumulator that follows."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import AlignPlan, ExponentMaximum, WindowAccumulatePlan, WindowLanePlan
from hw.rtl.accumulate import SumRegisters, step_ports
from hw.rtl.bits import extend, named
from hw.rtl.lane import drive_flags
from hw.rtl.library import place
from hw.rtl.operand import Operand, unpack
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
            "product": Out(plan.product.bits),
            "negate": Out(1),
            "exponent": Out(plan.exponent_bits),
        }
        super().__init__(ports | {flag: Out(1) for flag in plan.flags})

    def elaborate(self, platform: object) -> Module:
        """Unpack, multiply, add exponents."""
        m = Module()
        plan = self.plan
        weight = unpack(m, "weight", self.weight, plan.weight)
        activation = unpack(m, "activation", self.activation, plan.activation)
        exponent = _shift(m, "weight", weight) + _shift(m, "activation", activation)
        nonzero = named(m, "nonzero", weight.significand.any() & activation.significand.any())
        m.d.comb += [
            self.product.eq(weight.significand * activation.significand),
            self.negate.eq(weight.sign ^ activation.sign),
            self.exponent.eq(Mux(nonzero, exponent, 0)),
        ]
        drive_flags(m, self, plan.flags, weight, activation)
        return m


def _shift(m: Module, name: str, operand: Operand) -> Value:
    """Return an operand's exponent shift, ``max(field, 1) − 1``."""
    if not len(operand.field):
        return Const(0, 1)
    return named(m, f"{name}_shift", operand.field - operand.normal, len(operand.field))


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
                "exponent": In(plan.exponent_bits),
                "reference": In(plan.exponent_bits),
                "aligned": Out(plan.window_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Subtract exponents, then shift level by level."""
        m = Module()
        plan = self.plan
        guard = Const(0, plan.window_bits - plan.product_bits)
        distance = named(m, "distance", self.reference - self.exponent, plan.exponent_bits)
        shifted = shift_right(m, Cat(guard, self.product), distance, plan.distance_bits, Const(0))
        m.d.comb += self.aligned.eq(shifted)
        return m


def shift_right(m: Module, data: Value, distance: Value, live_bits: int, fill: Value) -> Value:
    """Return a word shifted right by a distance, all `fill` if bits beyond `live_bits` are set."""
    width = len(data)
    far = distance[live_bits:].any() if len(distance) > live_bits else Const(0)
    word = data
    for bit in range(live_bits):
        moved = Cat(word[1 << bit :], fill.replicate(min(1 << bit, width)))
        word = named(m, f"level_{bit}", Mux(distance[bit], moved, word), width)
    return Mux(far, fill.replicate(width), word)


class WindowAccumulator(wiring.Component):
    """Adds aligned addends; shifts its own sum right when the running maximum exponent grows.

    Ports: those of `hw.rtl.accumulate.Accumulator`, and `step_exponent` (largest of the step, 0 if
    all products are zero), `reference` (the new running maximum, for the aligners), `exponent`.
    """

    def __init__(self, plan: WindowAccumulatePlan) -> None:
        self.plan = plan
        ports = step_ports(plan.addend.bits, True, plan.bits, plan.flags)
        for name in ("reference", "exponent"):
            ports[name] = Out(plan.exponent_bits)
        super().__init__(ports | {"step_exponent": In(plan.exponent_bits)})

    def elaborate(self, platform: object) -> Module:
        """Follow the exponent, realign, add."""
        m = Module()
        plan = self.plan
        registers = SumRegisters(m, self, plan.total_on_last)
        highest = registers.register("highest", plan.exponent_bits)
        state = registers.register("accumulator", plan.bits)
        grows = named(m, "grows", self.step_exponent > highest)
        m.d.comb += self.reference.eq(Mux(grows, self.step_exponent, highest))
        distance = named(m, "distance", self.reference - highest, plan.exponent_bits)
        kept = named(
            m, "kept", shift_right(m, state, distance, plan.distance_bits, state[-1]), plan.bits
        )
        addend = extend(self.addend, plan.bits, plan.addend.signed)
        step = named(m, "signed_addend", addend ^ self.negate.replicate(plan.bits))
        exact = named(m, "exact", kept + step + self.negate)
        registers.follow(highest, self.reference, self.exponent)
        registers.follow(state, exact[: plan.bits], self.total)
        sign = (self.addend[-1] if plan.addend.signed else Const(0)) ^ self.negate
        registers.flags(plan.flags, (kept[-1] == sign) & (exact[plan.bits - 1] != sign))
        return m


def build_alignment(
    m: Module,
    platform: object,
    plan: AlignPlan,
    lanes: list[WindowLane],
    accumulator: WindowAccumulator,
) -> list[Addend]:
    """Add the maximum tree and the aligners; return the aligned addends."""
    exponents: list[Value] = [lane.exponent for lane in lanes]
    number = 0
    while len(exponents) > 1:
        following: list[Value] = []
        for left, right in zip(exponents[0::2], exponents[1::2], strict=False):
            larger = LargerExponent(ExponentMaximum(plan.exponent_bits))
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
