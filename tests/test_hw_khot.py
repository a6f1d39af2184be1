"""Weights of a few powers of two: shifted activations in one heap, built, proven, refused."""

import random
import re
from itertools import product

import numpy as np
import pytest
from bulk_checks import every_pair
from cycle_checks import check_cost
from heaps import worth
from sim_designs import case_of as case

from costmodel import estimate
from hw.design import adds_shifts, from_record
from hw.formats import parse
from hw.plan import plan, structures
from hw.plan.bit_heap import BitHeapPlan
from hw.plan.cells import Lut
from hw.plan.hot_digits import schemes
from hw.plan.khot import STRUCTURE, ShiftedSum
from hw.plan.packing import mated
from hw.plan.recode import Recoder
from hw.rtl import emit
from hw.target import load
from sim import bulk
from sim.bulk import Bulk
from sim.golden import run_steps
from sim.runner import simulate
from sweeps.autotune import resolve

TARGETS = ["xcup", "xc7", "xcup:portable", "ecp5", "ice40", "gowin"]
SHORT = ["pot<3>", "pot<4>", "upot<3>", "apot<4>", "uapot<4>", "khot<5,3,1>", "csd<5,2,2>"]
SHORT += ["radix4e3", "power<4,2>", "floatsd<1,2,1>", "fp3_ea_neg", "codebook<-9,-2,-1,0,3,16>"]
LONG = ["khot<8,4,1>", "khot<8,4,2>", "csd<8,4,2>", "floatsd8", "apot<5>", "uapot<6>"]


def design(kind, weight, activation="int8", **settings):
    record = {"kind": kind, "weight": weight, "activation": activation, "structure": STRUCTURE}
    return from_record(record | settings)


def by_digits(name, code):
    """Return the value of a code from what the format's name means, not from its table of values.

    In units of the finest step of the format.
    """
    format = parse(name)
    sign, rest = code >> format.bits - 1 & 1, code & (1 << format.bits - 1) - 1
    if name.startswith("pot"):
        return (-1) ** sign * (1 << rest - 1 if rest else 0)
    if name == "radix4e3":
        return (-1) ** sign * (4 ** (rest - 1) if rest else 0)
    if name == "power<4,2>":
        return (-1) ** sign * rest * rest
    if name == "apot<4>":  # {0, 2^0, 2^-1, 2^-3} + {0, 2^-2}, in eighths
        return (-1) ** sign * ((0, 8, 4, 1)[rest >> 1] + (0, 2)[rest & 1])
    if name == "floatsd8":  # {0, ±4, ±8, ±16} + {0, ±1, ±2}, shifted by 0 to 7
        sums = {a + b for a in (0, 4, 8, 16, -4, -8, -16) for b in (0, 1, 2, -1, -2)}
        ranks = sorted(total for total in sums if total >= 0)
        return (-1) ** sign * (ranks[min(rest & 15, len(ranks) - 1)] << (rest >> 4))
    if name.startswith("csd"):  # the greatest sum of few signed powers that is not above
        powers = [0, *(s << p for p in range(format.bits) for s in (1, -1))]
        sums = {sum(few) for few in product(powers, repeat=int(name[-2]))}
        return (-1) ** sign * max(total for total in sums if 0 <= total <= rest)
    assert name.startswith("khot")  # the highest ones of the magnitude
    kept = 0
    for _ in range(int(name[-2])):
        highest = 1 << (rest.bit_length() - 1) if rest else 0
        kept, rest = kept | highest, rest & ~highest
    return (-1) ** sign * kept


def test_golden_is_what_the_names_say():
    """A second derivation of the values that hardware is compared with."""
    checked = 0
    four = ("pot<4>", "apot<4>", "radix4e3", "power<4,2>")
    for name in ("pot<3>", *four, "khot<5,3,1>", *LONG[:4]):
        format = parse(name)
        for code in range(1 << format.bits):
            assert by_digits(name, code) == format.integer(code), (name, code)
            checked += 1
    assert checked == 8 + 4 * 16 + 32 + 4 * 256


def test_digits_of_every_scheme_add_up_to_the_value():
    checked = 0
    for name in (*SHORT, "csd<7,4,3>"):
        values = [parse(name).integer(code) for code in range(1 << parse(name).bits)]
        for slots in schemes(values):
            for code, value in enumerate(values):
                total = 0
                for slot in slots:
                    sign = -1 if slot.negative >> code & 1 else 1
                    total += sum(sign << place for place, at in slot.at if at >> code & 1)
                assert total == value
                checked += 1
    assert checked > 1000


