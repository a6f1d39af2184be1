"""Floor 1c: how dot products by binary planes are built: cells and the sequencer they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from hw.design.bitplane import BitPlane
from hw.formats import Format
from hw.formats.integers import BipolarFormat
from hw.plan.digits import Bounds
from hw.plan.plane_sums import AND, NOT, XNOR, PlaneRow, PlaneSum, PlaneWord, plan_plane_sum
from hw.plan.serial import SerialCorePlan
from hw.target import Target


@dataclass(frozen=True, slots=True)
class Join:
    """A row that adds words of different weights.

    Parameters
    ----------
    row
        What is added. Of the first word those bits that stand below the second word pass by.
    operands
        Numbers of the words.
    shifts
        Places of each word above the first.

    """

    row: PlaneRow
    operands: tuple[int, ...]
    shifts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PlaneAccumulate:
    """Adder row with its register: ``sum = (2·)sum ± word + constant``, and the register shown.

    Parameters
    ----------
    bits
        Width of both registers.
    word
        Range of what is added.
    doubles
        Whether the sum so far may count twice.
    negates
        Whether the word may be subtracted.
    constant
        What is added with every word.
    native
        Whether LUT6_2 and CARRY4 are used by name.

    """

    bits: int
    word: Bounds
    doubles: bool
    negates: bool
    constant: int
    native: bool

    @property
    def ff(self) -> int:
        """Registers: the sum and what is shown of it."""
        return 2 * self.bits


@dataclass(frozen=True, slots=True)
class PlaneOffset:
    """``word + constant`` in a row of its own, where the accumulator's row cannot add both."""

    word: Bounds
    constant: int

    @property
    def bounds(self) -> Bounds:
        """Range of the result."""
        return Bounds(self.word.low + self.constant, self.word.high + self.constant)


@dataclass(frozen=True, slots=True)
class Sequencer:
    """What counts passes, and tells all cells when to double, negate, clear and show.

    Parameters
    ----------
    weight_bits, activation_bits
        Most planes of the operands that come in planes, 0 for one that comes whole.
    signs
        Whether these have signs that are told at run time.

    """

    weight_bits: int
    activation_bits: int
    signs: bool

    @property
    def ff(self) -> int:
        """Registers: state, counters, and ``total_valid``."""
        weight, activation = (
            max(bits - 1, 0).bit_length() for bits in (self.weight_bits, self.activation_bits)
        )
        idle = max(self.weight_bits, self.activation_bits) <= 1 and not self.signs
        if not self.weight_bits or idle:  # only `total_valid`: nothing is counted or loaded
            return 1
        if not self.activation_bits:
            return 3 + weight + self.signs if self.weight_bits > 1 else 2 + self.signs
        if weight and activation:
            counters = 3 * weight + (2 + self.signs) * activation
        else:  # of one operand's planes, only what tells the last and, with signs, the first
            counters = (1 + 2 * self.signs) * weight + (1 + self.signs) * activation
        doubles = self.weight_bits * self.activation_bits > 1
        return 2 + doubles + counters + 2 * self.signs


@dataclass(frozen=True, slots=True)
class PlaneCellPlan:
    """One dot product: a sum of gated words per plane, their join, and the accumulator.

    Parameters
    ----------
    sums
        How many planes are summed up at once.
    plane
        One of these sums.
    joins
        Rows that add them, each with its place.
    offset
        What is added before the accumulator, or None.
    accumulate
        The accumulator.

    """

    sums: int
    plane: PlaneSum
    joins: tuple[Join, ...]
    offset: PlaneOffset | None
    accumulate: PlaneAccumulate

    def parts(self) -> Counter[Hashable]:
        """Return the primitives of the cell."""
        found: Counter[Hashable] = Counter()
        for part in self.plane.parts():
            found[part] += self.sums
        found.update(join.row for join in self.joins)
        if self.offset is not None:
            found[self.offset] += 1
        found[self.accumulate] += 1
        return found


@dataclass(frozen=True, slots=True)
class BitPlanePlan(SerialCorePlan):
    """Cells and sequencer of a `BitPlane`."""

    design: BitPlane
    cell: PlaneCellPlan
    sequencer: Sequencer

    @property
    def latency_cycles(self) -> int:
        """Clock cycles from the last chunk of the last pass to the totals."""
        return 1

    @property
    def initiation_interval(self) -> int:
        """Clock cycles per chunk, at the widest operands."""
        return len(self.design.passes(self.design.weight.bits, self.design.activation.bits))

    def parts(self) -> Counter[Hashable]:
        """Return all primitives with their counts."""
        found: Counter[Hashable] = Counter({self.sequencer: 1})
        for part, count in self.cell.parts().items():
            found[part] += count * self.design.cores
        return found


