"""Floor 1c: how a design is built: primitives that `hw.rtl` builds and `costmodel` sums."""

from hw.plan.accumulate import AccumulatePlan
from hw.plan.compressor import CompressorCorePlan, CompressorPlan
from hw.plan.core import ArrayPlan, CorePlan, Plan, plan
from hw.plan.flags import FlagTree
from hw.plan.float_core import (
    FloatCorePlan,
    FloatRegisterPlan,
    FloatStepPlan,
    ScalePlan,
    SequentialCorePlan,
)
from hw.plan.floating import FloatAccumulatePlan, FloatLanePlan, RightLevel
from hw.plan.lane import LanePlan, structures
from hw.plan.merged import (
    ChainPlan,
    MergedAccumulatePlan,
    MergedLanePlan,
    MergedRow,
)
from hw.plan.merged_window import MaximumPlan, MergedWindowAccumulatePlan, MergedWindowLanePlan
from hw.plan.once import OnceCorePlan
from hw.plan.operand import OperandPlan, classes, gated_apart
from hw.plan.packed import PackedOperand, Packing
from hw.plan.packed_block import PackedCell, PackedChain
from hw.plan.packed_dot import DotPacking, PackedDotPlan
from hw.plan.packed_tile import PackedTilePlan, plan_packed
from hw.plan.product import BoothRow, Bounds, DigitSelection, ProductPlan
from hw.plan.rounding import ClampPlan, LeftLevel, RoundedSum, RoundPlan
from hw.plan.selection import SignSelection
from hw.plan.shift import ExponentPlan, ShiftLevel, ShiftPlan
from hw.plan.signs import SignPair
from hw.plan.stationary import StationaryCell, StationaryPlan, StationaryShell
from hw.plan.sums import Sign, SumRow, SumTree, Word
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
    "ChainPlan",
    "ClampPlan",
    "CompressorCorePlan",
    "CompressorPlan",
    "CorePlan",
    "DigitSelection",
    "DistancePlan",
    "DotPacking",
    "ExponentMaximum",
    "ExponentPlan",
    "FlagTree",
    "FloatAccumulatePlan",
    "FloatCorePlan",
    "FloatLanePlan",
    "FloatRegisterPlan",
    "FloatStepPlan",
    "LanePlan",
    "LeftLevel",
    "MaximumPlan",
    "MergedAccumulatePlan",
    "MergedLanePlan",
    "MergedRow",
    "MergedWindowAccumulatePlan",
    "MergedWindowLanePlan",
    "OnceCorePlan",
    "OperandPlan",
    "PackedCell",
    "PackedChain",
    "PackedDotPlan",
    "PackedOperand",
    "PackedTilePlan",
    "Packing",
    "Plan",
    "ProductPlan",
    "RightLevel",
    "RightShiftLevel",
    "RoundPlan",
    "RoundedSum",
    "ScalePlan",
    "SequentialCorePlan",
    "ShiftLevel",
    "ShiftPlan",
    "Sign",
    "SignPair",
    "SignSelection",
    "StationaryCell",
    "StationaryPlan",
    "StationaryShell",
    "SumRow",
    "SumTree",
    "TreePlan",
    "WindowAccumulatePlan",
    "WindowLanePlan",
    "Word",
    "classes",
    "gated_apart",
    "plan",
    "plan_packed",
    "structures",
]
