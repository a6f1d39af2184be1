"""Floor 2a: RTL that somebody else wrote: its files, its top module, the ports it has.

Yosys reads the files through slang, so Verilog and SystemVerilog (packages, structures, unpacked
arrays, parameters) both work.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from hw import yosys

_NAME = re.compile(r"[A-Za-z_]\w*")
_VALUE = re.compile(r"-?[\w']+")


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a module: its direction ("input", "output", "inout") and its bits in all."""

    direction: str
    width: int


@dataclass(frozen=True, slots=True)
class ForeignRtl:
    """Source files and the top module in them.

    Parameters
    ----------
    sources
        Verilog or SystemVerilog files; packages before the files that use them. Files they
        include are looked for beside them.
    top
        Name of the top module.
    parameters
        Parameters of the top module that differ from their defaults: (name, value as text).

    """

    sources: tuple[Path, ...]
    top: str
    parameters: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Reject what cannot be Verilog names."""
        if not self.sources:
            raise ValueError("foreign RTL needs at least one file")
        if not _NAME.fullmatch(self.top):
            raise ValueError(f"a top module has a plain Verilog name, not {self.top!r}")
        for name, value in self.parameters:
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise ValueError(
                    f"a parameter is NAME=VALUE with a plain value, not {name}={value}"
                )

    def ports(self) -> dict[str, Port]:
        """Return the ports of the top module; unpacked arrays count all their bits.

        Raises
        ------
        ValueError
            If the files cannot be read as Verilog or hold no such module (Yosys' own message).
        OSError
            If a file cannot be read.
        hw.errors.MissingTool
            If pyosys is not installed.

        """
        texts = {
            f"source{number}.sv": path.read_text(encoding="utf-8")
            for number, path in enumerate(self.sources)
        }
        script = [
            reading(self.sources, self.top, self.parameters),
            "write_json ports.json",
        ]
        found = json.loads(yosys.run(script, texts, ["ports.json"])["ports.json"])
        module = found["modules"].get(self.top)
        if module is None:
            raise ValueError(f"the files hold no module {self.top}")
        return {
            name: Port(port["direction"], len(port["bits"]))
            for name, port in module["ports"].items()
        }


def reading(
    sources: tuple[Path, ...], top: str, parameters: tuple[tuple[str, str], ...] = ()
) -> str:
    """Return the Yosys command that reads files which stand as ``source0.sv`` … beside it."""
    folders = dict.fromkeys(str(path.resolve().parent) for path in sources)
    words = [f"-I {folder}" for folder in folders if not re.search(r"\s", folder)]
    words += [f"-G {name}={value}" for name, value in parameters]
    words += [f"source{number}.sv" for number in range(len(sources))]
    return f"read_slang --top {top} {' '.join(words)}"
