"""Floor 4. Energy and clock of designs as figures to choose by: known by formula, or why not.

The models of energy and of clocks cover fewer structures than that of areas. Where a design is
chosen by one of them, its structure is the one of fewest sites among those that are covered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from hw.design import Design, from_record
from hw.target import Target
from sweeps.store import Record

ENERGY, CLOCK = "energy", "clock"
QUANTITIES = (ENERGY, CLOCK)


@cache
def energy_pj_per_mac(design: Design, target: Target) -> float:
    """Return the energy of a settled design under uniformly random codes, in pJ per MAC.

    Raises
    ------
    ValueError
        If no formula covers it.

    """
    from costmodel.activity import check_covered, estimate
    from sweeps.activity import stream_statistics

    check_covered(design, target)
    return float(estimate(design, target, stream_statistics("uniform")(design)).energy_pj_per_mac)


@cache
def fmax_mhz(design: Design, target: Target) -> float:
    """Return the clock of a settled design without pipeline stages; errors as for energy."""
    from costmodel.timing import clock
    from hw.plan import plan

    return clock(plan(design, target)).fmax_mhz


_VALUE: dict[str, Callable[[Design, Target], float]] = {ENERGY: energy_pj_per_mac, CLOCK: fmax_mhz}


def value(quantity: str, design: Design, target: Target) -> float:
    """Return one of `QUANTITIES`; errors as `energy_pj_per_mac`."""
    return _VALUE[quantity](design, target)


def settled_for(design: Design, target: Target, needs: Sequence[str]) -> Design:
    """Return a settled design, in another structure if that takes until its figures are known.

    Parameters
    ----------
    design
        Its structure settled.
    target
        The technology.
    needs
        Which of `QUANTITIES` are to be known.

    Raises
    ------
    ValueError
        If no structure has them all: the reason for the design's own.

    """
    first: ValueError | None = None
    for candidate in _by_sites(design, target):
        try:
            for quantity in needs:
                value(quantity, candidate, target)
        except ValueError as error:
            first = first or error
        else:
            return candidate
    raise ValueError(f"{design.slug}: {first}")


def figures(record: Record) -> dict[str, Any]:
    """Return what a sweep asks of a design beside its area, as `sweeps.engine` calls it.

    Parameters
    ----------
    record
        `design` (structure settled), `target`, and `needs`, some of `QUANTITIES`.

    Returns
    -------
    `structure` and its counts, `energy_pj_per_mac` and `period_ns` as far as needed; or `unknown`,
    the reason why there are none.

    """
    from costmodel import estimate
    from hw import target as targets

    technology = targets.load(record["target"])
    needs = tuple(record["needs"])
    try:
        design = settled_for(from_record(record["design"]), technology, needs)
    except ValueError as error:
        return {"unknown": str(error)}
    cost = estimate(design, technology)
    found: dict[str, Any] = {n: getattr(cost, n) for n in ("lut", "sites", "ff", "carry", "dsp")}
    found["structure"] = design.structure
    if ENERGY in needs:
        found["energy_pj_per_mac"] = energy_pj_per_mac(design, technology)
    if CLOCK in needs:
        found["period_ns"] = 1000 / fmax_mhz(design, technology)
    return found


def _by_sites(design: Design, target: Target) -> Iterable[Design]:
    """Yield a design, then its other structures without DSP blocks, fewest sites first."""
    from costmodel import estimate
    from hw.design import DSP_STRUCTURES, SerialDesign
    from hw.plan import structures

    yield design
    if isinstance(design, SerialDesign):
        return
    others = []
    for name in structures(design, target):
        if name == design.structure or name in DSP_STRUCTURES:
            continue
        try:
            other = design.with_structure(name)
            others.append((estimate(other, target).sites, name, other))
        except ValueError:
            continue
    yield from (other for _, _, other in sorted(others, key=lambda one: one[:2]))
