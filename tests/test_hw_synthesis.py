"""hw.synthesis, hw.area, hw.cache: known circuits, the reference flow, the cache, many at once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hw import synthesis
from hw.area import count_netlist
from hw.cache import Cache, CacheWarning, content_key, default_folder
from hw.synthesis import Job, Measurement, synthesize, synthesize_many
from hw.target import load
from hw.yosys import YosysError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Give each test a cache of its own."""
    monkeypatch.setenv("MACLOOM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def product(bits):
    return (
        f"module product(input signed [{bits - 1}:0] a, b, output signed [{2 * bits - 1}:0] p);\n"
        "  assign p = a * b;\nendmodule\n"
    )


def mac(bits, accumulator):
    return (
        f"module mac(input clk, input rst, input signed [{bits - 1}:0] a, b,"
        f" output signed [{accumulator - 1}:0] y);\n"
        f"  reg signed [{accumulator - 1}:0] acc;\n  assign y = acc;\n"
        "  always @(posedge clk) if (rst) acc <= 0; else acc <= acc + a * b;\nendmodule\n"
    )


ADDER = "module m(input [7:0] a, b, output [7:0] y); assign y = a + b; endmodule\n"
CARRY_OUT = "module m(input [7:0] a, b, output [8:0] y); assign y = a + b; endmodule\n"
COUNTER = """module m(input clk, output reg [7:0] q);
  always @(posedge clk) q <= q + 1;
endmodule
"""
# a carry chain into which one operand goes bare: 6 bits above a 2-bit sum are carried on only
LONG_CARRY = """module m(input [7:0] a, input [1:0] b, input c, output [7:0] y);
  assign y = a + b + c;
endmodule
"""
NEGATED = """module m(input [7:0] a, b, input n, output [7:0] y);
  assign y = a + (b ^ {8{n}}) + n;
endmodule
"""
SHARED = """module m(input [3:0] s, d, input c, output [3:0] y, z);
  wire k;
  LUT2 #(.INIT(4'h6)) lut(.I0(s[0]), .I1(s[1]), .O(k));
  CARRY4 chain(.CI(1'b0), .CYINIT(c), .DI(d), .S({1'b0, s[2], k, k}), .O(y), .CO(z));
endmodule
"""
PART = """module m(input [3:0] s, d, input c, output y);
  CARRY4 chain(.CI(1'b0), .CYINIT(c), .DI(d), .S(s), .O({o3, o2, y, o0}), .CO());
endmodule
"""
INVERTERS = """module m(input c, d, a, output reg q, output y);
  wire n, k;
  INV first(.I(c), .O(n));
  INV second(.I(a), .O(y));
  FDRE #(.INIT(1'b0)) ff(.C(n), .CE(1'b1), .R(1'b0), .D(d), .Q(q));
endmodule
"""


@pytest.mark.parametrize(
    ("verilog", "target", "lut", "sites", "carry_bits", "ff"),
    [
        (ADDER, "xcup", 8, 8, 8, 0),
        (ADDER, "xc7", 8, 8, 8, 0),
        (ADDER, "ecp5", 8, 8, 8, 0),
        (ADDER, "ice40", 8, 8, 7, 0),
        (ADDER, "gowin", 8, 8, 8, 0),
        (NEGATED, "gowin", 16, 17, 8, 0),  # a LUT per operand bit, and the net goes in by an ALU
        (COUNTER, "gowin", 9, 9, 8, 8),  # an inverter for q[0], whose ALU still starts the carry
        (CARRY_OUT, "xcup", 8, 9, 9, 0),  # the carry comes out through a bit of its own
        (COUNTER, "xcup", 0, 8, 8, 8),  # bits q[7:1] go to S bare; q[0] needs an inverter
        (LONG_CARRY, "xcup", 2, 8, 8, 0),
        (NEGATED, "xcup", 8, 8, 8, 0),
        (NEGATED, "ecp5", 16, 16, 8, 0),
        (SHARED, "xcup", 1, 4, 4, 0),  # two bits share a LUT, one is bare, one constant
        (PART, "xcup", 0, 2, 2, 0),  # the two upper bits are not in use
        (INVERTERS, "xcup", 0, 1, 0, 1),  # the inverter of a clock is free
    ],
)
def test_known_circuits(verilog, target, lut, sites, carry_bits, ff):
    found = synthesize(verilog, "m", target, cache=False)
    assert (found.lut, found.sites, found.carry_bits, found.ff) == (lut, sites, carry_bits, ff)
    assert found.transistors == found.dsp == found.bram == 0


def test_ice40_carry_that_shares_no_lut_is_a_site():
    verilog = """module m(input a, b, c, d, output y, z, n);
      wire k;
      SB_CARRY first(.CI(1'b0), .I0(a), .I1(b), .CO(k));
      SB_CARRY second(.CI(k), .I0(c), .I1(d), .CO(n));
      SB_LUT4 #(.LUT_INIT(16'h6996)) lut(.I0(1'b0), .I1(c), .I2(d), .I3(k), .O(y));
      SB_CARRY third(.CI(b), .I0(c), .I1(a), .CO(z));
    endmodule
    """
    found = synthesize(verilog, "m", "ice40", cache=False)
    # the first shares nothing, the second does, the third shares nothing and starts at a net
    assert (found.lut, found.carry_bits, found.sites) == (1, 3, 1 + 1 + 2)


def test_gowin_ends_of_chains_are_sites():
    verilog = """module m(input [2:0] a, b, input c, output y, z);
      wire [2:0] k;
      ALU #(.ALU_MODE(2)) first(.I0(a[0]), .I1(b[0]), .I3(1'b1), .CIN(c), .COUT(k[0]), .SUM());
      ALU #(.ALU_MODE(2)) second(.I0(a[1]), .I1(b[1]), .I3(1'b1), .CIN(k[0]), .COUT(k[1]), .SUM(y));
      ALU #(.ALU_MODE(2)) other(.I0(a[2]), .I1(b[2]), .I3(1'b1), .CIN(1'b0), .COUT(k[2]), .SUM());
      assign z = k[2];
    endmodule
    """
    found = synthesize(verilog, "m", "gowin", cache=False)
    # three ALUs; one more to bring c in, one more to take the carry out
    assert (found.lut, found.carry, found.carry_bits, found.sites) == (3, 3, 3, 5)


def test_hierarchy_is_summed_with_its_instances():
    verilog = """
    (* keep_hierarchy *)
    module row(input [7:0] a, b, output [7:0] y); assign y = a + b; endmodule
    (* keep_hierarchy *)
    module pair(input [7:0] a, b, c, output [7:0] y);
      wire [7:0] k; row first(a, b, k); row second(k, c, y);
    endmodule
    module m(input [7:0] a, b, c, d, e, output [7:0] y);
      wire [7:0] k; pair first(a, b, c, k); pair second(k, d, e, y);
    endmodule
    """
    for target in ("xcup", "ecp5", "ice40"):
        found = synthesize(verilog, "m", target, cache=False)
        assert {name: row["instances"] for name, row in found.by_module.items()} == {
            "m": 1,
            "pair": 2,
            "row": 4,
        }
        row = found.by_module["row"]
        assert found.lut == 4 * row["lut"] == 32
        assert (found.sites, found.carry_bits) == (4 * row["sites"], 4 * row["carry_bits"])
        assert found.by_module["m"]["lut"] == found.by_module["pair"]["lut"] == 0
        assert sum(found.by_cell.values()) == {"xcup": 40, "ecp5": 16, "ice40": 60}[target]


@pytest.mark.parametrize(
    ("bits", "target", "lut"),
    [
        *((8, "xcup", 134), (4, "xcup", 26), (3, "xcup", 8)),
        *((8, "ecp5", 306), (4, "ecp5", 65), (3, "ecp5", 29)),
    ],
)
def test_products_are_those_of_the_reference_flow(bits, target, lut):
    assert synthesize(product(bits), "product", target, cache=False).lut == lut


@pytest.mark.parametrize(("bits", "transistors"), [(8, 3336), (4, 738), (3, 276)])
def test_transistors_are_those_of_the_reference_flow(bits, transistors):
    found = synthesize(product(bits), "product", "cmos", cache=False)
    assert (found.transistors, found.lut, found.sites) == (transistors, 0, 0)


@pytest.mark.parametrize(
    ("bits", "accumulator", "target", "lut"),
    [
        *((8, 32, "xcup", 259), (6, 24, "xcup", 123), (4, 20, "xcup", 63)),
        *((8, 32, "ecp5", 528), (6, 24, "ecp5", 238), (4, 20, "ecp5", 111)),
    ],
)
def test_registered_macs_are_those_of_the_reference_flow(bits, accumulator, target, lut):
    found = synthesize(mac(bits, accumulator), "mac", target, cache=False)
    assert (found.lut, found.ff) == (lut, accumulator)


MEMORY = """module m(input clk, input [3:0] i, j, input [7:0] d, input w, output [7:0] y, z);
  reg [7:0] store [15:0];
  always @(posedge clk) if (w) store[i] <= d;
  assign y = store[j];
  reg [7:0] r;
  assign z = r;
  always @* case (i) 0: r = 3; 1: r = 77; 2: r = 9; 5: r = 200; 9: r = d; default: r = 1; endcase
endmodule
"""


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "verilog",
    [
        pytest.param(MEMORY, id="memory"),
        pytest.param(ADDER, id="adder", marks=SLOW),
        pytest.param(COUNTER, id="counter", marks=SLOW),
        pytest.param(NEGATED, id="negated", marks=SLOW),
        pytest.param(mac(6, 24).replace("mac(", "m("), id="mac", marks=SLOW),
    ],
)
def test_short_flow_counts_as_the_whole_command(verilog, monkeypatch):
    short = synthesize(verilog, "m", "xcup", cache=False)
    monkeypatch.setattr(synthesis, "_short_xilinx", lambda command, top: [f"{command} -top {top}"])
    whole = synthesize(verilog, "m", "xcup", cache=False)
    assert short.flow != whole.flow
    assert short.by_cell == whole.by_cell
    assert short.sites == whole.sites


