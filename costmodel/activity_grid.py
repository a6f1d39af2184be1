"""Floor 2c: energy of arrays and tiles: their cores, operands on their way, and control.

All cores of a grid see operands of the same statistics, so each spends what a dot product of its
lanes does (`costmodel.activity`). Operands come in once per row or column. In an array they pass
registers: each toggles as the operand does; Xilinx flows put longer skews into shift registers, of
which one net toggles in `SHIFT_REGISTER_DEPTH` bits. Once per sum the control toggles, and the
selection shows every row: each of its LUTs toggles `SHOWN` of the times.

Energies are linear in five numbers of a core (`core_terms`) with factors of the sides
(`side_factors`), so that `costmodel.grid_columns` has those of many designs as a matrix product.
No coefficient is fitted to grids; sides beyond 3 are extrapolated. Netlist simulations stand in
``data/activity_grids_<target>.csv`` (`sweeps.activity_grids`).
"""

from __future__ import annotations

from functools import cache

from costmodel import coefficients as numbers
from costmodel.activity import Statistics, logic_per_cycle
from costmodel.array import SHIFT_REGISTER_DEPTH, SHORTEST_SHIFT_REGISTER, selection_luts
from costmodel.energy import constants
from hw.design import Design
from hw.plan import ArrayPlan, Plan
from hw.plan.core import selection_ways
from hw.target import Target

SHOWN = 0.4
"""Share of a result's bits that differ from those of the next row (half, but for signs)."""
CONTROL_TOGGLES = 4
"""Toggles per sum of what is busy and what drains."""
TERMS = ("core", "activation", "weight", "sum", "result")
"""What energy is linear in: pJ per cycle of a core, toggles per cycle of a row's activations and a
column's weights, sums per cycle, and bits of results per cycle and cell."""


def core_terms(
    design: Design, target: Target, statistics: Statistics, built: Plan | None = None
) -> tuple[float, ...]:
    """Return the `TERMS` of a design's core; of a grid the sides do not matter.

    Parameters as for `costmodel.activity_core.core_toggles`.

    Raises
    ------
    ValueError
        As `costmodel.activity.estimate`.

    """
    core = sum(logic_per_cycle(design, target, statistics, built).values())
    return core, *word_terms(design, statistics)


def word_terms(design: Design, statistics: Statistics) -> tuple[float, ...]:
    """Return the `TERMS` of a design's core but the first, for which the core must run."""
    return (
        design.lanes * statistics.activation,
        design.lanes * statistics.weight,
        1 / statistics.steps,
        (design.accumulator_bits + len(design.flags)) / statistics.steps,
    )


@cache
def side_factors(target: Target, is_array: bool, rows: int, columns: int) -> tuple[float, ...]:
    """Return the pJ per cycle that each of `TERMS` gives a grid of these sides, but for the clock.

    Parameters
    ----------
    target
        The technology.
    is_array
        Whether operands pass registers and results are selected; else operands are shared.
    rows, columns
        The sides.

    """
    known = constants(target.name)
    activation, weight, control, result = rows * known.inputs, columns * known.inputs, 0.0, 0.0
    if is_array:
        plan = ArrayPlan(rows, columns, 0, 0, 1, selection_ways(target))
        xilinx = numbers.load(target.name).family == "xilinx"
        activation += _passed(rows, columns, xilinx) * known.registers
        weight += _passed(columns, rows, xilinx) * known.registers
        ends = 2 * (plan.diagonals - 1) + 2 * (rows - 1) + CONTROL_TOGGLES
        control = ends * known.registers
        luts = selection_luts(plan, numbers.load(target.name))
        result = luts * rows * SHOWN * known.logic
    return rows * columns, activation, weight, 2 * known.inputs + control, result


def _passed(lanes: int, cells: int, xilinx: bool) -> int:
    """Return the toggling nets per operand bit: skews of 0, 1, 2 … and registers between cells."""
    nets = lanes * (cells - 1)
    for depth in range(lanes):
        moved = depth - (depth > 16 and depth % 16 == 1)
        if xilinx and depth >= SHORTEST_SHIFT_REGISTER:
            nets += depth - moved + -(-moved // SHIFT_REGISTER_DEPTH)
        else:
            nets += depth
    return nets
