"""Floor 1c: how BitMoD's processing element is built (`hw.design.bitmod`).

The term generator and what decodes special values serve all elements that get the same weights; the
dequantiser needs one row of a group's width; the output accumulator of fp16 is that of
`hw.plan.floating`. Rows of three words take one LUT6_2 per bit (see `hw.plan.sums` on what a device
says to that).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from hw.accumulators import AccumulatorKind
from hw.design import BitmodPe
from hw.design.bitmod import DIGIT_BITS, GUARD_BITS, LANES, LARGEST_SHIFT, SCALE_BITS
from hw.formats.bitmod_datatypes import SPECIAL_BITS, SPECIAL_IDS, WeightDatatype, weight_datatype
from hw.plan.accumulate import AccumulatePlan
from hw.plan.bitmod_cells import (
    INT_WORD_BITS,
    LARGEST_BASE,
    WINDOW_BITS,
    align_netlist,
    exponent_netlist,
    int_base_netlist,
    int_lane_netlist,
    maximum_netlist,
    realign_netlist,
)
from hw.plan.bitmod_decode import TermCells
from hw.plan.cells import Netlist
from hw.plan.float_sums import NEVER, plan_float_sum
from hw.plan.floating import FloatAccumulatePlan
from hw.plan.product import Bounds
from hw.plan.serial import SerialCorePlan
from hw.plan.sums import Sign, SumRow, Word
from hw.target import Target

SCALING_CYCLES = SCALE_BITS
CAPTURE_AND_ADD = 2
LARGEST_FIELD = 31


@dataclass(frozen=True, slots=True)
class TermGeneratorPlan:
    """Takes four weights apart, a term of each per cycle.

    Parameters
    ----------
    datatypes
        The datatypes it serves.
    summed
        Whether a term's shift is given whole (exponent + bsig + 1, 0…8) or as an exponent, with
        bsig + 1 apart for all lanes.
    packed
        Whether LUT6_2 and CARRY4 are placed by name.

    """

    datatypes: tuple[str, ...]
    summed: bool
    packed: bool

    def cells(self, name: str) -> TermCells:
        """Return a part: select, special or weight."""
        return TermCells(name, self.datatypes, self.summed, self.packed)

    def parts(self) -> Counter[Hashable]:
        """Return its primitives with their counts."""
        counts = (("select", 1), ("special", 1), ("weight", LANES))
        return Counter({self.cells(name): count for name, count in counts})

    @property
    def served(self) -> tuple[WeightDatatype, ...]:
        """The datatypes."""
        return tuple(weight_datatype(name) for name in self.datatypes)

    @property
    def shift_bits(self) -> int:
        """Width of a lane's shift or exponent."""
        return LARGEST_SHIFT.bit_length() if self.summed else 2


@dataclass(frozen=True, slots=True)
class SpecialValuesPlan:
    """Eight special values, rewritten at run time: 48 registers and the selection."""

    ff: int = 2 * SPECIAL_IDS * SPECIAL_BITS


@dataclass(frozen=True, slots=True)
class SequencerPlan:
    """Counts terms, steps and groups; watches that a group's datatype stays what it is.

    Parameters
    ----------
    datatypes
        The datatypes served.
    steps, groups
        Steps per group, groups per output.

    """

    datatypes: tuple[str, ...]
    steps: int
    groups: int

    @property
    def step_bits(self) -> int:
        """Width of the step counter."""
        return (self.steps - 1).bit_length()

    @property
    def group_bits(self) -> int:
        """Width of the group counter."""
        return (self.groups - 1).bit_length()

    @property
    def ff(self) -> int:
        """Registers: digit, counters, datatype and special id of the group, fault."""
        return 2 + self.step_bits + self.group_bits + 5 + 1


