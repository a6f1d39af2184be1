"""Floor 2a: `build(plan)` to an Amaranth component, and its clean Verilog with a sidecar record."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design import BitPlane, BroadcastTile, Design, OutputStationaryArray, WeightStationaryArray
from hw.pipeline import insert, stages_for
from hw.plan import PackedDotPlan, PackedTilePlan, Plan, StationaryPlan, plan
from hw.plan.core import plan_unstaged
from hw.plan.serial import SerialCorePlan
from hw.rtl.array import SystolicArray
from hw.rtl.cores import core_of
from hw.rtl.library import Library
from hw.rtl.packed import PackedTile
from hw.rtl.serial_kinds import build_serial
from hw.rtl.stationary import FlatStationaryArray, StationaryArray
from hw.rtl.tile import Tile
from hw.rtl.xilinx import models
from hw.target import Target

MARK = "// macloom "
"""How the first line of an emitted file starts; the record follows as JSON."""
RECORD_VERSION = 1
DISTANT_STAGES, DISTANT_LANES = 2, 16
CONTROL_WAVES: dict[type[Design], int] = {
    OutputStationaryArray: 1,
    WeightStationaryArray: 2,
    BitPlane: 1,
}
"""Registers per stage that lead control around cells: that they have their sums, or ``valid`` and
``last`` of the accumulators below."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """Verilog of a design.

    Parameters
    ----------
    verilog
        The text; its first line is the record.
    top
        Name of the top module.
    record
        Design, target, latency, initiation interval, content hash.

    """

    verilog: str
    top: str
    record: dict[str, Any]


class FlatArray(wiring.Component):
    """The array with its streams as plain ports (see the port list in the README)."""

    def __init__(self, hardware_plan: Plan) -> None:
        self.plan = hardware_plan
        design, array = hardware_plan.design, hardware_plan.array
        assert array is not None
        ports = {
            "operands_valid": In(1),
            "operands_ready": Out(1),
            "operands_last": In(1),
            "weight": In(array.weight_bits * array.columns),
            "activation": In(array.activation_bits * array.rows),
            "result_valid": Out(1),
            "result_ready": In(1),
            "result_last": Out(1),
            "result": Out(design.accumulator_bits * array.columns),
        }
        if design.exponent_bits:
            ports["result_exponent"] = Out(design.exponent_bits * array.columns)
        super().__init__(ports | {f"result_{flag}": Out(array.columns) for flag in design.flags})

    def elaborate(self, platform: object) -> Module:
        """Connect the streams' fields to the ports."""
        m = Module()
        m.submodules["array"] = array = SystolicArray(self.plan)
        operands, results = array.operands, array.results
        m.d.comb += [
            operands.valid.eq(self.operands_valid),
            operands.p.last.eq(self.operands_last),
            operands.p.weight.as_value().eq(self.weight),
            operands.p.activation.as_value().eq(self.activation),
            self.operands_ready.eq(operands.ready),
            self.result_valid.eq(results.valid),
            results.ready.eq(self.result_ready),
            self.result_last.eq(results.p.last),
            self.result.eq(Cat(results.p.result.as_value())),
        ]
        for name in results.p.shape().members:
            if name not in ("result", "last"):
                port = getattr(self, f"result_{name}")
                m.d.comb += port.eq(results.p[name].as_value())
        return m


def build(hardware_plan: Plan) -> wiring.Component:
    """Return the Amaranth component of a plan: `Core`, `Tile`, or `SystolicArray` with streams."""
    if hardware_plan.array is not None:
        return SystolicArray(hardware_plan)
    if isinstance(hardware_plan.core, PackedTilePlan):
        return PackedTile(hardware_plan)
    if isinstance(hardware_plan.core, StationaryPlan):
        return StationaryArray(hardware_plan.core)
    if isinstance(hardware_plan.core, SerialCorePlan):
        return build_serial(hardware_plan.core)
    if isinstance(hardware_plan.design, BroadcastTile):
        return Tile(hardware_plan)
    return core_of(hardware_plan.core)


def _flat(hardware_plan: Plan) -> wiring.Component:
    """Return the component with plain ports."""
    if isinstance(hardware_plan.core, StationaryPlan):
        return FlatStationaryArray(hardware_plan.core)
    return FlatArray(hardware_plan) if hardware_plan.array else build(hardware_plan)


