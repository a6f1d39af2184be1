"""Packed products of MULT18X18D, SB_MAC16 and of three bits: hardware against golden, mutants."""

import importlib.util
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from packed_tiles import first_total, view

from hw.design import from_record
from hw.plan import plan
from hw.rtl import build, emit
from hw.target import load
from sim import bulk
from sim.bulk import Bulk
from sim.harness import Case
from sim.runner import simulate

TARGETS = {name: load(name) for name in ("xcup", "xc7", "ecp5", "ice40")}


def tile(weight, activation, rows, columns, lanes, **settings):
    sizes = {"rows": rows, "columns": columns, "lanes": lanes}
    record = {"kind": "tile", "weight": weight, "activation": activation, "structure": "packed"}
    return from_record(record | sizes | settings)


BULK = (
    ("ecp5", ("int4", "int4", 1, 2, 4)),
    ("ecp5", ("int3", "int3", 2, 2, 5)),
    ("ecp5", ("e2m1fn", "e2m1fn", 2, 1, 4)),
    ("ecp5", ("int2", "int2", 3, 2, 3)),
    ("ice40", ("int8", "int8", 1, 2, 4)),
    ("ice40", ("int8", "uint8", 2, 1, 3)),
    ("ice40", ("int3", "int3", 2, 2, 4)),
    ("xcup", ("int3", "int3", 3, 2, 4)),
    ("xcup", ("uint3", "uint3", 2, 3, 4)),
)


@pytest.mark.slow
@pytest.mark.parametrize(("target", "spec"), BULK, ids=lambda value: "_".join(map(str, value)))
def test_a_million_vectors(target, spec):
    design = tile(*spec, accumulator="wrap:24")
    done = 0
    each = -(-1_000_000 // design.cores)
    for cell in itertools.product(range(design.rows), range(design.columns)):
        verilog, dot = view(design, TARGETS[target], cell)
        verdict = bulk.check(verilog, dot, each, seed=3)
        assert verdict.mismatches == 0, verdict
        done += verdict.vectors
    assert done >= 1_000_000


def test_four_products_of_all_operands():
    """All operands of int3 in one MULT18X18D: 2**12, each of four fields."""
    design = tile("int3", "int3", 2, 2, 1, accumulator="wrap:16")
    emitted = emit(design, TARGETS["ecp5"])
    index = np.arange(1 << 12)
    codes = np.stack([index >> 3 * i & 7 for i in range(4)], 1).astype(np.uint8)
    values = (codes.astype(np.int64) ^ 4) - 4
    ends = np.ones(len(index), np.bool_)
    checked = 0
    for row, column in itertools.product(range(2), repeat=2):
        low = 16 * (2 * row + column)
        dot = from_record(
            {
                "kind": "dot",
                "weight": "int3",
                "lanes": 2,
                "accumulator": "wrap:16",
                "structure": "behavioural",
            }
        )
        text = f"""
module {dot.slug}(clk, rst, valid, last, weight, activation, total, total_valid);
  input clk;
  input rst;
  input valid;
  input last;
  input [5:0] weight;
  input [5:0] activation;
  output [15:0] total;
  output total_valid;
  wire [63:0] totals;
  assign total = totals[{low + 15}:{low}];
  {emitted.top} tile(.clk(clk), .rst(rst), .valid(valid), .last(last), .weight(weight),
    .activation(activation), .total(totals), .total_valid(total_valid));
endmodule
"""
        run = Bulk(emitted.verilog + text, dot).run(codes[:, :2], codes[:, 2:], ends)
        seen = run.total[:, 0].astype(np.int64)
        assert np.array_equal(seen, values[:, column] * values[:, 2 + row] & 0xFFFF)
        checked += len(seen)
    assert checked == 4 << 12


TILES = (
    ("ecp5", ("int4", "int4", 1, 2, 5), {}),
    ("ecp5", ("int3", "uint3", 2, 2, 3), {"accumulator": "saturate:11"}),
    ("ecp5", ("e2m1fn", "e2m1fn", 2, 1, 4), {}),
    ("ecp5", ("int2", "int2", 2, 3, 2), {"accumulator": "wrap:9"}),
    ("ecp5", ("int4", "int4", 1, 2, 4), {"pipeline": 2}),
    ("ice40", ("int8", "int8", 1, 2, 3), {}),
    ("ice40", ("uint8", "int8", 2, 2, 2), {"accumulator": "saturate:18"}),
    ("ice40", ("e2m1fn", "uint4", 2, 1, 3), {}),
    ("ice40", ("int3", "int3", 2, 2, 3), {}),
    ("ice40", ("int2", "uint2", 3, 2, 2), {}),
    ("xcup", ("int3", "int3", 3, 2, 4), {}),
    ("xc7", ("uint3", "int3", 2, 3, 5), {"accumulator": "exact:20"}),
)


def case(target, spec, settings):
    design = tile(*spec, **settings)
    emitted = emit(design, TARGETS[target])
    return Case(design, emitted.verilog, emitted.top, emitted.record["latency_cycles"])


def check(tiles, vectors):
    found = [case(*each) for each in tiles]
    verdicts = simulate(found, vectors=vectors, jobs=1)
    assert [verdict.mismatches for verdict in verdicts] == [0] * len(tiles)
    assert sum(verdict.vectors for verdict in verdicts) >= len(tiles) * vectors
    return len(verdicts)


def test_tiles_equal_golden():
    assert check([TILES[number] for number in (1, 5, 8, 10)], 300) == 4


@pytest.mark.slow
def test_all_tiles_equal_golden():
    assert check(TILES, 2000) == 12


MUTANTS = (
    ("a lost borrow", 0, r"\.carry0\(\w+\[12\]\)", ".carry0(1'h0)"),
    ("another field", 1, r"\.carry1\(\w+\[(\d+)\]\)", ".carry1(rst)"),
    ("halves changed over", 5, r"assign O\[31:16\] = top \* other;",
     "assign O[31:16] = bottom * other;"),
    ("a half without its sign", 5, r"\{8\{A\[15\] & 1'b1\}\}", "8'h0"),
    ("an unsigned factor", 6, r"\{8\{B\[7\] & 1'b1\}\}", "8'h0"),
)  # fmt: skip


def caught(number):
    name, base, pattern, replacement = MUTANTS[number]
    found = case(*TILES[base])
    text, changed = re.subn(pattern, replacement, found.verilog)
    assert changed, name
    wrong = Case(found.design, text, found.top, found.latency_cycles)
    return simulate([wrong], vectors=300, jobs=1)[0].mismatches > 0


def test_a_lost_borrow_is_caught():
    assert caught(0)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, len(MUTANTS)))
