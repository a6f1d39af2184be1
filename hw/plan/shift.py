"""Floor 1c: exponent sums and the shifters that place a product on a grid or in a window."""

from __future__ import annotations

from dataclasses import dataclass

from hw.plan.operand import OperandPlan


@dataclass(frozen=True, slots=True)
class ShiftLevel:
    """One multiplexer level: the data shifted left by 0…2^bits − 1 steps of ``2**low_bit``.

    An output bit sees only those input bits a step apart, so one LUT can serve more amount bits
    late in the shifter, where steps are large against the data.

    Parameters
    ----------
    low_bit
        Lowest bit of the amount this level reads.
    bits
        Bits of the amount it reads.
    width
        Bits of the result.

    """

    low_bit: int
    bits: int
    width: int

    @property
    def ways(self) -> int:
        """Inputs of each multiplexer."""
        return 1 << self.bits


@dataclass(frozen=True, slots=True)
class ExponentPlan:
    """Sum of two operands' exponent shifts, `offset` too large.

    The sum is ``Σ max(field, 1)``, one too large per minifloat operand. Where the exponent fields
    together fit one LUT the sum is a table of them and the offset is 0.

    Parameters
    ----------
    field_bits
        Exponent field widths of the operands that shift.
    from_table
        Whether the sum is a table of the fields.
    offset
        What the sum is too large by.
    amount_bits
        Width of the sum.

    """

    field_bits: tuple[int, ...]
    from_table: bool
    offset: int
    amount_bits: int


@dataclass(frozen=True, slots=True)
class ShiftPlan:
    """Shift a product left by the operands' exponent shifts.

    The offset of the exponent sum is taken off by dropping that many low bits of the result, which
    are always zero.

    Parameters
    ----------
    exponents
        The amount.
    input_bits, input_signed
        The product.
    width
        Bits of the result after dropping.
    levels
        Multiplexer levels, first to last.

    """

    exponents: ExponentPlan
    input_bits: int
    input_signed: bool
    width: int
    levels: tuple[ShiftLevel, ...]

    @property
    def offset(self) -> int:
        """Low bits to drop."""
        return self.exponents.offset

    @property
    def amount_bits(self) -> int:
        """Width of the amount."""
        return self.exponents.amount_bits


def plan_exponents(operands: tuple[OperandPlan, ...], lut_inputs: int) -> ExponentPlan | None:
    """Return the exponent sum of the operands, or None if every exponent is the same."""
    shifting = tuple(operand for operand in operands if operand.field_bits)
    if not shifting:
        return None
    fields = tuple(operand.field_bits for operand in shifting)
    from_table = sum(fields) <= lut_inputs
    offset = 0 if from_table else len(shifting)
    largest = sum(operand.largest_shift for operand in shifting) + offset
    return ExponentPlan(fields, from_table, offset, largest.bit_length())


def plan_shift(
    operands: tuple[OperandPlan, ...],
    input_bits: int,
    input_signed: bool,
    width: int,
    lut_inputs: int,
) -> ShiftPlan | None:
    """Return the shift of a product, or None if every exponent is the same."""
    exponents = plan_exponents(operands, lut_inputs)
    if exponents is None:
        return None
    levels = plan_levels(
        exponents.amount_bits, input_bits, input_signed, width + exponents.offset, lut_inputs
    )
    return ShiftPlan(exponents, input_bits, input_signed, width, levels)


def plan_levels(
    amount_bits: int, data_bits: int, signed: bool, limit: int, lut_inputs: int
) -> tuple[ShiftLevel, ...]:
    """Return the levels that shift a word left with the fewest multiplexers, one LUT each.

    Parameters
    ----------
    amount_bits
        Bits of the amount.
    data_bits, signed
        The word.
    limit
        Bits of the result that are kept.
    lut_inputs
        Inputs of a LUT.

    """
    return _levels(0, amount_bits, data_bits, signed, limit, lut_inputs)


def _levels(
    low_bit: int, amount_bits: int, data_bits: int, signed: bool, limit: int, lut_inputs: int
) -> tuple[ShiftLevel, ...]:
    """Return the levels with the fewest multiplexers, one LUT each."""
    if low_bit == amount_bits:
        return ()
    best: tuple[ShiftLevel, ...] = ()
    for bits in range(1, amount_bits - low_bit + 1):
        sources = min(1 << bits, -(-data_bits // (1 << low_bit)) + signed)
        if bits > 1 and sources + bits > lut_inputs:
            break
        width = min(data_bits + (((1 << bits) - 1) << low_bit), limit)
        rest = _levels(low_bit + bits, amount_bits, width, signed, limit, lut_inputs)
        levels = (ShiftLevel(low_bit, bits, width), *rest)
        if not best or sum(v.width for v in levels) < sum(v.width for v in best):
            best = levels
    return best