def test_memories_in_luts_are_sites():
    found = synthesize(MEMORY, "m", "xcup", cache=False)
    assert found.lutram == sum(n for cell, n in found.by_cell.items() if cell.startswith("RAM")) > 0
    assert found.sites > found.lut


def test_dsp_is_used_only_when_allowed():
    assert synthesize(product(8), "product", "ecp5", cache=False).dsp == 0
    allowed = synthesize(product(8), "product", "ecp5", dsp=True, cache=False)
    assert (allowed.dsp, allowed.lut) == (1, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("target", "lut"), [("xcup", 0), ("ice40", 0)])
def test_dsp_on_the_other_targets(target, lut):
    found = synthesize(product(8), "product", target, dsp=True, cache=False)
    assert (found.dsp, found.lut) == (1, lut)


def test_systemverilog_sources(tmp_path):
    file = tmp_path / "an adder.sv"
    file.write_text(
        "module m #(parameter int W = 8) (input logic [W-1:0] a, b, output logic [W-1:0] y);\n"
        "  always_comb y = a + b;\nendmodule\n"
    )
    found = synthesize("", "m", "ecp5", sources=[file])
    assert (found.lut, found.carry) == (8, 4)


def test_target_by_record_and_by_name():
    assert synthesize(ADDER, "m", load("ecp5")) == synthesize(ADDER, "m", "ecp5")


