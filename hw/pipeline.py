"""Floor 2a: registers placed in a finished netlist by a model of its delays.

`insert` takes the modules of an emitted design as Yosys writes them in JSON, gives every
combinational net the stage in which it is ready, and puts registers on every connection that leads
to a later stage; `valid`, `last` and the reset pass the same number of stages. So the pipelined
design does what the plain one does, that many cycles later, whatever its structure.

Adder rows and other small modules stay whole where they fit into a cycle, so that they map as they
do without registers; longer ones are cut inside, lanes always. Where a LUT of six inputs holds what
is selected and its sum, rows are never cut: it would take two LUTs a bit. Logic that a register of
the design feeds (the loop of an accumulator or of an alignment window) is never cut.

The delays are those of an ECP5 of speed grade 6, as nextpnr 0.11 routes single rows between
registers; other targets are cut in the same proportions.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

REGISTER_NS = 0.8
"""Clock to output and set-up of the registers at both ends."""
LUT_NS = 1.05
"""One look-up table with the routing before it."""
ROW_NS, ROW_NS_PER_BIT = 1.75, 0.03
"""One adder row: onto the carry chain, along it and off."""
CHAINED_ROW_NS = 1.2
"""A row whose operands come from another row."""
CROWDING = 1.3
"""How much longer paths get in a design of thousands of LUTs (32 lanes of int8)."""

ARITHMETIC = ("$add", "$sub", "$neg", "$alu", "$lt", "$le", "$gt", "$ge", "$mul", "$macc")
_REGISTERS = ("$dff", "$dffe", "$sdff", "$sdffe", "$sdffce", "$adff", "$adffe", "$aldff")
_PRIMITIVE_OUTPUTS = {"lut6_2": ("O5", "O6"), "carry4": ("O", "CO")}

Netlist = dict[str, Any]
Bit = int | str
"""A net of one module, or a constant."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a net is ready: its stage, and the time within it.

    `base` is when the last of its sources is ready, `sources` the nets it is a function of there:
    as many levels of LUTs as these need come on top.
    """

    stage: int
    base: float
    sources: frozenset[Bit] = frozenset()


@dataclass(frozen=True, slots=True)
class Pipelined:
    """A netlist with its registers.

    Parameters
    ----------
    netlist
        The modules, in Yosys' JSON.
    chains
        Length of a chain of registers without a tap to how many of them there are, in all
        instances.
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


def insert(netlist: Netlist, top: str, stages: int, lut_inputs: int) -> Pipelined:
    """Return a design with registers for so many stages, placed for the shortest cycle.

    Raises
    ------
    ValueError
        If there are no registers to lead to, or the design cannot use so many stages.

    """
    low, high = 0.0, _Job(netlist, top, math.inf, lut_inputs).run(0).path_ns
    best = None
    for _ in range(24):
        middle = (low + high) / 2
        job = _Job(netlist, top, middle, lut_inputs)
        try:
            needed = job.stages_needed()
        except _TooShort:
            low = middle
            continue
        if needed <= stages:
            best, high = middle, middle
        else:
            low = middle
    period = high if best is None else best
    return _Job(netlist, top, period * (1 + 1e-9), lut_inputs).run(stages)


def stages_for(netlist: Netlist, top: str, period_ns: float, lut_inputs: int) -> int:
    """Return the fewest stages for a clock, with `CROWDING` of room for the routing.

    Raises
    ------
    ValueError
        If a part that is never cut takes longer; the message tells the shortest period.

    """
    try:
        _Job(netlist, top, period_ns, lut_inputs, strict=True).stages_needed()
        return _Job(netlist, top, period_ns / CROWDING, lut_inputs).stages_needed()
    except _TooShort as fault:
        needed = fault.path_ns if fault.path_ns > period_ns else fault.path_ns * CROWDING
        raise ValueError(
            f"no registers can be placed within {fault.part}, which takes {needed:.2f} ns, "
            f"more than {period_ns:.2f} ns: at most {math.floor(1000 / needed)} MHz"
        ) from None


class _TooShort(Exception):
    """A part that is never cut takes longer than a cycle."""

    def __init__(self, part: str, path_ns: float) -> None:
        super().__init__(part)
        self.part = part
        self.path_ns = path_ns


