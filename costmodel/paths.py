"""Floor 2c: what the longest path of a design is made of: things in a row, counted from its plan.

The path leads from the registers before the operands through unpacking, product, shifter, adder
tree and accumulator to the accumulator's own register; in a serial design from one register to the
next where most lies between. `costmodel.timing` gives each thing its time.
"""

from __future__ import annotations

import math
from dataclasses import replace

from costmodel.path_cells import cells
from costmodel.path_things import SMALL_SUM, Counted, Path
from hw.plan import (
    AccumulatePlan,
    CompressorCorePlan,
    CorePlan,
    FloatAccumulatePlan,
    FloatCorePlan,
    LanePlan,
    MergedAccumulatePlan,
    MergedLanePlan,
    MergedRow,
    MergedWindowAccumulatePlan,
    MergedWindowLanePlan,
    OnceCorePlan,
    PackedCell,
    PackedDotPlan,
    PackedTilePlan,
    Plan,
    ProductPlan,
    RoundedSum,
    RoundPlan,
    ScalePlan,
    SequentialCorePlan,
    StationaryPlan,
    SumRow,
    SumTree,
    TreePlan,
    WindowAccumulatePlan,
    WindowLanePlan,
)
from hw.plan.binned import BinnedCorePlan
from hw.plan.heap_core import HeapCorePlan
from hw.plan.serial import SerialCorePlan

CROWD = "crowd"
CROWDED_LUTS = 16
"""LUTs of a core from which on wires grow."""


def path(built: Plan) -> Path:
    """Return what the longest path of an unpipelined plan is made of.

    Raises
    ------
    ValueError
        If the model has no path for such a core.

    """
    from costmodel.model import estimate

    things = core_path(built)
    lut = estimate(built).lut / built.design.cores
    return things | crowd(lut)


def crowd(lut: float) -> Path:
    """Return the thing that grows with the LUTs of a core."""
    doublings = math.log2(max(lut / CROWDED_LUTS, 1))
    return {CROWD: doublings} if doublings else {}


def core_path(built: Plan) -> Path:
    """Return the same without what grows with the size of a core; errors as for `path`."""
    core, found = built.core, Counted()
    if isinstance(core, StationaryPlan):
        return _stationary(core)
    if isinstance(core, OnceCorePlan):
        return _once(built, core)
    if isinstance(core, SerialCorePlan):
        from costmodel.path_serial import serial_path

        return serial_path(core)
    found.add("array" if built.array is not None else "registers")
    match core:
        case CorePlan() | FloatCorePlan():
            _core(found, core)
        case BinnedCorePlan():
            _binned(found, core)
        case SequentialCorePlan():
            _core(found, core.one)
            for _ in range(core.lanes - 1):
                floating(found, core.one.accumulate, None)
        case CompressorCorePlan():
            cells(found, core.tree.netlist, built.target.lut_inputs)
            add(found, core.accumulate)
        case HeapCorePlan():
            cells(found, core.heap.netlist, built.target.lut_inputs)
            if core.heap.final_row is not None:
                row(found, core.heap.final_row.width)
            add(found, core.accumulate)
        case PackedTilePlan():
            _packed(found, core.chains, core.others)
        case PackedDotPlan():
            _packed(found, core.chains, core.cell)
        case _:
            raise ValueError(f"the model of clocks has no path for a {type(core).__name__}")
    return found.things


def _once(built: Plan, core: OnceCorePlan) -> Path:
    """Return the path of the exact sum, or of what fits the register behind it."""
    behind = Counted()
    behind.add("registers")
    if isinstance(core.fit, RoundPlan):
        rounding(behind, core.fit)
    assert isinstance(core.exact, CorePlan | CompressorCorePlan | HeapCorePlan)
    exact = core_path(replace(built, core=core.exact))
    return max(exact, behind.things, key=lambda things: sum(things.values()))


def _binned(found: Counted, core: BinnedCorePlan) -> None:
    """Put a lane, its shifter, the choice of a bin and the row behind it on the path."""
    _word(found, core.lane)
    found.add("shift", len(core.shift.levels))
    found.add("luts")
    found.add("add")
    found.add("add_bits", core.bank.bins.bits)


def _core(found: Counted, core: CorePlan | FloatCorePlan) -> None:
    bits = _lane(found, core)
    if core.chain is not None:
        longest = max(core.chain.chains, key=len)
        _merged(found, longest)
    tree(found, core.tree, bits)
    if isinstance(core, FloatCorePlan):
        if core.final is not None:
            row(found, core.final.width)
        floating(found, core.accumulate, core.scale)
        return
    match core.accumulate:
        case AccumulatePlan():
            add(found, core.accumulate)
        case WindowAccumulatePlan():
            _window(found, core, core.accumulate)
        case MergedAccumulatePlan():
            found.add("add")
            found.add("add_bits", core.accumulate.bits)
        case MergedWindowAccumulatePlan():
            found.add("window")
            cells(found, core.accumulate.netlist, 6)
        case _:
            kind = type(core.accumulate).__name__
            raise ValueError(f"the model of clocks has no path for a {kind}")


def _lane(found: Counted, core: CorePlan | FloatCorePlan) -> int:
    """Put a lane on the path; return the bits of its word."""
    lane = core.lane
    if isinstance(lane, MergedWindowLanePlan):
        cells(found, lane.product, 6)
        if isinstance(core, CorePlan) and core.maximum is not None:
            cells(found, core.maximum.netlist, 6)
        cells(found, lane.alignment, 6)
        return 0
    if isinstance(lane, WindowLanePlan):
        _word(found, lane)
        found.add("exponents", lane.exponents is not None)
        return core.align.window_bits if isinstance(core, CorePlan) and core.align else 0
    return _word(found, lane)


