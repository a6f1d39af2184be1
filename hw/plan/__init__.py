"""Floor 1c: how a design is built: primitives that `hw.rtl` builds and `costmodel` sums."""

from hw.plan.core import AccumulatePlan, ArrayPlan, CorePlan, FlagTree, Plan, plan
from hw.plan.lane import LanePlan, structures
from hw.plan.operand import OperandPlan, classes
from hw.plan.product import BoothRow, Bounds, ProductPlan
from hw.plan.shift import ExponentPlan, ShiftLevel, ShiftPlan
from hw.plan.tree import AdderRow, TreePlan
from hw.plan.window import (
    AlignPlan,
    DistancePlan,
    ExponentMaximum,
    RightShiftLevel,
    WindowAccumulatePlan,
    WindowLanePlan,
)

__all__ = [
    "AccumulatePlan",
    "AdderRow",
    "AlignPlan",
    "ArrayPlan",
    "BoothRow",
    "Bounds",
    "CorePlan",
    "DistancePlan",
    "ExponentMaximum",
    "ExponentPlan",
    "FlagTree",
    "LanePlan",
    "OperandPlan",
    "Plan",
    "ProductPlan",
    "RightShiftLevel",
    "ShiftLevel",
    "ShiftPlan",
    "TreePlan",
    "WindowAccumulatePlan",
    "WindowLanePlan",
    "classes",
    "plan",
    "structures",
]
