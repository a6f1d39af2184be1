"""Floor 3: a design's clock without place and route: published delays along its mapped netlist.

For families that no open tool places and routes (`LOGICAL`). Yosys maps the design, registers
around it, as `hw.timing` has it; every cell takes the time its maker's tool reports for it, every
wire the mean of the wires of its fan-out in routed designs of others (``hw/data/delays.yaml`` has
the figures and their sources). Wires within a carry chain, and from a LUT to the chain beside it,
take none. It is an extrapolation: placement, congestion and the vendor's own mapping are not in it.

Wires are taken from routed designs rather than as a share of the cells' time, because the share is
not a property of a family: 7-series counts part of a LUT's time with the wire before it,
UltraScale+ with the LUT (AMD UG906). On the paths nextpnr routes on ECP5 and iCE40 wires are 56 %
of the time in the mean, here 50 to 65 %. By how much these delays miss other people's routed paths
`sweeps.clock_outside` prints; `Published.error_percent` is beyond the worst.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from hw import yosys
from hw.cache import Cache, content_key
from hw.target import Target
from hw.timing import Clock, Routed, body_of, ports_of, surrounded

CACHE_VERSION = "1"
LOGICAL = ("xcup", "xc7")
REGISTERS = ("FDRE", "FDSE", "FDCE", "FDPE", "SRL16E", "SRLC32E")
END_PINS = ("D", "CE", "R", "S", "CLR", "PRE")
CARRY = ("CARRY4", "CARRY8")
ONTO_CHAIN, THROUGH = ("CI", "CYINIT", "S", "DI"), ("I0", "I1")
SAME_SLICE = {**dict.fromkeys(CARRY, ONTO_CHAIN), "MUXF7": THROUGH, "MUXF8": THROUGH}
"""Pins whose wires stay in a slice, where a LUT, a multiplexer or a chain drives them."""
FREE = ("IBUF", "OBUF", "BUFG", "INV", "GND", "VCC")
Net = int
Sink = tuple[str, str]
"""A cell's name and a port."""


@dataclass(frozen=True, slots=True)
class Published:
    """Published delays of a family, ns; see ``hw/data/delays.yaml``.

    Parameters
    ----------
    device
        Which device and speed grade.
    error_percent
        What a clock may be wrong by.
    clock_to_output, setup
        Of a register.
    lut, mux
        Of a look-up table and of the multiplexer behind two.
    carry
        Of a CARRY4: onto the chain, along it, off it, and from a select input to its own sum.
    dsp
        Of a block: product and sum; the sum alone.
    wires
        Most sinks, and the time of a wire with so many.

    """

    device: str
    error_percent: float
    clock_to_output: float
    setup: float
    lut: float
    mux: float
    carry: dict[str, float]
    dsp: dict[str, float]
    wires: tuple[tuple[int, float], ...]

    def wire(self, sinks: int) -> float:
        """Return the time of a wire."""
        return next(time for most, time in self.wires if sinks <= most)


@cache
def published(target: str) -> Published:
    """Return the delays of a family; ValueError if there are none."""
    if target not in LOGICAL:
        raise ValueError(f"delays are published for {', '.join(LOGICAL)}, not for {target}")
    import yaml

    text = (files("hw") / "data" / "delays.yaml").read_text(encoding="utf-8")
    record = yaml.safe_load(text)[target]
    return Published(**{**record, "wires": tuple(map(tuple, record["wires"]))})


def measure(
    verilog: str,
    top: str,
    *,
    target: Target,
    dsp: bool = False,
    cache: bool = True,
    delays: Published | None = None,
) -> Clock:
    """Return the clock of a design by published delays; no seeds, one path.

    Parameters
    ----------
    verilog, top
        As for `hw.timing.measure`.
    target
        One of `LOGICAL`.
    dsp
        Whether DSP blocks may be used.
    cache
        Whether to use and keep results.
    delays
        Others than the published ones.

    Raises
    ------
    ValueError
        If Yosys refuses the design, it has no clock, or a cell on a path has no delay.
    hw.errors.MissingTool
        If pyosys is not installed.

    """
    known = published(target.name) if delays is None else delays
    synthesis = f"{target.synthesis} {target.use_dsp if dsp else target.no_dsp}"
    tool = f"{yosys.version()}, published delays of {known.device}"
    store = Cache("logical") if cache else None
    key = content_key(CACHE_VERSION, tool, repr(known), synthesis, top, body_of(verilog))
    found = store.get(key) if store is not None else None
    if found is None:
        found = longest(_mapped(verilog, top, synthesis), known).to_record()
        if store is not None:
            store.put(key, found)
    path = Routed(**found)
    return Clock(path.mhz, (path.mhz,), tool, (path,))


