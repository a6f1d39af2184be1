"""Floor 2c: what toggles in dot products with constant weights (`hw.plan.constant_dot`)."""

from __future__ import annotations

from costmodel.activity_lanes import Addend
from costmodel.activity_planes import Plane, Statistics, Tally, extended, planes_of
from costmodel.activity_rows import summed
from costmodel.activity_sums import add_words
from costmodel.coefficients import Coefficients
from hw.plan import Word
from hw.plan.constant_dot import ConstantDotPlan
from hw.plan.constant_rows import ConstantRow

NAME = "constant row"
TERNARY = 3


def constant_toggles(
    core: ConstantDotPlan, given: Statistics, target: Coefficients
) -> tuple[Tally, list[list[Plane]]]:
    """Return the toggles of the rows and of the registers of totals, and every node's word."""
    tally = Tally(given.scope())
    bits = core.design.activation.bits
    nodes = [planes_of(codes, bits) for codes in given.activations]
    for row, sources in core.rows:
        nodes.append(_added(tally, row, [nodes[source] for source in sources], target))
    kept = [net for node, bounds in core.kept for net in nodes[node][: bounds.bits]]
    tally.add("registers/registers/state", kept)
    return tally, nodes


def _added(
    tally: Tally, row: ConstantRow, words: list[list[Plane]], target: Coefficients
) -> list[Plane]:
    """Return the sum of a row, as `hw.rtl.constant_dot` adds it."""
    low, ones = row.passing, tally.scope.ones
    placed = [
        extended([*[0] * shift, *word], row.width, bounds.signed)
        for word, bounds, shift in zip(words, row.words, row.shifts, strict=True)
    ]
    first = min(range(len(placed)), key=lambda n: row.shifts[n])
    above = [word[low:] for word in placed]
    width = row.width - low
    if not width:
        sums: list[Plane] = []
    elif len(above) == 1:
        inverted = [bit ^ ones for bit in above[0]]
        sums = summed(tally, NAME, [0] * width, inverted, ones, target, ())
    elif len(above) < TERNARY and not any(row.negative):
        sums = summed(tally, NAME, above[0], above[1], 0, target)
    elif len(above) < TERNARY:
        plus, minus = (above[row.negative.index(side)] for side in (False, True))
        inverted = [bit ^ ones for bit in minus]
        sums = summed(tally, NAME, plus, inverted, ones, target, ())
    else:
        ranges = [Word.plain(bounds) for bounds in row.words]
        carries = [ones] * sum(row.negative)
        operands = [Addend(tuple(word)) for word in above]
        sums = add_words(tally, NAME, ranges, operands, carries, width, row.negative)
    return [*placed[first][:low], *sums][row.drop :]
