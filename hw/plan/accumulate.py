"""Floor 1c: the accumulator of exact, wrapping and saturating sums."""

from __future__ import annotations

from dataclasses import dataclass

from hw.accumulators import AccumulatorKind
from hw.design import signed_bits
from hw.plan.digits import Bounds
from hw.plan.sums import Sign, Word


@dataclass(frozen=True, slots=True)
class AccumulatePlan:
    """Adder row with the accumulator register behind it.

    With two words it is a row of three (`hw.plan.sums`), else one of two.

    Parameters
    ----------
    kind
        EXACT, WRAP or SATURATE.
    bits
        Width of the accumulator.
    words
        One or two words that one step adds.
    flags
        Sticky flags kept beside the sum.
    total_on_last
        Whether the visible total changes only when a sum ends (cells of an array) instead of
        showing the running sum.
    lean
        Whether what clears the sum also says that it ends, which the reset of Xilinx registers,
        dominating their enable, allows.
    takes_signs
        Whether the sign of the only word is made here, from both operands', beside what clears:
        together they are one LUT6_2.
    subtracts
        Whether the words are what a step takes away from the sum.

    """

    kind: AccumulatorKind
    bits: int
    words: tuple[Word, ...]
    flags: tuple[str, ...]
    total_on_last: bool
    lean: bool = False
    takes_signs: bool = False
    subtracts: bool = False

    @property
    def addend(self) -> Bounds:
        """Range of the (first) word, without its sign."""
        return self.words[0].bounds

    @property
    def relative(self) -> bool:
        """Whether the only word comes with a sign of its own."""
        return len(self.words) == 1 and self.words[0].sign is Sign.NEGATE

    @property
    def sum_bits(self) -> int:
        """Width of the adder row.

        That of the accumulator; of the exact sum if it saturates, or if overflow must be told of
        two words at once.
        """
        if self.kind is AccumulatorKind.WRAP or (
            self.kind is AccumulatorKind.EXACT and len(self.words) == 1
        ):
            return self.bits
        reach = 1 << (self.bits - 1)
        least = sum(word.total.low for word in self.words)
        most = sum(word.total.high for word in self.words)
        if self.subtracts:
            least, most = -most, -least
        return signed_bits(-reach + least, reach - 1 + most)

    @property
    def ff(self) -> int:
        """Registers: accumulator, total, the flags of both, and ``total_valid``."""
        return 2 * (self.bits + len(self.flags)) + 1
