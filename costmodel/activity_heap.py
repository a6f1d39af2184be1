"""Floor 2c: what toggles in a core that is one heap of bits (`hw.plan.heap_core`)."""

from __future__ import annotations

from costmodel.activity_lanes import Addend
from costmodel.activity_planes import Statistics, Tally, operand_nets, run_cells
from costmodel.activity_sums import accumulated, tree_sums
from hw.plan import SumTree
from hw.plan.heap_core import HeapCorePlan


def heap_toggles(core: HeapCorePlan, given: Statistics) -> Tally:
    """Return the toggles of the heap's cells, of the row behind it, and of the accumulator."""
    tally = Tally(given.scope())
    inputs = operand_nets(given, core.weight.format.bits, core.activation.format.bits)
    nets = run_cells(tally, "bit heap", core.heap.netlist, inputs)
    words = [tuple([nets[n] for n in word]) for word in core.heap.outputs]
    addends = [Addend(word) for word in words]
    row = core.heap.final_row
    if row is not None:
        low = core.heap.passing
        tree = SumTree(2, ((row, (0, 1)),), (2,), (row.result,))
        (above,) = tree_sums(tally, tree, [Addend(word[low:]) for word in words])
        addends = [Addend((*words[0][:low], *above.bits))]
    accumulated(tally, core.accumulate, addends, given)
    return tally
