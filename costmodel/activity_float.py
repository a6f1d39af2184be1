"""Floor 2c: what toggles in a floating accumulator: its modules over a sample of sums.

What the sum was before each step is given. Everything between it, the addend and the next code runs
as the plan says: distance, levels to the right, the row, the digits of the count, levels to the
left, the rounding row, the choice. LUTs beside the nets that are named toggle like those their
module reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costmodel import floating
from costmodel.activity_planes import (
    Plane,
    Statistics,
    Tally,
    extended,
    planes_of,
)
from costmodel.activity_rows import any_of, constant, summed
from costmodel.coefficients import Coefficients
from costmodel.float_result import result, wide_gate
from costmodel.normalize import dropped_luts, leading_luts, left_luts
from hw.plan import FloatAccumulatePlan, LeftLevel, RightLevel

NAME = "floating accumulator"


@dataclass(frozen=True, slots=True)
class FloatStep:
    """What a floating accumulator is given in every step.

    Parameters
    ----------
    addend
        Nets of S.
    negate
        Its sign beside it, 0 where it has none.
    exponent
        Nets of the exponent port; none where it does not vary.
    state
        Codes of the sum before every step, shape (streams, steps).
    all_negative
        Whether every product has a minus sign, zeros included.

    """

    addend: Sequence[Plane]
    negate: Plane
    exponent: Sequence[Plane]
    state: NDArray[np.int64]
    all_negative: Plane = 0


class FloatSum:
    """A floating accumulator over a sample.

    Parameters
    ----------
    tally
        Where toggles are counted.
    plan, target
        The accumulator, and what its parts cost.

    """

    def __init__(self, tally: Tally, plan: FloatAccumulatePlan, target: Coefficients) -> None:
        self.tally, self.plan, self.target = tally, plan, target
        self.ones = tally.scope.ones

    def run(self, step: FloatStep, given: Statistics) -> list[Plane]:
        """Count everything from the addend to the registers; return the code after each step."""
        plan = self.plan
        state = planes_of(step.state, plan.bits)
        field = state[plan.format.fraction_bits : -1]
        normal = any_of(field)
        self._count("normal", (normal,), wide_gate(len(field), self.target), field)
        word, sticky, distance, above, limit = self._aligned(step, state, field, normal)
        subtract = state[-1] ^ step.negate
        if plan.relative:
            self._count("control", (subtract,))
        total = self._sum(step, word, distance, subtract, sticky)
        raw = total[-1]
        padded = [*[0] * plan.tail_bits, *total[:-1]]
        count, kept, guard, dropped = self._normalised(padded, raw, limit)
        below = dropped | sticky
        rounded = self._rounded(count, kept, guard, below, raw, limit)
        negative = raw
        if plan.relative:
            zero = self.ones ^ any_of([*kept, guard, below])
            self._count("zero", (zero,), wide_gate(plan.precision + 2, self.target), kept)
            negative = self._either(step.negate, (self.ones ^ raw) & (self.ones ^ zero), raw)
            self._count("control", (negative,))
        if plan.negative_zero:
            negative |= step.all_negative & state[-1]
        keep = above
        if plan.zero_apart:
            zero = self.ones ^ any_of(step.addend)
            luts = wide_gate(plan.addend.bits, self.target)
            self._count("zero", (zero,), luts, step.addend)
            keep |= zero
        following = self._chosen(rounded, negative, keep, state)
        self.tally.add("register/registers/state", state)
        if plan.total_on_last:
            density = self.tally.scope.toggles(following) / len(following)
            self.tally.put("register/registers/ends", density * plan.bits / given.steps)
        else:
            self.tally.add("register/registers/total", following)
            self.tally.put("register/registers/ends", 2 / given.steps)
        return following

    def _count(
        self,
        nets: str,
        outputs: Sequence[Plane],
        luts: float | None = None,
        inner: Sequence[Plane] = (),
    ) -> None:
        """Count a module's outputs; LUTs beside them toggle as the inner nets do."""
        name = f"{NAME}/logic/{nets}"
        self.tally.add(name, outputs)
        if luts is not None:
            more = max(luts - len(outputs), 0.0)
            density = self.tally.scope.toggles(inner) / max(len(inner), 1)
            self.tally.put(f"{name} beside", more * density)

    def _either(self, select: Plane, one: Plane, other: Plane) -> Plane:
        return other ^ (select & (one ^ other))

    def _aligned(
        self, step: FloatStep, state: list[Plane], field: list[Plane], normal: Plane
    ) -> tuple[list[Plane], Plane, list[Plane], Plane, list[Plane]]:
        """Return the word before the last level, the sticky bit, distance, above, the limit."""
        plan, ones = self.plan, self.ones
        width = plan.difference_bits
        exponent = [field[0] | (ones ^ normal), *field[1:]]
        inverted = [bit ^ ones for bit in extended(exponent, width, False)]
        reference = constant(plan.highest, width, ones)
        limit = constant(plan.highest, plan.highest_bits, ones)
        if plan.exponent_bits:
            anchor = constant(plan.anchor, width, ones)
            own = extended(step.exponent, width, False)
            reference = summed(self.tally, NAME, own, anchor, 0, self.target)
            limit = reference[: plan.highest_bits]
        exact = summed(self.tally, NAME, reference, inverted, ones, self.target, ())
        size = plan.distance_bits
        distance, above = exact[:size], 0
        if plan.may_pass_above:
            above = exact[-1]
        rest = exact[size : width - plan.may_pass_above]
        far = bool(rest) and plan.exponent_bits > 0 and (plan.highest - 1) >> size > 0
        if far or plan.may_pass_above:
            beyond = any_of(rest) if far else 0
            distance = [(bit | beyond) & (ones ^ above) for bit in distance]
            self._count("distance", distance)
        word = [*state[: plan.format.fraction_bits], normal]
        *levels, last = plan.align_levels
        for level in levels:
            before, word = word, self._right(level, word, distance)
            self._count("right", word, floating.right_luts(level, self.target), before)
        sticky = 0
        if plan.loses_bits:
            sticky = self._lost(last, word, distance)
            self._count("sticky", (sticky,), floating.lost_luts(plan, self.target), word)
        return word, sticky, distance, above, limit

    def _right(
        self, level: RightLevel, word: Sequence[Plane], distance: Sequence[Plane]
    ) -> list[Plane]:
        full = level.bits_in + (((1 << level.bits) - 1) << level.low_bit)
        size = max(full, level.width)
        shifted = [*[0] * (size - level.bits_in), *word]
        for bit in range(level.low_bit, level.low_bit + level.bits):
            moved = extended(shifted[1 << bit :], size, False)
            shifted = [
                self._either(distance[bit], a, b) for a, b in zip(moved, shifted, strict=True)
            ]
        return shifted[size - level.width :]

    def _lost(self, level: RightLevel, word: Sequence[Plane], distance: Sequence[Plane]) -> Plane:
        """Return whether a bit that is set leaves at the right."""
        bits, step = list(reversed(word)), 1 << level.low_bit
        selects = distance[level.low_bit : level.low_bit + level.bits]
        found = any_of(bits[level.width :])
        for i in range(1, 1 << level.bits):
            low, high = max(level.width - i * step, 0), max(level.width - (i - 1) * step, 0)
            found |= any_of(bits[low:high]) & self._at_least(selects, i)
        return found

    def _at_least(self, selects: Sequence[Plane], least: int) -> Plane:
        """Return whether a number is at least so much."""
        found = 0
        for value in range(least, 1 << len(selects)):
            found |= self._equals(selects, value)
        return found

    def _equals(self, selects: Sequence[Plane], value: int) -> Plane:
        found = self.ones
        for i, select in enumerate(selects):
            found &= select if value >> i & 1 else self.ones ^ select
        return found

    def _sum(
        self,
        step: FloatStep,
        word: list[Plane],
        distance: list[Plane],
        subtract: Plane,
        sticky: Plane,
    ) -> list[Plane]:
        plan, width = self.plan, self.plan.sum_bits
        level = plan.align_levels[-1]
        aligned = extended(self._right(level, word, distance), width, False)
        term = [bit ^ subtract for bit in aligned]
        wide = extended(step.addend, width - plan.extension, plan.addend.signed)
        left = [*[0] * plan.extension, *wide]
        carry = subtract & (self.ones ^ sticky)
        found = summed(self.tally, NAME, left, term, carry, self.target, term[: plan.aligned_bits])
        cost = floating.aligned_sum(plan, self.target)
        name = f"{NAME}/logic/aligned beside"
        density = self.tally.scope.toggles(aligned) / len(aligned)
        self.tally.put(name, max(float(cost.lut) - width, 0.0) * density)
        return found

    def _normalised(
        self, word: list[Plane], sign: Plane, limit: list[Plane]
    ) -> tuple[list[Plane], list[Plane], Plane, Plane]:
        """Return the count, the kept bits, the rounding bit and whether lower ones are set."""
        plan, ones = self.plan, self.ones
        held = ones
        if plan.exponent_bits and plan.highest_bits > plan.count_bits:
            held = ones ^ any_of(limit[plan.count_bits :])
        digits: list[Plane] = []
        dropped = 0
        for number, level in enumerate(plan.normalize_levels):
            own = limit[level.low_bit : level.low_bit + level.bits]
            own += [0] * (level.bits - len(own))
            digit, held, unlike = self._digit(level, word, sign, own, held)
            luts = leading_luts(plan, number, self.target)
            self._count("digit", [*digit, held] if plan.limits_count else digit, luts, unlike)
            digits = [*digit, *digits]
            lost = word[: level.bits_in - level.width]
            before, word = word, self._left(level, word, digit)
            self._count("left", word, left_luts(level, self.target), before)
            if lost:
                sticky = self._dropped(level, lost, digit)
                self._count("sticky", (sticky,), dropped_luts(level, self.target), lost)
                dropped |= sticky
        precision = plan.precision
        below = word[: len(word) - precision]
        guard = below[-1] if below else 0
        return digits, word[len(word) - precision :], guard, dropped | any_of(below[:-1])

    def _digit(
        self,
        level: LeftLevel,
        word: list[Plane],
        sign: Plane,
        limit: list[Plane],
        held: Plane,
    ) -> tuple[list[Plane], Plane, list[Plane]]:
        """Return a digit of the count, whether all so far are the limit's, groups unlike."""
        last = (1 << level.bits) - 1
        top = list(reversed(word))
        groups = [top[i * level.step : (i + 1) * level.step] for i in range(last)]
        unlike = [any_of([bit ^ sign for bit in group]) for group in groups]
        first, before = [], self.ones
        for plane in unlike:
            first.append(before & plane)
            before &= self.ones ^ plane
        first.append(before)
        digit = [any_of([p for v, p in enumerate(first) if v >> i & 1]) for i in range(level.bits)]
        if not self.plan.limits_count:
            return digit, held, unlike
        larger = 0
        for value, plane in enumerate(first):
            smaller = any_of([self._equals(limit, v) for v in range(value)])
            larger |= plane & smaller
        take = held & larger
        digit = [self._either(take, b, a) for a, b in zip(digit, limit, strict=True)]
        same = self.ones ^ any_of([a ^ b for a, b in zip(digit, limit, strict=True)])
        return digit, held & same, unlike

    def _left(self, level: LeftLevel, word: list[Plane], digit: list[Plane]) -> list[Plane]:
        for bit in range(level.bits):
            places = 1 << (level.low_bit + bit)
            moved = [*[0] * places, *word][: len(word)]
            word = [self._either(digit[bit], a, b) for a, b in zip(moved, word, strict=True)]
        return word[level.bits_in - level.width :]

    def _dropped(self, level: LeftLevel, lost: list[Plane], digit: list[Plane]) -> Plane:
        bits, step, last = list(reversed(lost)), level.step, (1 << level.bits) - 1
        found = 0
        for i in range(last + 1):
            group = bits[i * step :] if i == last else bits[i * step : (i + 1) * step]
            found |= any_of(group) & (self.ones ^ self._at_least(digit, i + 1))
        return found

    def _rounded(
        self,
        count: list[Plane],
        kept: list[Plane],
        guard: Plane,
        below: Plane,
        sign: Plane,
        limit: list[Plane],
    ) -> list[Plane]:
        """Return field and fraction after rounding."""
        plan, ones = self.plan, self.ones
        inverted = [bit ^ ones for bit in extended(count, plan.highest_bits, False)]
        field = summed(self.tally, NAME, limit, inverted, ones, self.target, ())
        odd, hidden = kept[0] ^ sign, kept[-1] ^ sign
        minus = (ones ^ guard) | ((ones ^ below) & odd)
        up = self._either(sign, minus, guard & (below | odd))
        self._count("control", (up, hidden))
        fraction = [bit ^ sign for bit in kept[:-1]]
        word = [*fraction, *[bit & hidden for bit in field]]
        other = [*[0] * len(fraction), hidden]
        width = plan.rounded_bits
        return summed(
            self.tally,
            NAME,
            extended(other, width, False),
            extended(word, width, False),
            up,
            self.target,
            word,
        )

    def _chosen(
        self, rounded: list[Plane], negative: Plane, keep: Plane, state: list[Plane]
    ) -> list[Plane]:
        """Return the code: rounded, unchanged, or what stands for overflow."""
        plan, ones = self.plan, self.ones
        format = plan.format
        top = format.maximum_code + format.has_infinity
        over = self._beyond(rounded, format.maximum_code) & (ones ^ keep)
        if format.has_infinity:
            infinite = self._beyond(state[:-1], format.maximum_code)
            over |= infinite
            keep |= infinite
        magnitude = [self._either(keep, a, b) for a, b in zip(state[:-1], rounded, strict=False)]
        magnitude = [
            self._either(over, ones if top >> i & 1 else 0, bit) for i, bit in enumerate(magnitude)
        ]
        code = [*magnitude, self._either(keep, state[-1], negative)]
        luts = float(result(plan, self.target).lut)
        self._count("code", code, luts, rounded)
        return code

    def _beyond(self, word: list[Plane], most: int) -> Plane:
        """Return whether a word is larger than a constant."""
        found = 0
        for i, bit in enumerate(word):
            found = bit & found if most >> i & 1 else bit | found
        return found