def test_mutants_are_caught(number):
    assert caught(number)


def block_of_yosys():
    """Return Yosys' own model of SB_MAC16, the choice between families left out."""
    share = Path(importlib.util.find_spec("pyosys").origin).parent / "share"
    text = (share / "ice40" / "cells_sim.v").read_text(encoding="utf-8")
    block = re.search(r"^module SB_MAC16\b.*?^endmodule", text, re.M | re.S)[0]
    return re.sub(r"`ifdef ICE40_\w+.*?`endif", "", block, flags=re.S) + "\n"


def mismatches_of_the_instance(weight, activation, change=("", "")):
    """Return how often a tile with the primitive itself, as Yosys describes it, is wrong."""
    found = case("ice40", (weight, activation, 1, 2, 2), {})
    assert found.verilog.count("`ifdef SYNTHESIS") == 1
    text = found.verilog.replace("`ifdef SYNTHESIS", "`ifndef NEVER").replace(*change)
    primitive = Case(found.design, text + block_of_yosys(), found.top, found.latency_cycles)
    return simulate([primitive], vectors=500, jobs=1)[0].mismatches


def test_the_instance_is_what_the_model_says():
    assert mismatches_of_the_instance("int8", "int8") == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weight", "activation"), [("uint8", "int8"), ("int8", "uint8"), ("uint8", "uint8")]
)
def test_the_instance_is_what_the_model_says_of_all_signs(weight, activation):
    assert mismatches_of_the_instance(weight, activation) == 0


@pytest.mark.slow
def test_an_instance_with_a_wrong_parameter_is_caught():
    for change in (
        ("MODE_8x8(1'b1)", "MODE_8x8(1'b0)"),
        ("TOPOUTPUT_SELECT(2'b10)", "TOPOUTPUT_SELECT(2'b11)"),
    ):
        assert mismatches_of_the_instance("int8", "int8", change) > 0


def test_halves_without_an_export():
    design = tile("int8", "uint8", 1, 2, 3, accumulator="wrap:24")
    component = build(plan(design, TARGETS["ice40"]))
    rng = np.random.default_rng(5)
    weights, activations = rng.integers(-128, 128, (2, 3)), rng.integers(0, 256, (1, 3))
    total = first_total(component, weights, activations, 8)
    wanted = [int(activations[0] @ weights[c]) & 0xFFFFFF for c in range(2)]
    assert [total & 0xFFFFFF, total >> 24] == wanted
