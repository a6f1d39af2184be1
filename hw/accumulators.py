"""Floor 1a: accumulators as values, and the grammar of their names."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from hw.formats import FixedFormat, MinifloatFormat, Overflow, parse_element

DEFAULT_TERMS = 256
DEFAULT_WINDOW_BITS = 24
MAXIMUM_ACCUMULATOR_BITS = 80
MAXIMUM_FLOAT_BITS = 32
MAXIMUM_TERMS = 1 << 24
MAXIMUM_BIN_BITS = 5
GRAMMAR = (
    "exact[:TERMS], wrap:BITS, saturate:BITS[:once[:TERMS]], window:BITS[:TERMS], "
    "binned:BITS[:TERMS], float:FORMAT[:step|sequential|once[:TERMS]], a minifloat or a "
    "fixed-point format"
)


class AccumulatorKind(enum.Enum):
    """How a sum that keeps growing is stored."""

    EXACT = "exact"
    WRAP = "wrap"
    SATURATE = "saturate"
    WINDOW = "window"
    FLOATING = "float"
    BINNED = "binned"


class AccumulatorMode(enum.Enum):
    """When a sum is fitted to its accumulator.

    STEP: once per step, accumulator plus all products of the step. SEQUENTIAL: after each product,
    lane 0 first. ONCE: the sum is kept exactly, and fitted where it is shown.
    """

    STEP = "step"
    SEQUENTIAL = "sequential"
    ONCE = "once"


@dataclass(frozen=True, slots=True)
class Accumulator:
    """One accumulator of the grammar (`GRAMMAR`).

    Parameters
    ----------
    kind
        EXACT: wide enough for `terms` products of any operands. WRAP and SATURATE: `bits` wide,
        applied once per step to the accumulator plus the whole tree. WINDOW: products are aligned
        to the largest product exponent seen in the sum and cut below `bits` bits; wide enough for
        `terms` such products. BINNED: the sum of EXACT, kept as a sum for each group of 2**bits
        product exponents, wide enough for `terms` products (`hw.design.binned`). FLOATING: a
        value of `format`, rounded to nearest even.
    bits
        Width for WRAP, SATURATE and FLOATING, bits of an aligned product for WINDOW, low bits of
        an exponent that a bin does not tell for BINNED, 0 for EXACT.
    terms
        Products per sum for EXACT, WINDOW, BINNED and the mode ONCE, 0 otherwise.
    mode
        FLOATING has all three; SATURATE has STEP and ONCE; all others are STEP. (A sum that
        wraps is the same in all modes.)
    format
        The minifloat of FLOATING, None otherwise: signed, with subnormals, E and M at least 1, at
        most 32 bits.

    Notes
    -----
    A floating accumulator holds one code, +0 at the start of a sum. Products are exact, and R
    rounds to the nearest value of the format, ties to even, with an unbounded exponent; beyond
    the largest finite value that becomes an infinity where the format has infinities, else the
    largest finite value. With the products ``p[0] … p[L-1]`` of a step

    - step: ``a = R(a + p[0] + … + p[L-1])``, the sum being exact;
    - sequential: ``a = R(a + p[i])`` for i = 0 … L-1;
    - once: an exact register as that of EXACT for `terms` products, which wraps beyond them and
      raises ``overflow``; what is shown is R of it, after every step.

    Zeros are those of IEEE 754: a sum that is exactly zero is +0 unless every addend is −0, a
    product of a zero has the exclusive or of the operands' signs (an integer zero is +0), and a
    negative sum that rounds to zero is −0 where the format has it. NaN and infinities: see
    `sim.golden.floating`; the result carries them, so that there are no sticky flags for them.

    """

    kind: AccumulatorKind
    bits: int = 0
    terms: int = 0
    mode: AccumulatorMode = AccumulatorMode.STEP
    format: MinifloatFormat | None = None

    def __post_init__(self) -> None:
        """Reject widths, counts, modes and formats out of range."""
        _check_mode(self.kind, self.mode)
        if self.kind is AccumulatorKind.FLOATING:
            object.__setattr__(self, "bits", _checked_format(self.format).bits)
        elif self.format is not None:
            raise ValueError(f"accumulator {self.kind.value} has no format, not {self.format}")
        elif self.kind is AccumulatorKind.BINNED:
            if not 0 <= self.bits <= MAXIMUM_BIN_BITS:
                raise ValueError(
                    f"accumulator binned has 0..{MAXIMUM_BIN_BITS} bits of an exponent in a bin, "
                    f"not {self.bits}"
                )
        elif (
            self.kind is not AccumulatorKind.EXACT
            and not 2 <= self.bits <= MAXIMUM_ACCUMULATOR_BITS
        ):
            raise ValueError(
                f"accumulator {self.kind.value} has 2..{MAXIMUM_ACCUMULATOR_BITS} bits, "
                f"not {self.bits}"
            )
        if self.counts_terms and not 1 <= self.terms <= MAXIMUM_TERMS:
            raise ValueError(f"accumulator terms lie in 1..{MAXIMUM_TERMS}, not {self.terms}")

    @classmethod
    def exact(cls, terms: int = DEFAULT_TERMS) -> Accumulator:
        """Return the accumulator that holds `terms` products exactly."""
        return cls(AccumulatorKind.EXACT, terms=terms)

    @classmethod
    def floating(
        cls,
        format: MinifloatFormat,
        mode: AccumulatorMode = AccumulatorMode.STEP,
        terms: int = DEFAULT_TERMS,
    ) -> Accumulator:
        """Return the accumulator in a minifloat; only the mode ONCE looks at `terms`."""
        kept = terms if mode is AccumulatorMode.ONCE else 0
        return cls(AccumulatorKind.FLOATING, terms=kept, mode=mode, format=format)

    @property
    def is_once(self) -> bool:
        """Whether the sum is kept exactly and fitted where it is shown."""
        return self.mode is AccumulatorMode.ONCE

    @property
    def counts_terms(self) -> bool:
        """Whether the accumulator is sized for a number of products."""
        return self.is_once or self.kind in (
            AccumulatorKind.EXACT,
            AccumulatorKind.WINDOW,
            AccumulatorKind.BINNED,
        )

    @property
    def growth_bits(self) -> int:
        """Return ``ceil(log2 terms)``, 0 without a number of terms."""
        return max(self.terms - 1, 0).bit_length()

    @property
    def overflow(self) -> Overflow:
        """FLOATING only: what happens to a rounded sum beyond the largest finite value."""
        assert self.format is not None
        return Overflow.TO_INFINITY if self.format.has_infinity else Overflow.SATURATE

    @property
    def name(self) -> str:
        """Name in the grammar."""
        once = f":once:{self.terms}" if self.is_once else ""
        match self.kind:
            case AccumulatorKind.EXACT:
                return f"exact:{self.terms}"
            case AccumulatorKind.WINDOW | AccumulatorKind.BINNED:
                return f"{self.kind.value}:{self.bits}:{self.terms}"
            case AccumulatorKind.FLOATING:
                return f"float:{self.format}{once or f':{self.mode.value}'}"
        return f"{self.kind.value}:{self.bits}{once}"

    @property
    def slug(self) -> str:
        """Name without punctuation, for modules and files."""
        once = f"once{self.terms}" if self.is_once else ""
        match self.kind:
            case AccumulatorKind.EXACT:
                return f"exact{self.terms}"
            case AccumulatorKind.WINDOW | AccumulatorKind.BINNED:
                return f"{self.kind.value}{self.bits}x{self.terms}"
            case AccumulatorKind.FLOATING:
                assert self.format is not None
                return f"{self.format.slug}{once or self.mode.value}"
        return f"{self.kind.value}{self.bits}{once}"

    def __str__(self) -> str:
        return self.name


def _check_mode(kind: AccumulatorKind, mode: AccumulatorMode) -> None:
    modes = {
        AccumulatorKind.FLOATING: tuple(AccumulatorMode),
        AccumulatorKind.SATURATE: (AccumulatorMode.STEP, AccumulatorMode.ONCE),
    }.get(kind, (AccumulatorMode.STEP,))
    if mode not in modes:
        names = " or ".join(known.value for known in modes)
        raise ValueError(f"accumulator {kind.value} has the mode {names}, not {mode.value}")


def _checked_format(format: MinifloatFormat | None) -> MinifloatFormat:
    if not isinstance(format, MinifloatFormat):
        raise ValueError(f"a floating accumulator has a minifloat, not {format}")
    if not format.signed or not format.subnormals:
        raise ValueError(f"a floating accumulator is signed and has subnormals, {format} is not so")
    if not format.exponent_bits or not format.fraction_bits:
        raise ValueError(f"a floating accumulator has E >= 1 and M >= 1, not {format}")
    if format.bits > MAXIMUM_FLOAT_BITS:
        raise ValueError(
            f"a floating accumulator has at most {MAXIMUM_FLOAT_BITS} bits, "
            f"{format} has {format.bits}"
        )
    return format


_EXACT = re.compile(r"exact(?::(\d{1,9}))?")
_SIZED = re.compile(r"(wrap|saturate):(\d{1,4})(?::(step|once)(?::(\d{1,9}))?)?")
_ALIGNED = re.compile(r"(window|binned):(\d{1,4})(?::(\d{1,9}))?")
_FLOATING = re.compile(r"float:([^:]+)(?::(step|sequential|once)(?::(\d{1,9}))?)?")


def parse_accumulator(text: str) -> Accumulator | FixedFormat:
    """Return the accumulator a name stands for.

    A minifloat stands for the floating accumulator that rounds once per step. A fixed-point format
    is returned as it is: whether its step fits the products is known to the design (`hw.design`),
    where it becomes a saturating accumulator of that width.

    Raises
    ------
    ValueError
        If the name is not in the grammar, or stands for an accumulator that cannot be.

    """
    plain = text.strip().lower()
    if match := _EXACT.fullmatch(plain):
        return Accumulator.exact(_terms(match[1]))
    if match := _SIZED.fullmatch(plain):
        return _sized(match[1], int(match[2]), *_mode(text, match[3], match[4]))
    if match := _ALIGNED.fullmatch(plain):
        return Accumulator(AccumulatorKind(match[1]), bits=int(match[2]), terms=_terms(match[3]))
    if match := _FLOATING.fullmatch(plain):
        format = parse_element(match[1])
        if not isinstance(format, MinifloatFormat):
            raise ValueError(f"a floating accumulator has a minifloat, not {format}")
        return Accumulator.floating(format, *_mode(text, match[2], match[3]))
    return _format(text, plain)


def _terms(digits: str | None) -> int:
    return int(digits) if digits else DEFAULT_TERMS


def _mode(text: str, word: str | None, terms: str | None) -> tuple[AccumulatorMode, int]:
    mode = AccumulatorMode(word or "step")
    if terms and mode is not AccumulatorMode.ONCE:
        raise ValueError(f"only the accumulator mode once counts terms, not {text!r}")
    return mode, _terms(terms)


def _sized(kind: str, bits: int, mode: AccumulatorMode, terms: int) -> Accumulator:
    if kind == AccumulatorKind.WRAP.value or mode is AccumulatorMode.STEP:
        return Accumulator(AccumulatorKind(kind), bits=bits)
    return Accumulator(AccumulatorKind.SATURATE, bits=bits, terms=terms, mode=mode)


def _format(text: str, plain: str) -> Accumulator | FixedFormat:
    try:
        format = parse_element(plain)
    except ValueError:
        raise ValueError(f"accumulator is {GRAMMAR}, not {text!r}") from None
    if isinstance(format, MinifloatFormat):
        return Accumulator.floating(format)
    if not isinstance(format, FixedFormat) or not format.signed:
        raise ValueError(
            f"an accumulator format is a minifloat or signed fixed point (the sum of products has "
            f"a fixed step), not {format}"
        )
    return format
