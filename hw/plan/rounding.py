"""Floor 1c: how a two's complement sum becomes a minifloat: normalised as it stands, and rounded.

Exponents are counted as in `hw.plan.floating`. The leading bits of a sum that equal its sign are
counted, at most B, where the exponent field becomes 0. A sum of W bits without its sign whose last
bit stands at the exponent g of the grid has its highest bit, at a count of 0, where a number of
exponent ``g + W − p`` has it, p being the bits of a significand; its field is one less, to which
the hidden bit adds. So ``B = g + W − p − 1``; a sum too short for B to be 0 is extended at the top.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from hw.formats import MinifloatFormat


@dataclass(frozen=True, slots=True)
class LeftLevel:
    """One level of the normalisation: left by 0…2^bits − 1 steps of ``2**low_bit``.

    The highest `width` of `bits_in` bits are kept, the others give a sticky bit.
    """

    low_bit: int
    bits: int
    bits_in: int
    width: int

    @property
    def step(self) -> int:
        """Places of one step."""
        return 1 << self.low_bit


@dataclass(frozen=True, slots=True)
class RoundedSum(ABC):
    """A sum in two's complement that is normalised and rounded to nearest even.

    Parameters
    ----------
    format
        What it becomes.

    """

    format: MinifloatFormat

    @property
    def exponent_bits(self) -> int:
        """Width of the port B comes from (0: it is always the same)."""
        return 0

    @property
    @abstractmethod
    def highest(self) -> int:
        """Largest B."""

    @property
    @abstractmethod
    def sum_bits(self) -> int:
        """Bits of the sum, sign included."""

    @property
    @abstractmethod
    def tail_bits(self) -> int:
        """Zeros below the sum."""

    @property
    def bits(self) -> int:
        """Width of ``total``: a code."""
        return self.format.bits

    @property
    def precision(self) -> int:
        """Bits of the significand p."""
        return self.format.precision

    @property
    def highest_bits(self) -> int:
        """Width of B."""
        return max(self.highest.bit_length(), 1)

    @property
    def normalized_bits(self) -> int:
        """Width of the word that is normalised: the sum without its sign, and its tail."""
        return self.sum_bits - 1 + self.tail_bits

    @property
    def longest_count(self) -> int:
        """Most leading bits that count."""
        return self.normalized_bits - 1

    @property
    def count_bits(self) -> int:
        """Bits of the count of leading bits."""
        return max(min(self.longest_count, self.highest).bit_length(), 1)

    @property
    def limits_count(self) -> bool:
        """Whether the count can reach B, so that a sum is below the normal numbers."""
        return self.exponent_bits > 0 or self.highest < (1 << self.count_bits) - 1

    @property
    def normalize_levels(self) -> tuple[LeftLevel, ...]:
        """Levels that bring the leading bit to the top, coarse ones first."""
        levels: list[LeftLevel] = []
        width = self.normalized_bits
        high = self.count_bits
        while high:
            bits = 2 if high % 2 == 0 else 1
            high -= bits
            kept = min(self.precision + (1 << high), width)
            levels.append(LeftLevel(high, bits, width, kept))
            width = kept
        return tuple(levels)

    @property
    def rounded_bits(self) -> int:
        """Bits of the rounded code before overflow is resolved, sign left out."""
        return (self.highest + 2).bit_length() + self.format.fraction_bits


@dataclass(frozen=True, slots=True)
class RoundPlan(RoundedSum):
    """Rounds an exact register to the minifloat that is shown.

    Parameters
    ----------
    format
        Of what is shown.
    register_bits
        Of the register.
    grid
        Exponent of its last bit.
    flags
        What the sum has seen, if not numbers.

    """

    register_bits: int
    grid: int
    flags: tuple[str, ...]

    @property
    def short_of(self) -> int:
        """B if the register were not extended."""
        return self.grid + self.register_bits - 2 - self.precision

    @property
    def sum_bits(self) -> int:
        """Bits of the register, extended at the top as far as B would be negative."""
        return self.register_bits + max(-self.short_of, 0)

    @property
    def highest(self) -> int:
        """B, where the field becomes 0."""
        return max(self.short_of, 0)

    @property
    def tail_bits(self) -> int:
        """Zeros below: for a significand of a short sum, and for the complement of −1."""
        word = self.sum_bits - 1
        return max(self.precision - word, int(self.highest >= word))


@dataclass(frozen=True, slots=True)
class ClampPlan:
    """Clamps an exact register to the fewer bits that are shown.

    Parameters
    ----------
    register_bits, bits
        Of the register and of what is shown.

    """

    register_bits: int
    bits: int
