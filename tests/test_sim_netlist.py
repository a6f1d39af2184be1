"""Mapped netlists: models of the target's cells, the two ways to run them, and golden's verdict."""

import importlib.util
import json
import random
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hw import yosys
from hw.design import from_record
from hw.mapped import GATES, mapped_netlist
from hw.target import names
from sim.netlist import STREAMS, Netlist, pack, unpack
from sim.netlist_check import check, check_netlist
from sim.netlist_graph import graph_of
from sim.netlist_logic import Program
from sim.netlist_parts import Kind
from sweeps.workflow import emit

MAC = {"kind": "mac", "weight": "int4", "structure": "rows", "accumulator": "exact:16"}
MAC8 = {"kind": "mac", "weight": "int8", "structure": "rows"}
TARGETS = tuple(name for name in names() if name in ("xcup", "xc7", "ecp5", "ice40", "gowin"))


@cache
def emitted(target="xcup", **record):
    return emit(from_record(MAC | record), target)


@cache
def module(target="xcup", **record):
    made = emitted("xcup:portable" if target == GATES else target, **record)
    return mapped_netlist(made.verilog, made.top, target)


def changed(found, cell, **parameters):
    """A copy of a netlist with other parameters of one cell."""
    old = found["cells"][cell]
    new = old | {"parameters": old["parameters"] | parameters}
    return found | {"cells": found["cells"] | {cell: new}}


def evaluated(program, name, values):
    known = dict(values, zero=0, ones=1)
    for number, (table, operands) in enumerate(program.steps):
        row = sum(known[operand] << k for k, operand in enumerate(operands))
        known[f"{program.prefix}{number}"] = table >> row & 1
    return known[name]


def test_tables_become_operations_with_the_same_values():
    draw, checked, operations = random.Random(1), 0, []
    tables = [(n, table) for n in range(4) for table in range(1 << (1 << n))]
    tables += [(n, draw.getrandbits(1 << n)) for n in (4, 5, 6) for _ in range(150)]
    for inputs, table in tables:
        letters = tuple("abcdef"[:inputs])
        program = Program("t")
        name = program.name(table, letters)
        operations.append(len(program.steps))
        for row in range(1 << inputs):
            values = {letter: row >> k & 1 for k, letter in enumerate(letters)}
            assert evaluated(program, name, values) == table >> row & 1
            checked += 1
    assert checked > 2000 + 150 * (16 + 32 + 64)
    assert max(operations) <= 15  # eight functions of three inputs and seven multiplexers


