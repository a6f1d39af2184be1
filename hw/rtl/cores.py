"""Floor 2a: which component builds the core of a plan."""

from __future__ import annotations

from hw.plan import CompressorCorePlan, CorePlan, FloatCorePlan, PackedTilePlan
from hw.plan.heap_core import HeapCorePlan
from hw.plan.serial import SerialCorePlan
from hw.rtl.bit_heap import HeapCore
from hw.rtl.compressor import CompressorCore
from hw.rtl.core import Core
from hw.rtl.float_core import FloatCore


def core_of(
    plan: CorePlan
    | FloatCorePlan
    | CompressorCorePlan
    | HeapCorePlan
    | PackedTilePlan
    | SerialCorePlan,
) -> Core | FloatCore | CompressorCore | HeapCore:
    """Return the component of an accumulation core, which has the same ports in all designs.

    Packed tiles and serial designs have no cores of their own: they are built as a whole.
    """
    assert not isinstance(plan, PackedTilePlan | SerialCorePlan)
    if isinstance(plan, CompressorCorePlan):
        return CompressorCore(plan)
    if isinstance(plan, HeapCorePlan):
        return HeapCore(plan)
    return FloatCore(plan) if isinstance(plan, FloatCorePlan) else Core(plan)