@dataclass(frozen=True, slots=True)
class BitmodCells:
    """A part of the element that is given LUT by LUT: `name` is exponent, align and so on.

    Parameters
    ----------
    name
        Which part.
    bits
        Width of the accumulator, for the part that realigns it, or of the sum that is moved.
    flagged
        Whether special activations are told.
    packed
        Whether LUT6_2 and CARRY4 are placed by name.

    """

    name: str
    bits: int
    flagged: bool
    packed: bool

    @property
    def netlist(self) -> Netlist:
        """The cells."""
        match self.name:
            case "exponent":
                return exponent_netlist(self.flagged)
            case "align":
                return align_netlist()
            case "maximum":
                return maximum_netlist()
            case "int_lane":
                return int_lane_netlist()
            case "base":
                return int_base_netlist(self.bits)
        return realign_netlist(self.bits)


@dataclass(frozen=True, slots=True)
class BitmodRow:
    """A row of three words.

    Parameters
    ----------
    row
        The words.
    packed
        As in `BitmodCells`.

    """

    row: SumRow
    packed: bool


@dataclass(frozen=True, slots=True)
class BitmodElementPlan:
    """The element for fp16 without generator and dequantiser: four terms and activations a cycle.

    Parameters
    ----------
    bits
        Width of its accumulator.
    flagged
        Whether special activations are told.
    packed
        As in `BitmodCells`.

    """

    bits: int
    flagged: bool
    packed: bool

    @property
    def rows(self) -> tuple[SumRow, SumRow]:
        """The row of lanes 0, 1 and 2, and the row that adds lane 3 and the accumulator."""
        most = ((1 << 11) - 1) << (DIGIT_BITS - 1 + GUARD_BITS)
        assert most.bit_length() == WINDOW_BITS
        lane = Word(Bounds(-most - 1, most), Bounds(-most, most), Sign.CARRY)
        three = SumRow((lane, lane, lane))
        reach = (1 << (self.bits - 1)) - (LANES + 1) * (most + 1)
        kept = Word.plain(Bounds(-reach, reach))
        return three, SumRow((kept, three.result, lane))

    def cells(self, name: str) -> BitmodCells:
        """Return a part by its name."""
        bits = self.bits if name == "realign" else 0
        flagged = self.flagged and name == "exponent"
        return BitmodCells(name, bits, flagged, self.packed)

    @property
    def ff(self) -> int:
        """Registers: accumulator, its exponent, and whether it is invalid."""
        return self.bits + 4 + self.flagged

    def parts(self) -> Counter[Hashable]:
        """Return its primitives with their counts."""
        found: Counter[Hashable] = Counter({self: 1})
        for name, count in (("exponent", LANES), ("align", LANES), ("maximum", 1), ("realign", 1)):
            found[self.cells(name)] += count
        for row in self.rows:
            found[BitmodRow(row, self.packed)] += 1
        return found


@dataclass(frozen=True, slots=True)
class BitmodIntPlan:
    """The exact element for int8 without generator and dequantiser.

    Parameters
    ----------
    bits
        Width of its accumulator.
    packed
        As in `BitmodCells`.

    """

    bits: int
    packed: bool

    @property
    def rows(self) -> tuple[SumRow, SumRow]:
        """The row of lanes 0 to 2, and the one of lane 3; lane 0's sign is still to be added."""
        reach = 1 << (INT_WORD_BITS - 1)
        lane = Word(Bounds(-reach, reach - 1), Bounds(-reach + 1, reach), Sign.CARRY)
        three = SumRow((lane, lane, lane))
        return three, SumRow((three.result, lane))

    @property
    def lane(self) -> BitmodCells:
        """A lane."""
        return BitmodCells("int_lane", 0, False, self.packed)

    @property
    def base(self) -> BitmodCells:
        """The shift that all lanes share."""
        return BitmodCells("base", self.rows[1].width, False, self.packed)

    @property
    def moved_bits(self) -> int:
        """Width of the sum of four lanes where it is added."""
        return self.rows[1].width + LARGEST_BASE

    @property
    def ff(self) -> int:
        """Registers: the accumulator."""
        return self.bits

    def parts(self) -> Counter[Hashable]:
        """Return its primitives with their counts."""
        found: Counter[Hashable] = Counter({self: 1, self.lane: LANES, self.base: 1})
        for row in self.rows:
            found[BitmodRow(row, self.packed)] += 1
        return found


