"""Floor 1c: lanes whose last shift and sign are part of an adder row ("merged").

A row on a carry chain has one LUT per bit, and a sum of two bare nets leaves four of its six inputs
idle. Here those inputs take in the coarse part of a product's shift (`hw.plan.placement`) and its
sign:

    sum = previous + ((fine word << shift) ^ sign) + sign.

So a shifted product of full width is never built. Rows stand in linear chains, because only one
operand of a row can be chosen this way. Everything is given LUT by LUT (`hw.plan.cells`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cache

from hw.design import Design
from hw.plan.carry_count import CarryCount
from hw.plan.cells import Netlist
from hw.plan.merged_cells import best_placement, from_table, lane_netlist, row_netlist
from hw.plan.operand import OperandPlan
from hw.plan.placement import Placement, placements, wiring
from hw.plan.product import Bounds
from hw.target import Target

CHAIN_LENGTH, LONGEST_CHAIN = 8, 32
"""Rows of a chain that grow, and of one whose carries are counted, where they divide the lanes."""


class TwoOperands:
    """What follows from the `weight` and the `activation` of a plan."""

    __slots__ = ()

    weight: OperandPlan
    activation: OperandPlan

    @property
    def operands(self) -> tuple[OperandPlan, OperandPlan]:
        """Both operands."""
        return self.weight, self.activation

    @property
    def from_table(self) -> bool:
        """Whether the exponent sum is a table of both fields."""
        return from_table(self.operands)


@dataclass(frozen=True, slots=True)
class MergedLanePlan(TwoOperands):
    """Product of significands shifted by the fine amount, with what rows need to place it.

    Parameters
    ----------
    weight, activation
        The operands, minifloats both.
    placement
        How the product is placed.
    bounds
        Range of the placed product without its sign.
    flags
        Special outputs of the lane.
    packed
        Whether cells are instances of LUT6_2 and CARRY4, packed as planned.

    """

    weight: OperandPlan
    activation: OperandPlan
    placement: Placement
    bounds: Bounds
    flags: tuple[str, ...]
    packed: bool

    @property
    def netlist(self) -> Netlist:
        """The cells between unpacked operands and what rows read."""
        return lane_netlist(self.weight, self.activation, self.placement)


@dataclass(frozen=True, slots=True)
class MergedRow:
    """One adder row: ``previous ± placed product``, a LUT6 per bit.

    Parameters
    ----------
    placement
        How the product is placed.
    previous
        Whether there is something it is added to: not in the first row of a chain.
    width
        Bits of the sum, and of what is added to.
    packed
        As in `MergedLanePlan`.
    carries
        Whether the carry leaves the row instead of the sum being wider.

    """

    placement: Placement
    previous: bool
    width: int
    packed: bool
    carries: bool = False

    @property
    def netlist(self) -> Netlist:
        """The cells of the row."""
        return row_netlist(self.placement, self.previous, self.width, self.carries)


@dataclass(frozen=True, slots=True)
class ChainPlan:
    """Linear chains of merged rows: lane i is added in row i, counted through the chains.

    Parameters
    ----------
    chains
        For each chain its rows, first to last.
    bounds
        Range of the sum of each chain.
    count
        What makes the sum's highest bits of the carries of a chain's rows, None if the rows grow.

    """

    chains: tuple[tuple[MergedRow, ...], ...]
    bounds: Bounds
    count: CarryCount | None = None

    def parts(self) -> Counter[Hashable]:
        """Return rows and counts with their numbers."""
        found: Counter[Hashable] = Counter(row for rows in self.chains for row in rows)
        if self.count is not None:
            found[self.count] += len(self.chains)
        return found


@dataclass(frozen=True, slots=True)
class MergedAccumulatePlan:
    """Accumulator whose adder row places the one product of a step by itself.

    Parameters
    ----------
    bits
        Width of the accumulator, which wraps.
    placement
        How the product is placed.
    flags, total_on_last
        As in `hw.plan.core.AccumulatePlan`.
    packed
        As in `MergedLanePlan`.

    """

    bits: int
    placement: Placement
    flags: tuple[str, ...]
    total_on_last: bool
    packed: bool

    @property
    def row(self) -> MergedRow:
        """The row."""
        return MergedRow(self.placement, True, self.bits, self.packed)

    @property
    def ff(self) -> int:
        """Registers: accumulator, total, the flags of both, and ``total_valid``."""
        return 2 * (self.bits + len(self.flags)) + 1


def can_merge(design: Design) -> bool:
    """Whether the lanes of a design can be merged: minifloats on a fixed grid that shift."""
    operands = OperandPlan(design.weight), OperandPlan(design.activation)
    return (
        not (design.is_window or (design.is_floating and design.lanes == 1))
        and all(operand.is_minifloat and operand.format.signed for operand in operands)
        and all(operand.significand_bits <= 8 for operand in operands)
        and any(operand.field_bits for operand in operands)
        and bool(candidates(*operands))
    )


def plan_merged_lane(design: Design, target: Target) -> MergedLanePlan:
    """Return the lane of a merged design."""
    counts = not (design.is_floating and design.specials == "flag")
    weight = OperandPlan(design.weight, special_counts=counts)
    activation = OperandPlan(design.activation, special_counts=counts)
    placement = _best(weight, activation, target.primitives)
    assert placement is not None
    bounds = Bounds(0, weight.format.maximum_integer * activation.format.maximum_integer)
    flags = design.product_flags
    return MergedLanePlan(weight, activation, placement, bounds, flags, target.primitives)


def plan_chains(lanes: int, lane: MergedLanePlan, length: int = 0) -> ChainPlan:
    """Return the chains that add the products of all lanes; see `chains_of`."""
    return chains_of(lanes, lane.placement, lane.bounds.high, lane.packed, length)


def chains_of(
    lanes: int, placement: Placement, reach: int, packed: bool, length: int = 0
) -> ChainPlan:
    """Return one chain for all lanes, or equal ones; products are at most `reach`.

    Rows grow as their sums do or, where cells are `packed` and it takes fewer sites, keep the width
    of a product and have their carries counted. Chains of such rows are long: fewer sums are added
    (and fewer registers stand in a pipeline), on a longer path. A `length` other than 0 is kept to.
    """
    plain = _growing(length or _length(lanes, CHAIN_LENGTH), lanes, placement, reach, packed)
    if not packed:
        return plain
    counted = _counted(length or _length(lanes, LONGEST_CHAIN), lanes, placement, reach)
    return min(plain, counted, key=_sites)


def _length(lanes: int, most: int) -> int:
    """Return the rows of a chain: the largest divisor of the lanes, or all if that is small."""
    divisor = max(length for length in range(1, most + 1) if lanes % length == 0)
    return divisor if divisor >= CHAIN_LENGTH else lanes


def _growing(length: int, lanes: int, placement: Placement, reach: int, packed: bool) -> ChainPlan:
    """Return chains whose rows are as wide as their sums."""

    def rows() -> Iterator[MergedRow]:
        for done in range(1, length + 1):
            width = Bounds(-reach * done, reach * done).bits
            yield MergedRow(placement, done > 1, width, packed)

    return ChainPlan((tuple(rows()),) * (lanes // length), Bounds(-reach * length, reach * length))


def _counted(length: int, lanes: int, placement: Placement, reach: int) -> ChainPlan:
    """Return chains whose rows are as wide as a product, with their counts."""
    width = placement.width
    rows = tuple(MergedRow(placement, done > 0, width, True, True) for done in range(length))
    bounds = Bounds(-reach * length, reach * length)
    count = CarryCount(length, bounds.bits - width)
    return ChainPlan((rows,) * (lanes // length), bounds, count)


def _sites(plan: ChainPlan) -> int:
    """Return the sites of chains and of the rows that add them."""
    found = sum(row.netlist.sites for rows in plan.chains[:1] for row in rows)
    found += plan.count.netlist.sites if plan.count is not None else 0
    return found * len(plan.chains) + (len(plan.chains) - 1) * plan.bounds.bits


@cache
def candidates(weight: OperandPlan, activation: OperandPlan) -> tuple[Placement, ...]:
    """Return the placements that rows can read, to choose from."""
    operands = (weight, activation)
    offset = 0 if from_table(operands) else sum(bool(o.field_bits) for o in operands)
    product = weight.high * activation.high
    whole = weight.format.maximum_integer * activation.format.maximum_integer
    found = placements(
        product.bit_length(),
        offset,
        offset + sum(operand.largest_shift for operand in operands),
        whole.bit_length(),
        from_table(operands),
    )
    return tuple([placement for placement in found if wiring(placement) is not None])


@cache
def _best(weight: OperandPlan, activation: OperandPlan, packed: bool) -> Placement | None:
    """Return the placement with the fewest sites in the lane, None if there is none."""
    served = candidates(weight, activation)
    return best_placement(
        served, lambda placement: lane_netlist(weight, activation, placement), packed
    )