LIBRARIES = {
    "xilinx": ("xilinx/cells_sim.v",),
    "ecp5": ("ecp5/common_sim.vh", "ecp5/ccu2c_sim.vh"),
    "ice40": ("ice40/cells_sim.v",),
    "gowin": ("gowin/cells_sim.v",),
}
"""Where Yosys' own models of the cells are."""
CELLS = {
    "xilinx": [
        *(f"LUT{n} #(.INIT({1 << n}'h%R)) u%N ({{0}})" for n in range(1, 7)),
        "LUT6_2 #(.INIT(64'h%R)) u%N ({0})",
        "CARRY4 u%N ({0})",
        "CARRY8 u%N ({0})",
        *(f"MUXF{n} u%N ({{0}})" for n in (7, 8, 9)),
        "FDRE #(.INIT(1'b1)) u%N ({0})",
        "FDRE #(.IS_D_INVERTED(1'b1), .IS_R_INVERTED(1'b1)) u%N ({0})",
        "FDSE u%N ({0})",
        "INV u%N ({0})",
    ],
    "ecp5": [
        "LUT4 #(.INIT(16'h%R)) u%N ({0})",
        'CCU2C #(.INIT0(16\'h%R), .INIT1(16\'h%R), .INJECT1_0("NO"), .INJECT1_1("NO")) u%N ({0})',
        'CCU2C #(.INIT0(16\'h%R), .INIT1(16\'h%R), .INJECT1_0("YES"), .INJECT1_1("NO")) u%N ({0})',
        'CCU2C #(.INIT0(16\'h%R), .INIT1(16\'h%R), .INJECT1_0("NO"), .INJECT1_1("YES")) u%N ({0})',
        "PFUMX u%N ({0})",
        "L6MUX21 u%N ({0})",
        'TRELLIS_FF #(.CEMUX("CE"), .REGSET("SET")) u%N ({0})',
        'TRELLIS_FF #(.CEMUX("INV"), .LSRMUX("INV")) u%N ({0})',
        'TRELLIS_FF #(.CEMUX("1")) u%N ({0})',
    ],
    "ice40": [
        "SB_LUT4 #(.LUT_INIT(16'h%R)) u%N ({0})",
        "SB_CARRY u%N ({0})",
        *(f"SB_DFF{mode} u%N ({{0}})" for mode in ("", "E", "SR", "SS", "ESR", "ESS")),
    ],
    "gowin": [
        *(f"LUT{n} #(.INIT({1 << n}'h%R)) u%N ({{0}})" for n in range(1, 5)),
        *(f"ALU #(.ALU_MODE({mode})) u%N ({{0}})" for mode in range(10)),
        *(f"MUX2_LUT{n} u%N ({{0}})" for n in (5, 6, 7, 8)),
        *(f"DFF{mode} u%N ({{0}})" for mode in ("", "E", "S", "SE", "R", "RE")),
    ],
}
CLOCKS = ("C", "CLK")
ABSENT = {"M"}


@cache
def library(family):
    """The models that `CELLS` needs, without what only times them, and the macros they use."""
    share = Path(importlib.util.find_spec("pyosys").origin).parent / "share"
    text = "\n".join((share / name).read_text() for name in LIBRARIES[family])
    text = re.sub(r"^\s*specify.*?endspecify", "", text, flags=re.M | re.S)
    modules = re.findall(r"^module (\w+).*?^\s*endmodule", text, flags=re.M | re.S)
    wanted = {cell.split()[0] for cell in CELLS[family]} | {"LUT2", "MUX2"}
    assert wanted - {"LUT2", "MUX2"} <= set(modules)
    kept = re.finditer(r"^module (\w+).*?^\s*endmodule", text, flags=re.M | re.S)
    macros = re.findall(r"^`define (?:.*\\\n)*.*$", text, flags=re.M)
    return "\n".join([*macros, *(m[0] for m in kept if m[1] in wanted)])


@cache
def ports(family):
    """Inputs and outputs of the library's modules: name to (port, direction, width)."""
    script = ["read_verilog lib.v", "proc", "write_json lib.json"]
    found = yosys.run(script, {"lib.v": library(family)}, ["lib.json"], timeout=60)["lib.json"]
    return {
        name: [(p, d["direction"], len(d["bits"])) for p, d in module["ports"].items()]
        for name, module in json.loads(found)["modules"].items()
    }


def sample(family):
    """A module with one of each cell, every input of them a port of its own."""
    draw, inputs, outputs, lines = random.Random(7), 0, 0, []
    for number, text in enumerate(CELLS[family]):
        for digits in ("%R",) * text.count("%R"):
            text = text.replace(digits, f"{draw.getrandbits(64):x}", 1)
        pins = []
        for port, direction, width in ports(family)[text.split()[0]]:
            if port in CLOCKS and not text.startswith("LUT"):
                pins.append(f".{port}(clk)")
            elif port in ABSENT:
                continue
            elif direction == "input":
                pins.append(f".{port}(x[{inputs + width - 1}:{inputs}])")
                inputs += width
            else:
                pins.append(f".{port}(y[{outputs + width - 1}:{outputs}])")
                outputs += width
        lines.append(text.replace("%N", str(number)).format(", ".join(pins)) + ";")
    head = f"module top(input clk, input [{inputs - 1}:0] x, output [{outputs - 1}:0] y);"
    return "\n".join([head, *lines, "endmodule"])