@pytest.mark.parametrize("lut_inputs", [4, 6])
def test_functions_of_codes_are_what_was_asked(lut_inputs):
    rng = random.Random(lut_inputs)
    checked = 0
    for bits in (1, 3, 5, 8):
        recoder = Recoder.of([f"c{i}" for i in range(bits)], lut_inputs)
        asked = []
        for _ in range(4):
            on, care = (rng.getrandbits(1 << bits) for _ in range(2))
            asked.append((recoder.function(on, care), on, care))
        assert all(len(lut.inputs) <= lut_inputs for lut in recoder.luts)
        for code in range(1 << bits):
            known = {"0": 0, "1": 1} | {f"c{i}": code >> i & 1 for i in range(bits)}
            for lut in recoder.luts:
                known[lut.output] = (
                    lut.truth >> sum(known[net] << i for i, net in enumerate(lut.inputs)) & 1
                )
            for net, on, care in asked:
                assert not care >> code & 1 or known[net] == on >> code & 1
                checked += 1
    assert checked == 4 * (2 + 8 + 32 + 256)


@pytest.mark.parametrize("lut_inputs", [0, 4, 6])
@pytest.mark.parametrize("names", [("pot<3>", "int3"), ("apot<4>", "uint2"), ("upot<2>", "int2")])
def test_every_product_of_short_words(names, lut_inputs):
    weight, activation = map(parse, names)
    heap = BitHeapPlan(ShiftedSum(weight, activation, 1, lut_inputs), lut_inputs)
    checked = 0
    for w in range(1 << weight.bits):
        for a in range(1 << activation.bits):
            assert worth(heap, {"w": w, "a": a}) == weight.integer(w) * activation.integer(a)
            checked += 1
    assert checked == 1 << weight.bits + activation.bits


def prove(what, target):
    steps, count = every_pair(what)
    idle = np.random.default_rng(4).random(len(steps)) < 0.1
    assert Bulk(case(what, target).verilog, what).check(steps, run_steps, idle) == (0, None)
    assert len(steps) == 2 * count == 2 << what.weight.bits + what.activation.bits
    return len(steps)


@pytest.mark.parametrize("name", ["pot<4>", "apot<4>"])
def test_hardware_is_golden_for_all_codes(name):
    assert prove(design("mac", name), "xcup") == 1 << 13


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "ecp5"])
def test_hardware_is_golden_for_all_codes_of_every_family(target):
    names = (*SHORT, *LONG) if target == "xcup" else (*SHORT, *LONG[1:3])
    assert sum(prove(design("mac", name), target) for name in names) > 300_000
    assert sum(prove(design("mac", name, "uint4"), target) for name in SHORT) > 4_000


@pytest.mark.slow
def test_dot_products_by_the_hundred_thousand():
    for what in (
        design("dot", "pot<4>", lanes=8),
        design("dot", "apot<4>", "uint5", lanes=5, accumulator="saturate:10"),
        design("dot", "khot<6,3,2>", "fixed<6,2>", lanes=7, accumulator="wrap:20"),
    ):
        for target in ("xcup", "ice40"):
            verdict = bulk.check(case(what, target).verilog, what, 100_000)
            assert verdict.passed
            assert verdict.vectors >= 100_000


@pytest.mark.slow
def test_the_cocotb_bench_agrees():
    """Idle cycles, resets, back-pressure of arrays, pipeline stages."""
    designs = [
        design("array", "pot<3>", "int4", lanes=2, rows=2, columns=2),
        design("tile", "apot<4>", "uint2", lanes=4, rows=2, columns=2),
        design("dot", "pot<4>", "int4", lanes=8, pipeline=2),
        design("mac", "apot<4>", "int4"),
    ]
    cases = [case(what, target) for what in designs for target in ("xcup", "ecp5")]
    verdicts = simulate(cases, vectors=1500)
    assert [verdict.first for verdict in verdicts] == [None] * 8
    assert all(verdict.passed and verdict.vectors >= 256 for verdict in verdicts)
    assert verdicts[-1].exhaustive


def test_estimates_are_what_yosys_maps():
    check_cost(design("dot", "pot<3>", "int4", lanes=4), "xcup", least=1)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_estimates_of_every_family(target):
    for name in ("pot<4>", "khot<8,4,1>"):
        check_cost(design("dot", name, lanes=2), target, least=1)
    check_cost(design("dot", "apot<4>", "uint5", lanes=5), target, least=1)


def sites(weight, structure, target="xcup", lanes=32):
    return estimate(design("dot", weight, structure=structure, lanes=lanes), load(target)).sites


