"""Floor 1c: exponent sums and the shifter that places a product on the fixed grid."""

from __future__ import annotations

from dataclasses import dataclass

from hw.plan.operand import OperandPlan


@dataclass(frozen=True, slots=True)
class ShiftLevel:
    """One multiplexer level: the data shifted left by 0…ways−1 steps of ``2**low_bit``.

    Parameters
    ----------
    low_bit
        Lowest bit of the amount this level reads.
    ways
        2 or 4 inputs per multiplexer (one or two bits of the amount).
    width
        Bits of the result.

    """

    low_bit: int
    ways: int
    width: int


@dataclass(frozen=True, slots=True)
class ShiftPlan:
    """Shift a product left by the operands' exponent shifts.

    The amount is ``Σ max(field, 1)``; `offset` (one per minifloat operand) is taken off by
    dropping that many low bits of the result, which are always zero. Where the exponent fields
    together have at most six bits the amount is a table of them and the offset is 0.

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
    operands: tuple[OperandPlan, ...], input_bits: int, input_signed: bool, width: int
) -> ShiftPlan | None:
    """Return the shift of a product, or None if every exponent is the same."""
    shifting = tuple(operand for operand in operands if operand.field_bits)
    if not shifting:
        return None
    fields = tuple(operand.field_bits for operand in shifting)
    from_table = sum(fields) <= 6
    offset = 0 if from_table else len(shifting)
    largest = sum(operand.largest_shift for operand in shifting) + offset
    amount_bits = largest.bit_length()
    levels: list[ShiftLevel] = []
    low_bit, reach = 0, input_bits
    while low_bit < amount_bits:
        # A single 2:1 level goes first, where the data is narrowest.
        step = 1 if (amount_bits - low_bit) % 2 else 2
        ways = 1 << step
        reach += (ways - 1) << low_bit
        low_bit += step
        levels.append(ShiftLevel(low_bit - step, ways, min(reach, width + offset)))
    return ShiftPlan(
        fields, from_table, offset, amount_bits, input_bits, input_signed, width, tuple(levels)
    )
