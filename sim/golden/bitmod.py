"""Floor 2b: BitMoD's processing element, exactly, on Python integers (`hw.design.BitmodPe`).

One function per step of the arithmetic: a cycle of terms (`accumulated`), the group's scale
(`scaled`) and the output (`output`), each rounded exactly where the design says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from hw.design.bitmod import DIGIT_BITS, GUARD_BITS, LANES, SCALE_BITS, BitmodPe
from hw.formats.bitmod_datatypes import (
    SPECIAL_IDS,
    WeightDatatype,
    default_specials,
    special_value,
    weight_datatype,
)
from sim.golden.bitmod_terms import Term, terms
from sim.golden.floating import NAN, rounded, total
from sim.golden.floating import Term as Addend

FRACTION_BITS = 10
FIELD_MAXIMUM = 31


@dataclass(frozen=True, slots=True)
class Half:
    """An fp16 code taken apart.

    Parameters
    ----------
    sign, field, significand
        As stored, the significand with its hidden bit.

    """

    sign: int
    field: int
    significand: int

    @classmethod
    def of(cls, code: int) -> Half:
        """Return the parts of a code; exponent 31 is read as a number."""
        field = code >> FRACTION_BITS & FIELD_MAXIMUM
        fraction = code & ((1 << FRACTION_BITS) - 1)
        return cls(code >> 15, field, fraction | int(field > 0) << FRACTION_BITS)

    @property
    def exponent(self) -> int:
        """The field as an exponent: that of subnormals is 1."""
        return max(self.field, 1)

    @property
    def special(self) -> bool:
        """Whether the code is infinite or NaN."""
        return self.field == FIELD_MAXIMUM


@dataclass(frozen=True, slots=True)
class GroupSum:
    """A group's accumulator.

    Parameters
    ----------
    significand
        In units of ``2^(4·exponent + design.unit_exponent)``.
    exponent
        Largest hexadecimal exponent so far; 0 with int8 activations.
    invalid
        Whether a special activation was met.

    """

    significand: int = 0
    exponent: int = 0
    invalid: bool = False

    def value(self, design: BitmodPe) -> Fraction:
        """Return what it is worth."""
        return self.significand * Fraction(2) ** (DIGIT_BITS * self.exponent + design.unit_exponent)


def shifted(value: int, places: int) -> int:
    """Return ``value / 2**places`` to nearest, ties to even."""
    return round(Fraction(value, 1 << places))


def accumulated(design: BitmodPe, state: GroupSum, lanes: Sequence[tuple[Term, int]]) -> GroupSum:
    """Return the accumulator after a cycle.

    Parameters
    ----------
    design, state
        The element and its accumulator before.
    lanes
        A term and an activation code for each lane.

    """
    if not design.is_fp16:
        return GroupSum(state.significand + sum(_exact(design, t, a) for t, a in lanes))
    parts = [(term, Half.of(code)) for term, code in lanes]
    exponents = [half.exponent + term.shift for term, half in parts]
    hexadecimal = [exponent >> 2 for exponent in exponents]
    live = [h for h, (term, _) in zip(hexadecimal, parts, strict=True) if term.man]
    highest = max([state.exponent, *live])
    significand = shifted(state.significand, DIGIT_BITS * (highest - state.exponent))
    for (term, half), exponent, place in zip(parts, exponents, hexadecimal, strict=True):
        if term.man:
            word = half.significand << (exponent & 3) << GUARD_BITS
            magnitude = shifted(word, DIGIT_BITS * (highest - place))
            significand += -magnitude if term.sign ^ half.sign else magnitude
    invalid = design.is_flagged and any(half.special for _, half in parts)
    return GroupSum(significand, highest, state.invalid or invalid)


def _exact(design: BitmodPe, term: Term, code: int) -> int:
    value = design.activation.decode(code)
    assert isinstance(value, Fraction)
    return int(term.value * value * 2)


def step(
    design: BitmodPe,
    state: GroupSum,
    datatype: WeightDatatype,
    special: Fraction | int,
    weights: Sequence[int],
    activations: Sequence[int],
) -> GroupSum:
    """Return the accumulator after the cycles of a step of four weights.

    Raises
    ------
    ValueError
        If there are not four of each, or the element does not serve the datatype.

    """
    if not len(weights) == len(activations) == LANES:
        raise ValueError(f"a step has {LANES} weights and activations, not {len(weights)}")
    if datatype.name not in design.datatypes:
        raise ValueError(f"{design.slug} has no datatype {datatype.name}")
    taken = [terms(datatype, weight, special) for weight in weights]
    for cycle in zip(*taken, strict=True):
        state = accumulated(design, state, list(zip(cycle, activations, strict=True)))
    return state


def group_sum(
    design: BitmodPe,
    datatype: WeightDatatype,
    special: Fraction | int,
    weights: Sequence[int],
    activations: Sequence[int],
) -> GroupSum:
    """Return the accumulator after a whole group.

    Raises
    ------
    ValueError
        If the group has not the design's size.

    """
    if len(weights) != design.group:
        raise ValueError(f"a group has {design.group} weights, not {len(weights)}")
    state = GroupSum()
    for first in range(0, design.group, LANES):
        part = slice(first, first + LANES)
        state = step(design, state, datatype, special, weights[part], activations[part])
    return state


def scaled(state: GroupSum, scale: int) -> int:
    """Return a group's significand times its scale: exact, the scale's bits one by one.

    Raises
    ------
    ValueError
        If the scale is none of 8 bits.

    """
    check_scale(scale)
    return sum((state.significand << bit) * (scale >> bit & 1) for bit in range(SCALE_BITS))


def check_scale(scale: int) -> None:
    """Raise ValueError unless a group's scale has 8 bits."""
    if not 0 <= scale < 1 << SCALE_BITS:
        raise ValueError(f"the scale of a group is 0 to {(1 << SCALE_BITS) - 1}, not {scale}")


