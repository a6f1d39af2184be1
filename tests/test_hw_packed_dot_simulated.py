"""Packed dot products: hardware against golden, Yosys' own blocks, mutants, without an export."""

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from packed_tiles import first_total

from hw import yosys
from hw.design import from_record
from hw.plan import plan
from hw.rtl import build, emit
from hw.synthesis import Job, mapping_commands
from hw.target import load
from sim import bulk
from sim.harness import Case
from sim.runner import simulate

TARGETS = {name: load(name) for name in ("xcup", "xc7", "ecp5", "ice40")}
DOTS = (
    ("xcup", "int8", "int8", 5, {}),
    ("xcup", "int4", "int4", 9, {"accumulator": "wrap:12"}),
    ("xcup", "int3", "int3", 7, {"accumulator": "saturate:9"}),
    ("xcup", "e2m1fn", "e2m1fn", 29, {}),
    ("xcup", "e2m1", "int4", 6, {"specials": "ignore"}),
    ("xcup", "e2m3fn", "int8", 3, {}),
    ("xcup", "uint2", "int2", 8, {}),
    ("xc7", "int4", "uint4", 5, {}),
    ("xc7", "uint4", "uint4", 4, {"accumulator": "exact:20"}),
    ("xcup", "int4", "int4", 4, {"pipeline": 1}),
    ("ecp5", "int4", "int4", 5, {}),
    ("ecp5", "uint3", "int3", 6, {"pipeline": 2}),
    ("ecp5", "e2m1fn", "e2m1fn", 4, {}),
    ("ice40", "int8", "int8", 5, {}),
    ("ice40", "uint8", "int7", 4, {"accumulator": "saturate:18"}),
    ("ice40", "int4", "int4", 9, {}),
    ("ice40", "e2m1fn", "uint4", 3, {}),
    ("ice40", "int12", "int9", 3, {}),
    ("ice40", "int2", "int2", 8, {}),
)
QUICK = (1, 2, 10, 14, 17)
MACS = (("xcup", "int8", "uint8"), ("ice40", "int8", "int8"), ("xc7", "int4", "e2m1fn"))
ARRAYS = (("xcup", "int4", "int4", 3), ("ice40", "int8", "int4", 2))


def case(target, weight, activation, lanes, settings):
    record = {"kind": "dot", "weight": weight, "activation": activation, "lanes": lanes}
    return made(record | settings, target)


def made(record, target):
    design = from_record(record | {"structure": "packed"})
    emitted = emit(design, TARGETS[target])
    return Case(design, emitted.verilog, emitted.top, emitted.record["latency_cycles"])


def changed(found, pattern, replacement):
    text, count = re.subn(pattern, replacement, found.verilog)
    assert count, pattern
    return replace(found, verilog=text)


def block_of_yosys(family, name):
    """Return Yosys' own model of a block, the choice between families left out."""
    share = Path(importlib.util.find_spec("pyosys").origin).parent / "share"
    text = (share / family / "cells_sim.v").read_text(encoding="utf-8")
    block = re.search(rf"^module {name}\b.*?^endmodule", text, re.M | re.S)[0]
    return re.sub(r"`ifdef (?:ICE40_|YOSYS)\w*.*?`endif", "", block, flags=re.S) + "\n"


def primitive(number, family, name):
    """Return a case whose blocks are the primitive itself, as Yosys describes it."""
    pattern = rf"`ifdef SYNTHESIS(\s+{name} #)"
    found = changed(case(*DOTS[number]), pattern, r"`ifndef NEVER\1")
    return replace(found, verilog=found.verilog + block_of_yosys(family, name))


def mapped(found, target, family, commands=()):
    """Return a case with the netlist after synthesis, its cells as Yosys describes them."""
    job = Job(found.verilog, found.top, target, True)
    text = yosys.run(
        [*(commands or mapping_commands(job)), "write_verilog -noattr mapped.v"],
        {"design.v": found.verilog},
        ["mapped.v"],
    )["mapped.v"]
    names = re.findall(r"^  (\w+) (?:#\(|\\?\S+ +\()", text, re.M)
    assert {"ice40": "SB_MAC16", "xilinx": "DSP48E1"}[family] in names
    script = [
        *("read_verilog mapped.v", f"read_verilog +/{family}/cells_sim.v"),
        *(f"hierarchy -top {found.top}", "proc", "flatten -noscopeinfo", "opt_clean"),
        "write_verilog -noattr flat.v",
    ]
    return replace(found, verilog=yosys.run(script, {"mapped.v": text}, ["flat.v"])["flat.v"])


MUTANTS = (
    ("a lost borrow", 1, r"\.carry0\((?:\w+\[12\]|\w+)\)", ".carry0(1'h0)"),
    ("a chain that is not chained", 1, r"product \+ PCIN", "product"),
    ("a half that adds nothing", 14, r"a1 \* b1 \+ C", "a1 * b1"),
    ("halves changed over", 14, r"a0 \* b0 \+ D", "a0 * b0 + C"),
    ("a half without its sign", 14, r"\{8\{B\[7\] & 1'b1\}\}", "8'h0"),
)


def mutants(numbers):
    return [changed(case(*DOTS[MUTANTS[n][1]]), *MUTANTS[n][2:]) for n in numbers]


