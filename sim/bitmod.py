"""Floor 3: what BitMoD's processing element is driven with and must show (`sim.cycles`).

A vector is a step of four weights. Groups follow each other with datatypes, special values and
scales at random; activations are of one kind within a group (any code, near in exponent,
subnormal, rising, extreme, special). What the element does not read is random: unused bits of
codes, scales before a group's last cycle, everything in idle cycles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.design.bitmod import CODE_BITS, LANES, SCALE_BITS, BitmodPe
from hw.formats.bitmod_datatypes import (
    DATATYPES,
    SPECIAL_BITS,
    SPECIAL_IDS,
    default_specials,
    weight_datatype,
)
from sim.cycles import CycleStimulus, joined
from sim.golden.bitmod_arrays import GroupSums, group_sums, running_totals
from sim.ports import Bits, code_bits, input_layout, limb_bits, output_layout

ADDED_AFTER = 9
"""Edges from the one that ends a group to the one that adds it to the output."""
TAIL = 12
KINDS_OF_ACTIVATIONS = 8
IDLE_SHARE = 0.3
WRITE_SHARE = 0.5
RESETS = 6
WHOLE = 3
"""Runs of these that are not cut short by a reset."""
UNKNOWN = 7

Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Groups:
    """A run of groups, of an element or of a tile.

    Parameters
    ----------
    datatype
        Of each group, shape (groups,).
    special_id, scale
        Shape (groups,); of a tile (columns, groups).
    codes, activations
        Shape (group size, groups); of a tile (columns or rows, group size, groups).
    entries
        The special values' register in each group, shape (groups, 8).

    """

    datatype: Numbers
    special_id: Numbers
    scale: Numbers
    codes: Numbers
    activations: Numbers
    entries: Numbers

    @property
    def count(self) -> int:
        """Groups."""
        return len(self.datatype)


def stimulus(design: BitmodPe, vectors: int, seed: int, thorough: bool = True) -> CycleStimulus:
    """Return a run of an element; see `sim.cycles.stimulus`."""
    rng = np.random.default_rng([seed, 11])
    count = max(-(-vectors // design.steps), 1)
    if not thorough:
        return _segment(design, drawn(rng, design, count, False), rng, 0.0)
    parts: list[CycleStimulus] = []
    for number in range(RESETS):
        groups = drawn(rng, design, max(-(-count // WHOLE), 2), True)
        part = _segment(design, groups, rng, IDLE_SHARE * (number % 2))
        if number < RESETS - 1 and number % 3:
            part = _cut(part, int(rng.integers(1, len(part.words))))
        parts += [part, _reset(design, rng)]
    few = drawn(rng, design, 2, True)
    parts += [_fault(design, few, rng, UNKNOWN), _reset(design, rng)]
    parts += [_fault(design, few, rng, None), _reset(design, rng)]
    return joined(parts)


def drawn(rng: np.random.Generator, design: BitmodPe, count: int, writes: bool) -> Groups:
    """Return groups at random."""
    known = np.array([weight_datatype(name).select for name in design.datatypes])
    datatype = rng.choice(known, count)
    bits = np.array([d.bits for d in DATATYPES])[datatype]
    codes = rng.integers(0, 1 << CODE_BITS, (design.group, count))
    extreme = rng.random((design.group, count)) < 0.1
    codes = np.where(extreme, 1 << (bits - 1), codes) & (1 << bits) - 1
    scale = rng.integers(0, 1 << SCALE_BITS, count)
    scale[rng.random(count) < 0.1] = (1 << SCALE_BITS) - 1
    activations = _activations(rng, design, count)
    entries = np.tile(np.array(default_specials()), (count, 1))
    special_id = rng.integers(0, SPECIAL_IDS, count)
    if writes:
        free = np.array([e for e in range(1 << SPECIAL_BITS) if (e & 31).bit_count() <= 2])
        for number in range(1, count):
            entries[number] = entries[number - 1]
            if rng.random() < WRITE_SHARE:
                index = rng.integers(0, 2 * SPECIAL_IDS)
                used = SPECIAL_IDS * datatype[number - 1] + special_id[number - 1]
                if index != used:
                    entries[number, index] = rng.choice(free)
    return Groups(datatype, special_id, scale, codes, activations, entries)


def _activations(rng: np.random.Generator, design: BitmodPe, count: int) -> Numbers:
    """Return activation codes, each group's of one kind."""
    shape = (design.group, count)
    if not design.is_fp16:
        codes = rng.integers(0, 256, shape)
        return np.where(rng.random(shape) < 0.1, 0x80, codes)
    codes = rng.integers(0, 1 << 16, shape)
    kind = rng.integers(0, KINDS_OF_ACTIVATIONS, count)
    rising = np.linspace(0, 30, design.group).astype(np.int64)[:, None]
    for number, fields in enumerate(
        (
            rng.integers(13, 17, shape),
            rng.integers(0, 3, shape),
            rising + rng.integers(-2, 3, shape),
            np.full(shape, 30),
        )
    ):
        chosen = codes & 0x83FF | np.clip(fields, 0, 30) << 10
        codes = np.where(kind == number, chosen, codes)
    codes = np.where(kind == 4, codes & 0x8000 | rng.choice(_CORNERS, shape), codes)
    special = (codes >> 10 & 31 == 31) & (kind != 5)
    return np.where(special, codes & 0xBFFF, codes)