@dataclass(frozen=True)
class _Cell:
    """One cell: its nets by direction; `ports` keeps them by port."""

    name: str
    kind: str
    ports: Mapping[str, tuple[Bit, ...]]
    outputs: tuple[str, ...]

    @cached_property
    def reads(self) -> tuple[Bit, ...]:
        return tuple(
            bit
            for port, bits in self.ports.items()
            if port not in self.outputs
            for bit in bits
            if isinstance(bit, int)
        )

    @cached_property
    def drives(self) -> tuple[Bit, ...]:
        return tuple(bit for port in self.outputs for bit in self.ports[port])


class _Module:
    """A module as cells in topological order, with what its registers feed."""

    def __init__(self, name: str, record: Netlist, modules: Mapping[str, _Module]) -> None:
        self.name = name
        self.record = record
        self.ports: dict[str, tuple[Bit, ...]] = {
            port: tuple(found["bits"]) for port, found in record["ports"].items()
        }
        self.inputs = [p for p, f in record["ports"].items() if f["direction"] == "input"]
        self.outputs = [p for p, f in record["ports"].items() if f["direction"] == "output"]
        self.modules = modules
        cells = [_cell(n, c, modules) for n, c in record["cells"].items()]
        self.holding = [c for c in cells if self._holds(c)]
        self.plain = list(_ordered([c for c in cells if not self._holds(c)]))
        self.sequential = bool(self.holding)
        self.fixed = self._downstream()

    def _holds(self, cell: _Cell) -> bool:
        inner = self.modules.get(cell.kind)
        return inner.sequential if inner is not None else cell.kind in _REGISTERS

    def _downstream(self) -> set[str]:
        """Return the cells that a register feeds: they stay where they are."""
        reached = {bit for cell in self.holding for bit in cell.drives}
        found = set()
        for cell in self.plain:
            if reached.intersection(cell.reads):
                found.add(cell.name)
                reached.update(cell.drives)
        return found

    @property
    def is_leaf(self) -> bool:
        """Whether it holds no module of the design's own."""
        return not any(cell.kind in self.modules for cell in (*self.plain, *self.holding))


def _cell(name: str, record: Netlist, modules: Mapping[str, _Module]) -> _Cell:
    kind = record["type"]
    ports = {port: tuple(bits) for port, bits in record["connections"].items()}
    inner = modules.get(kind)
    if inner is not None:
        outputs = tuple(port for port in inner.outputs if port in ports)
    elif kind.startswith("$"):
        outputs = tuple(port for port in ports if port in ("Y", "Q", "X", "CO"))
    else:
        known = next((o for end, o in _PRIMITIVE_OUTPUTS.items() if kind.endswith(end)), None)
        if known is None:
            raise ValueError(f"registers can be placed around modules of the design, not {kind}")
        outputs = tuple(port for port in known if port in ports)
    return _Cell(name, kind, ports, outputs)


def _ordered(cells: list[_Cell]) -> Iterator[_Cell]:
    """Give cells so that each comes after those whose nets it reads."""
    driver = {bit: cell for cell in cells for bit in cell.drives if isinstance(bit, int)}
    done: set[str] = set()
    for start in cells:
        stack = [(start, iter(start.reads))]
        while stack:
            cell, reads = stack[-1]
            if cell.name in done:
                stack.pop()
                continue
            before = next((driver[b] for b in reads if b in driver), None)
            if before is None:
                done.add(cell.name)
                stack.pop()
                yield cell
            elif before.name not in done:
                if any(before is held for held, _ in stack):
                    raise ValueError(
                        f"{before.name} is on both sides of a loop, so no registers can be placed "
                        f"around it: a pipeline needs another structure"
                    )
                stack.append((before, iter(before.reads)))


def _read_modules(netlist: Netlist) -> dict[str, _Module]:
    """Return all modules, those that are instantiated first."""
    found: dict[str, _Module] = {}

    def read(name: str) -> None:
        if name in found:
            return
        record = netlist["modules"][name]
        for cell in record["cells"].values():
            if cell["type"] in netlist["modules"]:
                read(cell["type"])
        found[name] = _Module(name, record, found)

    for name in netlist["modules"]:
        read(name)
    return found


