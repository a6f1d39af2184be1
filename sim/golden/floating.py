"""Floor 2b: floating accumulators, exactly: rational numbers, rounded once where the mode says so.

The state of a sum is one code of the accumulator's minifloat, +0 at its start; see
`hw.accumulators.Accumulator` for the modes and for zeros. Specials are those of IEEE 754:

- policy "flag": a product is NaN if an operand is NaN or if it is infinity times zero, and infinite
  if an operand is. A sum is NaN if an addend is, or if both infinities are among them (the
  accumulator counts as an addend); else infinite if an addend is. NaN has one code,
  ``format.encode(Special.NAN)``; an infinite sum in a format without infinities is NaN.
- policy "ignore": a special operand is a zero with its sign bit.

A finite sum beyond the largest finite value becomes an infinity where the format has infinities,
else the largest finite value of its sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from hw.accumulators import Accumulator, AccumulatorMode
from hw.design import Design, is_signs
from hw.formats import Format, MinifloatFormat, Rounding, Special, Value


@dataclass(frozen=True, slots=True)
class Term:
    """An addend or a factor: an exact value or a special, and its sign, which a zero has too."""

    value: Value
    negative: bool


NAN = Term(Special.NAN, False)


def term(format: Format, code: int, specials: str) -> Term:
    """Return what a code stands for under a policy, "flag" or "ignore"."""
    value = format.decode(code)
    if isinstance(format, MinifloatFormat):
        negative = format.signed and bool(code >> (format.bits - 1))
    else:
        negative = not isinstance(value, Special) and value < 0
    if isinstance(value, Special) and (specials == "ignore" or is_signs(format)):
        value = Fraction(0)
    return Term(value, negative)


def product(left: Term, right: Term) -> Term:
    """Return the exact product; its sign is the exclusive or of both."""
    factors = left.value, right.value
    negative = left.negative != right.negative
    if Special.NAN in factors:
        return NAN
    if any(isinstance(factor, Special) for factor in factors):
        infinity = Special.NEG_INF if negative else Special.POS_INF
        return NAN if 0 in factors else Term(infinity, negative)
    first, second = factors
    assert not isinstance(first, Special)
    assert not isinstance(second, Special)
    return Term(first * second, negative)


def total(terms: Iterable[Term]) -> Term:
    """Return the exact sum; a zero is negative only if every addend is a negative zero."""
    addends = list(terms)
    specials = {addend.value for addend in addends if isinstance(addend.value, Special)}
    if Special.NAN in specials or len(specials) > 1:
        return NAN
    if specials:
        (infinity,) = specials
        return Term(infinity, infinity is Special.NEG_INF)
    value = sum(
        (addend.value for addend in addends if not isinstance(addend.value, Special)), Fraction(0)
    )
    return Term(value, all(addend.negative for addend in addends) if value == 0 else value < 0)


def rounded(accumulator: Accumulator, exact: Term) -> int:
    """Return the code of a sum in the accumulator's format."""
    format = accumulator.format
    assert format is not None
    if isinstance(exact.value, Special):
        if exact.value is not Special.NAN and not format.has_infinity:
            return format.encode(Special.NAN)
        return format.encode(exact.value, Rounding.TIES_TO_EVEN, accumulator.overflow)
    value = -0.0 if exact.value == 0 and exact.negative else exact.value
    return format.encode(value, Rounding.TIES_TO_EVEN, accumulator.overflow)


def stepped(design: Design, code: int, pairs: Sequence[tuple[int, int]]) -> int:
    """Return the accumulator after a step, in the modes STEP and SEQUENTIAL.

    Parameters
    ----------
    design
        A design with a floating accumulator.
    code
        The accumulator before the step.
    pairs
        (weight, activation) codes, lane 0 first.

    """
    accumulator = design.accumulator
    assert accumulator.format is not None
    state = term(accumulator.format, code, "flag")
    products = [
        product(
            term(design.weight, weight, design.specials),
            term(design.activation, activation, design.specials),
        )
        for weight, activation in pairs
    ]
    if accumulator.mode is AccumulatorMode.STEP:
        return rounded(accumulator, total([state, *products]))
    for addend in products:
        code = rounded(accumulator, total([state, addend]))
        state = term(accumulator.format, code, "flag")
    return code


def shown(design: Design, register: int, flags: set[str]) -> int:
    """Return the code that the mode ONCE shows for an exact register.

    Parameters
    ----------
    design
        A design with a floating accumulator.
    register
        The sum in units of ``2**design.product_lsb_exponent``.
    flags
        Which of `nan`, `pos_inf`, `neg_inf` the sum has seen.

    """
    seen: list[Term] = [Term(register * Fraction(2) ** design.product_lsb_exponent, False)]
    if design.specials == "flag":
        seen += [NAN] * ("nan" in flags)
        seen += [Term(Special.POS_INF, False)] * ("pos_inf" in flags)
        seen += [Term(Special.NEG_INF, True)] * ("neg_inf" in flags)
    return rounded(design.accumulator, total(seen))