_CORNERS = np.array([0, 1, 0x3FF, 0x400, 0x7BFF, 0x3C00, 0x4000, 0x2E00, 0x1000, 0x7BFE])


def _segment(
    design: BitmodPe, groups: Groups, rng: np.random.Generator, idle: float
) -> CycleStimulus:
    """Return a run of whole groups from reset."""
    cycles = np.array([d.cycles for d in DATATYPES])[groups.datatype]
    per_group = cycles * design.steps
    total = int(per_group.sum())
    gaps = rng.geometric(1 - idle, total) if idle else np.ones(total, np.int64)
    rows = np.cumsum(gaps) - 1
    length = int(rows[-1]) + 1 + TAIL
    ends = rows[np.cumsum(per_group) - 1]
    of_group = np.repeat(np.arange(groups.count), per_group)
    of_step = np.concatenate([np.repeat(np.arange(design.steps), c) for c in cycles])
    fields = _random_fields(rng, design, length)
    fields["rst"][:] = 0
    fields["valid"][:] = 0
    fields["special_write"][:] = 0
    fields["valid"][rows] = 1
    fields["datatype"][rows] = groups.datatype[of_group, None]
    fields["special_id"][rows] = groups.special_id[of_group, None]
    fields["scale"][ends] = groups.scale[:, None]
    bits = np.array([d.bits for d in DATATYPES])[groups.datatype[of_group]]
    for lane in range(LANES):
        at = LANES * of_step + lane
        unused = fields["weight"][rows, lane] >> bits << bits
        fields["weight"][rows, lane] = groups.codes[at, of_group] | unused
        fields["activation"][rows, lane] = groups.activations[at, of_group]
    _write(design, groups, rows[np.concatenate([[0], np.cumsum(per_group)[:-1]])], fields)
    expected = _expected(design, groups, ends, length)
    steps = groups.count * design.steps
    return CycleStimulus(_packed(design, fields), output_layout(design).pack(expected), steps)


def _write(design: BitmodPe, groups: Groups, begins: Numbers, fields: dict[str, Numbers]) -> None:
    """Write changed special values in the first cycle of the group before."""
    for number in range(1, groups.count):
        for index in np.flatnonzero(groups.entries[number] != groups.entries[number - 1]):
            row = begins[number - 1]
            fields["special_write"][row] = 1
            fields["special_index"][row] = index
            fields["special_value"][row] = groups.entries[number, index]


