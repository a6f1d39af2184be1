"""Floor 2a: exponent-binned accumulators (see `hw.plan.binned`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan.binned import BinBankPlan, BinnedCorePlan, BinRow
from hw.rtl.accumulate import SPECIAL_FLAGS, SumRegisters, core_ports
from hw.rtl.bits import extend, named, select
from hw.rtl.floating import FloatLane
from hw.rtl.library import place, place_lanes
from hw.rtl.shift import build_levels


class BinSelect(wiring.Component):
    """One of the bins. Ports: `sums`, `index`, `chosen`. Combinational."""

    def __init__(self, plan: BinBankPlan) -> None:
        self.plan = plan
        bins = plan.bins
        super().__init__(
            {
                "sums": In(bins.count * bins.bits),
                "index": In(max(plan.index_bits, 1)),
                "chosen": Out(bins.bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Select; numbers without a bin do not occur."""
        m = Module()
        bins = self.plan.bins
        words = [self.sums.word_select(number, bins.bits) for number in range(bins.count)]
        words = [words[0]] * bins.first + words
        m.d.comb += self.chosen.eq(select(self.index[: self.plan.index_bits], words))
        return m


class BinAdder(wiring.Component):
    """``sum = chosen ± addend``. Ports: `chosen`, `addend`, `negate`, `sum`. Combinational."""

    def __init__(self, plan: BinBankPlan) -> None:
        self.plan = plan
        bits = plan.bins.bits
        ports = {"chosen": In(bits), "addend": In(plan.addend_bits), "sum": Out(bits)}
        super().__init__(ports | ({"negate": In(1)} if plan.relative else {}))

    def elaborate(self, platform: object) -> Module:
        """Add."""
        m = Module()
        width = self.plan.bins.bits
        addend = extend(self.addend, width, self.plan.addend_signed)
        if not self.plan.relative:
            m.d.comb += self.sum.eq(self.chosen + addend)
            return m
        step = named(m, "signed_addend", addend ^ self.negate.replicate(width))
        m.d.comb += self.sum.eq(self.chosen + step + self.negate)
        return m


class BinJoin(wiring.Component):
    """``sum = below + added``, signed, modulo its width. Ports: those names. Combinational."""

    def __init__(self, plan: BinRow) -> None:
        self.plan = plan
        super().__init__(
            {"below": In(plan.below_bits), "added": In(plan.bits), "sum": Out(plan.width)}
        )

    def elaborate(self, platform: object) -> Module:
        """Add."""
        m = Module()
        m.d.comb += self.sum.eq(self.below.as_signed() + self.added.as_signed())
        return m


