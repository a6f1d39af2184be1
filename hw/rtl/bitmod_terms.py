"""Floor 2a: BitMoD's term generator: decoder, special values, Booth digits, sequencer.

What stands here serves every processing element that gets the same weights (a column of a tile).
"""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.bitmod import CODE_BITS, LANES
from hw.formats.bitmod_datatypes import (
    DATATYPES,
    SPECIAL_BITS,
    SPECIAL_IDS,
    default_specials,
)
from hw.plan.bitmod import SequencerPlan, SpecialValuesPlan, TermGeneratorPlan
from hw.plan.bitmod_decode import TERM_BITS
from hw.rtl.bits import any_of, named
from hw.rtl.library import place
from hw.rtl.merged_window import Cells
from hw.rtl.product import lookup

DIGIT_BITS, SELECT_BITS, ID_BITS = 2, 3, 2


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
        """Place what is shared, and a decoder per weight."""
        m = Module()
        shared = self._shared(m, platform)
        special = Cells(
            self.plan.cells("special").netlist,
            {"e": In(SPECIAL_BITS), "n": In(DIGIT_BITS), "t": Out(TERM_BITS)},
            {"e": "e", "n": "n", "t": "t"},
        )
        place(m, platform, "special_term", special)
        m.d.comb += [special.e.eq(self.special), special.n.eq(self.digit)]
        for lane in range(LANES):
            one = self._weight(m, platform, lane)
            m.d.comb += [
                one.fp.eq(shared.fp),
                one.short.eq(shared.short),
                one.t.eq(special.t),
                one.ss.eq(self.special[-1]),
                self.sign[lane].eq(one.sign),
                self.man[lane].eq(one.man),
                self.shift.word_select(lane, self.plan.shift_bits).eq(one.shift),
            ]
        return m

    def _shared(self, m: Module, platform: object) -> Cells:
        ports: dict[str, object] = {
            "d": In(SELECT_BITS),
            "n": In(DIGIT_BITS),
            "fp": Out(1),
            "short": Out(1),
        }
        ports |= {} if self.plan.summed else {"base": Out(3)}
        shared = Cells(self.plan.cells("select").netlist, ports, {"d": "d", "n": "n", "base": "b"})
        place(m, platform, "term_select", shared)
        m.d.comb += [shared.d.eq(self.datatype), shared.n.eq(self.digit)]
        if not self.plan.summed:
            m.d.comb += self.base.eq(shared.base)
        return shared

    def _weight(self, m: Module, platform: object, lane: int) -> Cells:
        one = Cells(
            self.plan.cells("weight").netlist,
            {
                "c": In(CODE_BITS),
                "d": In(1),
                "n": In(DIGIT_BITS),
                "fp": In(1),
                "short": In(1),
                "t": In(TERM_BITS),
                "ss": In(1),
                "sign": Out(1),
                "man": Out(1),
                "shift": Out(self.plan.shift_bits),
            },
            {"c": "c", "d": "d", "n": "n", "t": "t", "shift": "s"},
        )
        place(m, platform, "weight_term", one, lane)
        m.d.comb += [
            one.c.eq(self.weight.word_select(lane, CODE_BITS)),
            one.d.eq(self.datatype[0]),
            one.n.eq(self.digit),
        ]
        return one


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
