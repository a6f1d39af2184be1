"""Floor 1c: the accumulation core: lanes, tree, accumulator; and the array around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from hw.accumulators import AccumulatorKind
from hw.design import Design, OutputStationaryArray, SerialDesign, WeightStationaryArray
from hw.plan.accumulate import AccumulatePlan
from hw.plan.baugh_wooley import STRUCTURE as BAUGH_WOOLEY
from hw.plan.baugh_wooley import why_no_heap
from hw.plan.binned import BinnedCorePlan, plan_binned
from hw.plan.compressor import CompressorCorePlan, plan_compressor
from hw.plan.flags import FlagTree
from hw.plan.float_core import FloatCorePlan, SequentialCorePlan, plan_float_core
from hw.plan.heap_core import HeapCorePlan, plan_heap_core
from hw.plan.khot import STRUCTURE as KHOT
from hw.plan.khot import why_no_shifts
from hw.plan.lane import LanePlan, plan_lane, structures
from hw.plan.merged import (
    ChainPlan,
    MergedAccumulatePlan,
    MergedLanePlan,
    plan_chains,
    plan_merged_lane,
)
from hw.plan.merged_window import (
    MaximumPlan,
    MergedWindowAccumulatePlan,
    MergedWindowLanePlan,
    plan_merged_window_lane,
    plan_window_chains,
)
from hw.plan.once import OnceCorePlan, exact_design, fitted
from hw.plan.packed_dot import PackedDotPlan
from hw.plan.packed_tile import PackedTilePlan, plan_packed
from hw.plan.product import Bounds
from hw.plan.running_window import RunningWindowPlan, plan_running_window
from hw.plan.serial import SerialCorePlan
from hw.plan.signs import SignPair, plan_adding
from hw.plan.stationary import plan_stationary
from hw.plan.sums import SumTree, Word
from hw.plan.tree import TreePlan, plan_tree
from hw.plan.window import (
    AlignPlan,
    ExponentMaximum,
    WindowAccumulatePlan,
    WindowLanePlan,
    plan_align,
    plan_window_accumulate,
    plan_window_lane,
)
from hw.target import Target


@dataclass(frozen=True, slots=True)
class CorePlan:
    """What one accumulator and its lanes are made of."""

    lanes: int
    lane: LanePlan | WindowLanePlan | MergedLanePlan | MergedWindowLanePlan
    align: AlignPlan | None
    tree: TreePlan | SumTree
    accumulate: (
        AccumulatePlan | WindowAccumulatePlan | MergedAccumulatePlan | MergedWindowAccumulatePlan
    )
    chain: ChainPlan | None = None
    maximum: MaximumPlan | None = None
    running: RunningWindowPlan | None = None

    @property
    def sign_pairs(self) -> int:
        """Modules that make the signs of two lanes' products."""
        apart = isinstance(self.lane, LanePlan) and self.lane.signs_apart
        return -(-self.lanes // 2) if apart and self.lanes > 1 else 0

    def parts(self) -> Counter[Part]:
        """Return the primitives of the core with their counts."""
        found: Counter[Part] = Counter({self.lane: self.lanes, self.accumulate: 1})
        found[SignPair()] += self.sign_pairs
        if isinstance(self.lane, LanePlan | WindowLanePlan):
            found[self.lane.product] += self.lanes
        if self.align is not None:
            found[ExponentMaximum(self.align.distance.exponent_bits)] += self.lanes - 1
            found[self.align] += self.lanes
        if self.chain is not None:
            found.update(self.chain.parts())
        if self.maximum is not None:
            found[self.maximum] += 1
        if self.running is not None:
            found.update(self.running.parts())
        if self.lane.flags and self.lanes > 1:
            found[FlagTree(len(self.lane.flags), self.lanes)] += 1
        found.update(self.tree.parts())
        return +found


@dataclass(frozen=True, slots=True)
class ArrayPlan:
    """Systolic shell: skew and pass registers, control, row selection of the results.

    Parameters
    ----------
    rows, columns
        Cells.
    weight_bits, activation_bits
        Operand codes of one cell.
    result_bits
        What one cell shows: its total, exponent and flags.
    ways
        Words one multiplexer of the row selection chooses from: as many as one LUT per bit can.

    """

    rows: int
    columns: int
    weight_bits: int
    activation_bits: int
    result_bits: int
    ways: int

    @property
    def operand_ff(self) -> int:
        """Registers that skew operands at the edges and pass them between cells."""
        rows, columns = self.rows, self.columns
        skew = (
            self.activation_bits * rows * (rows - 1) + self.weight_bits * columns * (columns - 1)
        ) // 2
        across = self.activation_bits * rows * (columns - 1)
        down = self.weight_bits * columns * (rows - 1)
        return skew + across + down

    @property
    def diagonals(self) -> int:
        """Steps a beat takes through the array."""
        return self.rows + self.columns - 1

    @property
    def row_index_bits(self) -> int:
        """Width of the counter that selects the result row."""
        return (self.rows - 1).bit_length()

    @property
    def selection(self) -> tuple[tuple[int, ...], ...]:
        """Levels of the row selection, first to last: how many words each multiplexer takes."""
        return _selection(self.rows, self.ways)


@cache
def _selection(words: int, ways: int) -> tuple[tuple[int, ...], ...]:
    """Return how many words each multiplexer of each level takes."""
    levels: list[tuple[int, ...]] = []
    while words > 1:
        full, rest = divmod(words, ways)
        levels.append((ways,) * full + ((rest,) if rest else ()))
        words = len(levels[-1])
    return tuple(levels)


Part = Hashable
"""A frozen dataclass of this package, each with a formula of its own in `costmodel`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a design is built on a target.

    Parameters
    ----------
    design
        The design, its structure settled.
    target
        The technology.
    core
        One accumulation core; an array repeats it `cores` times. Or a whole packed tile,
        weight-stationary array or serial design.
    array
        The shell of an array, else None.

    """

    design: Design
    target: Target
    core: (
        CorePlan
        | FloatCorePlan
        | CompressorCorePlan
        | HeapCorePlan
        | OnceCorePlan
        | SequentialCorePlan
        | BinnedCorePlan
        | PackedTilePlan
        | PackedDotPlan
        | SerialCorePlan
    )
    array: ArrayPlan | None

    @property
    def latency_cycles(self) -> int:
        """Clock cycles from the last operands accepted to the (first) total being visible."""
        if isinstance(self.core, SerialCorePlan):
            stages = self.design.pipeline if isinstance(self.design, SerialDesign) else 0
            return self.core.latency_cycles + stages
        return self.design.pipeline + (1 if self.array is None else self.array.diagonals)

    @property
    def initiation_interval(self) -> int:
        """Clock cycles between two steps of one sum."""
        return self.core.initiation_interval if isinstance(self.core, SerialCorePlan) else 1

    def parts(self) -> Counter[Part]:
        """Return all primitives of the design with their counts."""
        found: Counter[Part] = Counter()
        whole = isinstance(self.core, PackedTilePlan | SerialCorePlan)
        times = 1 if whole else self.design.cores
        for part, count in self.core.parts().items():
            found[part] += count * times
        if self.array is not None:
            found[self.array] += 1
        return found

    def __iter__(self) -> Iterator[tuple[Part, int]]:
        return iter(self.parts().items())

    def __hash__(self) -> int:
        return hash((self.design, self.target))  # the rest follows from these


KEPT_PLANS = 256
"""Plans that are kept: area, clock and energy of a design ask for the same one."""


@lru_cache(maxsize=KEPT_PLANS)
def plan(design: Design, target: Target) -> Plan:
    """Return how a design is built on a target.

    Raises
    ------
    ValueError
        If the structure is "auto" (resolve it first) or cannot serve the formats, or the
        accumulator has no hardware yet.

    """
    if isinstance(design, SerialDesign):
        from hw.plan.serial_kinds import plan_serial  # a third of all plans, loaded when needed

        return Plan(design, target, plan_serial(design, target), None)
    if design.structure == "auto":
        raise ValueError("structure auto must be resolved before planning")
    if design.accumulator.is_once:
        exact = plan(exact_design(design), target).core
        return Plan(design, target, fitted(design, exact), _plan_array(design, target))
    if design.structure == "packed":
        return Plan(design, target, plan_packed(design, target), _plan_array(design, target))
    known = structures(design, target)
    if design.structure not in known:
        raise ValueError(
            f"structure {design.structure} cannot serve {design.weight} × {design.activation} "
            f"on {target.label}{_reason(design, target)}; "
            + (f"one of {', '.join(known)} can" if known else "no structure can")
        )
    if design.is_binned:
        return Plan(design, target, plan_binned(design, target), None)
    if isinstance(design, WeightStationaryArray):
        return Plan(design, target, plan_stationary(design, target), None)
    core: CorePlan | FloatCorePlan | SequentialCorePlan | CompressorCorePlan | HeapCorePlan
    if design.is_floating:
        core = plan_float_core(design, target, isinstance(design, OutputStationaryArray))
    else:
        core = _plan_core(design, target)
    return Plan(design, target, core, _plan_array(design, target))


def _plan_array(design: Design, target: Target) -> ArrayPlan | None:
    """Return the shell of an output-stationary array, None of other designs."""
    if not isinstance(design, OutputStationaryArray):
        return None
    result_bits = design.accumulator_bits + len(design.flags) + design.exponent_bits
    return ArrayPlan(
        design.rows,
        design.columns,
        design.weight.bits * design.lanes,
        design.activation.bits * design.lanes,
        result_bits,
        ways=selection_ways(target),
    )


def _reason(design: Design, target: Target) -> str:
    """Return why a structure is refused, as far as that is not plain from its name."""
    if design.structure == KHOT:
        return f", as {why_no_shifts(design, target)}"
    return f", as {why_no_heap(design, target)}" if design.structure == BAUGH_WOOLEY else ""


def selection_ways(target: Target) -> int:
    """Return how many words one multiplexer of an array's row selection takes."""
    return 4 if target.lut_inputs >= 6 else 2


def _plan_core(design: Design, target: Target) -> CorePlan | CompressorCorePlan | HeapCorePlan:
    lanes = design.lanes
    on_last = isinstance(design, OutputStationaryArray)
    if design.structure == "compressor":
        return plan_compressor(design, target, on_last)
    if design.structure in (BAUGH_WOOLEY, KHOT):
        return plan_heap_core(design, target, on_last)
    if design.is_window and design.structure == "merged":
        return _plan_merged_window(design, target, on_last)
    if design.is_window:
        lane = plan_window_lane(design, target)
        align = plan_align(lane, design.accumulator.bits, target)
        tree = plan_tree(lanes, Bounds(0, (1 << design.accumulator.bits) - 1), relative=True)
        accumulate = plan_window_accumulate(design, lane, tree.bounds, on_last, target)
        return CorePlan(lanes, lane, align, tree, accumulate)
    if design.structure == "merged":
        return _plan_merged(design, target, on_last)
    plain = plan_lane(design, target)
    adding, words = plan_adding(lanes, plain.word, target)
    kept = AccumulatePlan(
        design.accumulator.kind,
        design.accumulator_bits,
        words,
        design.flags,
        on_last,
        lean=target.primitives,
        takes_signs=plain.signs_apart and lanes == 1,
        subtracts=plain.negated,
    )
    return CorePlan(lanes, plain, None, adding, kept)


def _plan_merged(design: Design, target: Target, on_last: bool) -> CorePlan:
    """Return the core of a merged design; one lane is added by the accumulator's own row."""
    lane = plan_merged_lane(design, target)
    kind, bits = design.accumulator.kind, design.accumulator_bits
    if design.lanes == 1 and kind is not AccumulatorKind.SATURATE:
        merged = MergedAccumulatePlan(
            bits, lane.placement, design.flags, on_last, target.primitives
        )
        return CorePlan(1, lane, None, TreePlan((), lane.bounds), merged)
    chain = plan_chains(design.lanes, lane, design.chain)
    tree, words = plan_adding(len(chain.chains), Word.plain(chain.bounds), target)
    kept = AccumulatePlan(kind, bits, words, design.flags, on_last, lean=target.primitives)
    return CorePlan(design.lanes, lane, None, tree, kept, chain)


def _plan_merged_window(design: Design, target: Target, on_last: bool) -> CorePlan:
    """Return the core of a merged design with an alignment window.

    Where there are stages, the largest exponent is kept ahead of the sums.
    """
    ahead = design.pipeline > 0
    lane = plan_merged_window_lane(design, target)
    chain = plan_window_chains(design.lanes, lane, design.chain)
    tree = plan_tree(len(chain.chains), chain.bounds, relative=False)
    kept = MergedWindowAccumulatePlan(
        design.accumulator_bits,
        tree.bounds,
        lane.exponent_bits,
        lane.offset,
        design.exponent_bits,
        design.flags,
        on_last,
        target.primitives,
        ahead,
    )
    bits = lane.exponent_bits
    maximum = MaximumPlan(design.lanes, bits, target.primitives, not ahead)
    running = plan_running_window(bits, target.primitives) if ahead else None
    return CorePlan(design.lanes, lane, None, tree, kept, chain, maximum, running)


def plan_unstaged(design: Design, target: Target) -> Plan:
    """Return the plan in which the pipeline registers of a design are placed, without them.

    It is that of the design without stages, but for merged windows, whose exponents then are kept
    ahead of the sums (`hw.plan.running_window`). Errors as for `plan`.
    """
    plain = replace(design, pipeline=0)
    if not keeps_ahead(design):
        return plan(plain, target)
    return replace(plan(replace(design, pipeline=max(design.pipeline, 1)), target), design=plain)


def keeps_ahead(design: Design) -> bool:
    """Whether pipeline stages make another plan of a design."""
    return design.is_window and design.structure == "merged"
