"""Floor 1c: designs in packed DSP blocks: what may be one, and tiles whose products share blocks.

Dot products, alone or as cells of an output-stationary array, are those of `hw.plan.packed_dot`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from hw.design import (
    BroadcastTile,
    Design,
    OutputStationaryArray,
    WeightStationaryArray,
    is_signs,
)
from hw.plan.accumulate import AccumulatePlan
from hw.plan.packed import Packing, best_packing
from hw.plan.packed_block import BLOCKS, MULTIPLIERS, Block, PackedCell, PackedChain
from hw.plan.packed_dot import DOT_BLOCKS, PackedDotPlan, plan_packed_dot
from hw.plan.signs import pair_sums
from hw.plan.sums import Sign, Word, plan_sums
from hw.target import Target

NEAREST = 2
"""Rows and columns of the tile that is named where another cannot be packed."""


@dataclass(frozen=True, slots=True)
class PackedTilePlan:
    """What a whole tile with packed products is made of.

    Parameters
    ----------
    rows, columns
        Cells.
    packing
        Products of one block; its rows and columns divide those of the tile.
    chains
        Links of each chain, which together serve all lanes.
    first, others
        The cell of the lowest field, and of all others, which may have a pending carry.

    """

    rows: int
    columns: int
    packing: Packing
    chains: tuple[int, ...]
    first: PackedCell
    others: PackedCell

    def __post_init__(self) -> None:
        """Refuse chains that overflow a field."""
        self.packing.check(max(self.chains))

    @property
    def lanes(self) -> int:
        """Products per cell and step."""
        return sum(self.chains)

    @property
    def groups(self) -> int:
        """Groups of cells that share blocks."""
        return self.rows * self.columns // self.packing.products

    @property
    def blocks(self) -> int:
        """DSP blocks of the tile."""
        return self.groups * self.lanes

    def chain(self, links: int) -> PackedChain:
        """Return the chain of so many links."""
        packing = self.packing
        if not packing.block.halves:
            return PackedChain(packing.block, links)
        sides = packing.weight, packing.activation
        wide, narrow = sides if packing.weight.is_wide else sides[::-1]
        return PackedChain(packing.block, links, wide.values.signed, narrow.values.signed)

    def cell(self, row: int, column: int) -> PackedCell:
        """Return the cell of a row and a column within a group."""
        return self.others if self.packing.offset(row, column) else self.first

    def parts(self) -> Counter[Hashable]:
        """Return the primitives of the tile with their counts."""
        packing, groups = self.packing, self.groups
        found: Counter[Hashable] = Counter()
        found[packing.weight] += self.lanes * (self.columns // packing.columns)
        found[packing.activation] += self.lanes * (self.rows // packing.rows)
        for links in self.chains:
            found[self.chain(links)] += groups
        for cell, count in ((self.first, 1), (self.others, packing.products - 1)):
            found[cell.accumulate] += count * groups
            for row, _ in cell.tree.rows:
                found[row] += count * groups
        return found

    def to_record(self) -> dict[str, Any]:
        """Return what a sidecar says of the packing."""
        return {
            **self.packing.block.record,
            "blocks": self.blocks,
            "products_per_block": self.packing.products,
            "weight_offsets": list(self.packing.weight.offsets),
            "activation_offsets": list(self.packing.activation.offsets),
            "chains": list(self.chains),
            "longest_chain": self.packing.most_links,
        }


def plan_packed(
    design: Design, target: Target, links: int | None = None
) -> PackedTilePlan | PackedDotPlan:
    """Return the packed tile, or the packed dot product, of a design.

    Parameters
    ----------
    design
        A broadcast tile; a dot product, a MAC, or an output-stationary array of them.
    target
        A target with DSP48E1, DSP48E2, MULT18X18D or SB_MAC16.
    links
        Blocks per chain at most; as many as the guard bits allow by default.

    Raises
    ------
    ValueError
        If the design or the target has no packed form, or the chain is longer than its guard bits
        allow; the message tells the nearest that works.

    """
    blocks = _blocks(target)
    if isinstance(design, WeightStationaryArray):
        raise ValueError(
            "structure packed ends its chains in an accumulator, which cells of a "
            "weight-stationary array do not have: the nearest are dataflow output-stationary and "
            "structure dsp"
        )
    if is_signs(design.weight) or is_signs(design.activation):
        raise ValueError(
            f"structure packed multiplies, which {design.weight} × {design.activation} does not "
            f"need: the nearest is structure auto"
        )
    if design.is_window or design.is_floating or design.accumulator.is_once:
        raise ValueError(
            f"structure packed adds exact products: its accumulator is exact, wrap or sat, "
            f"not {design.accumulator}"
        )
    if design.product_flags:
        raise ValueError(
            f"structure packed has no flags of special operands: {design.weight} × "
            f"{design.activation} needs specials ignore, or finite formats"
        )
    if not isinstance(design, BroadcastTile):
        on_last = isinstance(design, OutputStationaryArray)
        return plan_packed_dot(design, target, DOT_BLOCKS[target.dsp], on_last, links)
    packing = _packing(design, _passing(design, blocks))
    most = packing.most_links if links is None else links
    return _plan_tile(design, packing, most, target.primitives)


def can_pack(design: Design, target: Target) -> bool:
    """Tell whether a design has a packed form on a target."""
    try:
        plan_packed(design, target)
    except ValueError:
        return False
    return True


def _blocks(target: Target) -> tuple[Block, ...]:
    """Return the block of a target, in each way to use it."""
    if target.dsp in MULTIPLIERS:
        return MULTIPLIERS[target.dsp]
    if target.dsp not in BLOCKS or not target.primitives:
        known = " or ".join((*BLOCKS, *MULTIPLIERS))
        raise ValueError(
            f"structure packed instantiates {known}, which {target.label} "
            f"{'must not use' if target.dsp in BLOCKS else 'does not have'}: xcup, xc7, ecp5 and "
            f"ice40 do"
        )
    return (BLOCKS[target.dsp],)


def _passing(design: BroadcastTile, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Return the ways to use a block that a design's pipeline registers can stand beside."""
    whole = tuple(block for block in blocks if not block.halves)
    if not design.pipeline or whole == blocks:
        return blocks
    operands = design.weight, design.activation, design.rows, design.columns
    staged, all_ways = (best_packing(*operands, ways, design.lanes) for ways in (whole, blocks))
    if staged is None and all_ways is not None:
        raise ValueError(
            f"structure packed puts two products of {design.weight} × {design.activation} into the "
            f"halves of a {blocks[0].name}, which pipeline registers do not pass: pipeline is 0, "
            f"not {design.pipeline}; the nearest is structure dsp"
        )
    return whole


