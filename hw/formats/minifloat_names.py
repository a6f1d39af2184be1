"""Floor 0: the rules that read names of minifloats, the counterpart of `hw.formats.spelling`."""

from __future__ import annotations

import re

from hw.formats.base import MAXIMUM_TABLE_BITS, Specials
from hw.formats.minifloat import MinifloatFormat
from hw.formats.rules import Rule, whole
from hw.formats.spelling import KINDS, default_bias

PATTERN = re.compile(
    r"(?P<unsigned>u?)e(?P<exponent>\d{1,3})m(?P<fraction>\d{1,3})"
    r"(?:b(?P<bias>[-n]?\d{1,6}))?(?P<kind>fnuz|fn|finite|ext)?(?P<daz>daz)?(?P<uz>uz)?"
)
SIGN_MAGNITUDE_PATTERN = re.compile(r"sm(?P<width>\d{1,3})")
P3109_PATTERN = re.compile(
    r"binary(?P<width>\d{1,2})p(?P<precision>\d{1,2})(?P<sign>[su])?(?P<domain>[ef])?"
)


def _minifloat(match: re.Match[str]) -> MinifloatFormat:
    exponent_bits, kind = int(match["exponent"]), KINDS[match["kind"] or ""]
    return MinifloatFormat(
        exponent_bits,
        int(match["fraction"]),
        kind,
        whole(match["bias"]) if match["bias"] else default_bias(exponent_bits, kind),
        signed=not match["unsigned"],
        subnormals=not match["daz"],
        negative_zero=not match["uz"],
    )


def _sign_magnitude(match: re.Match[str]) -> MinifloatFormat:
    width = int(match["width"])
    if not 2 <= width <= MAXIMUM_TABLE_BITS:
        raise ValueError(f"a sign-magnitude width lies in 2..{MAXIMUM_TABLE_BITS}, not {width}")
    return MinifloatFormat(0, width - 1, bias=2 - width)


def _p3109(match: re.Match[str]) -> MinifloatFormat:
    """Return a format of IEEE P3109; without letters its older drafts' (signed, extended)."""
    width, precision = int(match["width"]), int(match["precision"])
    signed, extended = match["sign"] != "u", match["domain"] != "f"
    most = width - signed
    if not 3 <= width <= MAXIMUM_TABLE_BITS:
        raise ValueError(f"P3109 formats have 3..{MAXIMUM_TABLE_BITS} bits, not {width}")
    if not 1 <= precision <= most:
        raise ValueError(f"the precision lies in 1..{most}, not {precision}")
    exponent_bits = most - precision + 1
    finite = Specials.FNUZ if signed else Specials.FN
    kind = Specials.EXTENDED if extended else finite
    bias = 1 << (exponent_bits - 1)
    return MinifloatFormat(exponent_bits, precision - 1, kind, bias, signed=signed)


RULES = (
    Rule(PATTERN, _minifloat),
    Rule(SIGN_MAGNITUDE_PATTERN, _sign_magnitude),
    Rule(P3109_PATTERN, _p3109),
)
ALIASES = {
    "fp16": "e5m10",
    "float16": "e5m10",
    "half": "e5m10",
    "binary16": "e5m10",
    "binary32": "e8m23",
    "bfloat16": "e8m7",
    "bf16": "e8m7",
    "tf32": "e8m10",
    "fp32": "e8m23",
    "float32": "e8m23",
    "e8m0": "e8m0fnu",
    "ue8m0": "e8m0fnu",
}
