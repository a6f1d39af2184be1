"""Floor 2a: products of significands in the structure the plan names."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import BoothRow, ProductPlan
from hw.rtl.bits import extend, named, read
from hw.rtl.library import place


class BoothRowAdder(wiring.Component):
    """``sum = previous + digit · multiplicand`` in one adder row.

    Ports: `previous` (absent in a first row), `multiplicand`, `digit` (the live multiplier bits,
    highest first in the highest bit), `sum`. Combinational. Every bit of the sum depends on at most
    six inputs and the carry; the negation's carry-in is a third one-bit operand, which maps to the
    chain's own carry input.
    """

    def __init__(self, plan: BoothRow) -> None:
        self.plan = plan
        ports = {
            "multiplicand": In(plan.multiplicand_bits),
            "digit": In(len(plan.live_bits)),
            "sum": Out(plan.width),
        }
        if plan.previous_bits:
            ports["previous"] = In(plan.previous_bits)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Select the multiple bit by bit, then add it to the previous row."""
        m = Module()
        plan, live = self.plan, len(self.plan.live_bits)
        zero = Const(0, 1)
        high, middle, low = (
            zero if index < 0 else self.digit[live - 1 - index] for index in plan.shape
        )
        one = named(m, "one", middle ^ low)
        two = named(m, "two", (high & ~middle & ~low) | (~high & middle & low))
        width = plan.width
        once = extend(self.multiplicand, width, plan.multiplicand_signed)
        twice = extend(Cat(zero, self.multiplicand), width, plan.multiplicand_signed)
        magnitude = (once & one.replicate(width)) | (twice & two.replicate(width))
        selected = magnitude ^ high.replicate(width) if plan.negates else magnitude
        selected = named(m, "selected", selected, width)
        terms: Value = selected
        if plan.previous_bits:
            terms = extend(self.previous, plan.width, plan.previous_signed) + terms
        if plan.negates:
            terms = terms + high
        m.d.comb += self.sum.eq(terms)
        return m


def _ports(plan: ProductPlan) -> dict[str, object]:
    """Return the ports of a product in one piece: both codes in, the product out."""
    return {
        "weight": In(plan.weight_bits),
        "activation": In(plan.activation_bits),
        "product": Out(plan.bounds.bits),
    }


class Multiplier(wiring.Component):
    """A plain ``*`` in a module of its own: LUTs, or one DSP block where these are allowed.

    Mapped together with the logic around it, such as a significand forced to zero, it costs more.
    Combinational.
    """

    def __init__(self, plan: ProductPlan) -> None:
        self.plan = plan
        super().__init__(_ports(plan))

    def elaborate(self, platform: object) -> Module:
        """Multiply."""
        m = Module()
        plan = self.plan
        m.d.comb += self.product.eq(
            read(self.weight, plan.weight) * read(self.activation, plan.activation)
        )
        return m


def booth_name(row: BoothRow) -> str:
    """Return the module name of a row: its operand, digit bits and widths."""
    sign = "s" if row.multiplicand_signed else "u"
    digit = "".join("z" if index < 0 else str(index) for index in row.shape)
    before = f"{'s' if row.previous_signed else 'u'}{row.previous_bits}"
    return f"booth_row_{sign}{row.multiplicand_bits}_d{digit}_{before}_{row.width}"


def build_product(
    m: Module, platform: object, plan: ProductPlan, weight: Value, activation: Value
) -> Value:
    """Add the product's hardware to a module and return the product, as wide as its range."""
    if plan.structure == "rows":
        return _build_rows(m, platform, plan, weight, activation)
    if plan.structure == "table":
        return place_table(m, platform, plan, _entries(plan), weight, activation)
    block = Multiplier(plan)
    name = f"multiplier_{plan.weight_bits}_{plan.activation_bits}"
    place(m, platform, name, block)
    m.d.comb += [block.weight.eq(weight), block.activation.eq(activation)]
    return block.product


def _build_rows(
    m: Module, platform: object, plan: ProductPlan, weight: Value, activation: Value
) -> Value:
    multiplier, multiplicand = (
        (weight, activation) if plan.weight_is_multiplier else (activation, weight)
    )
    done: list[Value] = []
    previous: Value | None = None
    for j, row in enumerate(plan.rows):
        adder = BoothRowAdder(row)
        place(m, platform, booth_name(row), adder, j)
        m.d.comb += [
            adder.multiplicand.eq(multiplicand),
            adder.digit.eq(Cat(multiplier[bit] for bit in reversed(row.live_bits))),
        ]
        if previous is not None:
            done.append(previous[:2])
            # What is left of a word of two bits or less is its sign.
            m.d.comb += adder.previous.eq(previous[2:] if len(previous) > 2 else previous[-1])
        previous = adder.sum
    assert previous is not None
    return named(m, "product", Cat(*done, previous), plan.bounds.bits)


def _entries(plan: ProductPlan) -> list[int]:
    """Return the product of every pair of significand codes, the weight's code varying fastest."""

    def number(code: int, bits: int, signed: bool) -> int:
        return code - (1 << bits) if signed and code >> (bits - 1) else code

    return [
        number(w, plan.weight_bits, plan.weight.signed)
        * number(a, plan.activation_bits, plan.activation.signed)
        for a in range(1 << plan.activation_bits)
        for w in range(1 << plan.weight_bits)
    ]


class ProductTable(wiring.Component):
    """Product of two codes as a table; each bit is a LUT6 of at most six inputs. Combinational."""

    def __init__(self, plan: ProductPlan, entries: list[int]) -> None:
        self.plan = plan
        self.entries = entries
        super().__init__(_ports(plan))

    def elaborate(self, platform: object) -> Module:
        """Look the product up."""
        m = Module()
        index = Cat(self.weight, self.activation)
        m.d.comb += self.product.eq(lookup(self.entries, index, self.plan.bounds.bits))
        return m


def place_table(
    m: Module,
    platform: object,
    plan: ProductPlan,
    entries: list[int],
    weight: Value,
    activation: Value,
) -> Value:
    """Add a product table to a module and return the product."""
    table = ProductTable(plan, entries)
    place(m, platform, "product_table", table)
    m.d.comb += [table.weight.eq(weight), table.activation.eq(activation)]
    return table.product


def lookup(entries: list[int], index: Value, width: int) -> Value:
    """Return a table's entry as an unsigned word; each bit is one truth table of the index."""
    truths = [
        sum((entry >> bit & 1) << place for place, entry in enumerate(entries))
        for bit in range(width)
    ]
    return Cat(Const(truth, len(entries)).bit_select(index, 1) for truth in truths)
