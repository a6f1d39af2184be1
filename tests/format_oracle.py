"""An encoder told from the list of values alone: what tests hold every format of codes against."""

from bisect import bisect_right
from fractions import Fraction
from itertools import pairwise

from hw.formats import MinifloatFormat, Rounding, Special, Specials, Stochastic

PREFERENCE = {
    Rounding.TOWARD_NEGATIVE: lambda point: point,
    Rounding.TOWARD_POSITIVE: lambda point: -point,
    Rounding.TOWARD_ZERO: abs,
}
TIES = {
    Rounding.TIES_TO_AWAY: lambda point: -abs(point),
    Rounding.TIES_TOWARD_ZERO: abs,
    Rounding.TIES_TOWARD_NEGATIVE: lambda point: point,
    Rounding.TIES_TOWARD_POSITIVE: lambda point: -point,
}


def finite_values(format):
    """The distinct finite values, ascending."""
    return sorted({value for value in format.values() if isinstance(value, Fraction)})


def trial_points(format):
    """Values, midpoints and their neighbours, and points beyond both ends."""
    finite = finite_values(format)
    points = set(finite)
    tiny = Fraction(1, 1 << 40) * Fraction(2) ** format.lsb_exponent
    for low, high in pairwise(finite):
        middle = (low + high) / 2
        points |= {middle, middle - tiny, middle + tiny, low + tiny, high - tiny, -middle}
    edge = max(abs(finite[0]), abs(finite[-1]))
    for factor in (Fraction(33, 32), Fraction(9, 8), Fraction(3, 2), Fraction(2), Fraction(10**9)):
        points |= {edge * factor, -edge * factor}
    return sorted(points)


def away_count(rest, mode):
    """How many of the 2^N random numbers of a stochastic mode take a magnitude's rest up."""
    scaled = rest * (1 << mode.bits)
    whole = scaled.numerator // scaled.denominator
    if mode.variant == "a":
        return whole
    if mode.variant == "b":
        return whole + (scaled - whole >= Fraction(1, 2))
    return round(scaled)  # Python's round is to even


class Oracle:
    """All modes of rounding with saturation, by searching the values."""

    def __init__(self, format):
        self.format = format
        self.table = {}
        for code in range(1 << format.bits):
            value = format.decode(code)
            if isinstance(value, Fraction):
                self.table.setdefault(value, code)
        self.points = sorted(self.table)

    def code(self, value, rounding, random=0):
        """The code of a rational number."""
        if value <= self.points[0] or value >= self.points[-1]:
            return self.table[self.points[0 if value <= self.points[0] else -1]]
        at = bisect_right(self.points, value)
        low, high = self.points[at - 1], self.points[at]
        chosen = low if low == value else self.choose(low, high, value, rounding, random)
        if chosen == 0 and value < 0 and getattr(self.format, "negative_zero", False):
            return 1 << (self.format.bits - 1)
        return self.table[chosen]

    def choose(self, low, high, value, rounding, random):
        """The neighbour a mode names, told by what it prefers: least first."""
        if isinstance(rounding, Stochastic):
            near, far = sorted((low, high), key=abs) if low * high >= 0 else (low, high)
            ups = away_count((value - near) / (far - near), rounding)
            return far if random >= (1 << rounding.bits) - ups else near
        straddles = low < 0 < high
        if rounding in PREFERENCE and not (straddles and rounding is Rounding.TOWARD_ZERO):
            return min((low, high), key=PREFERENCE[rounding])
        if straddles:
            middle = low + high == 2 * value
            down = rounding is Rounding.TIES_TOWARD_NEGATIVE
            near = min((low, high), key=lambda point: abs(point - value))
            return (low if down else high) if middle else near
        odd, even = self.odd_and_even(low, high)
        if rounding is Rounding.TO_ODD:
            return odd
        if value - low != high - value:
            return min((low, high), key=lambda point: abs(point - value))
        return even if rounding is Rounding.TIES_TO_EVEN else min((low, high), key=TIES[rounding])

    def odd_and_even(self, low, high):
        """What to_odd and ties_to_even prefer."""
        format = self.format
        if isinstance(format, MinifloatFormat) and format.fraction_bits == 0 and low * high:
            p3109 = format.specials in (Specials.FNUZ, Specials.EXTENDED) or not format.signed
            if not p3109:  # IEEE 754-2019, 4.3.1: of two odd digits, the larger is taken as even
                return sorted((low, high), key=abs)
        odd = [point for point in (low, high) if self.table[point] % 2]
        smaller = min(low, high, key=abs)
        if len(odd) != 1:
            return smaller, smaller
        return odd[0], low + high - odd[0]


def specials_of(format):
    """(code, special) of every code that is no number."""
    codes = ((code, format.special(code)) for code in range(1 << format.bits))
    return [(code, special) for code, special in codes if special is not None]


def same_special(format, code, special):
    """Whether a code means a special."""
    return isinstance(special, Special) and format.special(code) is special
