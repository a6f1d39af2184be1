"""Floor 2c: energy by formula: the words of a plan over a sample of operands, times pJ.

A design's rows, tables and multiplexers are those its plan names, and so are the words on their
nets; their toggles are counted over a sample of some thousand steps (`costmodel.activity_core`).
What is not said by the plan is LUTs times densities. Every name of `core_toggles` has a
coefficient: those of nets the plan names are drawn to 1 (`DERIVED`), the others are fitted to
netlist simulations of cores (`costmodel.activity_fit`). Nothing is mapped: an estimate takes
milliseconds.

History: until version 2 of the coefficients parts were LUTs times densities throughout, after the
dual bit types of Landman and Rabaey (IEEE Trans. VLSI 3(2), 1995). That missed what words are on
their way: a product of two-bit operands that is mostly 0 still inverts with the sign of its weight,
and the 1 that makes a zero of it is added late, so that all bits of an accumulator's row toggle.

Arrays and tiles: `costmodel.activity_grid`; windows: `costmodel.activity_window`; floating
accumulators: `costmodel.activity_float_core`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from costmodel.activity_core import core_toggles, word_density
from costmodel.activity_planes import Statistics
from costmodel.energy import constants
from costmodel.energy_blocks import product_pj
from costmodel.pipeline import staged
from costmodel.records import read
from hw.accumulators import AccumulatorKind
from hw.design import Design, Grid, OutputStationaryArray, WeightStationaryArray
from hw.design.constant_dot import ConstantDot
from hw.plan import Plan
from hw.plan.baugh_wooley import STRUCTURE as HEAP
from hw.target import Target

__all__ = ["EnergyEstimate", "Statistics", "check_covered", "coefficients", "estimate"]

DERIVED = (
    *("row", "sum", "chain", "cell", "selection", "table", "majority", "inverted", "level"),
    *("amount", "sign", "significand", "limited", "control", "state", "total", "ends", "extra"),
    *("exponent", "distance", "right", "left", "digit", "normal", "sticky", "zero", "code"),
    *("narrow", "operand", "larger", "shown"),
    *(f"{nets} beside" for nets in ("aligned", "code", "digit", "larger", "left", "normal")),
    *("right beside", "sticky beside", "zero beside"),
)
"""Nets that plans name; a coefficient that was not fitted is 1."""
KINDS = ("mac", "dot", "mxdot", "array", "tile", "constdot", "square")
ONE_OPERAND = ("constdot", "square")
"""Kinds that take activations alone, and have one structure."""
BLOCKS = "dsp"
"""Structure whose products are constants (`costmodel.energy_blocks`): nothing simulates them."""
STAGED_CONTROL = 3
"""Registers of a pipeline's stage that hold no word."""
STRUCTURES = ("behavioural", "rows", "table", "merged", "compressor", HEAP, BLOCKS)
"""Structures of products that the formula was fitted to or follows."""


@dataclass(frozen=True, slots=True)
class EnergyEstimate:
    """Energy of a design by formula.

    Parameters
    ----------
    energy_pj_per_mac, energy_pj_per_cycle
        With the clock.
    parts
        pJ per multiply-accumulate: inputs, each kind of part, clock.
    error_percent
        Mean absolute error of the toggle energy on designs that were not fitted; None with DSP
        blocks, which netlists are not simulated with.
    factor, source
        Of the target's constants (`costmodel.energy.Constants`).
    target
        Name of the target.

    """

    energy_pj_per_mac: float
    energy_pj_per_cycle: float
    parts: dict[str, float]
    error_percent: float | None
    factor: float
    target: str
    source: str


