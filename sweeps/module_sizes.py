"""Floor 4: the mapped size of small modules and of what they place, many in one synthesis."""

from __future__ import annotations

import re
from collections.abc import Mapping

from amaranth.back import rtlil
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.rtl.library import Library, place
from hw.synthesis import synthesize
from hw.target import Target
from hw.yosys import clean_verilog

RUN = 60
"""Modules in one synthesis."""


class _Collected(Library):
    """A library that keeps apart what is inside each of the measured modules."""

    def convert(self, top: wiring.Component, name: str) -> str:
        """Return the RTLIL of a component and of every module it instantiates."""
        texts = [rtlil.convert(top, name=name, platform=self, emit_src=False)]
        done: set[str] = set()
        while pending := [module for module in self._components if module not in done]:
            for module in pending:
                self.prefix = f"{module.partition('_in_')[0]}_in_"
                component = self._components[module]
                texts.append(rtlil.convert(component, name=module, platform=self, emit_src=False))
                done.add(module)
        return "\n".join(texts)


class _Bench(wiring.Component):
    """All modules side by side, their ports in one word in and one word out."""

    def __init__(self, parts: list[tuple[wiring.Component, bool]]) -> None:
        self.parts = parts
        widths = {In: 0, Out: 0}
        for component, _ in parts:
            for name, member in component.signature.members.items():
                widths[member.flow] += len(getattr(component, name))
        super().__init__({"inputs": In(widths[In]), "outputs": Out(widths[Out])})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        taken = {In: 0, Out: 0}
        for number, (component, clocked) in enumerate(self.parts):
            place(m, platform, f"part{number}", component, clocked=clocked)
            for name, member in component.signature.members.items():
                port = getattr(component, name)
                start = taken[member.flow]
                taken[member.flow] += len(port)
                if member.flow is Out:
                    m.d.comb += self.outputs[start : start + len(port)].eq(port)
                else:
                    m.d.comb += port.eq(self.inputs[start : start + len(port)])
        return m


def measure_parts(
    parts: list[tuple[wiring.Component, bool]], target: Target
) -> list[Mapping[str, int]]:
    """Return the counts of modules without what they instantiate, all from one synthesis."""
    return [found[""] for found in measure_inside(parts, target)]


_MODULE = re.compile(r"^module (\w+)(.*?)^endmodule", re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(r"^  (\w+) (?:the_)?(\w+?)(?:__\w+)? \(", re.MULTILINE)


def measure_inside(
    parts: list[tuple[wiring.Component, bool]], target: Target
) -> list[dict[str, Mapping[str, int]]]:
    """Return the counts of modules and of those they place, by name; "" is the rest of a module.

    All come from one synthesis.
    """
    library = _Collected()
    text = library.convert(_Bench(parts), "bench")
    verilog = clean_verilog(text, "bench", kept=library.names.__contains__)
    measured = synthesize(verilog, "bench", target).by_module
    inside = {
        module: {name: kind for kind, name in _INSTANCE.findall(body) if kind in measured}
        for module, body in _MODULE.findall(verilog)
    }
    kinds = [inside["bench"][f"part{number}"] for number in range(len(parts))]
    return [
        {"": measured[kind], **{name: measured[one] for name, one in inside[kind].items()}}
        for kind in kinds
    ]