def _random_fields(rng: np.random.Generator, design: BitmodPe, length: int) -> dict[str, Numbers]:
    """Return random numbers for every input: shape (cycles, codes)."""
    found = {}
    for name, width in design.input_fields:
        codes = LANES if name in ("weight", "activation") else 1
        found[name] = rng.integers(0, 1 << (width // codes), (length, codes))
    return found


def _packed(design: BitmodPe, fields: dict[str, Numbers]) -> Bits:
    """Return words of inputs."""
    widths = dict(design.input_fields)
    return input_layout(design).pack(
        {
            name: code_bits(numbers.astype(np.uint32), widths[name] // numbers.shape[1])
            for name, numbers in fields.items()
        }
    )


def _sums(design: BitmodPe, groups: Groups) -> GroupSums:
    """Return the golden sums; groups with the same special values together."""
    same, which = np.unique(groups.entries, axis=0, return_inverse=True)
    count = groups.count
    found = GroupSums(np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, bool))
    for number, entries in enumerate(same):
        at = np.flatnonzero(which.ravel() == number)
        one = group_sums(
            design,
            groups.codes[:, at].astype(np.uint16),
            groups.activations[:, at].astype(np.uint16),
            groups.datatype[at],
            groups.special_id[at],
            entries.tolist(),
        )
        found.significand[at] = one.significand
        found.exponent[at] = one.exponent
        found.invalid[at] = one.invalid
    return found


def _expected(design: BitmodPe, groups: Groups, ends: Numbers, length: int) -> dict[str, Bits]:
    """Return the outputs of every cycle."""
    sums = _sums(design, groups)
    outputs = -(-groups.count // design.groups)
    padding = outputs * design.groups - groups.count

    def padded(values: Numbers) -> Numbers:
        return np.pad(values, (0, padding)).reshape(outputs, design.groups)

    shaped = GroupSums(padded(sums.significand), padded(sums.exponent), padded(sums.invalid))
    totals = running_totals(design, shaped, padded(groups.scale)).ravel()[: groups.count]
    completes = np.arange(1, groups.count + 1) % design.groups == 0
    added = ends + ADDED_AFTER
    held: dict[str, tuple[Numbers, Numbers]] = {
        "significand": (sums.significand, ends),
        "exponent": (sums.exponent, ends),
        "invalid": (sums.invalid, ends),
        "total": (totals.view(np.int64), added),
    }
    found: dict[str, Bits] = {}
    for name, width in design.output_fields:
        if name in held:
            values, at = held[name]
            shown = _held(values, at, length).astype(np.int64).view(np.uint64)
            found[name] = limb_bits(shown[:, None], width)
            continue
        marks = np.zeros((length, 1), np.uint32)
        if name == "group_valid":
            marks[ends] = 1
        if name == "total_valid":
            marks[added[completes]] = 1
        found[name] = code_bits(marks, 1)
    return found


def _held(values: Numbers, at: Numbers, length: int) -> Numbers:
    """Return what a register shows that takes a value at each of some edges."""
    latest = np.searchsorted(at, np.arange(length), side="right")
    shown: Numbers = np.concatenate([[0], values])[latest]
    return shown


def _reset(design: BitmodPe, rng: np.random.Generator) -> CycleStimulus:
    """Return a cycle of reset with everything else at random."""
    fields = _random_fields(rng, design, 1)
    fields["rst"][:] = 1
    blank = np.zeros((1, output_layout(design).width), np.uint8)
    return CycleStimulus(_packed(design, fields), blank, 0)


def _cut(part: CycleStimulus, length: int) -> CycleStimulus:
    vectors = part.vectors * length // len(part.words)
    return CycleStimulus(part.words[:length], part.expected[:length], vectors)


def _fault(
    design: BitmodPe, groups: Groups, rng: np.random.Generator, unknown: int | None
) -> CycleStimulus:
    """Return a run in which a datatype changes in mid-group, or is unknown from the start."""
    part = _segment(design, groups, rng, 0.0)
    row = 0 if unknown is not None else design.steps
    words = part.words.copy()
    column = input_layout(design).column("datatype")
    other = unknown if unknown is not None else (int(groups.datatype[0]) + 1) % len(DATATYPES)
    words[row:, column] = code_bits(np.full((len(words) - row, 1), other, np.uint32), 3)
    expected = part.expected.copy()
    care = np.ones_like(expected)
    fault = output_layout(design).column("fault")
    expected[row:, fault] = 1
    care[row:] = 0
    care[row:, fault] = 1
    return CycleStimulus(words, expected, design.steps, care=care)
