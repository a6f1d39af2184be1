"""Floor 2a: the accumulator: one adder row and the registers behind it."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.accumulators import AccumulatorKind
from hw.plan import AccumulatePlan, Bounds, Sign, Word
from hw.rtl.bits import extend, named
from hw.rtl.library import place
from hw.rtl.sums import Summand, add_words, pending_bit
from hw.rtl.xilinx import dual_lut, native

SPECIAL_FLAGS = ("nan", "pos_inf", "neg_inf")
_SUFFIXES = ("", "_1")
INLINE_TOP_BITS = 3
"""Up to so many top bits are compared within the LUT that clamps a bit."""


def step_ports(
    addend_bits: int, relative: bool, bits: int, flags: tuple[str, ...]
) -> dict[str, object]:
    """Return the ports every accumulator has: a step in, the running sum and its flags out."""
    ports: dict[str, object] = {
        "valid": In(1),
        "last": In(1),
        "addend": In(addend_bits),
        "total": Out(bits),
        "total_valid": Out(1),
    }
    if relative:
        ports["negate"] = In(1)
    for flag in flags:
        ports[flag] = Out(1)
        if flag in SPECIAL_FLAGS:
            ports[f"step_{flag}"] = In(1)
    return ports


def core_ports(
    weight_bits: int, activation_bits: int, bits: int, flags: tuple[str, ...] = ()
) -> dict[str, object]:
    """Return the ports of an accumulation core: all lanes' codes in, the sum and its flags out."""
    ports: dict[str, object] = {
        "valid": In(1),
        "last": In(1),
        "weight": In(weight_bits),
        "activation": In(activation_bits),
        "total": Out(bits),
        "total_valid": Out(1),
    }
    return ports | {flag: Out(1) for flag in flags}


class SumRegisters:
    """Registers of a sum in progress and of what is shown of it.

    A register of the sum takes its next value on a step, 0 at the sum's end and on reset. The zero
    dominates, as in the flip-flops of FPGAs, so neither it nor the enable costs a LUT per bit.

    Parameters
    ----------
    m, core
        The module to add to and the component with the ports of `step_ports`.
    total_on_last
        Whether shown values change only at the end of a sum.
    clear
        What clears the sum: reset, or its end. If given it stands for the end as well, for which
        it may, since every register that asks for the end has a reset.

    """

    def __init__(
        self,
        m: Module,
        core: wiring.Component,
        total_on_last: bool,
        clear: Value | None = None,
    ) -> None:
        self.m = m
        self.core = core
        if clear is None:
            ends: Value = named(m, "ends", core.valid & core.last)
            self.clear: Value = named(m, "clear", ResetSignal() | ends)
        else:
            ends = self.clear = clear
        self.showing = ends if total_on_last else core.valid
        m.d.sync += core.total_valid.eq(ends)

    def register(self, name: str, width: int) -> Signal:
        """Return a register of the sum; `follow` gives it its next value."""
        return Signal(width, name=name, reset_less=True)

    def follow(self, register: Signal, following: Value, shown: Signal) -> None:
        """Load a register of the sum, and a shown port, with the next value."""
        with self.m.If(self.clear):
            self.m.d.sync += register.eq(0)
        with self.m.Elif(self.core.valid):
            self.m.d.sync += register.eq(following)
        with self.m.If(self.showing):
            self.m.d.sync += shown.eq(following)

    def flags(self, flags: tuple[str, ...], overflowed: Value) -> None:
        """Keep the sticky flags; infinities of both signs in one sum show as NaN."""
        shown = {flag: Signal(name=f"{flag}_shown") for flag in flags}
        for flag in flags:
            seen = overflowed if flag == "overflow" else getattr(self.core, f"step_{flag}")
            register = self.register(f"{flag}_register", 1)
            following = named(self.m, f"{flag}_following", register | seen)
            self.follow(register, following, shown[flag])
        for flag in flags:
            value: Value = shown[flag]
            if flag == "nan" and "pos_inf" in flags:
                value = value | (shown["pos_inf"] & shown["neg_inf"])
            self.m.d.comb += getattr(self.core, flag).eq(value)


