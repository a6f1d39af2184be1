"""Floor 3: what a tile of BitMoD elements is driven with and must show (`sim.cycles`).

A vector is a step of four weights in one element. Groups follow each other with datatypes at
random, special values and scales at random per column; activations are of one kind within a group
and row. What the tile does not read is random: unused bits of codes, scales before a group's last
cycle, everything in idle cycles.
"""

from __future__ import annotations

import numpy as np

from hw.design.bitmod import CODE_BITS, LANES, SCALE_BITS
from hw.design.bitmod_tile import BitmodTile
from hw.formats.bitmod_datatypes import (
    DATATYPES,
    SPECIAL_BITS,
    SPECIAL_IDS,
    default_specials,
    weight_datatype,
)
from sim.bitmod import Groups, Numbers
from sim.cycles import CycleStimulus, joined
from sim.golden.bitmod_arrays import GroupSums, group_sums, running_totals
from sim.ports import Bits, code_bits, input_layout, limb_bits, output_layout

IDLE_SHARE = 0.3
SEGMENTS = 5
UNKNOWN = 7
WIDTHS = np.array([d.bits for d in DATATYPES])
CYCLES = np.array([d.cycles for d in DATATYPES])
FREE_ENTRIES = np.array([e for e in range(1 << SPECIAL_BITS) if (e & 31).bit_count() <= 2])
CORNERS = np.array([0, 1, 0x3FF, 0x400, 0x7BFF, 0x3C00, 0x4000, 0x2E00, 0x1000, 0x7BFE])
FIELD_RANGES = ((13, 17), (0, 3), (24, 31), (1, 31))
"""Fields of fp16 activations by kind: near each other, subnormal, large, any finite."""