def levels(count: int, lut_inputs: int) -> float:
    """Return the LUT levels of a function of so many nets."""
    if count <= 1:
        return 0.0
    if count <= lut_inputs:
        return 1.0
    if count <= lut_inputs + 2:
        return 1.25  # two LUTs and the multiplexer beside them
    return 1.0 + levels(-(-count // lut_inputs), lut_inputs)


@dataclass
class _Placed:
    """A module with its stages: when its outputs are ready, and the nets to be delayed."""

    name: str
    outputs: dict[str, tuple[Moment, ...]]
    delayed: dict[Bit, set[int]]
    uses: dict[tuple[str, str], tuple[int, ...]]
    kinds: dict[str, str]
    path_ns: float


class _Job:
    """One attempt to place registers for paths of at most `period_ns`.

    What is never cut may take longer if it must not be `strict`; nothing then comes before it.
    """

    def __init__(
        self,
        netlist: Netlist,
        top: str,
        period_ns: float,
        lut_inputs: int,
        strict: bool = False,
    ) -> None:
        self.strict = strict
        self.netlist = netlist
        self.modules = _read_modules(netlist)
        self.budget = period_ns - REGISTER_NS
        self.lut_inputs = lut_inputs
        self.keeps_rows = lut_inputs >= 6
        self.made: dict[Any, _Placed] = {}
        self.inner: dict[str, float] = {}
        self.copies = 1
        self.core = self._core(self.modules[top])

    def _core(self, module: _Module) -> _Module:
        """Return the module whose lanes and tree are to be cut: the top one, or a tile's cell."""
        kinds = {cell.kind for cell in module.holding}
        if not module.plain and len(kinds) == 1 and (kind := kinds.pop()) in self.modules:
            self.copies *= len(module.holding)
            return self._core(self.modules[kind])
        if not module.sequential:
            raise ValueError(f"{module.name} has no registers that a pipeline could lead to")
        return module

    def stages_needed(self) -> int:
        """Return the stages that paths within the budget ask for."""
        return self._place_core(None)[1]

    def run(self, stages: int) -> Pipelined:
        """Return the netlist with registers for so many stages."""
        placed, _ = self._place_core(stages)
        writer = _Writer(self, stages)
        writer.write(self.core, placed, in_place=True)
        return Pipelined(
            self.netlist | {"modules": writer.modules},
            {length: n * self.copies for length, n in writer.chains(self.core.name).items()},
            round(placed.path_ns + REGISTER_NS, 3),
        )

    def _place_core(self, stages: int | None) -> tuple[_Placed, int]:
        core = self.core
        arrivals = {
            port: (Moment(0, 0.0),) * len(core.ports[port]) for port in core.inputs if port != "clk"
        }
        placing = _Placing(self, core, arrivals)
        placing.run()
        needed = placing.close(stages)
        return placing.placed(core.name), needed

    def place(
        self, module: _Module, arrivals: Mapping[str, tuple[int, float]]
    ) -> tuple[_Placed, int]:
        """Return a module placed for inputs ready at these times, and the stage it starts in."""
        start = min(stage for stage, _ in arrivals.values())
        profile = {port: (stage - start, round(ns, 6)) for port, (stage, ns) in arrivals.items()}
        key = (module.name, tuple(profile.items()))
        if key not in self.made:
            moments = {
                port: (Moment(*profile[port]),) * len(module.ports[port]) for port in profile
            }
            placing = _Placing(self, module, moments)
            placing.run()
            versions = sum(placed.name.startswith(module.name) for placed in self.made.values())
            cut = placing.delayed or placing.kinds
            name = f"{module.name}_piped{versions}" if cut else module.name
            self.made[key] = placing.placed(name)
        return self.made[key], start

    def whole_ns(self, module: _Module) -> float:
        """Return the longest path between ports and registers of a module that is not cut."""
        if module.name not in self.inner:
            free = _Job.__new__(_Job)
            free.__dict__ |= self.__dict__ | {"budget": math.inf, "made": {}}
            moments = {port: (Moment(0, 0.0),) * len(module.ports[port]) for port in module.inputs}
            self.inner[module.name] = _Placing(free, module, moments).through()
        return self.inner[module.name]


class _Placing:
    """The nets of one module on their way into stages."""

    def __init__(
        self, job: _Job, module: _Module, arrivals: Mapping[str, tuple[Moment, ...]]
    ) -> None:
        self.job = job
        self.module = module
        self.ready: dict[Bit, Moment] = {}
        for port, moments in arrivals.items():
            self.ready.update(zip(module.ports[port], moments, strict=True))
        self.delayed: dict[Bit, set[int]] = defaultdict(set)
        self.uses: dict[tuple[str, str], tuple[int, ...]] = {}
        self.kinds: dict[str, str] = {}
        self.rows: set[Bit] = set()
        self.longest = 0.0

    def time(self, moment: Moment) -> float:
        """Return when a net is ready within its stage."""
        return moment.base + LUT_NS * levels(len(moment.sources), self.job.lut_inputs)

    def run(self) -> None:
        """Place every cell that no register feeds."""
        for cell in self.module.plain:
            if cell.name not in self.module.fixed:
                self._place(cell)

    def through(self, only: frozenset[str] | None = None) -> float:
        """Return the longest path with every register as a source; `only` of these cells."""
        for cell in self.module.holding:
            inner = self.job.modules.get(cell.kind)
            if inner is not None:
                self.longest = max(self.longest, self.job.whole_ns(inner))
            self.ready.update((bit, Moment(0, 0.0)) for bit in cell.drives)
        free = self._loading()
        for cell in self.module.plain:
            if only is not None and cell.name not in only:
                self.ready.update((bit, Moment(0, 0.0)) for bit in cell.drives)
            elif cell.name in free:
                data = [self.ready[b] for p in ("A", "B") for b in cell.ports[p] if b in self.ready]
                late = max(data, key=self.time, default=Moment(0, 0.0))
                self.ready.update((bit, late) for bit in cell.drives)
            else:
                self._place(cell)
        return self.longest

    def _loading(self) -> set[str]:
        """Return multiplexers that only say when a register loads or clears: no LUTs."""
        readers: dict[Bit, list[_Cell]] = defaultdict(list)
        for cell in (*self.module.plain, *self.module.holding):
            for bit in cell.reads:
                readers[bit].append(cell)
        shown = {bit for port in self.module.outputs for bit in self.module.ports[port]}
        found: set[str] = set()
        for cell in reversed(self.module.plain):
            outputs = set(cell.drives)
            if cell.kind == "$mux" and not outputs & shown:
                after = [reader for bit in outputs for reader in readers[bit]]
                if all(r.kind in _REGISTERS or r.name in found for r in after):
                    found.add(cell.name)
        return found

    def _place(self, cell: _Cell) -> None:
        inner = self.job.modules.get(cell.kind)
        if inner is None:
            self._place_logic(cell)
        elif inner.is_leaf and self.job.whole_ns(inner) <= self.job.budget:
            self._place_whole(cell, self.job.whole_ns(inner))
        elif inner.is_leaf and (len(inner.plain) <= 1 or self.job.keeps_rows):
            raise _TooShort(inner.name, self.job.whole_ns(inner) + REGISTER_NS)
        else:
            self._place_inside(cell, inner)

    def _known(self, cell: _Cell) -> list[Moment]:
        return [self.ready[bit] for bit in cell.reads if bit in self.ready]

    def _align(self, cell: _Cell, stage: int) -> None:
        """Have all inputs of a cell delayed to a stage."""
        for port, bits in cell.ports.items():
            if port in cell.outputs:
                continue
            late = tuple(stage - self.ready[bit].stage if bit in self.ready else 0 for bit in bits)
            self.uses[cell.name, port] = late
            for bit, cycles in zip(bits, late, strict=True):
                if cycles:
                    self.delayed[bit].add(cycles)

    def _place_whole(self, cell: _Cell, delay: float) -> None:
        """Place a cell that is not cut: at its inputs, or one stage later."""
        moments, whole = self._known(cell), delay
        stage = max((m.stage for m in moments), default=0)
        start = max((self.time(m) for m in moments if m.stage == stage), default=0.0)
        if start and self._is_row(cell):
            delay = min(delay, CHAINED_ROW_NS + ROW_NS_PER_BIT * len(cell.drives))
        if start + delay > self.job.budget:
            if start == 0:
                raise _TooShort(f"{cell.name} of {self.module.name}", delay + REGISTER_NS)
            stage, start, delay = stage + 1, 0.0, whole
        self._align(cell, stage)
        self._finish(cell, Moment(stage, start + delay))

    def _is_row(self, cell: _Cell) -> bool:
        """Whether all operands that are ready last come from rows themselves."""
        return any(bit in self.rows for bit in cell.reads)

    def _place_logic(self, cell: _Cell) -> None:
        if cell.kind in ARITHMETIC or cell.kind.endswith("carry4"):
            self._place_arithmetic(cell)
            return
        moments = [(bit, self.ready[bit]) for bit in cell.reads if bit in self.ready]
        stage = max((m.stage for _, m in moments), default=0)
        now = [(bit, m) for bit, m in moments if m.stage == stage]
        sources = frozenset(s for bit, m in now for s in (m.sources or (bit,)))
        sources |= {bit for bit, m in moments if m.stage < stage}
        per_bit = self._sources_per_bit(cell, sources)
        base = max((m.base for _, m in now), default=0.0)
        moment = Moment(stage, base, per_bit)
        if self.time(moment) > self.job.budget:
            stage += 1
            nets = frozenset(bit for bit, _ in moments)
            moment = Moment(stage, 0.0, self._sources_per_bit(cell, nets))
            if self.time(moment) > self.job.budget:
                part = f"{cell.name} of {self.module.name}"
                raise _TooShort(part, self.time(moment) + REGISTER_NS)
        self._align(cell, stage)
        self._finish(cell, moment)

    def _sources_per_bit(self, cell: _Cell, sources: frozenset[Bit]) -> frozenset[Bit]:
        """Return about as many sources as one output bit of a bitwise cell has."""
        width = len(cell.drives)
        if width <= 1 or cell.kind not in ("$and", "$or", "$xor", "$xnor", "$not", "$mux", "$pos"):
            return sources
        shared = {bit for bit in cell.ports.get("S", ()) if isinstance(bit, int)}
        worst: frozenset[Bit] = frozenset()
        columns = [bits for port, bits in cell.ports.items() if port in ("A", "B")]
        for place in range(width):
            nets = {bits[min(place, len(bits) - 1)] for bits in columns} | shared
            found = frozenset(
                source
                for net in nets
                if net in self.ready
                for source in (self.ready[net].sources or (net,))
            )
            worst = max(worst, found, key=len)
        return worst

    def _place_arithmetic(self, cell: _Cell) -> None:
        if cell.kind in ("$add", "$sub") and self._only_carries_in(cell):
            stage = max(m.stage for m in self._known(cell))
            before = max(self.time(m) for m in self._known(cell) if m.stage == stage)
            self._align(cell, stage)
            self._finish(cell, Moment(stage, before))
            self.rows.update(cell.drives)
            return
        width = len(cell.drives)
        rows = 1
        if cell.kind == "$mul":
            rows = max(min(len(cell.ports["A"]), len(cell.ports["B"])) // 2, 1)
        if cell.kind.endswith("carry4"):
            chained = any(isinstance(b, int) for b in cell.ports.get("CI", ()))
            delay = ROW_NS_PER_BIT * 4 if chained else ROW_NS - LUT_NS
        else:
            delay = ROW_NS + (rows - 1) * CHAINED_ROW_NS + ROW_NS_PER_BIT * width
        self._place_whole(cell, delay)
        self.rows.update(cell.drives)

    def _only_carries_in(self, cell: _Cell) -> bool:
        """Whether one bit is added to a row of its own, which takes it as carry."""
        a, b = cell.ports["A"], cell.ports["B"]
        wide, single = (a, b) if len(b) == 1 else (b, a)
        if len([bit for bit in single if isinstance(bit, int)]) > 1 or len(single) > 1:
            return False
        nets = {bit for bit in wide if isinstance(bit, int)}
        return bool(nets) and nets <= self.rows

    def _place_inside(self, cell: _Cell, inner: _Module) -> None:
        """Place a module whose own nets are cut."""
        arrivals: dict[str, tuple[int, float]] = {}
        for port in inner.inputs:
            moments = [self.ready[b] for b in cell.ports.get(port, ()) if b in self.ready]
            if port == "clk" or not moments:
                continue
            stage = max(m.stage for m in moments)
            arrivals[port] = stage, max(self.time(m) for m in moments if m.stage == stage)
        if not arrivals:
            self._finish(cell, Moment(0, 0.0))
            return
        placed, start = self.job.place(inner, arrivals)
        if placed.name != inner.name:
            self.kinds[cell.name] = placed.name
        for port, (stage, _) in arrivals.items():
            bits = cell.ports[port]
            late = tuple(stage - self.ready[bit].stage if bit in self.ready else 0 for bit in bits)
            self.uses[cell.name, port] = late
            for bit, cycles in zip(bits, late, strict=True):
                if cycles:
                    self.delayed[bit].add(cycles)
        for port in cell.outputs:
            for bit, moment in zip(cell.ports[port], placed.outputs[port], strict=True):
                self.ready[bit] = Moment(moment.stage + start, moment.base)
        self.longest = max(self.longest, placed.path_ns)

    def _finish(self, cell: _Cell, moment: Moment) -> None:
        for bit in cell.drives:
            self.ready[bit] = moment
        self.longest = max(self.longest, self.time(moment))

    def close(self, stages: int | None) -> int:
        """Lead all nets to the registers and what these feed; return the stages it takes."""
        fixed = [c for c in self.module.plain if c.name in self.module.fixed]
        loop = self._loop_ns() if fixed else 0.0
        needed = 0
        for cell in (*fixed, *self.module.holding):
            inner = self.job.modules.get(cell.kind)
            delay = loop if cell.name in self.module.fixed else 0.0
            if inner is not None:
                delay = max(delay, self.job.whole_ns(inner))
            for bit in cell.reads:
                if bit in self.ready:
                    needed = max(needed, self._sink_stage(cell, self.ready[bit], delay))
            self.longest = max(self.longest, delay)
        last = needed if stages is None else max(stages, needed)
        for cell in (*fixed, *self.module.holding):
            self._align(cell, last)
        return needed

    def _loop_ns(self) -> float:
        """Return the longest path through what registers feed."""
        free = _Job.__new__(_Job)
        free.__dict__ |= self.job.__dict__ | {"budget": math.inf, "made": {}}
        moments = {p: (Moment(0, 0.0),) * len(self.module.ports[p]) for p in self.module.inputs}
        return _Placing(free, self.module, moments).through(frozenset(self.module.fixed))

    def _sink_stage(self, cell: _Cell, moment: Moment, delay: float) -> int:
        start = self.time(moment)
        if start + delay <= self.job.budget:
            self.longest = max(self.longest, start + delay)
            return moment.stage
        if delay > self.job.budget and self.job.strict:
            raise _TooShort(cell.kind, delay + REGISTER_NS)
        return moment.stage + (start > 0)

    def placed(self, name: str) -> _Placed:
        """Return the result."""
        outputs = {
            port: tuple(self.ready.get(bit, Moment(0, 0.0)) for bit in self.module.ports[port])
            for port in self.module.outputs
        }
        timed = {
            port: tuple(Moment(m.stage, self.time(m)) for m in moments)
            for port, moments in outputs.items()
        }
        return _Placed(name, timed, dict(self.delayed), self.uses, self.kinds, self.longest)


class _Writer:
    """Writes placed modules with their registers."""

    def __init__(self, job: _Job, stages: int) -> None:
        self.job = job
        self.modules: dict[str, Netlist] = dict(job.netlist["modules"])
        self._own: dict[str, dict[int, int]] = {}
        self._parts: dict[str, list[str]] = {}

    def write(self, module: _Module, placed: _Placed, in_place: bool = False) -> None:
        """Add the module `placed.name`, and the versions of modules in it."""
        if placed.name in self._own:
            return
        record = {**module.record, "cells": {}, "netnames": dict(module.record["netnames"])}
        clock = self._clock(module, record, placed)
        self._own[placed.name] = {}
        chains = self._delay(module, record, placed, clock)
        parts = []
        for cell in (*module.plain, *module.holding):
            original = module.record["cells"][cell.name]
            kind = placed.kinds.get(cell.name, cell.kind)
            connections = {
                port: self._delayed(bits, placed.uses.get((cell.name, port)), chains)
                for port, bits in cell.ports.items()
            }
            inner = self.job.modules.get(cell.kind)
            if kind != cell.kind:
                connections["clk"] = [clock]
            record["cells"][cell.name] = {**original, "type": kind, "connections": connections}
            if "port_directions" in original and kind != cell.kind:
                directions = {**original["port_directions"], "clk": "input"}
                record["cells"][cell.name]["port_directions"] = directions
            if inner is not None:
                parts.append(kind)
                made = next((p for p in self.job.made.values() if p.name == kind), None)
                if made is not None and kind != cell.kind:
                    self.write(inner, made)
        self._parts[placed.name] = parts
        self.modules[placed.name] = record

    def _clock(self, module: _Module, record: Netlist, placed: _Placed) -> Bit:
        if "clk" in module.ports:
            return module.ports["clk"][0]
        if not placed.delayed and not placed.kinds:
            return "x"
        bit = _highest(module.record) + 1
        record["ports"] = {**record["ports"], "clk": {"direction": "input", "bits": [bit]}}
        record["netnames"]["clk"] = {"hide_name": 0, "bits": [bit], "attributes": {}}
        return bit

    def _delay(
        self, module: _Module, record: Netlist, placed: _Placed, clock: Bit
    ) -> dict[tuple[Bit, int], Bit]:
        """Add the registers; return each delayed net by its source and cycles."""
        free = _highest(record) + 1
        chains: dict[tuple[Bit, int], Bit] = {}
        control = {b for p in ("valid", "last", "rst") for b in module.ports.get(p, ())}
        own = self._own[placed.name]
        for taps in placed.delayed.values():
            before = 0
            for tap in sorted(taps):
                own[tap - before] = own.get(tap - before, 0) + 1
                before = tap
        depth = max((max(taps) for taps in placed.delayed.values()), default=0)
        for cycle in range(1, depth + 1):
            for word, bits in _words(record, placed.delayed, cycle):
                name = f"{word}_late{cycle}"
                new = list(range(free, free + len(bits)))
                free += len(bits)
                source = [chains.get((bit, cycle - 1), bit) for bit in bits]
                chains.update({(bit, cycle): q for bit, q in zip(bits, new, strict=True)})
                attributes = {}
                if control.intersection(bits):
                    attributes = {"init": "0" * len(bits)}
                record["netnames"][name] = {
                    "hide_name": 0,
                    "bits": new,
                    "attributes": attributes,
                }
                record["cells"][f"$pipe${name}"] = {
                    "hide_name": 1,
                    "type": "$dff",
                    "parameters": {"CLK_POLARITY": f"{1:032b}", "WIDTH": f"{len(bits):032b}"},
                    "attributes": {},
                    "port_directions": {"CLK": "input", "D": "input", "Q": "output"},
                    "connections": {"CLK": [clock], "D": source, "Q": new},
                }
        return chains

    @staticmethod
    def _delayed(
        bits: Iterable[Bit],
        late: tuple[int, ...] | None,
        chains: Mapping[tuple[Bit, int], Bit],
    ) -> list[Bit]:
        if late is None:
            return list(bits)
        return [chains.get((bit, n), bit) for bit, n in zip(bits, late, strict=True)]

    def chains(self, name: str) -> dict[int, int]:
        """Return the chains of registers of a module and all in it, by length."""
        found = dict(self._own.get(name, {}))
        for part in self._parts.get(name, ()):
            for length, count in self.chains(part).items():
                found[length] = found.get(length, 0) + count
        return found


def _highest(record: Netlist) -> int:
    bits = [b for net in record["netnames"].values() for b in net["bits"] if isinstance(b, int)]
    bits += [
        bit
        for cell in record["cells"].values()
        for connection in cell["connections"].values()
        for bit in connection
        if isinstance(bit, int)
    ]
    bits += [b for p in record["ports"].values() for b in p["bits"] if isinstance(b, int)]
    return max(bits, default=1)


def _words(
    record: Netlist, delayed: Mapping[Bit, set[int]], cycle: int
) -> Iterator[tuple[str, list[Bit]]]:
    """Give the nets delayed by so many cycles, as words named after a net they are of."""
    left = {bit for bit, taps in delayed.items() if max(taps) >= cycle}
    names = sorted(record["netnames"], key=lambda n: (record["netnames"][n]["hide_name"], n))
    for name in names:
        if "_late" in name:
            continue
        bits = [b for b in dict.fromkeys(record["netnames"][name]["bits"]) if b in left]
        if bits:
            left.difference_update(bits)
            yield "".join(c if c.isalnum() else "_" for c in name), bits
    for bit in sorted(left, key=str):
        yield f"net{bit}", [bit]
