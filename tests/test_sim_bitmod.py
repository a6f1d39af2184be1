"""BitMoD's hardware against its golden: parts, whole designs, cycles per step, wrong hardware."""

from __future__ import annotations

import re

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.design import BitmodPe
from hw.formats import parse_element
from hw.formats.bitmod_datatypes import BY_NAME, DATATYPES, special_value
from hw.plan.bitmod import BitmodElementPlan, TermGeneratorPlan
from hw.rtl.bitmod import BitmodElement
from hw.rtl.bitmod_terms import TermGenerator
from hw.rtl.emit import emit
from hw.target import load
from sim import bitmod as bench
from sim import bulk
from sim.golden import bitmod
from sim.golden.bitmod_terms import terms
from sim.harness import Case
from sim.ports import input_layout, output_layout
from sim.runner import simulate

ALL = tuple(BY_NAME)
SMALL = BitmodPe(group=20, length=60)
SMALL_INT = BitmodPe(activation=parse_element("int8"), group=20, length=60)


@pytest.mark.parametrize(
    ("names", "summed", "vectors"),
    [(ALL, True, 2848), (ALL, False, 2848), (("fp3", "int6"), True, 704), (("int5",), True, 96)],
)
def test_generator_gives_the_terms_of_every_code(
    names: tuple[str, ...], summed: bool, vectors: int
) -> None:
    dut = TermGenerator(TermGeneratorPlan(names, summed, False))
    bits = dut.plan.shift_bits
    checked = 0

    async def drive(ctx) -> None:
        nonlocal checked
        for datatype in (BY_NAME[name] for name in names):
            entries = [e for e in range(64) if (e & 31).bit_count() <= 2]
            for entry in entries if datatype.floating else [0]:
                for code in range(1 << datatype.bits):
                    for digit, term in enumerate(terms(datatype, code, special_value(entry))):
                        lane = checked % 4
                        ctx.set(dut.weight, code << 8 * lane)
                        ctx.set(dut.datatype, datatype.select)
                        ctx.set(dut.special, entry)
                        ctx.set(dut.digit, digit)
                        await ctx.delay(1e-9)
                        shift = ctx.get(dut.shift) >> bits * lane & (1 << bits) - 1
                        assert ctx.get(dut.man) >> lane & 1 == term.man
                        if term.man:
                            assert ctx.get(dut.sign) >> lane & 1 == term.sign
                            assert shift == (term.shift if summed else term.exponent)
                        if not summed:
                            assert ctx.get(dut.base) == term.bsig + 1
                        checked += 1

    simulator = Simulator(dut)
    simulator.add_testbench(drive)
    simulator.run()
    assert checked == vectors


def test_element_is_right_in_every_cycle() -> None:
    """The accumulator of fp16 after each cycle, where the whole design shows only groups."""
    plan = BitmodElementPlan(SMALL.group_bits, True, False)
    dut = BitmodElement(plan)
    rng = np.random.default_rng(4)
    groups = bench.drawn(rng, SMALL, 12, False)
    checked = 0

    async def drive(ctx) -> None:
        nonlocal checked
        ctx.set(dut.valid, 1)
        for number in range(groups.count):
            datatype = DATATYPES[int(groups.datatype[number])]
            specials = datatype.specials
            special = specials[int(groups.special_id[number])] if specials else 0
            state = bitmod.GroupSum()
            for first in range(0, SMALL.group, 4):
                acts = groups.activations[first : first + 4, number].tolist()
                codes = groups.codes[first : first + 4, number].tolist()
                taken = [terms(datatype, code, special) for code in codes]
                for digit, cycle in enumerate(zip(*taken, strict=True)):
                    state = bitmod.accumulated(SMALL, state, list(zip(cycle, acts, strict=True)))
                    ends = first + 4 == SMALL.group and digit == datatype.cycles - 1
                    ctx.set(dut.last, ends)
                    ctx.set(dut.sign, sum(t.sign << i for i, t in enumerate(cycle)))
                    ctx.set(dut.man, sum(t.man << i for i, t in enumerate(cycle)))
                    ctx.set(dut.shift, sum(t.shift << 4 * i for i, t in enumerate(cycle)))
                    ctx.set(dut.activation, sum(a << 16 * i for i, a in enumerate(acts)))
                    shown = ctx.get(dut.significand)
                    shown -= shown >> plan.bits - 1 << plan.bits
                    assert (shown, ctx.get(dut.exponent)) == (state.significand, state.exponent)
                    assert ctx.get(dut.invalid) == state.invalid
                    checked += 1
                    await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    cycles = np.array([d.cycles for d in DATATYPES])[groups.datatype]
    assert checked == 5 * int(cycles.sum()) > 120


