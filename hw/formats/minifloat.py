"""Floor 0: minifloats of any exponent/fraction split, with the field's four kinds of specials."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from hw.formats.base import (
    Format,
    Number,
    Overflow,
    Rounding,
    RoundingMode,
    Special,
    Specials,
    classify,
    mirrored,
    round_to_integer,
)
from hw.formats.rules import Rule, whole

MAXIMUM_EXPONENT_BITS = 8
MAXIMUM_FRACTION_BITS = 23
OCP_FINITE = ((2, 1), (2, 3), (3, 2))
"""Splits whose `fn` name means "every code is a number" (OCP MX v1.0)."""


def default_bias(exponent_bits: int, specials: Specials) -> int:
    """Return ``2**(E-1) - 1``, one more for `fnuz` (as in ml_dtypes)."""
    return (1 << (exponent_bits - 1)) - (specials is not Specials.FNUZ)


@dataclass(frozen=True, slots=True)
class MinifloatFormat(Format):
    """Sign, E exponent bits, M fraction bits (most significant first), with subnormals.

    A code with exponent field e and fraction m means ``±(m / 2^M) · 2^(1-bias)`` for e = 0
    and ``±(1 + m / 2^M) · 2^(e-bias)`` otherwise, unless it is a special.

    Parameters
    ----------
    exponent_bits
        E, 1 to 8.
    fraction_bits
        M, stored bits of the significand, 0 to 23.
    specials
        Which codes are not numbers.
    bias
        Exponent bias; None means `default_bias`.

    Sources: OCP OFP8 and MX v1.0; IEEE 754; ml_dtypes for the `fnuz` kinds; arXiv 2311.12359
    for the kind in which every code is a number.

    """

    exponent_bits: int
    fraction_bits: int
    specials: Specials = Specials.FINITE
    bias: int = None  # type: ignore[assignment]  # None is replaced at birth

    def __post_init__(self) -> None:
        """Reject impossible splits and fill in the default bias."""
        if not 1 <= self.exponent_bits <= MAXIMUM_EXPONENT_BITS:
            raise ValueError(
                f"exponent_bits lies in 1..{MAXIMUM_EXPONENT_BITS}, not {self.exponent_bits}"
            )
        if not 0 <= self.fraction_bits <= MAXIMUM_FRACTION_BITS:
            raise ValueError(
                f"fraction_bits lies in 0..{MAXIMUM_FRACTION_BITS}, not {self.fraction_bits}"
            )
        if self.bias is None:
            object.__setattr__(self, "bias", default_bias(self.exponent_bits, self.specials))
        if not -1024 <= self.bias <= 1024:
            raise ValueError(f"bias lies in -1024..1024, not {self.bias}")
        if self.specials is Specials.IEEE and (self.exponent_bits < 2 or not self.fraction_bits):
            raise ValueError(
                f"infinities and NaNs in the top exponent need E >= 2 and M >= 1, "
                f"not e{self.exponent_bits}m{self.fraction_bits}"
            )
        if self.specials is Specials.FN and self.exponent_bits + self.fraction_bits == 1:
            raise ValueError("e1m0fn has no number but 0: use e1m0finite")
        if self.specials is Specials.FN and (self.exponent_bits, self.fraction_bits) in OCP_FINITE:
            object.__setattr__(self, "specials", Specials.FINITE)

    @property
    def bits(self) -> int:
        """Width of a code: 1 + E + M."""
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def signed(self) -> bool:
        """Minifloats carry a sign."""
        return True

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
        """``eXmY`` (IEEE), with ``bB`` where the bias is not the default, and a specials suffix."""
        if (self.exponent_bits, self.fraction_bits, self.specials) in _COMMON_NAMES:
            common, bias = _COMMON_NAMES[self.exponent_bits, self.fraction_bits, self.specials]
            if bias == self.bias:
                return common
        usual = default_bias(self.exponent_bits, self.specials)
        bias_text = "" if self.bias == usual else f"b{self.bias}"
        return f"e{self.exponent_bits}m{self.fraction_bits}{bias_text}{self._suffix}"

    @property
    def _suffix(self) -> str:
        if self.specials is Specials.IEEE:
            return ""
        if self.specials is Specials.FINITE:
            ocp = (self.exponent_bits, self.fraction_bits) in OCP_FINITE
            return "fn" if ocp else "finite"
        return str(self.specials.value)

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
        return self.specials is Specials.IEEE

    @property
    def top_field(self) -> int:
        """Largest exponent field, all ones."""
        return (1 << self.exponent_bits) - 1

    @property
    def maximum_field(self) -> int:
        """Exponent field of the largest finite number."""
        if self.specials is Specials.IEEE:
            return self.top_field - 1
        if self.specials is Specials.FN and self.fraction_bits == 0:
            return self.top_field - 1
        return self.top_field

    @property
    def maximum_code(self) -> int:
        """Code of the largest finite number."""
        top = (self.top_field + 1 << self.fraction_bits) - 1
        if self.specials is Specials.FN:
            return top - 1
        if self.specials is Specials.IEEE:
            return top - (1 << self.fraction_bits)
        return top

    def fields(self, code: int) -> tuple[int, int, int]:
        """Return (sign, exponent field, fraction field) of a code."""
        self.check_code(code)
        fraction = code & ((1 << self.fraction_bits) - 1)
        return code >> (self.bits - 1), code >> self.fraction_bits & self.top_field, fraction

    def special(self, code: int) -> Special | None:
        """Return NaN or an infinity where the code is one, else None."""
        sign, field, fraction = self.fields(code)
        match self.specials:
            case Specials.FINITE:
                return None
            case Specials.FNUZ:
                return Special.NAN if code == 1 << (self.bits - 1) else None
            case Specials.FN:
                full = fraction == (1 << self.fraction_bits) - 1
                return Special.NAN if field == self.top_field and full else None
        if field != self.top_field:
            return None
        if fraction:
            return Special.NAN
        return Special.NEG_INF if sign else Special.POS_INF

    def integer(self, code: int) -> int:
        """Return the value in units of the smallest subnormal; specials give 0."""
        if self.special(code) is not None:
            return 0
        sign, field, fraction = self.fields(code)
        magnitude = fraction if field == 0 else (1 << self.fraction_bits | fraction) << (field - 1)
        return -magnitude if sign else magnitude

    @property
    def maximum_integer(self) -> int:
        """Largest finite value in units of the smallest subnormal."""
        return self.integer(self.maximum_code)

    @property
    def minimum_integer(self) -> int:
        """Negative of the largest value."""
        return -self.maximum_integer

    def encode(
        self,
        value: Number | Special,
        rounding: RoundingMode = Rounding.TIES_TO_EVEN,
        overflow: Overflow = Overflow.SATURATE,
        random: int = 0,
    ) -> int:
        """Round once to the grid of the value's binade, then resolve overflow.

        Negative values that round to zero give the code of −0 where the format has one.
        Infinities saturate under `Overflow.SATURATE`.
        """
        exact = classify(value)
        if overflow is Overflow.WRAP:
            raise ValueError(f"overflow wrap is for fixed point, not {self.name}")
        if exact is Special.NAN:
            return self._nan_code
        if isinstance(exact, Special):
            return self._overflowed(exact is Special.NEG_INF, overflow)
        negative = exact < 0 or (isinstance(value, float) and str(value) == "-0.0")
        units = abs(exact) / Fraction(2) ** self.lsb_exponent
        code = self._encode_magnitude(units, mirrored(rounding) if negative else rounding, random)
        if code > self.maximum_code:
            if overflow is Overflow.TO_INFINITY and _stays_finite(rounding, negative):
                return self._signed(self.maximum_code, negative)
            return self._overflowed(negative, overflow)
        return self._signed(code, negative)

    def _encode_magnitude(self, units: Fraction, rounding: RoundingMode, random: int) -> int:
        """Return the sign-free code of a magnitude, unbounded above."""
        binade = max(int(units).bit_length() - self.precision, 0)
        significand = round_to_integer(units / (1 << binade), rounding, random)
        # A significand that rounds up to the next binade carries into the exponent field.
        return (binade << self.fraction_bits) + significand

    def _signed(self, code: int, negative: bool) -> int:
        if negative and (code or self.specials is not Specials.FNUZ):
            return code | 1 << (self.bits - 1)
        return code

    @property
    def _nan_code(self) -> int:
        match self.specials:
            case Specials.FINITE:
                raise ValueError(f"{self.name} has no code for nan")
            case Specials.FNUZ:
                return 1 << (self.bits - 1)
            case Specials.FN:
                return (1 << (self.bits - 1)) - 1
        return self.top_field << self.fraction_bits | 1 << (self.fraction_bits - 1)

    def _overflowed(self, negative: bool, overflow: Overflow) -> int:
        if overflow is Overflow.SATURATE:
            return self._signed(self.maximum_code, negative)
        if self.specials is Specials.IEEE:
            return self._signed(self.top_field << self.fraction_bits, negative)
        return self._signed(self._nan_code, negative) if self.has_specials else self._refuse()

    def _refuse(self) -> int:
        raise ValueError(f"overflow to_infinity needs a format with specials, not {self.name}")


def _stays_finite(rounding: RoundingMode, negative: bool) -> bool:
    """Whether a directed mode stops at the largest finite value (IEEE 754 clause 7.4)."""
    if rounding in (Rounding.TOWARD_ZERO, Rounding.TO_ODD):
        return True
    return rounding is (Rounding.TOWARD_POSITIVE if negative else Rounding.TOWARD_NEGATIVE)


_COMMON_NAMES = {
    (5, 10, Specials.IEEE): ("fp16", 15),
    (8, 7, Specials.IEEE): ("bfloat16", 127),
    (8, 10, Specials.IEEE): ("tf32", 127),
    (8, 23, Specials.IEEE): ("fp32", 127),
}


def _minifloat(match: re.Match[str]) -> MinifloatFormat:
    exponent_bits, fraction_bits = int(match["exponent"]), int(match["fraction"])
    specials = Specials(match["specials"] or "ieee")
    if match["bias"]:
        return MinifloatFormat(exponent_bits, fraction_bits, specials, whole(match["bias"]))
    return MinifloatFormat(exponent_bits, fraction_bits, specials)


RULES = (
    Rule(
        re.compile(
            r"e(?P<exponent>\d{1,3})m(?P<fraction>\d{1,3})"
            r"(?:b(?P<bias>[-n]?\d{1,5}))?(?P<specials>fnuz|fn|finite)?"
        ),
        _minifloat,
    ),
)
ALIASES = {
    "fp16": "e5m10",
    "float16": "e5m10",
    "half": "e5m10",
    "bfloat16": "e8m7",
    "bf16": "e8m7",
    "tf32": "e8m10",
    "fp32": "e8m23",
    "float32": "e8m23",
}