def estimate(
    design: Design,
    target: Target,
    statistics: Statistics,
    chains: Mapping[int, int] | None = None,
) -> EnergyEstimate:
    """Return the energy of a design under operands with these statistics.

    Statistics of a grid are those of one cell. An array is taken to be fed every cycle: its sums
    have at least as many steps as it takes to show the results of the sum before.

    Parameters
    ----------
    design, target, statistics
        What, where, and under which operands.
    chains
        Of a design with pipeline stages: length to number of the chains of registers that were
        placed (`hw.pipeline.Pipelined.chains`).

    Raises
    ------
    ValueError
        If the formula does not cover the design (`check_covered`) or the target, or chains are
        missing.

    """
    check_covered(design, chains=chains)
    known = constants(target.name)
    plain = replace(design, pipeline=0)
    parts = {"inputs": inputs_per_cycle(design, statistics) * known.inputs}
    if chains:
        parts["pipeline registers"] = _staged_per_cycle(plain, target, statistics, chains)
    ff = staged(design, chains or {}, target).ff
    design = plain
    for label, value in logic_per_cycle(design, target, statistics).items():
        parts[label] = design.cores * value
    if isinstance(design, OutputStationaryArray):
        parts["array shell"] = _shell_per_cycle(design, target, statistics)
    parts["clock"] = ff * known.clock
    total, macs = sum(parts.values()), macs_per_cycle(design)
    return EnergyEstimate(
        total / macs,
        total,
        {name: value / macs for name, value in parts.items()},
        error_percent(design, target),
        known.factor,
        target.label,
        known.source,
    )


def _staged_per_cycle(
    design: Design, target: Target, statistics: Statistics, chains: Mapping[int, int]
) -> float:
    """Return the pJ per cycle of pipeline registers.

    In each stage of a core `STAGED_CONTROL` hold reset, ``valid`` and ``last``, of which the last
    one toggles; the others are as dense as what passes.
    """
    registers = sum(length * number for length, number in chains.items())
    stages = design.cores * max(chains)
    words = max(registers - STAGED_CONTROL * stages, 0)
    density = word_density(design, target, statistics, words / stages)
    ends = 2 * stages / statistics.steps
    return (words * density + ends) * constants(target.name).registers


def toggle_energy(
    design: Design,
    target: Target,
    statistics: Statistics,
    chains: Mapping[int, int] | None = None,
) -> float:
    """Return the pJ per cycle of all toggles, without the clock; parameters as `estimate`."""
    check_covered(design, chains=chains)
    staged_energy = _staged_per_cycle(design, target, statistics, chains) if chains else 0.0
    design = replace(design, pipeline=0)
    found = staged_energy + inputs_per_cycle(design, statistics) * constants(target.name).inputs
    found += design.cores * sum(logic_per_cycle(design, target, statistics).values())
    if isinstance(design, OutputStationaryArray):
        found += _shell_per_cycle(design, target, statistics)
    return found


def family_of(design: Design) -> str:
    """Return the row of the error table that a design belongs to."""
    if design.kind in ("mxdot", *ONE_OPERAND):
        return design.kind
    if design.structure == HEAP:
        return f"{HEAP}, pipelined" if design.pipeline else f"{design.kind}, {HEAP}"
    if design.pipeline:
        return f"{design.kind}, pipelined"
    if design.accumulator.kind is AccumulatorKind.FLOATING:
        return f"{design.kind}, floating"
    if design.is_window:
        return f"{design.kind}, window"
    return "compressor" if design.structure == "compressor" else design.kind


def error_percent(design: Design, target: Target) -> float | None:
    """Return the mean error of designs like this one that were not fitted; None with DSP blocks.

    That of dot products stands for arrays and tiles of a kind that was not simulated.

    Raises
    ------
    ValueError
        If none were simulated.

    """
    if design.structure == BLOCKS:
        return None
    known, family = errors().get(target.name, {}), family_of(design)
    cores = family.replace("array", "dot").replace("tile", "dot")
    found = known.get(family, known.get(cores, {})).get("all")
    if found is None:
        raise ValueError(
            f"the activity formula was judged by no {family} on {target.name}: simulate "
            f"the netlist instead"
        )
    return float(found["mean"])


@cache
def errors() -> dict[str, Any]:
    """Return the errors on designs not fitted by target, family and stream (`sweeps.activity`)."""
    return read("activity_errors")


