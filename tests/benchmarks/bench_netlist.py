"""Cells × vectors per second of mapped netlists: ours against CXXRTL on the same netlist."""

import ctypes
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from measure import Row, least_seconds

from hw import yosys
from hw.design import from_record
from hw.rtl import emit
from hw.synthesis import Job, mapping_commands
from hw.target import load
from sim.library import OPTIMISE
from sim.netlist import netlist_of
from sim.netlist_source import STREAMS
from sim.process import Children, work_folder
from sim.toolchain import compiler

CYCLES, PEER_VECTORS = 256, 20_000
DESIGNS = (
    {"kind": "mac", "weight": "int8", "structure": "rows"},
    {"kind": "dot", "weight": "int8", "lanes": 8, "structure": "rows"},
)

_DRIVER = """
#include "netlist.h"
static unsigned state = 2463534242u;
template<std::size_t BITS> void fill(cxxrtl::value<BITS> &port) {
    for (auto &word : port.data) {
        state ^= state << 13; state ^= state >> 17; state ^= state << 5;
        word = state;
    }
    port.data[port.chunks - 1] &= port.msb_mask;
}
extern "C" void run(unsigned long vectors) {
    static cxxrtl_design::p_@TOP@ top;
    top.p_valid.set<bool>(true);
    for (unsigned long i = 0; i < vectors; i++) {
        fill(top.p_weight);
        fill(top.p_activation);
        top.p_clk.set<bool>(false);
        top.step();
        top.p_clk.set<bool>(true);
        top.step();
    }
}
"""


def rows() -> Iterator[Row]:
    """Mapped to UltraScale+; a cell is one of Yosys' count, registers included."""
    for record in DESIGNS:
        design = from_record(record)
        emitted = emit(design, load("xcup"))
        peer, peer_name = _cxxrtl(emitted.verilog, emitted.top), "CXXRTL"
        for native in (False, True):
            netlist = netlist_of(emitted, native=native)
            cells = sum(netlist.graph.cells.values())
            bits = sum(map(len, netlist.graph.inputs.values()))
            rng = np.random.default_rng(1)
            words = rng.integers(1 << 64, size=(CYCLES, bits, STREAMS // 64), dtype=np.uint64)
            plain, counted, theirs = least_seconds(
                lambda netlist=netlist, words=words: netlist.run(words),
                lambda netlist=netlist, words=words: netlist.count(words),
                lambda peer=peer: peer(PEER_VECTORS),
            )
            done, reached = cells * CYCLES * STREAMS, cells * PEER_VECTORS / theirs
            how = "compiled" if native else "one library"
            for what, seconds in (("", plain), (", toggles counted", counted)):
                name = f"{design.size_slug} int8, {how}{what}"
                yield Row(name, done / seconds, "cells × vectors/s", reached, peer_name)


def _cxxrtl(verilog: str, top: str) -> Callable[[int], None]:
    """Return the peer: the mapped netlist with Yosys' cell models, compiled by CXXRTL."""
    mapped = yosys.run(
        [*mapping_commands(Job(verilog, top, "xcup")), "write_verilog -noattr mapped.v"],
        {"design.v": verilog},
        ["mapped.v"],
    )["mapped.v"]
    script = [
        *("read_verilog +/xilinx/cells_sim.v", "read_verilog -overwrite mapped.v"),
        *(f"hierarchy -top {top}", "proc", "flatten -noscopeinfo", "opt_clean"),
        "write_cxxrtl -header -noflatten netlist.cc",
    ]
    files = yosys.run(script, {"mapped.v": mapped}, ["netlist.cc", "netlist.h"])
    found = importlib.util.find_spec("pyosys")
    assert found is not None
    assert found.origin is not None
    include = Path(found.origin).parent / "share/include/backends/cxxrtl/runtime"
    driver = _DRIVER.replace("@TOP@", top.replace("_", "__"))
    with work_folder(None, "macloom-bench-") as folder, Children() as children:
        for name, text in {**files, "driver.cc": driver}.items():
            (folder / name).write_text(text)
        command = [compiler().path, "-O2", *OPTIMISE, f"-I{include}", "netlist.cc", "driver.cc"]
        children.run("g++", [*command, "-o", "peer.so"], folder, folder / "build.log")
        function = ctypes.CDLL(str(folder / "peer.so")).run
    function.argtypes, function.restype = [ctypes.c_ulong], None
    return function
