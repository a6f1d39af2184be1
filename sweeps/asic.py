"""Floor 4. Designs on the target of gates: measured, and told in lines for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hw.rtl import Emitted

COUNTS = ("transistors", "gates", "ff")
"""What an estimate and a measurement both count."""


def measured(emitted: Emitted, cache: bool = True, liberty: Path | None = None) -> dict[str, Any]:
    """Return what an emitted design costs in gates, as `sweeps.workflow.measured` does for LUTs.

    Parameters
    ----------
    emitted
        The design.
    cache
        Whether to use and keep results.
    liberty
        A library of the user's own, in whose cells it is measured besides.

    Returns
    -------
    Plain JSON values: the counts of other targets (LUTs are 0), `transistors`, `gates`,
    `gate_equivalents`, `inverters`, `ff`, `by_cell`; with a library `liberty` (`area_um2`,
    `leakage`, `leakage_unit`, `delay_ns`, `by_cell`).

    Raises
    ------
    ValueError
        If the library cannot be read or has not the cells a design needs.
    OSError
        If its file cannot be read.
    hw.errors.MissingTool
        If Yosys (pyosys) is missing.

    """
    from hw import asic
    from hw.liberty import read_liberty

    library = None if liberty is None else read_liberty(liberty)
    found = asic.measure(emitted.verilog, emitted.top, liberty=library, cache=cache)
    counts = found.to_record()
    record = {
        **dict.fromkeys(("lut", "sites", "carry", "dsp"), 0),
        **{name: counts[name] for name in (*COUNTS, "inverters", "by_cell", "tool", "seconds")},
        "gate_equivalents": found.gate_equivalents,
        "target": emitted.record["target"],
        "design": emitted.record["design"],
    }
    return record if library is None else {**record, "liberty": counts["liberty"]}


def lines(found: dict[str, Any]) -> list[str]:
    """Return the counts of an estimate or a measurement as text, then its parts."""
    from hw.design import from_record

    design = from_record(found["design"])
    by = f"by {found['tool']} in {found['seconds']:.1f} s" if "tool" in found else "estimated"
    told = [
        f"{design.slug} on asic, {by}",
        f"transistors {found['transistors']} (of them FF {16 * found['ff']}) · "
        f"2-input gates {found['gates']} · FF {found['ff']}",
    ]
    lanes = design.lanes * design.cores
    if lanes > 1:
        told.append(f"per lane: transistors {found['transistors'] / lanes:.0f}")
    if "liberty" in found:
        cost = found["liberty"]
        delay = "-" if cost["delay_ns"] is None else f"{cost['delay_ns']:.3f} ns"
        told.append(
            f"{cost['library']}: area {cost['area_um2']:.1f} µm² · delay {delay} · "
            f"leakage {cost['leakage']:g} × {cost['leakage_unit']}"
        )
    return told + _parts(found.get("parts", []))


def _parts(parts: list[dict[str, Any]]) -> list[str]:
    """Return the kinds of parts as a table, the largest first."""
    if not parts:
        return []
    from sweeps.commands_sweep import table

    rows = [("part", "number", "transistors", "gates", "FF")]
    for part in sorted(parts, key=lambda part: -part["transistors"]):
        numbers = (part[name] for name in ("count", *COUNTS))
        rows.append((part["label"], *(str(number) for number in numbers)))
    return ["", table(rows)]