def test_dots_equal_golden_blocks_are_what_yosys_says_and_mutants_are_caught():
    right = [case(*DOTS[number]) for number in QUICK]
    right += [primitive(14, "ice40", "SB_MAC16")]
    wrong = mutants((0, 2))
    verdicts = simulate(right + wrong, vectors=300, jobs=1)
    assert [verdict.mismatches for verdict in verdicts[: len(right)]] == [0] * len(right)
    assert all(verdict.mismatches > 0 for verdict in verdicts[len(right) :])
    assert all(verdict.vectors >= 300 for verdict in verdicts)
    assert len(verdicts) == 8


@pytest.mark.slow
def test_all_dots_macs_and_arrays_equal_golden():
    cases = [case(*each) for each in DOTS]
    cases += [made({"kind": "mac", "weight": w, "activation": a}, t) for t, w, a in MACS]
    sizes = {"kind": "array", "rows": 2, "columns": 3}
    cases += [made(sizes | {"weight": w, "activation": a, "lanes": n}, t) for t, w, a, n in ARRAYS]
    verdicts = simulate(cases, vectors=1500, jobs=1)
    assert [verdict.mismatches for verdict in verdicts] == [0] * len(cases)
    assert all(verdict.vectors >= 1500 for verdict in verdicts)
    assert len(verdicts) == 24


@pytest.mark.slow
def test_blocks_are_what_yosys_says_and_all_mutants_are_caught():
    """DSP48E1 and SB_MAC16; of DSP48E2 and MULT18X18D Yosys has no model."""
    blocks = [(number, "ice40", "SB_MAC16") for number in (13, 15, 16)]
    blocks += [(7, "xilinx", "DSP48E1"), (8, "xilinx", "DSP48E1")]
    right = [primitive(*each) for each in blocks]
    wrong = mutants(range(len(MUTANTS)))
    turned = primitive(15, "ice40", "SB_MAC16")
    wrong.append(changed(turned, r"BOTADDSUB_LOWERINPUT\(2'b01\)", "BOTADDSUB_LOWERINPUT(2'b10)"))
    wrong.append(changed(primitive(7, "xilinx", "DSP48E1"), r"7'h15", "7'h05"))
    verdicts = simulate(right + wrong, vectors=500, jobs=1)
    assert [verdict.mismatches for verdict in verdicts[: len(right)]] == [0] * len(right)
    assert all(verdict.mismatches > 0 for verdict in verdicts[len(right) :])
    assert len(verdicts) == len(right) + 7


TILE = {"kind": "tile", "weight": "int8", "rows": 1, "columns": 2, "lanes": 3}


@pytest.mark.slow
def test_netlists_equal_golden():
    """The blocks as they are after synthesis: adders and halves of SB_MAC16, a cascade of DSP48E1.

    With ``-dsp`` Yosys makes of a named SB_MAC16 what was not asked for.
    """
    halves, whole, cascade = (case(*DOTS[number]) for number in (15, 17, 7))
    tile = made(TILE, "ice40")
    right = [mapped(each, "ice40", "ice40") for each in (halves, whole, tile)]
    right.append(mapped(cascade, "xc7", "xilinx"))
    wrong = [
        mapped(
            each, "ice40", "ice40", ["read_verilog design.v", f"synth_ice40 -dsp -top {each.top}"]
        )
        for each in (halves, tile)
    ]
    verdicts = simulate(right + wrong, vectors=500, jobs=1)
    assert [verdict.mismatches for verdict in verdicts[:4]] == [0] * 4
    assert all(verdict.mismatches > 0 for verdict in verdicts[4:])
    assert len(verdicts) == 6


BULK = (0, 1, 2, 3, 7, 10, 13, 15)


@pytest.mark.slow
@pytest.mark.parametrize("number", BULK)
def test_a_million_vectors(number):
    found = case(*DOTS[number])
    verdict = bulk.check(found.verilog, found.design, 1_000_000, seed=3)
    assert verdict.mismatches == 0, verdict
    assert verdict.vectors >= 1_000_000


def test_all_operands_of_two_lanes_of_three_bits():
    """All 2**12 operands of one block of three lanes, the third of them 0."""
    record = {"kind": "dot", "weight": "int3", "lanes": 2, "accumulator": "wrap:10"}
    found = made(record, "xcup")
    index = np.arange(1 << 12)
    codes = np.stack([index >> 3 * i & 7 for i in range(4)], 1).astype(np.uint8)
    values = (codes.astype(np.int64) ^ 4) - 4
    ends = np.ones(len(index), np.bool_)
    seen = bulk.Bulk(found.verilog, found.design).run(codes[:, :2], codes[:, 2:], ends)
    wanted = values[:, 0] * values[:, 2] + values[:, 1] * values[:, 3]
    assert np.array_equal(seen.total[:, 0].astype(np.int64), wanted & 1023)


@pytest.mark.parametrize(("target", "weight", "lanes"), [("xcup", "int4", 3), ("ice40", "int8", 3)])
def test_without_an_export(target, weight, lanes):
    record = {"kind": "dot", "weight": weight, "lanes": lanes, "structure": "packed"}
    design = from_record(record | {"accumulator": "wrap:24"})
    component = build(plan(design, TARGETS[target]))
    rng = np.random.default_rng(5)
    bits = design.weight.bits
    low = -1 << (bits - 1)
    weights, activations = rng.integers(low, -low, lanes), rng.integers(low, -low, lanes)
    total = first_total(component, weights, activations, bits)
    assert [total & 0xFFFFFF] == [int(weights @ activations) & 0xFFFFFF]
