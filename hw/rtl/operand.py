"""Floor 2a: split an operand code into sign, significand, exponent and special conditions."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.formats import MinifloatFormat, Specials
from hw.plan import OperandPlan
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
    nan, infinite
        Whether the code is NaN or an infinity (constant 0 where the format has none).
    zero, negative
        Whether the number is zero; whether it is negative (or −0).

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


def unpack(m: Module, platform: object, name: str, code: Value, plan: OperandPlan) -> Operand:
    """Split a code as its format says; adds named signals to the module."""
    if isinstance(plan.format, MinifloatFormat):
        return _unpack_minifloat(m, name, code, plan, plan.format)
    no = Const(0)
    negative = code[-1] if plan.format.signed else no
    sign, significand = no, code
    if plan.has_sign:
        sign = negative
        absolute = Magnitude(len(code))
        place(m, platform, f"magnitude_{len(code)}", absolute, name)
        m.d.comb += absolute.code.eq(code)
        significand = absolute.magnitude
    return Operand(sign, significand, Const(0, 0), no, no, no, code == 0, negative)


def _unpack_minifloat(
    m: Module, name: str, code: Value, plan: OperandPlan, format: MinifloatFormat
) -> Operand:
    split = format.fraction_bits
    fraction, field, sign = code[:split], code[split:-1], code[-1]
    normal = named(m, f"{name}_normal", field.any())
    nan, infinite = _specials(code, format)
    nan, infinite = named(m, f"{name}_nan", nan), named(m, f"{name}_infinite", infinite)
    significand = Cat(fraction, normal)
    if plan.gated:
        significand = Mux(nan | infinite, 0, significand)
    significand = named(m, f"{name}_significand", significand, format.precision)
    shifting = field if plan.field_bits else Const(0, 0)
    zero = code[:-1] == 0
    return Operand(sign, significand, shifting, normal, nan, infinite, zero, sign)


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
