"""Floor 2a: windows of merged lanes for pipelines (see `hw.plan.running_window`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.pipeline.netlist import RUNNING
from hw.plan.merged_window import MaximumPlan, MergedWindowLanePlan
from hw.plan.running_window import RunningMaximumPlan, RunningWindowPlan
from hw.rtl.bits import named
from hw.rtl.lane import drive_flags
from hw.rtl.library import place
from hw.rtl.merged import connect_operands
from hw.rtl.merged_window import (
    Cells,
    MergedWindowAccumulator,
    WindowAlignment,
    search_cells,
    window_product,
)


class WindowProductLane(wiring.Component):
    """Product of significands with its exponent, to be aligned later.

    Ports: `weight`, `activation` (codes); `product`, `exponent`, `nonzero`, `signs` (of both
    operands), special flags. Combinational.
    """

    def __init__(self, plan: MergedWindowLanePlan) -> None:
        self.plan = plan
        ports = {
            "weight": In(plan.weight.format.bits),
            "activation": In(plan.activation.format.bits),
            "product": Out(plan.placement.product_bits),
            "exponent": Out(plan.exponent_bits),
            "nonzero": Out(1),
            "signs": Out(2),
        }
        super().__init__(ports | {flag: Out(1) for flag in plan.flags})

    def elaborate(self, platform: object) -> Module:
        """Unpack and multiply."""
        m = Module()
        product = window_product(self.plan)
        weight, activation = connect_operands(m, platform, (product,), self, self.plan)
        place(m, platform, "product_cells", product)
        m.d.comb += [
            self.product.eq(product.p),
            self.exponent.eq(product.e),
            self.nonzero.eq(product.nz),
            self.signs.eq(Cat(weight.sign, activation.sign)),
        ]
        drive_flags(m, self, self.plan.flags, weight, activation)
        return m


class RunningMaximum(wiring.Component):
    """``highest' = max(highest, step)`` with every step, 0 after the end of a sum.

    Ports: `valid`, `last`, `step` (largest exponent of the step, 0 if it has none); `reference`
    (the new maximum, in the same cycle) and `highest` (that before). Initiation interval 1;
    synchronous reset to 0. In a pipeline it stands whole where its inputs are ready.
    """

    def __init__(self, plan: RunningMaximumPlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "valid": In(1),
                "last": In(1),
                "step": In(plan.bits),
                "reference": Out(plan.bits),
                "highest": Out(plan.bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Compare and keep."""
        m = Module()
        bits = self.plan.bits
        kept = Signal(bits, name="highest_register", reset_less=True)
        larger = Cells(
            self.plan.netlist,
            {"m": In(bits), "h": In(bits), "r": Out(bits)},
            {name: name for name in "mhr"},
        )
        place(m, platform, "larger_exponent", larger)
        m.d.comb += [
            larger.m.eq(self.step),
            larger.h.eq(kept),
            self.reference.eq(larger.r),
            self.highest.eq(kept),
        ]
        clear = named(m, "clear", ResetSignal() | (self.valid & self.last))
        with m.If(clear):
            m.d.sync += kept.eq(0)
        with m.Elif(self.valid):
            m.d.sync += kept.eq(larger.r)
        return m


def build_running(
    m: Module,
    platform: object,
    plans: tuple[RunningWindowPlan, MaximumPlan],
    lanes: list[WindowProductLane],
    accumulator: MergedWindowAccumulator,
    control: tuple[Value, Value],
) -> list[WindowAlignment]:
    """Add what follows the exponent, and the alignment of all lanes to it, which is returned.

    Parameters
    ----------
    m, platform
        What is added to.
    plans
        Of the exponent that is kept, and of the search through the lanes.
    lanes, accumulator
        What comes before and behind.
    control
        ``valid`` and ``last``.

    """
    running, maximum = plans
    bits = maximum.bits
    search = search_cells(maximum)
    place(m, platform, "maximum_exponent", search)
    kept = RunningMaximum(running.maximum)
    place(m, platform, f"{RUNNING}maximum", kept, clocked=True)
    distance = Cells(
        running.distance.netlist,
        {"r": In(bits), "h": In(bits), "d": Out(bits)},
        {name: name for name in "rhd"},
    )
    place(m, platform, "exponent_distance", distance)
    m.d.comb += [
        search.nz.eq(Cat(*(lane.nonzero for lane in lanes))),
        search.e.eq(Cat(*(lane.exponent for lane in lanes))),
        kept.valid.eq(control[0]),
        kept.last.eq(control[1]),
        kept.step.eq(search.r),
        distance.r.eq(kept.reference),
        distance.h.eq(kept.highest),
        accumulator.reference.eq(kept.reference),
        accumulator.distance.eq(distance.d),
    ]
    aligned = []
    for number, lane in enumerate(lanes):
        align = WindowAlignment(lane.plan)
        place(m, platform, "align_cells", align, number)
        m.d.comb += [
            align.p.eq(lane.product),
            align.e.eq(lane.exponent),
            align.r.eq(kept.reference),
            align.ws.eq(lane.signs[0]),
            getattr(align, "as").eq(lane.signs[1]),
        ]
        aligned.append(align)
    return aligned
