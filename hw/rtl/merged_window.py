"""Floor 2a: merged lanes in an alignment window (see `hw.plan.merged_window`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan.cells import Netlist
from hw.plan.merged_window import MaximumPlan, MergedWindowAccumulatePlan, MergedWindowLanePlan
from hw.rtl.accumulate import SumRegisters, step_ports
from hw.rtl.bits import named
from hw.rtl.cells import Nets
from hw.rtl.lane import drive_flags
from hw.rtl.library import place
from hw.rtl.merged import PREFIXES, connect_operands, operand_ports, placed_ports
from hw.rtl.product import lookup


class Cells(wiring.Component):
    """A netlist as a component: each port is a word of nets, or a net alone.

    Parameters
    ----------
    netlist
        The cells.
    ports
        Port members.
    prefixes
        For each port the prefix of its nets' names, which end with the bit; a name without a
        prefix is the net.

    """

    def __init__(
        self, netlist: Netlist, ports: dict[str, object], prefixes: dict[str, str]
    ) -> None:
        self.netlist = netlist
        self.prefixes = prefixes
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Add the cells."""
        m = Module()
        inputs: dict[str, Value] = {}
        outputs: dict[str, Value] = {}
        for name, member in self.signature.members.items():
            word = getattr(self, name)
            prefix = self.prefixes.get(name)
            found = {name: word}
            if prefix is not None:
                found = {f"{prefix}{i}": word[i] for i in range(len(word))}
            (inputs if member.flow is In else outputs).update(found)
        nets = Nets(m, platform, inputs)
        nets.add(self.netlist)
        m.d.comb += [value.eq(nets.nets[name]) for name, value in outputs.items()]
        return m


class WindowAlignment(Cells):
    """Aligns a product: `p` and `e` (its exponent) to `r`, with the signs `ws` and `as`.

    What a row reads of it is named as in `hw.rtl.merged.placed_ports`.
    """

    def __init__(self, plan: MergedWindowLanePlan) -> None:
        self.plan = plan
        bits = plan.exponent_bits
        placed = {n: w for n, w in placed_ports(plan.placement).items() if n != "negate"}
        super().__init__(
            plan.alignment,
            {"p": In(plan.placement.product_bits), "e": In(bits), "r": In(bits)}
            | {"ws": In(1), "as": In(1), "s": Out(1)}
            | {name: Out(width) for name, width in placed.items()},
            {"p": "p", "e": "e", "r": "r", **PREFIXES},
        )

    @property
    def negate(self) -> Value:
        """The product's sign."""
        sign: Value = self.s
        return sign


def window_product(plan: MergedWindowLanePlan) -> Cells:
    """Return the cells that multiply significands and add exponents."""
    ports = operand_ports(plan.operands)
    for name in ("ws", "as"):
        del ports[name]
    prefixes = {name: name for name in ports if name[1] in "mf"}
    return Cells(
        plan.product,
        ports | {"nz": Out(1), "p": Out(plan.placement.product_bits), "e": Out(plan.exponent_bits)},
        prefixes | {"p": "p", "e": "e"},
    )


class MergedWindowLane(wiring.Component):
    """Product of significands with exponent, and its alignment to a reference.

    Ports: `weight`, `activation` (codes), `reference` (at least the exponent of a product that is
    not 0); `exponent`, `nonzero`; `data`, `coarse`, `lines`, `negate` for the row; special flags.
    Combinational.
    """

    def __init__(self, plan: MergedWindowLanePlan) -> None:
        self.plan = plan
        bits = plan.exponent_bits
        ports = {
            "weight": In(plan.weight.format.bits),
            "activation": In(plan.activation.format.bits),
            "reference": In(bits),
            "exponent": Out(bits),
            "nonzero": Out(1),
        }
        ports |= {name: Out(width) for name, width in placed_ports(plan.placement).items()}
        super().__init__(ports | {flag: Out(1) for flag in plan.flags})

    def elaborate(self, platform: object) -> Module:
        """Unpack, multiply, align."""
        m = Module()
        plan = self.plan
        product, align = window_product(plan), WindowAlignment(plan)
        place(m, platform, "product_cells", product)
        weight, activation = connect_operands(m, platform, (product, align), self, plan)
        place(m, platform, "align_cells", align)
        m.d.comb += [
            align.p.eq(product.p),
            align.e.eq(product.e),
            align.r.eq(self.reference),
            self.exponent.eq(product.e),
            self.nonzero.eq(product.nz),
            self.negate.eq(align.s),
            *(
                getattr(self, name).eq(getattr(align, name))
                for name in placed_ports(plan.placement)
                if name != "negate"
            ),
        ]
        drive_flags(m, self, plan.flags, weight, activation)
        return m


