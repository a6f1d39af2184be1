"""Floor 4. Energy and netlist checks of one design as plain records: what the commands print."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps import workflow
from sweeps.files import write_whole

if TYPE_CHECKING:
    from hw.design import Design
    from hw.rtl import Emitted
    from hw.target import Target


def measure(
    design: Design,
    target: str = workflow.DEFAULT_TARGET,
    stream: str = "uniform",
    layer: str = "",
    seed: int = 1,
    node: str = "",
    saif: Path | None = None,
    period_ns: int = 10,
) -> dict[str, Any]:
    """Return the energy of a design by the toggles of its mapped netlist.

    Parameters
    ----------
    design, target
        What is emitted and mapped.
    stream, layer, seed
        As for `sweeps.streams.operand_stream`.
    node
        "cmos45" or "cmos7": mapped to static CMOS gates instead, at that node.
    saif, period_ns
        A SAIF file to write, and its clock period.

    Returns
    -------
    Plain JSON values: `energy_pj_per_mac`, `parts`, `rates`, `factor`, `source` and more; of the
    digits network also `layers` and `energy_nj_per_inference`.

    Raises
    ------
    ValueError
        As `sweeps.workflow.emit`, `sweeps.streams.operand_stream` and `sim.netlist.netlist_of`.
    hw.errors.MissingTool
        If Yosys or the C++ compiler is missing.

    """
    from costmodel.energy import price
    from hw import yosys
    from sim.netlist_saif import saif as saif_text
    from sweeps import energy
    from sweeps.streams import operand_stream, record

    emitted = workflow.emit(design, target)
    mapped, priced = ("cmos", node) if node else ("", target.partition(":")[0])
    steps = operand_stream(design, stream, seed, layer=layer)
    found = energy.measure(emitted, steps, mapped)
    result = price(found.rates, found.macs_per_cycle, priced).to_record()
    result |= {"name": emitted.top, "design": emitted.record["design"], "estimated": False}
    result |= {"tool": yosys.version(), **record(steps)}
    if stream == "digits":
        result |= _inference(emitted, mapped, priced, seed, layer)
    if saif is not None:
        text = saif_text(found.netlist.graph, found.activity, emitted.top, period_ns)
        write_whole(saif, text)
        result["saif"] = str(saif)
    return result


def _inference(emitted: Emitted, mapped: str, priced: str, seed: int, only: str) -> dict[str, Any]:
    """Return the energy of each layer, and of one inference."""
    from hw.design import from_record
    from sweeps import energy
    from sweeps.streams import layers, operand_stream

    design = from_record(emitted.record["design"])
    found = []
    for layer in layers():
        if only in ("", layer.name):
            steps = operand_stream(design, "digits", seed, layer=layer.name)
            each = energy.priced(emitted, steps, mapped, priced)
            terms = len(layer.matrix)
            used = -(-terms // design.lanes) * design.lanes / terms  # padded steps cost as well
            per_mac = each.energy_pj_per_mac * used
            found.append(
                {
                    "layer": layer.name,
                    "macs": layer.macs,
                    "energy_pj_per_mac": per_mac,
                    "energy_nj": per_mac * layer.macs / 1000,
                }
            )
    return {"layers": found, "energy_nj_per_inference": sum(one["energy_nj"] for one in found)}


def estimate(
    design: Design,
    target: str = workflow.DEFAULT_TARGET,
    stream: str = "uniform",
    layer: str = "",
    seed: int = 1,
) -> dict[str, Any]:
    """Return the energy of a design by formula; parameters, values and errors as `measure`."""
    from costmodel.activity import estimate as by_formula
    from sweeps.activity import chains_of, statistics_of
    from sweeps.streams import operand_stream

    settled, technology = workflow.settle(design, target)
    steps = operand_stream(settled, stream, seed, layer=layer)
    chains = chains_of(settled, technology.label) if settled.pipeline else None
    found = by_formula(settled, technology, statistics_of(settled, steps), chains)
    return {
        **asdict(found),
        "name": settled.slug,
        "design": settled.to_record(),
        "estimated": True,
        "stream": stream,
    }


def energy_or_reason(design: Design, target: Target) -> dict[str, Any]:
    """Return the energy of a settled design by formula, or why there is none.

    Returns
    -------
    Plain JSON values: `energy` (`energy_pj_per_mac` under uniform operands, `error_percent` of its
    toggles where it is known, `factor` by which all pJ may be off, `stream`), or `energy_left_out`,
    the reason.

    """
    from costmodel.activity import check_covered
    from costmodel.activity import estimate as by_formula

    try:
        check_covered(design, target)
    except ValueError as error:
        return {"energy_left_out": str(error)}
    from sweeps.activity import stream_statistics

    try:
        found = by_formula(design, target, stream_statistics("uniform")(design))
    except ValueError as error:
        return {"energy_left_out": str(error)}
    return {
        "energy": {
            "energy_pj_per_mac": float(f"{found.energy_pj_per_mac:.4g}"),
            **({} if found.error_percent is None else {"error_percent": found.error_percent}),
            "factor": found.factor,
            "stream": "uniform",
        }
    }


def check_netlist(
    design: Design, target: str = workflow.DEFAULT_TARGET, vectors: int = 100_000, seed: int = 1
) -> dict[str, Any]:
    """Compare the mapped netlist of a design with the golden model.

    Returns and raises as `sweeps.workflow.simulate` and `sim.netlist_check.check`.
    """
    from sim.netlist_check import check

    emitted = workflow.emit(design, target)
    found = check(emitted, vectors=vectors, seed=seed)
    return {
        "name": emitted.top,
        "design": emitted.record["design"],
        "target": target,
        "vectors": found.vectors,
        "mismatches": found.mismatches,
        "first_mismatch": found.to_record()["first"],
        "exhaustive": found.exhaustive,
        "cycles": found.cycles,
        "simulator": found.simulator,
        "seconds": round(found.seconds, 3),
        "verdict": workflow.verdict_record(found),
    }
