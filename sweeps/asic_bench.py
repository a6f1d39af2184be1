"""Floor 4: small modules of the target of gates, enumerated and measured many in one synthesis.

Products, Booth rows, tables, exponent logic and their like depend on a few widths only; designs
drawn by chance would meet some of them rarely.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from amaranth.hdl import Cat
from amaranth.hdl import Module as Logic
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from costmodel.asic_float import shell_modules
from costmodel.asic_parts import (
    Module,
    booth_module,
    distance_module,
    exponent_module,
    made,
    maximum_module,
    multiplier_module,
    operand_modules,
    product_modules,
)
from hw.asic import FF_TRANSISTORS, measure
from hw.design import OPERAND_SPECIALS, from_record
from hw.formats import MinifloatFormat, Specials, parse_element
from hw.plan import (
    ArrayPlan,
    BoothRow,
    Bounds,
    DistancePlan,
    ExponentMaximum,
    LanePlan,
    OperandPlan,
    plan,
)
from hw.plan.digits import booth_rows
from hw.plan.product import plan_product
from hw.plan.shift import plan_exponents
from hw.rtl.accumulate import Accumulator, Fits
from hw.rtl.array import NextRow
from hw.rtl.bitplane import PlaneAccumulator, PlaneSequencer
from hw.rtl.library import Library, place
from hw.rtl.operand import Classifier, Magnitude
from hw.rtl.product import BoothRowAdder, Multiplier, ProductTable
from hw.rtl.shift import ExponentSum
from hw.rtl.window import Distance, LargerExponent, Nonzero
from hw.target import ASIC, load
from hw.yosys import clean_verilog

WIDEST = 8
WIDE = (1, 2, 4, 8, 12, 16), (1, 2, 4, 8, 10, 12, 16, 24, 32)
"""Widths of products beyond the widest of designs drawn by chance."""
RUN = 60
"""Modules in one synthesis."""
SEED = 5
BOOTH_ROWS = 90
TABLES = 60
CLOCKED = (Accumulator, PlaneAccumulator, PlaneSequencer)
Pair = tuple[Module, wiring.Component]


class Bench(wiring.Component):
    """Components side by side, each port of theirs at a port of its own.

    Ports: `inputs` and `outputs`, those of all components in a row. Combinational.
    """

    def __init__(self, parts: Sequence[wiring.Component]) -> None:
        self.parts = parts
        sizes = {In: 0, Out: 0}
        for part in parts:
            for name, member in part.signature.members.items():
                sizes[member.flow] += len(getattr(part, name))
        super().__init__({"inputs": In(sizes[In]), "outputs": Out(sizes[Out])})

    def elaborate(self, platform: object) -> Logic:
        """Connect."""
        m = Logic()
        taken, shown = 0, []
        for number, part in enumerate(self.parts):
            clocked = isinstance(part, CLOCKED)
            place(m, platform, f"part{number}", part, clocked=clocked)
            for name, member in part.signature.members.items():
                port = getattr(part, name)
                if member.flow is Out:
                    shown.append(port)
                    continue
                m.d.comb += port.eq(self.inputs[taken : taken + len(port)])
                taken += len(port)
        m.d.comb += self.outputs.eq(Cat(*shown))
        return m


Measured = Iterator[tuple[Module, tuple[int, int]]]


def measure_parts() -> Measured:
    """Yield every enumerated module with its transistors and gates."""
    return measure_modules(parts())


def measure_modules(offered: Iterable[Pair]) -> Measured:
    """Yield modules once each with transistors, those of flip-flops left out, and gates."""
    found: dict[tuple[str, str], Pair] = {}
    for module, component in offered:
        component._MustUse__used = True  # one of several equal ones may be left out
        found.setdefault((module.formula, module.key), (module, component))
    pairs = list(found.values())
    for start in range(0, len(pairs), RUN):
        some = pairs[start : start + RUN]
        library = Library()
        text = library.convert(Bench([component for _, component in some]), "bench")
        verilog = clean_verilog(text, "bench", kept=library.names.__contains__)
        kinds = {
            line.split()[1].removeprefix("the_"): line.split()[0]
            for line in verilog.splitlines()
            if line.startswith("  part") and "the_part" in line
        }
        counted = measure(verilog, "bench").by_module
        for number, (module, _) in enumerate(some):
            numbers = counted[kinds[f"part{number}"]]
            logic = numbers["transistors"] - FF_TRANSISTORS * numbers["ff"]
            yield module, (logic, numbers["gates"])


def parts() -> Iterator[Pair]:
    """Yield the modules with their hardware."""
    yield from _products()
    yield from _booth_rows()
    yield from _exponents()
    yield from _tables()
    yield from _classifiers()
    for bits in range(2, WIDEST + 1):
        yield made(f"magnitude_{bits}", "unpack", "magnitude", (bits, 1)), Magnitude(bits)
    for bits in range(1, 10):
        yield maximum_module(bits), LargerExponent(ExponentMaximum(bits))
        for live in range(1, min(bits, 6) + 1):
            yield distance_module(bits, live, "aligner"), Distance(DistancePlan(bits, live))
    for bits in range(2, 2 * WIDEST + 1):
        half = bits // 2
        yield made("nonzero", "unpack", "nonzero", (bits, 1)), Nonzero(half, bits - half)
    for rows in range(2, 17):
        shell = shell_modules(ArrayPlan(rows, 1, 1, 1, 1, 2))
        (counter,) = (module for module, _ in shell if module.name == "next_row")
        yield counter, NextRow(rows)
    for top in range(4, 20):
        yield made("fits", "accumulator", "fits", (top, 1)), Fits(top)
    yield from _wide_products()
    yield from _reversed_products()
    yield from _usual_tables()


def _words() -> Iterator[tuple[str, int, Bounds]]:
    """Yield the words of products: unsigned, signed, magnitudes of two's complement."""
    for bits in range(1, WIDEST + 1):
        yield "u", bits, Bounds(0, (1 << bits) - 1)
        if bits > 1:
            yield "s", bits, Bounds(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
            yield "m", bits, Bounds(0, 1 << (bits - 1))


def _products() -> Iterator[Pair]:
    for kind, a, left in _words():
        for other, b, right in _words():
            if a <= b and {kind, other} != {"s", "m"}:
                made_plan = plan_product("behavioural", left, a, right, b)
                yield multiplier_module(made_plan), Multiplier(made_plan)


def _wide_products() -> Iterator[Pair]:
    """Yield products of two's complement words of up to 16 by 32 bits, and the rows of such."""
    for a in WIDE[0]:
        for b in WIDE[1]:
            words = _signed(a), a, _signed(b), b
            if a <= b and (b > WIDEST or a == 1):
                found = plan_product("behavioural", *words)
                yield multiplier_module(found), Multiplier(found)
            for row in plan_product("rows", *words).rows:
                yield booth_module(row), BoothRowAdder(row)


def _reversed_products() -> Iterator[Pair]:
    """Yield products of a signed and an unsigned word with the wider one first.

    The order of operands matters to Yosys, most so where one has to be extended.
    """
    for kind, a, left in _words():
        for other, b, right in _words():
            if a > b and {kind, other} == {"s", "u"}:
                found = plan_product("behavioural", left, a, right, b)
                yield multiplier_module(found), Multiplier(found)


def _signed(bits: int) -> Bounds:
    half = 1 << (bits - 1)
    return Bounds(-half, half - 1)


def _booth_rows() -> Iterator[Pair]:
    """Yield rows of products: some of all."""
    found: dict[str, BoothRow] = {}
    for _, a, left in _words():
        for _, b, right in _words():
            for row in booth_rows(left, a, right, b):
                found.setdefault(booth_module(row).key, row)
    rows = [found[key] for key in sorted(found)]
    random.Random(SEED).shuffle(rows)
    for row in rows[:BOOTH_ROWS]:
        yield booth_module(row), BoothRowAdder(row)


def _minifloats(most_bits: int) -> Iterator[MinifloatFormat]:
    for bits in range(3, most_bits + 1):
        for exponent in range(1, bits):
            for specials in OPERAND_SPECIALS:
                fraction = bits - 1 - exponent
                if specials is Specials.IEEE and (exponent < 2 or not fraction):
                    continue
                found = MinifloatFormat(exponent, fraction, specials)
                if found.specials is specials:
                    yield found


def _exponents() -> Iterator[Pair]:
    formats = [f for f in _minifloats(7) if f.bits == f.exponent_bits + 2]
    for left in formats:
        for right in (*formats, parse_element("int4")):
            operands = OperandPlan(left), OperandPlan(right)
            found = plan_exponents(operands, load(ASIC).lut_inputs)
            if found is not None:
                yield exponent_module(found), ExponentSum(found)


def _tables() -> Iterator[Pair]:
    """Yield tables of designs that can have one: some of all."""
    names = [f"{sign}{bits}" for bits in range(2, 5) for sign in ("int", "uint")]
    names += ["uint1", *(format.name for format in _minifloats(4))]
    pairs = [(a, b) for a in names for b in names if a <= b]
    random.Random(SEED).shuffle(pairs)
    made_tables = (found for pair in pairs if (found := _table(*pair)) is not None)
    yield from islice(made_tables, TABLES)


def _usual_tables() -> Iterator[Pair]:
    """Yield tables of integers, and of minifloats by themselves."""
    integers = [f"{sign}{bits}" for bits in range(2, 5) for sign in ("int", "uint")]
    pairs = [(a, b) for a in integers for b in integers]
    pairs += [(format.name, format.name) for format in _minifloats(4)]
    for pair in pairs:
        found = _table(*pair)
        if found is not None:
            yield found


def _table(weight: str, activation: str) -> Pair | None:
    """Return the table of a pair of formats, None if it is too large for one."""
    record = {"kind": "mac", "weight": weight, "activation": activation, "structure": "table"}
    try:
        built = plan(from_record(record), load(ASIC))
    except ValueError:
        return None
    product = next(part.product for part, _ in built if isinstance(part, LanePlan))
    (module,) = product_modules(product)
    return module, ProductTable(product)


def _classifiers() -> Iterator[Pair]:
    for format in _minifloats(WIDEST):
        if format.specials is Specials.FINITE or format.bits % 2:
            continue
        operand = OperandPlan(format)
        kinds = ("special", "nan", "infinite") if operand.has_infinity else ("nan",)
        for asked in (kinds, (*kinds, "zero")):
            for module in operand_modules(operand, asked):
                yield module, Classifier(format, asked)
    for bits in range(2, WIDEST + 1):
        for name in (f"int{bits}", f"e1m{bits - 2}finite" if bits > 2 else "int2"):
            operand = OperandPlan(parse_element(name))
            for module in operand_modules(operand, ("zero",)):
                yield module, Classifier(operand.format, ("zero",))
