"""Area of one row on one target: ours, the behavioural baseline, and other structures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from area_rows import ASKED_ON, Row
from area_signs import is_plain, plain_verilog

from hw.design import DSP_STRUCTURES, Design
from hw.plan import structures
from hw.rtl import emit
from hw.synthesis import Measurement, synthesize
from hw.target import Target, load
from sweeps.autotune import resolve

BASELINE = "behavioural"
Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Area:
    """LUTs and sites in the unit of a group; `dsp` blocks of the whole design."""

    lut: float
    sites: float
    dsp: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """A row on a target.

    Parameters
    ----------
    group, name, target
        Which row, and where.
    structure
        The structure chosen.
    ours, baseline
        Its area, and that of plain behavioural Verilog (`Target.portable`) of the same design.
    asked, asked_per_dsp
        As in the row, None on other targets.
    products_per_dsp
        None without DSP blocks.
    peer, peer_lut
        The peer and its LUTs on this target, if known.
    others
        Area of the structures not chosen.
    vectors
        How many vectors of the chosen design agreed with the golden result, 0 if not asked.

    """

    group: str
    name: str
    target: str
    structure: str
    ours: Area
    baseline: Area
    asked: float | None = None
    asked_per_dsp: float | None = None
    products_per_dsp: float | None = None
    peer: str = ""
    peer_lut: float | None = None
    others: dict[str, Area] = field(default_factory=dict)
    vectors: int = 0

    @property
    def ratio(self) -> float:
        """Sites of the baseline per site of ours."""
        return self.baseline.sites / self.ours.sites

    @property
    def met(self) -> bool | None:
        """Whether LUTs, sites and products per DSP block are as asked; None if nothing is."""
        if self.asked is None:
            return None
        enough = self.asked_per_dsp is None or (self.products_per_dsp or 0) >= self.asked_per_dsp
        return enough and max(self.ours.lut, self.ours.sites) <= self.asked

    def to_record(self) -> dict[str, Any]:
        """Return a JSON-able record, the derived figures included."""
        return {**asdict(self), "ratio": round(self.ratio, 3), "met": self.met}


def map_design(design: Design, target: Target, dsp: bool) -> Measurement:
    """Return what a design with a settled structure costs."""
    emitted = emit(design, target)
    return synthesize(emitted.verilog, emitted.top, target.name, dsp=dsp)


def measure_row(
    row: Row, target_name: str, all_structures: bool = False, vectors: int = 0, step: Step = print
) -> Result:
    """Measure a row on a target; `step` is told what comes next.

    Raises
    ------
    RuntimeError
        If the hardware differs from the golden result.

    """
    target, divisor = load(target_name), row.divisor
    dsp = row.design.structure in DSP_STRUCTURES

    def area(design: Design, where: Target) -> Area:
        step(f"{design.slug} on {where.label}")
        found = map_design(design, where, dsp)
        return Area(found.lut / divisor, found.sites / divisor, found.dsp)

    chosen = resolve(row.design, target)
    ours = area(chosen, target)
    if is_plain(row.design):
        step(f"plain Verilog of {row.design.slug} on {target.name}")
        found = synthesize(plain_verilog(row.design), row.design.slug, target.name, dsp=dsp)
        baseline = Area(found.lut / divisor, found.sites / divisor, found.dsp)
    else:
        baseline = area(row.design.with_structure(BASELINE), target.portable())
    others = {}
    if all_structures and not dsp:
        names = [s for s in structures(row.design, target) if s not in DSP_STRUCTURES]
        for name in names:
            if name not in (chosen.structure, BASELINE):
                others[name] = area(row.design.with_structure(name), target)
    asks = target_name == ASKED_ON
    products = row.design.lanes * row.design.cores
    return Result(
        *(row.group.key, row.name, target_name, chosen.structure, ours, baseline),
        asked=row.asked if asks else None,
        asked_per_dsp=row.asked_per_dsp if asks else None,
        products_per_dsp=products / ours.dsp if ours.dsp else None,
        peer=row.peer,
        peer_lut=row.peers.get(target_name),
        others=others,
        vectors=_checked(chosen, target, vectors) if vectors else 0,
    )


def _checked(design: Design, target: Target, vectors: int) -> int:
    from sim import bulk

    verdict = bulk.check(emit(design, target).verilog, design, vectors=vectors)
    if verdict.mismatches:
        raise RuntimeError(f"{design.slug} is wrong: {verdict.first}")
    return verdict.vectors
