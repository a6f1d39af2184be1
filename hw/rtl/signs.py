"""Floor 2a: words that a binary or ternary operand masks and inverts (see `hw.plan.selection`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan.selection import SignSelection
from hw.rtl.library import place
from hw.rtl.xilinx import dual_lut, native


class SignSelector(wiring.Component):
    """``word = (multiplicand & nonzero) ^ sign``.

    Ports: `multiplicand`, `sign`, `nonzero` (ternary only), `word`. Combinational.
    """

    def __init__(self, plan: SignSelection) -> None:
        self.plan = plan
        ports = {"multiplicand": In(plan.multiplicand_bits), "sign": In(1)}
        if plan.masked:
            ports["nonzero"] = In(1)
        super().__init__(ports | {"word": Out(plan.multiplicand_bits)})

    def elaborate(self, platform: object) -> Module:
        """Mask and invert, two bits in a LUT6_2."""
        m = Module()
        library, bits = native(platform), list(self.multiplicand)
        if library is None or not self.plan.packed:
            nonzero = self.nonzero.replicate(len(bits)) if self.plan.masked else -1
            m.d.comb += self.word.eq((self.multiplicand & nonzero) ^ self.sign.replicate(len(bits)))
            return m
        made: list[Value] = []
        control = [self.sign, *([self.nonzero] if self.plan.masked else [])]
        for first in range(0, len(bits), 2):
            pair = bits[first : first + 2]
            made += dual_lut(
                m,
                library,
                f"bits{first}",
                [*control, *pair],
                lambda sign, *rest: self._bit(sign, rest, 0),
                lambda sign, *rest: self._bit(sign, rest, 1),
            )
        m.d.comb += self.word.eq(Cat(*made[: len(bits)]))
        return m

    def _bit(self, sign: int, rest: tuple[int, ...], place: int) -> int:
        """Return one bit of a pair; the last pair may lack its second bit."""
        masks = self.plan.masked
        nonzero, pair = (rest[0], rest[1:]) if masks else (1, rest)
        return sign ^ (nonzero & pair[min(place, len(pair) - 1)])


def build_signs(
    m: Module, platform: object, plan: SignSelection, multiplicand: Value, code: Value
) -> tuple[Value, Value]:
    """Add a selection to a module; return its word and what is still to be added.

    Parameters
    ----------
    m, platform
        The module, and where it is built for.
    plan
        The selection.
    multiplicand
        The integer.
    code
        The other operand. A binary code gives the word of the negated product.

    """
    sign_of = "s" if plan.multiplicand_signed else "u"
    kind = "masked" if plan.masked else "inverted"
    selector = SignSelector(plan)
    place(m, platform, f"{kind}_{sign_of}{plan.multiplicand_bits}", selector)
    m.d.comb += [selector.multiplicand.eq(multiplicand), selector.sign.eq(code[-1])]
    if plan.masked:
        m.d.comb += selector.nonzero.eq(code[0])
    word: Value = selector.word
    return (word if plan.multiplicand_signed else Cat(word, code[-1])), code[-1]
