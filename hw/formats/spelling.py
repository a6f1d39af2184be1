"""Floor 0: how minifloats are spelt: the parts of a name, and the name of given parts.

``[u]eXmY[bBIAS][KIND][daz][uz]``: ``u`` unsigned; KIND is empty (IEEE), ``fn``, ``finite``,
``fnuz`` or ``ext``; ``daz``: no subnormals; ``uz``: no −0 in a kind that usually has one. Shorter
names come first where they mean the same: ``fp16``, ``sm4``, ``binary8p4se``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hw.formats.base import Specials

if TYPE_CHECKING:
    from hw.formats.minifloat import MinifloatFormat

OCP_FINITE = ((2, 1), (2, 3), (3, 2))
"""Splits whose signed `fn` name means "every code is a number" (OCP MX v1.0)."""

KINDS = {
    "": Specials.IEEE,
    "fn": Specials.FN,
    "finite": Specials.FINITE,
    "fnuz": Specials.FNUZ,
    "ext": Specials.EXTENDED,
}
_SUFFIXES = {kind: suffix for suffix, kind in KINDS.items()}
_COMMON_NAMES = {
    (5, 10, 15): "fp16",
    (8, 7, 127): "bfloat16",
    (8, 10, 127): "tf32",
    (8, 23, 127): "fp32",
}


def default_bias(exponent_bits: int, specials: Specials) -> int:
    """Return ``2**(E-1) - 1``, one more for `fnuz` and P3109's kind, and 0 for E = 0."""
    if exponent_bits == 0:
        return 0
    one_more = specials in (Specials.FNUZ, Specials.EXTENDED)
    return (1 << (exponent_bits - 1)) - (not one_more)


def usual_negative_zero(specials: Specials, signed: bool) -> bool:
    """Return whether formats of a kind have −0 unless told otherwise."""
    return signed and specials not in (Specials.FNUZ, Specials.EXTENDED)


def name_of(parts: MinifloatFormat) -> str:
    """Return the canonical name."""
    return _short_name(parts) or _full_name(parts)


def _short_name(parts: MinifloatFormat) -> str | None:
    usual = usual_negative_zero(parts.specials, parts.signed)
    if not parts.subnormals or parts.negative_zero != usual:
        return None
    if parts.specials is Specials.IEEE and parts.signed:
        return _COMMON_NAMES.get((parts.exponent_bits, parts.fraction_bits, parts.bias))
    if parts.exponent_bits == 0:
        whole = parts.bias == 1 - parts.fraction_bits and parts.specials is Specials.FINITE
        return f"sm{parts.fraction_bits + 1}" if whole else None
    return _p3109_name(parts)


def _p3109_name(parts: MinifloatFormat) -> str | None:
    """Return ``binary{K}p{P}{s|u}{e|f}`` where no older name says the same (``sf`` is fnuz)."""
    width = parts.exponent_bits + parts.fraction_bits + parts.signed
    if width < 3 or parts.bias != 1 << (parts.exponent_bits - 1):
        return None
    if parts.specials is Specials.EXTENDED:
        return f"binary{width}p{parts.fraction_bits + 1}{'s' if parts.signed else 'u'}e"
    if parts.specials is Specials.FN and not parts.signed:
        return f"binary{width}p{parts.fraction_bits + 1}uf"
    return None


def _full_name(parts: MinifloatFormat) -> str:
    split = parts.exponent_bits, parts.fraction_bits
    text = f"{'' if parts.signed else 'u'}e{split[0]}m{split[1]}"
    if parts.bias != default_bias(parts.exponent_bits, parts.specials):
        text += f"b{parts.bias}"
    has_usual = parts.negative_zero == usual_negative_zero(parts.specials, parts.signed)
    ocp = parts.specials is Specials.FINITE and parts.signed and split in OCP_FINITE
    text += "fn" if ocp and has_usual else _SUFFIXES[parts.specials]
    text += "" if parts.subnormals else "daz"
    return text if has_usual else text + "uz"