def test_wrong_input_is_one_line():
    with pytest.raises(ValueError, match=r"target is one of .* not 'xcupp'; did you mean 'xcup'"):
        synthesize(ADDER, "m", "xcupp")
    with pytest.raises(YosysError, match="Module `n' not found"):
        synthesize(ADDER, "n", "xcup")
    with pytest.raises(YosysError, match="syntax error"):
        synthesize("module m(input a; endmodule", "m", "xcup")


def test_unmapped_cells_are_refused():
    modules = {"m": {"ports": {}, "cells": {"x": {"type": "$mul", "connections": {}}}}}
    total, _ = count_netlist(modules, "m")
    with pytest.raises(ValueError, match=r"every cell must be mapped .* \$mul was left"):
        synthesis._no_unmapped(total)


def test_record_round_trip():
    found = synthesize(ADDER, "m", "ecp5")
    record = json.loads(json.dumps(found.to_record()))
    assert Measurement.from_record(record) == found
    assert {"lut", "sites", "ff", "carry", "dsp", "target", "tool", "seconds"} <= record.keys()
    assert found.tool.startswith("Yosys 0.")


def test_cache_is_used_and_ignores_the_header(monkeypatch):
    first = synthesize(f'// macloom {{"hash": 1}}\n{ADDER}', "m", "ecp5")
    monkeypatch.setattr("hw.yosys.run", None)  # must not be called again
    assert synthesize(f"// another header\n// of two lines\n{ADDER}", "m", "ecp5") == first
    with pytest.raises(TypeError):
        synthesize(ADDER.replace("7:0", "6:0"), "m", "ecp5")
    with pytest.raises(TypeError):
        synthesize(ADDER, "m", "ecp5", cache=False)


