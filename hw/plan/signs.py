"""Floor 1c: pairs of operands whose products are selected, and the rows that add such words.

See `hw.plan.selection`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from hw.plan.operand import OperandPlan
from hw.plan.sums import Sign, SumRow, SumTree, Word, plan_sums
from hw.plan.tree import TreePlan, plan_tree
from hw.target import Target


@dataclass(frozen=True, slots=True)
class SignPair:
    """Signs of two products, each the exclusive or of two bits, in one LUT6_2."""


def signs_and_integer(
    weight: OperandPlan, activation: OperandPlan
) -> tuple[OperandPlan, OperandPlan] | None:
    """Return the binary or ternary operand and the integer beside it, None for any other pair."""
    for signs, other in ((weight, activation), (activation, weight)):
        if signs.is_signs and not (other.is_signs or other.is_minifloat or other.has_sign):
            return signs, other
    return None


def pair_sums(lanes: int, word: Word) -> SumTree:
    """Return a tree of rows of two words, each with the pending carry of its second word, if any.

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
    assert word.sign is not Sign.NEGATE
    (root, total), *_ = level
    return SumTree(lanes, tuple(rows), (root,), (total,))


@cache
def plan_adding(
    lanes: int, word: Word, target: Target
) -> tuple[TreePlan | SumTree, tuple[Word, ...]]:
    """Return the tree over lanes of equal words and what it leaves for the accumulator."""
    if target.primitives:
        sums = plan_sums(lanes, word)
        return sums, sums.words
    if word.sign is Sign.CARRY:
        sums = pair_sums(lanes, word)
        return sums, sums.words
    relative = word.sign is Sign.NEGATE
    tree = plan_tree(lanes, word.bounds, relative)
    return tree, (Word.negated(tree.bounds) if relative else Word.plain(tree.bounds),)
