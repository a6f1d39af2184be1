"""Floor 1c: which function plans a kind of serial design."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hw.design import SerialDesign
from hw.plan.bitmod import plan_bitmod
from hw.plan.bitmod_tile import plan_bitmod_tile
from hw.plan.bitplane import plan_bitplane
from hw.plan.constant_dot import plan_constant_dot
from hw.plan.memory import plan_memory
from hw.plan.serial import SerialCorePlan
from hw.plan.square import plan_square
from hw.target import Target

PLANNERS: dict[str, Callable[[Any, Target], SerialCorePlan]] = {
    "bitplane": plan_bitplane,
    "bitmod": plan_bitmod,
    "bitmodtile": plan_bitmod_tile,
    "memory": plan_memory,
    "constdot": plan_constant_dot,
    "square": plan_square,
}
"""By kind."""


def plan_serial(design: SerialDesign, target: Target) -> SerialCorePlan:
    """Return how a serial design is built on a target."""
    return PLANNERS[design.kind](design, target)
