"""Floor 1a: designs as values: what is computed, to the bit, and nothing about how.

One accumulation core underlies all of them: on a clock edge with ``valid`` high,
``sum = accumulator + Σ weight[i]·activation[i]``; ``total`` takes the sum (so it shows the running
sum one cycle later) and the accumulator takes it too, or 0 if ``last`` is high, which ends the sum.
"""

from hw.design.base import (
    DEFAULT_ACCUMULATOR,
    DSP_STRUCTURES,
    MAXIMUM_LANES,
    MAXIMUM_PIPELINE,
    MAXIMUM_SIDE,
    SCALE_BIAS,
    SCALE_MAXIMUM,
    SCALE_NAN,
    SPECIALS_POLICIES,
    STRUCTURES,
    Design,
    chain_lengths,
)
from hw.design.bitmod import BitmodPe
from hw.design.bitmod_tile import BitmodTile
from hw.design.bitplane import ORGANISATIONS, BitPlane
from hw.design.kinds import (
    DATAFLOWS,
    KINDS,
    BroadcastTile,
    DotProduct,
    Grid,
    Mac,
    MxDotProduct,
    OutputStationaryArray,
    WeightStationaryArray,
)
from hw.design.operands import (
    OPERAND_SPECIALS,
    adds_shifts,
    is_signs,
    largest_shift,
    raises_flags,
    signed_bits,
    significand_bounds,
    without_hardware,
)
from hw.design.record import from_record
from hw.design.serial import SerialDesign

__all__ = [
    "DATAFLOWS",
    "DEFAULT_ACCUMULATOR",
    "DSP_STRUCTURES",
    "KINDS",
    "MAXIMUM_LANES",
    "MAXIMUM_PIPELINE",
    "MAXIMUM_SIDE",
    "OPERAND_SPECIALS",
    "ORGANISATIONS",
    "SCALE_BIAS",
    "SCALE_MAXIMUM",
    "SCALE_NAN",
    "SPECIALS_POLICIES",
    "STRUCTURES",
    "BitPlane",
    "BitmodPe",
    "BitmodTile",
    "BroadcastTile",
    "Design",
    "DotProduct",
    "Grid",
    "Mac",
    "MxDotProduct",
    "OutputStationaryArray",
    "SerialDesign",
    "WeightStationaryArray",
    "adds_shifts",
    "chain_lengths",
    "from_record",
    "is_signs",
    "largest_shift",
    "raises_flags",
    "signed_bits",
    "significand_bounds",
    "without_hardware",
]
