"""Floor 2c: the formulas of the parts of serial designs, and of constants and memories, by type."""

from __future__ import annotations

from costmodel.bitmod import BITMOD_FORMULAS
from costmodel.bitmod_tile import BITMOD_TILE_FORMULAS
from costmodel.bitplane import PLANE_FORMULAS
from costmodel.coefficients import Formulas
from costmodel.constant_dot import CONSTANT_FORMULAS
from costmodel.memory import MEMORY_FORMULAS

SERIAL_FORMULAS: Formulas = {
    **BITMOD_FORMULAS,
    **BITMOD_TILE_FORMULAS,
    **CONSTANT_FORMULAS,
    **MEMORY_FORMULAS,
    **PLANE_FORMULAS,
}