@pytest.mark.parametrize("damage", ["", "{}", "nonsense", '{"sha256": "0", "result": {"lut": 1}}'])
def test_corrupt_entry_is_reported_and_computed_again(folder, damage):
    first = synthesize(ADDER, "m", "ecp5")
    (entry,) = folder.rglob("*.json")
    whole = entry.read_text()
    entry.write_text(damage or whole.replace('"lut": 8', '"lut": 7'))
    with pytest.warns(CacheWarning, match="corrupt; computing it again"):
        again = synthesize(ADDER, "m", "ecp5")
    assert again.by_cell == first.by_cell
    assert json.loads(entry.read_text())["result"]["lut"] == 8


def test_folder_that_cannot_be_written_is_reported(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("MACLOOM_CACHE", str(file / "below"))
    with pytest.warns(CacheWarning) as warned:
        assert synthesize(ADDER, "m", "ecp5").lut == 8
    assert "cannot write the cache" in str(warned[-1].message)
    assert "\n" not in str(warned[-1].message)


def test_default_folder(monkeypatch):
    monkeypatch.delenv("MACLOOM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert default_folder() == Path("/x/macloom")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == Path.home() / ".cache/macloom"


def test_content_key_keeps_parts_apart():
    assert len({content_key("ab", "c"), content_key("a", "bc"), content_key("abc")}) == 3


def test_cache_entries_appear_whole(folder):
    cache = Cache("kind")
    key = content_key("x")
    cache.put(key, {"a": 1})
    cache.put(key, {"a": 2})
    assert cache.get(key) == {"a": 2}
    assert [path.name for path in folder.rglob("*") if path.is_file()] == [f"{key}.json"]


def test_many_keep_their_order_and_do_equal_jobs_once():
    jobs = [Job(product(bits), "product", "ecp5") for bits in (3, 4, 3)]
    seen = []
    found = synthesize_many(jobs, 2, lambda *state: seen.append(state))
    assert [m.lut for m in found] == [29, 65, 29]
    assert [state[:2] for state in seen] == [(1, 2), (2, 2)]


def test_many_with_a_wrong_job_raises_and_keeps_the_others(folder):
    jobs = [
        Job(ADDER, "m", "ecp5"),
        Job("module m(", "m", "ecp5"),
        Job(product(8), "product", "xcup"),
    ]
    with pytest.raises(YosysError, match="syntax error"):
        synthesize_many(jobs, 1)
    assert len(list(folder.rglob("*.json"))) == 1


def test_interrupt_leaves_no_process_behind(folder):
    program = (
        "from hw.synthesis import Job, synthesize_many\n"
        "wide = 'module m(input [199:0] a, b, output [399:0] p); assign p = a * b; endmodule'\n"
        f"small = {ADDER!r}\n"
        "done = lambda *state: print('done', flush=True)\n"
        "try:\n"
        "    synthesize_many([Job(small, 'm', 'ecp5'), Job(wide, 'm', 'xcup')], 2, done)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "MACLOOM_CACHE": str(folder)},
    )
    assert run.stdout.readline() == "done\n"
    children = _children(run.pid)
    assert children
    started = time.monotonic()
    run.send_signal(signal.SIGINT)
    assert run.communicate(timeout=20)[0] == "interrupted\n"
    assert time.monotonic() - started < 15
    assert run.returncode == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert len(list(folder.rglob("*.json"))) == 1


def _children(pid):
    """Pids of a process' descendants."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_children(int(child))]
    return found
