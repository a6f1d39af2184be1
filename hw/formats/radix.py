"""Floor 0: sign and an exponent to another base than 2: the radix-4 FP4 of 4-bit training."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from hw.formats.base import Value
from hw.formats.rules import Rule, whole
from hw.formats.table import TableFormat


@dataclass(frozen=True, slots=True)
class Radix4Format(TableFormat):
    """Sign, E exponent bits, no fraction: ``±4^(e - bias)``, and 0 for e = 0.

    Neighbours lie a factor of 4 apart, so that the midpoint of two is 1.6 times less than the
    larger, the threshold the authors state.

    Parameters
    ----------
    exponent_bits
        E, 2 to 4. ``radix4e3`` is FP4 1-3-0: 4^-3 … 4^3 at the default bias, a range of 2^12.
    bias
        What is taken off the exponent field; ``2^(E-1)`` unless given.

    Source: radix-4 FP4, Sun et al., "Ultra-low precision 4-bit training of deep neural networks",
    NeurIPS 2020. The bias is not fixed there (gradients are scaled per layer).

    """

    exponent_bits: int = 3
    bias: int = 4

    def __post_init__(self) -> None:
        """Reject impossible widths."""
        if not 2 <= self.exponent_bits <= 4:
            raise ValueError(f"a radix-4 format has 2..4 exponent bits, not {self.exponent_bits}")
        if not -256 <= self.bias <= 256:
            raise ValueError(f"bias lies in -256..256, not {self.bias}")

    @property
    def bits(self) -> int:
        """Width of a code."""
        return 1 + self.exponent_bits

    @property
    def name(self) -> str:
        """``radix4e3``, with ``bB`` where the bias is not the default."""
        usual = 1 << (self.exponent_bits - 1)
        return f"radix4e{self.exponent_bits}" + (f"b{self.bias}" if self.bias != usual else "")

    def table(self) -> tuple[Value, ...]:
        """Return the values of all codes, in code order."""
        return _table(self)


@cache
def _table(format: Radix4Format) -> tuple[Value, ...]:
    powers = [Fraction(4) ** (e - format.bias) for e in range(1, 1 << format.exponent_bits)]
    return (Fraction(0), *powers, Fraction(0), *(-power for power in powers))


def _radix4(match: re.Match[str]) -> Radix4Format:
    exponent_bits = int(match["exponent"])
    bias = whole(match["bias"]) if match["bias"] else 1 << max(exponent_bits - 1, 0)
    return Radix4Format(exponent_bits, bias)


RULES = (Rule(re.compile(r"radix4e(?P<exponent>\d)(?:b(?P<bias>[-n]?\d{1,4}))?"), _radix4),)
ALIASES = {"fp4radix4": "radix4e3"}