@pytest.mark.parametrize("family", CELLS)
def test_cells_do_what_the_models_of_yosys_do(family):
    files = {"top.v": sample(family), "lib.v": library(family)}
    kept = ["read_verilog -lib lib.v", "blackbox =*", "read_verilog top.v", "hierarchy -top top"]
    gates = [
        *("read_verilog lib.v", "read_verilog top.v", "hierarchy -top top", "proc"),
        *("flatten -noscopeinfo", "opt", "techmap", "opt", "dfflegalize -cell $_DFF_P_ 0"),
    ]
    last = ["opt_clean", "delete =A:blackbox", "write_json top.json"]
    texts = [
        yosys.run([*script, *last], files, ["top.json"], timeout=60)["top.json"]
        for script in (kept, gates)
    ]
    ours, theirs = (Netlist(json.loads(text)["modules"]["top"]) for text in texts)
    assert len(ours.graph.cells) >= len({text.split()[0] for text in CELLS[family]})
    assert not set(ours.graph.cells) & set(theirs.graph.cells)
    bits = len(ours.graph.inputs["x"])
    words = np.random.default_rng(2).integers(1 << 64, size=(60, bits, 8), dtype=np.uint64)
    seen, wanted = ours.run(words), theirs.run(words)
    assert seen.shape[1] >= 8
    assert (seen == wanted).all()
    assert (seen.min(axis=(0, 2)) != seen.max(axis=(0, 2))).mean() > 0.8


def test_a_native_library_and_the_interpreter_agree():
    plain, native = Netlist(module()), Netlist(module(), native=True)
    bits = sum(map(len, plain.graph.inputs.values()))
    words = np.random.default_rng(3).integers(1 << 64, size=(40, bits, 8), dtype=np.uint64)
    shown, counted = plain.count(words, skipped=3)
    other, again = native.count(words, skipped=3)
    assert (shown == other).all()
    assert (shown == native.run(words)).all()
    assert (counted.toggles == again.toggles).all()
    assert (counted.high == again.high).all()
    assert counted.cycles == again.cycles == (40 - 1 - 3) * STREAMS


def test_toggles_are_those_of_the_bits():
    netlist = Netlist(module())
    bits = sum(map(len, netlist.graph.inputs.values()))
    raw = np.random.default_rng(4).integers(2, size=(STREAMS, 30, bits), dtype=np.uint8)
    shown, counted = netlist.count(pack(raw), skipped=5)
    assert (unpack(pack(raw)) == raw).all()
    nets = netlist.graph.nets
    kinds = np.array(netlist.graph.kinds)
    toggles = (raw[:, 6:] != raw[:, 5:-1]).sum(axis=(0, 1))
    assert (counted.toggles[kinds == Kind.INPUT] == toggles).all()
    assert (counted.high[kinds == Kind.INPUT] == raw[:, 6:].sum(axis=(0, 1))).all()
    out = unpack(shown)
    wanted = (out[:, 6:] != out[:, 5:-1]).sum(axis=(0, 1))
    places = [b for bits in netlist.graph.outputs.values() for b in bits]
    assert len(places) > 10
    for place, net in enumerate(places):
        assert counted.toggles[nets.index(net)] == wanted[place]
    rates = counted.per_cycle(netlist.graph)
    assert rates[Kind.INPUT] == pytest.approx(bits / 2, rel=0.01)
    assert all(rates[kind] > 0 for kind in Kind)


@pytest.mark.parametrize("target", [*TARGETS, GATES])
def test_the_mapped_netlist_is_golden(target):
    design = from_record(MAC)
    verdict = check_netlist(Netlist(module(target)), design, vectors=10_000)
    assert verdict.passed
    assert verdict.exhaustive
    assert verdict.vectors >= 10_000 // 2
    assert verdict.simulator.startswith("mapped netlist of Yosys")


