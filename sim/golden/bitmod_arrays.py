"""Floor 2b: BitMoD's arithmetic on arrays: many groups side by side (proven equal to the scalar).

Terms, fp16 activations and powers of 16 are float32 numbers whose products are exact, so that a
product in units of the accumulator is one multiplication, and ``rint`` its rounding to nearest
even. Sums of four are integers below 2^24; the accumulator is float64, its integers stay below
2^53. Exponents are small integers and their running maximum comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hw.design.bitmod import (
    DIGIT_BITS,
    LANES,
    MOST_LENGTH,
    SCALE_BITS,
    BitmodPe,
    check_groups,
)
from hw.formats.bitmod_datatypes import (
    DATATYPES,
    SPECIAL_IDS,
    WeightDatatype,
    default_specials,
)
from sim.golden.bitmod_terms import shift_table, value_table
from sim.golden.float_grid import codes_of, rounded
from sim.golden.odd import odd_sum_of_two

Codes = NDArray[np.unsignedinteger]
Numbers = NDArray[np.float32]
Integers = NDArray[np.int64]

DEAD = -64
"""Shift of a weight without a term: its exponent is below every accumulator's."""
TABLE_CODES = 256
EXACT_FLOAT32 = 1 << 24
COLUMNS = 512
"""Groups worked on at a time, so that they stay in the cache."""


@dataclass(frozen=True, slots=True)
class GroupSums:
    """Accumulators at the end of groups, in arrays of equal shape.

    Parameters
    ----------
    significand, exponent, invalid
        As in `sim.golden.bitmod.GroupSum`.

    """

    significand: Integers
    exponent: Integers
    invalid: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BitmodMatrix:
    """Weights of a matrix, quantised group by group.

    Parameters
    ----------
    codes
        Weight codes, shape (rows, length).
    datatype
        Number of each group's datatype (`WeightDatatype.select`), shape (rows, groups).
    special_id, scale
        Of each group, shape (rows, groups).

    """

    codes: Codes
    datatype: Codes
    special_id: Codes
    scale: Codes

    def __post_init__(self) -> None:
        """Reject shapes that do not fit and numbers the hardware does not know."""
        rows, length = self.codes.shape
        groups = self.datatype.shape[-1]
        if length > MOST_LENGTH or not groups or length % groups:
            raise ValueError(
                f"the groups divide the length, {groups} groups do not divide {length} weights"
            )
        if length // groups % LANES:
            raise ValueError(
                f"a datatype holds for a whole group, a multiple of {LANES} weights: it cannot "
                f"switch in mid-group, after {length // groups}"
            )
        for name in ("datatype", "special_id", "scale"):
            if getattr(self, name).shape != (rows, groups):
                raise ValueError(
                    f"{name} has a number for each group, shape {(rows, groups)}, "
                    f"not {getattr(self, name).shape}"
                )
        _below("datatype", self.datatype, len(DATATYPES))
        _below("special_id", self.special_id, SPECIAL_IDS)
        _below("scale of a group", self.scale, 1 << SCALE_BITS)
        per_group = self.codes.reshape(rows, groups, -1).max(axis=2)
        bits = np.array([d.bits for d in DATATYPES])[self.datatype]
        if (per_group >> bits).any():
            raise ValueError("a weight code has the bits of its group's datatype, one has more")


def _below(what: str, numbers: Codes, limit: int) -> None:
    if numbers.size and (int(numbers.max()) >= limit or int(numbers.min()) < 0):
        worst = numbers.max() if int(numbers.max()) >= limit else numbers.min()
        raise ValueError(f"the {what} is 0 to {limit - 1}, not {worst}")


def matrix_vector(design: BitmodPe, matrix: BitmodMatrix, activations: Codes) -> NDArray[np.uint64]:
    """Return a matrix times a vector: one output per row, as the element shows it.

    Parameters
    ----------
    design
        The element.
    matrix
        The weights; their length is the design's.
    activations
        Codes, shape (length,).

    Returns
    -------
    numpy.ndarray
        Codes of the accumulator's format (fp16) or two's complement integers in 64 bits (int8).

    Raises
    ------
    ValueError
        If a shape, or a group's datatype, is not the design's.

    """
    return outputs(design, matrix_sums(design, matrix, activations), matrix.scale)


