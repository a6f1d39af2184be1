"""Floor 4: the structures of a design, ranked for an objective, and why one was chosen."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from hw.design import SerialDesign
from sweeps.arguments import OBJECTIVES
from sweeps.autotune import LOOPING, UNASKED

if TYPE_CHECKING:
    from hw.design import Design
    from hw.target import Target

_KEYS = {
    "sites": ("sites", "lut"),
    "lut": ("lut", "sites"),
    "ff": ("ff", "sites"),
    "dsp": ("lut", "dsp"),
    "fmax": ("path_ns", "sites"),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One structure of a design and what it costs.

    Parameters
    ----------
    structure
        Its name.
    lut, sites, ff, dsp
        Estimated, or measured by Yosys if `verified`.
    path_ns
        Longest path by the delay model of `hw.pipeline`; None unless it was asked for.
    verified
        Whether the counts are measured.

    """

    structure: str
    lut: float
    sites: float
    ff: float
    dsp: float
    path_ns: float | None = None
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A design with the structure that is best for an objective.

    Parameters
    ----------
    design
        With its structure settled.
    objective
        One of `OBJECTIVES`: fewest sites, LUTs or flip-flops; fewest LUTs where DSP blocks may be
        used; shortest path.
    candidates
        All structures that can be estimated, the chosen one first.

    """

    design: Design
    objective: str
    candidates: tuple[Candidate, ...]

    def to_record(self) -> dict[str, Any]:
        """Return what a sidecar says of the choice."""
        ranking = [asdict(candidate) for candidate in self.candidates]
        return {"objective": self.objective, "candidates": ranking}


def choose(design: Design, target: Target, objective: str, verify: int = 0) -> Choice:
    """Rank the structures of a design whose structure is "auto".

    Parameters
    ----------
    design, target
        What is built, and where.
    objective
        One of `OBJECTIVES`.
    verify
        So many of the best are measured by Yosys and ranked by that.

    Raises
    ------
    ValueError
        For an unknown objective, a design whose structure is settled, or no structure that can be
        estimated.
    hw.errors.MissingTool
        If Yosys is needed and missing.

    """
    if objective not in OBJECTIVES:
        raise ValueError(f"an objective is one of {', '.join(OBJECTIVES)}, not {objective!r}")
    if isinstance(design, SerialDesign):
        raise ValueError(f"{design.kind} has one structure: leave out --optimize")
    if design.structure != "auto":
        raise ValueError(
            f"only structure auto leaves a choice, the design says {design.structure!r}"
        )
    ranked = sorted(_candidates(design, target, objective), key=lambda c: _rank(c, objective))
    if not ranked:
        raise ValueError(f"no structure of {design.slug} can be estimated on {target.name}")
    if verify:
        checked = [_verified(design, target, c) for c in ranked[:verify]]
        ranked = sorted(checked, key=lambda c: _rank(c, objective)) + ranked[verify:]
    return Choice(design.with_structure(ranked[0].structure), objective, tuple(ranked))


def _rank(candidate: Candidate, objective: str) -> tuple[float, ...]:
    return tuple(getattr(candidate, key) for key in _KEYS[objective])


def _candidates(design: Design, target: Target, objective: str) -> list[Candidate]:
    from hw.plan import structures

    looping = LOOPING if design.is_window and design.pipeline else ()
    without = looping if objective == "dsp" else (*UNASKED, *looping)
    found = []
    for structure in structures(design, target):
        if structure not in without:
            candidate = _candidate(design.with_structure(structure), target, objective)
            found += [candidate] if candidate is not None else []
    return found


def _candidate(design: Design, target: Target, objective: str) -> Candidate | None:
    import costmodel

    plain = replace(design, pipeline=0)
    try:
        cost = costmodel.estimate(plain, target)
    except ValueError:
        return None
    path = _path_ns(design, target) if objective == "fmax" else None
    return Candidate(design.structure, cost.lut, cost.sites, cost.ff, cost.dsp, path)


def _path_ns(design: Design, target: Target) -> float:
    """Return the longest path of a design with its stages."""
    from hw.pipeline import insert
    from hw.rtl.emit import netlist

    return insert(*netlist(design, target), design.pipeline, target.lut_inputs).path_ns


def _verified(design: Design, target: Target, candidate: Candidate) -> Candidate:
    from sweeps import workflow

    found = workflow.synthesize(design.with_structure(candidate.structure), target.label)
    counts = {name: found[name] for name in ("lut", "sites", "ff", "dsp")}
    return replace(candidate, verified=True, **counts)