def plan_bitplane(design: BitPlane, target: Target) -> BitPlanePlan:
    """Return how a design of binary planes is built on a target."""
    native = target.primitives
    word = _word(design.activation, design.serial_activation)
    plane = plan_plane_sum(design.lanes, word, target)
    sums = 1 if design.serial_weight else design.weight.bits
    fixed_sign = design.weight.signed and not design.serial_weight and not design.is_bipolar
    joins, joined = _join(sums, plane.bounds, fixed_sign and sums > 1, native)
    constant = 0
    if design.is_bipolar:
        half = design.lanes // 2
        constant = (half if word.bounds.signed else -half) * ((1 << sums) - 1)
    offset = PlaneOffset(joined, constant) if constant and not native else None
    accumulate = PlaneAccumulate(
        design.accumulator_bits - design.is_bipolar,
        offset.bounds if offset else joined,
        doubles=design.serial_weight and design.weight.bits * _planes(design) > 1,
        negates=not design.is_bipolar and (design.serial_weight or (fixed_sign and sums == 1)),
        constant=0 if offset else constant,
        native=native,
    )
    sequencer = Sequencer(
        design.weight.bits if design.serial_weight else 0,
        design.activation.bits if design.serial_activation else 0,
        design.serial_weight and not design.is_bipolar,
    )
    cell = PlaneCellPlan(sums, plane, joins, offset, accumulate)
    return BitPlanePlan(design, cell, sequencer)


def _planes(design: BitPlane) -> int:
    return design.activation.bits if design.serial_activation else 1


def _word(activation: Format, serial: bool) -> PlaneWord:
    """Return what a bit of a weight gates in each lane."""
    bipolar = isinstance(activation, BipolarFormat)
    gate = XNOR if bipolar else AND
    if serial or (activation.bits == 1 and bipolar):
        return PlaneWord(Bounds(0, 1), gate)
    if bipolar:
        reach = 1 << (activation.bits - 1)
        return PlaneWord(Bounds(-reach, reach - 1), gate)
    return PlaneWord(Bounds(activation.minimum_integer, activation.maximum_integer), gate)


def _join(
    count: int, bounds: Bounds, negative_top: bool, native: bool
) -> tuple[tuple[Join, ...], Bounds]:
    """Return rows that add words of rising weights, and the range of the sum.

    Parameters
    ----------
    count
        Words, the first of weight 1, each of twice the weight of the one before.
    bounds
        Range of each.
    negative_top
        Whether the last word is subtracted.
    native
        Whether a row may add three words.

    """
    words = [(number, number, PlaneWord(bounds)) for number in range(count)]
    if negative_top:
        words[-1] = (count - 1, count - 1, PlaneWord(bounds, NOT))
    joins: list[Join] = []
    ways = 3 if native else 2
    while len(words) > 1:
        following = []
        for start in range(0, len(words), ways):
            group = words[start : start + ways]
            if len(group) == 1:
                following += group
                continue
            base = group[0][1]
            shifts = tuple(place - base for _, place, _ in group)
            row = _join_row(tuple(word for _, _, word in group), shifts, native)
            joins.append(Join(row, tuple(number for number, _, _ in group), shifts))
            whole = _shifted_sum([word for _, _, word in group], shifts)
            following.append((count + len(joins) - 1, base, PlaneWord(whole)))
        words = following
    return tuple(joins), words[0][2].bounds


def _join_row(words: tuple[PlaneWord, ...], shifts: tuple[int, ...], native: bool) -> PlaneRow:
    """Return the row of a join: the first word without its lowest bits, the others moved up."""
    passing = shifts[1]
    rows = []
    for word, shift in zip(words, shifts, strict=True):
        low, high = word.bounds.low, word.bounds.high
        if not shift:
            rows.append(PlaneWord(Bounds(low >> passing, high >> passing), word.gate))
            continue
        up = shift - passing
        rows.append(PlaneWord(Bounds(low << up, high << up), word.gate))
    return PlaneRow(tuple(rows), int(any(word.gate == NOT for word in words)), native)


def _shifted_sum(words: list[PlaneWord], shifts: tuple[int, ...]) -> Bounds:
    low = high = 0
    for word, shift in zip(words, shifts, strict=True):
        least, most = word.bounds.low, word.bounds.high
        if word.gate == NOT:
            least, most = -most, -least
        low, high = low + (least << shift), high + (most << shift)
    return Bounds(low, high)