def _mapped(verilog: str, top: str, synthesis: str) -> dict[str, Any]:
    """Return the flat mapped module of a design between registers, as Yosys' JSON."""
    ports = ports_of(verilog, top)
    script = [
        "read_verilog design.v around.v",
        f"{synthesis} -top around_",
        "setattr -mod -unset keep_hierarchy *",
        "setattr -unset keep_hierarchy *",
        "flatten",
        "opt_clean",
        "write_json netlist.json",
    ]
    inputs = {"design.v": verilog, "around.v": surrounded(top, ports)}
    made = json.loads(yosys.run(script, inputs, ["netlist.json"])["netlist.json"])
    module: dict[str, Any] = made["modules"]["around_"]
    return module


@dataclass(frozen=True, slots=True)
class _Arrival:
    """When a net is ready: its time, and how much of it are wires and how many."""

    time: float = 0.0
    routing: float = 0.0
    wires: int = 0


def longest(module: Mapping[str, Any], known: Published) -> Routed:
    """Return the longest path between registers of a flat mapped module.

    Raises
    ------
    ValueError
        If a cell has no delay, or cells form a loop.

    """
    return _Walk(module, known).longest()


class _Walk:
    """One search for the longest path."""

    def __init__(self, module: Mapping[str, Any], known: Published) -> None:
        self.known = known
        self.cells: dict[str, Any] = {
            name: cell for name, cell in module["cells"].items() if cell["type"] != "$scopeinfo"
        }
        self.sinks: dict[Net, int] = {}
        self.driver: dict[Net, str] = {}
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                drives = cell["port_directions"][port] == "output"
                for bit in bits:
                    if isinstance(bit, int) and drives:
                        self.driver[bit] = name
                    elif isinstance(bit, int):
                        self.sinks[bit] = self.sinks.get(bit, 0) + 1
        self.ready: dict[Net, _Arrival] = {}

    def longest(self) -> Routed:
        """Return the longest path."""
        order = list(self._order())
        for name in order:
            self._place(self.cells[name])
        ends = [
            self._pin(cell, port, bit)
            for cell in self.cells.values()
            if cell["type"] in REGISTERS
            for port, bits in cell["connections"].items()
            if port in END_PINS
            for bit in bits
        ]
        last = max(ends, key=lambda arrival: arrival.time, default=_Arrival())
        period = last.time + self.known.setup
        logic = period - last.routing
        return Routed(round(1000 / period, 2), round(logic, 3), round(last.routing, 3), last.wires)

    def _order(self) -> Iterator[str]:
        """Give the cells between registers so that each comes after those it reads."""
        done: set[str] = set()
        for start in self.cells:
            stack = [start]
            seen: set[str] = set()
            while stack:
                name = stack[-1]
                waits = [] if name in done else list(self._before(name, done))
                if not waits:
                    stack.pop()
                    if name not in done:
                        done.add(name)
                        yield name
                elif name in seen:
                    raise ValueError(f"cells around {name} form a loop: no path has an end")
                else:
                    seen.add(name)
                    stack += waits

    def _before(self, name: str, done: set[str]) -> Iterator[str]:
        cell = self.cells[name]
        if cell["type"] in REGISTERS:
            return
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                for bit in bits:
                    before = self.driver.get(bit)
                    if before is not None and before not in done and before != name:
                        yield before

    def _pin(self, cell: Mapping[str, Any], port: str, bit: Any) -> _Arrival:
        """Return when a pin sees its net."""
        found = self.ready.get(bit) if isinstance(bit, int) else None
        if found is None:
            return _Arrival()
        kind, source = cell["type"], self.cells[self.driver[bit]]["type"]
        inside = SAME_SLICE.get(kind, ())
        if port in inside and (source.startswith(("LUT", "MUXF")) or source == kind in CARRY):
            return found
        wire = self.known.wire(self.sinks.get(bit, 1))
        return _Arrival(found.time + wire, found.routing + wire, found.wires + 1)

    def _place(self, cell: Mapping[str, Any]) -> None:
        kind, nets = cell["type"], cell["connections"]
        if kind in REGISTERS:
            self.ready[nets["Q"][0]] = _Arrival(self.known.clock_to_output)
        elif kind in CARRY:
            self._carry(cell)
        elif kind == "LUT6_2":
            self._pair(cell)
        elif kind.startswith(("LUT", "MUXF")) or kind in FREE:
            delay = self.known.lut if kind.startswith("LUT") else self.known.mux
            self._through(cell, 0.0 if kind in FREE else delay)
        elif kind.startswith("DSP48"):
            self._block(cell)
        else:
            raise ValueError(f"no delay is published for a {kind} on this target")

    def _inputs(self, cell: Mapping[str, Any], skipped: tuple[str, ...] = ()) -> Iterator[_Arrival]:
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input" and port not in skipped:
                for bit in bits:
                    yield self._pin(cell, port, bit)

    def _through(self, cell: Mapping[str, Any], delay: float) -> None:
        latest = max(self._inputs(cell), key=_time, default=_Arrival())
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "output":
                for bit in bits:
                    self.ready[bit] = _after(latest, delay)

    def _pair(self, cell: Mapping[str, Any]) -> None:
        """Place a LUT of two outputs: each waits for the inputs that its function reads."""
        nets = cell["connections"]
        truth = int(cell["parameters"]["INIT"], 2)
        pins = [self._pin(cell, f"I{number}", nets[f"I{number}"][0]) for number in range(6)]
        upper = _reads(truth >> 32, 5) if nets["I5"][0] == "1" else _reads(truth, 6)
        for port, reads in (("O6", upper), ("O5", _reads(truth & 0xFFFFFFFF, 5))):
            latest = max((pins[number] for number in reads), key=_time, default=_Arrival())
            for bit in nets.get(port, ()):
                self.ready[bit] = _after(latest, self.known.lut)

    def _carry(self, cell: Mapping[str, Any]) -> None:
        nets, times = cell["connections"], self.known.carry
        enters = [self._pin(cell, "CYINIT", bit) for bit in nets.get("CYINIT", ())]
        carry = max(
            (_after(pin, times["enter"]) for pin in enters if pin.time),
            key=_time,
            default=_Arrival(),
        )
        passed = [self._pin(cell, "CI", bit) for bit in nets.get("CI", ())]
        below = max((pin for pin in passed if pin.time), key=_time, default=_Arrival())
        before = max(carry, below, key=_time)
        bits = len(nets["S"])
        for place in range(bits):
            select = self._pin(cell, "S", nets["S"][place])
            own = _after(select, times["sum"])
            arrived = _after(before, times["leave"]) if before.time else own
            self._show(nets, "O", place, max(own, arrived, key=_time))
            entered = max(select, self._pin(cell, "DI", nets["DI"][place]), key=_time)
            before = max(before, _after(entered, times["enter"] - times["leave"]), key=_time)
            last = place == bits - 1
            along = times["pass"] * bits / 4 if last else times["leave"]
            self._show(nets, "CO", place, _after(before, along))

    def _show(self, nets: Mapping[str, Any], port: str, place: int, ready: _Arrival) -> None:
        """Give a bit of an output, which may be left open."""
        if place < len(nets.get(port, ())):
            self.ready[nets[port][place]] = ready

    def _block(self, cell: Mapping[str, Any]) -> None:
        """Place a DSP block without registers: product and sum, or the sum alone."""
        added = ("C", "PCIN", "CARRYCASCIN")
        factors = max(self._inputs(cell, added), key=_time, default=_Arrival())
        nets = cell["connections"]
        sums = [self._pin(cell, port, bit) for port in added for bit in nets.get(port, ())]
        ready = max(
            _after(factors, self.known.dsp["multiply"]),
            *(_after(pin, self.known.dsp["add"]) for pin in sums),
            key=_time,
        )
        for port, bits in nets.items():
            if cell["port_directions"][port] == "output":
                for bit in bits:
                    self.ready[bit] = ready


@cache
def _reads(truth: int, inputs: int) -> tuple[int, ...]:
    """Return the inputs on which a function depends."""
    rows = range(1 << inputs)
    return tuple(
        number
        for number in range(inputs)
        if any((truth >> row ^ truth >> (row ^ 1 << number)) & 1 for row in rows)
    )


def _time(arrival: _Arrival) -> float:
    return arrival.time


def _after(arrival: _Arrival, delay: float) -> _Arrival:
    return _Arrival(arrival.time + delay, arrival.routing, arrival.wires)