class MergedWindowAccumulator(wiring.Component):
    """Adds the sum of aligned products; shifts its own sum when the maximum exponent grows.

    Ports: those of `hw.rtl.accumulate.Accumulator` with one signed addend; `reference` (the new
    maximum), `highest` (the maximum so far), `exponent` (without its offset). Latency 1 cycle,
    initiation interval 1; synchronous reset to 0; raises `overflow` if it has that flag. Where the
    exponent is kept ahead, `distance` says how far the sum is shifted, and `highest` is not there.
    """

    def __init__(self, plan: MergedWindowAccumulatePlan) -> None:
        self.plan = plan
        ports = step_ports(plan.addend.bits, False, plan.bits, plan.flags)
        ports["reference"] = In(plan.exponent_bits)
        if plan.ahead:
            ports["distance"] = In(plan.exponent_bits)
        else:
            ports["highest"] = Out(plan.exponent_bits)
        super().__init__(ports | {"exponent": Out(plan.shown_bits)})

    def elaborate(self, platform: object) -> Module:
        """Realign, add, follow the exponent."""
        m = Module()
        plan = self.plan
        clear = named(m, "clear", ResetSignal() | (self.valid & self.last))
        registers = SumRegisters(m, self, plan.total_on_last, clear)
        highest = None
        exponents: dict[str, Value] = {"d": self.distance} if plan.ahead else {}
        if not plan.ahead:
            highest = registers.register("highest_register", plan.exponent_bits)
            exponents = {"h": highest, "r": self.reference}
        state = registers.register("accumulator", plan.bits)
        row = Cells(
            plan.netlist,
            {"a": In(plan.addend.bits), "q": In(plan.bits)}
            | dict.fromkeys(exponents, In(plan.exponent_bits))
            | {"t": Out(plan.bits)},
            {name: name for name in ("a", "q", *exponents, "t")},
        )
        place(m, platform, "realign", row)
        m.d.comb += [row.a.eq(self.addend), row.q.eq(state)]
        m.d.comb += [getattr(row, name).eq(word) for name, word in exponents.items()]
        registers.follow(state, row.t, self.total)
        shown = Signal(plan.exponent_bits)
        if highest is None:
            with m.If(registers.showing):
                m.d.sync += shown.eq(self.reference)
        else:
            m.d.comb += self.highest.eq(highest)
            registers.follow(highest, self.reference, shown)
        entries = [max(value - plan.offset, 0) for value in range(1 << plan.exponent_bits)]
        m.d.comb += self.exponent.eq(
            lookup(entries, shown, plan.shown_bits) if plan.offset else shown[: plan.shown_bits]
        )
        sign = self.addend[-1]
        registers.flags(plan.flags, (state[-1] == sign) & (row.t[-1] != sign))
        return m


def search_cells(plan: MaximumPlan) -> Cells:
    """Return the search of the largest exponent."""
    ports: dict[str, object] = {"nz": In(plan.lanes), "e": In(plan.lanes * plan.bits)}
    if plan.so_far:
        ports["h"] = In(plan.bits)
    return Cells(
        plan.netlist, ports | {"r": Out(plan.bits)}, {"nz": "nz", "e": "e", "h": "h", "r": "r"}
    )


def build_maximum(
    m: Module,
    platform: object,
    plan: MaximumPlan,
    lanes: list[MergedWindowLane],
    accumulator: MergedWindowAccumulator,
) -> None:
    """Add the search of the largest exponent and hand it to lanes and accumulator."""
    search = search_cells(plan)
    place(m, platform, "maximum_exponent", search)
    m.d.comb += [
        search.nz.eq(Cat(*(lane.nonzero for lane in lanes))),
        search.e.eq(Cat(*(lane.exponent for lane in lanes))),
        search.h.eq(accumulator.highest),
        accumulator.reference.eq(search.r),
        *(lane.reference.eq(search.r) for lane in lanes),
    ]
