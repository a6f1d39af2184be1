"""Floor 2a: which component builds the core of a plan."""

from __future__ import annotations

from functools import partial

from hw.plan import (
    CompressorCorePlan,
    CorePlan,
    FloatCorePlan,
    OnceCorePlan,
    PackedTilePlan,
    SequentialCorePlan,
)
from hw.plan.binned import BinnedCorePlan
from hw.plan.heap_core import HeapCorePlan
from hw.plan.packed_dot import PackedDotPlan
from hw.plan.serial import SerialCorePlan
from hw.rtl.binned import BinnedCore
from hw.rtl.bit_heap import HeapCore
from hw.rtl.compressor import CompressorCore
from hw.rtl.core import Core
from hw.rtl.float_core import FloatCore, SequentialCore
from hw.rtl.once import OnceCore
from hw.rtl.packed_dot import PackedDot

AnyCore = (
    Core
    | FloatCore
    | CompressorCore
    | HeapCore
    | OnceCore
    | SequentialCore
    | BinnedCore
    | PackedDot
)


def core_of(
    plan: CorePlan
    | FloatCorePlan
    | CompressorCorePlan
    | HeapCorePlan
    | OnceCorePlan
    | SequentialCorePlan
    | BinnedCorePlan
    | PackedTilePlan
    | PackedDotPlan
    | SerialCorePlan,
) -> AnyCore:
    """Return the component of an accumulation core, which has the same ports in all designs.

    Packed tiles and serial designs have no cores of their own: they are built as a whole.
    """
    assert not isinstance(plan, PackedTilePlan | SerialCorePlan)
    if isinstance(plan, PackedDotPlan):
        return PackedDot(plan)
    if isinstance(plan, BinnedCorePlan):
        return BinnedCore(plan)
    if isinstance(plan, SequentialCorePlan):
        return SequentialCore(plan)
    if isinstance(plan, OnceCorePlan):
        return OnceCore(plan, partial(_exact, plan.exact))
    return FloatCore(plan) if isinstance(plan, FloatCorePlan) else _exact(plan)


def _exact(plan: object) -> Core | CompressorCore | HeapCore:
    """Return the component of a core that keeps an integer."""
    if isinstance(plan, CompressorCorePlan):
        return CompressorCore(plan)
    if isinstance(plan, HeapCorePlan):
        return HeapCore(plan)
    assert isinstance(plan, CorePlan)
    return Core(plan)