class _Stages:
    """Places the pipeline registers of a design and keeps what the record says of them."""

    def __init__(self, top: str, design: Design, lut_inputs: int) -> None:
        self.top = top
        self.stages = design.pipeline
        self.lut_inputs = lut_inputs
        self.waves = CONTROL_WAVES.get(type(design), 0)
        self.record: dict[str, Any] = {}

    def insert(self, netlist: dict[str, Any]) -> dict[str, Any]:
        """Return the netlist with its registers."""
        found = insert(netlist, self.top, self.stages, self.lut_inputs)
        control = self.waves * self.stages
        chains = Counter(found.chains)
        chains.update({1: control})
        self.record = {
            "pipeline_registers": found.registers + control,
            "pipeline_chains": {str(length): n for length, n in sorted(chains.items()) if n},
            "path_ns": found.path_ns,
        }
        return found.netlist


def netlist(design: Design, target: Target) -> tuple[dict[str, Any], str]:
    """Return a design without pipeline registers as Yosys' JSON, and its top module.

    It is planned for registers (`hw.plan.core.plan_unstaged`).

    Raises
    ------
    ValueError, hw.errors.MissingTool
        As `emit`.

    """
    from hw.yosys import clean_verilog

    plain = replace(design, pipeline=0)
    flat = _flat(plan_unstaged(plain, target))
    library = Library(f"{plain.slug}_", target.primitives)
    text = library.convert(flat, plain.slug)
    found: list[dict[str, Any]] = []

    def keep(modules: dict[str, Any]) -> dict[str, Any]:
        found.append(modules)
        return modules

    clean_verilog(text, plain.slug, library.names.__contains__, keep)
    return found[0], plain.slug


def stages_for_clock(design: Design, target: Target, period_ns: float) -> int:
    """Return the fewest pipeline stages with which a design's paths are at most so long.

    The delays are those of `hw.pipeline`. From 16 lanes on two more stages lead to the
    accumulators: a register per bit of the sum, which lets them lie apart from the trees (32 lanes
    of int8 on ECP5, three seeds each: 200 MHz without, 216 with them).

    Raises
    ------
    ValueError
        As `emit`, or if no number of stages suffices: the message names what takes longer and the
        clock that can be reached.

    """
    found = stages_for(*netlist(design, target), period_ns, target.lut_inputs)
    lanes = design.lane_count if isinstance(design, WeightStationaryArray) else design.lanes
    return found + (DISTANT_STAGES if found and lanes >= DISTANT_LANES else 0)


def _packing_record(hardware_plan: Plan) -> dict[str, Any]:
    """Return what the record says of packed products."""
    core = hardware_plan.core
    if isinstance(core, PackedTilePlan | PackedDotPlan):
        return {"packing": core.to_record()}
    return {}


def emit(design: Design, target: Target) -> Emitted:
    """Return the Verilog of a design whose structure is settled; the same bytes every time.

    Raises
    ------
    ValueError
        If the structure is "auto" or cannot serve the formats.
    hw.errors.MissingTool
        If Yosys (pyosys) is not installed.

    """
    from hw.yosys import clean_verilog

    hardware_plan = plan(design, target)
    flat = _flat(hardware_plan)
    top = design.slug
    library = Library(f"{top}_", target.primitives)
    text = library.convert(flat, top)
    stages = _Stages(top, design, target.lut_inputs)
    rewrite = stages.insert if design.pipeline else None
    body = clean_verilog(text, top, library.names.__contains__, rewrite)
    body += models(library.prefix, library.used_primitives)
    record = {
        "version": RECORD_VERSION,
        "design": design.to_record(),
        "target": target.label,
        "latency_cycles": hardware_plan.latency_cycles,
        "initiation_interval": hardware_plan.initiation_interval,
        "sha256": hashlib.sha256(body.encode()).hexdigest(),
        **stages.record,
        **_packing_record(hardware_plan),
    }
    header = MARK + json.dumps(record, sort_keys=True, separators=(",", ":")) + "\n"
    return Emitted(header + body, top, record)
