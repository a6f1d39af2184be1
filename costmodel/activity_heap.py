"""Floor 2c: what toggles in heaps of bits: dot products (`hw.plan.heap_core`) and squares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from costmodel.activity_lanes import Addend
from costmodel.activity_planes import (
    Plane,
    Silent,
    Statistics,
    Tally,
    operand_nets,
    planes_of,
    run_cells,
)
from costmodel.activity_sums import accumulated, tree_sums
from hw.plan import SumTree
from hw.plan.cells import Lut, Netlist
from hw.plan.heap_core import HeapCorePlan
from hw.plan.square import SquarePlan

CONSTANTS = ("0", "1")


def heap_toggles(core: HeapCorePlan, given: Statistics) -> tuple[Tally, list[Plane]]:
    """Return the toggles of cells, the row behind them and the accumulator, and each step's sum."""
    inputs = operand_nets(given, core.weight.format.bits, core.activation.format.bits)
    return _run(core, inputs, given)


def square_toggles(core: SquarePlan, given: Statistics) -> tuple[Tally, list[Plane]]:
    """Return the same of a sum of squares."""
    bits = core.design.activation.bits
    inputs = {
        f"x{lane * bits + place}": net
        for lane, codes in enumerate(given.activations)
        for place, net in enumerate(planes_of(codes, bits))
    }
    return _run(core, inputs, given)


def _run(
    core: HeapCorePlan | SquarePlan, inputs: dict[str, Plane], given: Statistics
) -> tuple[Tally, list[Plane]]:
    tally = Tally(given.scope())
    nets = run_cells(tally, "bit heap", core.heap.netlist, inputs)
    words = [tuple([nets[n] for n in word]) for word in core.heap.outputs]
    addends = [Addend(word) for word in words]
    row = core.heap.final_row
    if row is not None:
        low = core.heap.passing
        tree = SumTree(2, ((row, (0, 1)),), (2,), (row.result,))
        (above,) = tree_sums(tally, tree, [Addend(word[low:]) for word in words])
        addends = [Addend((*words[0][:low], *above.bits))]
    return tally, accumulated(tally, core.accumulate, addends, given)


def cut_density(core: HeapCorePlan, given: Statistics, kept: bool, registers: float) -> float:
    """Return the toggles per pipeline register of a heap.

    Parameters
    ----------
    core, given
        The heap, and under which operands.
    kept
        Whether it is never cut, so that registers hold the words that leave it; else they hold
        what passes from one level of cells to the next.
    registers
        How many there are in a stage: they are taken to be in the level with as many nets.

    """
    inputs = operand_nets(given, core.weight.format.bits, core.activation.format.bits)
    nets = run_cells(Silent(given.scope()), "", core.heap.netlist, inputs)
    outputs = (net for word in core.heap.outputs for net in word)
    left = [net for net in dict.fromkeys(outputs) if net not in CONSTANTS]
    cuts = [left] if kept else [left, *_crossing(core.heap.netlist, inputs, left)]
    chosen = min(cuts, key=lambda cut: abs(len(cut) - registers))
    return given.scope().toggles([nets[net] for net in chosen]) / len(chosen)


def _crossing(
    netlist: Netlist, inputs: dict[str, Plane], outputs: list[str]
) -> Iterator[list[str]]:
    """Yield the nets that pass each level of cells: made before it and read behind it."""
    levels = dict.fromkeys(inputs, 0) | {"0": 0, "1": 0}
    read: dict[str, int] = {}
    cells: list[Any] = [*netlist.luts, *netlist.chains]
    while cells:
        later = []
        for cell in cells:
            if any(net not in levels for net in cell.inputs):
                later.append(cell)
                continue
            level = 1 + max(levels[net] for net in cell.inputs)
            if isinstance(cell, Lut):
                levels[cell.output] = level
            else:
                levels |= dict.fromkeys((bit.output for bit in cell.bits), level)
                levels |= dict.fromkeys((cell.carry_out,) if cell.carry_out else (), level)
            read |= {net: max(read.get(net, 0), level) for net in cell.inputs}
        cells = later
    deepest = max(levels.values())
    read |= dict.fromkeys(outputs, deepest + 1)
    for level in range(deepest + 1):
        yield [
            net
            for net, made in levels.items()
            if net not in CONSTANTS and made <= level < read.get(net, 0)
        ]