class BinBank(wiring.Component):
    """The bins: adds to one per step, and shows them all one cycle later.

    Ports: `valid`, `last`, `index`, `addend`, `negate` (where it has a sign apart), `step_<flag>`;
    `sums` (the lowest first), `total_valid`, flags. Synchronous reset to 0. A bin that overflows
    wraps and raises ``overflow``.
    """

    def __init__(self, plan: BinBankPlan) -> None:
        self.plan = plan
        ports: dict[str, object] = {
            "valid": In(1),
            "last": In(1),
            "index": In(max(plan.index_bits, 1)),
            "addend": In(plan.addend_bits),
            "sums": Out(plan.bins.count * plan.bins.bits),
            "total_valid": Out(1),
        }
        ports |= {"negate": In(1)} if plan.relative else {}
        ports |= {flag: Out(1) for flag in plan.flags}
        super().__init__(
            ports | {f"step_{flag}": In(1) for flag in plan.flags if flag in SPECIAL_FLAGS}
        )

    def elaborate(self, platform: object) -> Module:
        """Choose a bin, add to it, keep both."""
        m = Module()
        plan = self.plan
        registers = SumRegisters(m, self, False)
        fresh = Signal(name="fresh", reset_less=True)
        with m.If(registers.clear):
            m.d.sync += fresh.eq(1)
        with m.Elif(self.valid):
            m.d.sync += fresh.eq(0)
        count, bits = plan.bins.count, plan.bins.bits
        kept = [registers.register(f"bin_{number}", bits) for number in range(count)]
        shown = [Signal(bits, name=f"shown_{number}", reset_less=True) for number in range(count)]
        choice, adder = BinSelect(plan), BinAdder(plan)
        place(m, platform, "bin_select", choice)
        place(m, platform, "bin_adder", adder)
        m.d.comb += [
            choice.sums.eq(Cat(kept)),
            choice.index.eq(self.index),
            adder.chosen.eq(choice.chosen),
            adder.addend.eq(self.addend),
            self.sums.eq(Cat(shown)),
        ]
        if plan.relative:
            m.d.comb += adder.negate.eq(self.negate)
        for number in range(count):
            self._follow(m, registers, number, (kept[number], shown[number]), fresh, adder.sum)
        sign = named(m, "sign", self._sign())
        top = choice.chosen[-1]
        overflowed = named(m, "overflowed", (top == sign) & (adder.sum[-1] != top))
        registers.flags(plan.flags, overflowed)
        return m

    def _sign(self) -> Value:
        """Return the sign of what is added, −0 having that of the sum of 0 and −1 + 1."""
        plan = self.plan
        top: Value = self.addend[-1] if plan.addend_signed else Const(0)
        return top ^ self.negate if plan.relative else top

    def _follow(
        self,
        m: Module,
        registers: SumRegisters,
        number: int,
        pair: tuple[Signal, Signal],
        fresh: Value,
        total: Value,
    ) -> None:
        """Load a bin and its copy; a sum's first step clears the copies of the others."""
        kept, shown = pair
        chosen = named(m, f"adds_{number}", self.valid & self._is(number))
        with m.If(registers.clear):
            m.d.sync += kept.eq(0)
        with m.Elif(chosen):
            m.d.sync += kept.eq(total)
        begins = named(m, f"clears_{number}", ResetSignal() | (self.valid & fresh & ~chosen))
        with m.If(begins):
            m.d.sync += shown.eq(0)
        with m.Elif(chosen):
            m.d.sync += shown.eq(total)

    def _is(self, number: int) -> Value:
        bins = self.plan.bins
        if bins.count == 1:
            return Const(1)
        return self.index == number + bins.first


class BinnedCore(wiring.Component):
    """``total = Σ weight·activation`` over steps, kept by exponent.

    Ports: those of `hw.rtl.core.Core` of one lane. Latency 1 cycle, initiation interval 1,
    synchronous reset to 0; overflow: see `hw.design.binned`. Pipeline stages lie before the bins.
    """

    def __init__(self, plan: BinnedCorePlan) -> None:
        self.plan = plan
        lane, bank = plan.lane, plan.bank
        operands = lane.weight.format.bits, lane.activation.format.bits
        super().__init__(core_ports(*operands, bank.bins.total_bits, bank.flags))

    def elaborate(self, platform: object) -> Module:
        """Connect lane, shifter, bins and rows."""
        m = Module()
        plan = self.plan
        lane, bank = FloatLane(plan.lane), BinBank(plan.bank)
        place_lanes(m, platform, [lane], self.weight, self.activation)
        place(m, platform, "bins", bank, clocked=True)
        shift, places = plan.shift, lane.exponent
        word = build_levels(m, platform, shift.levels, lane.product, shift.signed, places)
        m.d.comb += [
            bank.valid.eq(self.valid),
            bank.last.eq(self.last),
            bank.index.eq(places[plan.bank.bins.step_bits :]),
            bank.addend.eq(word),
            self.total_valid.eq(bank.total_valid),
            self.total.eq(self._total(m, platform, bank)),
        ]
        if plan.bank.relative:
            m.d.comb += bank.negate.eq(lane.negate)
        for flag in plan.bank.flags:
            m.d.comb += getattr(self, flag).eq(getattr(bank, flag))
            if flag in SPECIAL_FLAGS:
                m.d.comb += getattr(bank, f"step_{flag}").eq(getattr(lane, flag))
        return m

    def _total(self, m: Module, platform: object, bank: BinBank) -> Value:
        """Add the bins up, lowest first."""
        bins = self.plan.bank.bins
        words = [bank.sums.word_select(number, bins.bits) for number in range(bins.count)]
        done: list[Value] = [Const(0, bins.first * bins.step)]
        below: Value = words[0]
        for number, row in enumerate(self.plan.rows):
            done.append(extend(below, bins.step, signed=True))
            join = BinJoin(row)
            place(m, platform, f"join_{row.below_bits}_{row.width}", join, number)
            high = below[bins.step :] if len(below) > bins.step else below[-1]
            m.d.comb += [join.below.eq(high), join.added.eq(words[number + 1])]
            below = join.sum
        return extend(Cat(*done, below)[bins.offset :], bins.total_bits, signed=True)
