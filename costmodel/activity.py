"""Floor 2c: toggles by formula: word statistics of the operands times the LUTs of each part.

Each part of an estimate's breakdown has as many toggling nets as LUTs, times a density (toggles per
bit) that follows from the words passing through it:

- operands and products: toggles per bit of their words; where hardware holds a sign and a
  magnitude, of the one's complement word: a magnitude of ``w`` bits toggling ``m`` of them, whose
  sign changes with probability ``s``, toggles ``(1 - s) m + s (w - m)``;
- the accumulator: bit ``k`` toggles when the step's sum ``x`` carries into it. With uniform bits
  below, that is the distance of ``x`` to the next multiple of ``2**(k + 1)``, over ``2**k``, in the
  mean over ``x``. Above the root mean square of the sum so far all bits are its sign (the dual bit
  types of Landman and Rabaey, IEEE Trans. VLSI 3(2), 1995), which changes as a random walk's does.

The coefficients of the densities are fitted to netlist simulations of cores
(`costmodel.activity_fit`). Everything is closed form: products of counts and densities. Arrays and
tiles: `costmodel.activity_grid`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from costmodel.energy import constants
from costmodel.model import Estimate
from costmodel.model import estimate as area
from hw.accumulators import AccumulatorKind
from hw.design import Design, DotProduct, Grid, OutputStationaryArray
from hw.formats import FixedFormat
from hw.target import Target


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a stream of operands looks like, word by word.

    Parameters
    ----------
    weight, activation
        Toggles per step and lane of an operand's code, all bits together.
    product, magnitude
        Toggles per step and lane of the product as a two's complement word of the design's
        product bits, and of its magnitude.
    sign
        Probability that a product's sign changes from step to step.
    step, step_sign
        The same as `product` and `sign` for the sum of a step's lanes.
    mean, deviation
        Of the sum of a step's lanes, in units of its last bit.
    carried
        For each bit of the accumulator the mean distance of a step's sum to the next multiple of
        ``2**(k + 1)``, over ``2**k``.
    steps
        Steps per sum.

    """

    weight: float
    activation: float
    product: float
    magnitude: float
    sign: float
    step: float
    step_sign: float
    mean: float
    deviation: float
    carried: tuple[float, ...]
    steps: float


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
        Mean absolute error of the toggle energy on designs that were not fitted.
    factor, source
        Of the target's constants (`costmodel.energy.Constants`).
    target
        Name of the target.

    """

    energy_pj_per_mac: float
    energy_pj_per_cycle: float
    parts: dict[str, float]
    error_percent: float
    factor: float
    target: str
    source: str


def estimate(design: Design, target: Target, statistics: Statistics) -> EnergyEstimate:
    """Return the energy of a design under operands with these statistics.

    Statistics of a grid are those of one cell. An array is taken to be fed every cycle: its sums
    have at least as many steps as it takes to show the results of the sum before.

    Raises
    ------
    ValueError
        If the formula does not cover the design (alignment windows, floating accumulators,
        pipelines, DSP blocks, what is neither MAC, dot product, array nor tile) or the target.

    """
    check_covered(design)
    known = constants(target.name)
    core = core_of(design)
    parts = {"inputs": inputs_per_cycle(design, statistics) * known.inputs}
    is_array = isinstance(design, OutputStationaryArray)
    for label, value in logic_per_cycle(core, target, statistics, is_array).items():
        parts[label] = design.cores * value
    if isinstance(design, OutputStationaryArray):
        parts["array shell"] = _shell_per_cycle(design, target, statistics)
    parts["clock"] = area(design, target).ff * known.clock
    total, macs = sum(parts.values()), design.cores * design.lanes
    return EnergyEstimate(
        total / macs,
        total,
        {name: value / macs for name, value in parts.items()},
        _error_percent(design, target),
        known.factor,
        target.label,
        known.source,
    )


def _error_percent(design: Design, target: Target) -> float:
    from costmodel.activity_grid import GRID_ERRORS

    cores = float(coefficients(target.name)["error_percent"])
    return GRID_ERRORS.get(target.name, {}).get(design.kind, cores)


def logic_per_cycle(
    design: Design, target: Target, statistics: Statistics, shown_at_end: bool = False
) -> dict[str, float]:
    """Return the pJ per cycle of each kind of part of a core, without inputs and clock.

    Parameters
    ----------
    design, target, statistics
        As for `estimate`; of a grid its core (`core_of`).
    shown_at_end
        Whether the total is that of the last step only, as in arrays: elsewhere two registers
        toggle in each step, the accumulator and its copy that is shown.

    Raises
    ------
    ValueError
        As `estimate`.

    """
    check_covered(design)
    known, fitted = constants(target.name), coefficients(target.name)
    parts: dict[str, float] = {}
    for name, value in features(design, area(design, target), statistics, target).items():
        if name not in fitted["values"]:
            raise ValueError(f"the activity of {target.name} has no coefficient {name}")
        label = name.partition("/")[0].partition(":")[0]
        share = 0.5 if shown_at_end and name == "register/carried" else 1.0
        value *= share * fitted["values"][name] * known.logic
        parts[label] = parts.get(label, 0.0) + value
    return parts


def core_of(design: Design) -> Design:
    """Return the core of an array or tile as a dot product, any other design as it is."""
    if not isinstance(design, Grid):
        return design
    return DotProduct(
        weight=design.weight,
        activation=design.activation,
        accumulator=design.accumulator,
        specials=design.specials,
        structure=design.structure,
        lane_count=design.lanes,
    )


def _shell_per_cycle(
    design: OutputStationaryArray, target: Target, statistics: Statistics
) -> float:
    """Return the pJ per cycle of an array beside its cores, its inputs and its clock."""
    from costmodel.activity_grid import core_terms, side_factors

    terms = core_terms(design, target, statistics)
    factors, plain = (
        side_factors(target, is_array, design.rows, design.columns) for is_array in (True, False)
    )
    return sum(term * (f - p) for term, f, p in zip(terms, factors, plain, strict=True))


def check_covered(design: Design, target: Target | None = None) -> None:
    """Raise ValueError if the formula does not cover a design, or has nothing for the target."""
    if target is not None:
        constants(target.name)
        coefficients(target.name)
    kind = design.accumulator.kind
    what = None
    if design.kind not in ("mac", "dot", "array", "tile"):
        what = f"kind {design.kind}"
    elif kind in (AccumulatorKind.WINDOW, AccumulatorKind.FLOATING):
        what = f"accumulator {design.accumulator}"
    elif design.pipeline or design.structure in ("dsp", "packed"):
        what = "pipeline registers" if design.pipeline else f"structure {design.structure}"
    if what:
        raise ValueError(
            f"the activity formula covers MACs, dot products, arrays and tiles in LUTs with fixed "
            f"accumulators, not {what}: simulate the netlist instead"
        )


def inputs_per_cycle(design: Design, statistics: Statistics) -> float:
    """Return the toggles per cycle of the operands and of ``last``."""
    rows, columns = (design.rows, design.columns) if isinstance(design, Grid) else (1, 1)
    words = columns * statistics.weight + rows * statistics.activation
    return design.lanes * words + 2 / statistics.steps


def accumulator_toggles(bits: int, statistics: Statistics) -> float:
    """Return the toggles per step of an accumulator of some bits, in the mean over a sum."""
    carried = np.array(statistics.carried[:bits])
    done = np.arange(max(1, round(statistics.steps)))
    mean, deviation = abs(statistics.mean), statistics.deviation
    spread = np.sqrt(done * deviation**2 + (done * mean) ** 2)
    reach = np.maximum(np.maximum(spread, mean + deviation), 1)
    top = np.clip(np.ceil(np.log2(reach)), 0, bits - 1).astype(int)
    flip = np.minimum(np.arctan2(deviation, spread + 1e-9) / math.pi, carried[top])
    below = np.concatenate([[0], np.cumsum(carried)])[top]
    return float((below + (bits - top) * flip).mean())


@dataclass(frozen=True, slots=True)
class _Densities:
    """Toggles per bit of the words in a design."""

    operand: float
    product: float
    magnitude: float
    signed: float
    step: float
    carried: float
    extended: float


def _densities(design: Design, found: Statistics) -> _Densities:
    width, bits = design.product_bits, design.accumulator_bits
    ones = (1 - found.sign) * found.magnitude + found.sign * (width - found.magnitude)
    wide = width + max(0, (design.lanes - 1).bit_length())
    used = min(wide, bits)
    step = found.step * used / wide
    if not _has_magnitudes(design):
        extended = step + found.step_sign * (bits - used)
    elif design.lanes == 1:
        extended = ones + found.sign * (bits - width) if bits >= width else ones * bits / width
    else:
        extended = (1 - found.sign) * step + found.step_sign * (bits - used)
        extended += found.sign * (used - step)
    return _Densities(
        (found.weight + found.activation) / (design.weight.bits + design.activation.bits),
        found.product / width,
        found.magnitude / width,
        ones / width,
        found.step / wide,
        accumulator_toggles(bits, found) / bits,
        extended / bits,
    )


def _has_magnitudes(design: Design) -> bool:
    """Tell whether products are a sign and a magnitude before they are added."""
    return not all(isinstance(f, FixedFormat) for f in (design.weight, design.activation))


def features(
    design: Design, counted: Estimate, statistics: Statistics, target: Target
) -> dict[str, float]:
    """Return what the coefficients are multiplied with, by name (part, then density)."""
    at = _densities(design, statistics)
    product = at.signed if _has_magnitudes(design) else at.product
    found: dict[str, float] = {}
    for part in counted.breakdown:
        chain = at.product
        label = part.label
        match label:
            case "product" | "product and shift":
                label += f":{design.structure}" if label == "product" else ""
                used = {"operand": at.operand, "product": product, "magnitude": at.magnitude}
            case "shifter":
                used = {"operand": at.operand, "product": at.product, "magnitude": at.magnitude}
            case "adder row" | "merged row":
                chain = at.step
                used = {"operand": at.operand, "product": at.product}
                used |= {"signed": at.signed, "step": at.step}
            case "accumulator":
                chain = 0.0
                used = {"carried": at.carried, "extended": at.extended, "product": at.product}
            case _:
                used = {"operand": at.operand}
        for name, density in used.items():
            key = f"{label}/{name}"
            found[key] = found.get(key, 0.0) + part.lut * density
        if part.carry and chain:
            key = f"{part.label}/chain"
            found[key] = found.get(key, 0.0) + part.carry * target.carry_bits * chain
    found["register/carried"] = design.accumulator_bits * at.carried
    found["register/ends"] = design.accumulator_bits / statistics.steps
    return found


@cache
def coefficients(target: str) -> dict[str, Any]:
    """Return the fitted coefficients of a target, with the error of the formula.

    Raises
    ------
    ValueError
        If the target has none.

    """
    import yaml

    file = files("costmodel") / "data" / f"activity_{target}.yaml"
    if not file.is_file():
        raise ValueError(f"the activity formula has no coefficients of the target {target!r}")
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found
