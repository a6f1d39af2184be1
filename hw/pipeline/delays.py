"""Floor 2a: the delay model of `hw.pipeline`: what a path takes, in nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass

from hw.pipeline.netlist import Bit

DELAYS_OF = "ecp5"
"""The target whose delays these are."""
REGISTER_NS = 0.8
"""Clock to output and set-up of the registers at both ends."""
LUT_NS = 1.05
"""One look-up table with the routing before it."""
ROW_NS, ROW_NS_PER_BIT = 1.75, 0.03
"""One adder row: onto the carry chain, along it and off."""
CHAINED_ROW_NS = 1.2
"""A row whose operands come from another row."""
DSP_NS, CASCADED_DSP_NS = 5.4, 1.75
"""A DSP block without registers (`costmodel/data/clock_ecp5.yaml`, its multiplier), and one more in
a cascade, which adds a row."""
CROWDING = 1.3
"""How much longer paths get in a design of thousands of LUTs (32 lanes of int8)."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a net is ready: its stage, and the time within it.

    `base` is when the last of its sources is ready, `sources` the nets it is a function of there:
    as many levels of LUTs as these need come on top.
    """

    stage: int
    base: float
    sources: frozenset[Bit] = frozenset()


def levels(count: int, lut_inputs: int) -> float:
    """Return the LUT levels of a function of so many nets."""
    if count <= 1:
        return 0.0
    if count <= lut_inputs:
        return 1.0
    if count <= lut_inputs + 2:
        return 1.25  # two LUTs and the multiplexer beside them
    return 1.0 + levels(-(-count // lut_inputs), lut_inputs)
