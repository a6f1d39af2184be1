"""Floor 2c: operands of lanes over a sample: their fields as numbers and as planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from costmodel.activity_planes import (
    Codes,
    Plane,
    Statistics,
    Tally,
    plane_of,
    planes_of,
    run_cells,
)
from costmodel.activity_rows import summed
from costmodel.coefficients import Coefficients
from hw.formats import MinifloatFormat, Special
from hw.plan import ExponentPlan, OperandPlan
from hw.plan.merged_cells import kill_netlist

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fields:
    """What each code of an operand means: significand, exponent field, sign."""

    significand: Numbers
    exponent: Numbers
    negative: Numbers


@cache
def fields_of(operand: OperandPlan) -> Fields:
    """Return the fields of every code; special ones have the significand 0."""
    format = operand.format
    found = np.zeros((3, 1 << format.bits), np.int64)
    for code in range(1 << format.bits):
        special = isinstance(format.special(code), Special)
        if isinstance(format, MinifloatFormat):
            fraction = format.fraction_bits
            exponent = code >> fraction & ((1 << format.exponent_bits) - 1)
            bits = (code & ((1 << fraction) - 1)) | (exponent > 0) << fraction
            found[:, code] = bits, exponent, format.signed and code >> (format.bits - 1)
            if special and operand.gated:
                found[0, code] = 0
        else:
            value = 0 if special else format.integer(code)
            apart = operand.has_sign
            found[:, code] = abs(value) if apart else value, 0, apart and value < 0
    return Fields(*found)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One operand of all lanes: planes of its significand, sign and code; its fields by sample."""

    significand: list[Plane]
    negative: Plane
    codes: list[Plane]
    known: Fields
    sample: Codes

    @property
    def values(self) -> Numbers:
        """The significand of each sample."""
        return self.known.significand[self.sample]

    @property
    def exponent(self) -> NDArray[np.int16]:
        """The exponent field of each sample."""
        return self.known.exponent.astype(np.int16)[self.sample]


def side_of(operand: OperandPlan, given: Statistics, weights: bool) -> Side:
    """Return an operand's fields for a sample, that of the weights or of the activations."""
    plain = OperandPlan(operand.format, operand.has_sign, operand.gated, operand.whole)
    return _side(plain, given, weights)


@lru_cache(maxsize=256)
def _side(operand: OperandPlan, given: Statistics, weights: bool) -> Side:
    known, codes = fields_of(operand), given.weights if weights else given.activations
    bits = operand.significand_bits
    table = np.uint8 if bits <= 8 else np.int64
    return Side(
        planes_of(known.significand.astype(table)[codes], bits),
        plane_of(known.negative.astype(np.uint8)[codes]),
        planes_of(codes, operand.format.bits),
        known,
        codes,
    )


def unpack(tally: Tally, operand: OperandPlan, side: Side) -> None:
    """Count the significand of a minifloat, where it is made of the code."""
    if isinstance(operand.format, MinifloatFormat) and not operand.whole:
        made = side.significand if operand.gated else side.significand[-1:]
        tally.add("unpack/logic/significand", made)


def exponent_sum(
    tally: Tally,
    operands: Sequence[OperandPlan],
    plan: ExponentPlan,
    weight: Side,
    activation: Side,
    target: Coefficients,
) -> list[Plane]:
    """Return the sum of the exponents of the operands that shift, and count it."""
    sides = zip(operands, (weight, activation), strict=True)
    shifting = [np.maximum(side.exponent, 1) for operand, side in sides if operand.field_bits]
    bits = plan.amount_bits
    if plan.from_table or len(shifting) == 1:
        amount = sum(shifting) - (len(shifting) if plan.from_table else 0)
        found = planes_of(np.asarray(amount), bits)
        tally.add("unpack/logic/exponent", found)
        return found
    left, right = (planes_of(one, bits) for one in shifting)
    return summed(tally, "unpack", left, right, 0, target)


def merged_inputs(
    tally: Tally, operands: Sequence[OperandPlan], weight: Side, activation: Side
) -> dict[str, Plane]:
    """Return what the cells of merged lanes read, special codes told apart."""
    inputs: dict[str, Plane] = {}
    codes: dict[str, Plane] = {}
    for name, operand, side in zip("wa", operands, (weight, activation), strict=True):
        fraction = operand.significand_bits - 1
        normal = plane_of(side.exponent != 0)
        inputs |= _numbered(f"{name}m", [*side.codes[:fraction], normal])
        inputs |= {f"{name}s": side.negative, f"{name}n": normal}
        inputs |= _numbered(f"{name}f", planes_of(side.exponent, operand.field_bits))
        codes |= _numbered(name, side.codes)
    if any(operand.gated for operand in operands):
        inputs["kill"] = run_cells(tally, "unpack", kill_netlist(operands), codes)["kill"]
    return inputs


def _numbered(prefix: str, planes: Sequence[Plane]) -> dict[str, Plane]:
    return {f"{prefix}{i}": plane for i, plane in enumerate(planes)}
