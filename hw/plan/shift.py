"""Floor 1c: exponent sums and the shifter that places a product on the fixed grid."""

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
class ShiftPlan:
    """Shift a product left by the operands' exponent shifts.

    The amount is ``Σ max(field, 1)``; `offset` (one per minifloat operand) is taken off by
    dropping that many low bits of the result, which are always zero. Where the exponent fields
    together fit one LUT the amount is a table of them and the offset is 0.

    Parameters
    ----------
    field_bits
        Exponent field widths of the operands that shift.
    from_table
        Whether the amount is a table of the fields.
    offset
        Low bits to drop.
    amount_bits
        Width of the amount.
    input_bits, input_signed
        The product.
    width
        Bits of the result after dropping.
    levels
        Multiplexer levels, first to last.

    """

    field_bits: tuple[int, ...]
    from_table: bool
    offset: int
    amount_bits: int
    input_bits: int
    input_signed: bool
    width: int
    levels: tuple[ShiftLevel, ...]


def plan_shift(
    operands: tuple[OperandPlan, ...],
    input_bits: int,
    input_signed: bool,
    width: int,
    lut_inputs: int,
) -> ShiftPlan | None:
    """Return the shift of a product, or None if every exponent is the same."""
    shifting = tuple(operand for operand in operands if operand.field_bits)
    if not shifting:
        return None
    fields = tuple(operand.field_bits for operand in shifting)
    from_table = sum(fields) <= lut_inputs
    offset = 0 if from_table else len(shifting)
    amount_bits = (sum(operand.largest_shift for operand in shifting) + offset).bit_length()
    levels = _levels(0, amount_bits, input_bits, input_signed, width + offset, lut_inputs)
    return ShiftPlan(
        fields, from_table, offset, amount_bits, input_bits, input_signed, width, levels
    )


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