def test_a_step_takes_the_cycles_of_its_datatype_and_no_more() -> None:
    """What the stimulus sends; that the hardware follows is seen by the benches below."""
    for datatype in DATATYPES:
        design = BitmodPe(group=20, length=20, datatypes=(datatype.name,))
        run = bench.stimulus(design, 4 * design.steps, 1, thorough=False)
        marks = run.expected[:, output_layout(design).column("group_valid")].ravel()
        ends = np.flatnonzero(marks)
        assert len(ends) == 4
        assert set(np.diff(ends)) == {design.steps * datatype.cycles}
        valid = run.words[: ends[-1] + 1, input_layout(design).column("valid")]
        assert valid.all()
    assert [d.cycles for d in DATATYPES] == [2, 2, 3, 3, 4]


def test_the_bench_sends_what_it_says() -> None:
    run = bench.stimulus(SMALL, 300, 2)
    fault = run.expected[:, output_layout(SMALL).column("fault")].ravel()
    assert run.care is not None
    assert run.vectors >= 300
    assert fault.any()
    assert not run.care.all()
    assert run.words[:, input_layout(SMALL).column("rst")].sum() >= 7
    valid = run.words[:, input_layout(SMALL).column("valid")].ravel()
    assert 0.5 < valid.mean() < 1
    assert run.words[:, input_layout(SMALL).column("special_write")].sum() > 10
    totals = run.expected[:, output_layout(SMALL).column("total_valid")].ravel()
    assert totals.sum() >= 10


HALF_MUTANTS = {
    "a lane's sign and rounding": (
        r"(\.carry2\()c_\d+(\),\s+\.sum\(significand\))",
        r"\g<1>1'h0\2",
    ),
    "rounding of the accumulator": (r"(module \S+_realign\(.*?CYINIT\()lut\d+_out", r"\g<1>1'h0"),
    "the accumulator's exponent": (r"(the_maximum \(.*?\.h\()h\)", r"\g<1>4'h0)"),
    "the special value's sign": (r"\.ss\(special\[5\]\)", ".ss(1'h0)"),
    "the product's sign": (r"sum_2\[26:1\]|sum_2\[24:1\]", "{ 1'h0, sum_2[23:1] }"),
}
INT_MUTANTS = {
    "lane 0's carry": (r"\.carry\(sign\[0\]\)", ".carry(1'h0)"),
    "a bit of the scale": (r"5'h08", "5'h07"),
}


def _case(design: BitmodPe, pattern: str = "$^", replacement: str = "") -> Case:
    emitted = emit(design, load("xcup"))
    text = emitted.verilog
    if pattern != "$^":
        text, count = re.subn(pattern, replacement, text, count=1, flags=re.S)
        assert count == 1, pattern
    return Case(design, text, emitted.top, 10)


@pytest.mark.slow
def test_cocotb_passes_the_right_hardware_and_catches_the_wrong() -> None:
    cases = {"fp16": _case(SMALL), "int8": _case(SMALL_INT)}
    cases |= {name: _case(SMALL, *change) for name, change in HALF_MUTANTS.items()}
    cases |= {name: _case(SMALL_INT, *change) for name, change in INT_MUTANTS.items()}
    found = dict(zip(cases, simulate(list(cases.values()), vectors=600), strict=True))
    assert {name for name, verdict in found.items() if verdict.passed} == {"fp16", "int8"}
    assert len(found) == 9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("design", "vectors"), [(SMALL, 100_000), (SMALL_INT, 200_000)], ids=["fp16", "int8"]
)
def test_bulk_passes_steps_by_the_hundred_thousand(design: BitmodPe, vectors: int) -> None:
    verdict = bulk.check(_case(design).verilog, design, vectors)
    assert verdict.passed
    assert verdict.vectors >= vectors


@pytest.mark.slow
def test_bulk_catches_a_lost_rounding() -> None:
    wrong = _case(SMALL_INT, *INT_MUTANTS["lane 0's carry"])
    assert not bulk.check(wrong.verilog, SMALL_INT, 2000).passed
