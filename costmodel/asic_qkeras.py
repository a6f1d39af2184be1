"""Floor 2c: QKeras' 190 published integer MACs, as an outside check of the model of gates.

The points are in ``costmodel/data/qkeras_macs.csv`` (google/qkeras, ``qkeras/qtools/DnC``,
Apache-2.0). The published MAC is a multiplier, an adder and one register. Two predictions, with
nothing fitted but one scale to gates:

- `predictions`: our own parts and their transistors, the product and the adder one after the other;
- `merged_predictions`: the same sum as a synthesiser for chips builds it, products of bits and the
  accumulator in one tree of full and half adders (Dadda; datapath synthesis merges ``a·b + c``),
  priced by the areas of cells of an open library instead of transistors. There a full adder is one
  cell of 5.3 NAND gates, while in ours it is some eight gates of static CMOS.

The second was chosen with the points at hand, among products by array, by tree and merged, and
among textbook transistors and the library: that explains the difference and predicts nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from costmodel.asic import FF_TRANSISTORS, price
from costmodel.asic_parts import adder_module, product_modules
from hw.plan import AdderRow, Bounds
from hw.plan.product import plan_product

CELL_AREA = {"nand": 0.798, "and": 1.064, "half": 2.66, "full": 4.256, "register": 4.522}
"""µm² of NAND2_X1, AND2_X1, HA_X1, FA_X1 and DFF_X1 in the NanGate 45 nm Open Cell Library."""


@dataclass(frozen=True, slots=True)
class Point:
    """One published MAC: widths in bits, area in gates."""

    accumulator: int
    weight: int
    activation: int
    gates: float


@cache
def points() -> tuple[Point, ...]:
    """Return the published points."""
    text = (files("costmodel") / "data" / "qkeras_macs.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return tuple(
        Point(
            int(row["accumulator_bits"]),
            int(row["weight_bits"]),
            int(row["activation_bits"]),
            float(row["gates"]),
        )
        for row in csv.DictReader(lines)
    )


def mac_transistors(accumulator: int, weight: int, activation: int) -> float:
    """Return the transistors of a plain MAC of two's complement words.

    That is the cheaper of our products (Booth rows or ``*``), an adder row as wide as the
    accumulator, and one plain flip-flop per bit of it.

    Parameters
    ----------
    accumulator, weight, activation
        Widths in bits; a word of one bit is 0 or −1.

    """
    sides = _word(weight), weight, _word(activation), activation
    products = [
        sum(price(module)[0] for module in product_modules(plan_product(structure, *sides)))
        for structure in ("rows", "behavioural")
    ]
    row = adder_module(AdderRow(_word(accumulator - 1), sides[0] * sides[2], False))
    return min(products) + price(row)[0] + FF_TRANSISTORS * accumulator


def merged_gates(accumulator: int, weight: int, activation: int) -> float:
    """Return the area, in NAND gates, of products of bits and accumulator in one tree of adders.

    Baugh–Wooley products are as many as plain ones, their constants left out. Full adders take
    three bits of a column and half adders two, lowest column first, until one is left in each.

    Parameters
    ----------
    accumulator, weight, activation
        Widths in bits.

    """
    heights = [1] * accumulator
    for i in range(weight):
        for j in range(activation):
            if i + j < accumulator:
                heights[i + j] += 1
    full = half = 0
    carried = 0
    for height in heights:
        adders, left = divmod(height + carried - 1, 2)
        full, half, carried = full + adders, half + left, adders + left
    area = CELL_AREA["and"] * weight * activation + CELL_AREA["register"] * accumulator
    area += CELL_AREA["full"] * full + CELL_AREA["half"] * half
    return area / CELL_AREA["nand"]


def merged_predictions() -> dict[Point, float]:
    """Return the gates of `merged_gates` for every published point."""
    return {
        point: merged_gates(point.accumulator, point.weight, point.activation) for point in points()
    }


def _word(bits: int) -> Bounds:
    half = 1 << (bits - 1)
    return Bounds(-half, half - 1)


def errors(predicted: Mapping[Point, float]) -> dict[str, float]:
    """Return the errors of a prediction in percent, after the one scale that suits it best.

    `relative_mae` is the mean absolute error over the mean, the measure the source uses; `mape`,
    `worst` and `scale` (gates per unit of the prediction) beside it. The scale is that of the least
    mean absolute error: the median of the ratios, weighted by the predictions.
    """
    found = np.array([point.gates for point in predicted])
    guess = np.array(list(predicted.values()))
    order = np.argsort(found / guess)
    weight = np.cumsum(guess[order])
    scale = float((found / guess)[order][np.searchsorted(weight, weight[-1] / 2)])
    off = np.abs(scale * guess - found)
    return {
        "points": float(len(found)),
        "scale": scale,
        "relative_mae": 100 * float(off.mean() / found.mean()),
        "mape": 100 * float((off / found).mean()),
        "worst": 100 * float((off / found).max()),
    }


def predictions() -> dict[Point, float]:
    """Return our transistors for every published point."""
    return {
        point: mac_transistors(point.accumulator, point.weight, point.activation)
        for point in points()
    }


def published_fit() -> dict[Point, float]:
    """Return what the source's own formula gives: three coefficients fitted to these points."""
    return {
        point: 7.70469119 * point.weight * point.activation
        + 13.76199652 * point.accumulator
        - 92.15756665
        for point in points()
    }
