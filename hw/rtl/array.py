"""Floor 2a: the output-stationary systolic array around the accumulation cores."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.plan import Plan
from hw.rtl.bits import named, select
from hw.rtl.core import Core
from hw.rtl.library import place


def operand_layout(plan: Plan) -> data.StructLayout:
    """Return one beat of operands: one k of every row and column."""
    assert plan.array is not None
    return data.StructLayout(
        {
            "weight": data.ArrayLayout(plan.array.weight_bits, plan.array.columns),
            "activation": data.ArrayLayout(plan.array.activation_bits, plan.array.rows),
            "last": 1,
        }
    )


def result_layout(plan: Plan) -> data.StructLayout:
    """Return one beat of results: one row of sums with their flags."""
    assert plan.array is not None
    columns = plan.array.columns
    fields: dict[str, object] = {
        "result": data.ArrayLayout(plan.design.accumulator_bits, columns),
        "last": 1,
    }
    if plan.design.exponent_bits:
        fields["exponent"] = data.ArrayLayout(plan.design.exponent_bits, columns)
    fields |= {flag: data.ArrayLayout(1, columns) for flag in plan.design.flags}
    return data.StructLayout(fields)


class SystolicArray(wiring.Component):
    """Rows × columns cells; activations travel right, weights down, sums stay.

    Streams: `operands` (one k per beat, `last` on the last k of a tile) and `results` (one row per
    beat, row 0 first, `last` on the last row). Operands are accepted every cycle; the last beat
    of a tile waits while the results of the tile before have not all left. The first result is
    valid ``rows + columns - 1`` cycles after the last operands were accepted. Synchronous reset
    empties it.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        super().__init__(
            {
                "operands": In(stream.Signature(operand_layout(plan))),
                "results": Out(stream.Signature(result_layout(plan))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build cells, control and the result multiplexer."""
        m = Module()
        assert self.plan.array is not None
        rows, columns = self.plan.array.rows, self.plan.array.columns
        valid, last = self._control(m, rows + columns - 1)
        cells = [[Core(self.plan.core) for _ in range(columns)] for _ in range(rows)]
        across = [self._delayed(m, f"a{r}", self.operands.p.activation[r], r) for r in range(rows)]
        down = [self._delayed(m, f"w{c}", self.operands.p.weight[c], c) for c in range(columns)]
        for r in range(rows):
            for c in range(columns):
                place(m, platform, "processing_element", cells[r][c], f"{r}_{c}", clocked=True)
                m.d.comb += [
                    cells[r][c].valid.eq(valid[r + c]),
                    cells[r][c].last.eq(last[r + c]),
                    cells[r][c].weight.eq(down[c]),
                    cells[r][c].activation.eq(across[r]),
                ]
                across[r] = self._delayed(m, f"a{r}_{c}", across[r], 1 if c < columns - 1 else 0)
                down[c] = self._delayed(m, f"w{r}_{c}", down[c], 1 if r < rows - 1 else 0)
        self._drain(m, cells, valid[-1] & last[-1])
        return m

    @staticmethod
    def _delayed(m: Module, name: str, value: Value, cycles: int) -> Value:
        """Return a word some cycles later."""
        word = value
        for cycle in range(cycles):
            held = Signal(len(value), name=f"{name}_{cycle}", reset_less=True)
            m.d.sync += held.eq(word)
            word = held
        return word

    def _control(self, m: Module, diagonals: int) -> tuple[list[Value], list[Value]]:
        """Return valid and last of each diagonal; hold a last beat back while results wait."""
        self.busy = Signal()
        beat = self.operands.p.last
        m.d.comb += self.operands.ready.eq(~(beat & self.busy))
        accepted = named(m, "accepted", self.operands.valid & self.operands.ready)
        with m.If(accepted & beat):
            m.d.sync += self.busy.eq(1)
        valid: list[Value] = [accepted]
        last: list[Value] = [Value.cast(beat)]
        for diagonal in range(1, diagonals):
            valid_here = Signal(name=f"valid_{diagonal}")
            last_here = Signal(name=f"last_{diagonal}", reset_less=True)
            m.d.sync += [valid_here.eq(valid[-1]), last_here.eq(last[-1])]
            valid.append(valid_here)
            last.append(last_here)
        return valid, last

    def _drain(self, m: Module, cells: list[list[Core]], finished: Value) -> None:
        """Send the rows of sums, one beat each, once the last cell has its sum."""
        assert self.plan.array is not None
        rows = self.plan.array.rows
        row = Signal(range(max(rows, 2)), name="row")
        draining = Signal(name="draining")
        with m.If(finished):
            m.d.sync += draining.eq(1)
        with m.If(draining & self.results.ready):
            m.d.sync += row.eq(row + 1)
            with m.If(row == rows - 1):
                m.d.sync += [row.eq(0), draining.eq(0), self.busy.eq(0)]
        payload = self.results.p
        m.d.comb += [self.results.valid.eq(draining), payload.last.eq(row == rows - 1)]
        for field in ("result", "exponent", *self.plan.design.flags):
            if field not in payload.shape().members:
                continue
            port = "total" if field == "result" else field
            words = [Cat(getattr(cell, port) for cell in line) for line in cells]
            m.d.comb += payload[field].as_value().eq(select(row, words))
