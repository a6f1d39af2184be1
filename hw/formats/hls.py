"""Floor 0: the rounding and overflow modes of high-level synthesis, by name.

``ap_fixed<W,I,Q,O>`` of AMD Vitis HLS (UG1399) and ``sc_fixed`` of SystemC (IEEE 1666) quantise by
Q, then resolve overflow by O. The modes here have no saturated bits (``N = 0``, the default).
"""

from __future__ import annotations

from hw.formats.base import Overflow, Rounding

ROUNDING: dict[str, Rounding] = {
    "TRN": Rounding.TOWARD_NEGATIVE,
    "TRN_ZERO": Rounding.TOWARD_ZERO,
    "RND": Rounding.TIES_TOWARD_POSITIVE,
    "RND_ZERO": Rounding.TIES_TOWARD_ZERO,
    "RND_MIN_INF": Rounding.TIES_TOWARD_NEGATIVE,
    "RND_INF": Rounding.TIES_TO_AWAY,
    "RND_CONV": Rounding.TIES_TO_EVEN,
}
"""Q: TRN is the default of `ap_fixed`."""

OVERFLOW: dict[str, Overflow] = {
    "WRAP": Overflow.WRAP,
    "SAT": Overflow.SATURATE,
    "SAT_SYM": Overflow.SATURATE_SYMMETRIC,
    "SAT_ZERO": Overflow.TO_ZERO,
    "WRAP_SM": Overflow.WRAP_SIGN_MAGNITUDE,
}
"""O: WRAP is the default of `ap_fixed`."""
