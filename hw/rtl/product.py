"""Floor 2a: products of significands in the structure the plan names."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import BoothRow, DigitSelection, ProductPlan, SignSelection
from hw.rtl.bits import extend, named, read
from hw.rtl.library import place
from hw.rtl.signs import build_signs
from hw.rtl.xilinx import Function, dual_lut, lut6_2, native


class DigitSelector(wiring.Component):
    """The multiple of the lowest digit, its 1 pending: `multiplicand`, `digit`; `sum`, `carry`.

    Combinational; two bits per LUT6_2, or plain logic where primitives are not used.
    """

    def __init__(self, plan: DigitSelection) -> None:
        self.plan = plan
        super().__init__(
            {
                "multiplicand": In(plan.multiplicand_bits),
                "digit": In(2),
                "sum": Out(plan.width),
                "carry": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Select bit by bit, in pairs."""
        m = Module()
        plan, library = self.plan, native(platform)
        fill = self.multiplicand[-1] if plan.multiplicand_signed else Const(0)
        word = Cat(Const(0, 1), self.multiplicand, fill)
        outputs: list[Value] = []
        places = range(plan.own_bits + plan.inverts_zero)
        for first in places[::2]:
            pair = [self._function(i) for i in (first, first + 1)]
            inputs = [*(word[i] for i in range(first, min(first + 3, len(word)))), *self.digit]
            if library is None:
                outputs += [_expression(inputs, function) for function in pair]
            else:
                outputs += dual_lut(m, library, f"bits{first}", inputs, *pair)
        negates = outputs[plan.own_bits] if plan.inverts_zero else self.digit[1]
        signed = outputs[plan.own_bits - 1] if plan.multiplicand_signed else negates
        bits = outputs[: plan.own_bits]
        m.d.comb += [
            self.carry.eq(negates),
            self.sum.eq(Cat(*bits, *[signed] * (plan.width - len(bits)))),
        ]
        return m

    def _function(self, place: int) -> Function:
        """Return one bit as a function of three multiplicand bits, from the pair's, and the digit.

        Beyond the bits stands whether the multiple is inverted.
        """

        def value(*inputs: int) -> int:
            *bits, low, high = inputs
            digit = low | high << 1
            negates = self.plan.negates(digit)
            if place >= self.plan.own_bits:
                return negates
            here = place % 2
            chosen = bits[here + 1] if digit & 1 else bits[here] if digit else 0
            return chosen ^ negates

        return value


def _expression(inputs: Sequence[Value], function: Function) -> Value:
    """Return a function of single bits as a table."""
    count = len(inputs)
    values = [bool(function(*(code >> i & 1 for i in range(count)))) for code in range(1 << count)]
    truth = sum(value << code for code, value in enumerate(values))
    return Const(truth, 1 << count).bit_select(Cat(*inputs), 1)


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
        "product": Out(plan.word_bounds.bits),
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


def selection_name(plan: DigitSelection) -> str:
    """Return the module name of a selection."""
    sign = "s" if plan.multiplicand_signed else "u"
    kind = "_n" if plan.inverts_zero else ""
    return f"digit_{sign}{plan.multiplicand_bits}{kind}_{plan.width}"


def build_product(
    m: Module, platform: object, plan: ProductPlan, weight: Value, activation: Value
) -> Value:
    """Add the hardware of a product without a pending carry to a module; return the product."""
    word, carry = build_word(m, platform, plan, weight, activation)
    assert carry is None
    return word


def build_word(
    m: Module, platform: object, plan: ProductPlan, weight: Value, activation: Value
) -> tuple[Value, Value | None]:
    """Add the product's hardware to a module; return its word and what is still to be added."""
    if plan.structure == "rows":
        return _build_rows(m, platform, plan, weight, activation)
    if plan.structure == "table":
        return place_table(m, platform, plan, weight, activation), None
    block = Multiplier(plan)
    name = f"multiplier_{plan.weight_bits}_{plan.activation_bits}"
    place(m, platform, name, block)
    m.d.comb += [block.weight.eq(weight), block.activation.eq(activation)]
    return block.product, None


def _build_rows(
    m: Module, platform: object, plan: ProductPlan, weight: Value, activation: Value
) -> tuple[Value, Value | None]:
    multiplier, multiplicand = (
        (weight, activation) if plan.weight_is_multiplier else (activation, weight)
    )
    done: list[Value] = []
    previous: Value | None = None
    carry: Value | None = None
    if isinstance(plan.selection, SignSelection):
        return build_signs(m, platform, plan.selection, multiplicand, multiplier)
    if plan.selection is not None:
        selector = DigitSelector(plan.selection)
        place(m, platform, selection_name(plan.selection), selector)
        m.d.comb += [selector.multiplicand.eq(multiplicand), selector.digit.eq(multiplier[:2])]
        previous, carry = selector.sum, selector.carry
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
    if previous is None:
        return multiplicand, None
    return named(m, "product", Cat(*done, previous), plan.word_bounds.bits), carry


class ProductTable(wiring.Component):
    """Product of two codes as a table; each bit is a LUT6 of at most six inputs, or half a LUT6_2.

    Combinational.
    """

    def __init__(self, plan: ProductPlan) -> None:
        self.plan = plan
        super().__init__(_ports(plan))

    def elaborate(self, platform: object) -> Module:
        """Look the product up."""
        m = Module()
        plan, library = self.plan, native(platform)
        index = Cat(self.weight, self.activation)
        bits = list(lookup(plan.entries, index, len(self.product)))
        for number, pair in enumerate(plan.pairs):
            if library is None:
                break
            inputs = [index[i] for i in pair.inputs]
            inputs += [] if pair.helper is None else [bits[pair.helper]]
            made = lut6_2(m, library, f"pair{number}", inputs, *pair.truths)
            for bit, net in zip(pair.bits, made, strict=True):
                bits[bit] = net
        m.d.comb += self.product.eq(Cat(*bits))
        return m


def place_table(
    m: Module, platform: object, plan: ProductPlan, weight: Value, activation: Value
) -> Value:
    """Add a product table to a module and return the product."""
    table = ProductTable(plan)
    place(m, platform, "product_table", table)
    m.d.comb += [table.weight.eq(weight), table.activation.eq(activation)]
    return table.product


def lookup(entries: Sequence[int], index: Value, width: int) -> Value:
    """Return a table's entry as an unsigned word; each bit is one truth table of the index."""
    truths = [
        sum((entry >> bit & 1) << place for place, entry in enumerate(entries))
        for bit in range(width)
    ]
    return Cat(Const(truth, len(entries)).bit_select(index, 1) for truth in truths)
