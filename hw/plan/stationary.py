"""Floor 1c: the weight-stationary array: a chain of cells per column, an accumulator below it.

A cell adds the products of its lanes to the partial sum from above, in one adder row (`SumRow`) or,
where lanes are merged, in a row per lane. Partial sums are exact: each row is as wide as what the
cells so far can add up to. Wrapping and clamping is left to the accumulator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from hw.design import WeightStationaryArray
from hw.plan.accumulate import AccumulatePlan
from hw.plan.flags import FlagTree
from hw.plan.lane import LanePlan, plan_lane
from hw.plan.merged import MergedLanePlan, MergedRow, plan_merged_lane
from hw.plan.product import Bounds
from hw.plan.serial import SerialCorePlan
from hw.plan.signs import SignPair, plan_adding
from hw.plan.sums import SumRow, SumTree, Word
from hw.plan.tree import TreePlan
from hw.target import Target

NOTHING = Bounds(0, 0)


@dataclass(frozen=True, slots=True)
class StationaryCell:
    """One cell without its weights: lanes, their sum, and the row that adds it to the one above.

    Parameters
    ----------
    lanes, lane
        Products of a step.
    tree
        Sum of the lanes; None if they are merged.
    row
        Adds what the tree leaves to the partial sum; None if it is registered as it is.
    merged
        Rows of merged lanes, first to last.
    before, after
        Ranges of the partial sums that come and go; before is None in the first row.
    flags
        Special outputs of the lanes.

    """

    lanes: int
    lane: LanePlan | MergedLanePlan
    tree: TreePlan | SumTree | None
    row: SumRow | None
    merged: tuple[MergedRow, ...]
    before: Bounds | None
    after: Bounds
    flags: tuple[str, ...]

    @property
    def sign_pairs(self) -> int:
        """Modules that make the signs of two lanes' products."""
        apart = isinstance(self.lane, LanePlan) and self.lane.signs_apart
        return -(-self.lanes // 2) if apart else 0

    @property
    def flag_inputs(self) -> int:
        """What a flag is the or of: the lanes, and the cell above."""
        return self.lanes + (self.before is not None)

    @property
    def ff(self) -> int:
        """Registers of the partial sum and its flags."""
        return self.after.bits + len(self.flags)

    def parts(self) -> Counter[Hashable]:
        """Return the primitives of the cell with their counts."""
        found: Counter[Hashable] = Counter({self.lane: self.lanes})
        found[SignPair()] += self.sign_pairs
        if isinstance(self.lane, LanePlan):
            found[self.lane.product] += self.lanes
        if self.tree is not None:
            found.update(self.tree.parts())
        found.update(self.merged)
        if self.row is not None:
            found[self.row] += 1
        if self.flags and self.flag_inputs > 1:
            found[FlagTree(len(self.flags), self.flag_inputs)] += 1
        return +found


@dataclass(frozen=True, slots=True)
class StationaryShell:
    """What stands around the cells: weights in two sets of registers, skew, waves, control.

    Parameters
    ----------
    rows, columns
        Cells.
    weight_bits, activation_bits
        Operand codes of one cell.
    cell_ff
        Registers of the cells of a column.
    sum_bits
        Partial sum and flags below the last row.
    delay
        Cycles a beat takes to the accumulators.

    """

    rows: int
    columns: int
    weight_bits: int
    activation_bits: int
    cell_ff: int
    sum_bits: int
    delay: int

    @property
    def chains(self) -> Counter[int]:
        """Registers in a row without a tap: length to number of bits.

        Activations wait r + 1 cycles for row r, weights c for column c, sums until the last column
        has its own.
        """
        found: Counter[int] = Counter()
        for row in range(self.rows):
            found[row + 1] += self.activation_bits
        for column in range(1, self.columns):
            found[column] += self.weight_bits + self.sum_bits
        return found

    @property
    def tapped_ff(self) -> int:
        """All other registers.

        Weights at work and those to come; activations on their way across; the waves that load and
        exchange weights, ``valid`` and ``last`` of each cycle; the row to load, whether all rows
        are, and whether a result waits.
        """
        cells = self.rows * self.columns
        across = self.activation_bits * self.rows * (self.columns - 1)
        waves = self.rows * (self.columns - 1) + self.rows + self.columns - 2
        control = 2 * self.delay + (self.rows if self.rows > 1 else 0) + 2
        return 2 * self.weight_bits * cells + across + self.cell_ff * self.columns + waves + control


@dataclass(frozen=True, slots=True)
class StationaryPlan(SerialCorePlan):
    """A weight-stationary array as a whole.

    Parameters
    ----------
    design
        What it is.
    cells
        For each row its cell.
    accumulate
        The accumulator below each column.
    shell
        The rest.

    """

    design: WeightStationaryArray
    cells: tuple[StationaryCell, ...]
    accumulate: AccumulatePlan
    shell: StationaryShell

    @property
    def latency_cycles(self) -> int:
        """Clock cycles from an accepted beat to its result, those a result waits left out."""
        return self.shell.delay + 1

    @property
    def initiation_interval(self) -> int:
        """Clock cycles between two beats."""
        return 1

    def parts(self) -> Counter[Hashable]:
        """Return all primitives with their counts."""
        found: Counter[Hashable] = Counter({self.shell: 1})
        for cell in self.cells:
            for part, count in cell.parts().items():
                found[part] += count * self.shell.columns
        found[self.accumulate] += self.shell.columns
        return found


def plan_stationary(design: WeightStationaryArray, target: Target) -> StationaryPlan:
    """Return how a weight-stationary array is built; its structure is known to serve it."""
    cells: list[StationaryCell] = []
    for _ in range(design.rows):
        cells.append(_plan_cell(design, target, cells[-1].after if cells else None))
    lane = cells[-1].lane
    accumulate = AccumulatePlan(
        design.accumulator.kind,
        design.accumulator_bits,
        (Word.plain(cells[-1].after),),
        design.flags,
        total_on_last=True,
        lean=target.primitives,
        subtracts=isinstance(lane, LanePlan) and lane.negated,
    )
    shell = StationaryShell(
        design.rows,
        design.columns,
        design.weight.bits * design.lane_count,
        design.activation.bits * design.lane_count,
        sum(cell.ff for cell in cells),
        cells[-1].ff,
        design.rows + design.columns + design.pipeline,
    )
    return StationaryPlan(design, tuple(cells), accumulate, shell)


def _plan_cell(
    design: WeightStationaryArray, target: Target, before: Bounds | None
) -> StationaryCell:
    lanes, flags = design.lane_count, design.product_flags
    if design.structure == "merged":
        return _plan_merged_cell(lanes, plan_merged_lane(design, target), before, flags)
    lane = plan_lane(design, target)
    tree, words = plan_adding(lanes, lane.word, target)
    row = None
    if before is not None:
        row = SumRow((Word.plain(before), *words))
    elif len(words) > 1 or words[0].pending:
        pure = len(words) > 1 and not words[0].pending
        row = SumRow(words if pure else (Word.plain(NOTHING), *words))
    after = words[0].bounds if row is None else row.result.bounds
    return StationaryCell(lanes, lane, tree, row, (), before, after, flags)


def _plan_merged_cell(
    lanes: int, lane: MergedLanePlan, before: Bounds | None, flags: tuple[str, ...]
) -> StationaryCell:
    """Return a cell whose lanes are placed and added by a row each."""
    rows: list[MergedRow] = []
    reach = before.high if before else 0
    for number in range(lanes):
        reach += lane.bounds.high
        previous = before is not None or number > 0
        rows.append(MergedRow(lane.placement, previous, Bounds(-reach, reach).bits, lane.packed))
    return StationaryCell(
        lanes, lane, None, None, tuple(rows), before, Bounds(-reach, reach), flags
    )
