"""Floor 2a: the weight-stationary systolic array around its cells."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.plan import StationaryPlan
from hw.rtl.accumulate import Accumulator
from hw.rtl.bits import named
from hw.rtl.library import place
from hw.rtl.stationary_cell import Cell


def weight_layout(plan: StationaryPlan) -> data.StructLayout:
    """Return one beat of weights: one row of a tile."""
    shell = plan.shell
    return data.StructLayout({"weight": data.ArrayLayout(shell.weight_bits, shell.columns)})


def operand_layout(plan: StationaryPlan) -> data.StructLayout:
    """Return one beat of activations: one per row and lane."""
    shell = plan.shell
    activation = data.ArrayLayout(shell.activation_bits, shell.rows)
    return data.StructLayout({"activation": activation, "swap": 1, "last": 1})


def result_layout(plan: StationaryPlan) -> data.StructLayout:
    """Return one beat of results: a sum and its flags per column."""
    columns = plan.shell.columns
    fields = {"result": data.ArrayLayout(plan.accumulate.bits, columns)}
    fields |= {flag: data.ArrayLayout(1, columns) for flag in plan.accumulate.flags}
    return data.StructLayout(fields)


class StationaryArray(wiring.Component):
    """Rows × columns cells that keep their weights; activations travel right, sums down.

    Streams: `weights` (one row of a tile per beat, row 0 first; taken while the tile before is at
    work, up to one tile ahead), `operands` (one activation per row and lane; `swap` on the first
    beat of the next tile of weights, which waits until that tile is complete; `last` on the beat
    that ends the sums) and `results` (the sums of all columns, one beat for each `last`). A sum is
    that of `hw.design`, a column being a dot product. The first beat after a reset swaps.

    Latency ``rows + columns + 1`` cycles from an accepted beat to its result, and as many more as
    there are pipeline stages. A beat every cycle; tiles of at least `rows` beats (2 if there is one
    row) follow each other without a bubble. While a result waits everything does, weights too: no
    beat is then taken. Synchronous
    reset empties the array, weights included. Sums wrap, clamp or tell of their overflow in the
    accumulators only; partial sums are exact.
    """

    def __init__(self, plan: StationaryPlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "weights": In(stream.Signature(weight_layout(plan))),
                "operands": In(stream.Signature(operand_layout(plan))),
                "results": Out(stream.Signature(result_layout(plan))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build control, weights, cells and accumulators."""
        m = Module()
        shell = self.plan.shell
        waiting = Signal(name="waiting")
        self.advance = named(m, "advance", ~waiting | self.results.ready)
        swap, loads, valid = self._control(m)
        last = self._delayed(m, "last", self.operands.p.last, shell.delay, reset_less=False)
        weights = self._weights(m, swap, loads)
        below = self._cells(m, platform, weights)
        self._sums(m, platform, below, valid, last)
        with m.If(self.advance):
            m.d.sync += waiting.eq(valid & last)
        m.d.comb += self.results.valid.eq(waiting)
        return m

    def _held(self, m: Module, name: str, value: Value, reset_less: bool = True) -> Signal:
        """Return a word one cycle later."""
        held = Signal(len(value), name=name, reset_less=reset_less)
        with m.If(self.advance):
            m.d.sync += held.eq(value)
        return held

    def _delayed(
        self, m: Module, name: str, value: Value, cycles: int, reset_less: bool = True
    ) -> Value:
        """Return a word some cycles later."""
        for cycle in range(1, cycles + 1):
            value = self._held(m, f"{name}_{cycle}", value, reset_less)
        return value

    def _control(self, m: Module) -> tuple[list[Value], list[Value], Value]:
        """Return the exchange of weights per diagonal, what loads each row, valid at the end."""
        shell, operands, weights = self.plan.shell, self.operands, self.weights
        full = Signal(name="full")
        m.d.comb += weights.ready.eq(self.advance & ~full)
        taken = named(m, "taken", weights.valid & weights.ready)
        loads: list[Value] = [taken]
        complete: Value = full
        if shell.rows > 1:
            ring = Signal(shell.rows, name="turn", init=1)
            loads = [named(m, f"load_{row}", taken & ring[row]) for row in range(shell.rows)]
            complete = full | (weights.valid & ring[-1])
            with m.If(taken):
                m.d.sync += ring.eq(Cat(ring[-1], ring[:-1]))
        m.d.comb += operands.ready.eq(self.advance & (complete | ~operands.p.swap))
        exchange = named(m, "exchange", operands.valid & operands.p.swap & operands.ready)
        with m.If(exchange):
            m.d.sync += full.eq(0)
        with m.Elif(loads[-1]):
            m.d.sync += full.eq(1)
        swap: list[Value] = [exchange]
        wave: Value = exchange
        for diagonal in range(1, shell.rows + shell.columns - 1):
            wave = self._held(m, f"swap_{diagonal}", wave)
            swap.append(named(m, f"exchange_{diagonal}", wave & self.advance))
        valid: Value = named(m, "accepted", operands.valid & operands.ready)
        return swap, loads, self._delayed(m, "valid", valid, shell.delay, reset_less=False)

    def _weights(self, m: Module, swap: list[Value], loads: list[Value]) -> list[list[Signal]]:
        """Return the weights at work in each cell; those to come wait in registers of their own.

        A cell is loaded and exchanged as many cycles after its row as its column says, so that
        neither overtakes the activations. It is never both in one cycle, so that it may be loaded
        again and again while a result waits.
        """
        bits = self.plan.shell.weight_bits
        found: list[list[Signal]] = [[] for _ in loads]
        for column in range(self.plan.shell.columns):
            code = self._delayed(m, f"w{column}", self.weights.p.weight[column], column)
            for row, load in enumerate(loads):
                following = Signal(bits, name=f"next_{row}_{column}", reset_less=True)
                kept = Signal(bits, name=f"weight_{row}_{column}", reset_less=True)
                with m.If(load):
                    m.d.sync += following.eq(code)
                with m.If(swap[row + column]):
                    m.d.sync += kept.eq(following)
                found[row].append(kept)
            if column < self.plan.shell.columns - 1:
                loads = [
                    self._held(m, f"load_{row}_{column}", load) for row, load in enumerate(loads)
                ]
        return found

    def _cells(
        self, m: Module, platform: object, weights: list[list[Signal]]
    ) -> list[dict[str, Value]]:
        """Return what leaves each column below: sum and flags, by the cells' names of ports."""
        above: list[dict[str, Value]] = [{} for _ in range(self.plan.shell.columns)]
        for row, plan in enumerate(self.plan.cells):
            across = self._delayed(m, f"a{row}", self.operands.p.activation[row], row + 1)
            for column in range(self.plan.shell.columns):
                if column:
                    across = self._held(m, f"a{row}_{column}", across)
                cell = Cell(plan)
                place(m, platform, f"processing_element_{row}", cell, column, clocked=True)
                m.d.comb += [
                    cell.advance.eq(self.advance),
                    cell.weight.eq(weights[row][column]),
                    cell.activation.eq(across),
                ]
                for name, value in above[column].items():
                    m.d.comb += getattr(cell, name.replace("below", "above")).eq(value)
                names = ("below", *(f"{flag}_below" for flag in plan.flags))
                above[column] = {name: getattr(cell, name) for name in names}
        return above

    def _sums(
        self,
        m: Module,
        platform: object,
        below: list[dict[str, Value]],
        valid: Value,
        last: Value,
    ) -> None:
        """Add what leaves the columns, all in one cycle, to the accumulators."""
        columns, payload = self.plan.shell.columns, self.results.p
        step = named(m, "step", valid & self.advance)
        for column, words in enumerate(below):
            adder = Accumulator(self.plan.accumulate)
            place(m, platform, "accumulate", adder, column, clocked=True)
            m.d.comb += [adder.valid.eq(step), adder.last.eq(last)]
            joined = Cat(*words.values())
            late = self._delayed(m, f"sum{column}", joined, columns - 1 - column)
            m.d.comb += adder.addend.eq(late[: len(adder.addend)])
            for number, flag in enumerate(self.plan.cells[-1].flags):
                m.d.comb += getattr(adder, f"step_{flag}").eq(late[len(adder.addend) + number])
            m.d.comb += payload.result[column].eq(adder.total)
            for flag in self.plan.accumulate.flags:
                m.d.comb += payload[flag][column].eq(getattr(adder, flag))


