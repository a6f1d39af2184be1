"""Floor 2c: nets as planes: a sample of operands, and the cells of a plan run over it bit by bit.

A net is one integer: bit ``t`` is its value at sample ``t``, for some streams of steps one after
the other. A table or an adder row of a plan is then a few machine operations per net for all
samples, and what toggles is counted, not modelled. Nothing is synthesised: rows and tables are
those the plan names, which the mapped netlist has as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.plan.cells import ChainBit, Lut, Netlist

Plane = int
"""Values of a net, one bit per sample."""
Codes = NDArray[np.integer[Any]]
PLACES = np.left_shift(1, np.arange(8)).astype(np.uint8)
"""The bits of a byte."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Samples that planes speak of.

    Parameters
    ----------
    ones
        The net that is always 1.
    moves
        Samples that have one before them in their stream.
    cycles
        Steps that toggles are divided by.
    lanes
        Lanes one after the other.

    """

    ones: Plane
    moves: Plane
    cycles: int
    lanes: int

    def toggles(self, planes: Iterable[Plane]) -> float:
        """Return the toggles per step of some nets together."""
        moves = self.moves
        return sum([((p ^ p << 1) & moves).bit_count() for p in planes]) / self.cycles


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """A sample of what a design is fed, with what is asked of it most.

    Parameters
    ----------
    weights, activations
        Codes, shape (lanes, streams, steps).
    last
        Whether a step ends its sum, shape (streams, steps).
    weight, activation
        Toggles per step and lane of an operand's code, all bits together.
    steps
        Steps per sum.
    scales
        Codes of the scales of MX blocks, shape (2, streams, steps), if there are any.
    known
        Scopes by number of lanes.

    """

    weights: Codes
    activations: Codes
    last: NDArray[np.bool_]
    weight: float
    activation: float
    steps: float
    scales: Codes | None = None
    known: dict[int, Scope] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        weights: Codes,
        activations: Codes,
        last: NDArray[np.bool_],
        scales: Codes | None = None,
    ) -> Statistics:
        """Return the statistics of codes of shape (streams, steps, lanes) and ends of sums."""
        sides = [np.ascontiguousarray(codes.transpose(2, 0, 1)) for codes in (weights, activations)]
        each = [float(np.bitwise_count(c[:, :, 1:] ^ c[:, :, :-1]).mean()) for c in sides]
        steps = float(1 / max(last.mean(), 1e-3))
        return cls(sides[0], sides[1], last, each[0], each[1], steps, scales)

    @property
    def lanes(self) -> int:
        """Lanes of a step."""
        return len(self.weights)

    @property
    def scale(self) -> float:
        """Toggles per step of both scales together."""
        if self.scales is None:
            return 0.0
        changes = self.scales[:, :, 1:] ^ self.scales[:, :, :-1]
        return float(np.bitwise_count(changes).sum(axis=0).mean())

    def scope(self, lanes: int = 1) -> Scope:
        """Return the samples of some lanes one after the other."""
        streams, steps = self.last.shape
        found = self.known.get(lanes)
        if found is None:
            moves = np.ones((lanes * streams, steps), np.uint8)
            moves[:, 0] = 0
            count = lanes * streams * steps
            found = Scope((1 << count) - 1, plane_of(moves), streams * (steps - 1), lanes)
            self.known[lanes] = found
        return found

    def parted(self, plane: Plane) -> list[Plane]:
        """Return the planes of each lane of one of all lanes."""
        return _parts(plane, self.lanes, self.last.size)


class Tally:
    """Toggles per step by name, and nets; names say the part, what drives the nets, and which.

    Parameters
    ----------
    scope
        The samples.
    before
        What is counted on from.

    """

    def __init__(self, scope: Scope, before: Tally | None = None) -> None:
        self.scope = scope
        self.counts: dict[str, float] = {} if before is None else dict(before.counts)
        self.nets: dict[str, int] = {} if before is None else dict(before.nets)

    def add(self, name: str, planes: Sequence[Plane]) -> None:
        """Count the toggles of nets."""
        self.put(name, self.scope.toggles(planes), len(planes) * self.scope.lanes)

    def put(self, name: str, toggles: float, nets: int = 0) -> None:
        """Add toggles that are known, of so many nets."""
        self.counts[name] = self.counts.get(name, 0.0) + toggles
        self.nets[name] = self.nets.get(name, 0) + nets

    def join(self, other: Tally) -> None:
        """Add what another one counted."""
        for name, toggles in other.counts.items():
            self.put(name, toggles, other.nets[name])

    def density(self, name: str) -> float:
        """Return the toggles per net of a name, 0 if there are none."""
        return self.counts.get(name, 0.0) / max(self.nets.get(name, 0), 1)


class Silent(Tally):
    """Counts nothing: for nets that are only looked at."""

    def add(self, name: str, planes: Sequence[Plane]) -> None:
        """Count nothing."""


def _parts(plane: Plane, parts: int, size: int) -> list[Plane]:
    """Return the parts of so many samples that a plane consists of, by halves."""
    if parts == 1:
        return [plane]
    low = parts // 2
    place = low * size
    above = plane >> place
    return [*_parts(plane ^ above << place, low, size), *_parts(above, parts - low, size)]


def plane_of(values: NDArray[Any]) -> Plane:
    """Return zeros and ones, in any shape, as a plane; the last axis varies fastest."""
    packed = np.packbits(np.ascontiguousarray(values, np.uint8).reshape(-1), bitorder="little")
    return int.from_bytes(packed.tobytes(), "little")


def operand_nets(given: Statistics, weight_bits: int, activation_bits: int) -> dict[str, Plane]:
    """Return the planes of all operand bits by their nets: ``w0 …`` and ``a0 …``, lane by lane."""
    return {
        f"{name}{lane * bits + place}": net
        for name, codes, bits in (
            ("w", given.weights, weight_bits),
            ("a", given.activations, activation_bits),
        )
        for lane, own in enumerate(codes)
        for place, net in enumerate(planes_of(own, bits))
    }


def planes_of(words: NDArray[Any], bits: int) -> list[Plane]:
    """Return the lowest bits of words as planes, the lowest first; words of at most 64 bits."""
    flat = words.reshape(-1)
    flat = flat.astype(np.uint8 if bits <= 8 else np.int64)
    found: list[Plane] = []
    for low in range(0, min(bits, 64), 8):
        byte = (flat >> low if low else flat).astype(np.uint8)
        chosen = byte & PLACES[: min(bits - low, 8), None]
        packed = np.packbits(chosen, axis=1, bitorder="little")
        raw, size = packed.tobytes(), packed.shape[1]
        found += [
            int.from_bytes(raw[start : start + size], "little")
            for start in range(0, len(raw), size)
        ]
    return found + found[-1:] * (bits - len(found))


def values_of(planes: Sequence[Plane], count: int) -> NDArray[np.uint8]:
    """Return planes as zeros and ones, shape (planes, samples)."""
    size = -(-count // 8)
    raw = b"".join([plane.to_bytes(size, "little") for plane in planes])
    bits = np.unpackbits(np.frombuffer(raw, np.uint8).reshape(-1, size), axis=1, bitorder="little")
    return bits[:, :count]


def words_of(planes: Sequence[Plane], count: int) -> NDArray[np.int64]:
    """Return the words that at most 64 planes hold, in two's complement."""
    bits = np.zeros((count, 64), np.uint8)
    bits.T[: len(planes)] = found = values_of(planes, count)
    bits.T[len(planes) :] = found[-1]
    words = np.packbits(bits, axis=1, bitorder="little").view("<i8")
    return words.reshape(-1).astype(np.int64, copy=False)


