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

The coefficients of the densities are fitted to netlist simulations (`fit`; non-negative least
squares of relative errors). Everything is closed form: products of counts and densities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.energy import Constants, constants
from costmodel.model import Estimate
from costmodel.model import estimate as area
from hw.accumulators import AccumulatorKind
from hw.design import Design, Grid
from hw.formats import FixedFormat
from hw.target import Target

ROUNDS = 400
"""Rounds of the fit's coordinate descent."""
EMPTY = 1e-12


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
    """Return the energy of a MAC or dot product under operands with these statistics.

    Raises
    ------
    ValueError
        If the formula does not cover the design (arrays, alignment windows, floating
        accumulators, pipelines, DSP blocks) or the target.

    """
    check_covered(design)
    known, fitted = constants(target.name), coefficients(target.name)
    counted = area(design, target)
    parts = {"inputs": inputs_per_cycle(design, statistics) * known.inputs}
    for name, value in features(design, counted, statistics, target).items():
        if name not in fitted["values"]:
            raise ValueError(f"the activity of {target.name} has no coefficient {name}")
        label = name.partition("/")[0].partition(":")[0]
        parts[label] = parts.get(label, 0.0) + value * fitted["values"][name] * known.logic
    parts["clock"] = counted.ff * known.clock
    total = sum(parts.values())
    return EnergyEstimate(
        total / design.lanes,
        total,
        {name: value / design.lanes for name, value in parts.items()},
        float(fitted["error_percent"]),
        known.factor,
        target.label,
        known.source,
    )


def check_covered(design: Design) -> None:
    """Raise ValueError if the formula does not cover a design."""
    kind = design.accumulator.kind
    what = None
    if isinstance(design, Grid) or design.kind not in ("mac", "dot"):
        what = f"kind {design.kind}"
    elif kind in (AccumulatorKind.WINDOW, AccumulatorKind.FLOATING):
        what = f"accumulator {design.accumulator}"
    elif design.pipeline or design.structure in ("dsp", "packed"):
        what = "pipeline registers" if design.pipeline else f"structure {design.structure}"
    if what:
        raise ValueError(
            f"the activity formula covers MACs and dot products in LUTs with fixed accumulators, "
            f"not {what}: simulate the netlist instead"
        )


def inputs_per_cycle(design: Design, statistics: Statistics) -> float:
    """Return the toggles per cycle of the operands and of ``last``."""
    return design.lanes * (statistics.weight + statistics.activation) + 2 / statistics.steps


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


def fit(
    rows: Sequence[Mapping[str, float]],
    energies: Sequence[tuple[float, float]],
    prior: Mapping[str, float] | None = None,
    pull: float = 1e-4,
) -> dict[str, float]:
    """Return coefficients by name: non-negative least squares of relative errors.

    Parameters
    ----------
    rows
        `features` of each measurement.
    energies
        Measured toggle energy of each in toggles of logic: without the inputs, and with them; the
        error is relative to the latter.
    prior, pull
        Coefficients that the found ones are drawn to (0 by default), and how strongly.

    """
    known = prior or {}
    names = sorted({name for row in rows for name in row} | set(known))
    whole = np.array([total for _, total in energies])
    matrix = np.array([[row.get(name, 0.0) for name in names] for row in rows]) / whole[:, None]
    wanted = np.array([own for own, _ in energies]) / whole
    scale = np.sqrt((matrix**2).sum(axis=0)) + EMPTY
    start = np.array([known.get(name, 0.0) for name in names])
    solved = _non_negative(matrix / scale, wanted, start * scale, pull) / scale
    solved = np.where(scale > EMPTY, solved, start)
    return {name: round(float(value), 5) for name, value in zip(names, solved, strict=True)}


def _non_negative(
    matrix: NDArray[np.float64],
    wanted: NDArray[np.float64],
    start: NDArray[np.float64],
    pull: float,
) -> NDArray[np.float64]:
    """Return the least-squares solution without negative values, by coordinate descent."""
    square = matrix.T @ matrix + pull * np.eye(matrix.shape[1])
    right = matrix.T @ wanted + pull * start
    found = start.copy()
    for _ in range(ROUNDS):
        for j in range(len(found)):
            found[j] = max(0.0, found[j] + (right[j] - square[j] @ found) / square[j, j])
    return found


def measured_energy(rates: Mapping[str, float], known: Constants) -> tuple[float, float]:
    """Return measured toggle energy in toggles of logic: without inputs, and with them."""
    names = ("logic", "carry", "registers")
    own = sum(rates[name] * getattr(known, name) for name in names)
    return own / known.logic, (own + rates["inputs"] * known.inputs) / known.logic
