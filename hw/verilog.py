"""Tidying of the Verilog that Yosys writes (floor 2a): its mapping must not depend on its company.

Of the two operands of an adder, Yosys (`alumacc`, 0.70) connects the one to the carry chain
directly whose name it met first in the file. If that is the computed operand instead of the plain
one, each bit costs two LUTs instead of one. So plain nets are declared first (ports, registers,
then the other wires), and the names of wires are not repeated from module to module.
"""

import re

_MODULE = re.compile(r"^module (\w+).*?^endmodule\n", re.MULTILINE | re.DOTALL)
_DECLARATION = re.compile(
    r"  (input|output|inout|wire|reg)\b(?: signed)?(?: \[[^]]*\])? (\w+)[ ;\[]"
)
_PRIVATE = re.compile(r"\b_\d+_\b")
_WORD = re.compile(r"(?<![.\w'])[A-Za-z_]\w*")


def tidy(text: str) -> str:
    """Order the declarations of a text of ``write_verilog -noattr``, and make its wires unique."""
    types = set(re.findall(r"^module (\w+)", text, flags=re.MULTILINE))
    used: set[str] = set()
    parts = []
    private = 0
    for found in _MODULE.finditer(text):
        module, private = _number_private(found[0], private)
        module = _order(module)
        module = _unique(module, used - types)
        used.update(_WORD.findall(module))
        parts.append(module)
    return "\n".join(parts)


def _number_private(module: str, start: int) -> tuple[str, int]:
    """Number the wires without a name on from `start`; return also the next free number."""
    numbers: dict[str, int] = {}
    text = _PRIVATE.sub(
        lambda found: f"_{numbers.setdefault(found[0], start + len(numbers))}_", module
    )
    return text, start + len(numbers)


def _order(module: str) -> str:
    """Declare first: ports, registers, named wires, wires without a name, in this order."""
    ranks: tuple[list[str], ...] = ([], [], [], [])
    ports: set[str] = set()
    end = module.index(");\n") + 3  # a long list of ports goes over several lines
    head, body = module[:end], module[end:]
    rest = []
    for line in body.splitlines(keepends=True):
        found = _DECLARATION.match(line)
        if not found:
            rest.append(line)
            continue
        kind, name = found[1], found[2]
        if kind not in ("wire", "reg"):
            ports.add(name)
        rank = 0 if name in ports else 1 if kind == "reg" else 3 if _PRIVATE.fullmatch(name) else 2
        ranks[rank].append(line)
    return "".join([head, *(line for rank in ranks for line in rank), *rest])


def _unique(module: str, used: set[str]) -> str:
    """Give each wire inside the module whose name an earlier module used a name of its own."""
    own = set(_WORD.findall(module))
    names: dict[str, str] = {}
    ports: set[str] = set()
    for line in module.splitlines():
        found = _DECLARATION.match(line)
        if not found:
            continue
        if found[1] not in ("wire", "reg"):
            ports.add(found[2])
        elif found[1] == "wire" and found[2] not in ports and found[2] in used:
            number = 2
            while f"{found[2]}_{number}" in used | own:
                number += 1
            names[found[2]] = f"{found[2]}_{number}"
            own.add(names[found[2]])
    return _WORD.sub(lambda found: names.get(found[0], found[0]), module) if names else module
