"""Floor 3: somebody else's RTL behind the ports of a design, so that our bench can judge it.

`wrap` writes an adapter: a module with the ports of the design around the foreign top module. A
port map says how they meet, for example ``weight=w,activation=a[],total=y,rst=~rst_n,clk=clk``:

- ``weight=w``: a vector with lane 0 in its lowest bits; ``w[]``: an unpacked array; ``w{}``: the
  ports w0, w1, …;
- ``rst=~rst_n``: inverted; ``1=enable``, ``0=clear``: an input held at a constant;
- ``first=start``: instead of `last`: high on the first step of each sum.

A design without `last` or `first` sums up each step alone. One without `valid` runs freely (a
combinational block has latency 0); the adapter then keeps its result in a register, as `total` is
kept. What the foreign module has no port for is not compared, `total` excepted.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hw.design import Design, OutputStationaryArray, WeightStationaryArray
from hw.foreign import ForeignRtl, Port
from sim.harness import Case
from sim.ports import input_layout, output_layout

_ENTRY = re.compile(r"(?P<ours>\w+)=(?P<invert>~?)(?P<theirs>[A-Za-z_]\w*)(?P<shape>\[\]|\{\})?")
MAXIMUM_LATENCY = 256


@dataclass(frozen=True, slots=True)
class Pin:
    """One entry of a port map: our port (or "0", "1"), theirs, and how they are joined.

    `shape` is "" (one vector), "[]" (an unpacked array) or "{}" (a port per lane).
    """

    ours: str
    theirs: str
    invert: bool = False
    shape: str = ""

    def names(self, words: int) -> list[str]:
        """Return the ports of theirs that this entry means, for an operand of so many words."""
        if self.shape != "{}":
            return [self.theirs]
        return [f"{self.theirs}{word}" for word in range(words)]


def parse_port_map(text: str | Mapping[str, str]) -> tuple[Pin, ...]:
    """Return the pins of ``OURS=THEIRS,…``, or of a mapping of ours to theirs.

    Raises
    ------
    ValueError
        For an entry that does not fit, or a port named twice.

    """
    if isinstance(text, Mapping):
        entries: Iterable[str] = (f"{ours}={theirs}" for ours, theirs in text.items())
    else:
        entries = text.split(",")
    pins = []
    for entry in entries:
        match = _ENTRY.fullmatch("".join(str(entry).split()))
        if match is None:
            raise ValueError(
                f"a port map is OURS=THEIRS,… (THEIRS: name, ~name, name[] or name{{}}), "
                f"not {str(entry)!r}"
            )
        invert, shape = bool(match["invert"]), match["shape"] or ""
        pins.append(Pin(match["ours"], match["theirs"], invert, shape))
    for side in ("theirs", "ours"):
        names = [getattr(pin, side) for pin in pins]
        twice = next((n for n in names if names.count(n) > 1 and n not in ("0", "1")), None)
        if twice is not None:
            raise ValueError(f"a port is mapped once, {twice} is mapped twice")
    return tuple(pins)


def wrap(
    design: Design, rtl: ForeignRtl, pins: tuple[Pin, ...], latency_cycles: int | None = None
) -> Case:
    """Return the case that runs a foreign module as a design.

    Parameters
    ----------
    design
        What it must compute.
    rtl
        The files.
    pins
        How its ports meet those of the design.
    latency_cycles
        Clock edges from operands to `total`: by default 1 if there is a clock, else 0.

    Raises
    ------
    ValueError
        If the map names unknown ports, leaves an input open, or widths do not fit.
    hw.errors.MissingTool
        If Yosys (pyosys) is missing.

    """
    if isinstance(design, WeightStationaryArray):
        raise ValueError(
            f"somebody else's RTL runs as a mac, dot, tile or output-stationary array, not "
            f"{design.slug}: a column of it is a dot of {design.lanes} lanes"
        )
    wrapper = _Adapter(design, rtl, pins, rtl.ports(), latency_cycles)
    wrapper.check()
    return wrapper.case()


@dataclass(frozen=True, slots=True)
class _Adapter:
    design: Design
    rtl: ForeignRtl
    pins: tuple[Pin, ...]
    ports: dict[str, Port]
    latency: int | None

    @property
    def inputs(self) -> dict[str, int]:
        """Our inputs a foreign port may be joined to, and their widths."""
        found = {"clk": 1} | {f.name: f.width for f in input_layout(self.design).fields}
        return found if self.is_array else {**found, "first": 1}

    @property
    def outputs(self) -> dict[str, int]:
        return {field.name: field.width for field in output_layout(self.design).fields}

    @property
    def is_array(self) -> bool:
        return isinstance(self.design, OutputStationaryArray)

    @property
    def mapped(self) -> dict[str, Pin]:
        return {pin.ours: pin for pin in self.pins}

    @property
    def total(self) -> str:
        return "result" if self.is_array else "total"

    @property
    def runs_freely(self) -> bool:
        return not self.is_array and "valid" not in self.mapped

    @property
    def cycles(self) -> int:
        """Latency of the foreign module."""
        return int("clk" in self.mapped) if self.latency is None else self.latency

    def _words(self, pin: Pin) -> int:
        """Return how many codes a port of ours carries."""
        formats = {"weight": self.design.weight, "activation": self.design.activation}
        if pin.ours in formats:
            return self.inputs[pin.ours] // formats[pin.ours].bits
        if pin.shape:
            raise ValueError(f"only weight and activation have words, not {pin.ours}")
        return 1

    def check(self) -> None:
        """Reject maps that do not fit the ports or the design."""
        self._check_names()
        self._check_open()
        for pin in self.pins:
            self._check_width(pin)
        self._check_protocol()

    def _check_names(self) -> None:
        known = ("0", "1", *self.inputs, *self.outputs)
        for pin in self.pins:
            if pin.ours not in known:
                raise ValueError(
                    f"{self.design.slug} has no port {pin.ours!r}{_near(pin.ours, known)}"
                )
            for name in pin.names(self._words(pin)):
                if name not in self.ports:
                    raise ValueError(
                        f"module {self.rtl.top} has no port {name!r}{_near(name, self.ports)}"
                    )
                wanted = "output" if pin.ours in self.outputs else "input"
                if self.ports[name].direction != wanted:
                    direction = self.ports[name].direction
                    raise ValueError(
                        f"{pin.ours}={name} joins an {wanted}, {name} is an {direction}"
                    )

    def _check_open(self) -> None:
        joined = {name for pin in self.pins for name in pin.names(self._words(pin))}
        for name, port in self.ports.items():
            if port.direction == "input" and name not in joined:
                raise ValueError(
                    f"every input of {self.rtl.top} must be in the port map, {name} is not "
                    f"(0={name} or 1={name} holds it)"
                )
        needed = ("operands_valid", "weight", "activation", self.total)
        for ours in needed[not self.is_array :]:
            if ours not in self.mapped:
                raise ValueError(f"the port map must say which port is {ours}")

    def _check_width(self, pin: Pin) -> None:
        theirs = sum(self.ports[name].width for name in pin.names(self._words(pin)))
        if pin.ours in ("0", "1"):
            return
        ours = (self.inputs | self.outputs)[pin.ours]
        if pin.ours == "total" and theirs < ours and (self.sums_alone or theirs == ours):
            return
        if theirs != ours:
            hint = f"; --accumulator wrap:{theirs} fits" if pin.ours == "total" else ""
            raise ValueError(
                f"{pin.ours} of {self.design.slug} has {ours} bits, {pin.theirs} of "
                f"{self.rtl.top} has {theirs}{hint}"
            )

    @property
    def sums_alone(self) -> bool:
        return not self.is_array and not {"last", "first"} & self.mapped.keys()

    def _check_protocol(self) -> None:
        if not 0 <= self.cycles <= MAXIMUM_LATENCY:
            raise ValueError(f"a latency lies in 0..{MAXIMUM_LATENCY} cycles, not {self.cycles}")
        if self.cycles and "clk" not in self.mapped:
            raise ValueError(f"a latency of {self.cycles} cycles needs a clock in the port map")
        if self.is_array:
            missing = [n for n in (*self.inputs, *list(self.outputs)[:3]) if n not in self.mapped]
            if missing:
                raise ValueError(f"the port map of an array must say which port is {missing[0]}")
            return
        if not self.sums_alone and self.runs_freely:
            raise ValueError("a module that keeps sums needs valid in its port map")
        if not self.runs_freely and "rst" not in self.mapped:
            raise ValueError("a module with a valid port needs rst in its port map")
        if not self.runs_freely and not self.cycles:
            raise ValueError("a module with a valid port has a latency of 1 cycle at least, not 0")

    def case(self) -> Case:
        """Return the adapter with what the bench must know of it."""
        own = self.cycles + self.runs_freely
        absent = {name for name in self.outputs if name not in self.mapped} - {"total_valid"}
        return Case(
            self.design,
            self.text(),
            self.design.slug,
            own,
            sources=tuple(path.resolve() for path in self.rtl.sources),
            unchecked=frozenset(absent),
            sums_alone=self.sums_alone,
            resets=self.is_array or own == 1,
        )

    def text(self) -> str:
        """Return the adapter as SystemVerilog, its ports declared as in our own exports."""
        inputs = {name: width for name, width in self.inputs.items() if name != "first"}
        names = ", ".join([*inputs, *self.outputs])
        lines = [f"module {self.design.slug}({names});"]
        lines += [_declared("input", name, width) for name, width in inputs.items()]
        lines += [_declared("output", name, width) for name, width in self.outputs.items()]
        lines += self._handshake() if not self.is_array else []
        joints = [self._joint(pin) for pin in self.pins]
        lines += [line for joint, _ in joints for line in joint]
        given = ", ".join(f".{name}({value})" for name, value in self.rtl.parameters)
        wiring = ", ".join(pin for _, pins in joints for pin in pins)
        lines.append(f"  {self.rtl.top} {f'#({given}) ' if given else ''}foreign_ ({wiring});")
        lines += self._totals()
        return "\n".join([*lines, "endmodule", ""])

    def _handshake(self) -> list[str]:
        """Return the delay line of `valid` and `last`, and the start of sums."""
        depth = max(self.cycles, 1)
        lines = [
            f"  reg [{depth}:0] valid_line_ = 0, last_line_ = 0;",
            "  wire [0:0] valid_now_ = valid & ~rst;",
            "  always @(posedge clk) begin",
            f"    valid_line_ <= rst ? 0 : {{valid_line_[{depth - 1}:0], valid_now_}};",
            f"    last_line_ <= {{last_line_[{depth - 1}:0], last}};",
            "  end",
        ]
        if "first" in self.mapped:
            lines += ["  reg first = 1;"]
            lines += ["  always @(posedge clk) if (rst) first <= 1; else if (valid) first <= last;"]
        return lines

    def _joint(self, pin: Pin) -> tuple[list[str], list[str]]:
        """Return declarations and the connections of the instance for one pin."""
        if pin.ours in ("0", "1"):
            width = self.ports[pin.theirs].width
            value = f"{{{width}{{1'b{pin.ours}}}}}"
            return [], [f".{pin.theirs}({value})"]
        invert = "~" if pin.invert else ""
        if pin.ours in self.outputs:
            return self._output_joint(pin, invert)
        if not pin.shape:
            return [], [f".{pin.theirs}({invert}{pin.ours})"]
        words = self._words(pin)
        width = self.inputs[pin.ours] // words
        parts = [f"{invert}{pin.ours}[{width * i} +: {width}]" for i in range(words)]
        if pin.shape == "{}":
            pairs = zip(pin.names(words), parts, strict=True)
            return [], [f".{name}({part})" for name, part in pairs]
        # An assignment pattern takes the element type of the port, signed or not.
        return [], [f".{pin.theirs}('{{{', '.join(parts)}}})"]

    def _output_joint(self, pin: Pin, invert: str) -> tuple[list[str], list[str]]:
        width = self.ports[pin.theirs].width
        wire = f"{pin.ours}_theirs_"
        lines = [f"  wire [{width - 1}:0] {wire};"]
        if pin.ours != "total":
            lines.append(f"  assign {pin.ours} = {invert}{wire};")
        return lines, [f".{pin.theirs}({wire})"]

    def _totals(self) -> list[str]:
        """Return `total`, extended and kept if need be, `total_valid`, and absent outputs at 0."""
        lines = [
            f"  assign {name} = 0;"
            for name in self.outputs
            if name not in self.mapped and name != "total_valid"
        ]
        if self.is_array:
            return lines
        width, full = self.ports[self.mapped["total"].theirs].width, self.outputs["total"]
        invert = "~" if self.mapped["total"].invert else ""
        sign = f"{{{full - width}{{total_theirs_[{width - 1}]}}}}, " if full > width else ""
        value = f"{invert}{{{sign}total_theirs_}}"
        late = self.cycles
        now = f"valid_line_[{late - 1}]" if late else "valid_now_"
        if self.runs_freely:
            lines += [
                f"  reg [{full - 1}:0] kept_ = 0;",
                f"  always @(posedge clk) if (rst) kept_ <= 0; else if ({now}) kept_ <= {value};",
                "  assign total = kept_;",
            ]
        else:
            lines.append(f"  assign total = {value};")
        if "total_valid" not in self.mapped:
            place = late if self.runs_freely else late - 1
            lines.append(f"  assign total_valid = valid_line_[{place}] & last_line_[{place}];")
        return lines


def _declared(kind: str, name: str, width: int) -> str:
    span = f"[{width - 1}:0] " if width > 1 else ""
    return f"  {kind} {span}{name};"


def _near(word: str, choices: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(choices), n=1)
    return f"; did you mean {near[0]!r}?" if near else f" (ports: {', '.join(choices)})"


def read_port_map(text: str) -> tuple[Pin, ...]:
    """Return the pins of a map given as text, or as the name of a file that holds it.

    The file has one ``OURS=THEIRS`` per line or several with commas; ``#`` starts a comment.
    """
    path = Path(text)
    if "=" in text or not path.suffix:
        return parse_port_map(text)
    lines = [line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines()]
    return parse_port_map(",".join(line.rstrip(",") for line in lines if line))
