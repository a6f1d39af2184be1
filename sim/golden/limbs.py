"""Floor 2b: arrays of 128-bit two's complement numbers, as two 64-bit words each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]
Indices = NDArray[np.intp]

_LOW32 = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


@dataclass(frozen=True, slots=True, eq=False)
class Wide:
    """Numbers modulo 2^128: ``low + 2^64 · high``, two arrays of one shape."""

    low: Words
    high: Words

    @classmethod
    def of(cls, values: Integers) -> Wide:
        """Widen signed 64-bit integers."""
        values = np.ascontiguousarray(values)
        return cls(values.view(np.uint64), (values >> 63).view(np.uint64))

    @classmethod
    def of_ints(cls, values: Sequence[int]) -> Wide:
        """Take Python integers."""
        mask = (1 << 64) - 1
        low = np.array([value & mask for value in values], np.uint64)
        return cls(low, np.array([value >> 64 & mask for value in values], np.uint64))

    def __add__(self, other: Wide) -> Wide:
        low = self.low + other.low
        return Wide(low, self.high + other.high + (low < self.low))

    def __lshift__(self, bits: int) -> Wide:
        if bits == 0:
            return self
        if bits >= 64:
            return Wide(np.zeros_like(self.low), self.low << np.uint64(bits - 64))
        up = self.low >> np.uint64(64 - bits)
        return Wide(self.low << np.uint64(bits), self.high << np.uint64(bits) | up)

    def wrapped(self, bits: int) -> Wide:
        """Read the lowest `bits` bits as two's complement."""
        if bits <= 64:
            return Wide.of(sign_extended(self.low.view(np.int64), bits))
        high = sign_extended(self.high.view(np.int64), bits - 64)
        return Wide(self.low, high.view(np.uint64))

    def differs(self, other: Wide) -> NDArray[np.bool_]:
        """Compare element by element."""
        return np.asarray((self.low != other.low) | (self.high != other.high))

    def delayed(self, starts: Indices) -> Wide:
        """Return each number's predecessor, 0 at the `starts` of runs."""
        return Wide(delayed(self.low, starts), delayed(self.high, starts))

    def running(self, starts: Indices) -> Wide:
        """Return running sums within runs (at most 2^31 numbers)."""
        digits = (self.low & _LOW32, self.low >> _32, self.high & _LOW32, self.high >> _32)
        first, second, third, fourth = (running(digit, starts) for digit in digits)
        second = second + (first >> _32)
        third = third + (second >> _32)
        fourth = fourth + (third >> _32)
        return Wide(first & _LOW32 | second << _32, third & _LOW32 | fourth << _32)

    def rounded(self, odd: bool = False) -> NDArray[np.float64]:
        """Return float64 numbers, rounded once, ties to even; or to odd."""
        negative = self.high >> np.uint64(63) > 0
        low = np.where(negative, ~self.low + np.uint64(1), self.low)
        high = np.where(negative, ~self.high + (low == 0), self.high)
        # The leading 64 bits, the last of which also stands for all that follow.
        length = np.frexp(high.astype(np.float64))[1].astype(np.uint64)
        length = length - (high >> np.maximum(length, 1) - np.uint64(1) == 0) * (length > 0)
        up = np.uint64(64) - length
        some = length > 0
        lead = np.where(some, high << np.minimum(up, 63) | low >> np.minimum(length, 63), low)
        rest = np.where(some, low << np.minimum(up, 63) != 0, False)
        lead = np.where(length == 64, high, lead)
        rest = np.where(length == 64, low != 0, rest)
        lead |= rest
        if odd:
            far = (lead >> np.uint64(53) > 0) * np.uint64(11)
            lost = lead & ((np.uint64(1) << far) - np.uint64(1)) != 0
            lead, length = lead >> far | lost, length + far
        values: NDArray[np.float64] = np.ldexp(lead.astype(np.float64), length.astype(np.int32))
        return np.asarray(np.where(negative, -values, values))

    def limbs(self, count: int) -> Words:
        """Return words, lowest first, along a new last axis."""
        return np.stack((self.low, self.high)[:count], axis=-1)


def sign_extended(values: Integers, bits: int) -> Integers:
    """Read the lowest `bits` bits of 64-bit words as two's complement."""
    shift = 64 - bits
    return values if shift <= 0 else np.asarray(values << shift >> shift)


def running(values: NDArray[Any], starts: Indices) -> NDArray[Any]:
    """Return running sums modulo 2^64 that begin anew at the `starts`; the first start is 0."""
    sums = np.cumsum(values, dtype=values.dtype)
    before = np.zeros(len(starts), values.dtype)
    before[1:] = sums[starts[1:] - 1]
    sums -= np.repeat(before, np.diff(starts, append=len(values)))
    return sums


def running_any(values: NDArray[np.bool_], starts: Indices) -> NDArray[np.bool_]:
    """Whether a value of the run has been true so far."""
    if not values.any():
        return values
    return np.asarray(running(values.astype(np.int64), starts) > 0)


def delayed(values: NDArray[Any], starts: Indices) -> NDArray[Any]:
    """Return each value's predecessor, 0 at the `starts` of runs."""
    result = np.empty_like(values)
    result[1:] = values[:-1]
    result[starts] = 0
    return result


def limb_ints(limbs: Words) -> list[int]:
    """Return Python integers from words, lowest first along the last axis, two's complement."""
    count = limbs.shape[-1]
    rows = limbs.reshape(-1, count).tolist()
    if count == 1:
        return [low - (low >> 63 << 64) for (low,) in rows]
    return [low + (high << 64) - (high >> 63 << 128) for low, high in rows]
