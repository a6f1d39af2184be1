"""Floor 4. Somebody else's RTL through our check and our count, beside our own design."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.workflow import COUNTS, DEFAULT_SIMULATOR, DEFAULT_TARGET, run_case, synthesize

if TYPE_CHECKING:
    from hw.design import Design
    from hw.foreign import ForeignRtl
    from sim.foreign import Pin


def simulate(
    design: Design,
    rtl: ForeignRtl,
    pins: tuple[Pin, ...],
    latency_cycles: int | None = None,
    simulator: str = DEFAULT_SIMULATOR,
    **options: Any,
) -> dict[str, Any]:
    """Run foreign RTL against the golden model of a design.

    Returns
    -------
    As `sweeps.workflow.simulate`, and `top`.

    Raises
    ------
    ValueError
        As `sim.foreign.wrap` and `sim.runner.simulate`.
    hw.errors.MissingTool
        If the simulator, a C++ compiler or Yosys is missing.

    """
    from sim.foreign import wrap

    case = wrap(design, rtl, pins, latency_cycles)
    return {"top": rtl.top, **run_case(case, "", simulator, **options)}


def compare(
    design: Design, rtl: ForeignRtl, target: str = DEFAULT_TARGET, cache: bool = True
) -> dict[str, Any]:
    """Map foreign RTL and our own design in the same flow.

    The foreign module is counted alone, without the adapter it is simulated in. DSP blocks are
    allowed to both if the design's structure is "dsp" or "packed", to none otherwise.

    Returns
    -------
    Plain JSON values: `top`, `target`, `tool`, `design` (ours, settled), `lanes`, and the counts
    `theirs` and `ours` (`lut`, `sites`, `ff`, `carry`, `dsp`).

    Raises
    ------
    ValueError
        If there is no such target, or Yosys refuses the files.
    hw.errors.MissingTool
        If Yosys (pyosys) is missing.

    """
    from hw import synthesis
    from hw.design import DSP_STRUCTURES

    ours = synthesize(design, target, cache)
    found = synthesis.synthesize(
        "",
        rtl.top,
        target,
        dsp=design.structure in DSP_STRUCTURES,
        sources=rtl.sources,
        parameters=rtl.parameters,
        cache=cache,
    ).to_record()
    return {
        "top": rtl.top,
        "target": target,
        "tool": found["tool"],
        "design": ours["design"],
        "lanes": design.lanes * design.cores,
        "theirs": {name: found[name] for name in COUNTS},
        "ours": {name: ours[name] for name in COUNTS},
    }


@dataclass(frozen=True, slots=True)
class Peer:
    """A measured foreign design, as a point for a sweep's figure.

    Parameters
    ----------
    name
        Its top module.
    weight, activation
        Names of the operand formats.
    target
        Where it was counted.
    lanes, sites_per_lane
        Its size, and what was measured.

    """

    name: str
    weight: str
    activation: str
    target: str
    lanes: int
    sites_per_lane: float


def read_peers(paths: Sequence[Path]) -> list[Peer]:
    """Read what ``macloom synthesize --rtl … -o DIR`` wrote.

    Raises
    ------
    ValueError
        If a file is no such record.
    OSError
        If it cannot be read.

    """
    return [_read_peer(path) for path in paths]


def _read_peer(path: Path) -> Peer:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        design = record["design"]
        return Peer(
            str(record["top"]),
            str(design["weight"]),
            str(design["activation"]),
            str(record["target"]),
            int(record["lanes"]),
            float(record["theirs"]["sites"]) / int(record["lanes"]),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ValueError(
            f"{path} is no record of `macloom synthesize --rtl`: {type(error).__name__} {error}"
        ) from None
