"""Floor 0: what formats given by a table of values share: decode, and encode by search.

Codebooks, P3109-like oddities, posits: any format of at most 16 bits whose finite values are
dyadic. A subclass gives `table()`; everything else follows from it.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from fractions import Fraction
from functools import lru_cache

from hw.formats.base import (
    Between,
    Format,
    Number,
    Overflow,
    Rounding,
    RoundingMode,
    Special,
    Stochastic,
    Value,
    classify,
    mirrored,
    rounds_away,
)


class TableFormat(Format):
    """A format given by the values of its codes.

    Subclasses are frozen dataclasses (hashable: tables are kept per format) that provide
    `bits`, `name` and `table`. Equal values of several codes (such as +0 and −0) encode to the
    lowest such code, unless the subclass overrides `encode`.

    Ties to even choose the neighbour whose code is even; where both or neither are, the one of
    smaller magnitude. Between a negative and a positive level with no zero between them (binary:
    −1 and +1), every mode but toward_negative, toward_positive and the stochastic ones goes to the
    nearest level, and the midpoint to the positive one (ties_toward_negative: to the other), so
    that sign(0) = +1; stochastic modes round up with a probability of the place in between.
    """

    __slots__ = ()

    @abstractmethod
    def table(self) -> tuple[Value, ...]:
        """Return the values of all codes, in code order."""

    @property
    def signed(self) -> bool:
        """Whether negative values exist."""
        return self.minimum_integer < 0

    @property
    def lsb_exponent(self) -> int:
        """Exponent of the finest step: every finite value is a multiple of 2 to this power."""
        return _facts(self).lsb_exponent

    @property
    def has_specials(self) -> bool:
        """Whether some codes are NaN or infinite."""
        return any(isinstance(value, Special) for value in self.table())

    @property
    def has_infinity(self) -> bool:
        """Whether the format has infinities."""
        return any(value in (Special.POS_INF, Special.NEG_INF) for value in self.table())

    def special(self, code: int) -> Special | None:
        """Return the special a code stands for, or None for a number."""
        value = self.table()[self.check_code(code)]
        return value if isinstance(value, Special) else None

    def integer(self, code: int) -> int:
        """Return the value of a code in units of ``2**lsb_exponent``; specials give 0."""
        value = self.table()[self.check_code(code)]
        return 0 if isinstance(value, Special) else int(value / Fraction(2) ** self.lsb_exponent)

    @property
    def maximum_integer(self) -> int:
        """Largest finite value in units of ``2**lsb_exponent``."""
        return int(_facts(self).levels[-1] / Fraction(2) ** self.lsb_exponent)

    @property
    def minimum_integer(self) -> int:
        """Smallest finite value in units of ``2**lsb_exponent``."""
        return int(_facts(self).levels[0] / Fraction(2) ** self.lsb_exponent)

    def levels(self) -> tuple[Fraction, ...]:
        """Return the finite values, ascending and distinct."""
        return _facts(self).levels

    def tie(self, index: int) -> Fraction:
        """Return where nearest modes tie between ``levels()[index]`` and the next level.

        The midpoint, unless the subclass rounds otherwise (posits round their code).
        """
        low, high = _facts(self).levels[index : index + 2]
        return (low + high) / 2

    def side_of_tie(self, value: Fraction, index: int) -> int:
        """Return -1, 0 or 1: a value is below, at or above ``tie(index)``."""
        tie = self.tie(index)
        return (value > tie) - (value < tie)

    def encode(
        self,
        value: Number | Special,
        rounding: RoundingMode = Rounding.TIES_TO_EVEN,
        overflow: Overflow = Overflow.SATURATE,
        random: int = 0,
    ) -> int:
        """Return the code of the level that `rounding` chooses; beyond the ends, `overflow`.

        Raises
        ------
        ValueError
            For NaN or an infinity without a code, or an overflow mode that is not SATURATE,
            SATURATE_PROPAGATE or TO_INFINITY.

        """
        exact = classify(value)
        facts = _facts(self)
        if overflow not in (Overflow.SATURATE, Overflow.SATURATE_PROPAGATE, Overflow.TO_INFINITY):
            raise ValueError(f"overflow {overflow.value} is for fixed point, not {self.name}")
        if isinstance(exact, Special):
            return self._code_of_special(exact, overflow)
        if not facts.levels[0] <= exact <= facts.levels[-1]:
            return self._code_beyond(exact > facts.levels[-1], overflow)
        return facts.codes[self._choose(exact, rounding, random)]

    def _choose(self, value: Fraction, rounding: RoundingMode, random: int) -> int:
        """Return the index of the level for a value between the ends."""
        facts = _facts(self)
        above = bisect_left(facts.levels, value)
        if facts.levels[above] == value:
            return above
        below = above - 1
        if facts.levels[below] < 0 < facts.levels[above]:
            return above if self._rises_over_zero(value, below, rounding, random) else below
        if value < 0:
            rounding, near, far = mirrored(rounding), above, below
        else:
            near, far = below, above
        place = self._place(value, near, far, linear=isinstance(rounding, Stochastic))
        between = Between(place, facts.codes[near], facts.codes[far])
        return far if between.goes_far(rounding, random) else near

    def _place(self, value: Fraction, near: int, far: int, linear: bool) -> Fraction:
        """Return the place of a value: 0 at level `near`, 1 at `far`; their tie at 1/2.

        Where not `linear`, only the side of the tie is told.
        """
        levels = _facts(self).levels
        if linear:
            return (value - levels[near]) / (levels[far] - levels[near])
        side = self.side_of_tie(value, min(near, far))
        return Fraction(2 + (side if far > near else -side), 4)

    def _rises_over_zero(
        self, value: Fraction, below: int, rounding: RoundingMode, random: int
    ) -> bool:
        """Whether a value between levels of opposite sign goes to the positive one."""
        low, high = _facts(self).levels[below : below + 2]
        if isinstance(rounding, Stochastic):
            return rounds_away((value - low) / (high - low), rounding, random)
        if rounding in (Rounding.TOWARD_NEGATIVE, Rounding.TOWARD_POSITIVE):
            return rounding is Rounding.TOWARD_POSITIVE
        side = self.side_of_tie(value, below)
        return side > 0 or (side == 0 and rounding is not Rounding.TIES_TOWARD_NEGATIVE)

    def _code_of_special(self, special: Special, overflow: Overflow) -> int:
        known = special in _facts(self).specials
        if special is Special.NAN or (known and overflow is not Overflow.SATURATE):
            if not known:
                raise ValueError(f"{self.name} has no code for {special.value}")
            return _facts(self).specials[special]
        return self._code_beyond(special is Special.POS_INF, overflow)

    def _code_beyond(self, positive: bool, overflow: Overflow) -> int:
        facts = _facts(self)
        if overflow is Overflow.TO_INFINITY:
            infinity = Special.POS_INF if positive else Special.NEG_INF
            for special in (infinity, Special.NAN):
                if special in facts.specials:
                    return facts.specials[special]
            raise ValueError(f"overflow to_infinity needs a format with specials, not {self.name}")
        return facts.codes[-1 if positive else 0]


class _Facts:
    """What follows from a table: ascending distinct levels, their codes, the specials' codes."""

    def __init__(self, table: tuple[Value, ...]) -> None:
        lowest: dict[Fraction, int] = {}
        self.specials: dict[Special, int] = {}
        for code, value in enumerate(table):
            if isinstance(value, Special):
                self.specials.setdefault(value, code)
            else:
                lowest.setdefault(value, code)
        self.levels = tuple(sorted(lowest))
        self.codes = tuple(lowest[level] for level in self.levels)
        self.lsb_exponent = _lsb_exponent(self.levels)


def _lsb_exponent(levels: tuple[Fraction, ...]) -> int:
    """Return the exponent of the largest power of two that divides all levels."""
    twos = max(level.denominator.bit_length() - 1 for level in levels)
    whole = 0
    for level in levels:
        whole |= abs(int(level * (1 << twos)))
    return (whole & -whole).bit_length() - 1 - twos if whole else 0


@lru_cache(maxsize=512)
def _facts(format: TableFormat) -> _Facts:
    return _Facts(format.table())
