"""Floor 2a: which component builds the core of a plan."""

from __future__ import annotations

from hw.plan import CorePlan, FloatCorePlan, PackedTilePlan
from hw.rtl.core import Core
from hw.rtl.float_core import FloatCore


def core_of(plan: CorePlan | FloatCorePlan | PackedTilePlan) -> Core | FloatCore:
    """Return the component of an accumulation core, which has the same ports in all designs.

    A packed tile has no cores of its own: `hw.rtl.packed` builds it as a whole.
    """
    assert not isinstance(plan, PackedTilePlan)
    return FloatCore(plan) if isinstance(plan, FloatCorePlan) else Core(plan)
