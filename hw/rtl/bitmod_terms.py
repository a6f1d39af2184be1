"""Floor 2a: BitMoD's term generator: decoder, special values, Booth digits, sequencer.

What stands here serves every processing element that gets the same weights (a column of a tile).
"""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.bitmod import CODE_BITS, LANES
from hw.formats.bitmod_datatypes import (
    BY_NAME,
    DATATYPES,
    SPECIAL_BITS,
    SPECIAL_IDS,
    WeightDatatype,
    default_specials,
)
from hw.plan.bitmod import SequencerPlan, SpecialValuesPlan, TermGeneratorPlan
from hw.rtl.bits import any_of, named
from hw.rtl.library import place
from hw.rtl.product import lookup

DIGIT_BITS, SELECT_BITS, ID_BITS = 2, 3, 2
LOW_SHIFT = 1
TERM_BITS = 4
"""A floating term in one word: man, and three bits of exponent + bsig + 1."""


def floating_term(halves: int, digit: int, summed: bool) -> int:
    """Return the term of a magnitude in halves: man, and its shift (or exponent) above it."""
    first = (halves >> 1).bit_length() - 1
    left = halves if first < 0 else halves & ~(1 << (first + 1))
    found = ((left & 0b1111) if digit else (halves >> 1)).bit_length() - 1
    if found < 0:
        return 0
    return 1 | (found + (summed and not digit)) << LOW_SHIFT


