"""Floor 0: number formats as immutable values. Standard library only.

>>> from hw.formats import parse
>>> parse("e4m3fn").maximum
Fraction(448, 1)
>>> str(parse("fixed_8_4"))
'fixed<8,4>'
"""

from hw.formats.base import (
    Format,
    Overflow,
    Rounding,
    Special,
    Specials,
    Value,
    number_text,
    round_to_integer,
)
from hw.formats.catalogue import CATALOGUE
from hw.formats.fixed import FixedFormat
from hw.formats.grammar import parse
from hw.formats.minifloat import MinifloatFormat

__all__ = [
    "CATALOGUE",
    "FixedFormat",
    "Format",
    "MinifloatFormat",
    "Overflow",
    "Rounding",
    "Special",
    "Specials",
    "Value",
    "number_text",
    "parse",
    "round_to_integer",
]