def matrix_sums(design: BitmodPe, matrix: BitmodMatrix, activations: Codes) -> GroupSums:
    """Return the accumulators of all groups, in arrays of shape (rows, groups)."""
    rows, length = matrix.codes.shape
    groups = matrix.datatype.shape[1]
    check_groups(length, design.group)
    if (length, groups) != (design.length, design.groups) or activations.shape != (length,):
        raise ValueError(
            f"{design.slug} takes {design.length} weights in {design.groups} groups and as many "
            f"activations, not {length} in {groups} and {activations.shape}"
        )
    shape = (groups, rows)
    found = GroupSums(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, bool))
    for number in range(groups):
        part = slice(number * design.group, (number + 1) * design.group)
        codes = np.ascontiguousarray(matrix.codes[:, part].T)
        acts = activations[part, None]
        kinds, ids = matrix.datatype[:, number], matrix.special_id[:, number]
        one = group_sums(design, codes, acts, kinds, ids)
        found.significand[number] = one.significand
        found.exponent[number] = one.exponent
        found.invalid[number] = one.invalid
    return GroupSums(found.significand.T, found.exponent.T, found.invalid.T)


def group_sums(
    design: BitmodPe,
    codes: Codes,
    activations: Codes,
    datatype: Codes,
    special_id: Codes,
    entries: Sequence[int] | None = None,
) -> GroupSums:
    """Return the accumulators of many groups side by side.

    Parameters
    ----------
    design
        The element.
    codes
        Weight codes, shape (group, count).
    activations
        Codes, shape (group, count), or (group, 1) for the same in all.
    datatype, special_id
        Numbers of each group's datatype and special value, shape (count,).
    entries
        The special values' register, the paper's by default.

    """
    count = codes.shape[1]
    found = GroupSums(np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, bool))
    shared = activations.shape[1] == 1
    known = tuple(default_specials() if entries is None else entries)
    for kind in DATATYPES:
        (chosen,) = np.nonzero(datatype == kind.select)
        if len(chosen) and kind.name not in design.datatypes:
            raise ValueError(f"{design.slug} has no datatype {kind.name}")
        for first in range(0, len(chosen), COLUMNS):
            at = chosen[first : first + COLUMNS]
            acts = activations if shared else activations[:, at]
            tables = _tables(kind, known)
            index = codes[:, at] + special_id[at].astype(np.uint16) * TABLE_CODES
            one = _sums(design, kind, index, tables, acts)
            found.significand[at] = one.significand
            found.exponent[at] = one.exponent
            found.invalid[at] = one.invalid
    return found


@cache
def _tables(kind: WeightDatatype, entries: tuple[int, ...]) -> tuple[Numbers, NDArray[np.int8]]:
    """Return values and shifts of terms by cycle and special id · 256 + code."""
    values = np.zeros((kind.cycles, SPECIAL_IDS, TABLE_CODES), np.float32)
    shifts = np.full((kind.cycles, SPECIAL_IDS, TABLE_CODES), DEAD, np.int8)
    codes = 1 << kind.bits
    for number in range(SPECIAL_IDS):
        entry = entries[SPECIAL_IDS * kind.select + number] if kind.floating else 0
        values[:, number, :codes] = value_table(kind, entry)
        live = values[:, number, :codes] != 0
        shifts[:, number, :codes] = np.where(live, shift_table(kind, entry), DEAD)
    shape = (kind.cycles, SPECIAL_IDS * TABLE_CODES)
    return values.reshape(shape), shifts.reshape(shape)