def _packing(design: BroadcastTile, blocks: tuple[Block, ...]) -> Packing:
    operands = design.weight, design.activation
    found = best_packing(*operands, design.rows, design.columns, blocks, design.lanes)
    if found is not None:
        return found
    near = best_packing(*operands, NEAREST, NEAREST, blocks, design.lanes)
    names = f"{design.weight} × {design.activation}"
    block = blocks[0]
    if near is None:
        halves = f", or halves of {blocks[-1].narrow}" if blocks[-1].halves else ""
        raise ValueError(
            f"structure packed makes two products or more in a {block.name}, but two of {names} "
            f"do not fit its operands of {block.wide} and {block.narrow} bits{halves}: structure "
            f"dsp makes one"
        )
    raise ValueError(
        f"structure packed makes two products or more of {names} in a {block.name}: the tile's "
        f"rows and columns are multiples of {near.rows}×{near.columns}, say, not "
        f"{design.rows}×{design.columns}; the nearest is "
        f"{_up(design.rows, near.rows)}×{_up(design.columns, near.columns)}"
    )


def _up(number: int, divisor: int) -> int:
    return -(-number // divisor) * divisor


def _plan_tile(
    design: BroadcastTile, packing: Packing, links: int, primitives: bool
) -> PackedTilePlan:
    packing.check(links)
    count = -(-design.lanes // links)
    chains = tuple(len(range(number, design.lanes, count)) for number in range(count))
    plain, borrowing = (packing.field(chains[0], offset) for offset in (0, packing.step))
    carry = Word(borrowing, plain, Sign.CARRY) if borrowing != plain else Word.plain(plain)
    cells = [_cell(design, count, word, primitives) for word in (Word.plain(plain), carry)]
    return PackedTilePlan(design.rows, design.columns, packing, chains, *cells)


def _cell(design: BroadcastTile, chains: int, word: Word, primitives: bool) -> PackedCell:
    """Return a cell; without LUT6_2 its rows add two words each, and the borrow of the second."""
    tree = plan_sums(chains, word) if primitives else pair_sums(chains, word)
    accumulate = AccumulatePlan(
        design.accumulator.kind,
        design.accumulator_bits,
        tree.words,
        design.flags,
        total_on_last=False,
        lean=primitives,
    )
    return PackedCell(word, tree, accumulate)