def stimulus(design: BitmodTile, vectors: int, seed: int, thorough: bool = True) -> CycleStimulus:
    """Return a run of a tile; see `sim.cycles.stimulus`."""
    rng = np.random.default_rng([seed, 12])
    count = max(-(-vectors // (design.steps * design.cores)), 1)
    if not thorough:
        return _segment(design, drawn(rng, design, count, False), rng, 0.0)
    parts: list[CycleStimulus] = []
    for number in range(SEGMENTS):
        groups = drawn(rng, design, max(-(-count // SEGMENTS), design.groups + 1), True)
        part = _segment(design, groups, rng, IDLE_SHARE * (number % 2))
        if number % 3 == 1:
            stop = int(rng.integers(1, len(part.words)))
            part = CycleStimulus(part.words[:stop], part.expected[:stop], part.vectors)
        parts += [part, _reset(design, rng)]
    few = drawn(rng, design, 1, False)
    for port in ("datatype", "special_id", None):
        parts += [_fault(design, few, rng, port), _reset(design, rng)]
    return joined(parts)


def drawn(rng: np.random.Generator, design: BitmodTile, count: int, writes: bool) -> Groups:
    """Return groups at random; with `writes`, special values change now and then."""
    known = np.array([weight_datatype(name).select for name in design.datatypes])
    datatype = rng.choice(known, count)
    bits = WIDTHS[datatype]
    shape = (design.columns, design.group, count)
    extreme = rng.random(shape) < 0.1
    codes = rng.integers(0, 1 << CODE_BITS, shape)
    codes = np.where(extreme, 1 << (bits - 1), codes) & (1 << bits) - 1
    scale = rng.integers(0, 1 << SCALE_BITS, (design.columns, count))
    scale[rng.random(scale.shape) < 0.1] = (1 << SCALE_BITS) - 1
    special_id = rng.integers(0, SPECIAL_IDS, (design.columns, count))
    entries = np.tile(np.array(default_specials()), (count, 1))
    for number in range(1, count) if writes else ():
        entries[number] = entries[number - 1]
        half = SPECIAL_IDS * int(datatype[number - 1] == 0)  # not those in use
        entries[number, half + rng.integers(0, SPECIAL_IDS)] = rng.choice(FREE_ENTRIES)
    return Groups(datatype, special_id, scale, codes, _activations(rng, design, count), entries)


def _activations(rng: np.random.Generator, design: BitmodTile, count: int) -> Numbers:
    """Return activation codes, those of a group and row of one kind."""
    shape = (design.rows, design.group, count)
    if not design.is_fp16:
        return np.where(rng.random(shape) < 0.1, 0x80, rng.integers(0, 256, shape))
    codes = rng.integers(0, 1 << 16, shape)
    kind = rng.integers(0, len(FIELD_RANGES) + 2, (design.rows, 1, count))
    for number, (low, high) in enumerate(FIELD_RANGES):
        fields = rng.integers(low, high, shape)
        codes = np.where(kind == number, codes & 0x83FF | fields << 10, codes)
    corners = codes & 0x8000 | rng.choice(CORNERS, shape)
    codes = np.where(kind == len(FIELD_RANGES), corners, codes)
    special = (codes >> 10 & 31 == 31) & (rng.random(shape) < 0.98)
    return np.where(special, codes & 0xBFFF, codes)


def _segment(
    design: BitmodTile, groups: Groups, rng: np.random.Generator, idle: float
) -> CycleStimulus:
    """Return a run of whole groups from reset, and the cycles until the last one is added."""
    cycles = CYCLES[groups.datatype]
    per_group = cycles * design.steps
    total = int(per_group.sum())
    gaps = rng.geometric(1 - idle, total) if idle else np.ones(total, np.int64)
    rows = np.cumsum(gaps) - 1
    length = int(rows[-1]) + design.output_cycles + 4
    last = np.cumsum(per_group) - 1
    of_group = np.repeat(np.arange(groups.count), per_group)
    of_step = np.concatenate([np.repeat(np.arange(design.steps), c) for c in cycles])
    fields = _random_fields(rng, design, length)
    for name in ("rst", "valid", "special_write"):
        fields[name][:] = 0
    fields["valid"][rows] = 1
    fields["datatype"][rows] = groups.datatype[of_group, None]
    fields["special_id"][rows] = groups.special_id.T[of_group]
    fields["scale"][rows[last]] = groups.scale.T
    bits = WIDTHS[groups.datatype[of_group]][:, None]
    for lane in range(LANES):
        at = LANES * of_step + lane
        weights = fields["weight"].reshape(length, design.columns, LANES)
        unused = weights[rows, :, lane] >> bits << bits
        weights[rows, :, lane] = groups.codes[:, at, of_group].T | unused
        activations = fields["activation"].reshape(length, design.rows, LANES)
        activations[rows, :, lane] = groups.activations[:, at, of_group].T
    _write(groups, rows[last - per_group + 1], fields)
    expected = _expected(design, groups, rows[last], length)
    vectors = groups.count * design.steps * design.cores
    return CycleStimulus(_packed(design, fields), output_layout(design).pack(expected), vectors)


def _write(groups: Groups, begins: Numbers, fields: dict[str, Numbers]) -> None:
    """Write a changed special value in the first cycle of the group before."""
    for number in range(1, groups.count):
        for index in np.flatnonzero(groups.entries[number] != groups.entries[number - 1]):
            row = begins[number - 1]
            fields["special_write"][row] = 1
            fields["special_index"][row] = index
            fields["special_value"][row] = groups.entries[number, index]


def _codes_of(design: BitmodTile, name: str) -> int:
    """Return how many codes a port carries."""
    counts = {"weight": design.columns * LANES, "activation": design.rows * LANES}
    return counts.get(name, design.columns if name in ("special_id", "scale") else 1)


def _random_fields(rng: np.random.Generator, design: BitmodTile, length: int) -> dict[str, Numbers]:
    """Return random numbers for every input: shape (cycles, codes)."""
    found = {}
    for name, width in design.input_fields:
        codes = _codes_of(design, name)
        found[name] = rng.integers(0, 1 << (width // codes), (length, codes))
    return found


def _packed(design: BitmodTile, fields: dict[str, Numbers]) -> Bits:
    widths = dict(design.input_fields)
    return input_layout(design).pack(
        {
            name: code_bits(numbers.astype(np.uint32), widths[name] // numbers.shape[1])
            for name, numbers in fields.items()
        }
    )


def totals(design: BitmodTile, groups: Groups) -> Numbers:
    """Return the outputs after every group, shape (rows, columns, groups), as uint64."""
    shape = (design.rows, design.columns, groups.count)
    sums = GroupSums(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, bool))
    same, which = np.unique(groups.entries, axis=0, return_inverse=True)
    for number, entries in enumerate(same):
        at = np.flatnonzero(which.ravel() == number)
        cells = (design.rows, design.columns, len(at))

        def flat(values: Numbers, cells: tuple[int, ...] = cells) -> Numbers:
            return np.broadcast_to(values, cells).ravel()

        def each(values: Numbers, cells: tuple[int, ...] = cells) -> Numbers:
            whole = np.broadcast_to(np.moveaxis(values, 2, 0), (design.group, *cells))
            return whole.reshape(design.group, -1).astype(np.uint16)

        one = group_sums(
            design,
            each(groups.codes[None, :, :, at]),
            each(groups.activations[:, None, :, at]),
            flat(groups.datatype[at]),
            flat(groups.special_id[:, at]),
            entries.tolist(),
        )
        sums.significand[..., at] = one.significand.reshape(cells)
        sums.exponent[..., at] = one.exponent.reshape(cells)
        sums.invalid[..., at] = one.invalid.reshape(cells)
    return _running(design, sums, np.broadcast_to(groups.scale, shape))


def _running(design: BitmodTile, sums: GroupSums, scale: Numbers) -> Numbers:
    """Add groups to their outputs; an output that is not completed is padded."""
    count = scale.shape[-1]
    outputs = -(-count // design.groups)

    def shaped(values: Numbers) -> Numbers:
        padding = ((0, 0), (0, 0), (0, outputs * design.groups - count))
        return np.pad(values, padding).reshape(-1, design.groups)

    found = running_totals(
        design,
        GroupSums(shaped(sums.significand), shaped(sums.exponent), shaped(sums.invalid)),
        shaped(scale),
    )
    return found.reshape(design.rows, design.columns, -1)[..., :count]


def _expected(design: BitmodTile, groups: Groups, ends: Numbers, length: int) -> dict[str, Bits]:
    """Return the outputs of every cycle: a row's are added 8 cycles after the row above."""
    after = totals(design, groups)
    shown = np.empty((length, design.cores), np.uint64)
    for row in range(design.rows):
        added = ends + 1 + SCALE_BITS * (row + 1)
        latest = np.searchsorted(added, np.arange(length), side="right")
        for column in range(design.columns):
            values = np.concatenate([[0], after[row, column].view(np.int64)])
            shown[:, row * design.columns + column] = values[latest].view(np.uint64)
    valid = np.zeros((length, 1), np.uint32)
    completes = np.arange(1, groups.count + 1) % design.groups == 0
    valid[ends[completes] + design.output_cycles] = 1
    bits = design.accumulator_bits
    words = [limb_bits(shown[:, [cell]], bits) for cell in reversed(range(design.cores))]
    none = np.zeros((length, 1), np.uint8)
    return {
        "total": np.concatenate(words, axis=1),
        "total_valid": code_bits(valid, 1),
        "fault": none,
    }


def _reset(design: BitmodTile, rng: np.random.Generator) -> CycleStimulus:
    """Return a cycle of reset with everything else at random."""
    fields = _random_fields(rng, design, 1)
    fields["rst"][:] = 1
    blank = np.zeros((1, output_layout(design).width), np.uint8)
    return CycleStimulus(_packed(design, fields), blank, 0)


def _fault(
    design: BitmodTile, groups: Groups, rng: np.random.Generator, port: str | None
) -> CycleStimulus:
    """Return a run in which a port changes in mid-group; None: an unknown datatype."""
    part = _segment(design, groups, rng, 0.0)
    row = design.steps if port else 0
    words = part.words.copy()
    column = input_layout(design).column(port or "datatype")
    if port is None:
        words[row:, column] = code_bits(np.full((len(words) - row, 1), UNKNOWN, np.uint32), 3)
    else:
        words[row, column.stop - 1] ^= 1
    expected, care = part.expected.copy(), np.ones_like(part.expected)
    fault = output_layout(design).column("fault")
    care[row:] = 0
    expected[row:, fault] = 1
    care[row:, fault] = 1
    return CycleStimulus(words, expected, 0, care=care)