def test_a_dot_product_with_stages_is_golden():
    made = emitted(kind="dot", lanes=3, weight="e2m1fn", accumulator="wrap:12", pipeline=2)
    verdict = check(made, vectors=20_000)
    assert verdict.passed
    assert verdict.vectors >= 20_000


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_all_pairs_of_eight_bits_and_a_million_vectors(target):
    every = check(emit(from_record(MAC8), target), seed=2)
    assert every.passed
    assert every.exhaustive
    assert every.vectors >= 65536
    dot = from_record({"kind": "dot", "weight": "int8", "activation": "int6", "lanes": 4})
    many = check(emit(dot, target), vectors=1_000_000, seed=3)
    assert many.passed
    assert many.vectors >= 1_000_000


@pytest.mark.parametrize("target", ["xcup", "ice40"])
def test_a_flipped_bit_of_a_table_is_caught(target):
    """Rows of a table that never occur change nothing: unused inputs of LUTs are constant."""
    found, draw, caught = module(target), random.Random(5), 0
    design = from_record(MAC)
    luts = sorted(name for name, cell in found["cells"].items() if "LUT" in cell["type"])
    for _ in range(20):
        cell = draw.choice(luts)
        name = "INIT" if target == "xcup" else "LUT_INIT"
        bits = list(found["cells"][cell]["parameters"][name])
        place = draw.randrange(len(bits))
        bits[place] = "0" if bits[place] == "1" else "1"
        mutant = Netlist(changed(found, cell, **{name: "".join(bits)}))
        verdict = check_netlist(mutant, design)
        caught += not verdict.passed
        assert (verdict.first is None) == verdict.passed
    assert caught >= 10


def test_a_wrong_carry_and_a_wrong_start_are_caught():
    found, design = module("ecp5"), from_record(MAC)
    carry = next(name for name, cell in found["cells"].items() if cell["type"] == "CCU2C")
    mutant = changed(found, carry, INJECT1_1="YES")
    assert not check_netlist(Netlist(mutant), design).passed
    register = next(name for name, cell in found["cells"].items() if cell["type"] == "TRELLIS_FF")
    stuck = changed(found, register, CEMUX="0")
    assert not check_netlist(Netlist(stuck), design).passed


def test_what_cannot_be_simulated_is_refused():
    cells = module()["cells"]
    block = {"block": next(iter(cells.values())) | {"type": "DSP48E2"}}
    with pytest.raises(ValueError, match="cell block is a DSP48E2: map without DSP"):
        graph_of(module() | {"cells": cells | block})
    register = next(name for name, cell in cells.items() if cell["type"] == "FDRE")
    with pytest.raises(ValueError, match="on the falling one"):
        graph_of(changed(module(), register, IS_C_INVERTED="1"))
    moved = cells[register] | {"connections": cells[register]["connections"] | {"C": ["1"]}}
    with pytest.raises(ValueError, match="one clock"):
        graph_of(module() | {"cells": cells | {register: moved}})
    lut = next(name for name, cell in cells.items() if cell["type"] == "LUT6")
    pins = cells[lut]["connections"]
    looped = cells[lut] | {"connections": pins | {"I0": pins["O"]}}
    with pytest.raises(ValueError, match="loop"):
        graph_of(module() | {"cells": cells | {lut: looped}})
    twice = {"again": cells[lut], **cells}
    with pytest.raises(ValueError, match="one driver"):
        graph_of(module() | {"cells": twice})
    netlist = Netlist(module())
    with pytest.raises(ValueError, match="inputs have the shape"):
        netlist.run(np.zeros((4, 3, 8), np.uint64))
    bits = sum(map(len, netlist.graph.inputs.values()))
    with pytest.raises(ValueError, match="leave none to count"):
        netlist.count(np.zeros((4, bits, 8), np.uint64), skipped=3)
    with pytest.raises(ValueError, match="at most 512 streams"):
        pack(np.zeros((513, 2, 2), np.uint8))
    with pytest.raises(ValueError, match="a mac; not the whole"):
        check_netlist(netlist, from_record(MAC | {"kind": "array", "rows": 1, "columns": 1}))
