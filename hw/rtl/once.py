"""Floor 2a: sums kept exactly and fitted where they are shown (see `hw.plan.once`)."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import ClampPlan, OnceCorePlan, RoundPlan
from hw.rtl.accumulate import Fits, core_ports
from hw.rtl.bit_heap import HeapCore
from hw.rtl.bits import extend, named
from hw.rtl.compressor import CompressorCore
from hw.rtl.core import Core
from hw.rtl.library import place
from hw.rtl.rounding import FieldRow, FloatResult, Rounder, build_normalizer

ExactCore = Core | CompressorCore | HeapCore
INPUTS = ("valid", "last", "weight", "activation")


class Rounding(wiring.Component):
    """``total = R(register · 2^lsb)``: an integer as a code of a minifloat, rounded to even.

    Ports: `register` (two's complement), `seen_<flag>` of the sum's special products; `total`. A
    negative sum that rounds to zero is −0 where the format has it. Overflow gives infinity where
    the format has it, else the largest finite value. Combinational.
    """

    def __init__(self, plan: RoundPlan) -> None:
        self.plan = plan
        ports: dict[str, object] = {"register": In(plan.register_bits), "total": Out(plan.bits)}
        super().__init__(ports | {f"seen_{flag}": In(1) for flag in plan.flags})

    def elaborate(self, platform: object) -> Module:
        """Normalise, round, put special values in place."""
        m = Module()
        plan = self.plan
        sign = self.register[-1]
        word = Cat(Const(0, plan.tail_bits), extend(self.register, plan.sum_bits - 1, signed=True))
        limit = Const(plan.highest, plan.highest_bits)
        count, kept, guard, sticky = build_normalizer(m, platform, plan, word, sign, limit)
        row = FieldRow(plan)
        place(m, platform, "field_row", row)
        rounder = Rounder(plan)
        place(m, platform, "rounder", rounder)
        m.d.comb += [
            row.count.eq(count),
            rounder.field.eq(row.field),
            rounder.kept.eq(kept),
            rounder.guard.eq(guard),
            rounder.sticky.eq(sticky),
            rounder.sign.eq(sign),
            self.total.eq(self._result(m, platform, rounder.rounded, sign)),
        ]
        return m

    def _result(self, m: Module, platform: object, rounded: Value, sign: Value) -> Value:
        """Return the code, special values honoured."""
        plan, format = self.plan, self.plan.format
        seen = {flag: getattr(self, f"seen_{flag}") for flag in plan.flags}
        infinite = [seen[flag] for flag in ("pos_inf", "neg_inf") if flag in seen]
        nans = [seen["nan"]] if seen else []
        if not format.has_infinity:
            nans, infinite = [*nans, *infinite], []
        result = FloatResult(plan, bool(nans), bool(infinite), False)
        place(m, platform, "result", result)
        negative = sign
        if infinite:
            some = named(m, "infinite", Cat(*infinite).any())
            negative = Mux(some, seen["neg_inf"], sign)
            m.d.comb += result.infinite.eq(some)
        if nans:
            m.d.comb += result.nan.eq(Cat(*nans).any())
        m.d.comb += [result.rounded.eq(rounded), result.negative.eq(negative)]
        return result.code


class Clamping(wiring.Component):
    """``total`` = the nearest integer of fewer bits, or as many. Ports: `register`, `total`.

    Combinational, a LUT per bit but the highest, beside those that tell whether the sum fits.
    """

    def __init__(self, plan: ClampPlan) -> None:
        self.plan = plan
        super().__init__({"register": In(plan.register_bits), "total": Out(plan.bits)})

    def elaborate(self, platform: object) -> Module:
        """Clamp, or extend."""
        m = Module()
        bits, register = self.plan.bits, self.register
        if bits >= len(register):
            m.d.comb += self.total.eq(extend(register, bits, signed=True))
            return m
        check = Fits(len(register) - bits + 1)
        place(m, platform, "fits", check)
        sign = register[-1]
        clamped = Mux(check.fits, register[: bits - 1], (~sign).replicate(bits - 1))
        m.d.comb += [check.top.eq(register[bits - 1 :]), self.total.eq(Cat(clamped, sign))]
        return m


class OnceCore(wiring.Component):
    """``total = R(Σ weight[i]·activation[i])`` over lanes and steps, the sum being exact.

    Ports: those of `hw.rtl.core.Core`. Latency 1 cycle, initiation interval 1, synchronous reset to
    0; what fits the total stands behind the register that shows it. The flag ``overflow`` says that
    the exact register wrapped; special products show in a minifloat, else as sticky flags.
    """

    def __init__(self, plan: OnceCorePlan, exact: Callable[[], ExactCore]) -> None:
        self.plan = plan
        self.exact = exact
        operands = plan.weight_bits, plan.activation_bits
        super().__init__(core_ports(*operands, plan.fit.bits, plan.flags))

    def elaborate(self, platform: object) -> Module:
        """Connect the exact core and what fits its total."""
        m = Module()
        plan = self.plan
        m.submodules.exact = exact = self.exact()
        rounds = isinstance(plan.fit, RoundPlan)
        fit = Rounding(plan.fit) if isinstance(plan.fit, RoundPlan) else Clamping(plan.fit)
        place(m, platform, "rounding" if rounds else "clamping", fit)
        m.d.comb += [
            *(getattr(exact, port).eq(getattr(self, port)) for port in INPUTS),
            fit.register.eq(exact.total),
            self.total.eq(fit.total),
            self.total_valid.eq(exact.total_valid),
            *(getattr(self, flag).eq(getattr(exact, flag)) for flag in plan.flags),
        ]
        if isinstance(fit, Rounding):
            for flag in fit.plan.flags:
                m.d.comb += getattr(fit, f"seen_{flag}").eq(getattr(exact, flag))
        return m
