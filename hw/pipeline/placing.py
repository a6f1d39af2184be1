"""Floor 2a: the nets of one module on their way into stages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hw.pipeline.delays import (
    CASCADED_DSP_NS,
    CHAINED_ROW_NS,
    DSP_NS,
    LUT_NS,
    REGISTER_NS,
    ROW_NS,
    ROW_NS_PER_BIT,
    Moment,
    levels,
)
from hw.pipeline.equal import Uses, registered
from hw.pipeline.netlist import ARITHMETIC, DSP_BLOCKS, REGISTERS, Bit, Cell, Module

if TYPE_CHECKING:
    from hw.pipeline.job import Job


class Unreachable(ValueError):
    """A clock that no number of stages reaches; `most_mhz` is one that can be reached."""

    def __init__(self, message: str, most_mhz: int) -> None:
        super().__init__(message)
        self.most_mhz = most_mhz


class TooShort(Exception):
    """A part that is never cut takes longer than a cycle."""

    def __init__(self, part: str, path_ns: float) -> None:
        super().__init__(part)
        self.part = part
        self.path_ns = path_ns


@dataclass
class Placed:
    """A module with its stages: when its outputs are ready, and the nets to be delayed."""

    name: str
    outputs: dict[str, tuple[Moment, ...]]
    delayed: dict[Bit, set[int]]
    uses: Uses
    kinds: dict[str, str]
    path_ns: float


class Placing:
    """The nets of one module on their way into stages."""

    def __init__(
        self, job: Job, module: Module, arrivals: Mapping[str, tuple[Moment, ...]]
    ) -> None:
        self.job = job
        self.module = module
        self.ready: dict[Bit, Moment] = {}
        for port, moments in arrivals.items():
            self.ready.update(zip(module.ports[port], moments, strict=True))
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
        readers: dict[Bit, list[Cell]] = defaultdict(list)
        for cell in (*self.module.plain, *self.module.holding):
            for bit in cell.reads:
                readers[bit].append(cell)
        shown = {bit for port in self.module.outputs for bit in self.module.ports[port]}
        found: set[str] = set()
        for cell in reversed(self.module.plain):
            outputs = set(cell.drives)
            if cell.kind == "$mux" and not outputs & shown:
                after = [reader for bit in outputs for reader in readers[bit]]
                if all(r.kind in REGISTERS or r.name in found for r in after):
                    found.add(cell.name)
        return found

    def _place(self, cell: Cell) -> None:
        inner = self.job.modules.get(cell.kind)
        if inner is None:
            self._place_logic(cell)
        elif inner.running or (inner.is_leaf and self.job.whole_ns(inner) <= self.job.budget):
            self._place_whole(cell, self.job.whole_ns(inner))
        elif inner.is_leaf and (len(inner.plain) <= 1 or (self.job.keeps_rows and inner.has_rows)):
            raise TooShort(inner.name, self.job.whole_ns(inner) + REGISTER_NS)
        else:
            self._place_inside(cell, inner)

    def _known(self, cell: Cell) -> list[Moment]:
        return [self.ready[bit] for bit in cell.reads if bit in self.ready]

    def _align(self, cell: Cell, stage: int) -> None:
        """Have all inputs of a cell delayed to a stage."""
        for port, bits in cell.ports.items():
            if port in cell.outputs:
                continue
            late = tuple(stage - self.ready[bit].stage if bit in self.ready else 0 for bit in bits)
            self.uses[cell.name, port] = late

    def _place_whole(self, cell: Cell, delay: float) -> None:
        """Place a cell that is not cut: at its inputs, or one stage later."""
        moments, whole = self._known(cell), delay
        stage = max((m.stage for m in moments), default=0)
        start = max((self.time(m) for m in moments if m.stage == stage), default=0.0)
        if start and self._is_row(cell):
            delay = min(delay, CHAINED_ROW_NS + ROW_NS_PER_BIT * len(cell.drives))
        if start + delay > self.job.budget:
            if start == 0:
                raise TooShort(f"{cell.name} of {self.module.name}", delay + REGISTER_NS)
            stage, start, delay = stage + 1, 0.0, whole
        self._align(cell, stage)
        self._finish(cell, Moment(stage, start + delay))

    def _is_row(self, cell: Cell) -> bool:
        """Whether all operands that are ready last come from rows themselves."""
        return any(bit in self.rows for bit in cell.reads)

    def _place_logic(self, cell: Cell) -> None:
        if cell.kind in ARITHMETIC or cell.kind.endswith(("carry4", *DSP_BLOCKS)):
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
                raise TooShort(part, self.time(moment) + REGISTER_NS)
        self._align(cell, stage)
        self._finish(cell, moment)

    def _sources_per_bit(self, cell: Cell, sources: frozenset[Bit]) -> frozenset[Bit]:
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

    def _place_arithmetic(self, cell: Cell) -> None:
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
        if cell.kind.endswith(DSP_BLOCKS):
            chained = any(isinstance(b, int) for b in cell.ports.get("PCIN", ()))
            delay = CASCADED_DSP_NS if chained else DSP_NS
        elif cell.kind.endswith("carry4"):
            chained = any(isinstance(b, int) for b in cell.ports.get("CI", ()))
            delay = ROW_NS_PER_BIT * 4 if chained else ROW_NS - LUT_NS
        else:
            delay = ROW_NS + (rows - 1) * CHAINED_ROW_NS + ROW_NS_PER_BIT * width
        self._place_whole(cell, delay)
        self.rows.update(cell.drives)

    def _only_carries_in(self, cell: Cell) -> bool:
        """Whether one bit is added to a row of its own, which takes it as carry."""
        a, b = cell.ports["A"], cell.ports["B"]
        wide, single = (a, b) if len(b) == 1 else (b, a)
        if len([bit for bit in single if isinstance(bit, int)]) > 1 or len(single) > 1:
            return False
        nets = {bit for bit in wide if isinstance(bit, int)}
        return bool(nets) and nets <= self.rows

    def _place_inside(self, cell: Cell, inner: Module) -> None:
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
        for port in cell.outputs:
            for bit, moment in zip(cell.ports[port], placed.outputs[port], strict=True):
                self.ready[bit] = Moment(moment.stage + start, moment.base)
        self.longest = max(self.longest, placed.path_ns)

    def _finish(self, cell: Cell, moment: Moment) -> None:
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
        return self.job.uncut(self.module).through(frozenset(self.module.fixed))

    def _sink_stage(self, cell: Cell, moment: Moment, delay: float) -> int:
        start = self.time(moment)
        if start + delay <= self.job.budget:
            self.longest = max(self.longest, start + delay)
            return moment.stage
        if delay > self.job.budget and self.job.strict:
            raise TooShort(cell.kind, delay + REGISTER_NS)
        return moment.stage + (start > 0)

    def placed(self, name: str) -> Placed:
        """Return the result."""
        outputs = {
            port: tuple(self.ready.get(bit, Moment(0, 0.0)) for bit in self.module.ports[port])
            for port in self.module.outputs
        }
        timed = {
            port: tuple(Moment(m.stage, self.time(m)) for m in moments)
            for port, moments in outputs.items()
        }
        stages = {bit: moment.stage for bit, moment in self.ready.items()}
        uses, delayed = registered(self.module, self.job.equal(self.module), self.uses, stages)
        return Placed(name, timed, delayed, uses, self.kinds, self.longest)
