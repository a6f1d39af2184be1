"""Floor 0: number formats as immutable values. Standard library only.

>>> from hw.formats import parse
>>> parse("e4m3fn").maximum
Fraction(448, 1)
>>> str(parse("fixed_8_4"))
'fixed<8,4>'
"""

from hw.formats.apot import ApotFormat
from hw.formats.base import (
    Format,
    Overflow,
    Rounding,
    RoundingMode,
    Special,
    Specials,
    Stochastic,
    Value,
    number_text,
    round_to_integer,
)
from hw.formats.bitmod import bitmod_codebooks
from hw.formats.catalogue import CATALOGUE
from hw.formats.codebook import CodebookFormat
from hw.formats.fixed import FixedFormat
from hw.formats.floatsd import FloatSdFormat
from hw.formats.grammar import parse, parse_element
from hw.formats.integers import BipolarFormat, SymmetricFormat
from hw.formats.khot import KHotFormat
from hw.formats.lns import LogFormat
from hw.formats.minifloat import MinifloatFormat, split_bias
from hw.formats.modes import overflow_mode, rounding_mode
from hw.formats.posit import PositFormat
from hw.formats.power import PowerFormat
from hw.formats.radix import Radix4Format
from hw.formats.squeezed import SqueezedFormat
from hw.formats.table import TableFormat

__all__ = [
    "CATALOGUE",
    "ApotFormat",
    "BipolarFormat",
    "CodebookFormat",
    "FixedFormat",
    "FloatSdFormat",
    "Format",
    "KHotFormat",
    "LogFormat",
    "MinifloatFormat",
    "Overflow",
    "PositFormat",
    "PowerFormat",
    "Radix4Format",
    "Rounding",
    "RoundingMode",
    "Special",
    "Specials",
    "SqueezedFormat",
    "Stochastic",
    "SymmetricFormat",
    "TableFormat",
    "Value",
    "bitmod_codebooks",
    "number_text",
    "overflow_mode",
    "parse",
    "parse_element",
    "round_to_integer",
    "rounding_mode",
    "split_bias",
]
