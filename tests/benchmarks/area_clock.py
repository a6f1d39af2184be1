"""The clock of a pipelined design on ECP5, beside the behavioural design without registers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from area_measure import BASELINE
from area_rows import FILE

from hw import timing
from hw.design import Design, from_record
from hw.rtl import emit
from hw.rtl.emit import stages_for_clock
from hw.target import load
from sweeps.autotune import resolve

TARGET = "ecp5"
BASELINE_SEEDS = (1,)


@dataclass(frozen=True, slots=True)
class Speed:
    """What was asked of a design's clock and what it reaches, in MHz.

    Parameters
    ----------
    design
        The design with its pipeline stages, as a record.
    asked_mhz, reached_mhz, seed_mhz
        Asked; reached, as the median over the seeds of placement; and with each seed.
    baseline_mhz
        Of the behavioural design without pipeline registers, one seed.
    peer, peer_mhz
        The fastest peer without pipeline registers.

    """

    design: dict[str, Any]
    asked_mhz: float
    reached_mhz: float
    seed_mhz: tuple[float, ...]
    baseline_mhz: float
    peer: str
    peer_mhz: float

    @property
    def met(self) -> bool:
        """Whether the median is as asked."""
        return self.reached_mhz >= self.asked_mhz

    def to_record(self) -> dict[str, Any]:
        """Return a JSON-able record."""
        return {**asdict(self), "met": self.met}

    def line(self) -> str:
        """Return the result as text."""
        seeds = ", ".join(f"{mhz:.0f}" for mhz in self.seed_mhz)
        return (
            f"\n{TARGET}: clock of {self.design['kind']} {self.design['lanes']} × "
            f"{self.design['weight']}, a step per cycle, {self.design['pipeline']} stages chosen "
            f"(nextpnr, 85k, speed 6)\n"
            f"  asked {self.asked_mhz:g} MHz, reached {self.reached_mhz:.1f} (seeds {seeds}), "
            f"behavioural without stages {self.baseline_mhz:.1f}, "
            f"{self.peer} without stages {self.peer_mhz:.1f}: {'yes' if self.met else 'no'}\n"
        )


def measure_clock(step: Callable[[str], None], path: Path = FILE) -> Speed:
    """Place and route the design of the file's ``clock`` and its baseline."""
    record = yaml.safe_load(path.read_text(encoding="utf-8"))["clock"]
    design, target = from_record(record["design"]), load(TARGET)
    settled = resolve(design, target)
    stages = stages_for_clock(settled, target, 1000 / record["asked_mhz"])
    piped = replace(settled, pipeline=stages)
    step(f"{piped.slug}, placed and routed")
    reached = _clock(piped, timing.SEEDS)
    plain = design.with_structure(BASELINE)
    step(f"{plain.slug}, placed and routed")
    return Speed(
        piped.to_record(),
        float(record["asked_mhz"]),
        reached.fmax_mhz,
        reached.seed_mhz,
        _clock(plain, BASELINE_SEEDS).fmax_mhz,
        record["peer"],
        float(record["peer_mhz"]),
    )


def _clock(design: Design, seeds: tuple[int, ...]) -> timing.Clock:
    emitted = emit(design, load(TARGET).portable())
    return timing.measure(emitted.verilog, emitted.top, seeds)
