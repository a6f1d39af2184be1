"""Floor 2a: kept modules: built once each, instantiated by name wherever they are needed."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.back import rtlil
from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out


class Library:
    """The platform of an export: collects the modules whose hierarchy is kept.

    Adder rows survive mapping only in modules of their own, and equal rows are mapped once. Passed
    as `platform` to Amaranth, it turns each `place` into an instance; without it (a user's own
    Amaranth design, Amaranth's simulator) `place` adds an ordinary submodule.

    Parameters
    ----------
    prefix
        Starts the name of every collected module, so that designs can share a project.
    primitives
        Whether the modules may instantiate primitives of the target (`hw.rtl.xilinx`).

    """

    def __init__(self, prefix: str = "", primitives: bool = False) -> None:
        self.prefix = prefix
        self.primitives = primitives
        self._used: set[str] = set()
        self._components: dict[str, wiring.Component] = {}

    @property
    def names(self) -> frozenset[str]:
        """Names of the modules collected so far."""
        return frozenset(self._components)

    @property
    def used_primitives(self) -> frozenset[str]:
        """Kinds of primitives instantiated so far."""
        return frozenset(self._used)

    def primitive(self, kind: str) -> str:
        """Return the name of the module that holds a primitive, and remember that it is used."""
        self._used.add(kind)
        return self.prefix + kind

    def instance(self, module: str, component: wiring.Component, clocked: bool) -> Instance:
        """Return an instance of a module, connected to the component's own port signals."""
        self._components.setdefault(module, component)
        component._MustUse__used = True  # its instance stands for it; Amaranth need not warn
        ports = {}
        for name, member in component.signature.members.items():
            side = "o" if member.flow is Out else "i"
            ports[f"{side}_{name}"] = getattr(component, name)
        if clocked:
            ports |= {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        return Instance(module, **ports)

    def convert(self, top: wiring.Component, name: str) -> str:
        """Return the RTLIL of a component and of every module it instantiates."""
        texts = [rtlil.convert(top, name=name, platform=self, emit_src=False)]
        done: set[str] = set()
        while pending := [module for module in self._components if module not in done]:
            for module in pending:
                component = self._components[module]
                texts.append(rtlil.convert(component, name=module, platform=self, emit_src=False))
                done.add(module)
        return "\n".join(texts)


def place(
    m: Module,
    platform: object,
    module: str,
    component: wiring.Component,
    index: object = "",
    *,
    clocked: bool = False,
) -> None:
    """Add a component to a module under a kept module name; `index` tells instances apart."""
    name = f"{module}__{index}" if index != "" else f"the_{module}"
    if isinstance(platform, Library):
        m.submodules[name] = platform.instance(platform.prefix + module, component, clocked)
    else:
        m.submodules[name] = component


def place_lanes(
    m: Module,
    platform: object,
    lanes: Iterable[wiring.Component],
    weight: Value,
    activation: Value,
    module: str = "lane",
) -> None:
    """Add equal lanes to a module and connect lane i to word i of both operands."""
    for number, lane in enumerate(lanes):
        place(m, platform, module, lane, number)
        m.d.comb += [
            lane.weight.eq(weight.word_select(number, len(lane.weight))),
            lane.activation.eq(activation.word_select(number, len(lane.activation))),
        ]
