"""Floor 2a: dot products by binary planes: cells, and the sequencer they share."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design.bitplane import BitPlane
from hw.plan.bitplane import BitPlanePlan, PlaneAccumulate, PlaneCellPlan, PlaneOffset, Sequencer
from hw.rtl.bits import extend, named
from hw.rtl.library import Library, place
from hw.rtl.plane_sums import build_plane_sum, place_row
from hw.rtl.xilinx import carry_chain, dual_lut, native

CONTROLS = ("valid", "clear", "show", "doubles", "negate")


class PlaneAccumulator(wiring.Component):
    """``sum = (doubles ? 2·sum : sum) ± word + constant``; `total` keeps it when it is shown.

    Ports: `word`, `valid` (take it), `clear` (to 0, dominating), `show`, `doubles` and `negate` if
    the plan has them; `total`. Latency 1 cycle; both registers are 0 after a reset; wraps.
    """

    def __init__(self, plan: PlaneAccumulate) -> None:
        self.plan = plan
        ports: dict[str, object] = {"word": In(plan.word.bits), "total": Out(plan.bits)}
        ports |= dict.fromkeys(("valid", "clear", "show"), In(1))
        ports |= {"doubles": In(1)} if plan.doubles else {}
        super().__init__(ports | ({"negate": In(1)} if plan.negates else {}))

    def elaborate(self, platform: object) -> Module:
        """Add, and keep."""
        m = Module()
        self.state = Signal(self.plan.bits, name="accumulator", reset_less=True)
        library = native(platform) if self.plan.native else None
        total = self._plain(m) if library is None else self._chained(m, library)
        following = named(m, "following", total, self.plan.bits)
        with m.If(self.clear):
            m.d.sync += self.state.eq(0)
        with m.Elif(self.valid):
            m.d.sync += self.state.eq(following)
        shown = Signal(self.plan.bits, name="shown")
        with m.If(self.show):
            m.d.sync += shown.eq(following)
        m.d.comb += self.total.eq(shown)
        return m

    def _plain(self, m: Module) -> Value:
        plan = self.plan
        state: Value = self.state
        if plan.doubles:
            doubled = Cat(Const(0, 1), self.state)[: plan.bits]
            state = named(m, "before", Mux(self.doubles, doubled, self.state))
        word = extend(self.word, plan.bits, plan.word.signed)
        if not plan.negates:
            return state + word
        step = named(m, "step", word ^ self.negate.replicate(plan.bits))
        return state + step + self.negate

    def _chained(self, m: Module, library: Library) -> Value:
        """Return the sum of LUT6_2 and CARRY4; a constant is a third word (`hw.plan.sums`)."""
        plan = self.plan
        word = extend(self.word, plan.bits, plan.word.signed)
        before = [self.state[i - 1] if i else Const(0) for i in range(plan.bits)]
        chosen = self.doubles if plan.doubles else Const(0)
        last = self.negate if plan.negates else Const(0)
        link: list[Value] = [Const(0)] if plan.constant else []
        selects: list[Value] = []
        for i in range(plan.bits):
            bit = plan.constant >> i & 1
            inputs = [self.state[i], before[i], chosen, word[i], link[i] if plan.constant else last]
            o5, o6 = dual_lut(
                m,
                library,
                f"bit{i}",
                inputs,
                _majority(bit) if plan.constant else lambda a, b, d, w, n: b if d else a,
                lambda a, b, d, w, n, bit=bit: (b if d else a) ^ w ^ n ^ bit,
            )
            selects.append(o6)
            link.append(o5)
        direct = Cat(*link[: plan.bits])
        carry = Const(0, 1) if plan.constant else last
        return carry_chain(m, library, "chain", Cat(*selects), direct, carry)


class _majority:
    """Of the sum so far, the word and a bit of the constant."""

    def __init__(self, bit: int) -> None:
        self.bit = bit

    def __call__(self, a: int, b: int, d: int, w: int, _: int) -> bool:
        return (b if d else a) + w + self.bit >= 2


class PlaneOffsetAdder(wiring.Component):
    """``sum = word + constant``. Combinational."""

    def __init__(self, plan: PlaneOffset) -> None:
        self.plan = plan
        super().__init__({"word": In(plan.word.bits), "sum": Out(plan.bounds.bits)})

    def elaborate(self, platform: object) -> Module:
        """Add."""
        m = Module()
        width = self.plan.bounds.bits
        constant = Const(self.plan.constant % (1 << width), width)
        m.d.comb += self.sum.eq(extend(self.word, width, self.plan.word.signed) + constant)
        return m


class PlaneCell(wiring.Component):
    """One dot product. Ports: `weight`, `activation`, the controls of `PlaneAccumulator`, `total`.

    A lane's operands are words of planes, or planes of one word. Latency 1 cycle.
    """

    def __init__(self, plan: PlaneCellPlan) -> None:
        self.plan = plan
        accumulate = plan.accumulate
        ports: dict[str, object] = {
            "weight": In(plan.plane.lanes * plan.sums),
            "activation": In(plan.plane.lanes * plan.plane.word.bounds.bits),
            "total": Out(accumulate.bits),
        }
        ports |= dict.fromkeys(("valid", "clear", "show"), In(1))
        ports |= {"doubles": In(1)} if accumulate.doubles else {}
        super().__init__(ports | ({"negate": In(1)} if accumulate.negates else {}))

    def elaborate(self, platform: object) -> Module:
        """Sum up each plane, join the sums, accumulate."""
        m = Module()
        plan = self.plan
        lanes = range(plan.plane.lanes)
        words = [self.activation.word_select(k, plan.plane.word.bounds.bits) for k in lanes]
        weights = [self.weight.word_select(k, plan.sums) for k in lanes]
        known = [
            build_plane_sum(m, platform, plan.plane, words, [w[plane] for w in weights], plane)
            for plane in range(plan.sums)
        ]
        for number, join in enumerate(plan.joins):
            passing = join.shifts[1]
            first = known[join.operands[0]]
            operands: list[Value] = [first[passing:] if len(first) > passing else first[-1]]
            for operand, shift in zip(join.operands[1:], join.shifts[1:], strict=True):
                operands.append(Cat(Const(0, shift - passing), known[operand]))
            total = place_row(m, platform, join.row, operands, [], f"join_{number}")
            signed = plan.plane.bounds.signed
            known.append(Cat(extend(first, passing, signed), total))
        found = known[-1]
        if plan.offset is not None:
            offset = PlaneOffsetAdder(plan.offset)
            place(m, platform, "plane_offset", offset)
            m.d.comb += offset.word.eq(found)
            found = offset.sum
        accumulator = PlaneAccumulator(plan.accumulate)
        place(m, platform, "plane_accumulate", accumulator, clocked=True)
        m.d.comb += [accumulator.word.eq(found), self.total.eq(accumulator.total)]
        for name in CONTROLS:
            if hasattr(accumulator, name):
                m.d.comb += getattr(accumulator, name).eq(getattr(self, name))
        return m


class PlaneSequencer(wiring.Component):
    """Counts passes. Ports: `valid`, `last`, precision and signs; the controls, `total_valid`.

    What is read when (see `hw.design.BitPlane`) is loaded at edges with `load`. `clear` stands for
    a reset and the end, `show` for the end.
    """

    def __init__(self, plan: Sequencer) -> None:
        self.plan = plan
        ports: dict[str, object] = {"valid": In(1), "last": In(1)}
        for name, bits in (("weight", plan.weight_bits), ("activation", plan.activation_bits)):
            if bits > 1:
                ports[f"{name}_bits"] = In((bits - 1).bit_length())
            if bits and plan.signs:
                ports[f"{name}_signed"] = In(1)
        ports |= dict.fromkeys(("clear", "show", "total_valid"), Out(1))
        if max(plan.weight_bits, plan.activation_bits) > 1:
            ports["doubles"] = Out(1)
        super().__init__(ports | ({"negate": Out(1)} if plan.signs else {}))

    def elaborate(self, platform: object) -> Module:
        """Count planes of the weights, or of both."""
        m = Module()
        plan = self.plan
        final = Signal(name="final")
        m.d.comb += [self.show.eq(final), self.clear.eq(final | ResetSignal())]
        m.d.sync += self.total_valid.eq(final)
        ends = named(m, "ends", self.valid & self.last)
        if not plan.weight_bits:
            m.d.comb += final.eq(ends)
            return m
        running = Signal(name="running")
        with m.If(self.valid):
            m.d.sync += running.eq(~final)
        load = named(m, "load", final | ResetSignal() | ~(running | self.valid))
        count = self._both if plan.activation_bits else self._weights
        done, turns = count(m, load, ends)
        m.d.comb += final.eq(ends & done)
        if hasattr(self, "doubles"):
            doubles = Signal(name="doubling", reset_less=True)
            m.d.comb += self.doubles.eq(doubles)
            with m.If(self.valid):
                m.d.sync += doubles.eq(self.last & turns)
        return m

    def _weights(self, m: Module, load: Value, ends: Value) -> tuple[Value, Value]:
        """Count planes of the weights; return whether it is the last one, and 1: each doubles."""
        if self.plan.signs:
            negate = Signal(name="negative", reset_less=True)
            m.d.comb += self.negate.eq(negate)
            with m.If(load):
                m.d.sync += negate.eq(self.weight_signed)
            with m.Elif(ends):
                m.d.sync += negate.eq(0)
        if self.plan.weight_bits == 1:
            return Const(1), Const(1)
        left = Signal(len(self.weight_bits), name="left", reset_less=True)
        with m.If(load):
            m.d.sync += left.eq(self.weight_bits)
        with m.Elif(ends):
            m.d.sync += left.eq(_less(left))
        return left == 0, Const(1)

    def _both(self, m: Module, load: Value, ends: Value) -> tuple[Value, Value]:
        """Go through pairs of planes by falling place.

        Return whether it is the last pair, and whether the next has a lower place.
        """
        sides = []
        for name in ("weight", "activation"):
            width = len(getattr(self, f"{name}_bits", Const(0, 0)))
            plane, first, top = (
                Signal(width, name=f"{name}_{what}", reset_less=True)
                for what in ("plane", "first", "top")
            )
            with m.If(load):
                asked = getattr(self, f"{name}_bits", Const(0, 0))
                m.d.sync += [plane.eq(asked), first.eq(asked), top.eq(asked)]
            sides.append((plane, first, top))
        (j, first_j, top_j), (i, first_i, top_i) = sides
        turns = named(m, "turns", (i == 0) | (j == top_j))
        with m.If(ends & ~load):
            with m.If(~turns):
                m.d.sync += [i.eq(_less(i)), j.eq(_more(j))]
            with m.Elif(first_j != 0):
                m.d.sync += [first_j.eq(_less(first_j)), i.eq(first_i), j.eq(_less(first_j))]
            with m.Else():
                m.d.sync += [first_i.eq(_less(first_i)), i.eq(_less(first_i)), j.eq(0)]
        if self.plan.signs:
            signed = []
            for name in ("weight", "activation"):
                flag = Signal(name=f"{name}_sign", reset_less=True)
                with m.If(load):
                    m.d.sync += flag.eq(getattr(self, f"{name}_signed"))
                signed.append(flag)
            negative = (signed[0] & (j == top_j)) ^ (signed[1] & (i == top_i))
            m.d.comb += self.negate.eq(negative)
        return (first_i == 0) & (first_j == 0), turns


def _less(count: Value) -> Value:
    """Return a small count less 1, as logic without a carry chain."""
    return Cat(bit ^ ~count[:place_].any() for place_, bit in enumerate(count))


def _more(count: Value) -> Value:
    """Return a small count plus 1, as logic without a carry chain."""
    return Cat(bit ^ count[:place_].all() for place_, bit in enumerate(count))


class BitPlaneArray(wiring.Component):
    """A `hw.design.BitPlane`, whose notes tell ports, protocol and latency."""

    def __init__(self, plan: BitPlanePlan) -> None:
        self.plan = plan
        design = plan.design
        ports = {name: In(width) for name, width in design.input_fields if name != "rst"}
        super().__init__(ports | {name: Out(width) for name, width in design.output_fields})

    def elaborate(self, platform: object) -> Module:
        """Place the sequencer and the cells."""
        m = Module()
        design: BitPlane = self.plan.design
        sequencer = PlaneSequencer(self.plan.sequencer)
        place(m, platform, "sequencer", sequencer, clocked=True)
        for name, _ in design.input_fields:
            if hasattr(sequencer, name):
                m.d.comb += getattr(sequencer, name).eq(getattr(self, name))
        totals: list[Value] = []
        for row in range(design.rows):
            for column in range(design.columns):
                cell = PlaneCell(self.plan.cell)
                place(m, platform, "processing_element", cell, f"{row}_{column}", clocked=True)
                m.d.comb += [
                    cell.weight.eq(self.weight.word_select(column, len(cell.weight))),
                    cell.activation.eq(self.activation.word_select(row, len(cell.activation))),
                ]
                for name in CONTROLS:
                    if hasattr(cell, name):
                        source = sequencer if hasattr(sequencer, name) else self
                        m.d.comb += getattr(cell, name).eq(getattr(source, name, Const(1)))
                totals += [Const(0, 1), cell.total] if design.is_bipolar else [cell.total]
        ended: Value = sequencer.total_valid
        for cycle in range(design.pipeline):
            held = Signal(name=f"ended_{cycle}", reset_less=True)
            m.d.sync += held.eq(ended)
            ended = held
        m.d.comb += [self.total.eq(Cat(*totals)), self.total_valid.eq(ended)]
        return m