class FlatStationaryArray(wiring.Component):
    """The array with its streams as plain ports (see the port list in the README)."""

    def __init__(self, plan: StationaryPlan) -> None:
        self.plan = plan
        shell = plan.shell
        ports: dict[str, object] = {
            "weights_valid": In(1),
            "weights_ready": Out(1),
            "weight": In(shell.weight_bits * shell.columns),
            "operands_valid": In(1),
            "operands_ready": Out(1),
            "operands_swap": In(1),
            "operands_last": In(1),
            "activation": In(shell.activation_bits * shell.rows),
            "result_valid": Out(1),
            "result_ready": In(1),
            "result": Out(plan.accumulate.bits * shell.columns),
        }
        super().__init__(
            ports | {f"result_{flag}": Out(shell.columns) for flag in plan.accumulate.flags}
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the streams' fields to the ports."""
        m = Module()
        m.submodules["array"] = array = StationaryArray(self.plan)
        weights, operands, results = array.weights, array.operands, array.results
        m.d.comb += [
            weights.valid.eq(self.weights_valid),
            weights.p.weight.as_value().eq(self.weight),
            self.weights_ready.eq(weights.ready),
            operands.valid.eq(self.operands_valid),
            operands.p.swap.eq(self.operands_swap),
            operands.p.last.eq(self.operands_last),
            operands.p.activation.as_value().eq(self.activation),
            self.operands_ready.eq(operands.ready),
            self.result_valid.eq(results.valid),
            results.ready.eq(self.result_ready),
            self.result.eq(results.p.result.as_value()),
        ]
        for flag in self.plan.accumulate.flags:
            m.d.comb += getattr(self, f"result_{flag}").eq(results.p[flag].as_value())
        return m