def _word(found: Counted, lane: object) -> int:
    """Put the way from operands to a lane's word on the path; return the bits of the word."""
    if isinstance(lane, MergedLanePlan):
        found.add("gated", any(operand.gated for operand in lane.operands))
        cells(found, lane.netlist, 6)
        return lane.bounds.bits
    product = getattr(lane, "product", None)
    if not isinstance(product, ProductPlan):
        raise ValueError(f"the model of clocks has no path for a {type(lane).__name__}")
    operands = (getattr(lane, "weight", None), getattr(lane, "activation", None))
    found.add("gated", any(operand.gated for operand in operands if operand is not None))
    _product(found, product)
    if isinstance(lane, WindowLanePlan):
        return product.bounds.bits
    if isinstance(lane, LanePlan):
        found.add("signs", lane.has_negate or lane.signs_apart)
        if lane.shift is not None:
            found.add("shift", len(lane.shift.levels))
            found.add("exponents", len(lane.shift.exponents.field_bits) > 1)
        return lane.bounds.bits
    found.add("exponents")
    return product.bounds.bits


def _stationary(core: StationaryPlan) -> Path:
    """Return the path of the last cell of a column, or of the accumulator below if that is longer.

    Between cells, and before the accumulator, partial sums are registered.
    """
    last, cell, below = core.cells[-1], Counted(), Counted()
    cell.add("array")
    bits = _word(cell, last.lane)
    _merged(cell, last.merged)
    if last.tree is not None:
        tree(cell, last.tree, bits)
    if last.row is not None:
        row(cell, last.row.width)
    below.add("array")
    add(below, core.accumulate)
    return max(cell.things, below.things, key=lambda things: sum(things.values()))


def _product(found: Counted, product: ProductPlan) -> None:
    bits = product.weight_bits + product.activation_bits
    match product.structure:
        case "rows":
            found.add("booth_rows", len(product.rows))
            found.add("booth_bits", sum(row.width for row in product.rows))
        case "table":
            found.add("table", max(bits - SMALL_SUM, 1) / SMALL_SUM)
        case "dsp":
            found.add("dsp")
        case _ if bits <= SMALL_SUM:
            found.add("luts")
        case _:
            least = min(product.weight.bits, product.activation.bits)
            found.add("multiplier")
            found.add("multiplier_levels", math.log2(max(least, 1)))


def _merged(found: Counted, rows: tuple[MergedRow, ...]) -> None:
    """Put a chain of merged rows on the path."""
    found.add("merged_rows", len(rows))
    found.add("merged_bits", max((row.width for row in rows), default=0))


def row(found: Counted, width: int) -> None:
    """Put an adder row on the path."""
    if width <= SMALL_SUM:
        found.add("luts")
    else:
        found.add("tree_rows")
        found.add("tree_bits", width)


def tree(found: Counted, plan: TreePlan | SumTree, bits: int) -> None:
    """Put an adder tree over words of so many bits on the path."""
    if isinstance(plan, SumTree):
        for width in deepest(plan):
            row(found, width)
        return
    for level, _ in enumerate(plan.levels):
        row(found, bits + level + 1)


def deepest(plan: SumTree) -> tuple[int, ...]:
    """Return the widths of the rows one after the other where most are."""
    ways: list[tuple[int, ...]] = [()] * plan.lanes
    for made, operands in plan.rows:
        before = max((ways[number] for number in operands), key=len)
        ways.append((*before, _width(made)))
    return max((ways[number] for number in plan.roots), key=len)


def _width(made: SumRow) -> int:
    return made.width


def add(found: Counted, accumulate: AccumulatePlan) -> None:
    """Put the row of an accumulator on the path."""
    found.add("add", accumulate.sum_bits > SMALL_SUM)
    found.add("add_bits", accumulate.sum_bits)
    found.add("saturate", accumulate.kind.value == "saturate")


def _packed(found: Counted, chains: tuple[int, ...], cell: PackedCell) -> None:
    """Put packing, a chain of blocks and what adds its fields on the path."""
    found.add("luts")
    found.add("dsp")
    found.add("dsp_links", max(chains) - 1)
    tree(found, cell.tree, cell.word.bounds.bits)
    add(found, cell.accumulate)


def _window(found: Counted, core: CorePlan, accumulate: WindowAccumulatePlan) -> None:
    found.add("window")
    found.add("window_maximum", (core.lanes - 1).bit_length())
    align = core.align.levels if core.align is not None else ()
    found.add("window_shift", len(accumulate.levels) + len(align))
    found.add("window_bits", accumulate.bits)
    found.add("window_exponent", accumulate.exponent_bits)


def floating(found: Counted, accumulate: FloatAccumulatePlan, scale: ScalePlan | None) -> None:
    """Put a floating accumulator on the path."""
    found.add("float_align", len(accumulate.align_levels))
    found.add("float_distance", accumulate.distance_bits)
    rounding(found, accumulate)
    found.add("scales", scale is not None)


def rounding(found: Counted, plan: RoundedSum) -> None:
    """Put what normalises and rounds a sum on the path."""
    found.add("float")
    found.add("float_normalize", len(plan.normalize_levels))
    found.add("float_bits", plan.sum_bits)
