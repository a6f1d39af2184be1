"""Floor 1c: what the codes of a weight are worth, as a few signed powers of two each.

A value is written with the ones of its magnitude, or in canonical signed digits (Reitwiesner,
Binary arithmetic, 1960). The digits of all codes are dealt to slots: by their rank, so that each
code has at most one digit in a slot, or by where they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hw.formats.khot import signed_digits

Digits = list[tuple[int, int]]
"""Signs and places of a value, most significant first."""
MOST_RANKS = 3
"""Digits of a value that are dealt by rank."""
WINDOW = 2
"""Places side by side of which canonical signed digits use at most one."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Digits that are added by the same hardware. Sets of codes are integers, bit i for code i.

    Parameters
    ----------
    at
        Places, ascending, and the codes with a digit there.
    negative
        Codes whose digits count negatively.
    signed_where
        Codes for which `negative` matters.

    """

    at: tuple[tuple[int, int], ...]
    negative: int
    signed_where: int

    @property
    def hot(self) -> int:
        """Codes with any digit here."""
        found = 0
        for _, codes in self.at:
            found |= codes
        return found

    @property
    def single(self) -> bool:
        """Whether no code has two digits here."""
        return self.hot.bit_count() == sum(codes.bit_count() for _, codes in self.at)

    @property
    def base(self) -> int:
        """Lowest place."""
        return self.at[0][0]

    @property
    def reach(self) -> int:
        """Places above the lowest one."""
        return self.at[-1][0] - self.base


Deal = Callable[[int, int, int], int]
"""From the digits above, the digits below and the place of a digit to the number of its slot."""


def schemes(values: Sequence[int]) -> tuple[tuple[Slot, ...], ...]:
    """Return ways to deal the digits of the values of all codes to slots, at least one.

    Raises
    ------
    ValueError
        If all values are 0.

    """
    if not any(values):
        raise ValueError("a weight has a value that is not 0")
    found: list[tuple[Slot, ...]] = []
    for digits_of in (_ones, signed_digits):
        digits = [digits_of(value) for value in values]
        common = digits_of is _ones
        for deal in _deals(max(map(len, digits)), common):
            slots = _dealt(digits, deal, common)
            if slots not in found and all(slot.single or common for slot in slots):
                found.append(slots)
    return tuple(found)


def _deals(most: int, common: bool) -> tuple[Deal, ...]:
    """Return ways to deal values of at most so many digits, whose sign may be common."""
    ranks: tuple[Deal, ...] = (lambda above, _below, _place: above, lambda _above, below, _: below)
    windows: tuple[Deal, ...] = (lambda _above, _below, place: place // WINDOW,)
    whole: tuple[Deal, ...] = (lambda _above, _below, _place: 0,)
    return (ranks if most <= MOST_RANKS else ()) + windows + (whole if common else ())


def _ones(value: int) -> Digits:
    sign = -1 if value < 0 else 1
    return [(sign, p) for p in reversed(range(abs(value).bit_length())) if abs(value) >> p & 1]


def _dealt(digits: Sequence[Digits], deal: Deal, common: bool) -> tuple[Slot, ...]:
    """Return the slots; a common sign is told for all values but 0."""
    at: dict[int, dict[int, int]] = {}
    negative: dict[int, int] = {}
    for code, found in enumerate(digits):
        for rank, (sign, place) in enumerate(found):
            number = deal(rank, len(found) - 1 - rank, place)
            here = at.setdefault(number, {})
            here[place] = here.get(place, 0) | 1 << code
            negative[number] = negative.get(number, 0) | (sign < 0) << code
    told = sum(1 << code for code, found in enumerate(digits) if found)
    minus = sum(1 << code for code, found in enumerate(digits) if found and found[0][0] < 0)
    slots = [Slot(tuple(sorted(at[n].items())), negative[n], 0) for n in sorted(at)]
    return tuple(
        Slot(s.at, minus, told) if common else Slot(s.at, s.negative, s.hot) for s in slots
    )