def extended(planes: Sequence[Plane], width: int, signed: bool) -> list[Plane]:
    """Return a word in so many bits."""
    top = planes[-1] if signed and planes else 0
    return [*planes[:width], *[top] * (width - len(planes))]


def chained(
    tally: Tally, name: str, selects: Sequence[Plane], direct: Sequence[Plane], carry: Plane
) -> list[Plane]:
    """Return the sums of a carry chain, and count its nets: selects as logic, the rest as carry.

    That is how Xilinx and ECP5 chains are; `costmodel.activity_core` says what others are.
    """
    sums, carries = [], []
    for select, other in zip(selects, direct, strict=True):
        sums.append(select ^ carry)
        carry = other ^ (select & (other ^ carry))
        carries.append(carry)
    tally.add(f"{name}/logic/row", selects)
    tally.add(f"{name}/carry/sum", sums)
    tally.add(f"{name}/carry/chain", carries[:-1])
    return sums


def added(
    tally: Tally, name: str, left: Sequence[Plane], right: Sequence[Plane], carry: Plane = 0
) -> list[Plane]:
    """Return the sum of two words in one row."""
    return chained(tally, name, [a ^ b for a, b in zip(left, right, strict=True)], left, carry)


def looked_up(truth: int, inputs: Sequence[Plane], ones: Plane) -> Plane:
    """Return a function of nets given by its table, the first net lowest."""
    if not inputs:
        return ones if truth else 0
    half = 1 << (len(inputs) - 1)
    mask = (1 << half) - 1
    low, high = truth & mask, truth >> half
    *rest, top = inputs
    if low == high:
        return looked_up(low, rest, ones)
    if low ^ high == mask:
        return looked_up(low, rest, ones) ^ top
    first = looked_up(low, rest, ones)
    return first ^ (top & (first ^ looked_up(high, rest, ones)))


def run_cells(
    tally: Tally, name: str, netlist: Netlist, inputs: Mapping[str, Plane]
) -> dict[str, Plane]:
    """Return all nets of a plan's cells, and count those of LUTs and chains."""
    ones = tally.scope.ones
    nets: dict[str, Plane] = {"0": 0, "1": ones, **inputs}

    def of(lut: Lut) -> Plane:
        return looked_up(lut.truth, [nets[net] for net in lut.inputs], ones)

    def directly(bit: ChainBit) -> Plane:
        return nets[bit.direct] if isinstance(bit.direct, str) else of(bit.direct)

    cells: list[Any] = [*netlist.luts, *netlist.chains]
    while cells:
        later = []
        for cell in cells:
            if any(net not in nets for net in cell.inputs):
                later.append(cell)
            elif isinstance(cell, Lut):
                nets[cell.output] = of(cell)
                if not cell.is_wire:
                    tally.add(f"{name}/logic/cell", (nets[cell.output],))
            else:
                direct = [directly(bit) for bit in cell.bits]
                made = zip(direct, cell.bits, strict=True)
                own = [net for net, bit in made if isinstance(bit.direct, Lut)]
                tally.add(f"{name}/logic/cell", own)
                selects = [of(bit.select) for bit in cell.bits]
                sums = chained(tally, name, selects, direct, nets[cell.carry_in])
                nets |= {bit.output: s for bit, s in zip(cell.bits, sums, strict=True)}
                if cell.carry_out:
                    nets[cell.carry_out] = _carried(selects, direct, nets[cell.carry_in])
        if len(later) == len(cells):
            raise ValueError(f"cells of {name} read nets that nothing drives")
        cells = later
    return nets


def _carried(selects: Sequence[Plane], direct: Sequence[Plane], carry: Plane) -> Plane:
    for select, other in zip(selects, direct, strict=True):
        carry = other ^ (select & (other ^ carry))
    return carry
