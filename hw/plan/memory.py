"""Floor 1c: memories as banks side by side, each of which is one block of the target.

A bank is as wide as a block is at the depth asked for, so no word is spread over blocks by its
address and nothing is selected behind them: the number of blocks is the number of banks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from hw.design.memory import Memory
from hw.plan.serial import SerialCorePlan
from hw.target import Target


@dataclass(frozen=True, slots=True)
class Block:
    """A memory block of a family.

    Parameters
    ----------
    name
        What it is called.
    size
        Its size in units of the smallest block of its family.
    shapes
        (width, depth) it can have, narrowest first.

    """

    name: str
    size: int
    shapes: tuple[tuple[int, int], ...]

    def width_at(self, depth: int) -> int:
        """Return the widest word at a depth, 0 if it is never so deep."""
        return max((width for width, most in self.shapes if depth <= most), default=0)


def _shapes(depth: int, widest: int) -> tuple[tuple[int, int], ...]:
    """Return shapes of a block of `depth` bits with a ninth bit for each eight."""
    plain = ((width, depth // width) for width in (1, 2, 4))
    with_parity = ((9 * n, depth // (8 * n)) for n in (1, 2, 4, 8) if 9 * n <= widest)
    return (*plain, *with_parity)


BLOCKS: dict[str, tuple[Block, ...]] = {
    # AMD UG573: RAMB18E2 and RAMB36E2, simple dual port.
    "xcup": (
        Block("RAMB18E2", 1, _shapes(1 << 14, 36)),
        Block("RAMB36E2", 2, _shapes(1 << 15, 72)),
    ),
    # AMD UG473: RAMB18E1 and RAMB36E1, simple dual port.
    "xc7": (
        Block("RAMB18E1", 1, _shapes(1 << 14, 36)),
        Block("RAMB36E1", 2, _shapes(1 << 15, 72)),
    ),
    # Lattice FPGA-TN-02204: 18 kbit EBR, pseudo dual port.
    "ecp5": (Block("DP16KD", 1, _shapes(1 << 14, 36)),),
    # Lattice FPGA-TN-02002: 4 kbit EBR, 16 bits at most.
    "ice40": (Block("SB_RAM40_4K", 1, ((2, 2048), (4, 1024), (8, 512), (16, 256))),),
    # Gowin UG285: 18 kbit BSRAM, semi-dual port: SDPB, or SDPX9B with a ninth bit per byte.
    "gowin": (Block("BSRAM", 1, _shapes(1 << 14, 36)),),
}
"""Blocks of each target, smallest first."""


@dataclass(frozen=True, slots=True)
class MemoryBank:
    """Part of the words of a memory, in one block.

    Parameters
    ----------
    width, depth
        Its shape.
    block
        Name of the block.

    """

    width: int
    depth: int
    block: str


@dataclass(frozen=True, slots=True)
class MemoryControl:
    """What keeps writes out while ``rst`` is high: one LUT."""


@dataclass(frozen=True, slots=True)
class MemoryPlan(SerialCorePlan):
    """A memory.

    Parameters
    ----------
    design
        What is built.
    banks
        Lowest bits of the words first.

    """

    design: Memory
    banks: tuple[MemoryBank, ...]

    @property
    def latency_cycles(self) -> int:
        """Cycles from an address to its word."""
        return 1

    @property
    def initiation_interval(self) -> int:
        """A word in every cycle."""
        return 1

    def parts(self) -> Counter[Hashable]:
        """Return banks and control."""
        return Counter([*self.banks, MemoryControl()])


def plan_memory(design: Memory, target: Target) -> MemoryPlan:
    """Return the banks of least size in all, the fewest of these.

    Raises
    ------
    ValueError
        If the target's blocks are not so deep, or it has none.

    """
    blocks = BLOCKS.get(target.name)
    if blocks is None:
        raise ValueError(f"memories are for {', '.join(BLOCKS)}, not {target.name}")
    ways = [
        _banks(design, blocks, width) for block in blocks if (width := block.width_at(design.depth))
    ]
    if not ways:
        most = max(depth for block in blocks for _, depth in block.shapes)
        raise ValueError(
            f"a block of {target.name} has at most {most} words, {design.slug} has {design.depth}"
        )
    sizes = {block.name: block.size for block in blocks}
    banks = min(ways, key=lambda way: (sum(sizes[bank.block] for bank in way), len(way)))
    return MemoryPlan(design, banks)


def _banks(design: Memory, blocks: tuple[Block, ...], width: int) -> tuple[MemoryBank, ...]:
    """Return banks of a width, the last one narrower, each in the smallest block it fits."""
    banks = []
    for start in range(0, design.width, width):
        bits = min(width, design.width - start)
        block = next(block for block in blocks if bits <= block.width_at(design.depth))
        banks.append(MemoryBank(bits, design.depth, block.name))
    return tuple(banks)
