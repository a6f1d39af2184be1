"""Floor 2c: energy from toggles: what a toggle costs on each target, with its source and its doubt.

A netlist's toggles (`sim.netlist`, or the formula of `costmodel.activity`) are exact or nearly so;
what one costs is not: no vendor publishes it. `costmodel/data/energy.yaml` therefore says for each
target where its constants come from and by which factor they may be wrong. Ratios between designs
on one target do not depend on that factor.

Without delays a net toggles at most once per cycle. Glitches, which deep unregistered logic has
more of, are in the constants only in the mean of the circuits these were measured on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from costmodel.records import shipped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costmodel.activity import EnergyEstimate, Statistics
    from hw.design import Design
    from hw.target import Target

PARTS = ("inputs", "logic", "carry", "registers", "clock")


@dataclass(frozen=True, slots=True)
class Rates:
    """Toggles per cycle of all nets driven by inputs, logic, carry chains and registers.

    Parameters
    ----------
    inputs, logic, carry, registers
        Toggles per cycle.
    flip_flops
        How many there are: the clock's energy follows them.

    """

    inputs: float
    logic: float
    carry: float
    registers: float
    flip_flops: float


@dataclass(frozen=True, slots=True)
class Constants:
    """What toggles cost on one target.

    Parameters
    ----------
    inputs, logic, carry, registers
        pJ per toggle of a net driven by an input, a LUT or gate, a carry chain, a flip-flop.
    clock
        pJ per flip-flop and cycle.
    factor
        The constants may be this many times too large or too small, all together.
    source
        Where they come from.

    """

    inputs: float
    logic: float
    carry: float
    registers: float
    clock: float
    factor: float
    source: str


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of a design.

    Parameters
    ----------
    energy_pj_per_mac
        Energy per multiply-accumulate.
    energy_pj_per_cycle
        The same per clock cycle.
    parts
        pJ per multiply-accumulate by what spends it: inputs, logic, carry, registers, clock.
    rates
        Toggles per cycle.
    factor
        By which the constants, and so all pJ, may be off together.
    target
        Name of the target.
    source
        Provenance of the constants.

    """

    energy_pj_per_mac: float
    energy_pj_per_cycle: float
    parts: dict[str, float]
    rates: Rates
    factor: float
    target: str
    source: str

    def to_record(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


@cache
def constants(target: str) -> Constants:
    """Return the constants of a target.

    Raises
    ------
    ValueError
        If the target has none, or one of them is missing.

    """
    record = shipped("energy").get(target)
    if record is None:
        raise ValueError(f"the cost model has no energy constants of the target {target!r}")
    missing = [name for name in Constants.__slots__ if record.get(name) is None]
    if missing:
        raise ValueError(f"the energy constants of {target} lack {', '.join(missing)}")
    return Constants(**{name: record[name] for name in Constants.__slots__})


def estimate(
    design: Design,
    target: Target,
    statistics: Statistics,
    chains: Mapping[int, int] | None = None,
) -> EnergyEstimate:
    """Return the energy of a design by formula; see `costmodel.activity.estimate`."""
    from costmodel import activity

    return activity.estimate(design, target, statistics, chains)


def toggle_energy_pj(rates: Rates, target: str) -> float:
    """Return the energy per cycle of all toggles, without the clock; errors as `constants`."""
    known = constants(target)
    return float(sum(getattr(rates, name) * getattr(known, name) for name in PARTS[:-1]))


def price(rates: Rates, macs_per_cycle: float, target: str) -> Energy:
    """Return what toggles cost.

    Raises
    ------
    ValueError
        As `constants`, or if no products are taken.

    """
    if not macs_per_cycle > 0:
        raise ValueError(f"energy per MAC needs MACs, not {macs_per_cycle:g} per cycle")
    known = constants(target)
    per_cycle = {name: getattr(rates, name) * getattr(known, name) for name in PARTS[:-1]}
    per_cycle["clock"] = rates.flip_flops * known.clock
    total = sum(per_cycle.values())
    parts = {name: value / macs_per_cycle for name, value in per_cycle.items()}
    return Energy(total / macs_per_cycle, total, parts, rates, known.factor, target, known.source)
