"""Floor 0: the modes of IEEE P3109 (interim report 4.0, an unapproved draft), by name.

Its formats ``binary{K}p{P}{s|u}{e|f}`` (K bits, P of them precision with the hidden bit, signed or
unsigned, extended by infinities or finite) are minifloats, see `hw.formats.minifloat_names`:

==  ======================  ====================================================================
se  `Specials.EXTENDED`     NaN at 10…0, ±infinity at S.1…1
sf  `Specials.FNUZ`         NaN at 10…0: ``binary8p4sf`` is ``e4m3fnuz``, whose name it prints
ue  `Specials.EXTENDED`     unsigned: NaN at 1…1, infinity one below
uf  `Specials.FN`           unsigned: NaN at 1…1
==  ======================  ====================================================================

The bias is ``2^(E-1)``, E = K - P (signed) or K - P + 1 (unsigned). No format has −0. Names without
the two letters are those of older drafts and mean ``se``. Stochastic modes: `Stochastic`.
"""

from __future__ import annotations

from hw.formats.base import Overflow, Rounding
from hw.formats.minifloat import MinifloatFormat

ROUNDING: dict[str, Rounding] = {
    "NearestTiesToEven": Rounding.TIES_TO_EVEN,
    "NearestTiesToAway": Rounding.TIES_TO_AWAY,
    "TowardPositive": Rounding.TOWARD_POSITIVE,
    "TowardNegative": Rounding.TOWARD_NEGATIVE,
    "TowardZero": Rounding.TOWARD_ZERO,
    "ToOdd": Rounding.TO_ODD,
}
SATURATION = ("SatFinite", "SatPropagate", "SatNone")


def saturation(name: str, format: MinifloatFormat) -> Overflow:
    """Return the overflow mode that does what a saturation mode of P3109 does in a format.

    SatFinite is SATURATE and SatPropagate SATURATE_PROPAGATE. SatNone is TO_INFINITY, but in signed
    formats without infinities (sf), where it saturates while TO_INFINITY gives NaN, as in
    ml_dtypes.

    Raises
    ------
    ValueError
        For another name.

    """
    match name.strip().lower():
        case "satfinite":
            return Overflow.SATURATE
        case "satpropagate":
            return Overflow.SATURATE_PROPAGATE
        case "satnone":
            saturates = format.signed and not format.has_infinity
            return Overflow.SATURATE if saturates else Overflow.TO_INFINITY
    raise ValueError(f"a saturation mode is one of {', '.join(SATURATION)}, not {name!r}")
