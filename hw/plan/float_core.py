"""Floor 1c: cores with a floating accumulator: lanes, tree, scales, the rounded sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from hw.accumulators import AccumulatorMode
from hw.design import SCALE_MAXIMUM, Design, Mac, MxDotProduct, without_hardware
from hw.plan.flags import FlagTree
from hw.plan.float_sums import plan_fixed_sum, plan_float_lane, plan_float_mac, plan_scaled_sum
from hw.plan.floating import FloatAccumulatePlan, FloatLanePlan
from hw.plan.lane import LanePlan, plan_lane
from hw.plan.merged import ChainPlan, MergedLanePlan, plan_chains, plan_merged_lane
from hw.plan.product import Bounds
from hw.plan.sums import Sign, SumRow, SumTree, Word, plan_sums
from hw.plan.tree import TreePlan, plan_tree
from hw.target import Target

FEWEST_LANES = 4
"""From so many lanes on rows of three words are worth their last row."""
WIDEST_SUM = 160
"""Bits of the exact sum of a step at most."""


@dataclass(frozen=True, slots=True)
class ScalePlan:
    """Sum of two E8M0 scales, and whether one of them is NaN.

    Parameters
    ----------
    bits
        Of a scale.
    flagged
        Whether NaN counts.

    """

    bits: int
    flagged: bool


@dataclass(frozen=True, slots=True)
class FloatCorePlan:
    """What one floating accumulator and its lanes are made of.

    Parameters
    ----------
    lanes, lane, tree
        As in `hw.plan.core.CorePlan`.
    final
        The row that leaves one word of a tree, None where the tree does.
    scale
        The sum of the scales of MX blocks, else None.
    accumulate
        What adds and rounds.
    chain
        Merged rows of the lanes, else None.

    """

    lanes: int
    lane: LanePlan | FloatLanePlan | MergedLanePlan
    tree: TreePlan | SumTree
    final: SumRow | None
    scale: ScalePlan | None
    accumulate: FloatAccumulatePlan
    chain: ChainPlan | None = None

    def parts(self) -> Counter[Hashable]:
        """Return the primitives of the core with their counts."""
        found: Counter[Hashable] = Counter({self.lane: self.lanes, self.accumulate: 1})
        if not isinstance(self.lane, MergedLanePlan):
            found[self.lane.product] += self.lanes
        if self.chain is not None:
            found.update(self.chain.parts())
        if self.scale is not None:
            found[self.scale] += 1
        if self.lane.flags and self.lanes > 1:
            found[FlagTree(len(self.lane.flags), self.lanes)] += 1
        found.update(self.tree.parts())
        if self.final is not None:
            found[self.final] += 1
        return found


@dataclass(frozen=True, slots=True)
class FloatStepPlan:
    """A floating accumulator without its registers.

    Parameters
    ----------
    accumulate
        What adds and rounds.

    """

    accumulate: FloatAccumulatePlan


@dataclass(frozen=True, slots=True)
class FloatRegisterPlan:
    """The registers of a floating accumulator and their control.

    Parameters
    ----------
    bits
        Of a code.
    total_on_last
        As in `AccumulatePlan`.

    """

    bits: int
    total_on_last: bool

    @property
    def ff(self) -> int:
        """Registers: accumulator, total, and ``total_valid``."""
        return 2 * self.bits + 1


@dataclass(frozen=True, slots=True)
class SequentialCorePlan:
    """A floating accumulator that rounds after each product, lane 0 first.

    Parameters
    ----------
    lanes
        Products of a step.
    one
        The core of a design of one lane; all but its registers are there once per lane.

    """

    lanes: int
    one: FloatCorePlan

    @property
    def registers(self) -> FloatRegisterPlan:
        """Registers behind the last lane."""
        accumulate = self.one.accumulate
        return FloatRegisterPlan(accumulate.bits, accumulate.total_on_last)

    def parts(self) -> Counter[Hashable]:
        """Return the primitives of the core with their counts."""
        each = self.one.parts()
        del each[self.one.accumulate]
        each[FloatStepPlan(self.one.accumulate)] = 1
        found: Counter[Hashable] = Counter({part: n * self.lanes for part, n in each.items()})
        found[self.registers] += 1
        return found


def plan_float_core(
    design: Design, target: Target, on_last: bool
) -> FloatCorePlan | SequentialCorePlan:
    """Return the core of a design with a floating accumulator that rounds per step or product.

    Raises
    ------
    ValueError
        If the accumulator's format has no hardware, or the exact sum of a step is too wide.

    """
    format = design.accumulator.format
    unbuilt = None if format is None else without_hardware(format)
    if unbuilt:
        raise ValueError(f"no hardware for {unbuilt} yet: accumulator {design.accumulator}")
    if design.accumulator.mode is AccumulatorMode.SEQUENTIAL and design.lanes > 1:
        return SequentialCorePlan(design.lanes, _plan_step(one_lane(design), target, on_last))
    return _plan_step(design, target, on_last)


def one_lane(design: Design) -> Mac:
    """Return the MAC whose product is that of each lane of a design."""
    return Mac(
        weight=design.weight,
        activation=design.activation,
        accumulator=design.accumulator,
        specials=design.specials,
        structure=design.structure,
    )


def _plan_step(design: Design, target: Target, on_last: bool) -> FloatCorePlan:
    """Return the core that rounds the sum of a step with the accumulator, once."""
    product = plan_float_lane(design, target)
    if product is not None:
        alone = TreePlan((), product.product.bounds)
        mac = plan_float_mac(design, product, on_last)
        return FloatCorePlan(1, product, alone, None, None, mac)
    bits = design.product_bits + (design.lanes - 1).bit_length()
    if bits > WIDEST_SUM:
        raise ValueError(
            f"the exact sum of a step has at most {WIDEST_SUM} bits before it is rounded, "
            f"that of {design.lanes} products {design.weight} × {design.activation} has {bits}"
        )
    if design.structure == "merged":
        return _plan_merged(design, target, on_last)
    lane = plan_lane(design, target)
    tree, final, addend = _plan_adding(lane.word, design.lanes, target)
    relative = final is None and lane.has_negate
    scale, kept = _plan_rounding(design, addend, relative, on_last)
    return FloatCorePlan(design.lanes, lane, tree, final, scale, kept)


def _plan_merged(design: Design, target: Target, on_last: bool) -> FloatCorePlan:
    """Return the core of a merged design."""
    lane = plan_merged_lane(design, target)
    chain = plan_chains(design.lanes, lane, design.chain)
    word = Word.plain(chain.bounds)
    tree, final, addend = _plan_adding(word, len(chain.chains), target)
    scale, kept = _plan_rounding(design, addend, False, on_last)
    return FloatCorePlan(design.lanes, lane, tree, final, scale, kept, chain)


def _plan_rounding(
    design: Design, addend: Bounds, relative: bool, on_last: bool
) -> tuple[ScalePlan | None, FloatAccumulatePlan]:
    """Return the scales of a design, if it has them, and its accumulator."""
    if not isinstance(design, MxDotProduct):
        return None, plan_fixed_sum(design, addend, relative, on_last)
    scale = ScalePlan(SCALE_MAXIMUM.bit_length(), design.specials == "flag")
    return scale, plan_scaled_sum(design, addend, relative)


def _plan_adding(
    word: Word, lanes: int, target: Target
) -> tuple[TreePlan | SumTree, SumRow | None, Bounds]:
    """Return the tree over the lanes, the row that leaves one word of it, and its range.

    A tree of rows of three words ends in one or two words with bits still to be added, for which
    the accumulator has no carry input left: a last row adds them, and 0.
    """
    carries = word.sign is Sign.CARRY
    if not target.primitives or (lanes < FEWEST_LANES and not carries):
        tree = plan_tree(lanes, word.bounds, word.sign is Sign.NEGATE)
        return tree, None, tree.bounds
    sums = plan_sums(lanes, word)
    if len(sums.words) == 1 and not sums.words[0].pending:
        return sums, None, sums.words[0].total
    zero = Word.plain(Bounds(0, 0))
    padded = any(left.pending for left in sums.words)
    final = SumRow((zero, *sums.words) if padded else sums.words)
    return sums, final, final.result.total
