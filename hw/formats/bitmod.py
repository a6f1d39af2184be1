"""Floor 0: the datatypes of BitMoD: FP3 and FP4 in which the code of −0 carries a special value.

The basic sets are minifloats: FP3 ``0, ±1, ±2, ±4`` is ``e2m0finite``, FP4
``0, ±0.5, ±1, ±1.5, ±2, ±3, ±4, ±6`` is ``e2m1fn``. Extra resolution (ER) adds ±3 or ±5 between
two levels, extra asymmetry (EA) adds ±6 or ±8 beyond the last.

Source: BitMoD, HPCA 2025, arXiv 2411.11745. The authors' program keeps the 4-bit tables times
two; these are the values of the paper.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache

from hw.formats.codebook import CodebookFormat
from hw.formats.rules import Rule

SOURCE = "BitMoD, HPCA 2025, arXiv 2411.11745"
VARIANTS = ("er_pos", "er_neg", "ea_pos", "ea_neg")
"""Order in which the authors' search tries them; the place is the id of a group's codebook."""

_MAGNITUDES = {3: (0, 1, 2, 4), 4: (0, Fraction(1, 2), 1, Fraction(3, 2), 2, 3, 4, 6)}
_SPECIAL_VALUES = {3: (3, -3, 6, -6), 4: (5, -5, 8, -8)}


@cache
def bitmod_codebooks(bits: int) -> tuple[CodebookFormat, ...]:
    """Return the four codebooks of 3 or 4 bits, in the order of `VARIANTS`.

    Codes are sign and magnitude: the sign is the most significant bit, the magnitude ascends with
    the rest, and sign 1 with magnitude 0 is the special value.

    Raises
    ------
    ValueError
        If the width is neither 3 nor 4.

    """
    if bits not in _MAGNITUDES:
        raise ValueError(f"BitMoD has codebooks of 3 and 4 bits, not {bits}")
    return tuple(
        _codebook(f"fp{bits}_{variant}", _MAGNITUDES[bits], special)
        for variant, special in zip(VARIANTS, _SPECIAL_VALUES[bits], strict=True)
    )


def _codebook(name: str, magnitudes: tuple[Fraction | int, ...], special: int) -> CodebookFormat:
    entries = [*magnitudes, special, *(-magnitude for magnitude in magnitudes[1:])]
    return CodebookFormat(name, tuple(map(Fraction, entries)), known=True)


def _named(match: re.Match[str]) -> CodebookFormat:
    return bitmod_codebooks(int(match["bits"]))[VARIANTS.index(match["variant"])]


RULES = (Rule(re.compile(rf"fp(?P<bits>[34])_(?P<variant>{'|'.join(VARIANTS)})"), _named),)
ALIASES = {"fp3_basic": "e2m0finite", "fp4_basic": "e2m1fn"}
