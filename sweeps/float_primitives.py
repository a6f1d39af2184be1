"""Floor 4: small modules of floating accumulators whose mapped size no rule gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from amaranth.lib import wiring

from costmodel.float_result import RESULT_FRACTIONS, result_key
from costmodel.normalize import dropped_key, leading_key
from hw.formats import MinifloatFormat, Specials, parse_element
from hw.formats.minifloat import MAXIMUM_FRACTION_BITS
from hw.plan import Bounds, FloatAccumulatePlan, LeftLevel
from hw.rtl.floating import FloatClassifier
from hw.rtl.rounding import FloatResult, LeadingDigit, LeftSticky
from hw.target import Target

Found = Iterator[tuple[str, wiring.Component, bool]]

LOOKED = {
    (1, 1): (1,),
    (1, 2): (2, 3),
    (4, 1): (4,),
    (4, 2): range(9, 13),
    (16, 1): (16,),
    (16, 2): range(33, 49),
    (64, 1): (64,),
}
"""Bits a leading digit looks at, for each step and number of bits of the digit."""
DROPPED = {
    (1, 1): range(1, 3),
    (1, 2): range(1, 4),
    (4, 1): range(1, 13),
    (4, 2): range(1, 16),
    (16, 1): range(1, 41),
    (16, 2): range(1, 61),
    (64, 1): range(1, 41),
}
"""Bits a level of the normalisation drops."""
EXPONENT_BITS = range(3, 9)
WIDEST_FIELD = 10
WIDEST_ACCUMULATOR = 32
USUAL = ((8, 7), (4, 3))
"""Exponent and fraction bits of bfloat16 and E4M3, whose fractions lie between those measured."""
CLASSIFIED = ("fp32", "fp16", "bfloat16", "tf32", "e5m2", "e4m3", "e4m3fn")


@dataclass(frozen=True, slots=True)
class _Digit:
    """What `LeadingDigit` reads of a plan: one level and how its digit is limited."""

    normalize_levels: tuple[LeftLevel, ...]
    limits_count: bool
    exponent_bits: int
    highest: int


def leading_digits(target: Target) -> Found:
    """Yield digits of the count of leading bits, limited in every way there is."""
    for (step, bits), widths in LOOKED.items():
        for looked in widths:
            level = LeftLevel(step.bit_length() - 1, bits, looked, looked)
            modes = ["free", "port"]
            modes += [f"const{c}{h}" for c in range(1 << bits) for h in ("", "h")]
            for mode in modes:
                yield leading_key(level, mode), _leading(level, mode), False


def _leading(level: LeftLevel, mode: str) -> LeadingDigit:
    """Return a leading digit whose limit is as `costmodel.normalize.digit_mode` names it."""
    number = 0 if mode[-1].isdigit() else 1
    constant = int(mode[5]) << level.low_bit if mode.startswith("const") else 0
    made = _Digit((level,) * (number + 1), mode != "free", int(mode == "port"), constant)
    return LeadingDigit(cast(Any, made), number)


def dropped_bits(target: Target) -> Found:
    """Yield sticky bits of what a level of the normalisation drops."""
    for (step, bits), counts in DROPPED.items():
        for dropped in counts:
            level = LeftLevel(step.bit_length() - 1, bits, dropped + 1, 1)
            yield dropped_key(level), LeftSticky(level), False


def float_results(target: Target) -> Found:
    """Yield the choice of the code: for some widths of the fraction, and of usual formats."""
    for exponent, fraction in USUAL:
        for extra in range(WIDEST_FIELD + 1 - exponent):
            yield from _results(MinifloatFormat(exponent, fraction, Specials.IEEE), extra)
    for specials in (Specials.IEEE, Specials.FINITE):
        for exponent in EXPONENT_BITS:
            for fraction in RESULT_FRACTIONS:
                format = MinifloatFormat(exponent, fraction, specials)
                for extra in range(WIDEST_FIELD + 1 - exponent):
                    yield from _results(format, extra)


def _results(format: MinifloatFormat, extra: int) -> Found:
    """Yield the choices for a format whose rounded field is `extra` bits wider than its own."""
    top = format.exponent_bits + extra
    plan = FloatAccumulatePlan(
        format,
        addend=Bounds(0, 1),
        relative=False,
        exponent_max=0,
        grid=0,
        anchor=(1 << top) - 3,
        extension=0,
        loses_bits=False,
        zero_apart=False,
        flags=(),
        negative_zero=False,
        total_on_last=False,
    )
    assert plan.rounded_bits == top + format.fraction_bits
    for keep in (False, True):
        for nan in (False, True) if format.has_infinity else (False,):
            key = result_key(format, format.fraction_bits, extra, nan, keep)
            yield key, FloatResult(plan, nan, format.has_infinity, keep), False


def float_classifiers(target: Target) -> Found:
    """Yield what tells the special codes of the usual accumulators, and of IEEE-style ones."""
    usual = [parse_element(name) for name in CLASSIFIED]
    others = [
        MinifloatFormat(exponent, bits - 1 - exponent, Specials.IEEE)
        for bits in range(8, WIDEST_ACCUMULATOR + 1)
        for exponent in EXPONENT_BITS
        if 0 < bits - 1 - exponent <= MAXIMUM_FRACTION_BITS
    ]
    for format in (*usual, *others):
        assert isinstance(format, MinifloatFormat)
        yield format.name, FloatClassifier(format), False
