"""Floor 2c: memories: a block for each bank, and a LUT that keeps writes out during reset."""

from __future__ import annotations

from costmodel.coefficients import Coefficients, Formulas
from costmodel.cost import Cost, luts
from hw.plan.memory import MemoryBank, MemoryControl

BYTE = 8


def memory_bank(plan: MemoryBank, target: Coefficients) -> Cost:
    """Return the cost of a bank.

    Blocks of iCE40 more than a byte wide have a write mask that is low where bits are written,
    and so an inverter.
    """
    inverts = target.family == "ice40" and plan.width > BYTE
    return Cost(bram=1, lut=inverts, sites=inverts)


def memory_control(plan: MemoryControl, target: Coefficients) -> Cost:
    """Return the cost of what keeps writes out."""
    return luts(1)


MEMORY_FORMULAS: Formulas = {
    MemoryBank: (("block", memory_bank),),
    MemoryControl: (("write control", memory_control),),
}
