"""Floor 1c: how a tile of BitMoD elements is built (`hw.design.bitmod_tile`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from hw.design.bitmod import SCALE_BITS
from hw.design.bitmod_tile import ID_BITS, BitmodTile
from hw.formats.bitmod_datatypes import SPECIAL_BITS, SPECIAL_IDS
from hw.plan.accumulate import AccumulatePlan
from hw.plan.bitmod import (
    BitmodPlan,
    SequencerPlan,
    TermGeneratorPlan,
    plan_bitmod,
)
from hw.plan.floating import FloatAccumulatePlan
from hw.plan.serial import SerialCorePlan
from hw.target import Target

ENTRIES = 2 * SPECIAL_IDS


@dataclass(frozen=True, slots=True)
class SpecialBankPlan:
    """The special values of a tile, rewritten at run time, and the selection per column.

    Parameters
    ----------
    columns
        Columns, each with an id of its own that is held for a group.

    """

    columns: int

    @property
    def ff(self) -> int:
        """Registers: the entries; the ids of a group, whether one runs, and the fault."""
        return ENTRIES * SPECIAL_BITS + self.columns * ID_BITS + 2


@dataclass(frozen=True, slots=True)
class TileControlPlan:
    """Counts the bits of the scales and the rows while the sums of a group are scaled.

    Parameters
    ----------
    rows
        Rows.

    """

    rows: int

    @property
    def row_bits(self) -> int:
        """Width of a row's number."""
        return max((self.rows - 1).bit_length(), 1)

    @property
    def ff(self) -> int:
        """Registers: bit, row, running; what is stored next; flags of the group; total valid."""
        return (3 + self.row_bits + 1) + (1 + self.row_bits + 1) + 3 + 1


@dataclass(frozen=True, slots=True)
class TileColumnPlan:
    """The dequantiser of a column and the registers of its rows.

    Parameters
    ----------
    rows
        Rows.
    bits, exponent_bits, flagged
        What is captured of an element: significand, exponent, and whether it is invalid.
    output_bits
        Width of an output.

    """

    rows: int
    bits: int
    exponent_bits: int
    flagged: bool
    output_bits: int

    @property
    def captured_bits(self) -> int:
        """What is captured of an element."""
        return self.bits + self.exponent_bits + self.flagged

    @property
    def product_bits(self) -> int:
        """Width of a sum times its scale."""
        return self.bits + SCALE_BITS

    @property
    def ff(self) -> int:
        """Registers: sums and outputs of the rows, the scale, a product in the making and done."""
        making = self.bits + SCALE_BITS - 1
        done = self.product_bits + self.exponent_bits + self.flagged + self.output_bits
        rows = self.rows * (self.captured_bits + self.output_bits)
        return rows + SCALE_BITS + making + done


@dataclass(frozen=True, slots=True)
class OutputStepPlan:
    """The addition of a product to an output, without registers.

    Parameters
    ----------
    accumulate
        The accumulator of a single element, of which this is the sum.

    """

    accumulate: FloatAccumulatePlan | AccumulatePlan


@dataclass(frozen=True, slots=True)
class BitmodTilePlan(SerialCorePlan):
    """The whole tile.

    Parameters
    ----------
    rows, columns
        Elements.
    single
        The plan of one element: of it the tile takes generator, sequencer and element.
    specials, control, column
        Parts of the tile: one, one, and one per column.

    """

    rows: int
    columns: int
    single: BitmodPlan
    specials: SpecialBankPlan
    control: TileControlPlan
    column: TileColumnPlan

    @property
    def generator(self) -> TermGeneratorPlan:
        """The term generator of a column."""
        return self.single.generator

    @property
    def sequencer(self) -> SequencerPlan:
        """The sequencer of the tile."""
        return self.single.sequencer

    @property
    def output(self) -> OutputStepPlan:
        """The addition to the outputs of a column."""
        return OutputStepPlan(self.single.output)

    @property
    def latency_cycles(self) -> int:
        """Clock cycles from the last term of an output to all totals being visible."""
        return SCALE_BITS * self.rows + 2

    @property
    def initiation_interval(self) -> int:
        """Clock cycles per step at the widest weights."""
        return self.single.initiation_interval

    def parts(self) -> Counter[Hashable]:
        """Return all primitives with their counts."""
        found: Counter[Hashable] = Counter((self.sequencer, self.specials, self.control))
        own: Counter[Hashable] = Counter((self.column, self.output))
        for part, count in (own + self.generator.parts()).items():
            found[part] += count * self.columns
        for part, count in self.single.element.parts().items():
            found[part] += count * self.rows * self.columns
        return found


def plan_bitmod_tile(design: BitmodTile, target: Target) -> BitmodTilePlan:
    """Return how a tile is built on a target."""
    column = TileColumnPlan(
        design.rows,
        design.group_bits,
        design.exponent_bits,
        design.is_flagged,
        design.accumulator_bits,
    )
    return BitmodTilePlan(
        design.rows,
        design.columns,
        plan_bitmod(design, target),
        SpecialBankPlan(design.columns),
        TileControlPlan(design.rows),
        column,
    )
