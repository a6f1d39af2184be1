"""Floor 1a: accumulators as values, and the grammar of their names."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from hw.formats import FixedFormat, parse_element

DEFAULT_TERMS = 256
DEFAULT_WINDOW_BITS = 24
MAXIMUM_ACCUMULATOR_BITS = 80
MAXIMUM_TERMS = 1 << 24


class AccumulatorKind(enum.Enum):
    """How a sum that keeps growing is stored."""

    EXACT = "exact"
    WRAP = "wrap"
    SATURATE = "saturate"
    WINDOW = "window"


@dataclass(frozen=True, slots=True)
class Accumulator:
    """One accumulator of the grammar ``exact[:TERMS] wrap:BITS saturate:BITS window:BITS[:TERMS]``.

    Parameters
    ----------
    kind
        EXACT: wide enough for `terms` products of any operands. WRAP and SATURATE: `bits` wide,
        applied once per step to the accumulator plus the whole tree. WINDOW: products are aligned
        to the largest product exponent seen in the sum and cut below `bits` bits; wide enough for
        `terms` such products.
    bits
        Width for WRAP and SATURATE, bits of an aligned product for WINDOW, 0 for EXACT.
    terms
        Products per sum for EXACT and WINDOW, 0 otherwise.

    """

    kind: AccumulatorKind
    bits: int = 0
    terms: int = 0

    def __post_init__(self) -> None:
        """Reject widths and counts out of range."""
        if (
            self.kind is not AccumulatorKind.EXACT
            and not 2 <= self.bits <= MAXIMUM_ACCUMULATOR_BITS
        ):
            raise ValueError(
                f"accumulator {self.kind.value} has 2..{MAXIMUM_ACCUMULATOR_BITS} bits, "
                f"not {self.bits}"
            )
        counts = self.kind in (AccumulatorKind.EXACT, AccumulatorKind.WINDOW)
        if counts and not 1 <= self.terms <= MAXIMUM_TERMS:
            raise ValueError(f"accumulator terms lie in 1..{MAXIMUM_TERMS}, not {self.terms}")

    @classmethod
    def exact(cls, terms: int = DEFAULT_TERMS) -> Accumulator:
        """Return the accumulator that holds `terms` products exactly."""
        return cls(AccumulatorKind.EXACT, terms=terms)

    @property
    def growth_bits(self) -> int:
        """Return ``ceil(log2 terms)``."""
        return (self.terms - 1).bit_length()

    @property
    def name(self) -> str:
        """Name in the grammar."""
        match self.kind:
            case AccumulatorKind.EXACT:
                return f"exact:{self.terms}"
            case AccumulatorKind.WINDOW:
                return f"window:{self.bits}:{self.terms}"
        return f"{self.kind.value}:{self.bits}"

    @property
    def slug(self) -> str:
        """Name without punctuation, for modules and files."""
        match self.kind:
            case AccumulatorKind.EXACT:
                return f"exact{self.terms}"
            case AccumulatorKind.WINDOW:
                return f"window{self.bits}x{self.terms}"
        return f"{self.kind.value}{self.bits}"

    def __str__(self) -> str:
        return self.name


_EXACT = re.compile(r"exact(?::(\d{1,9}))?")
_SIZED = re.compile(r"(wrap|saturate):(\d{1,4})")
_WINDOW = re.compile(r"window:(\d{1,4})(?::(\d{1,9}))?")


def parse_accumulator(text: str) -> Accumulator | FixedFormat:
    """Return the accumulator a name stands for.

    A fixed-point format is returned as it is: whether its step fits the products is known to
    the design (`hw.design`), where it becomes a saturating accumulator of that width.

    Raises
    ------
    ValueError
        If the name is neither in the grammar nor a fixed-point format.

    """
    plain = text.strip().lower()
    if match := _EXACT.fullmatch(plain):
        return Accumulator.exact(int(match[1]) if match[1] else DEFAULT_TERMS)
    if match := _SIZED.fullmatch(plain):
        return Accumulator(AccumulatorKind(match[1]), bits=int(match[2]))
    if match := _WINDOW.fullmatch(plain):
        terms = int(match[2]) if match[2] else DEFAULT_TERMS
        return Accumulator(AccumulatorKind.WINDOW, bits=int(match[1]), terms=terms)
    try:
        format = parse_element(plain)
    except ValueError:
        raise ValueError(
            f"accumulator is exact[:TERMS], wrap:BITS, saturate:BITS, window:BITS[:TERMS] or a "
            f"fixed-point format, not {text!r}"
        ) from None
    if not isinstance(format, FixedFormat) or not format.signed:
        raise ValueError(
            f"an accumulator format is signed fixed point (the sum of products has a fixed step), "
            f"not {format}"
        )
    return format
