"""Floor 1c: pairs of operands whose products are selected, and the rows that add such words.

See `hw.plan.selection`.
"""

from __future__ import annotations

from hw.plan.operand import OperandPlan
from hw.plan.sums import Sign, SumRow, SumTree, Word


def signs_and_integer(
    weight: OperandPlan, activation: OperandPlan
) -> tuple[OperandPlan, OperandPlan] | None:
    """Return the binary or ternary operand and the integer beside it, None for any other pair."""
    for signs, other in ((weight, activation), (activation, weight)):
        if signs.is_signs and not (other.is_signs or other.is_minifloat or other.has_sign):
            return signs, other
    return None


def pair_sums(lanes: int, word: Word) -> SumTree:
    """Return a tree of rows of two words, each with the pending carry of its second word.

    For targets without LUT6_2: a row of two words and a carry is one LUT per bit everywhere.
    """
    rows: list[tuple[SumRow, tuple[int, ...]]] = []
    level = [(number, word) for number in range(lanes)]
    while len(level) > 1:
        following = []
        for first, second in zip(level[0::2], level[1::2], strict=False):
            row = SumRow((first[1], second[1]))
            rows.append((row, (first[0], second[0])))
            following.append((lanes + len(rows) - 1, row.result))
        level = following + level[len(level) - len(level) % 2 :]
    assert word.sign is Sign.CARRY
    (root, total), *_ = level
    return SumTree(lanes, tuple(rows), (root,), (total,))