def _sums(
    design: BitmodPe,
    kind: WeightDatatype,
    index: NDArray[np.unsignedinteger],
    tables: tuple[Numbers, NDArray[np.int8]],
    activations: Codes,
) -> GroupSums:
    count = index.shape[1]
    values, shifts = tables
    if not design.is_fp16:
        exact = np.float32 if design.group * design.product_magnitude < EXACT_FLOAT32 else float
        weights = values.sum(axis=0).astype(exact).take(index)
        signed = activations.astype(np.uint8).view(np.int8).astype(exact)
        total = np.einsum("kn,kn->n", weights, np.broadcast_to(signed, index.shape))
        zeros = np.zeros(count, np.int64)
        return GroupSums((2 * total).astype(np.int64), zeros, np.zeros(count, bool))
    numbers, exponents, special = _halves(activations)
    steps, cycles = design.steps, kind.cycles
    highest = np.empty((steps, cycles, count), np.int8)
    products = np.empty((cycles, design.group, count), np.float32)
    for cycle in range(cycles):
        places = shifts[cycle].take(index)
        places += exponents
        places >>= 2
        highest[:, cycle] = places.reshape(steps, LANES, count).max(axis=1)
        values[cycle].take(index, out=products[cycle], mode="clip")
        products[cycle] *= numbers
    running = highest.reshape(steps * cycles, count)
    np.maximum(running[0], 0, out=running[0])
    np.maximum.accumulate(running, axis=0, out=running)
    units = _UNITS.take(running).reshape(steps, cycles, 1, count)
    sums = np.empty((steps, cycles, count), np.float32)
    for cycle in range(cycles):
        aligned = products[cycle].reshape(steps, LANES, count)
        aligned *= units[:, cycle]
        np.rint(aligned, out=aligned)
        aligned.sum(axis=1, out=sums[:, cycle])
    significand = _folded(sums.reshape(steps * cycles, count), running)
    invalid = np.broadcast_to(special.any(axis=0) & design.is_flagged, (count,))
    return GroupSums(significand, running[-1].astype(np.int64), invalid)


_UNITS = np.ldexp(np.float32(1), 29 - DIGIT_BITS * np.arange(12)).astype(np.float32)
"""What makes a value an integer, by the exponent of the accumulator."""


def _folded(sums: Numbers, running: NDArray[np.int8]) -> Integers:
    """Return the accumulators: sums of the cycles, realigned where the exponent rises."""
    state = sums[0].astype(np.float64)
    rises = running[1:] != running[:-1]
    some = rises.any(axis=1)
    for t in range(1, len(sums)):
        if some[t - 1]:
            (at,) = np.nonzero(rises[t - 1])
            places = running[t, at].astype(np.int32) - running[t - 1, at]
            state[at] = np.rint(np.ldexp(state[at], -DIGIT_BITS * places))
        state += sums[t]
    whole: Integers = state.astype(np.int64)
    return whole


def _halves(codes: Codes) -> tuple[Numbers, NDArray[np.int8], NDArray[np.bool_]]:
    """Return values, exponents and whether they are special, of fp16 codes."""
    words = codes.astype(np.int32)
    fields = words >> 10 & 31
    exponents = np.maximum(fields, 1)
    significands = (words & 1023) + ((fields > 0) << 10)
    numbers = np.ldexp(significands.astype(np.float32), exponents - 25)
    return (
        np.where(words >> 15, -numbers, numbers).astype(np.float32),
        exponents.astype(np.int8),
        fields == 31,
    )


def outputs(design: BitmodPe, sums: GroupSums, scales: Codes) -> NDArray[np.uint64]:
    """Return the outputs of elements: groups of shape (rows, groups), in order."""
    return np.ascontiguousarray(running_totals(design, sums, scales)[:, -1])


def running_totals(design: BitmodPe, sums: GroupSums, scales: Codes) -> NDArray[np.uint64]:
    """Return the totals after each group, all from 0: shape (rows, groups).

    The product with a scale is exact in float64; a sum of two is rounded to odd, then once.
    """
    scaled = sums.significand * scales.astype(np.int64)
    if not design.is_fp16:
        exact: NDArray[np.uint64] = scaled.cumsum(axis=1).view(np.uint64)
        return exact
    format = design.accumulator.format
    assert format is not None
    places = (DIGIT_BITS * sums.exponent + design.unit_exponent).astype(np.int32)
    addends = np.ldexp(scaled.astype(np.float64), places)
    addends[sums.invalid] = np.nan
    state = np.zeros(len(addends))
    shown = np.empty_like(addends)
    for number in range(addends.shape[1]):
        state = rounded(odd_sum_of_two(state, np.ascontiguousarray(addends[:, number])), format)
        shown[:, number] = state
    return codes_of(shown.ravel(), format).reshape(shown.shape)
