"""Floor 4. One design through all of macloom: emitted, written, simulated, estimated, measured.

The commands, the demo and the public API (`macloom.py`) call these; nothing here prints.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.files import write_json, write_whole

if TYPE_CHECKING:
    from hw.design import Design
    from hw.rtl import Emitted
    from hw.target import Target
    from sim.runner import Case, Verdict

DEFAULT_TARGET = "xcup"
DEFAULT_SIMULATOR = "verilator"
PLAIN_CHOICE = ("table", "rows", "behavioural")
"""Targets whose delays the pipeline's model is fitted to, and that nextpnr places here."""
COUNTS = ("lut", "sites", "ff", "carry", "dsp")
"""What an estimate and a measurement both count."""


def settle(design: Design, target: str = DEFAULT_TARGET) -> tuple[Design, Target]:
    """Return a design with its structure settled, and the target's record.

    Where the cost model does not cover the design, the structure is the first of `PLAIN_CHOICE`
    that can serve it: hardware needs no estimate.

    Raises
    ------
    ValueError
        If there is no such target, or no structure can build the design.

    """
    from hw import target as targets
    from hw.design import SerialDesign
    from hw.plan import structures
    from sweeps.autotune import resolve

    technology = targets.load(target)
    if isinstance(design, SerialDesign):
        return design, technology
    if design.pipeline and design.structure == "auto" and technology.name != targets.ASIC:
        from sweeps.clocking import for_stages

        return for_stages(design, technology).design, technology
    try:
        return resolve(design, technology), technology
    except ValueError:
        known = structures(design)
        plain = next((name for name in PLAIN_CHOICE if name in known), None)
        if plain is None:
            raise
        return design.with_structure(plain), technology


def emit(design: Design, target: str = DEFAULT_TARGET) -> Emitted:
    """Return the Verilog of a design; errors as for `settle` and `hw.rtl.emit`."""
    from hw import rtl

    return rtl.emit(*settle(design, target))


def case_of(emitted: Emitted) -> Case:
    """Return what the simulator is given of an emitted design."""
    from hw.design import from_record
    from sim.runner import Case

    record = emitted.record
    return Case(
        from_record(record["design"]), emitted.verilog, emitted.top, record["latency_cycles"]
    )


def simulate(
    design: Design,
    target: str = DEFAULT_TARGET,
    simulator: str = DEFAULT_SIMULATOR,
    **options: Any,
) -> dict[str, Any]:
    """Emit a design, run its Verilog against the golden model, and return the findings.

    Parameters
    ----------
    design, target
        What is emitted.
    simulator
        "verilator" or "icarus".
    options
        `vectors`, `seed` and `progress` of `sim.runner.simulate`.

    Returns
    -------
    Plain JSON values: `vectors`, `mismatches`, `seconds`, `simulator`, `verdict` and more.

    Raises
    ------
    ValueError
        As `emit` and `sim.runner.simulate`.
    hw.errors.MissingTool
        If the simulator, a C++ compiler or Yosys is missing.

    """
    return run_case(case_of(emit(design, target)), target, simulator, **options)


def run_case(case: Case, target: str, simulator: str, **options: Any) -> dict[str, Any]:
    """Run one case; parameters, return value and errors as for `simulate`."""
    from sim import runner

    start = time.perf_counter()
    given = {name: value for name, value in options.items() if value is not None}
    (found,) = runner.simulate([case], simulator, **given)
    return {
        "design": case.design.to_record(),
        "target": target,
        "vectors": found.vectors,
        "mismatches": found.mismatches,
        "first_mismatch": found.to_record()["first"],
        "exhaustive": found.exhaustive,
        "cycles": found.cycles,
        "simulator": simulator,
        "seconds": round(time.perf_counter() - start, 3),
        "verdict": verdict_record(found),
    }


