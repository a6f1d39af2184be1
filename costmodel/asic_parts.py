"""Floor 2c: the modules a plan becomes on the target of gates, each with the numbers that size it.

Every kept module is mapped by itself, so a design costs the sum of its modules. A `Module` says
what it is called in the hardware (so that a measured netlist can be laid beside it), which formula
serves it, and the features of that formula: bits of adders, ways of multiplexers, inputs of gates.
`costmodel.asic` turns features into transistors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from costmodel.asic_tables import decision_nodes
from hw.accumulators import AccumulatorKind
from hw.formats import MinifloatFormat, Specials
from hw.plan import (
    AccumulatePlan,
    AdderRow,
    AlignPlan,
    BoothRow,
    Bounds,
    ExponentPlan,
    FloatLanePlan,
    LanePlan,
    OperandPlan,
    ProductPlan,
    ShiftLevel,
    SignSelection,
    WindowAccumulatePlan,
    WindowLanePlan,
    classes,
)

INLINE_TOP_BITS = 3
"""Up to so many top bits are compared within the accumulator that saturates."""


@dataclass(frozen=True, slots=True)
class Module:
    """A kept module, or what a part adds to the module around it.

    Parameters
    ----------
    name
        Of the hardware's module, without the design's prefix; "" where it has none of its own.
    label
        Of the kind of part, in a breakdown.
    formula
        Name of the formula.
    key
        What tells it from other modules of the formula: equal keys cost the same.
    features
        Numbers of the formula.
    ff
        Flip-flops.

    """

    name: str
    label: str
    formula: str
    key: str
    features: tuple[float, ...]
    ff: int = 0


def made(
    name: str, label: str, formula: str, features: Sequence[float], key: str = "", ff: int = 0
) -> Module:
    """Return a module; its features are its key unless one is given."""
    numbers = tuple(float(number) for number in features)
    return Module(name, label, formula, key or "_".join(f"{n:g}" for n in features), numbers, ff)


@cache
def selection_module(plan: SignSelection) -> Module:
    """Return the module that masks and inverts a word."""
    kind = "masked" if plan.masked else "inverted"
    name = f"{kind}_{'s' if plan.multiplicand_signed else 'u'}{plan.multiplicand_bits}"
    return made(name, "product", kind, (plan.multiplicand_bits, 1))


@cache
def product_modules(plan: ProductPlan, whole: str = "") -> tuple[Module, ...]:
    """Return the modules of a product; `whole` names a table of whole codes."""
    if plan.structure == "rows":
        if isinstance(plan.selection, SignSelection):
            return (selection_module(plan.selection),)
        if plan.selection is not None:
            raise ValueError("the cost model of asic has no formula for products by selection")
        return tuple(booth_module(row) for row in plan.rows)
    if plan.structure == "table":
        width = max((entry if entry >= 0 else ~entry).bit_length() for entry in plan.entries) + 1
        nodes = decision_nodes(plan.entries, width)
        features = (nodes, plan.word_bounds.bits, 1)
        key = f"{plan.word_bounds.bits}:" + ",".join(map(str, plan.entries))
        return (made("product_table", "product", "table", features, key),)
    if plan.structure != "behavioural":
        raise ValueError(f"gates have no {plan.structure} products: rows, table or behavioural")
    return (multiplier_module(plan),)


def multiplier_module(plan: ProductPlan) -> Module:
    """Return the module of a plain ``*``."""
    a, b = plan.weight_bits, plan.activation_bits
    kinds = _kind(plan.weight, a), _kind(plan.activation, b)
    # Equal signs map alike in both orders; of unequal ones the order matters to Yosys.
    mixed = "s" in kinds and kinds != ("s", "s")
    (x, left), (y, right) = sides = (a, kinds[0]), (b, kinds[1])
    if not mixed:
        (x, left), (y, right) = sorted(sides)
    key = f"{left}{x}x{right}{y}"
    signs = "".join(sorted(kind.replace("m", "u") for kind in kinds))
    features = (a * b, a + b, min(a, b), 1)
    name = f"multiplier_{a}_{b}"
    return made(name, "product", f"multiplier_{signs}", features, key)


def _kind(bounds: Bounds, bits: int) -> str:
    if bounds.signed:
        return "s"
    return "m" if bits > 1 and bounds.high == 1 << (bits - 1) else "u"


@cache
def booth_module(row: BoothRow) -> Module:
    """Return the module of one row of a product."""
    sign = "s" if row.multiplicand_signed else "u"
    digit = "".join("z" if index < 0 else str(index) for index in row.shape)
    before = f"{'s' if row.previous_signed else 'u'}{row.previous_bits}"
    name = f"booth_row_{sign}{row.multiplicand_bits}_d{digit}_{before}_{row.width}"
    live = len({index for index in row.shape if index >= 0})
    first = "first" if not row.previous_bits else "row"
    formula = f"booth_{first}_{live}{'n' if row.negates else ''}"
    features = (row.multiplicand_bits, row.width, min(row.previous_bits, row.width), 1)
    return made(name, "product", formula, features, name)


@cache
def adder_module(row: AdderRow) -> Module:
    """Return the module of a row of the adder tree."""
    left, right = row.left, row.right
    sides = "_".join(f"{'s' if b.signed else 'u'}{b.bits}" for b in (left, right))
    name = f"{'add_sub' if row.relative else 'add'}_{sides}_{row.bounds.bits}"
    both = min(left.bits, right.bits)
    apart = max(left.bits, right.bits) - both
    signed = left.signed or right.signed
    formula = f"adder{'_relative' if row.relative else '_signed' if signed else ''}"
    features = (both, apart, row.bounds.bits - both - apart, right.bits, signed, 1)
    return made(name, "adder row", formula, features, name)


def operand_modules(operand: OperandPlan, asked: tuple[str, ...]) -> Iterator[Module]:
    """Yield what unpacks one operand in modules of its own: classifier, magnitude."""
    format = operand.format
    if asked:
        exponent, fraction = format.bits - 1, 0
        kind = "fixed"
        if isinstance(format, MinifloatFormat):
            kind = format.specials.name.lower()
            exponent, fraction = format.exponent_bits, format.fraction_bits
        special = kind not in ("fixed", "finite") and set(asked) != {"zero"}
        features = (
            special * exponent,
            special * fraction,
            ("zero" in asked) * format.bits,
            len(asked),
        )
        key = f"{kind}{exponent}_{fraction}:{'+'.join(asked)}"
        yield made(f"classify_{format.slug}", "unpack", f"classify_{kind}", features, key)
    if operand.has_sign and not (operand.is_signs or isinstance(format, MinifloatFormat)):
        bits = format.bits
        yield made(f"magnitude_{bits}", "unpack", "magnitude", (bits, 1))


@cache
def lane_modules(plan: LanePlan | WindowLanePlan | FloatLanePlan) -> tuple[Module, ...]:
    """Return the modules of one lane, its product included."""
    sides = (plan.weight, plan.activation), (plan.activation, plan.weight)
    modules = [lane_module(plan)]
    for operand, other in sides:
        modules += operand_modules(operand, classes(operand, other, plan.flags))
    modules += product_modules(plan.product)
    exponents = plan.shift and plan.shift.exponents if isinstance(plan, LanePlan) else None
    if not isinstance(plan, LanePlan):
        exponents = plan.exponents
    if exponents is not None:
        modules.append(exponent_module(exponents))
    if isinstance(plan, LanePlan) and plan.shift is not None:
        shift = plan.shift
        modules += level_modules(
            shift.levels, shift.input_bits, shift.input_signed, shift.offset, "shifter"
        )
    if isinstance(plan, WindowLanePlan) and plan.exponents is not None:
        sizes = sorted((plan.weight.significand_bits, plan.activation.significand_bits))
        modules.append(made("nonzero", "unpack", "nonzero", (sum(sizes), 1)))
    return tuple(modules)


def lane_module(plan: LanePlan | WindowLanePlan | FloatLanePlan) -> Module:
    """Return what a lane holds beside its modules: hidden bits, gating, signs, flags."""
    operands = (plan.weight, plan.activation)
    table = isinstance(plan, LanePlan) and plan.is_table
    hidden = gated = inline = gates = 0
    for operand in operands:
        format = operand.format
        if not isinstance(format, MinifloatFormat) or table:
            continue
        hidden += format.exponent_bits - 1
        if operand.gated:
            gated += format.precision
            if not plan.flags:
                gates += 1
                ones = format.specials is Specials.FN
                inline += format.exponent_bits + (format.fraction_bits if ones else 0)
    signs = all(operand.has_sign for operand in operands)
    infinite = "pos_inf" in plan.flags
    amount = 0
    if isinstance(plan, WindowLanePlan) and plan.exponents is not None:
        amount = plan.exponents.amount_bits
    both = all(operand.raises_flags for operand in operands)
    features = (
        hidden,
        gated,
        inline,
        gates,
        signs,
        infinite,
        infinite and all(operand.has_infinity for operand in operands),
        bool(plan.flags) and both,
        amount,
    )
    formats = ":".join(operand.format.name for operand in operands)
    kind = type(plan).__name__.removesuffix("Plan")
    key = f"{kind}:{formats}:{'+'.join(plan.flags)}:{int(table)}:{amount}:{int(gates)}"
    return made("lane", "unpack", "lane", features, key)


@cache
def exponent_module(plan: ExponentPlan) -> Module:
    """Return the module of an exponent sum."""
    fields = sorted(plan.field_bits)
    key = "_".join(map(str, fields)) + f":{plan.offset}:{plan.amount_bits}:{int(plan.from_table)}"
    if plan.from_table or len(fields) == 1:
        features = (sum(fields), plan.amount_bits, 1)
        return made("exponent_sum", "shifter", "exponent_table", features, key)
    features = (fields[0], fields[1] - fields[0], 1)
    return made("exponent_sum", "shifter", "exponent_sum", features, key)


def level_modules(
    levels: tuple[ShiftLevel, ...], word_bits: int, signed: bool, drop: int, label: str
) -> Iterator[Module]:
    """Yield the multiplexer levels of a shifter."""
    bits = word_bits
    for number, level in enumerate(levels):
        dropped = drop if number == len(levels) - 1 else 0
        ways: Counter[int] = Counter()
        for place in range(dropped, level.width):
            starts = [place - (way << level.low_bit) for way in range(level.ways)]
            sources = {min(start, bits - 1) for start in starts if 0 <= start < bits or signed}
            ways[len({start for start in sources if start >= 0})] += 1
        features = (ways[1], ways[2], ways[3], ways[4], 1)
        key = "_".join(map(str, (bits, signed, level.low_bit, level.width, dropped)))
        yield made(f"shift_level_{number}", label, f"level_{level.bits}", features, key)
        bits = level.width - dropped


@cache
def align_modules(plan: AlignPlan) -> tuple[Module, ...]:
    """Return the modules of one aligner of a window."""
    bits, live = plan.distance.exponent_bits, plan.distance.live_bits
    return (
        distance_module(bits, live, "aligner"),
        *level_modules(plan.levels, plan.product_bits, False, 0, "aligner"),
    )


def distance_module(bits: int, live: int, label: str) -> Module:
    """Return the module of a clamped exponent difference."""
    return made(f"distance_{live}", label, "distance", (bits, live, bits > live, 1))


@cache
def maximum_module(bits: int) -> Module:
    """Return the module of the larger of two exponents."""
    return made("larger_exponent", "exponent maximum", "larger", (bits, 1))


@cache
def accumulate_modules(plan: AccumulatePlan) -> tuple[Module, ...]:
    """Return the modules of an exact, wrapping or saturating accumulator."""
    if len(plan.words) > 1:
        raise ValueError("the cost model of asic has no formula for accumulators of two words")
    saturates = plan.kind is AccumulatorKind.SATURATE
    addend = min(plan.addend.bits, plan.sum_bits)
    above = plan.sum_bits - addend
    top = plan.sum_bits - plan.bits + 1
    apart = saturates and top > INLINE_TOP_BITS
    features = (
        plan.bits,
        addend,
        above * (not plan.addend.signed and not plan.relative),
        above * (plan.addend.signed or plan.relative),
        addend * plan.relative,
        plan.bits * saturates,
        top * (saturates and not apart),
        len(plan.flags),
        "overflow" in plan.flags,
        "pos_inf" in plan.flags,
        plan.total_on_last,
        1,
    )
    modules = [made("accumulate", "accumulator", "accumulate", features, ff=plan.ff)]
    if apart:
        modules.append(made("fits", "accumulator", "fits", (top, 1)))
    return tuple(modules)


@cache
def window_accumulate_modules(plan: WindowAccumulatePlan) -> tuple[Module, ...]:
    """Return the modules of the accumulator of a window."""
    features = (
        plan.bits,
        min(plan.addend.bits, plan.bits),
        plan.exponent_bits,
        plan.exponent_bits * bool(plan.offset),
        len(plan.flags),
        "pos_inf" in plan.flags,
        1,
    )
    found = [
        made("accumulate", "window accumulator", "window_accumulate", features, ff=plan.ff),
        maximum_module(plan.exponent_bits),
        distance_module(plan.exponent_bits, plan.distance.live_bits, "window accumulator"),
    ]
    for number, level in enumerate(plan.levels):
        size = (level.width, min(1 << level.low_bit, level.width), 1)
        found.append(made(f"right_shift_{number}", "window accumulator", "right_shift", size))
    return tuple(found)
