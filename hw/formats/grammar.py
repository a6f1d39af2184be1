"""Floor 0: the grammar of format names, ``parse(str(format)) == format``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable

from hw.formats.base import Format, Specials
from hw.formats.catalogue import CATALOGUE
from hw.formats.fixed import FixedFormat
from hw.formats.minifloat import MinifloatFormat

_ALIASES = {
    "fp16": "e5m10",
    "float16": "e5m10",
    "half": "e5m10",
    "bfloat16": "e8m7",
    "bf16": "e8m7",
    "tf32": "e8m10",
    "fp32": "e8m23",
    "float32": "e8m23",
}
GRAMMAR = (
    "int8 uint4 · fixed<W,I> ufixed<W,I> (on the command line also fixed_W_I) · "
    "eXmY (IEEE) eXmYfn eXmYfinite eXmYfnuz, with bB after Y for another bias · "
    "fp16 bfloat16 tf32 fp32"
)


def _integer(match: re.Match[str]) -> Format:
    width = int(match["width"])
    return FixedFormat(width, width, is_signed=not match["unsigned"])


def _fixed(match: re.Match[str]) -> Format:
    integer_bits = int(match["integer"].replace("n", "-"))
    return FixedFormat(int(match["width"]), integer_bits, is_signed=not match["unsigned"])


def _minifloat(match: re.Match[str]) -> Format:
    exponent_bits, fraction_bits = int(match["exponent"]), int(match["fraction"])
    specials = Specials(match["specials"] or "ieee")
    bias = int(match["bias"].replace("n", "-")) if match["bias"] else None
    if bias is None:
        return MinifloatFormat(exponent_bits, fraction_bits, specials)
    return MinifloatFormat(exponent_bits, fraction_bits, specials, bias)


_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Format]], ...] = (
    (re.compile(r"(?P<unsigned>u?)int(?P<width>\d{1,4})"), _integer),
    (
        re.compile(r"(?P<unsigned>u?)fixed[<_](?P<width>\d{1,4})[,_](?P<integer>[-n]?\d{1,5})>?"),
        _fixed,
    ),
    (
        re.compile(
            r"e(?P<exponent>\d{1,3})m(?P<fraction>\d{1,3})"
            r"(?:b(?P<bias>[-n]?\d{1,5}))?(?P<specials>fnuz|fn|finite)?"
        ),
        _minifloat,
    ),
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
    for pattern, build in _RULES:
        match = pattern.fullmatch(plain)
        if match:
            try:
                return build(match)
            except ValueError as error:
                raise ValueError(f"format {text!r}: {error}") from None
    near = difflib.get_close_matches(plain, [*CATALOGUE, *_ALIASES], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"unknown format {text!r}{hint} (names: {GRAMMAR})")
