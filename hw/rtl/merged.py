"""Floor 2a: lanes whose last shift and sign are part of an adder row (see `hw.plan.merged`)."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan.carry_count import CarryCount
from hw.plan.merged import (
    ChainPlan,
    MergedAccumulatePlan,
    MergedLanePlan,
    MergedRow,
)
from hw.plan.merged_cells import kill_netlist, wiring_of
from hw.plan.merged_window import MergedWindowLanePlan
from hw.plan.operand import OperandPlan
from hw.plan.placement import Placement
from hw.rtl.accumulate import SumRegisters, step_ports
from hw.rtl.bits import any_of, named
from hw.rtl.cells import Nets
from hw.rtl.lane import drive_flags
from hw.rtl.library import place
from hw.rtl.operand import Operand, unpack_both

PREFIXES = {"data": "x", "coarse": "c", "lines": "l"}


def placed_ports(placement: Placement) -> dict[str, int]:
    """Return the names and widths of what a lane hands to a row."""
    wires = wiring_of(placement)
    ports = {
        "data": placement.word_bits + wires.more_bits,
        "coarse": placement.coarse_bits,
        "lines": len(wires.lines),
        "negate": 1,
    }
    return {name: bits for name, bits in ports.items() if bits}


def _nets(ports: wiring.Component, placement: Placement) -> dict[str, Value]:
    """Return what a row reads by the names of its nets."""
    nets: dict[str, Value] = {"s": ports.negate}
    for name, prefix in PREFIXES.items():
        word = getattr(ports, name, None)
        if word is not None:
            nets |= {f"{prefix}{i}": word[i] for i in range(len(word))}
    return nets


def operand_ports(operands: tuple[OperandPlan, ...]) -> dict[str, object]:
    """Return the ports of unpacked operands: sign, significand, field and whether it is not 0.

    And `kill` where special operands must make the product 0.
    """
    ports: dict[str, object] = {}
    for side, operand in zip("wa", operands, strict=True):
        ports |= {f"{side}s": In(1), f"{side}m": In(operand.significand_bits)}
        if operand.field_bits:
            ports |= {f"{side}f": In(operand.field_bits), f"{side}n": In(1)}
    if any(operand.gated for operand in operands):
        ports["kill"] = In(1)
    return ports


class Kill(wiring.Component):
    """Whether a code that must be kept out is special.

    Ports: `weight`, `activation`, `kill`. Combinational.
    """

    def __init__(self, operands: tuple[OperandPlan, OperandPlan]) -> None:
        self.operands = operands
        weight, activation = (operand.format.bits for operand in operands)
        super().__init__({"weight": In(weight), "activation": In(activation), "kill": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Compare."""
        m = Module()
        codes = {"w": self.weight, "a": self.activation}
        inputs = {f"{side}{i}": bit for side, code in codes.items() for i, bit in enumerate(code)}
        nets = Nets(m, platform, inputs)
        nets.add(kill_netlist(self.operands))
        m.d.comb += self.kill.eq(nets.nets["kill"])
        return m


def connect_operands(
    m: Module,
    platform: object,
    cells: tuple[wiring.Component, ...],
    lane: wiring.Component,
    plan: MergedLanePlan | MergedWindowLanePlan,
) -> tuple[Operand, Operand]:
    """Unpack the operands of a lane and connect them to the ports of `operand_ports` in cells."""
    codes = (lane.weight, lane.activation)
    found = unpack_both(m, platform, plan, *codes)
    words: dict[str, Value] = {}
    for side, code, operand, known in zip("wa", codes, found, plan.operands, strict=True):
        fraction = known.significand_bits - 1
        words |= {
            f"{side}s": operand.sign,
            f"{side}m": Cat(code[:fraction], operand.normal),
            f"{side}f": operand.field,
            f"{side}n": operand.normal,
        }
    if plan.flags:
        words["kill"] = any_of([bit for o in found for bit in (o.nan, o.infinite)])
    elif any(operand.gated for operand in plan.operands):
        kill = Kill(plan.operands)
        place(m, platform, "kill", kill)
        m.d.comb += [kill.weight.eq(lane.weight), kill.activation.eq(lane.activation)]
        words["kill"] = kill.kill
    m.d.comb += [
        getattr(component, name).eq(word)
        for component in cells
        for name, word in words.items()
        if name in component.signature.members
    ]
    return found


