"""Floor 0: the grammar of format names, ``parse(str(format)) == format``.

Each family of formats states its own names in its `RULES`.
"""

from __future__ import annotations

import difflib

from hw.formats import bitmod, codebook, fixed, minifloat
from hw.formats.base import Format
from hw.formats.catalogue import CATALOGUE
from hw.formats.rules import Rule

GRAMMAR = (
    "int8 uint4 · fixed<W,I> ufixed<W,I> (on the command line also fixed_W_I) · "
    "eXmY (IEEE) eXmYfn eXmYfinite eXmYfnuz, with bB after Y for another bias · "
    "fp16 bfloat16 tf32 fp32 · fp3_er_pos fp4_ea_neg … (BitMoD) · codebook<-1,-0.5,0,0.5,1>"
)
_ALIASES: dict[str, str] = {**minifloat.ALIASES, **bitmod.ALIASES}
_RULES: tuple[Rule[Format], ...] = (
    *fixed.RULES,
    *minifloat.RULES,
    *bitmod.RULES,
    *codebook.RULES,
)


def parse(text: str) -> Format:
    """Return the format a name stands for.

    Raises
    ------
    ValueError
        If the name is not in the grammar (the message suggests the nearest known name) or
        describes an impossible format.

    """
    plain = text.strip().lower().replace(" ", "")
    plain = _ALIASES.get(plain, plain)
    for rule in _RULES:
        match = rule.pattern.fullmatch(plain)
        if match:
            try:
                return rule.build(match)
            except ValueError as error:
                raise ValueError(f"format {text!r}: {error}") from None
    near = difflib.get_close_matches(plain, [*CATALOGUE, *_ALIASES], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"unknown format {text!r}{hint} (names: {GRAMMAR})")


def parse_element(text: str) -> Format:
    """Return the format of single codes a name stands for; block formats are refused.

    Raises
    ------
    ValueError
        As `parse`, and for a block format.

    """
    return parse(text)
