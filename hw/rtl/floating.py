"""Floor 2a: floating accumulators: align, add, normalise, round once (see `hw.plan.floating`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.formats import MinifloatFormat, Specials
from hw.plan import FloatAccumulatePlan, FloatLanePlan
from hw.rtl.accumulate import SumRegisters
from hw.rtl.alignment import (
    AlignedSum,
    FloatDistance,
    IsZero,
    Reference,
    RightMover,
    RightSticky,
)
from hw.rtl.bits import named
from hw.rtl.lane import drive_flags
from hw.rtl.library import place
from hw.rtl.operand import unpack_both
from hw.rtl.product import build_product
from hw.rtl.rounding import (
    FieldRow,
    FloatResult,
    Rounder,
    build_normalizer,
)
from hw.rtl.shift import build_exponents


class FloatLane(wiring.Component):
    """Product of significands with its sign and exponent.

    Ports: `weight`, `activation` (codes); `product`, `negate` (present if an operand has a sign of
    its own), `exponent`, special flags. Combinational.
    """

    def __init__(self, plan: FloatLanePlan) -> None:
        self.plan = plan
        ports = {
            "weight": In(plan.weight.format.bits),
            "activation": In(plan.activation.format.bits),
            "product": Out(plan.product.bounds.bits),
            "exponent": Out(plan.exponents.amount_bits),
        }
        if plan.has_negate:
            ports["negate"] = Out(1)
        super().__init__(ports | {flag: Out(1) for flag in plan.flags})

    def elaborate(self, platform: object) -> Module:
        """Unpack, multiply, add exponents."""
        m = Module()
        plan = self.plan
        weight, activation = unpack_both(m, platform, plan, self.weight, self.activation)
        product = build_product(
            m, platform, plan.product, weight.significand, activation.significand
        )
        shifting = [operand for operand in (weight, activation) if len(operand.field)]
        m.d.comb += [
            self.product.eq(product),
            self.exponent.eq(build_exponents(m, platform, plan.exponents, shifting)),
        ]
        if plan.has_negate:
            m.d.comb += self.negate.eq(weight.sign ^ activation.sign)
        drive_flags(m, self, plan.flags, weight, activation)
        return m


class FloatClassifier(wiring.Component):
    """What a code of the accumulator is: `nan`, `infinite`. Ports: `code`. Combinational."""

    def __init__(self, format: MinifloatFormat) -> None:
        self.format = format
        ports = {"code": In(format.bits)}
        ports |= {"nan": Out(1)} if format.has_specials else {}
        super().__init__(ports | ({"infinite": Out(1)} if format.has_infinity else {}))

    def elaborate(self, platform: object) -> Module:
        """Compare fields."""
        m = Module()
        format, code = self.format, self.code
        match format.specials:
            case Specials.FN:
                m.d.comb += self.nan.eq(code[:-1].all())
            case Specials.FNUZ:
                m.d.comb += self.nan.eq(code == 1 << (format.bits - 1))
            case Specials.IEEE:
                top = code[format.fraction_bits : -1].all()
                some = code[: format.fraction_bits].any()
                m.d.comb += [self.nan.eq(top & some), self.infinite.eq(top & ~some)]
        return m


def addend_ports(plan: FloatAccumulatePlan) -> dict[str, wiring.Member]:
    """Return the ports that bring an addend to a floating accumulator."""
    ports = {"addend": In(plan.addend.bits)}
    ports |= {"negate": In(1)} if plan.relative else {}
    ports |= {"exponent": In(plan.exponent_bits)} if plan.exponent_bits else {}
    ports |= {"all_negative": In(1)} if plan.negative_zero else {}
    return ports | {f"step_{flag}": In(1) for flag in plan.flags}


class FloatAccumulator(wiring.Component):
    """``acc = R(acc + S · 2^e)``: one exact addend per step, one rounding to nearest even.

    Ports: `valid`, `last`, `addend` (`negate` if it has a sign of its own), `exponent` (where it
    varies), `all_negative` (every product has a minus sign; where −0 needs it), `step_<flag>` of
    special operands; `total`, the code of the running sum, and `total_valid` one cycle later.
    Latency 1 cycle, initiation interval 1; synchronous reset to +0. Overflow gives infinity where
    the format has it, else the largest finite value; NaN is the format's own canonical one.
    """

    def __init__(self, plan: FloatAccumulatePlan) -> None:
        self.plan = plan
        ports: dict[str, object] = {
            "valid": In(1),
            "last": In(1),
            "addend": In(plan.addend.bits),
            "total": Out(plan.bits),
            "total_valid": Out(1),
        }
        super().__init__(ports | addend_ports(plan))

    def elaborate(self, platform: object) -> Module:
        """Build the registers and the sum between them."""
        m = Module()
        registers = SumRegisters(m, self, self.plan.total_on_last)
        state = registers.register("accumulator", self.plan.bits)
        registers.follow(state, self._following(m, platform, state), self.total)
        return m

    def _following(self, m: Module, platform: object, state: Value) -> Value:
        plan = self.plan
        above, sticky, total, limit = self._sum(m, platform, state)
        raw, word = total[-1], Cat(Const(0, plan.tail_bits), total[:-1])
        count, kept, guard, dropped = build_normalizer(m, platform, plan, word, raw, limit)
        row = FieldRow(plan)
        place(m, platform, "field_row", row)
        m.d.comb += row.count.eq(count)
        if plan.exponent_bits:
            m.d.comb += row.limit.eq(limit)
        rounder = Rounder(plan)
        place(m, platform, "rounder", rounder)
        m.d.comb += [
            rounder.field.eq(row.field),
            rounder.kept.eq(kept),
            rounder.guard.eq(guard),
            rounder.sticky.eq(dropped | sticky),
            rounder.sign.eq(raw),
        ]
        negative: Value = raw
        if plan.relative:
            check = IsZero(plan.precision + 2)
            place(m, platform, "sum_is_zero", check)
            m.d.comb += check.word.eq(Cat(kept, guard, rounder.sticky))
            negative = Mux(self.negate, ~raw & ~check.zero, raw)
        if plan.negative_zero:
            negative = negative | (self.all_negative & state[-1])
        return self._result(m, platform, state, rounder.rounded, negative, above)

    def _sum(
        self, m: Module, platform: object, state: Value
    ) -> tuple[Value | None, Value, Value, Value]:
        """Return (keep the accumulator, sticky bit, sum, limit of the count)."""
        plan, format = self.plan, self.plan.format
        field = state[format.fraction_bits : -1]
        normal = named(m, "normal", field.any())
        distance = FloatDistance(plan)
        place(m, platform, "distance", distance)
        m.d.comb += [distance.field.eq(field), distance.normal.eq(normal)]
        limit: Value = Const(plan.highest, plan.highest_bits)
        if plan.exponent_bits:
            reference = Reference(plan)
            place(m, platform, "reference", reference)
            m.d.comb += [
                reference.exponent.eq(self.exponent),
                distance.reference.eq(reference.reference),
            ]
            limit = reference.reference[: plan.highest_bits]
        word: Value = Cat(state[: format.fraction_bits], normal)
        *levels, last = plan.align_levels
        for number, level in enumerate(levels):
            mover = RightMover(level)
            place(m, platform, f"align_{number}", mover)
            part = distance.distance[level.low_bit : level.low_bit + level.bits]
            m.d.comb += [mover.word.eq(word), mover.select.eq(part)]
            word = mover.shifted
        select = distance.distance[last.low_bit : last.low_bit + last.bits]
        sticky: Value = Const(0)
        if plan.loses_bits:
            lost = RightSticky(last)
            place(m, platform, "lost", lost)
            m.d.comb += [lost.word.eq(word), lost.select.eq(select)]
            sticky = lost.sticky
        subtract = state[-1] ^ self.negate if plan.relative else state[-1]
        subtract = named(m, "subtract", subtract)
        row = AlignedSum(plan)
        place(m, platform, "aligned_sum", row)
        m.d.comb += [
            row.addend.eq(self.addend),
            row.word.eq(word),
            row.select.eq(select),
            row.subtract.eq(subtract),
            row.carry.eq(subtract & ~sticky),
        ]
        keep: list[Value] = []
        if plan.may_pass_above:
            keep.append(distance.above)
        if plan.zero_apart:
            check = IsZero(plan.addend.bits)
            place(m, platform, "addend_is_zero", check)
            m.d.comb += check.word.eq(self.addend)
            keep.append(check.zero)
        return Cat(*keep).any() if keep else None, sticky, row.sum, limit

    def _result(
        self,
        m: Module,
        platform: object,
        state: Value,
        rounded: Value,
        negative: Value,
        keep: Value | None,
    ) -> Value:
        """Return the code, special values honoured."""
        plan, format = self.plan, self.plan.format
        nans: list[Value] = []
        positive: list[Value] = []
        minus: list[Value] = []
        if format.has_infinity or (plan.flags and format.has_specials):
            known = FloatClassifier(format)
            place(m, platform, "classify_accumulator", known)
            m.d.comb += known.code.eq(state)
            if plan.flags:
                nans.append(known.nan)
            if format.has_infinity:
                positive.append(known.infinite & ~state[-1])
                minus.append(known.infinite & state[-1])
        for flag, found in (("nan", nans), ("pos_inf", positive), ("neg_inf", minus)):
            if flag in plan.flags:
                found.append(getattr(self, f"step_{flag}"))
        plus = named(m, "plus_infinity", Cat(*positive).any())
        less = named(m, "minus_infinity", Cat(*minus).any())
        if plan.flags:
            nans.append(plus & less if format.has_infinity else plus | less)
        result = FloatResult(plan, bool(nans), format.has_infinity, keep is not None)
        place(m, platform, "result", result)
        m.d.comb += [result.rounded.eq(rounded), result.negative.eq(negative)]
        if format.has_infinity:
            sign = Mux(plus | less, less, negative)
            m.d.comb += [result.infinite.eq(plus | less), result.negative.eq(sign)]
        if nans:
            m.d.comb += result.nan.eq(Cat(*nans).any())
        if keep is not None:
            m.d.comb += [result.keep.eq(keep), result.previous.eq(state[:-1])]
        return result.code


class FloatStep(FloatAccumulator):
    """A floating accumulator without its registers: ``following = R(previous + S · 2^e)``.

    Ports: `previous`, `following` (codes), and what brings the addend, as `FloatAccumulator` has
    it. Combinational.
    """

    def __init__(self, plan: FloatAccumulatePlan) -> None:
        self.plan = plan
        ports: dict[str, object] = {
            "previous": In(plan.bits),
            "addend": In(plan.addend.bits),
            "following": Out(plan.bits),
        }
        wiring.Component.__init__(self, ports | addend_ports(plan))

    def elaborate(self, platform: object) -> Module:
        """Build the sum."""
        m = Module()
        m.d.comb += self.following.eq(self._following(m, platform, self.previous))
        return m
