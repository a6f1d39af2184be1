"""Floor 1c: products by binary and ternary operands: words that are added or subtracted.

An operand of −1, 0 and +1 multiplies by masking and inverting: ``±a = (a ^ sign) + sign``, and the
1 that two's complement asks for stays pending for a carry input of the adder tree. A ternary code
is two planes, *not zero* (bit 0) and *negative* (bit 1), so that a bit of the word reads three
nets.

A binary code is 1 for +1, so that its sign is inverted. What is added up is therefore −Σ w·a, whose
signs are the codes themselves, and the accumulator subtracts: no inverter per lane.
"""

from __future__ import annotations

from dataclasses import dataclass

from hw.plan.digits import Bounds


@dataclass(frozen=True, slots=True)
class SignSelection:
    """``(multiplicand & nonzero) ^ sign`` with the sign pending.

    Two bits share a LUT6_2 where primitives are used, else each is a LUT.

    Parameters
    ----------
    multiplicand_bits, multiplicand_signed
        The operand that is selected.
    masked
        Whether the other one can be 0 (ternary).
    packed
        Whether bits share LUT6_2.

    """

    multiplicand_bits: int
    multiplicand_signed: bool
    masked: bool
    packed: bool

    @property
    def width(self) -> int:
        """Bits of the word; above an unsigned multiplicand stands the sign."""
        return self.multiplicand_bits + (not self.multiplicand_signed)

    @property
    def luts(self) -> int:
        """LUTs it takes; the sign is a bare net."""
        bits = self.multiplicand_bits
        return -(-bits // 2) if self.packed else bits

    def word_bounds(self, multiplicand: Bounds) -> Bounds:
        """Return the range of the word, less what is pending."""
        low, high = multiplicand.low, multiplicand.high
        return Bounds(min(low, ~high), max(high, ~low))
