"""Floor 2a: split an operand code into sign, significand, exponent and special conditions."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.design import is_signs
from hw.formats import Format, MinifloatFormat, Specials
from hw.plan import (
    FloatLanePlan,
    LanePlan,
    MergedLanePlan,
    MergedWindowLanePlan,
    OperandPlan,
    WindowLanePlan,
    classes,
)
from hw.rtl.bits import named
from hw.rtl.library import place


@dataclass(frozen=True, slots=True)
class Operand:
    """The parts of one operand.

    Parameters
    ----------
    sign
        Sign bit, constant 0 where the significand carries its own.
    significand
        Unsigned (or two's complement, see the plan); 0 for a special code.
    field
        Exponent field; empty where it does not shift.
    normal
        Whether the exponent field is not 0.
    nan, infinite, zero
        Whether the code is NaN, an infinity, zero; constant 0 where the lane does not ask.
    negative
        Whether the number is negative (or −0).

    """

    sign: Value
    significand: Value
    field: Value
    normal: Value
    nan: Value
    infinite: Value
    zero: Value
    negative: Value


class Magnitude(wiring.Component):
    """Absolute value of a two's complement word, as wide as the word.

    Ports: `code`, `magnitude`. Combinational.
    """

    def __init__(self, bits: int) -> None:
        super().__init__({"code": In(bits), "magnitude": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        """Invert and add one where the sign is set."""
        m = Module()
        sign = self.code[-1]
        inverted = named(m, "inverted", self.code ^ sign.replicate(len(self.code)))
        m.d.comb += self.magnitude.eq(inverted + sign)
        return m


class Classifier(wiring.Component):
    """What a code is, as far as a lane with special flags asks (`hw.plan.classes`).

    Ports: `code`, and of `special`, `nan`, `infinite`, `zero` those asked for. Combinational. A
    module of its own: mapped with what it gates and flags, it is repeated for each bit.
    """

    def __init__(self, format: Format, asked: tuple[str, ...]) -> None:
        self.format = format
        self.asked = asked
        super().__init__({"code": In(format.bits)} | {name: Out(1) for name in asked})

    def elaborate(self, platform: object) -> Module:
        """Compare fields."""
        m = Module()
        format, code = self.format, self.code
        nan, infinite = Const(0), Const(0)
        zero = code == 0
        if is_signs(format):
            zero = ~code[0] if format.bits > 1 else Const(0)
        if isinstance(format, MinifloatFormat):
            nan, infinite = _specials(code, format)
            zero = code[:-1] == 0
        found = {"special": nan | infinite, "nan": nan, "infinite": infinite, "zero": zero}
        m.d.comb += [getattr(self, name).eq(found[name]) for name in self.asked]
        return m


def unpack_both(
    m: Module,
    platform: object,
    plan: (LanePlan | FloatLanePlan | WindowLanePlan | MergedLanePlan | MergedWindowLanePlan),
    weight: Value,
    activation: Value,
) -> tuple[Operand, Operand]:
    """Split both codes of a lane."""
    asked = classes(plan.weight, plan.activation, plan.flags)
    other = classes(plan.activation, plan.weight, plan.flags)
    return (
        unpack(m, platform, "weight", weight, plan.weight, asked),
        unpack(m, platform, "activation", activation, plan.activation, other),
    )


def unpack(
    m: Module,
    platform: object,
    name: str,
    code: Value,
    plan: OperandPlan,
    asked: tuple[str, ...] = (),
) -> Operand:
    """Split a code as its format says; adds named signals to the module.

    `asked` is what the lane's flags need to know of the code; see `hw.plan.classes`.
    """
    found: dict[str, Value] = {}
    asked = asked or plan.told_apart
    if asked:
        classifier = Classifier(plan.format, asked)
        place(m, platform, f"classify_{plan.format.slug}", classifier, name)
        m.d.comb += classifier.code.eq(code)
        found = {kind: getattr(classifier, kind) for kind in asked}
    if isinstance(plan.format, MinifloatFormat):
        return _unpack_minifloat(m, name, code, plan, plan.format, found)
    no = Const(0)
    if plan.is_signs:
        # Binary: the code says whether the sign is +. Ternary: planes of not zero and negative.
        one = code[0] if len(code) > 1 else Const(1, 1)
        sign = code[1] & one if len(code) > 1 else ~code[0]
        zero = found.get("zero", no)
        return Operand(sign, one, Const(0, 0), no, no, no, zero, sign)
    negative = code[-1] if plan.format.signed else no
    sign, significand = no, code
    if plan.has_sign:
        sign = negative
        absolute = Magnitude(len(code))
        place(m, platform, f"magnitude_{len(code)}", absolute, name)
        m.d.comb += absolute.code.eq(code)
        significand = absolute.magnitude
    return Operand(sign, significand, Const(0, 0), no, no, no, found.get("zero", no), negative)


def _unpack_minifloat(
    m: Module,
    name: str,
    code: Value,
    plan: OperandPlan,
    format: MinifloatFormat,
    found: dict[str, Value],
) -> Operand:
    split = format.fraction_bits
    fraction, field, sign = code[:split], code[split:-1], code[-1]
    normal = named(m, f"{name}_normal", field.any())
    nan, infinite = found.get("nan", Const(0)), found.get("infinite", Const(0))
    significand = Cat(fraction, normal)
    if plan.gated:
        special = found.get("special", nan) if found else _is_special(code, format)
        significand = Mux(special, 0, significand)
    significand = named(m, f"{name}_significand", significand, format.precision)
    shifting = field if plan.field_bits else Const(0, 0)
    zero = found.get("zero", Const(0))
    return Operand(sign, significand, shifting, normal, nan, infinite, zero, sign)


def _is_special(code: Value, format: MinifloatFormat) -> Value:
    """Return whether a code is NaN or infinite."""
    nan, infinite = _specials(code, format)
    return nan | infinite


def _specials(code: Value, format: MinifloatFormat) -> tuple[Value, Value]:
    """Return whether a code is NaN and whether it is infinite."""
    match format.specials:
        case Specials.FINITE:
            return Const(0), Const(0)
        case Specials.FN:
            return code[:-1].all(), Const(0)
        case Specials.FNUZ:
            return code == 1 << (format.bits - 1), Const(0)
    top = code[format.fraction_bits : -1].all()
    fraction = code[: format.fraction_bits].any()
    return top & fraction, top & ~fraction
