"""Floor 1c: products of significands, as Booth rows, a table, a plain `*` or a DSP block."""

from __future__ import annotations

from dataclasses import dataclass

from hw.design import signed_bits

Triple = tuple[int | None, int | None, int | None]
"""Which multiplier bits form a radix-4 digit (high, middle, low); None is a constant 0."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A closed range of integers and the word that holds it."""

    low: int
    high: int

    @property
    def signed(self) -> bool:
        """Whether negative values occur."""
        return self.low < 0

    @property
    def bits(self) -> int:
        """Bits of the smallest word: two's complement if signed, else unsigned."""
        return signed_bits(self.low, self.high) if self.signed else max(self.high.bit_length(), 1)

    @property
    def magnitude(self) -> int:
        """Largest absolute value."""
        return max(-self.low, self.high)

    def __mul__(self, other: Bounds) -> Bounds:
        corners = [x * y for x in (self.low, self.high) for y in (other.low, other.high)]
        return Bounds(min(corners), max(corners))


@dataclass(frozen=True, slots=True)
class BoothRow:
    """One adder row: ``previous + digit · multiplicand``, the digit in −2…2 from three bits.

    Each bit reads one bit of `previous`, two of the multiplicand and the digit: one LUT6 on the
    carry chain. Low bits of earlier rows are final and pass by.

    Parameters
    ----------
    multiplicand_bits, multiplicand_signed
        The operand that is selected.
    triple
        Multiplier bits of the digit.
    previous_bits, previous_signed
        What is added to; 0 bits in the first row.
    width
        Bits of the result.

    """

    multiplicand_bits: int
    multiplicand_signed: bool
    triple: Triple
    previous_bits: int
    previous_signed: bool
    width: int

    @property
    def live_bits(self) -> tuple[int, ...]:
        """Distinct multiplier bits the digit reads, highest first."""
        return tuple(dict.fromkeys(bit for bit in self.triple if bit is not None))

    @property
    def negates(self) -> bool:
        """Whether the digit can be negative."""
        return self.triple[0] is not None

    @property
    def shape(self) -> tuple[int, ...]:
        """Digit bits by position among `live_bits`, −1 for a constant 0: equal rows are shared."""
        live = self.live_bits
        return tuple(-1 if bit is None else live.index(bit) for bit in self.triple)


@dataclass(frozen=True, slots=True)
class ProductPlan:
    """A product of two significands.

    Parameters
    ----------
    structure
        "rows", "table", "behavioural" or "dsp".
    weight, activation
        Ranges of the significands.
    weight_bits, activation_bits
        Their widths.
    rows
        Booth rows, first to last (structure "rows" only).
    weight_is_multiplier
        Whether the digits are the weight's.

    """

    structure: str
    weight: Bounds
    activation: Bounds
    weight_bits: int
    activation_bits: int
    rows: tuple[BoothRow, ...] = ()
    weight_is_multiplier: bool = True

    @property
    def bounds(self) -> Bounds:
        """Range of the product."""
        return self.weight * self.activation


def booth_triples(bits: int, signed: bool) -> tuple[Triple, ...]:
    """Return the digits of a multiplier, least significant first."""

    def bit(position: int) -> int | None:
        if position < 0 or (position >= bits and not signed):
            return None
        return min(position, bits - 1)

    digits = (bits + (not signed) + 1) // 2
    return tuple((bit(2 * j + 1), bit(2 * j), bit(2 * j - 1)) for j in range(digits))


def booth_rows(
    multiplicand: Bounds, multiplicand_bits: int, multiplier: Bounds, multiplier_bits: int
) -> tuple[BoothRow, ...]:
    """Return the rows that multiply two words, each as wide as its partial product needs."""
    triples = booth_triples(multiplier_bits, multiplier.signed)
    rows: list[BoothRow] = []
    previous = Bounds(0, 0)
    for j, triple in enumerate(triples):
        last = j == len(triples) - 1
        reach = 1 << (2 * j + 1)
        partial = multiplicand * (multiplier if last else Bounds(-reach, reach - 1))
        rows.append(
            BoothRow(
                multiplicand_bits,
                multiplicand.signed,
                triple,
                max(previous.bits - 2 * j, 1) if j else 0,
                previous.signed,
                max(partial.bits - 2 * j, 1),
            )
        )
        previous = partial
    return tuple(rows)


def plan_product(
    structure: str, weight: Bounds, weight_bits: int, activation: Bounds, activation_bits: int
) -> ProductPlan:
    """Return the product of two significands in a given structure."""
    if structure != "rows":
        return ProductPlan(structure, weight, activation, weight_bits, activation_bits)
    by_weight = booth_rows(activation, activation_bits, weight, weight_bits)
    by_activation = booth_rows(weight, weight_bits, activation, activation_bits)
    weight_first = sum(r.width for r in by_weight) <= sum(r.width for r in by_activation)
    return ProductPlan(
        structure,
        weight,
        activation,
        weight_bits,
        activation_bits,
        rows=by_weight if weight_first else by_activation,
        weight_is_multiplier=weight_first,
    )
