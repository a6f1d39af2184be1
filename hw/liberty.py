"""Floor 2a: what a Liberty file says of its cells: area, leakage, flip-flops, inverters.

Only what an area report needs is read; mapping and timing read the same file in Yosys and ABC.
The grammar is that of the Liberty user guide: ``group (names) { … }``, ``attribute : value ;``,
``attribute (values) ;``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_TOKEN = re.compile(
    r"(?P<skip>(?:\s|\\\n|/\*.*?\*/|//[^\n]*)+)"
    r'|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[(){}:;,])|(?P<word>[^\s(){}:;,"]+)',
    re.DOTALL,
)
_INVERTED = re.compile(r"\(*\s*(?:!\s*\(*\s*(\w+)|(\w+)\s*\)*\s*')\s*\)*")


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a text in quotes (taken off) or a mark, with its line."""

    text: str
    line: int
    quoted: bool = False


@dataclass(slots=True)
class Group:
    """A group of a Liberty file: its kind, its names, its attributes and the groups in it."""

    kind: str
    names: tuple[str, ...]
    line: int
    attributes: dict[str, tuple[str, int]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def of(self, kind: str) -> list[Group]:
        """Return the groups of one kind."""
        return [group for group in self.groups if group.kind == kind]


@dataclass(frozen=True, slots=True)
class LibertyCell:
    """One cell.

    Parameters
    ----------
    area
        In the library's unit (µm² by custom).
    leakage
        In the library's unit.
    sequential
        Pins that start and end paths: (data, output) of a flip-flop, else None.
    inputs
        Number of input pins.
    function
        Of the only output of a combinational cell, else "".

    """

    area: float
    leakage: float
    sequential: bool
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    function: str

    @property
    def is_inverter(self) -> bool:
        """Whether the cell inverts its only input."""
        return len(self.inputs) == 1 and bool(_INVERTED.fullmatch(self.function.strip()))

    @property
    def is_gate(self) -> bool:
        """Whether the cell joins two inputs by and or or."""
        return len(self.inputs) == 2 and bool(re.search(r"[&*|+]", self.function))


@dataclass(frozen=True, slots=True)
class Liberty:
    """A library: its name, its cells, the unit of leakage, and its own text."""

    name: str
    cells: dict[str, LibertyCell]
    leakage_unit: str
    text: str = field(repr=False)


def read_liberty(path: Path) -> Liberty:
    """Read a Liberty file and make sure that designs can be mapped to it.

    Raises
    ------
    ValueError
        If it cannot be parsed (the message says at which line, and why), a cell has no area, or
        there is no flip-flop, no inverter or no gate of two inputs.
    OSError
        If it cannot be read.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no Liberty file: byte {error.start} is not UTF-8") from None
    return parse_liberty(text, str(path))


def parse_liberty(text: str, name: str = "Liberty text") -> Liberty:
    """Return the library a text describes; `name` stands in errors, which are as told above."""
    library = _Parser(text, name).library()
    cells = {group.names[0]: _cell(group, name) for group in library.of("cell") if group.names}
    unit, _ = library.attributes.get("leakage_power_unit", ("1nW", 0))
    found = Liberty(library.names[0] if library.names else "", cells, unit, text)
    needed = {
        "no flip-flop (a cell with an ff group)": any(c.sequential for c in cells.values()),
        "no inverter (a cell of one input, function !A)": any(
            c.is_inverter for c in cells.values()
        ),
        "no gate of two inputs": any(c.is_gate for c in cells.values()),
    }
    for what, there in needed.items():
        if not there:
            raise ValueError(
                f"{name}: designs need flip-flops, inverters and gates, but the library has {what}"
            )
    return found


def _cell(group: Group, name: str) -> LibertyCell:
    pins = group.of("pin")
    inputs = tuple(p.names[0] for p in pins if p.attributes.get("direction", ("",))[0] == "input")
    outputs = [p for p in pins if p.attributes.get("direction", ("",))[0] == "output"]
    function = outputs[0].attributes.get("function", ("", 0))[0] if len(outputs) == 1 else ""
    if "area" not in group.attributes:
        raise ValueError(f"{name} line {group.line}: cell {group.names[0]} has no area")
    return LibertyCell(
        _number(group, "area", name),
        _number(group, "cell_leakage_power", name),
        bool(group.of("ff")),
        inputs,
        tuple(pin.names[0] for pin in outputs),
        function,
    )


def _number(group: Group, attribute: str, name: str) -> float:
    text, line = group.attributes.get(attribute, ("0", group.line))
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} line {line}: {attribute} is a number, not {text!r}") from None


class _Parser:
    """Recursive descent over the tokens of a text."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.tokens = list(_tokens(text, name))
        self.place = 0
        self.last_line = text.count("\n") + 1

    def library(self) -> Group:
        """Return the one group a file consists of."""
        found = Group("", (), 0)
        self._statement(found)
        if len(found.groups) != 1 or found.groups[0].kind != "library":
            line = found.groups[0].line if found.groups else 1
            raise self._error(line, "a Liberty file starts with library (name) {")
        if self.place < len(self.tokens):
            token = self.tokens[self.place]
            raise self._error(token.line, f"the library ended before {token.text!r}")
        return found.groups[0]

    def _statement(self, group: Group) -> None:
        head = self._next("an attribute or group")
        if head.text in "(){}:;,":
            raise self._error(head.line, f"a name must stand here, not {head.text!r}")
        mark = self._next(f"':' or '(' after {head.text}")
        if mark.text == ":" and not mark.quoted:
            group.attributes[head.text] = (self._value(head), head.line)
            return
        if mark.text != "(":
            raise self._error(mark.line, f"{head.text} is followed by ':' or '(', not {mark.text}")
        values = self._values(head)
        if self._peek() == "{":
            inner = Group(head.text, values, head.line)
            self.place += 1
            while self._peek() != "}":
                if self._peek() is None:
                    raise self._error(
                        head.line, f"group {head.text} ({', '.join(values)}) is never closed"
                    )
                self._statement(inner)
            self.place += 1
            group.groups.append(inner)
        else:
            group.attributes[head.text] = (" ".join(values), head.line)
        if self._peek() == ";":
            self.place += 1

    def _value(self, head: Token) -> str:
        """Return what stands after a colon: up to the semicolon, or the end of the line."""
        words: list[str] = []
        while True:
            token = self.tokens[self.place] if self.place < len(self.tokens) else None
            if token is None or (token.text == "}" and not token.quoted):
                break
            if token.text == ";" and not token.quoted:
                self.place += 1
                break
            if words and token.line > self.tokens[self.place - 1].line:
                break
            words.append(token.text)
            self.place += 1
        if not words:
            raise self._error(head.line, f"{head.text} has no value")
        return " ".join(words)

    def _values(self, head: Token) -> tuple[str, ...]:
        words: list[str] = []
        while True:
            token = self._next(f"')' of {head.text}")
            if token.text == ")" and not token.quoted:
                return tuple(words)
            if token.text in ("{", "}", ";") and not token.quoted:
                raise self._error(token.line, f"')' of {head.text} is missing")
            if token.text != "," or token.quoted:
                words.append(token.text)

    def _peek(self) -> str | None:
        if self.place >= len(self.tokens):
            return None
        token = self.tokens[self.place]
        return None if token.quoted else token.text

    def _next(self, wanted: str) -> Token:
        if self.place >= len(self.tokens):
            raise self._error(self.last_line, f"the file ends where {wanted} must stand")
        self.place += 1
        return self.tokens[self.place - 1]

    def _error(self, line: int, why: str) -> ValueError:
        return ValueError(f"{self.name} line {line}: {why}")


def _tokens(text: str, name: str) -> Iterator[Token]:
    place, line = 0, 1
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise ValueError(f"{name} line {line}: a text in quotes or a comment is never closed")
        if found.lastgroup != "skip":
            word = found[0]
            quoted = found.lastgroup == "text"
            yield Token(" ".join(word[1:-1].split()) if quoted else word, line, quoted)
        line += found[0].count("\n")
        place = found.end()