class Fits(wiring.Component):
    """Whether the `top` bits of a sum are all the same. Ports: `top`, `fits`. Combinational.

    A module of its own: mapped together with the clamping, it is repeated for each bit.
    """

    def __init__(self, bits: int) -> None:
        super().__init__({"top": In(bits), "fits": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Compare."""
        m = Module()
        m.d.comb += self.fits.eq(~(self.top.any() & ~self.top.all()))
        return m


class Accumulator(wiring.Component):
    """Adds one or two words per step and keeps the sum.

    Ports: `valid` and `last` (see `hw.design`), `addend` (with `negate` if it has a sign of its
    own, or the `signs` of both operands, or `carry` if a bit is still to be added), the same with
    the suffix ``_1`` for a second word, `total` and `total_valid` one cycle later, sticky flags;
    `step_<flag>` inputs say that a special operand was seen. Latency 1 cycle, initiation
    interval 1; synchronous reset to 0. EXACT and WRAP
    wrap modulo ``2**bits`` (EXACT raises `overflow`), SATURATE clamps each step.
    """

    def __init__(self, plan: AccumulatePlan) -> None:
        self.plan = plan
        ports = step_ports(plan.addend.bits, False, plan.bits, plan.flags)
        for word, suffix in zip(plan.words, _SUFFIXES, strict=False):
            ports[f"addend{suffix}"] = In(word.bounds.bits)
            if plan.takes_signs:
                ports["signs"] = In(2)
            elif word.pending:
                ports[f"{word.sign.value}{suffix}"] = In(1)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Build the row, the limit and the registers."""
        m = Module()
        plan, width = self.plan, self.plan.sum_bits
        clear, self._sign = self._control(m, platform)
        registers = SumRegisters(m, self, plan.total_on_last, clear)
        state = registers.register("accumulator", plan.bits)
        exact = named(m, "exact", self._sum(m, platform, state), width)
        registers.follow(state, self._limited(m, platform, exact), self.total)
        registers.flags(plan.flags, self._overflowed(state, exact))
        return m

    def _control(self, m: Module, platform: object) -> tuple[Value | None, Value]:
        """Return what clears the sum (None: left to the registers) and the only word's sign."""
        plan, library = self.plan, native(platform)
        sign: Value = self.negate if plan.relative and not plan.takes_signs else Const(0)
        if plan.takes_signs:
            if library is not None:
                inputs = [*self.signs, ResetSignal(), self.valid, self.last]
                sign, clear = dual_lut(
                    m,
                    library,
                    "control",
                    inputs,
                    lambda w, a, *_: w ^ a,
                    lambda _w, _a, reset, valid, last: reset | (valid & last),
                )
                return clear, sign
            sign = named(m, "sign", self.signs[0] ^ self.signs[1])
        if not plan.lean:
            return None, sign
        ends = named(m, "ends", self.valid & self.last)
        return named(m, "clear", ResetSignal() | ends), sign

    def take(self, m: Module, summands: list[Summand]) -> None:
        """Connect the words of a step."""
        for summand, suffix in zip(summands, _SUFFIXES, strict=False):
            m.d.comb += getattr(self, f"addend{suffix}").eq(summand.value)
            pending = pending_bit(self, suffix)
            if pending is not None:
                m.d.comb += pending.eq(summand.pending)

    def _sum(self, m: Module, platform: object, state: Signal) -> Value:
        plan, width = self.plan, self.plan.sum_bits
        if len(plan.words) > 1:
            return self._sum_of_three(m, platform, state)
        before = extend(state, width, signed=True)
        addend = extend(self.addend, width, plan.addend.signed)
        if plan.subtracts:
            return self._subtracted(m, before, addend)
        if plan.relative:
            # Yosys feeds the carry chain with the wire declared first: the register, a bare net.
            step = named(m, "signed_addend", addend ^ self._sign.replicate(width))
            return before + step + self._sign
        return before + addend + self.carry if plan.words[0].pending else before + addend

    def _subtracted(self, m: Module, before: Value, addend: Value) -> Value:
        """Return the sum less a word: ``−(word + carry) = ~word + ~carry``."""
        if self.plan.relative:
            kept = named(m, "kept", ~self._sign)
            return before + named(m, "signed_addend", addend ^ kept.replicate(len(addend))) + kept
        inverted = named(m, "inverted_addend", ~addend)
        if self.plan.words[0].pending:
            return before + inverted + named(m, "borrow", ~self.carry)
        return before + inverted + Const(1, 1)

    def _sum_of_three(self, m: Module, platform: object, state: Signal) -> Value:
        plan = self.plan
        reach = 1 << (plan.bits - 1)
        words = (Word.plain(Bounds(-reach, reach - 1)), *plan.words)
        operands = [Summand(state, None)]
        carries: list[Value] = []
        for word, suffix in zip(plan.words, _SUFFIXES, strict=True):
            pending = pending_bit(self, suffix)
            inverts = pending if word.sign is Sign.NEGATE else None
            addend = getattr(self, f"addend{suffix}")
            operands.append(Summand(addend, inverts, flipped=plan.subtracts))
            carries += [] if pending is None else [pending]
        if plan.subtracts:
            carries = self._borrows(m, platform, carries)
        return add_words(m, platform, words, operands, carries, plan.sum_bits)

    def _borrows(self, m: Module, platform: object, carries: list[Value]) -> list[Value]:
        """Return what is left to add where ``word + carry`` is taken away by adding ``~word``."""
        library = native(platform)
        if library is None or not carries:
            borrows: list[Value] = [~carry for carry in carries]
        else:
            pair = [*carries, Const(0)][:2]
            borrows = list(
                dual_lut(m, library, "borrows", pair, lambda a, _: 1 - a, lambda _, b: 1 - b)
            )
        return [*borrows[: len(carries)], *[Const(1, 1)] * (len(self.plan.words) - len(carries))]

    def _limited(self, m: Module, platform: object, exact: Value) -> Value:
        bits = self.plan.bits
        if self.plan.kind is not AccumulatorKind.SATURATE:
            return exact[:bits]
        check = Fits(len(exact) - bits + 1)
        if len(check.top) > INLINE_TOP_BITS:
            place(m, platform, "fits", check)
        else:
            m.submodules.check = check
        m.d.comb += check.top.eq(exact[bits - 1 :])
        fits = check.fits
        negative = exact[-1]
        clamped = Mux(fits, exact[: bits - 1], (~negative).replicate(bits - 1))
        return named(m, "limited", Cat(clamped, negative))

    def _overflowed(self, state: Value, exact: Value) -> Value:
        """Two's complement overflow: both terms have one sign and the sum the other.

        A sum wide enough to be exact overflows if its top bits are not all the same.
        """
        if len(exact) > self.plan.bits:
            top = exact[self.plan.bits - 1 :]
            return top.any() & ~top.all()
        addend = self.addend[-1] if self.plan.addend.signed else Const(0)
        if self.plan.relative:
            addend = addend ^ self._sign
        if self.plan.subtracts:
            addend = ~addend
        return (state[-1] == addend) & (exact[-1] != addend)
