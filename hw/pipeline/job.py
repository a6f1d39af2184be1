"""Floor 2a: one attempt to place the registers of a design for paths of a given length."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hw.pipeline.delays import REGISTER_NS, Moment
from hw.pipeline.equal import Equal
from hw.pipeline.netlist import ENABLE, Module, Netlist, read_modules
from hw.pipeline.placing import Placed, Placing
from hw.pipeline.tails import tails
from hw.pipeline.writing import Writer

ELEMENT = "processing_element"
"""In the names of a grid's cells."""


@dataclass(frozen=True, slots=True)
class Pipelined:
    """A netlist with its registers.

    Parameters
    ----------
    netlist
        The modules, in Yosys' JSON.
    chains
        Length of a chain of registers without a tap to how many of them there are, in all
        instances. Chains that run on into a register of the design are one longer, with a chain of
        one register less instead.
    path_ns
        Longest path between registers by the model.

    """

    netlist: Netlist
    chains: Mapping[int, int]
    path_ns: float

    @property
    def registers(self) -> int:
        """Flip-flops that were added, in all instances."""
        return sum(length * count for length, count in self.chains.items())


class Job:
    """One attempt to place registers: first without a limit, then `within` one.

    What is never cut may take longer if it must not be `strict`; nothing then comes before it.
    """

    def __init__(self, netlist: Netlist, top: str, lut_inputs: int) -> None:
        self.strict = False
        self.netlist = netlist
        self.modules = read_modules(netlist)
        self.budget = math.inf
        self.lut_inputs = lut_inputs
        self.keeps_rows = lut_inputs >= 6
        self.made: dict[Any, Placed] = {}
        self.inner: dict[str, float] = {}
        self._equal: dict[str, Equal] = {}
        self.cores = self._cores(self.modules[top])
        self.enabled = any(ENABLE in core.inputs for core, _ in self.cores)

    def within(self, period_ns: float, strict: bool = False) -> Job:
        """Return a new attempt for the same design and another length of paths."""
        job = copy.copy(self)
        job.budget, job.strict, job.made = period_ns - REGISTER_NS, strict, {}
        return job

    def _cores(self, module: Module, copies: int = 1) -> list[tuple[Module, int]]:
        """Return the modules whose lanes and tree are to be cut, with how many there are of each.

        The top one, or the cells of a tile or an array.
        """
        kinds = Counter(cell.kind for cell in module.holding)
        elements = [kind for kind in kinds if ELEMENT in kind and kind in self.modules]
        if elements:
            return [(self.modules[kind], kinds[kind] * copies) for kind in elements]
        if not module.plain and len(kinds) == 1 and (kind := next(iter(kinds))) in self.modules:
            return self._cores(self.modules[kind], copies * kinds[kind])
        if not module.sequential:
            raise ValueError(f"{module.name} has no registers that a pipeline could lead to")
        return [(module, copies)]

    def stages_needed(self) -> int:
        """Return the stages that paths within the budget ask for."""
        return max(self._place_core(core, None)[1] for core, _ in self.cores)

    def run(self, stages: int) -> Pipelined:
        """Return the netlist with registers for so many stages."""
        writer = Writer(self)
        chains: Counter[int] = Counter()
        path_ns = 0.0
        for core, copies in self.cores:
            placed, _ = self._place_core(core, stages)
            writer.write(core, placed, in_place=True)
            for length, count in writer.chains(core.name).items():
                chains[length] += count * copies
            for length, count in tails(core, placed, self.enabled).items():
                chains[length + 1] += count * copies
                chains[length] -= count * copies
                chains[1] -= count * copies
            path_ns = max(path_ns, placed.path_ns)
        return Pipelined(
            self.netlist | {"modules": writer.modules},
            {length: count for length, count in chains.items() if count},
            round(path_ns + REGISTER_NS, 3),
        )

    def _place_core(self, core: Module, stages: int | None) -> tuple[Placed, int]:
        arrivals = {
            port: (Moment(0, 0.0),) * len(core.ports[port])
            for port in core.inputs
            if port != "clk" and port not in core.late
        }
        placing = Placing(self, core, arrivals)
        placing.run()
        needed = placing.close(stages)
        return placing.placed(core.name), needed

    def place(
        self, module: Module, arrivals: Mapping[str, tuple[int, float]]
    ) -> tuple[Placed, int]:
        """Return a module placed for inputs ready at these times, and the stage it starts in."""
        start = min(stage for stage, _ in arrivals.values())
        profile = {port: (stage - start, round(ns, 6)) for port, (stage, ns) in arrivals.items()}
        key = (module.name, tuple(profile.items()))
        if key not in self.made:
            moments = {
                port: (Moment(*profile[port]),) * len(module.ports[port]) for port in profile
            }
            placing = Placing(self, module, moments)
            placing.run()
            versions = sum(placed.name.startswith(module.name) for placed in self.made.values())
            placed = placing.placed(module.name)
            if placed.delayed or placed.kinds:
                placed.name = f"{module.name}_piped{versions}"
            self.made[key] = placed
        return self.made[key], start

    def equal(self, module: Module) -> Equal:
        """Return the nets of a module by the value they always have."""
        if module.name not in self._equal:
            self._equal[module.name] = Equal(module)
        return self._equal[module.name]

    def whole_ns(self, module: Module) -> float:
        """Return the longest path between ports and registers of a module that is not cut."""
        if module.name not in self.inner:
            self.inner[module.name] = self.uncut(module).through()
        return self.inner[module.name]

    def uncut(self, module: Module) -> Placing:
        """Return a module's nets to be placed without any limit, from inputs ready at once."""
        moments = {port: (Moment(0, 0.0),) * len(module.ports[port]) for port in module.inputs}
        return Placing(self.within(math.inf), module, moments)
