"""Clocks by published delays: paths of made-up netlists, outside sources, what has no delay."""

import re
from importlib.resources import files

import pytest

from hw import logical, yosys
from hw.design import from_record
from hw.rtl import emit
from hw.target import load

KNOWN = logical.published("xcup")
ADDER = """
module adder(input clk, input [15:0] a, input [15:0] b, output [15:0] y);
  assign y = a + b;
endmodule
"""
LUTS_ONLY = """
module luts(input [23:0] a, output [3:0] y);
  wire [3:0] b = {^a[5:0], &a[11:6], |a[17:12], ^a[23:18]};
  assign y = b ^ {b[0] & a[3], b[1] | a[9], b[2] & a[0], b[3] ^ a[23]};
endmodule
"""


def cell(kind, inputs, outputs, **parameters):
    directions = dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output")
    return {
        "type": kind,
        "parameters": parameters,
        "connections": inputs | outputs,
        "port_directions": directions,
    }


def register(d, q):
    return cell("FDRE", {"D": [d], "C": ["0"]}, {"Q": [q]})


def path(**cells):
    return logical.longest({"cells": cells}, KNOWN)


def test_a_path_is_the_sum_of_its_cells_and_wires():
    found = path(
        first=register("0", 1), lut=cell("LUT1", {"I0": [1]}, {"O": [2]}), last=register(2, 3)
    )
    wires = 2 * KNOWN.wire(1)
    logic = KNOWN.clock_to_output + KNOWN.lut + KNOWN.setup
    assert (found.wires, found.routing_ns) == (2, pytest.approx(wires, abs=1e-3))
    assert found.logic_ns == pytest.approx(logic, abs=1e-3)
    assert found.mhz == pytest.approx(1000 / (wires + logic), abs=0.01)


def test_wires_with_more_sinks_take_longer():
    sinks = {f"sink{n}": register(1, 10 + n) for n in range(9)}
    found = path(first=register("0", 1), **sinks)
    assert found.routing_ns == pytest.approx(KNOWN.wire(9), abs=1e-3)
    assert KNOWN.wire(1) < KNOWN.wire(9) < KNOWN.wire(500)


def test_an_output_of_a_pair_waits_only_for_what_it_reads():
    """O5 is I0, so that the slow I1 does not count; were it not looked at, it would."""
    slow = cell("LUT1", {"I0": [1]}, {"O": [2]})
    pins = {"I0": [1], "I1": [2], "I2": ["0"], "I3": ["0"], "I4": ["0"], "I5": ["1"]}
    lower, upper = 0xAAAAAAAA, 0xCCCCCCCC  # I0 and I1
    truth = f"{upper << 32 | lower:064b}"
    for port, luts in (("O5", 1), ("O6", 2)):
        pair = cell("LUT6_2", pins, {port: [3]}, INIT=truth)
        found = path(first=register("0", 1), slow=slow, pair=pair, last=register(3, 4))
        assert found.wires == luts + 1, port


def test_chains_and_loops():
    nets = {"S": [1, 1, 1, 1], "DI": ["0"] * 4}
    low = cell("CARRY4", nets | {"CYINIT": ["0"]}, {"O": [2, 3, 4, 5], "CO": [6, 7, 8, 9]})
    high = cell("CARRY4", nets | {"CI": [9]}, {"O": [12, 13, 14, 15], "CO": [16, 17, 18, 19]})
    one = path(first=register("0", 1), low=low, last=register(5, 20))
    two = path(first=register("0", 1), low=low, high=high, last=register(15, 20))
    assert two.logic_ns - one.logic_ns == pytest.approx(
        KNOWN.carry["pass"]
        + KNOWN.carry["leave"]
        + KNOWN.carry["enter"]
        - KNOWN.carry["leave"]
        - KNOWN.carry["sum"],
        abs=0.13,
    )
    assert two.logic_ns > one.logic_ns
    assert (one.wires, two.wires) == (2, 2)
    loop = {"a": cell("LUT1", {"I0": [1]}, {"O": [2]}), "b": cell("LUT1", {"I0": [2]}, {"O": [1]})}
    with pytest.raises(ValueError, match="form a loop"):
        path(**loop)


def test_what_has_no_delay_is_refused():
    with pytest.raises(ValueError, match="delays are published for xcup, xc7, not for ecp5"):
        logical.published("ecp5")
    with pytest.raises(ValueError, match="no delay is published for a RAMB36E1"):
        path(first=register("0", 1), ram=cell("RAMB36E1", {"A": [1]}, {"DO": [2]}))


def test_the_sum_along_luts_is_that_of_yosys_sta():
    """With one time for all inputs of a LUT and no wires, Yosys' own analysis gives the same."""
    script = ["read_verilog design.v", "synth_xilinx -family xc7 -noiopad -top luts"]
    script += ["read_verilog -lib -specify +/xilinx/cells_sim.v", "tee -o sta.txt sta"]
    made = yosys.run(script, {"design.v": LUTS_ONLY}, ["sta.txt"])
    levels = [line for line in made["sta.txt"].splitlines() if "(LUT" in line]
    latest = int(re.search(r"Latest arrival time in 'luts' is (\d+)", made["sta.txt"])[1])
    assert len(levels) == 2
    assert len(levels) * 127 <= latest <= len(levels) * 642  # Yosys' fastest and slowest input


def test_times_of_a_carry_chain_are_those_yosys_quotes():
    """Of xc7: CARRY4's CI to CO[3], and from its select inputs, in Yosys' cell library."""
    library = files("pyosys") / "share" / "xilinx" / "cells_sim.v"
    body = library.read_text(encoding="utf-8").split("module CARRY4(")[1].split("endmodule")[0]
    arcs = {key: int(ps) for key, ps in re.findall(r"\(([A-Z\[\]0-9]+\s*=> \S+)\) = (\d+);", body)}
    times = {re.sub(r"\s+", "", key): ps for key, ps in arcs.items()}
    known = logical.published("xc7").carry
    assert known["pass"] * 1000 == times["CI=>CO[3]"]
    selects = [times[f"S[{bit}]=>CO[3]"] for bit in range(4)]
    assert min(selects) <= known["enter"] * 1000 <= max(selects)
    sums = [times[f"CI=>O[{bit}]"] for bit in range(4)]
    assert min(sums) <= known["leave"] * 1000 <= max(sums)


def test_an_adder():
    found = logical.measure(ADDER, "adder", target=load("xcup"), cache=False)
    assert 700 < found.fmax_mhz < 1200
    assert found.seed_mhz == (found.fmax_mhz,)
    assert "published delays" in found.tool


@pytest.mark.slow
def test_a_product_on_both_families():
    dot = from_record({"kind": "dot", "weight": "int4", "lanes": 2, "structure": "rows"})
    clocks = []
    for name in logical.LOGICAL:
        made = emit(dot, load(name))
        clocks.append(logical.measure(made.verilog, made.top, target=load(name), cache=False))
    assert clocks[0].fmax_mhz > 2 * clocks[1].fmax_mhz
