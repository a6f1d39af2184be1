"""Floor 0: S2FP8: 8-bit floating point behind a shift and a squeeze of the logarithm."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from hw.formats.base import Special, Specials, Value, number_text
from hw.formats.logarithms import floor_log2, power
from hw.formats.minifloat import MinifloatFormat
from hw.formats.rules import Rule
from hw.formats.table import TableFormat

TARGET_EXPONENT = 15
"""Logarithm to base 2 that the largest magnitude of a tensor is taken to."""
_INNER = MinifloatFormat(5, 2, Specials.IEEE)
_FP32 = MinifloatFormat(8, 23, Specials.IEEE)
_LOG_BITS, _VALUE_BITS, _TIE_BITS = 160, 53, 100
_FIRST_BITS, _MOST_BITS = 64, 512
_LEAST_ALPHA, _MOST_ALPHA, _MOST_BETA = Fraction(1, 16), Fraction(64), Fraction(1024)


@dataclass(frozen=True, slots=True)
class SqueezedFormat(TableFormat):
    """``s2fp8<alpha,beta>``: the code of ``y = ±2^beta · |x|^alpha`` in FP8 1-5-2 (`e5m2`).

    A code with the value y of e5m2 means ``±(2^-beta · |y|)^(1/alpha)``; NaN and infinities stay
    what they are. These values are irrational as a rule: decoding gives the float64 nearest to
    each. Modes to nearest round y, exactly: the tie between neighbours is where y is at their
    midpoint in e5m2. The other modes go by the values. A power that equals the tie to 512 bits
    of its logarithm counts as equal.

    `parameters` gives alpha and beta of a tensor.

    Parameters
    ----------
    alpha
        1/16 to 64; dyadic.
    beta
        -1024 to 1024; dyadic. All values must be normal float64 numbers.

    Source: Cambier et al., "Shifted and Squeezed 8-bit Floating Point Format for Low-Precision
    Training of Deep Neural Networks", ICLR 2020, arXiv 2001.05674.

    """

    alpha: Fraction
    beta: Fraction

    def __post_init__(self) -> None:
        """Reject impossible parameters and make them exact."""
        for what in ("alpha", "beta"):
            exact = Fraction(getattr(self, what))
            if exact.denominator.bit_count() > 1:
                raise ValueError(f"{what} must be an integer over a power of two, not {exact}")
            object.__setattr__(self, what, exact)
        if not _LEAST_ALPHA <= self.alpha <= _MOST_ALPHA:
            raise ValueError(
                f"alpha lies in {float(_LEAST_ALPHA):g}..{_MOST_ALPHA}, not {float(self.alpha):g}"
            )
        if abs(self.beta) > _MOST_BETA:
            raise ValueError(f"beta lies in -1024..1024, not {float(self.beta):g}")
        ends = [(exponent - self.beta) / self.alpha for exponent in (-17, 16)]
        if not all(-1022 < end < 1023 for end in ends):
            raise ValueError(
                f"alpha {float(self.alpha):g} and beta {float(self.beta):g} reach from 2^"
                f"{float(ends[0]):g} to 2^{float(ends[1]):g}, beyond float64"
            )

    @property
    def bits(self) -> int:
        """Width of a code: 8."""
        return _INNER.bits

    @property
    def name(self) -> str:
        """``s2fp8<alpha,beta>``, both as exact decimals."""
        return f"s2fp8<{number_text(self.alpha)},{number_text(self.beta)}>"

    @property
    def slug(self) -> str:
        """Name with ``n`` for a minus sign and ``p`` for the point."""
        parts = (number_text(part).replace("-", "n").replace(".", "p") for part in self._key)
        return "_".join(["s2fp8", *parts])

    @property
    def _key(self) -> tuple[Fraction, Fraction]:
        return self.alpha, self.beta

    def table(self) -> tuple[Value, ...]:
        """Return the values of all codes, in code order."""
        return _table(self)

    def tie(self, index: int) -> Fraction:
        """Return the tie between neighbours within 2^-100 of itself; `encode` compares exactly."""
        sign, middle = _middle(index)
        return sign * self._unsqueezed(middle, _TIE_BITS)

    def side_of_tie(self, value: Fraction, index: int) -> int:
        """Return -1, 0 or 1: a value is below, at or above the tie."""
        sign, middle = _middle(index)
        if value == 0 or (value < 0) != (sign < 0):
            return -sign
        bits = _FIRST_BITS
        while bits <= _MOST_BITS:
            # alpha · log2 x + beta - log2 y in units of 2^-bits, each logarithm less than one off.
            scaled = self.alpha * floor_log2(abs(value), bits) + self.beta * (1 << bits)
            difference = scaled - floor_log2(middle, bits)
            if abs(difference) > self.alpha + 1:
                return sign if difference > 0 else -sign
            bits *= 2
        return 0

    def _unsqueezed(self, magnitude: Fraction, precision: int) -> Fraction:
        """Return ``(2^-beta · y)^(1/alpha)`` of a positive y, rounded to a precision in bits."""
        logarithm = floor_log2(magnitude, _LOG_BITS) - self.beta * (1 << _LOG_BITS)
        exact = magnitude.numerator.bit_count() == 1 and (logarithm / self.alpha).denominator == 1
        slack = 0 if exact else math.ceil(1 / self.alpha) + 1
        return power(math.floor(logarithm / self.alpha), _LOG_BITS, precision, slack)


def parameters(values: Iterable[float]) -> tuple[Fraction, Fraction]:
    """Return alpha and beta of a tensor, as binary32 numbers.

    ``alpha = 15 / (m - mu)`` and ``beta = -alpha · mu``, with mu the mean and m the largest of
    log2 |x| over all x but 0: then log2 |y| has the mean 0 and the maximum 15. Computed in
    float64; the codes depend on the parameters, but on no floating point beyond them.

    Raises
    ------
    ValueError
        For values that are not finite, or whose magnitudes are all equal or zero.

    """
    logarithms = []
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"the parameters of S2FP8 need finite values, not {value}")
        if value:
            logarithms.append(math.log2(abs(value)))
    if len(set(logarithms)) < 2:
        raise ValueError("S2FP8 needs two different magnitudes that are not 0")
    mean = math.fsum(logarithms) / len(logarithms)
    alpha = _single(TARGET_EXPONENT / (max(logarithms) - mean))
    return alpha, _single(-float(alpha) * mean)


def _single(value: float) -> Fraction:
    nearest = _FP32.decode(_FP32.encode(value))
    assert not isinstance(nearest, Special)  # encode saturates
    return nearest


def _middle(index: int) -> tuple[int, Fraction]:
    """Return the sign and the magnitude of y at the tie above level `index` of e5m2."""
    place = index - _INNER.maximum_code  # 0 is the level 0
    sign, near = (1, place) if place >= 0 else (-1, -place - 1)
    low, high = _INNER.decode(near), _INNER.decode(near + 1)
    assert not isinstance(low, Special)
    assert not isinstance(high, Special)  # both below the largest
    return sign, (low + high) / 2


@cache
def _table(format: SqueezedFormat) -> tuple[Value, ...]:
    values: list[Value] = []
    for y in _INNER.values():
        if isinstance(y, Special) or y == 0:
            values.append(y)
        else:
            magnitude = format._unsqueezed(abs(y), _VALUE_BITS)
            values.append(magnitude if y > 0 else -magnitude)
    return tuple(values)


def _named(match: re.Match[str]) -> SqueezedFormat:
    texts = (match[part].replace("n", "-").replace("p", ".") for part in ("alpha", "beta"))
    alpha, beta = map(Fraction, texts)
    return SqueezedFormat(alpha, beta)


_DECIMAL = r"[-n]?\d+(?:[.p]\d+)?"
RULES = (Rule(re.compile(rf"s2fp8[<_](?P<alpha>{_DECIMAL})[,_](?P<beta>{_DECIMAL})>?"), _named),)
