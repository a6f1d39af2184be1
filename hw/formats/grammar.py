"""Floor 0: the grammar of format names, ``parse(str(format)) == format``.

Each family of formats states its own names in its `RULES`.
"""

from __future__ import annotations

import difflib

from hw.formats import (
    apot,
    bitmod,
    block_names,
    codebook,
    exponent,
    fixed,
    floatsd,
    integers,
    khot,
    lns,
    minifloat_names,
    mixture,
    normal_float,
    posit,
    power,
    radix,
    squeezed,
)
from hw.formats.base import Format
from hw.formats.block import BlockFormat
from hw.formats.catalogue import CATALOGUE
from hw.formats.mixture import MixtureFormat
from hw.formats.rules import Rule

AnyFormat = Format | BlockFormat | MixtureFormat

GRAMMAR = (
    "int8 uint4 · int8s (symmetric) sm8 (sign-magnitude) bipolar3 ternary binary · "
    "fixed<W,I> ufixed<W,I> fixed<W,I>s (on the command line also fixed_W_I) · "
    "eXmY (IEEE) eXmYfn eXmYfinite eXmYfnuz eXmYext, with u in front for unsigned, bB after Y for "
    "another bias, daz behind for no subnormals, uz for no -0 · "
    "binary{K}p{P}{s|u}{e|f} (P3109) · fp16 bfloat16 tf32 fp32 e8m0 · radix4e3 · "
    "fp3_er_pos fp4_ea_neg … (BitMoD) · codebook<-1,-0.5,0,0.5,1> nf4 · "
    "posit<n,es> lns<w,f> khot<W,I,K> csd<W,I,K> pot<B> apot<B> power<B,p> floatsd8 s2fp8<A,B> · "
    "mxfp4 nvfp4 bfp<m,block> dfp16 bitmod4 block<element,size,scale,rule> …"
)
_ALIASES: dict[str, str] = {
    **minifloat_names.ALIASES,
    **integers.ALIASES,
    **radix.ALIASES,
    **bitmod.ALIASES,
    **block_names.ALIASES,
}
_ELEMENT_RULES: tuple[Rule[Format], ...] = (
    *fixed.RULES,
    *integers.RULES,
    *exponent.RULES,
    *minifloat_names.RULES,
    *radix.RULES,
    *bitmod.RULES,
    *codebook.RULES,
    *normal_float.RULES,
    *khot.RULES,
    *apot.RULES,
    *power.RULES,
    *floatsd.RULES,
    *posit.RULES,
    *lns.RULES,
    *squeezed.RULES,
)


def parse(text: str) -> AnyFormat:
    """Return the format a name stands for: one of single codes, or one of blocks.

    Raises
    ------
    ValueError
        If the name is not in the grammar (the message suggests the nearest known name) or
        describes an impossible format.

    """
    plain = text.strip().lower().replace(" ", "")
    plain = _ALIASES.get(plain, plain)
    for rule in (*_ELEMENT_RULES, *_BLOCK_RULES):
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
    format = parse(text)
    if not isinstance(format, Format):
        raise ValueError(f"{text!r} is a format of blocks; a format of single codes is needed here")
    return format


_BLOCK_RULES: tuple[Rule[AnyFormat], ...] = (
    *block_names.rules(parse_element),
    *mixture.rules(parse_element),
)
