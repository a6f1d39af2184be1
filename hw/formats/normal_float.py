"""Floor 0: NF4, the 4-bit table of QLoRA: quantiles of a normal distribution, scaled to ±1.

The sixteen values are float32 constants, so they are dyadic; they are written here as the
shortest float64 text of each. Scale (absolute maximum per block) lies outside.

Source: Dettmers et al., QLoRA, arXiv 2305.14314, appendix E, and the constants of bitsandbytes.
"""

from __future__ import annotations

import re
from fractions import Fraction

from hw.formats.codebook import CodebookFormat
from hw.formats.rules import Rule

SOURCE = "QLoRA, arXiv 2305.14314"
_NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)


def _nf4(match: re.Match[str]) -> CodebookFormat:
    return CodebookFormat("nf4", tuple(map(Fraction, _NF4)), known=True)


RULES = (Rule(re.compile("nf4"), _nf4),)
