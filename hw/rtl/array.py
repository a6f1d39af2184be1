"""Floor 2a: the output-stationary systolic array around the accumulation cores."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.plan import Plan
from hw.rtl.bits import named, select
from hw.rtl.compressor import CompressorCore
from hw.rtl.core import Core
from hw.rtl.cores import core_of
from hw.rtl.float_core import FloatCore
from hw.rtl.library import place
from hw.rtl.product import lookup


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
    of a tile waits while the results of the tile before have not all left: never, if they are taken
    at once and tiles have ``2·rows + columns - 1`` beats (and one per stage). The first result is
    valid ``rows + columns - 1`` cycles after the last operands were accepted, and as many more as
    there are pipeline stages. Synchronous reset empties it.
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
        cells = [[core_of(self.plan.core) for _ in range(columns)] for _ in range(rows)]
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
        finished = valid[-1] & last[-1]
        for cycle in range(self.plan.design.pipeline):
            held = Signal(name=f"finished_{cycle}")
            m.d.sync += held.eq(finished)
            finished = held
        self._drain(m, platform, cells, finished)
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

    def _drain(
        self,
        m: Module,
        platform: object,
        cells: list[list[Core | FloatCore | CompressorCore]],
        finished: Value,
    ) -> None:
        """Send the rows of sums, one beat each, once the last cell has its sum."""
        assert self.plan.array is not None
        rows = self.plan.array.rows
        row: Value = Signal(range(rows), name="row") if rows > 1 else Const(0)
        at_last: Value = row == rows - 1 if rows > 1 else Const(1)
        draining = Signal(name="draining")
        with m.If(finished):
            m.d.sync += draining.eq(1)
        with m.If(draining & self.results.ready):
            if rows > 1:
                counter = NextRow(rows)
                place(m, platform, "next_row", counter)
                m.d.comb += counter.row.eq(row)
                m.d.sync += row.eq(counter.following)
            with m.If(at_last):
                m.d.sync += [draining.eq(0), self.busy.eq(0)]
        payload = self.results.p
        m.d.comb += [self.results.valid.eq(draining), payload.last.eq(at_last)]
        ports = {"result": "total", "exponent": "exponent"}
        ports |= {flag: flag for flag in self.plan.design.flags}
        fields = [field for field in ports if field in payload.shape().members]
        lines = [
            Cat(getattr(cell, ports[field]) for field in fields for cell in line) for line in cells
        ]
        selected = self._selected(m, platform, lines, row)
        m.d.comb += Cat(payload[field].as_value() for field in fields).eq(selected)

    def _selected(self, m: Module, platform: object, lines: list[Value], row: Value) -> Value:
        """Return one of the lines, through the levels of the plan."""
        assert self.plan.array is not None
        words = lines
        for number, level in enumerate(self.plan.array.selection):
            bits = (self.plan.array.ways - 1).bit_length()
            index = row[number * bits : (number + 1) * bits]
            following: list[Value] = []
            for group, ways in enumerate(level):
                inputs, words = words[:ways], words[ways:]
                if ways == 1:
                    following += inputs
                    continue
                selector = RowSelector(ways, len(inputs[0]))
                place(m, platform, f"select_{ways}", selector, f"{number}_{group}")
                m.d.comb += [
                    selector.words.eq(Cat(inputs)),
                    selector.index.eq(index),
                ]
                following.append(selector.word)
            words = following
        return words[0]


class NextRow(wiring.Component):
    """``following = (row + 1) mod rows`` as a table, a LUT per bit of at most 64 rows.

    Ports: `row`, `following`. Combinational.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        bits = (rows - 1).bit_length()
        super().__init__({"row": In(bits), "following": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        """Look the next row up."""
        m = Module()
        bits = len(self.row)
        entries = [(row + 1) % self.rows if row < self.rows else 0 for row in range(1 << bits)]
        m.d.comb += self.following.eq(lookup(entries, self.row, bits))
        return m


class RowSelector(wiring.Component):
    """One of 2 to 4 words, a LUT per bit. Ports: `words`, `index`, `word`. Combinational.

    A module of its own: mapped as one large multiplexer, the rows cost up to four times the LUTs.
    """

    def __init__(self, ways: int, width: int) -> None:
        self.ways = ways
        self.width = width
        bits = (ways - 1).bit_length()
        super().__init__({"words": In(ways * width), "index": In(bits), "word": Out(width)})

    def elaborate(self, platform: object) -> Module:
        """Select."""
        m = Module()
        words = [self.words.word_select(way, self.width) for way in range(self.ways)]
        m.d.comb += self.word.eq(select(self.index, words))
        return m
