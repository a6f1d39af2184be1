"""Floor 4. The space of a sweep: families of formats, pairs of them, and constraints on pairs."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hw.design import Design
from hw.formats import FixedFormat, Format, MinifloatFormat, Specials
from hw.formats.block import BlockFormat
from hw.formats.minifloat import MAXIMUM_EXPONENT_BITS
from hw.formats.mixture import MixtureFormat
from sweeps.nodes import suggestion

AnyFormat = Format | BlockFormat | MixtureFormat
INTEGER = "integer"
MINIFLOAT = "minifloat"
BLOCKS = "blocks"
PAIR_FAMILIES = (
    "integer × integer",
    "minifloat × minifloat",
    "integer × minifloat",
    "minifloat × integer",
    BLOCKS,
)
"""Weights × activations, in the order of legends and tables; blocks are on either side or both."""


@dataclass(frozen=True, slots=True)
class Integers:
    """Integers of some widths, all signed (two's complement) or all unsigned."""

    bits: tuple[int, ...]
    signed: bool = True

    def formats(self) -> tuple[Format, ...]:
        """The family, narrowest first."""
        return tuple(FixedFormat(bits, bits, is_signed=self.signed) for bits in self.bits)


@dataclass(frozen=True, slots=True)
class Minifloats:
    """Minifloats of some widths: every split 1 + E + M with E in `exponent_bits`.

    `exponent_bits` empty means every E from 1. Splits that the kind of specials does not have
    (IEEE: E < 2 or M < 1) are left out.
    """

    bits: tuple[int, ...]
    exponent_bits: tuple[int, ...] = ()
    specials: Specials = Specials.FINITE

    def formats(self) -> tuple[Format, ...]:
        """The family, narrowest first, then fewest exponent bits first."""
        allowed = self.exponent_bits or range(1, MAXIMUM_EXPONENT_BITS + 1)
        return tuple(
            MinifloatFormat(exponent, bits - 1 - exponent, self.specials)
            for bits in self.bits
            for exponent in allowed
            if self._exists(exponent, bits - 1 - exponent)
        )

    def _exists(self, exponent: int, fraction: int) -> bool:
        if fraction < 0:
            return False
        return self.specials is not Specials.IEEE or (exponent >= 2 and fraction >= 1)


@dataclass(frozen=True, slots=True)
class Listed:
    """Formats named one by one."""

    named: tuple[AnyFormat, ...]

    def formats(self) -> tuple[AnyFormat, ...]:
        """The formats as they were named."""
        return self.named


Family = Integers | Minifloats | Listed


def formats_of(families: Iterable[Family]) -> tuple[AnyFormat, ...]:
    """All formats of some families, each once, in order of first appearance."""
    return tuple(dict.fromkeys(f for family in families for f in family.formats()))


def family_of(format: Format) -> str:
    """`integer` for fixed point (an integer and a scale), `minifloat` otherwise."""
    return INTEGER if isinstance(format, FixedFormat) else MINIFLOAT


def pair_family(weight: AnyFormat, activation: AnyFormat) -> str:
    """The family of a pair, one of `PAIR_FAMILIES`."""
    if not isinstance(weight, Format) or not isinstance(activation, Format):
        return BLOCKS
    return f"{family_of(weight)} × {family_of(activation)}"


def _exponent_bits(format: Format) -> int:
    return format.exponent_bits if isinstance(format, MinifloatFormat) else 0


def _fraction_bits(format: Format) -> int:
    return format.fraction_bits if isinstance(format, MinifloatFormat | FixedFormat) else 0


QUANTITIES: dict[str, Callable[[Design], int]] = {
    "weight_bits": lambda d: d.weight.bits,
    "activation_bits": lambda d: d.activation.bits,
    "weight_exponent_bits": lambda d: _exponent_bits(d.weight),
    "activation_exponent_bits": lambda d: _exponent_bits(d.activation),
    "weight_fraction_bits": lambda d: _fraction_bits(d.weight),
    "activation_fraction_bits": lambda d: _fraction_bits(d.activation),
    "product_bits": lambda d: d.product_bits,
    "accumulator_bits": lambda d: d.accumulator_bits,
}
"""What constraints may speak of."""

_OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_COMPARISON = re.compile(r"(\w+)\s*(<=|>=|==|!=|<|>)\s*(\w+)")


@dataclass(frozen=True, slots=True)
class Constraint:
    """A comparison of two quantities of a design, or of one with a number."""

    left: str
    relation: str
    right: str

    def allows(self, design: Design) -> bool:
        """Whether a design satisfies the comparison."""
        return _OPERATORS[self.relation](
            _quantity(self.left, design), _quantity(self.right, design)
        )

    def __str__(self) -> str:
        return f"{self.left} {self.relation} {self.right}"


def parse_constraint(text: str) -> Constraint:
    """Read a comparison such as `weight_bits <= activation_bits` or `accumulator_bits < 33`.

    Raises
    ------
    ValueError
        If the text is no comparison or names an unknown quantity (the nearest is suggested).
    """
    match = _COMPARISON.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"a constraint compares two quantities, as in 'weight_bits <= activation_bits', "
            f"not {text!r}"
        )
    for name in (match[1], match[3]):
        if not name.isdecimal() and name not in QUANTITIES:
            hint = suggestion(name, tuple(QUANTITIES))
            raise ValueError(
                f"a constraint speaks of {', '.join(QUANTITIES)} and numbers, not {name!r}{hint}"
            )
    return Constraint(match[1], match[2], match[3])


def allowed(designs: Iterable[Design], constraints: Sequence[Constraint]) -> tuple[Design, ...]:
    """The designs that satisfy all constraints, in their order."""
    return tuple(d for d in designs if all(c.allows(d) for c in constraints))


def _quantity(name: str, design: Design) -> int:
    return int(name) if name.isdecimal() else QUANTITIES[name](design)