def output(design: BitmodPe, groups: Iterable[tuple[GroupSum, int]]) -> int:
    """Return the output of an element: a code (fp16) or an exact integer in halves (int8).

    Parameters
    ----------
    design
        The element.
    groups
        Each group's sum and scale, in order.

    """
    if not design.is_fp16:
        return sum(scaled(state, scale) for state, scale in groups)
    code = 0
    for state, scale in groups:
        code = added(design, code, state, scale)
    return code


def added(design: BitmodPe, code: int, state: GroupSum, scale: int) -> int:
    """Return the code of a floating output after a group: one rounding, ties to even."""
    format = design.accumulator.format
    assert format is not None
    before = format.decode(code)
    unit = Fraction(2) ** (DIGIT_BITS * state.exponent + design.unit_exponent)
    value = scaled(state, scale) * unit
    addend = NAN if state.invalid else Addend(value, value < 0)
    kept = Addend(before, bool(code >> (format.bits - 1)))
    return rounded(design.accumulator, total([kept, addend]))


@dataclass(frozen=True, slots=True)
class Group:
    """What a group of weights is: its datatype, the id of its special value, and its scale."""

    datatype: str
    special_id: int
    scale: int

    def __post_init__(self) -> None:
        """Reject what no hardware is told."""
        weight_datatype(self.datatype)
        check_scale(self.scale)
        if not 0 <= self.special_id < SPECIAL_IDS:
            raise ValueError(f"a special value has an id of 0 to 3, not {self.special_id}")

    @property
    def kind(self) -> WeightDatatype:
        """The datatype."""
        return weight_datatype(self.datatype)

    def special(self, entries: Sequence[int] | None = None) -> Fraction:
        """Return the special value, from the register's eight entries (default: the paper's)."""
        if not self.kind.floating:
            return Fraction(0)
        known = default_specials() if entries is None else entries
        return special_value(known[SPECIAL_IDS * self.kind.select + self.special_id])


def dot(
    design: BitmodPe, groups: Sequence[Group], weights: Sequence[int], activations: Sequence[int]
) -> int:
    """Return the output for `length` weights and activations.

    Raises
    ------
    ValueError
        If the groups, weights or activations are not as many as the design says.

    """
    if len(groups) != design.groups:
        raise ValueError(f"an output has {design.groups} groups, not {len(groups)}")
    if not len(weights) == len(activations) == design.length:
        raise ValueError(
            f"an output has {design.length} weights and activations, "
            f"not {len(weights)} and {len(activations)}"
        )
    sums = []
    for number, group in enumerate(groups):
        part = slice(number * design.group, (number + 1) * design.group)
        special = group.special()
        state = group_sum(design, group.kind, special, weights[part], activations[part])
        sums.append((state, group.scale))
    return output(design, sums)