def verdict_record(verdict: Verdict) -> dict[str, Any]:
    """Return what a sidecar says of a simulation."""
    from importlib.metadata import version

    return {
        "passed": verdict.passed,
        "vectors": verdict.vectors,
        "coverage": "exhaustive" if verdict.exhaustive else "sampled",
        "mismatches": verdict.mismatches,
        "tools": {name: version(name) for name in ("macloom", "cocotb", "pyosys")}
        | {"simulator": verdict.simulator},
    }


def verify(path: Path, simulator: str = DEFAULT_SIMULATOR, **options: Any) -> dict[str, Any]:
    """Run an exported file's own Verilog against the golden model of the design it names.

    Returns
    -------
    As for `simulate`, and `edited`: whether the text differs from what macloom wrote.

    Raises
    ------
    ValueError
        If the file has no readable record, or not the ports of the design.
    OSError
        If it cannot be read.

    """
    from sim.runner import read_case

    try:
        case = read_case(path)
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no Verilog file of macloom: not UTF-8 text") from None
    head, _, body = case.verilog.partition("\n")
    record = json.loads(head.partition(" macloom ")[2])
    edited = hashlib.sha256(body.encode()).hexdigest() != record.get("sha256")
    target = str(record.get("target", DEFAULT_TARGET))
    return {"edited": edited, **run_case(case, target, simulator, **options)}


def estimate(
    design: Design,
    target: str = DEFAULT_TARGET,
    breakdown: bool = False,
    extrapolate: bool = False,
    energy: bool = False,
) -> dict[str, Any]:
    """Return the area of a design by formula.

    Returns
    -------
    Plain JSON values: `lut`, `sites`, `ff`, `carry`, `dsp`, `target`, `design` (its structure
    settled), `expected_error` of its LUTs (see `costmodel.expected`; None where nothing is known),
    `clock` (see `costmodel.timing.Clock`; None where there is no model), with `breakdown` the
    `parts` (name, count and cost of each kind), and with `energy` that of uniform operands or why
    it is not known (see `sweeps.energy_workflow.energy_or_reason`).

    Raises
    ------
    ValueError
        As `settle`, if the model does not cover the design, or if it lies outside the designs of a
        user's target and `extrapolate` does not ask for it with a wider error.

    """
    from costmodel.expected import expected
    from costmodel.pipeline import unstaged

    settled, technology = settle(design, target)
    found = unstaged(settled, technology)
    record = found.to_record()
    error = expected(settled, technology, found.lut)
    if error and error.outside and technology.calibration and not extrapolate:
        raise ValueError(
            f"{settled.slug} lies outside the designs of {technology.label}: "
            f"{'; '.join(error.outside)}; extrapolate (--extrapolate) takes it with a wider error"
        )
    record["expected_error"] = error and error.to_record()
    stage_ns = None
    if settled.pipeline:
        from hw import rtl

        emitted = rtl.emit(settled, technology).record
        stage_ns = emitted["path_ns"]
        record |= _registers(settled, emitted, technology, record)
    record["clock"] = _clock(settled, technology, stage_ns)
    if breakdown:
        record["parts"] = [asdict(part) for part in found.breakdown]
    if energy:
        from sweeps.energy_workflow import energy_or_reason

        record |= energy_or_reason(settled, technology)
    return record


def _clock(design: Design, target: Target, stage_ns: float | None) -> dict[str, Any] | None:
    """Return the clock by formula, None where the model has none."""
    from costmodel.timing import clock
    from hw.plan import plan

    try:
        found = clock(plan(design, target), stage_ns)
    except ValueError:
        return None
    return asdict(found)


def _registers(
    design: Design, emitted: dict[str, Any], target: Target, record: dict[str, Any]
) -> dict[str, Any]:
    """Return the counts of a record with the pipeline registers of the emitted design."""
    from costmodel.pipeline import pipeline_registers

    chains = emitted["pipeline_chains"]
    added = pipeline_registers({int(length): n for length, n in chains.items()}, target)
    return {
        "sites": record["sites"] + round(added.sites),
        "ff": record["ff"] + added.ff,
        "design": design.to_record(),
    }