class LaneCells(wiring.Component):
    """The cells of a lane: product, exponent sum, fine shift, decoding.

    Ports: per operand its sign, significand, exponent field and whether that is not 0; what a row
    reads. Combinational.
    """

    def __init__(self, plan: MergedLanePlan) -> None:
        self.plan = plan
        super().__init__(
            operand_ports(plan.operands)
            | {name: Out(bits) for name, bits in placed_ports(plan.placement).items()}
        )

    def elaborate(self, platform: object) -> Module:
        """Add the cells."""
        m = Module()
        inputs: dict[str, Value] = {}
        for name, member in self.signature.members.items():
            if member.flow is In:
                word = getattr(self, name)
                single = name == "kill" or name[1] in "sn"
                inputs |= {name: word} if single else {f"{name}{i}": b for i, b in enumerate(word)}
        nets = Nets(m, platform, inputs)
        nets.add(self.plan.netlist)
        m.d.comb += self.negate.eq(nets.nets["s"])
        for name, prefix in PREFIXES.items():
            word = getattr(self, name, None)
            if word is not None:
                m.d.comb += word.eq(nets.word([f"{prefix}{i}" for i in range(len(word))]))
        return m


class MergedLane(wiring.Component):
    """Product of significands, shifted by the fine part of the exponent sum.

    Ports: `weight`, `activation` (codes); `data` (the fine word, gathered bits above), `coarse`
    (code of the row's shift), `lines` (decoded codes) as far as rows read them, `negate`, special
    flags. Combinational. A special operand gives a product of 0.
    """

    def __init__(self, plan: MergedLanePlan) -> None:
        self.plan = plan
        ports = {
            "weight": In(plan.weight.format.bits),
            "activation": In(plan.activation.format.bits),
        }
        ports |= {name: Out(bits) for name, bits in placed_ports(plan.placement).items()}
        super().__init__(ports | {flag: Out(1) for flag in plan.flags})

    def elaborate(self, platform: object) -> Module:
        """Unpack; the cells do the rest."""
        m = Module()
        plan = self.plan
        cells = LaneCells(plan)
        place(m, platform, "lane_cells", cells)
        weight, activation = connect_operands(m, platform, (cells,), self, plan)
        for name in placed_ports(plan.placement):
            m.d.comb += getattr(self, name).eq(getattr(cells, name))
        drive_flags(m, self, plan.flags, weight, activation)
        return m


class MergedRowAdder(wiring.Component):
    """``sum = previous ± placed product``, one LUT6 per bit on the carry chain.

    Ports: `previous` (absent in a first row, else as wide as the sum), the lane's `data`, `coarse`,
    `lines`, `negate`; `sum`, and `carry` if it leaves the row. Combinational. The sign inverts the
    placed word, zeros included, and is the carry-in.
    """

    def __init__(self, plan: MergedRow) -> None:
        self.plan = plan
        ports = {name: In(bits) for name, bits in placed_ports(plan.placement).items()}
        if plan.previous:
            ports["previous"] = In(plan.width)
        if plan.carries:
            ports["carry"] = Out(1)
        super().__init__(ports | {"sum": Out(plan.width)})

    def elaborate(self, platform: object) -> Module:
        """Add the cells."""
        m = Module()
        inputs = _nets(self, self.plan.placement)
        if self.plan.previous:
            inputs |= {f"p{i}": self.previous[i] for i in range(self.plan.width)}
        nets = Nets(m, platform, inputs)
        nets.add(self.plan.netlist)
        m.d.comb += self.sum.eq(nets.word([f"t{i}" for i in range(self.plan.width)]))
        if self.plan.carries:
            m.d.comb += self.carry.eq(nets.nets["co"])
        return m


