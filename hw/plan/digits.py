"""Floor 1c: radix-4 digits of a multiplier and the adder rows that select by them."""

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

    @classmethod
    def of(cls, bits: int, signed: bool) -> Bounds:
        """Return all values of a word."""
        return cls(-(1 << bits - 1), (1 << bits - 1) - 1) if signed else cls(0, (1 << bits) - 1)

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
class DigitSelection:
    """The multiple that the lowest digit selects, before the 1 of its negation is added.

    That digit has two bits, so two bits of the multiple are functions of the same five inputs: one
    LUT6_2. What is added for a negative multiple stays pending.

    Parameters
    ----------
    multiplicand_bits, multiplicand_signed
        The operand that is selected.
    inverts_zero
        Whether the digit 0 counts as negative: −1 with a pending 1 instead of 0.
    width
        Bits of the multiple, two's complement.

    """

    multiplicand_bits: int
    multiplicand_signed: bool
    inverts_zero: bool
    width: int

    @property
    def own_bits(self) -> int:
        """Bits that are functions of their own; above them only the sign goes on."""
        return self.multiplicand_bits + 1

    @property
    def luts(self) -> int:
        """LUT6_2 it takes: two functions each, the negation among them if it is no bare bit."""
        return -(-(self.own_bits + self.inverts_zero) // 2)

    def negates(self, digit: int) -> bool:
        """Whether the digit (its two bits as a number) inverts the multiple."""
        return digit >= 2 or (digit == 0 and self.inverts_zero)


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


def selected_rows(
    multiplicand: Bounds,
    multiplicand_bits: int,
    multiplier: Bounds,
    multiplier_bits: int,
    inverts_zero: bool,
) -> tuple[DigitSelection, tuple[BoothRow, ...], Bounds]:
    """Return the rows that add to a selected multiple, and the range of their sum.

    Every row holds the two's complement of what is added up so far, less the pending 1, so that
    its highest bit has a LUT of its own and the most negative operands need no bit more.
    """
    triples = booth_triples(multiplier_bits, multiplier.signed)
    words = []
    for j in range(len(triples)):
        reach = 1 << (2 * j + 1)
        part = multiplier if j == len(triples) - 1 else Bounds(-reach, reach - 1)
        words.append(_less_pending(multiplicand, part, inverts_zero))
    selection = DigitSelection(
        multiplicand_bits,
        multiplicand.signed,
        inverts_zero,
        max(words[0].bits, multiplicand_bits + (2 - multiplicand.signed)),
    )
    widths = [selection.width, *(word.bits - 2 * j for j, word in enumerate(words) if j)]
    rows = tuple(
        BoothRow(
            multiplicand_bits,
            multiplicand.signed,
            triples[j],
            max(widths[j - 1] - 2, 1),
            True,
            max(widths[j], 1),
        )
        for j in range(1, len(triples))
    )
    return selection, rows, words[-1]


def _less_pending(multiplicand: Bounds, multiplier: Bounds, inverts_zero: bool) -> Bounds:
    """Return the range of a product without the 1 that its lowest digit leaves pending."""
    found = []
    for digit in range(4):
        pending = digit >= 2 or (digit == 0 and inverts_zero)
        least = multiplier.low + (digit - multiplier.low) % 4
        most = multiplier.high - (multiplier.high - digit) % 4
        if least <= most:
            part = multiplicand * Bounds(least, most)
            found += [part.low - pending, part.high - pending]
    return Bounds(min(found), max(found))
