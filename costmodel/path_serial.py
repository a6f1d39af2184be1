"""Floor 2c: the longest paths of serial designs: binary planes, BitMoD, memories."""

from __future__ import annotations

from costmodel.path_cells import cells
from costmodel.path_things import Counted, Path
from costmodel.paths import add, floating, row
from hw.plan.accumulate import AccumulatePlan
from hw.plan.bitmod import BitmodElementPlan, BitmodIntPlan, BitmodPlan
from hw.plan.bitmod_tile import BitmodTilePlan
from hw.plan.bitplane import BitPlanePlan, PlaneAccumulate
from hw.plan.floating import FloatAccumulatePlan
from hw.plan.memory import MemoryPlan
from hw.plan.plane_sums import PlaneCount, PlaneSum
from hw.plan.serial import SerialCorePlan

LUT_INPUTS = 6
"""Of the circuits of BitMoD, which are given in LUTs of six inputs."""


def serial_path(core: SerialCorePlan) -> Path:
    """Return what the longest path of a serial design is made of.

    Raises
    ------
    ValueError
        If the model has no path for such a core.

    """
    found = Counted()
    found.add("registers")
    match core:
        case BitPlanePlan():
            _planes(found, core)
        case BitmodPlan():
            _element(found, core.element)
        case BitmodTilePlan():
            _element(found, core.single.element)
        case MemoryPlan():
            found.add("memory")
        case _:
            raise ValueError(f"the model of clocks has no path for a {type(core).__name__}")
    if isinstance(core, BitmodPlan | BitmodTilePlan):
        single = core if isinstance(core, BitmodPlan) else core.single
        output = _output(single.output)
        return max(found.things, output, key=_length)
    return found.things


def _planes(found: Counted, core: BitPlanePlan) -> None:
    """Put sums of gated words, their join and the accumulator on the path."""
    cell = core.cell
    _plane_sum(found, cell.plane)
    joined: list[tuple[int, ...]] = [()] * cell.sums
    for join in cell.joins:
        before = max((joined[number] for number in join.operands), key=len)
        joined.append((*before, join.row.width))
    for width in joined[-1]:
        row(found, width)
    if cell.offset is not None:
        row(found, cell.offset.bounds.bits)
    _plane_accumulate(found, cell.accumulate)
    found.add("control", core.design.serial_weight or core.design.serial_activation)


def _plane_sum(found: Counted, plane: PlaneSum) -> None:
    ways: list[tuple[int, ...]] = [()] * plane.lanes
    for node, operands in plane.nodes:
        before = max((ways[number] for number in operands), key=len)
        ways.append((*before, 0 if isinstance(node, PlaneCount) else node.width))
    for width in ways[-1]:
        row(found, width)  # a count is a few LUTs
    if plane.word.gate and ways[-1][0]:
        found.add("luts")


def _plane_accumulate(found: Counted, accumulate: PlaneAccumulate) -> None:
    found.add("add")
    found.add("add_bits", accumulate.bits)
    found.add("luts", accumulate.negates)


def _element(found: Counted, element: BitmodElementPlan | BitmodIntPlan) -> None:
    """Put the way of four terms into the accumulator of a group on the path."""
    if isinstance(element, BitmodElementPlan):
        for name in ("exponent", "maximum", "align", "realign"):
            cells(found, element.cells(name).netlist, LUT_INPUTS)
        for each in element.rows:
            row(found, each.width)
        return
    found.add("terms")
    cells(found, element.lane.netlist, LUT_INPUTS)
    cells(found, element.base.netlist, LUT_INPUTS)
    for each in element.rows:
        row(found, each.width)
    found.add("add")
    found.add("add_bits", element.bits)


def _output(output: FloatAccumulatePlan | AccumulatePlan) -> Path:
    """Return the path of the accumulator that scaled groups are added to."""
    found = Counted()
    found.add("registers")
    if isinstance(output, FloatAccumulatePlan):
        floating(found, output, None)
    else:
        add(found, output)
    return found.things


def _length(things: Path) -> float:
    """Return about how long a path is, in levels of LUTs."""
    return sum(count * LEVELS.get(name, 1.0) for name, count in things.items())


LEVELS = {
    "add_bits": 0.03,
    "tree_bits": 0.03,
    "chain_bits": 0.05,
    "float": 5.0,
    "float_bits": 0.1,
    "float_align": 2.0,
    "float_distance": 0.0,
}
"""What a thing counts where the longer of two paths is looked for; others count 1."""