@lru_cache(maxsize=64)
def logic_per_cycle(
    design: Design, target: Target, statistics: Statistics, built: Plan | None = None
) -> dict[str, float]:
    """Return the pJ per cycle of each kind of part of one core, without inputs and clock.

    Parameters as for `costmodel.activity_core.core_toggles`. The last ones are kept; what is
    returned is not to be changed.

    Raises
    ------
    ValueError
        As `estimate`.

    """
    check_covered(design)
    known, values = constants(target.name), coefficients(target.name)["values"]
    parts: dict[str, float] = {}
    for name, value in core_toggles(design, target, statistics, built).items():
        label, kind, nets = name.split("/")
        factor = values.get(name, 1.0 if nets in DERIVED else None)
        if factor is None:
            raise ValueError(f"the activity of {target.name} has no coefficient {name}")
        parts[label] = parts.get(label, 0.0) + value * factor * float(getattr(known, kind))
    if design.structure == BLOCKS:
        parts["DSP block"] = design.lanes * product_pj(design, target.name)
    return {label: value for label, value in parts.items() if value}


def _shell_per_cycle(
    design: OutputStationaryArray, target: Target, statistics: Statistics
) -> float:
    """Return the pJ per cycle of an array beside its cores, its inputs and its clock."""
    from costmodel.activity_grid import side_factors, word_terms

    terms = word_terms(design, statistics)
    factors, plain = (
        side_factors(target, is_array, design.rows, design.columns)[1:]
        for is_array in (True, False)
    )
    return sum(term * (f - p) for term, f, p in zip(terms, factors, plain, strict=True))


def check_covered(
    design: Design, target: Target | None = None, chains: Mapping[int, int] | None = None
) -> None:
    """Raise ValueError if the formula does not cover a design, or has nothing for the target."""
    if isinstance(design, WeightStationaryArray):
        raise ValueError(
            f"the activity formula covers arrays whose sums stay, not {design.slug}: the nearest "
            f"is an output-stationary array, or a dot of {design.lanes} lanes"
        )
    if design.kind not in KINDS:
        known = ", ".join(KINDS)
        raise ValueError(f"operand streams, and so energy, are of {known}, not kind {design.kind}")
    what = None
    if design.kind not in ONE_OPERAND and design.structure not in STRUCTURES:
        what = f"structure {design.structure}"
    elif design.pipeline and not chains:
        what = "pipeline registers whose chains are not given"
    if what:
        raise ValueError(
            f"the activity formula covers MACs, dot products of numbers and MX blocks, arrays and "
            f"tiles in LUTs, squares and constant weights, not {what}: simulate the netlist instead"
        )
    if target is not None:
        constants(target.name)
        coefficients(target.name)
        error_percent(design, target)


def inputs_per_cycle(design: Design, statistics: Statistics) -> float:
    """Return the toggles per cycle of the operands and of ``last``."""
    ends = 0.0 if isinstance(design, ConstantDot) else 2 / statistics.steps
    if design.kind in ONE_OPERAND:
        return design.lanes * statistics.activation + ends
    rows, columns = (design.rows, design.columns) if isinstance(design, Grid) else (1, 1)
    words = columns * statistics.weight + rows * statistics.activation
    return design.lanes * words + statistics.scale + ends


def macs_per_cycle(design: Design) -> int:
    """Return the products of a step."""
    outputs = design.outputs if isinstance(design, ConstantDot) else 1
    return design.cores * design.lanes * outputs


TAKEN_OVER = {"xc7": "xcup", "ice40": "ecp5", "gowin": "ecp5"}
"""Targets without coefficients of their own, and whose they take."""


@cache
def coefficients(target: str) -> dict[str, Any]:
    """Return the fitted coefficients of a target, or those it takes over.

    Raises
    ------
    ValueError
        If the target has none.

    """
    name = f"activity_{TAKEN_OVER.get(target, target)}"
    if not (files("costmodel") / "data" / f"{name}.yaml").is_file():
        raise ValueError(f"the activity formula has no coefficients of the target {target!r}")
    return read(name)
