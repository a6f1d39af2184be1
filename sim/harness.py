"""Floor 3: one Verilog test harness around many designs, so that one simulator is built for all.

Every design gets a clock, a stimulus word and a response word of its own; only the clock of the
design under test runs, so the others cost nothing. Stimuli pass a register on the falling edge and
responses one on the rising edge: the design sees steady inputs around its clock edge, a response
shows what a synchronous neighbour would see there, and the simulator evaluates a design only when
its clock moves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.design import Design
from sim.ports import check_ports, input_layout, output_layout

TOP = "bench"
_MODULE = re.compile(r"^module (\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Case:
    """A design and the Verilog that claims to be it.

    Parameters
    ----------
    design
        What must be computed.
    verilog
        The exported text.
    top
        Its top module.
    latency_cycles
        Clock cycles from the last operands accepted to the (first) total being visible.
    sources
        Files the Verilog needs besides itself: it is an adapter around somebody else's RTL.
    unchecked
        Outputs that are not compared: the RTL has no such port, the adapter holds them at 0.
    sums_alone
        Whether every step is a sum of its own.
    resets
        Whether the run is reset in its middle too, and not only at its start.

    """

    design: Design
    verilog: str
    top: str
    latency_cycles: int
    sources: tuple[Path, ...] = ()
    unchecked: frozenset[str] = frozenset()
    sums_alone: bool = False
    resets: bool = True

    def __post_init__(self) -> None:
        """Reject Verilog whose ports are not those of the design."""
        check_ports(self.verilog, self.top, self.design)

    @property
    def name(self) -> str:
        """Name in reports."""
        return self.top


def read_case(path: Path) -> Case:
    """Return the case of an exported file, from the record in its first line.

    Raises
    ------
    ValueError
        If the file has no readable record.

    """
    import json

    from hw.design import from_record
    from hw.rtl.emit import MARK

    text = path.read_text(encoding="utf-8")
    first = text.split("\n", 1)[0]
    if not first.startswith(MARK):
        raise ValueError(f"the first line of {path} must be a macloom record")
    try:
        record = json.loads(first.removeprefix(MARK))
        design = from_record(record["design"])
        latency = int(record["latency_cycles"])
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"the record in the first line of {path} is damaged: {error}") from None
    return Case(design, text, design.slug, latency)


def renamed(verilog: str, prefix: str) -> str:
    """Return Verilog whose modules carry a prefix, so that several designs fit in one program."""
    names = "|".join(map(re.escape, _MODULE.findall(verilog)))
    use = re.compile(rf"^(\s*(?:module )?)({names})(\s*#?\(|\s+\w+\s*\()", re.MULTILINE)
    return use.sub(rf"\g<1>{prefix}\g<2>\g<3>", verilog)


def harness(cases: Sequence[Case]) -> str:
    """Return a program around the module `TOP`; design i has ``d<i>_clk`` and so on."""
    bodies = [_instance(i, case) for i, case in enumerate(cases)]
    modules = [renamed(case.verilog, f"d{i}_") for i, case in enumerate(cases)]
    return "\n".join([*modules, f"module {TOP};", *bodies, "endmodule", ""])


def _instance(index: int, case: Case) -> str:
    """Return the registers and the instance of one design."""
    name = f"d{index}"
    inputs, outputs = input_layout(case.design), output_layout(case.design)
    pins = [f".clk({name}_clk)"]
    pins += [f".{f.name}({name}_applied{inputs.part_select(f.name)})" for f in inputs.fields]
    pins += [f".{f.name}({name}_shown{outputs.part_select(f.name)})" for f in outputs.fields]
    return f"""
  reg {name}_clk /*verilator public_flat_rw*/ = 0;
  reg [{inputs.width - 1}:0] {name}_stimulus /*verilator public_flat_rw*/ = 0;
  reg [{outputs.width - 1}:0] {name}_response /*verilator public_flat_rd*/ = 0;
  reg [{inputs.width - 1}:0] {name}_applied = 0;
  wire [{outputs.width - 1}:0] {name}_shown;
  always @(negedge {name}_clk) {name}_applied <= {name}_stimulus;
  always @(posedge {name}_clk) {name}_response <= {name}_shown;
  {name}_{case.top} {name}_dut ({", ".join(pins)});"""