@dataclass(frozen=True, slots=True)
class DequantiserPlan:
    """Multiplies a group's significand by its scale, a bit of the scale per cycle.

    Parameters
    ----------
    bits
        Width of the significand.
    exponent_bits, flagged
        What is kept beside it.

    """

    bits: int
    exponent_bits: int
    flagged: bool

    @property
    def ff(self) -> int:
        """Registers: what was captured, the product, the scale in it, the count, two pulses."""
        captured = self.bits + self.exponent_bits + self.flagged
        return captured + self.bits + SCALE_BITS + 4 + 2


@dataclass(frozen=True, slots=True)
class OutputMark:
    """The register that remembers, while a group is scaled, that it completes an output."""

    ff: int = 1


@dataclass(frozen=True, slots=True)
class BitmodPlan(SerialCorePlan):
    """The whole design.

    Parameters
    ----------
    generator, specials, sequencer, element, dequantiser, output
        Its parts.

    """

    generator: TermGeneratorPlan
    specials: SpecialValuesPlan
    sequencer: SequencerPlan
    element: BitmodElementPlan | BitmodIntPlan
    dequantiser: DequantiserPlan
    output: FloatAccumulatePlan | AccumulatePlan

    @property
    def latency_cycles(self) -> int:
        """Clock cycles from the last term of an output to its total being visible."""
        return SCALING_CYCLES + CAPTURE_AND_ADD

    @property
    def initiation_interval(self) -> int:
        """Clock cycles per step at the widest weights."""
        return max(datatype.cycles for datatype in self.generator.served)

    def parts(self) -> Counter[Hashable]:
        """Return all primitives with their counts."""
        own = (self.specials, self.sequencer, self.dequantiser, OutputMark(), self.output)
        whole = Counter[Hashable](dict.fromkeys(own, 1))
        return whole + self.generator.parts() + self.element.parts()


def plan_bitmod(design: BitmodPe, target: Target) -> BitmodPlan:
    """Return how an element is built on a target."""
    flagged = design.is_flagged
    return BitmodPlan(
        TermGeneratorPlan(design.datatypes, design.is_fp16, target.primitives),
        SpecialValuesPlan(),
        SequencerPlan(design.datatypes, design.steps, design.groups),
        plan_element(design, target),
        DequantiserPlan(design.group_bits, design.exponent_bits, flagged),
        plan_output(design, target),
    )


def plan_element(design: BitmodPe, target: Target) -> BitmodElementPlan | BitmodIntPlan:
    """Return the element alone."""
    if design.is_fp16:
        return BitmodElementPlan(design.group_bits, design.is_flagged, target.primitives)
    return BitmodIntPlan(design.group_bits, target.primitives)


def plan_output(design: BitmodPe, target: Target) -> FloatAccumulatePlan | AccumulatePlan:
    """Return the accumulator that groups are added to once they are scaled."""
    reach = 1 << (design.scaled_bits - 1)
    addend = Bounds(-reach, reach - 1)
    if not design.is_fp16:
        bits = design.accumulator_bits
        words = (Word.plain(addend),)
        lean = target.primitives
        return AccumulatePlan(AccumulatorKind.WRAP, bits, words, (), False, lean=lean)
    format = design.accumulator.format
    assert format is not None
    largest = DIGIT_BITS * (LARGEST_FIELD + LARGEST_SHIFT >> 2)
    grid = design.unit_exponent + 1 - format.lsb_exponent
    least = ((largest + grid, NEVER), (largest + grid, 0))
    flags = ("nan",) if design.is_flagged else ()
    return plan_float_sum(format, addend, False, largest, grid, least, flags, False, False)