class SpecialTerm(wiring.Component):
    """The term of a special value: once for all weights.

    Ports: `entry` (sign, I3…I0, F0), `digit` (its low bit); `term` (man and shift), `sign`.
    Combinational.
    """

    def __init__(self, plan: TermGeneratorPlan) -> None:
        self.plan = plan
        super().__init__(
            {"entry": In(SPECIAL_BITS), "digit": In(1), "term": Out(TERM_BITS), "sign": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        """Look up."""
        m = Module()
        halves = range(1 << (SPECIAL_BITS - 1))
        entries = [floating_term(h, digit, self.plan.summed) for digit in range(2) for h in halves]
        m.d.comb += [
            self.term.eq(lookup(entries, Cat(self.entry[:-1], self.digit), TERM_BITS)),
            self.sign.eq(self.entry[-1]),
        ]
        return m


class WeightTerm(wiring.Component):
    """The term of one weight.

    Ports: `code`, `datatype`, `digit`, `special_term`, `special_sign`; `sign`, `man`, `shift`.
    Combinational. A table of FP4's magnitude, or FP3's, and the digit; the code of −0 takes the
    special value's term; Booth digits of radix 4 from three neighbouring bits.
    """

    def __init__(self, plan: TermGeneratorPlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "code": In(CODE_BITS),
                "datatype": In(SELECT_BITS),
                "digit": In(DIGIT_BITS),
                "special_term": In(TERM_BITS),
                "special_sign": In(1),
                "sign": Out(1),
                "man": Out(1),
                "shift": Out(plan.shift_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Decode both ways and select."""
        m = Module()
        served = self.plan.served
        floating = [d for d in served if d.floating]
        integers = [d for d in served if not d.floating]
        words = []
        if floating:
            words.append(self._floating(m, floating))
        if integers:
            words.append(self._booth(m, integers))
        word = words[0]
        if len(words) == 2:
            is_floating = named(m, "is_floating", ~self.datatype[1:].any())
            word = Mux(is_floating, *words)
        m.d.comb += Cat(self.sign, self.man, self.shift).eq(word)
        return m

    def _floating(self, m: Module, served: list[WeightDatatype]) -> Value:
        """Return sign, man and shift of FP3 and FP4."""
        wide = BY_NAME["fp4"] in served
        four: Value = self.datatype[0] if len(served) == 2 else Const(int(wide), 1)
        sign = Mux(four, self.code[3], self.code[2])
        is_special = named(m, "is_special", sign & ~self.code[:2].any() & ~(four & self.code[2]))
        entries = [
            floating_term(self._halves(code, bool(is_four)), digit, self.plan.summed)
            for digit in range(2)
            for is_four in range(2)
            for code in range(8)
        ]
        found = lookup(entries, Cat(self.code[:3], four, self.digit[0]), TERM_BITS)
        term = Mux(is_special, self.special_term, found)
        return Cat(Mux(is_special, self.special_sign, sign), term)

    @staticmethod
    def _halves(code: int, four: bool) -> int:
        magnitude = code if four else code & 3
        return int(2 * BY_NAME["fp4" if four else "fp3"].value(magnitude))

    def _booth(self, m: Module, served: list[WeightDatatype]) -> Value:
        """Return sign, man and shift of a Booth digit."""
        five = BY_NAME["int5"] in served
        four_bits = self.datatype[0] == 0  # int5 among int5, int6: codes 2 and 3
        sixth = self.code[5]
        if five:
            short = four_bits & ~self.datatype[2] if len(served) > 1 else Const(1, 1)
            sixth = named(m, "sixth", Mux(short, self.code[4], self.code[5]))
        bits = [Const(0, 1), *self.code[:5], sixth, self.code[6], self.code[7]]
        below, low, high = (
            named(m, name, Array(bits[2 * digit + offset] for digit in range(4))[self.digit])
            for offset, name in enumerate(("below", "low", "high"))
        )
        some = ~((below == low) & (low == high))
        two = (below == low) & some
        if not self.plan.summed:
            return Cat(high, some, two, Const(0, 1))
        shifts = [2 * digit + 1 + double for double in range(2) for digit in range(4)]
        return Cat(high, some, lookup(shifts, Cat(self.digit, two), self.plan.shift_bits))


class TermGenerator(wiring.Component):
    """Terms of four weights, and the bit significance they share.

    Ports: `weight` (four codes of 8 bits), `datatype`, `special` (entry of the special value),
    `digit` (which term); `sign`, `man` (a bit per lane), `shift` (4 bits per lane: exponent + bsig
    + 1; or 2 bits: the exponent, with bsig + 1 on `base`). Combinational.
    """

    def __init__(self, plan: TermGeneratorPlan) -> None:
        self.plan = plan
        ports: dict[str, object] = {
            "weight": In(LANES * CODE_BITS),
            "datatype": In(SELECT_BITS),
            "special": In(SPECIAL_BITS),
            "digit": In(DIGIT_BITS),
            "sign": Out(LANES),
            "man": Out(LANES),
            "shift": Out(LANES * plan.shift_bits),
        }
        super().__init__(ports | ({} if plan.summed else {"base": Out(3)}))

    def elaborate(self, platform: object) -> Module:
        """Place a decoder per weight."""
        m = Module()
        special = SpecialTerm(self.plan)
        place(m, platform, "special_term", special)
        m.d.comb += [special.entry.eq(self.special), special.digit.eq(self.digit[0])]
        for lane in range(LANES):
            one = WeightTerm(self.plan)
            place(m, platform, "weight_term", one, lane)
            m.d.comb += [
                one.code.eq(self.weight.word_select(lane, CODE_BITS)),
                one.datatype.eq(self.datatype),
                one.digit.eq(self.digit),
                one.special_term.eq(special.term),
                one.special_sign.eq(special.sign),
                self.sign[lane].eq(one.sign),
                self.man[lane].eq(one.man),
                self.shift.word_select(lane, self.plan.shift_bits).eq(one.shift),
            ]
        if not self.plan.summed:
            floating = ~self.datatype[1:].any()
            m.d.comb += self.base.eq(
                Mux(floating, Cat(~self.digit[0], Const(0, 2)), Cat(Const(1, 1), self.digit))
            )
        return m


class SpecialValues(wiring.Component):
    """The special-value register: eight entries, FP3's four and FP4's, written at run time.

    Ports: `write`, `index`, `value`; `four` (FP4), `special_id`; `special`: the entry selected,
    combinational. After reset the paper's: ±3, ±6, ±5, ±8. A value written is read from the next
    cycle on.
    """

    def __init__(self, plan: SpecialValuesPlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "write": In(1),
                "index": In(ID_BITS + 1),
                "value": In(SPECIAL_BITS),
                "four": In(1),
                "special_id": In(ID_BITS),
                "special": Out(SPECIAL_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Hold and select."""
        m = Module()
        entries = []
        for number, default in enumerate(default_specials()):
            entry = Signal(SPECIAL_BITS, name=f"entry_{number}", init=default)
            with m.If(self.write & (self.index == number)):
                m.d.sync += entry.eq(self.value)
            entries.append(entry)
        assert len(entries) == 2 * SPECIAL_IDS
        m.d.comb += self.special.eq(Array(entries)[Cat(self.special_id, self.four)])
        return m


class Sequencer(wiring.Component):
    """Counts terms, steps and groups, and tells where a group ends.

    Ports: `valid`, `datatype`, `special_id`; `digit` (register), `ends` (this cycle is the last of
    its group, combinational), `completes` (its group is the last
    of an output), `fault` (register,
    until reset): an unknown datatype, or one that changed in mid-group.
    """

    def __init__(self, plan: SequencerPlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "valid": In(1),
                "datatype": In(SELECT_BITS),
                "special_id": In(ID_BITS),
                "digit": Out(DIGIT_BITS),
                "ends": Out(1),
                "completes": Out(1),
                "fault": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count."""
        m = Module()
        plan = self.plan
        last = [DATATYPES[min(n, len(DATATYPES) - 1)].cycles - 1 for n in range(1 << SELECT_BITS)]
        final_digit = named(m, "final_digit", self.digit == lookup(last, self.datatype, DIGIT_BITS))
        step = Signal(plan.step_bits)
        final_step = named(m, "final_step", step == plan.steps - 1)
        m.d.comb += self.ends.eq(self.valid & final_digit & final_step)
        with m.If(self.valid):
            m.d.sync += self.digit.eq(Mux(final_digit, 0, self.digit + 1))
            with m.If(final_digit):
                m.d.sync += step.eq(Mux(final_step, 0, step + 1))
        self._groups(m)
        self._watch(m, ~step.any() & ~self.digit.any())
        return m

    def _groups(self, m: Module) -> None:
        """Count groups."""
        if self.plan.groups == 1:
            m.d.comb += self.completes.eq(1)
            return
        group = Signal(self.plan.group_bits)
        m.d.comb += self.completes.eq(group == self.plan.groups - 1)
        with m.If(self.ends):
            m.d.sync += group.eq(Mux(self.completes, 0, group + 1))

    def _watch(self, m: Module, begins: Value) -> None:
        """Raise the fault."""
        told = Cat(self.datatype, self.special_id)
        held = Signal(len(told), name="held", reset_less=True)
        starts = named(m, "starts", begins)
        with m.If(self.valid & starts):
            m.d.sync += held.eq(told)
        unknown = [
            self.datatype == number
            for number in range(1 << SELECT_BITS)
            if number >= len(DATATYPES) or DATATYPES[number].name not in self.plan.datatypes
        ]
        wrong = any_of(unknown) | (~starts & (held != told))
        with m.If(self.valid & wrong):
            m.d.sync += self.fault.eq(1)