class Carries(wiring.Component):
    """What the carries of a chain's rows are worth, less what its signs take away.

    Ports: `carries`, `signs` (a bit per row); `count` (two's complement). Combinational.
    """

    def __init__(self, plan: CarryCount) -> None:
        self.plan = plan
        super().__init__(
            {"carries": In(plan.rows), "signs": In(plan.rows), "count": Out(plan.bits)}
        )

    def elaborate(self, platform: object) -> Module:
        """Add the cells."""
        m = Module()
        inputs = {f"c{i}": bit for i, bit in enumerate(self.carries)}
        inputs |= {f"s{i}": bit for i, bit in enumerate(self.signs)}
        nets = Nets(m, platform, inputs)
        nets.add(self.plan.netlist)
        m.d.comb += self.count.eq(nets.word([f"n{i}" for i in range(self.plan.bits)]))
        return m


class MergedAccumulator(wiring.Component):
    """Adds one placed product per step to the sum it keeps, in one row.

    Ports: those of `hw.rtl.accumulate.Accumulator` with what a lane hands to a row instead of
    `addend`. Latency 1 cycle, initiation interval 1; synchronous reset to 0; wraps modulo
    ``2**bits`` and raises `overflow` if it has that flag.
    """

    def __init__(self, plan: MergedAccumulatePlan) -> None:
        self.plan = plan
        ports = step_ports(1, False, plan.bits, plan.flags)
        del ports["addend"]
        ports |= {name: In(bits) for name, bits in placed_ports(plan.placement).items()}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Build the row and the registers."""
        m = Module()
        plan = self.plan
        clear = named(m, "clear", ResetSignal() | (self.valid & self.last))
        registers = SumRegisters(m, self, plan.total_on_last, clear)
        state = registers.register("accumulator", plan.bits)
        row = MergedRowAdder(plan.row)
        place(m, platform, row_name(plan.row), row)
        for name in placed_ports(plan.placement):
            m.d.comb += getattr(row, name).eq(getattr(self, name))
        m.d.comb += row.previous.eq(state)
        exact = named(m, "exact", row.sum)
        registers.follow(state, exact, self.total)
        overflowed = (state[-1] == self.negate) & (exact[-1] != self.negate)
        registers.flags(plan.flags, overflowed)
        return m


def row_name(row: MergedRow) -> str:
    """Return the module name of a row."""
    return f"merged_{'row' if row.previous else 'first'}_{row.width}"


def build_chains(
    m: Module, platform: object, plan: ChainPlan, lanes: Sequence[wiring.Component]
) -> list[Value]:
    """Add the chains' rows to a module and return their sums."""
    sums: list[Value] = []
    for number, chain in enumerate(plan.chains):
        start = number * len(chain)
        served = lanes[start : start + len(chain)]
        rows = [MergedRowAdder(row) for row in chain]
        previous: Value | None = None
        for lane, adder in enumerate(rows):
            place(m, platform, row_name(adder.plan), adder, start + lane)
            connect_placed(m, adder, served[lane])
            if previous is not None:
                top = previous[-1].replicate(adder.plan.width - len(previous))
                m.d.comb += adder.previous.eq(Cat(previous, top))
            previous = adder.sum
        assert previous is not None
        if plan.count is not None:
            carries = Carries(plan.count)
            place(m, platform, "carries", carries, number)
            m.d.comb += [
                carries.carries.eq(Cat(*(adder.carry for adder in rows))),
                carries.signs.eq(Cat(*(lane.negate for lane in served))),
            ]
            previous = Cat(previous, carries.count)
        sums.append(previous)
    return sums


def connect_placed(m: Module, row: wiring.Component, lane: wiring.Component) -> None:
    """Connect what a lane hands to a row."""
    for name in placed_ports(lane.plan.placement):
        m.d.comb += getattr(row, name).eq(getattr(lane, name))
