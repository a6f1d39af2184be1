"""Floor 1c: how one operand code splits into sign, significand and exponent."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hw.design import is_signs, largest_shift, raises_flags
from hw.formats import Format, MinifloatFormat, Specials
from hw.target import Target

JOINING = ("ecp5", "gowin")
"""Targets whose LUTs of four inputs are joined by multiplexers to wide functions."""
GATE_BITS, GATE_EXPONENT_BITS = 7, 5
"""From so many bits that tell a special code on (all but the sign, or the exponent field where that
tells it), and two bits of fraction to gate, it is told in one place there."""
LEAST_GATED = 2


@dataclass(frozen=True, slots=True)
class OperandPlan:
    """The fields of one operand and the integers its significand takes.

    Parameters
    ----------
    format
        The number format.
    split_sign
        Fixed point only: multiply sign and magnitude apart (alignment windows do).
    special_counts
        Whether a special code must read as 0. Where its flag decides the result, it need not.
    whole
        Binary and ternary only: the code is the index of a table, not a sign and a magnitude.
    gate_apart
        Whether what forces special codes to zero in a lane without flags is a module of its own.

    """

    format: Format
    split_sign: bool = False
    special_counts: bool = True
    whole: bool = False
    gate_apart: bool = False

    @property
    def is_minifloat(self) -> bool:
        """Whether the code has sign, exponent and fraction fields."""
        return isinstance(self.format, MinifloatFormat)

    @property
    def has_sign(self) -> bool:
        """Whether a sign bit is carried beside an unsigned significand."""
        return self.is_minifloat or self.is_signs or (self.split_sign and self.format.signed)

    @property
    def is_signs(self) -> bool:
        """Whether the operand is a sign and a magnitude of one bit: binary or ternary."""
        return is_signs(self.format) and not self.whole

    @property
    def raises_flags(self) -> bool:
        """Whether codes are special (not the unused code of ternary)."""
        return raises_flags(self.format)

    @property
    def field_bits(self) -> int:
        """Bits of the exponent field that shift (0 if every exponent is the same)."""
        if not isinstance(self.format, MinifloatFormat) or self.format.maximum_field < 2:
            return 0
        return self.format.exponent_bits

    @property
    def largest_shift(self) -> int:
        """Largest exponent shift of a finite code."""
        return largest_shift(self.format)

    @property
    def gated(self) -> bool:
        """Whether special codes must be forced to a zero significand.

        The NaN of `fnuz` formats reads as −0 by itself.
        """
        format = self.format
        return (
            self.special_counts
            and isinstance(format, MinifloatFormat)
            and format.specials in (Specials.FN, Specials.IEEE)
        )

    @property
    def told_apart(self) -> tuple[str, ...]:
        """What a classifier tells of a code in a lane without flags (see `classes`)."""
        return ("special",) if self.gate_apart else ()

    @property
    def has_infinity(self) -> bool:
        """Whether the operand can be infinite."""
        return isinstance(self.format, MinifloatFormat) and self.format.has_infinity

    @property
    def low(self) -> int:
        """Least significand."""
        if self.is_signs and self.format.bits == 1:
            return 1
        return 0 if self.has_sign else self.format.minimum_integer

    @property
    def high(self) -> int:
        """Greatest significand."""
        if isinstance(self.format, MinifloatFormat):
            return (1 << self.format.precision) - 1
        if self.has_sign:
            return -self.format.minimum_integer
        return self.format.maximum_integer

    @property
    def signed(self) -> bool:
        """Whether the significand is two's complement."""
        return self.low < 0

    @property
    def significand_bits(self) -> int:
        """Width of the significand."""
        if isinstance(self.format, MinifloatFormat):
            return self.format.precision
        return 1 if self.is_signs else self.format.bits

    @property
    def magnitude_code_bits(self) -> int:
        """Bits of the code that decide the magnitude: all but a minifloat's sign."""
        return self.format.bits - self.is_minifloat


def gated_apart(operand: OperandPlan, flags: tuple[str, ...], target: Target) -> OperandPlan:
    """Return an operand of a lane with these flags, its special codes told apart where it pays.

    On targets that join LUTs by multiplexers a synthesiser repeats what tells a special code for
    each bit it gates, or not, as it happens. A lane with flags has classifiers anyway.
    """
    format = operand.format
    if not isinstance(format, MinifloatFormat) or not operand.gated or flags:
        return operand
    exponent, fraction = format.exponent_bits, format.fraction_bits
    if target.name not in JOINING or fraction < LEAST_GATED:
        return operand
    if format.specials is Specials.FN:
        return replace(operand, gate_apart=exponent + fraction >= GATE_BITS)
    return replace(operand, gate_apart=exponent >= GATE_EXPONENT_BITS)


def classes(operand: OperandPlan, other: OperandPlan, flags: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a lane with special flags asks about an operand's code.

    "special" (it forces the significand to zero), "nan" and "infinite" as far as the format has
    them, and "zero" where the other operand can be infinite. Nothing in a lane without flags.
    """
    if not flags:
        return ()
    names: tuple[str, ...] = ()
    if operand.has_infinity:
        names = ("special", "nan", "infinite") if operand.gated else ("nan", "infinite")
    elif operand.raises_flags:
        names = ("nan",)
    return (*names, "zero") if other.has_infinity else names
