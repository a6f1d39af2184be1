"""Floor 2a: circuits given LUT by LUT (`hw.plan.cells`): LUT6_2 and CARRY4, or plain Verilog."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from amaranth.hdl import Cat, Const, Instance, Module, Signal, Value

from hw.plan.cells import CARRY_BITS, LUT_INPUTS, Chain, Lut, Netlist
from hw.rtl.library import Library
from hw.rtl.xilinx import CARRY, DUAL_LUT, dual_lut, native


class Nets:
    """The nets of a netlist by name.

    Parameters
    ----------
    m, platform
        The module to add to, and where it is built for.
    inputs
        Nets that something else drives.

    """

    def __init__(self, m: Module, platform: object, inputs: Mapping[str, Value]) -> None:
        self.m = m
        self.library = native(platform)
        self.nets: dict[str, Value] = {"0": Const(0, 1), "1": Const(1, 1), **inputs}

    def word(self, names: tuple[str, ...] | list[str]) -> Value:
        """Return nets as a word, the first one lowest."""
        return Cat(*(self.nets[name] for name in names))

    def add(self, netlist: Netlist) -> None:
        """Add all cells of a netlist."""
        for chain in netlist.chains:
            for bit in chain.bits:
                self._declare(bit.output)
            if chain.carry_out:
                self._declare(chain.carry_out)
        for lut in netlist.luts:
            self._declare(lut.output)
        for lut in netlist.luts:
            if lut.is_wire:
                self.m.d.comb += self.nets[lut.output].eq(self._lookup(lut))
        for number, group in enumerate(netlist.pairs):
            for lut, value in zip(group, self._luts(f"lut{number}", group), strict=True):
                self.m.d.comb += self.nets[lut.output].eq(value)
        for number, chain in enumerate(netlist.chains):
            self._chain(f"chain{number}", chain)

    def _declare(self, name: str) -> None:
        self.nets[name] = Signal(name=name)

    def _luts(self, name: str, group: tuple[Lut, ...]) -> list[Value]:
        """Return the outputs of functions that share a site."""
        if self.library is None:
            return [self._lookup(lut) for lut in group]
        if len(group) == 1:
            return [self._single(name, group[0])]
        inputs = tuple(dict.fromkeys(net for lut in group for net in lut.inputs))
        five, six = (_rule(lut, inputs) for lut in group)
        values = [self.nets[net] for net in inputs]
        o5, o6 = dual_lut(self.m, self.library, name, values, five, six)
        return [o5, o6]

    def _single(self, name: str, lut: Lut) -> Value:
        """Return the output of a function with a site of its own."""
        assert self.library is not None
        inputs = lut.inputs
        if lut.is_wire:
            return self._lookup(lut)
        index = range(1 << LUT_INPUTS)
        truth = sum((lut.truth >> (code & (1 << len(inputs)) - 1) & 1) << code for code in index)
        out = Signal(name=f"{name}_out")
        padding = Const(0, LUT_INPUTS - len(inputs))
        self.m.submodules[name] = Instance(
            self.library.primitive(DUAL_LUT),
            p_INIT=Const(truth, 64),
            i_I=Cat(self.word(inputs), padding),
            o_O6=out,
        )
        return out

    def _lookup(self, lut: Lut) -> Value:
        if not lut.inputs:
            return Const(lut.truth, 1)
        if lut.is_wire:
            return self.nets[lut.inputs[0]]
        index = self.word(lut.inputs)
        return Const(lut.truth, 1 << len(lut.inputs)).bit_select(index, 1)

    def _chain(self, name: str, chain: Chain) -> None:
        selects: list[Value] = []
        directs: list[Value] = []
        for bit in chain.bits:
            if isinstance(bit.direct, str):
                (select,) = self._luts(f"{bit.output}_lut", (bit.select,))
                direct = self.nets[bit.direct]
            else:
                direct, select = self._luts(f"{bit.output}_lut", (bit.direct, bit.select))
            selects.append(select)
            directs.append(direct)
        if chain.spare_bit:
            selects.append(Const(0, 1))
            directs.append(Const(0, 1))
        outputs = [bit.output for bit in chain.bits]
        outputs += [chain.carry_out] if chain.carry_out else []
        carry = self.nets[chain.carry_in]
        if self.library is None:
            left = Cat(*directs)
            total: Value = (
                left + Cat(*(s ^ d for s, d in zip(selects, directs, strict=True))) + carry
            )
        else:
            total = _carries(self.m, self.library, name, selects, directs, carry)
        for place, output in enumerate(outputs):
            self.m.d.comb += self.nets[output].eq(total[place])


def _rule(lut: Lut, inputs: tuple[str, ...]) -> Callable[..., object]:
    places = [inputs.index(net) for net in lut.inputs]

    def rule(*values: int) -> int:
        return lut.truth >> sum(values[p] << n for n, p in enumerate(places)) & 1

    return rule


def _carries(
    m: Module,
    library: Library,
    name: str,
    selects: list[Value],
    directs: list[Value],
    carry: Value,
) -> Value:
    """Return the sum of a chain of CARRY4 with the carry of the last one on top."""
    sums: list[Value] = []
    for start in range(0, len(selects), CARRY_BITS):
        bits = min(CARRY_BITS, len(selects) - start)
        padding = Const(0, CARRY_BITS - bits)
        word = Signal(CARRY_BITS, name=f"{name}_{start}_sum")
        out = Signal(name=f"{name}_{start}_carry")
        m.submodules[f"{name}_{start}"] = Instance(
            library.primitive(CARRY),
            i_CI=carry if start else Const(0, 1),
            i_CYINIT=Const(0, 1) if start else carry,
            i_DI=Cat(*directs[start : start + bits], padding),
            i_S=Cat(*selects[start : start + bits], padding),
            o_O=word,
            o_CO=out,
        )
        sums += [word[:bits]]
        carry = out
    return Cat(*sums, carry)
