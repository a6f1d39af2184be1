"""RTLIL as text (floor 2a): read module by module, merge the modules that are the same.

Amaranth writes one module for each submodule instance. Here identical modules become one,
instantiated many times, which is what makes a synthesis with kept hierarchy fast. Only the layout
of RTLIL is relied on: ``module`` and ``end`` stand in the first column.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_DROPPED = re.compile(r"^\s*attribute \\(?:src|generator) .*\n", re.MULTILINE)
_CELL = re.compile(r"^(  cell )\\(\S+)( \S+)$", re.MULTILINE)
_PORT = re.compile(r"^(  wire .*?\b(?:input|output|inout) )(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RtlilModule:
    """One module: its name, the lines before its first line, and its body up to ``end``."""

    name: str
    before: str
    body: str

    def ports(self) -> list[str]:
        """Names of its ports."""
        return re.findall(
            r"^  wire .*\b(?:input|output|inout) \d+ .*\\(\S+)$", self.body, re.MULTILINE
        )

    def children(self) -> list[str]:
        """Names of the modules and primitives it instantiates, in order, with repetitions."""
        return [found[2] for found in _CELL.finditer(self.body)]

    def renamed(self, name: str, children: dict[str, str]) -> str:
        """Return the module's text under another name, with the children's names replaced."""
        body = _CELL.sub(
            lambda found: f"{found[1]}\\{children.get(found[2], found[2])}{found[3]}", self.body
        )
        return f"{self.before}module \\{name}\n{body}end\n"


def base_name(name: str) -> str:
    """Return what a module is called for itself, without the path and number of one instance.

    Of the last part of a dotted path, everything from ``$`` or from ``__`` on is dropped:
    ``top.tree.row_8__3`` and ``top.row_8$1`` both are ``row_8``. Other characters that Verilog does
    not allow become underscores.
    """
    last = name.rpartition(".")[2]
    bare = re.split(r"\$|__", last)[0] or "module"
    plain = re.sub(r"\W", "_", bare, flags=re.ASCII)
    return f"_{plain}" if plain[0].isdigit() else plain


def read_modules(text: str) -> list[RtlilModule]:
    """Split RTLIL into its modules, without source positions and with ports counted from 1."""
    return list(_modules(_DROPPED.sub("", text)))


def module_names(text: str) -> list[str]:
    """Names of all modules in an RTLIL text, in order."""
    return re.findall(r"^module \\(\S+)", text, flags=re.MULTILINE)


def dedupe_rtlil(text: str, top: str | None = None) -> str:
    """Merge modules with the same content, bottom-up; each takes the base name of its first place.

    Source positions do not count as content, nor does the order in which a module lists its wires
    and ports. Where different modules have the same base name, the first in the text has it plain,
    the next get ``_v2``, ``_v3``, … .

    Parameters
    ----------
    text
        RTLIL; a module defined twice under one name must be the same both times.
    top
        Name of a module that keeps its name.

    Raises
    ------
    ValueError
        When two different modules have one full name, or a module contains itself.
    """
    modules: dict[str, RtlilModule] = {}
    for module in read_modules(text):
        known = modules.setdefault(module.name, module)
        if _content(known, {}) != _content(module, {}):
            raise ValueError(f"two different RTLIL modules have the name {module.name!r}")
    groups: dict[str, int] = {}
    contents: dict[str, int] = {}
    for name in modules:
        _group(name, modules, groups, contents, (), top)
    names = _names(modules, groups, top)
    emitted: set[int] = set()
    parts = []
    for name, module in modules.items():
        if groups[name] not in emitted:
            emitted.add(groups[name])
            parts.append(module.renamed(names[name], names))
    return "\n".join(parts)


def _modules(text: str) -> Iterator[RtlilModule]:
    """Yield the modules of an RTLIL text."""
    before: list[str] = []
    body: list[str] | None = None
    name = ""
    for line in text.splitlines(keepends=True):
        if body is None:
            if line.startswith("module "):
                name, body = line.split()[1].removeprefix("\\"), []
            elif line.startswith("attribute "):
                before.append(line)
        elif line.startswith("end"):
            yield RtlilModule(name, "".join(before), _count_ports_from_one("".join(body)))
            before, body = [], None
        elif line.strip():
            body.append(line)


def _count_ports_from_one(body: str) -> str:
    """Count ports from 1: Yosys takes 0, with which Amaranth starts, for "no number"."""
    if not any(found[2] == "0" for found in _PORT.finditer(body)):
        return body
    return _PORT.sub(lambda found: f"{found[1]}{int(found[2]) + 1}", body)


def _content(module: RtlilModule, groups: dict[str, int]) -> str:
    """Return what makes two modules the same; `groups` numbers the children known already."""
    body = _CELL.sub(
        lambda found: f"{found[1]}{groups.get(found[2], found[2])}{found[3]}", module.body
    )
    body = _PORT.sub(r"\1", body)
    wires: list[str] = []
    others: list[str] = []
    attributes: list[str] = []
    for line in body.splitlines():
        if line.startswith("  attribute "):
            attributes.append(line)
            continue
        (wires if line.startswith("  wire ") else others).append("\n".join([*attributes, line]))
        attributes = []
    return "\n".join([module.before, *sorted(wires), *others])


def _group(
    name: str,
    modules: dict[str, RtlilModule],
    groups: dict[str, int],
    contents: dict[str, int],
    path: tuple[str, ...],
    top: str | None,
) -> None:
    """Give a module the number of the content it has, its children first."""
    if name in groups:
        return
    if name in path:
        raise ValueError(f"RTLIL module {name!r} contains itself")
    for child in modules[name].children():
        if child in modules:
            _group(child, modules, groups, contents, (*path, name), top)
    content = _content(modules[name], groups)
    if name == top:
        content = f"top {content}"
    groups[name] = contents.setdefault(content, len(contents))


def _names(
    modules: dict[str, RtlilModule], groups: dict[str, int], top: str | None
) -> dict[str, str]:
    """Choose the new name of each module."""
    chosen: dict[int, str] = {} if top is None or top not in groups else {groups[top]: top}
    used = set(chosen.values())
    for name in modules:
        if groups[name] in chosen:
            continue
        base = base_name(name)
        candidate, number = base, 1
        while candidate in used:
            number += 1
            candidate = f"{base}_v{number}"
        used.add(candidate)
        chosen[groups[name]] = candidate
    return {name: chosen[groups[name]] for name in modules}