def test_powers_of_two_cost_less_and_are_chosen():
    xcup = load("xcup")
    for weight, part in (("pot<4>", 0.8), ("pot<3>", 0.5)):
        ours = sites(weight, STRUCTURE)
        assert ours < part * sites("int8", "rows")
        assert ours < 0.7 * sites(weight, "behavioural")
        chosen = resolve(design("dot", weight, structure="auto", lanes=32), xcup)
        assert chosen.structure == STRUCTURE
    assert resolve(design("mac", "apot<4>", structure="auto"), xcup).structure == STRUCTURE


def test_formats_that_are_not_sums_of_powers_of_two():
    for name in ("int8", "e2m1fn", "nf4", "posit<8,1>", "khot<9,4,1>", "e3m1", "lns<8,3>"):
        assert not adds_shifts(parse(name))
    assert all(adds_shifts(parse(name)) for name in (*SHORT, *LONG))


@pytest.mark.parametrize(
    ("record", "target", "says"),
    [
        ({"weight": "apot<4>"}, "asic", "heaps of bits are for FPGAs, such as xcup"),
        ({"weight": "apot<4>", "structure": "rows"}, "xcup", "cannot serve.*one of khot can"),
        ({"weight": "int4"}, "xcup", "as its weights are sums of a few powers of two"),
        ({"weight": "apot<4>", "activation": "e4m3fn"}, "xcup", "the nearest activation is int8"),
        ({"weight": "apot<4>", "accumulator": "fp16"}, "xcup", "exact, wrap or saturate"),
        ({"weight": "apot<4>", "activation": "apot<4>"}, "xcup", "but as weights yet: activation"),
        ({"weight": "khot<12,4,1>"}, "xcup", "powers of two of more than 8 bits yet"),
        ({"weight": "floatsd<5,1>"}, "xcup", "powers of two beyond 16 bits of magnitude"),
        ({"weight": "pot<4>", "kind": "dot", "lanes": 200}, "xcup", "at most 4096 bits"),
        (
            {"weight": "pot<4>", "kind": "array", "dataflow": "weight-stationary"},
            "xcup",
            "the nearest dataflow is output-stationary",
        ),
    ],
)
def test_refusals_say_why(record, target, says):
    given = {"kind": "mac", "activation": "int8", "structure": STRUCTURE} | record
    with pytest.raises(ValueError, match=says):
        plan(from_record(given), load(target))


def test_without_a_target_no_structure_is_promised():
    assert structures(design("mac", "apot<4>")) == ()
    with pytest.raises(ValueError, match="for FPGAs"):
        resolve(design("mac", "apot<4>", structure="auto"), load("asic"))


INNER = {
    "the sign of one bit": (r"\{ w\[3\], k0_r1, a\[1\], a\[2\] \}", "{ 1'h0, k0_r1, a[1], a[2] }"),
    "a shift by another bit": (r"(lookup_1_1__k0_r1 \(\s+\.index)\(w\[0\]\)", r"\1(w[1])"),
}
"""Patterns and replacements in the LUTs of ECP5."""
OUTER = {
    "one word only": (r"\.addend_1\(addend_1\)", ".addend_1(13'h0)"),
    "a bit of a weight": (r"\.w\(weight\)", ".w({ weight[3:1], weight[1] })"),
    "the sign of the activation": (r"\.a\(activation\)", ".a({ activation[6], activation[6:0] })"),
}


@pytest.mark.parametrize(
    ("target", "pattern", "replacement"),
    [
        *(("ecp5", *mutant) for mutant in INNER.values()),
        *(pytest.param("xcup", *mutant, marks=pytest.mark.slow) for mutant in OUTER.values()),
    ],
    ids=[*INNER, *OUTER],
)
def test_wrong_hardware_is_caught(target, pattern, replacement):
    what = design("mac", "pot<4>")
    wrong, count = re.subn(pattern, replacement, case(what, target).verilog)
    assert count == 1
    assert Bulk(wrong, what).check(every_pair(what)[0])[0] > 0


def test_a_net_that_is_read_twice_counts_once_among_those_that_share_a_lut():
    """Six nets of two functions, of which one reads a net twice: they have no LUT6_2 together."""
    cells = [Lut("x", ("a", "b", "c"), 0x3A), Lut("y", ("d", "e", "c", "e", "f"), 0x87777888)]
    assert mated([0, 1], cells, {0, 1}) == [(0,), (1,)]
    emit(design("mac", "codebook<-9,-2,-1,0,3,16>", "uint4"), load("xcup"))
