"""Floor 2a: the adder tree over the lanes."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import AdderRow, TreePlan
from hw.rtl.bits import extend, named
from hw.rtl.library import place


@dataclass(frozen=True, slots=True)
class Addend:
    """A word to add, with its sign apart where the plan is relative (None otherwise)."""

    value: Value
    negate: Value | None


class Adder(wiring.Component):
    """``sum = left + right``, or ``left ± right`` by the signs of a relative row.

    Ports: `left`, `right`, `sum`; relative rows also `left_negate`, `right_negate` (the sum keeps
    the sign of the left addend pending). Combinational; one LUT per result bit.
    """

    def __init__(self, plan: AdderRow) -> None:
        self.plan = plan
        ports = {
            "left": In(plan.left.bits),
            "right": In(plan.right.bits),
            "sum": Out(plan.bounds.bits),
        }
        if plan.relative:
            ports |= {"left_negate": In(1), "right_negate": In(1)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Add."""
        m = Module()
        plan, width = self.plan, self.plan.bounds.bits
        left = extend(self.left, width, plan.left.signed)
        right = extend(self.right, width, plan.right.signed)
        if not plan.relative:
            m.d.comb += self.sum.eq(left + right)
            return m
        subtract = named(m, "subtract", self.left_negate ^ self.right_negate)
        m.d.comb += self.sum.eq(left + (right ^ subtract.replicate(width)) + subtract)
        return m


def adder_name(row: AdderRow) -> str:
    """Return the module name of a row: its kind and the words it adds."""
    sides = "_".join(f"{'s' if b.signed else 'u'}{b.bits}" for b in (row.left, row.right))
    return f"{'add_sub' if row.relative else 'add'}_{sides}_{row.bounds.bits}"


def build_tree(m: Module, platform: object, plan: TreePlan, addends: list[Addend]) -> Addend:
    """Add the tree's rows to a module and return the sum of all addends."""
    number = 0
    for level in plan.levels:
        sums: list[Addend] = []
        for position, row in enumerate(level):
            left = addends[2 * position]
            if row is None:
                sums.append(left)
                continue
            right = addends[2 * position + 1]
            adder = Adder(row)
            place(m, platform, adder_name(row), adder, number)
            number += 1
            m.d.comb += [adder.left.eq(left.value), adder.right.eq(right.value)]
            if row.relative:
                m.d.comb += [
                    adder.left_negate.eq(left.negate),
                    adder.right_negate.eq(right.negate),
                ]
            sums.append(Addend(adder.sum, left.negate))
        addends = sums
    return addends[0]
