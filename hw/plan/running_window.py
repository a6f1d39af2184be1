"""Floor 1c: the largest exponent of an alignment window kept ahead of its sums, for pipelines.

What a step adds depends on the largest exponent so far, which depends on the step: in one cycle
that is a loop through search, alignment, tree and accumulator. But the exponents need no sums:

    highest' = max(highest, largest exponent of the step)

is a loop of its own, of a comparison. It stands early in the pipeline; products are aligned to its
result in later stages, and the accumulator, which only shifts by ``highest' − highest`` and adds,
ends it. The results are those of `hw.plan.merged_window`, bit for bit.

Of two words the larger is found by pairs of bits: each tells whether it is greater and whether it
is equal, three such answers make one.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache

from hw.plan.builder import CellBuilder, all_of
from hw.plan.cells import Netlist
from hw.plan.merged_window import difference

PAIR, ANSWERS = 2, 3


@dataclass(frozen=True, slots=True)
class RunningMaximumPlan:
    """Largest exponent of a sum so far, and the register that keeps it.

    Parameters
    ----------
    bits
        Width of an exponent.
    packed
        Whether cells are instances of LUT6_2 and CARRY4, packed as planned.

    """

    bits: int
    packed: bool

    @property
    def ff(self) -> int:
        """Registers: the exponent."""
        return self.bits

    @property
    def netlist(self) -> Netlist:
        """The cells: read ``m0 …`` (of the step) and ``h0 …`` (so far), drive ``r0 …``."""
        return larger_netlist(self.bits)


@dataclass(frozen=True, slots=True)
class ExponentDistancePlan:
    """How far the largest exponent has grown; parameters as in `RunningMaximumPlan`."""

    bits: int
    packed: bool

    @property
    def netlist(self) -> Netlist:
        """The cells: read ``r0 …`` and ``h0 …``, drive ``d0 …``, their difference."""
        luts, chains = difference("r", "h", [f"d{i}" for i in range(self.bits)])
        return Netlist(tuple(luts), tuple(chains))


@dataclass(frozen=True, slots=True)
class RunningWindowPlan:
    """What keeps the exponent of a window ahead of its sums."""

    maximum: RunningMaximumPlan
    distance: ExponentDistancePlan

    def parts(self) -> tuple[Hashable, ...]:
        """Return both."""
        return self.maximum, self.distance


def plan_running_window(bits: int, packed: bool) -> RunningWindowPlan:
    """Return the plan for exponents of so many bits."""
    return RunningWindowPlan(RunningMaximumPlan(bits, packed), ExponentDistancePlan(bits, packed))


@cache
def larger_netlist(bits: int) -> Netlist:
    """Return the cells of ``r = max(m, h)``."""
    build = CellBuilder()
    answers: list[tuple[str, str]] = []
    for top in range(bits, 0, -PAIR):
        nets = tuple(f"{word}{i}" for i in range(max(top - PAIR, 0), top) for word in "mh")
        greater = build.lut(f"g{top}", nets, _greater)
        equal = build.lut(f"q{top}", nets, _equal) if top > PAIR else ""
        answers.append((greater, equal))
    while len(answers) > 1:
        following = []
        for start in range(0, len(answers), ANSWERS):
            group = answers[start : start + ANSWERS]
            order = tuple(net for pair in group for net in pair)[:-1]
            name = f"{len(answers)}_{start}"
            greater = build.lut(f"g{name}", order, _first_greater) if len(order) > 1 else order[0]
            last = start + ANSWERS >= len(answers)
            equal = "" if last else build.lut(f"q{name}", tuple(q for _, q in group), all_of)
            following.append((greater, equal))
        answers = following
    for i in range(bits):
        build.lut(f"r{i}", (answers[0][0], f"m{i}", f"h{i}"), _chosen)
    return build.done()


def _greater(*values: int) -> int:
    """Return whether the first word is greater: bits of both in turn, lowest first."""
    found = 0
    for m, h in zip(values[::2], values[1::2], strict=True):
        found = m & ~h | ~(m ^ h) & found
    return found


def _equal(*values: int) -> int:
    found = -1
    for m, h in zip(values[::2], values[1::2], strict=True):
        found &= ~(m ^ h)
    return found


def _first_greater(*values: int) -> int:
    """Return whether a word is greater by the answers of its parts, highest first."""
    found = values[-1]
    for greater, equal in zip(values[-3::-2], values[-2::-2], strict=True):
        found = greater | equal & found
    return found


def _chosen(takes: int, m: int, h: int) -> int:
    return takes & m | ~takes & h
