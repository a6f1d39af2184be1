"""Floor 0: minifloats of any exponent/fraction split, with the field's kinds of specials."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from hw.formats import minifloat_encode
from hw.formats.base import (
    MAXIMUM_TABLE_BITS,
    Format,
    Number,
    Overflow,
    Rounding,
    RoundingMode,
    Special,
    Specials,
)
from hw.formats.spelling import OCP_FINITE, default_bias, name_of, usual_negative_zero

MAXIMUM_EXPONENT_BITS = 8
"""Of formats wider than 16 bits; narrower ones have as many as fit."""
MAXIMUM_FRACTION_BITS = 23


@dataclass(frozen=True, slots=True)
class MinifloatFormat(Format):
    """Sign, E exponent bits, M fraction bits (most significant first).

    A code with exponent field e and fraction m means ``±(m / 2^M) · 2^(1-bias)`` for e = 0
    (zero and the subnormals) and ``±(1 + m / 2^M) · 2^(e-bias)`` otherwise, unless it is a special.

    Parameters
    ----------
    exponent_bits
        E. With E = 0 every code reads as e = 0: sign-magnitude fixed point, ``±m · 2^(1-M-bias)``
        (at the default bias 0 the step and range of MXINT8 for M = 7).
    fraction_bits
        M, stored bits of the significand.
    specials
        Which codes are not numbers.
    bias
        Exponent bias; None means `hw.formats.spelling.default_bias`. For a real-valued bias see
        `split_bias`.
    signed
        Without a sign bit every value is 0 or more, and codes have E + M bits.
    subnormals
        False: every code with e = 0 means zero, whatever its fraction (denormals are zero), and
        encoding never yields a fraction with e = 0. QONNX and Brevitas do not define these codes.
        With M = 0 there are no subnormals, and the field is True.
    negative_zero
        False: negative values that round to zero encode as 0. The code 10…0 then means NaN in the
        kinds fnuz and extended, which have no −0 at all, and zero once more in the others.
        Unsigned formats have none.

    E = 0…16 and M = 0…23, at most 16 bits in all where E > 8. Where the significand has one bit
    (M = 0) a tie between normal numbers goes to the larger magnitude (IEEE 754-2019, 4.3.1), in
    fnuz, extended and unsigned formats to the even code (IEEE P3109).

    Sources: OCP OFP8 and MX v1.0; IEEE 754; ml_dtypes and P3109 for the `fnuz` kinds; P3109 for
    extended; arXiv 2311.12359 for the kind in which every code is a number.

    """

    exponent_bits: int
    fraction_bits: int
    specials: Specials = Specials.FINITE
    bias: int = None  # type: ignore[assignment]  # None is replaced at birth
    signed: bool = True
    subnormals: bool = True
    negative_zero: bool = True

    def __post_init__(self) -> None:
        """Reject impossible splits, fill in the default bias, settle equal spellings."""
        self._check_widths()
        if self.bias is None:
            object.__setattr__(self, "bias", default_bias(self.exponent_bits, self.specials))
        limit = max(1024, 1 << self.exponent_bits)
        if not -limit <= self.bias <= limit:
            raise ValueError(f"bias lies in -{limit}..{limit}, not {self.bias}")
        split = self.exponent_bits, self.fraction_bits
        if self.signed and self.specials is Specials.FN and split in OCP_FINITE:
            object.__setattr__(self, "specials", Specials.FINITE)
        self._check_kind()
        if self.exponent_bits and not self.fraction_bits:  # e = 0 is zero either way
            object.__setattr__(self, "subnormals", True)
        if not usual_negative_zero(self.specials, self.signed):
            object.__setattr__(self, "negative_zero", False)

    def _check_widths(self) -> None:
        for what, bits, most in (
            ("exponent_bits", self.exponent_bits, MAXIMUM_TABLE_BITS),
            ("fraction_bits", self.fraction_bits, MAXIMUM_FRACTION_BITS),
        ):
            if not 0 <= bits <= most:
                raise ValueError(f"{what} lies in 0..{most}, not {bits}")
        if self.exponent_bits > MAXIMUM_EXPONENT_BITS and self.bits > MAXIMUM_TABLE_BITS:
            raise ValueError(
                f"more than {MAXIMUM_EXPONENT_BITS} exponent bits need a code of at most "
                f"{MAXIMUM_TABLE_BITS} bits, {self._split} has {self.bits}"
            )
        if self.exponent_bits == 0 and not self.signed:
            raise ValueError(f"{self._split} is unsigned fixed point: use ufixed")

    def _check_kind(self) -> None:
        narrow = self.exponent_bits + self.fraction_bits
        match self.specials:
            case Specials.IEEE if self.exponent_bits < 2 or not self.fraction_bits:
                raise ValueError(
                    f"infinities and NaNs in the top exponent need E >= 2 and M >= 1, "
                    f"not {self._split}"
                )
            case Specials.FN if narrow < 2:
                raise ValueError(f"{self._split}fn has no number but 0: use {self._split}finite")
            case Specials.FN if self.signed and not self.negative_zero:
                raise ValueError("fn without -0 is fnuz")
            case Specials.FNUZ if not self.signed:
                raise ValueError("an unsigned format has no -0 for fnuz: use fn")
        if self.maximum_code < 1 or (not self.subnormals and self.maximum_field < 1):
            daz = "" if self.subnormals else " without subnormals"
            raise ValueError(f"{self._split} {self.specials.value}{daz} has no number but 0")

    @property
    def _split(self) -> str:
        return f"{'' if self.signed else 'u'}e{self.exponent_bits}m{self.fraction_bits}"

    @property
    def bits(self) -> int:
        """Width of a code: E + M, and 1 for the sign."""
        return self.signed + self.exponent_bits + self.fraction_bits

    @property
    def precision(self) -> int:
        """Bits of the significand, hidden bit included."""
        return self.fraction_bits + 1

    @property
    def emin(self) -> int:
        """Exponent of the smallest normal number, shared by the subnormals."""
        return 1 - self.bias

    @property
    def emax(self) -> int:
        """Exponent of the largest finite number."""
        return self.maximum_field - self.bias if self.maximum_field else self.emin

    @property
    def name(self) -> str:
        """Canonical name, see `hw.formats.spelling`."""
        return name_of(self)

    @property
    def lsb_exponent(self) -> int:
        """Exponent of the smallest subnormal."""
        return self.emin - self.fraction_bits

    @property
    def has_specials(self) -> bool:
        """Whether some codes are NaN or infinite."""
        return self.specials is not Specials.FINITE

    @property
    def has_infinity(self) -> bool:
        """Whether the format has infinities."""
        return self.specials in (Specials.IEEE, Specials.EXTENDED)

    @property
    def ties_by_code(self) -> bool:
        """Whether one-bit significands tie to the even code, not to the larger magnitude."""
        by_code = self.specials in (Specials.FNUZ, Specials.EXTENDED) or not self.signed
        return by_code and self.fraction_bits == 0

    @property
    def sign_bit(self) -> int:
        """Code of the sign alone, 0 in unsigned formats."""
        return 1 << (self.bits - 1) if self.signed else 0

    @property
    def top_field(self) -> int:
        """Largest exponent field, all ones."""
        return (1 << self.exponent_bits) - 1

    @property
    def top_code(self) -> int:
        """Code whose exponent and fraction fields are all ones and whose sign is 0."""
        return (1 << (self.exponent_bits + self.fraction_bits)) - 1

    @property
    def maximum_field(self) -> int:
        """Exponent field of the largest finite number."""
        return self.maximum_code >> self.fraction_bits

    @property
    def maximum_code(self) -> int:
        """Code of the largest finite number."""
        match self.specials:
            case Specials.FN:
                return self.top_code - 1
            case Specials.IEEE:
                return self.top_code - (1 << self.fraction_bits)
            case Specials.EXTENDED:
                return self.top_code - (1 if self.signed else 2)
        return self.top_code

    def fields(self, code: int) -> tuple[int, int, int]:
        """Return (sign, exponent field, fraction field) of a code; unsigned formats have sign 0."""
        self.check_code(code)
        fraction = code & ((1 << self.fraction_bits) - 1)
        return int(code > self.top_code), code >> self.fraction_bits & self.top_field, fraction

    def special(self, code: int) -> Special | None:
        """Return NaN or an infinity where the code is one, else None."""
        magnitude = self.check_code(code) & self.top_code
        if code and not magnitude:  # 10…0
            has_no_zeros = self.specials in (Specials.FNUZ, Specials.EXTENDED)
            return Special.NAN if has_no_zeros else None
        if magnitude <= self.maximum_code:
            return None
        if self.has_infinity and magnitude == self.maximum_code + 1:
            return Special.NEG_INF if code > self.top_code else Special.POS_INF
        return Special.NAN

    def integer(self, code: int) -> int:
        """Return the value in units of the smallest subnormal; specials give 0."""
        if self.special(code) is not None:
            return 0
        sign, field, fraction = self.fields(code)
        if field == 0:
            magnitude = fraction if self.subnormals else 0
        else:
            magnitude = (1 << self.fraction_bits | fraction) << (field - 1)
        return -magnitude if sign else magnitude

    @property
    def maximum_integer(self) -> int:
        """Largest finite value in units of the smallest subnormal."""
        return self.integer(self.maximum_code)

    @property
    def minimum_integer(self) -> int:
        """Negative of the largest value; 0 in unsigned formats."""
        return -self.maximum_integer if self.signed else 0

    def encode(
        self,
        value: Number | Special,
        rounding: RoundingMode = Rounding.TIES_TO_EVEN,
        overflow: Overflow = Overflow.SATURATE,
        random: int = 0,
    ) -> int:
        """Round once to the grid of the value's binade, then resolve overflow.

        Negative values that round to zero give the code of −0 where the format has one.

        SATURATE: beyond the largest number, infinities too, that number.
        SATURATE_PROPAGATE: the same, but infinities stay where the format has them.
        TO_INFINITY: infinity, or NaN in signed formats without it, or the largest number in
        unsigned ones; directed modes stop at the largest number (IEEE 754, 7.4), to_odd where its
        code is odd. What rounds below zero in an unsigned format is NaN, or 0 under toward_zero and
        toward_positive (P3109 SatNone).

        Raises
        ------
        ValueError
            For the other overflow modes, and where NaN or infinity is asked for and is no code.

        """
        return minifloat_encode.encode(self, value, rounding, overflow, random)


def split_bias(bias: float | Fraction) -> tuple[int, float]:
    """Split a real-valued exponent bias into an integer one and an outer scale.

    ``2^(e - bias) = scale · 2^(e - whole)``: a format with the integer bias `whole` under the scale
    means what the real bias says.

    Parameters
    ----------
    bias
        Any finite number, such as ``2^E - log2(maximum) + log2(2 - 2^-M) - 1`` (arXiv 2303.17951).

    Returns
    -------
    (whole, scale)
        ``whole = ceil(bias)`` and ``scale = 2^(whole - bias)`` as float64, 1 <= scale < 2; exactly
        1 for an integer bias.

    """
    if not math.isfinite(bias):
        raise ValueError(f"an exponent bias is a finite number, not {bias}")
    whole_bias = math.ceil(bias)
    return whole_bias, float(2.0 ** float(Fraction(whole_bias) - Fraction(bias)))
