"""Floor 2a: which component builds the plan of a serial design."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.lib import wiring

from hw.plan.bitmod import BitmodPlan
from hw.plan.bitmod_tile import BitmodTilePlan
from hw.plan.bitplane import BitPlanePlan
from hw.plan.constant_dot import ConstantDotPlan
from hw.plan.memory import MemoryPlan
from hw.plan.serial import SerialCorePlan
from hw.plan.square import SquarePlan
from hw.rtl.bitmod_tile import BitmodTileArray
from hw.rtl.bitmod_top import Bitmod
from hw.rtl.bitplane import BitPlaneArray
from hw.rtl.constant_dot import ConstantDotProduct
from hw.rtl.memory import BlockMemory
from hw.rtl.square import SquareAccumulator

BUILDERS: dict[type, Callable[[Any], wiring.Component]] = {
    BitPlanePlan: BitPlaneArray,
    BitmodPlan: Bitmod,
    BitmodTilePlan: BitmodTileArray,
    MemoryPlan: BlockMemory,
    ConstantDotPlan: ConstantDotProduct,
    SquarePlan: SquareAccumulator,
}
"""By type of plan; the component has the ports of the design, ``clk`` and ``rst`` apart."""


def build_serial(plan: SerialCorePlan) -> wiring.Component:
    """Return the component of a serial design."""
    return BUILDERS[type(plan)](plan)
