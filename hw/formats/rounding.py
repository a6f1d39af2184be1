"""Floor 0: the modes of rounding and overflow, and exact rounding on Python integers."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from fractions import Fraction


class Rounding(enum.Enum):
    """How a value between two neighbours of a format is resolved."""

    TIES_TO_EVEN = "ties_to_even"
    TIES_TO_AWAY = "ties_to_away"
    TIES_TOWARD_ZERO = "ties_toward_zero"
    TIES_TOWARD_NEGATIVE = "ties_toward_negative"
    TIES_TOWARD_POSITIVE = "ties_toward_positive"
    TOWARD_ZERO = "toward_zero"
    TOWARD_NEGATIVE = "toward_negative"
    TOWARD_POSITIVE = "toward_positive"
    TO_ODD = "to_odd"


@dataclass(frozen=True, slots=True)
class Stochastic:
    """Stochastic rounding of IEEE P3109: away from zero with a probability, by N random bits.

    With ``nu`` the part of a magnitude beyond its last kept bit and R a random integer of
    ``0 … 2^N - 1``, the magnitude rounds up where

    - a: ``floor(nu·2^N) + R >= 2^N``,
    - b: ``floor(nu·2^(N+1)) + 2R + 1 >= 2^(N+1)``,
    - c: ``ties_to_even(nu·2^N) + R >= 2^N``.

    Parameters
    ----------
    variant
        "a", "b" or "c".
    bits
        N, 1 to 32.

    Source: IEEE P3109 interim report 4.0 (draft).

    """

    variant: str
    bits: int

    def __post_init__(self) -> None:
        """Reject unknown variants and impossible widths."""
        if self.variant not in ("a", "b", "c"):
            raise ValueError(f"stochastic rounding is variant a, b or c, not {self.variant!r}")
        if not 1 <= self.bits <= 32:
            raise ValueError(f"stochastic rounding takes 1..32 random bits, not {self.bits}")


RoundingMode = Rounding | Stochastic


class Overflow(enum.Enum):
    """What happens to a rounded value beyond the largest finite one.

    SATURATE takes infinities to the largest finite value too (P3109 SatFinite);
    SATURATE_PROPAGATE keeps them where the format has them (SatPropagate); TO_INFINITY is IEEE 754
    and P3109 SatNone (see `hw.formats.p3109`), NaN in formats without infinity.
    The others are those of fixed point in high-level synthesis (see `hw.formats.hls`): SAT_SYM,
    SAT_ZERO, WRAP, WRAP_SM.
    """

    SATURATE = "saturate"
    SATURATE_SYMMETRIC = "saturate_symmetric"
    SATURATE_PROPAGATE = "saturate_propagate"
    TO_ZERO = "to_zero"
    TO_INFINITY = "to_infinity"
    WRAP = "wrap"
    WRAP_SIGN_MAGNITUDE = "wrap_sign_magnitude"


def round_to_integer(value: Fraction, rounding: RoundingMode, random: int = 0) -> int:
    """Round an exact rational to an integer.

    Parameters
    ----------
    value
        Any rational number.
    rounding
        The direction; the modes named ties round to nearest.
    random
        R of stochastic rounding, ``0 … 2^bits - 1``; no other mode reads it.

    """
    floor = math.floor(value)
    rest = value - floor
    if rest == 0:
        return floor
    if isinstance(rounding, Stochastic):
        magnitude = math.floor(abs(value))
        away = magnitude + rounds_away(abs(value) - magnitude, rounding, random)
        return away if value > 0 else -away
    match rounding:
        case Rounding.TOWARD_NEGATIVE:
            return floor
        case Rounding.TOWARD_POSITIVE:
            return floor + 1
        case Rounding.TOWARD_ZERO:
            return floor if floor >= 0 else floor + 1
        case Rounding.TO_ODD:
            return floor if floor % 2 else floor + 1
    half = Fraction(1, 2)
    if rest != half:
        return floor + (rest > half)
    match rounding:
        case Rounding.TIES_TO_AWAY:
            return floor + (floor >= 0)
        case Rounding.TIES_TOWARD_ZERO:
            return floor + (floor < 0)
        case Rounding.TIES_TOWARD_NEGATIVE:
            return floor
        case Rounding.TIES_TOWARD_POSITIVE:
            return floor + 1
    return floor + floor % 2


def rounds_away(rest: Fraction, rounding: Stochastic, random: int) -> bool:
    """Whether stochastic rounding takes a magnitude with this rest (0 <= rest < 1) up by one."""
    if not 0 <= random < 1 << rounding.bits:
        raise ValueError(f"R lies in 0..{(1 << rounding.bits) - 1}, not {random}")
    whole = 1 << rounding.bits
    match rounding.variant:
        case "a":
            return math.floor(rest * whole) + random >= whole
        case "b":
            return math.floor(rest * 2 * whole) + 2 * random + 1 >= 2 * whole
    return round_to_integer(rest * whole, Rounding.TIES_TO_EVEN) + random >= whole


@dataclass(frozen=True, slots=True)
class Between:
    """A magnitude strictly between two neighbours that are not simply floor and floor + 1.

    Parameters
    ----------
    rest
        Its place: 0 at the neighbour nearer to zero, 1 at the farther one.
    near_code, far_code
        Codes of the neighbours. The even one wins ties to even; where both or neither are even,
        the nearer to zero does. To odd goes to the odd one, likewise.

    """

    rest: Fraction
    near_code: int
    far_code: int

    def goes_far(self, rounding: RoundingMode, random: int = 0) -> bool:
        """Whether the magnitude goes to the neighbour farther from zero.

        Directions are those of the magnitude: mirror the mode for negative values.
        """
        if isinstance(rounding, Stochastic):
            return rounds_away(self.rest, rounding, random)
        match rounding:
            case Rounding.TOWARD_ZERO | Rounding.TOWARD_NEGATIVE:
                return False
            case Rounding.TOWARD_POSITIVE:
                return True
            case Rounding.TO_ODD:
                return self.far_code % 2 > self.near_code % 2
        if self.rest != Fraction(1, 2):
            return self.rest > Fraction(1, 2)
        match rounding:
            case Rounding.TIES_TO_AWAY | Rounding.TIES_TOWARD_POSITIVE:
                return True
            case Rounding.TIES_TOWARD_ZERO | Rounding.TIES_TOWARD_NEGATIVE:
                return False
        return self.far_code % 2 < self.near_code % 2


def mirrored(rounding: RoundingMode) -> RoundingMode:
    """Return the mode that rounds a magnitude as `rounding` rounds its negative."""
    return rounding if isinstance(rounding, Stochastic) else _MIRROR.get(rounding, rounding)


_MIRROR = {
    Rounding.TOWARD_NEGATIVE: Rounding.TOWARD_POSITIVE,
    Rounding.TOWARD_POSITIVE: Rounding.TOWARD_NEGATIVE,
    Rounding.TIES_TOWARD_NEGATIVE: Rounding.TIES_TOWARD_POSITIVE,
    Rounding.TIES_TOWARD_POSITIVE: Rounding.TIES_TOWARD_NEGATIVE,
}