def clocked(design: Design, target: str, target_mhz: float) -> Design:
    """Return a design with the structure and the fewest stages that a clock asks for.

    Errors as for `sweeps.clocking.for_clock`.
    """
    from hw.target import load
    from sweeps.clocking import for_clock

    return for_clock(design, load(target), target_mhz).design


def clock(emitted: Emitted, cache: bool = True) -> dict[str, Any]:
    """Return the clock an emitted design reaches, placed and routed by nextpnr.

    Where nothing places and routes (`hw.logical`) it is that of published delays.

    Returns
    -------
    Plain JSON values: `fmax_mhz` (median of three seeds), `seed_mhz`, `tool`; of published delays
    `calibrated` false, and the `error_percent` they may be wrong by.

    Raises
    ------
    ValueError
        If the design is for a target without either.
    hw.errors.MissingTool
        If Yosys or nextpnr is missing.

    """
    from hw import logical, timing
    from hw.design import DSP_STRUCTURES
    from hw.target import load

    record = emitted.record
    target = load(record["target"])
    dsp = record["design"].get("structure") in DSP_STRUCTURES
    text, top = emitted.verilog, emitted.top
    if target.name in logical.LOGICAL:
        found = logical.measure(text, top, target=target, dsp=dsp, cache=cache)
        error = logical.published(target.name).error_percent
        return found.to_record() | {"calibrated": False, "error_percent": error}
    return timing.measure(text, top, dsp=dsp, cache=cache, target=target.name).to_record()


def synthesize(design: Design, target: str = DEFAULT_TARGET, cache: bool = True) -> dict[str, Any]:
    """Return the area of a design's Verilog, mapped by Yosys.

    Returns
    -------
    As for `estimate`, and `tool`, `seconds`, `by_cell`.

    Raises
    ------
    ValueError
        As `emit`.
    hw.errors.MissingTool
        If Yosys (pyosys) is missing.

    """
    emitted = emit(design, target)
    return measured(emitted, cache)


def measured(emitted: Emitted, cache: bool = True, liberty: Path | None = None) -> dict[str, Any]:
    """Return the area of an emitted design; return value and errors as for `synthesize`.

    On the target asic as for `sweeps.asic.measured`, with a Liberty file of the user's if given.
    """
    from hw import synthesis
    from hw.design import DSP_STRUCTURES
    from hw.target import ASIC

    record = emitted.record
    if record["target"] == ASIC:
        from sweeps import asic

        return asic.measured(emitted, cache, liberty)
    if liberty is not None:
        raise ValueError(f"a Liberty file is for the target {ASIC}, not {record['target']}")
    dsp = record["design"].get("structure") in DSP_STRUCTURES
    found = synthesis.synthesize(
        emitted.verilog, emitted.top, record["target"], dsp=dsp, cache=cache
    )
    counts = found.to_record()
    return {
        **{name: counts[name] for name in COUNTS},
        "target": record["target"],
        "design": record["design"],
        "tool": counts["tool"],
        "seconds": counts["seconds"],
        "by_cell": dict(counts["by_cell"]),
    }


def write(emitted: Emitted, folder: Path, **findings: Any) -> list[Path]:
    """Write the Verilog and its sidecar; return their paths.

    Parameters
    ----------
    emitted
        What to write.
    folder
        Where to; it is made if it is not there.
    findings
        What else the sidecar says: `verdict`, `estimate`, `measured`.

    Raises
    ------
    OSError
        If a file cannot be written.

    """
    verilog, sidecar = (folder / f"{emitted.top}{suffix}" for suffix in (".v", ".json"))
    write_whole(verilog, emitted.verilog)
    write_json(sidecar, {**emitted.record, **findings})
    return [verilog, sidecar]
