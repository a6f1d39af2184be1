"""Floor 4: the structures of a design, ranked for an objective, and why one was chosen."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hw.design import SerialDesign
from sweeps.arguments import OBJECTIVES
from sweeps.autotune import UNASKED

if TYPE_CHECKING:
    from hw.design import Design
    from hw.target import Target

_KEYS = {
    "sites": ("sites", "lut"),
    "lut": ("lut", "sites"),
    "ff": ("ff", "sites"),
    "dsp": ("lut", "dsp"),
    "fmax": ("path_ns", "sites"),
    "energy": ("energy_pj_per_mac", "sites"),
}
STREAM = "uniform"
"""Operands that energies are those of."""


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
        Whether the counts are measured, and the energy that of the mapped netlist.
    energy_pj_per_mac
        Energy under uniform operands without pipeline stages (`costmodel.activity`); None unless it
        was asked for.

    """

    structure: str
    lut: float
    sites: float
    ff: float
    dsp: float
    path_ns: float | None = None
    verified: bool = False
    energy_pj_per_mac: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A design with the structure that is best for an objective.

    Parameters
    ----------
    design
        With its structure settled.
    objective
        One of `OBJECTIVES`: fewest sites, LUTs or flip-flops; fewest LUTs where DSP blocks may be
        used; shortest path; least energy.
    candidates
        All structures that can be estimated, the chosen one first.
    left_out
        Why others cannot, by structure.

    """

    design: Design
    objective: str
    candidates: tuple[Candidate, ...]
    left_out: dict[str, str] = field(default_factory=dict)

    def to_record(self) -> dict[str, Any]:
        """Return what a sidecar says of the choice."""
        ranking = [asdict(candidate) for candidate in self.candidates]
        found: dict[str, Any] = {"objective": self.objective, "candidates": ranking}
        if self.objective == "energy":
            found |= {"stream": STREAM, "reason": self.reason}
        return found | ({"left_out": self.left_out} if self.left_out else {})

    @property
    def reason(self) -> str:
        """Why the first one was chosen, in a sentence."""
        first, *others = self.candidates
        key = _KEYS[self.objective][0]
        by = "measured" if first.verified else "estimated"
        text = f"{first.structure} has the least {key}, {getattr(first, key):.4g} {by}"
        if others:
            text += f"; next is {others[0].structure} with {getattr(others[0], key):.4g}"
        return text


def choose(design: Design, target: Target, objective: str, verify: int = 0) -> Choice:
    """Rank the structures of a design whose structure is "auto".

    Parameters
    ----------
    design, target
        What is built, and where.
    objective
        One of `OBJECTIVES`.
    verify
        So many of the best are measured by Yosys, their energy by simulating what it leaves, and
        ranked by that.

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
    left_out: dict[str, str] = {}
    found = _candidates(design, target, objective, left_out)
    ranked = sorted(found, key=lambda c: _rank(c, objective))
    if not ranked:
        why = "".join(f"; {name}: {reason}" for name, reason in list(left_out.items())[:1])
        raise ValueError(f"no structure of {design.slug} can be estimated on {target.name}{why}")
    if verify:
        checked = [_verified(design, target, c, objective) for c in ranked[:verify]]
        ranked = sorted(checked, key=lambda c: _rank(c, objective)) + ranked[verify:]
    return Choice(design.with_structure(ranked[0].structure), objective, tuple(ranked), left_out)


def _rank(candidate: Candidate, objective: str) -> tuple[float, ...]:
    return tuple(getattr(candidate, key) for key in _KEYS[objective])


def _candidates(
    design: Design, target: Target, objective: str, left_out: dict[str, str]
) -> list[Candidate]:
    """Return the structures that can be estimated; note why others cannot."""
    from hw.plan import structures

    without = () if objective == "dsp" else UNASKED
    found = []
    for structure in structures(design, target):
        if structure not in without:
            try:
                found.append(_candidate(design.with_structure(structure), target, objective))
            except ValueError as error:
                left_out[structure] = str(error)
    return found


def _candidate(design: Design, target: Target, objective: str) -> Candidate:
    import costmodel

    plain = replace(design, pipeline=0)
    cost = costmodel.estimate(plain, target)
    path = _path_ns(design, target) if objective == "fmax" else None
    energy = _energy(plain, target) if objective == "energy" else None
    counts = (cost.lut, cost.sites, cost.ff, cost.dsp)
    return Candidate(design.structure, *counts, path, energy_pj_per_mac=energy)


def _energy(design: Design, target: Target) -> float:
    """Return the energy per product by formula; refuse what it does not cover."""
    from sweeps.energy_workflow import energy_or_reason

    found = energy_or_reason(design, target)
    if "energy" not in found:
        raise ValueError(found["energy_left_out"])
    return float(found["energy"]["energy_pj_per_mac"])


def _path_ns(design: Design, target: Target) -> float:
    """Return the longest path of a design with its stages."""
    from hw.pipeline import insert
    from hw.rtl.emit import netlist

    return insert(*netlist(design, target), design.pipeline, target.lut_inputs).path_ns


def _verified(design: Design, target: Target, candidate: Candidate, objective: str) -> Candidate:
    from sweeps import energy_workflow, workflow

    settled = design.with_structure(candidate.structure)
    found = workflow.synthesize(settled, target.label)
    counts = {name: found[name] for name in ("lut", "sites", "ff", "dsp")}
    if objective == "energy":
        measured = energy_workflow.measure(settled, target.label, STREAM)
        counts["energy_pj_per_mac"] = measured["energy_pj_per_mac"]
    return replace(candidate, verified=True, **counts)
