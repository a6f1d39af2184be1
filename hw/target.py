"""Floor 1b: target technologies as frozen records, read lazily from ``hw/data``."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

PORTABLE = "portable"
SUFFIXES = (".yaml", ".yml")
ASIC = "asic"
"""Name of the target of gates: transistors instead of LUTs, see `hw.asic`."""


@dataclass(frozen=True, slots=True)
class Target:
    """One technology.

    Parameters
    ----------
    name
        Name on the command line.
    title
        Name for people.
    lut_inputs
        Inputs of the widest single look-up table.
    carry
        Name of the carry primitive.
    carry_bits
        Sum bits per carry primitive.
    carry_luts
        LUTs one carry primitive contains and is counted as (0 where LUTs are apart).
    dsp
        Name of the multiplier block.
    primitives
        Whether designs may instantiate LUT6_2 and CARRY4 (AMD UG574, UG474); see `portable`.
    synthesis
        The Yosys command that maps to this target, without the switch that forbids DSP blocks.
    no_dsp
        That switch ("" where DSP blocks are off unless asked for).
    use_dsp
        The switch that asks for DSP blocks ("" where they are on).
    is_portable
        Whether designs keep to plain Verilog although the target has primitives.
    calibration
        Path of the file of a user's target (see `costmodel.user`); "" for the targets of ours.

    """

    name: str
    title: str
    lut_inputs: int
    carry: str
    carry_bits: int
    carry_luts: int
    dsp: str
    primitives: bool
    synthesis: str
    no_dsp: str
    use_dsp: str
    is_portable: bool = False
    calibration: str = ""

    @property
    def label(self) -> str:
        """Name by which `load` gives this target again, such as ``xcup`` or ``xcup:portable``."""
        name = self.calibration or self.name
        return f"{name}:{PORTABLE}" if self.is_portable else name

    def portable(self) -> Target:
        """Return the target with plain Verilog only: no instances of its primitives."""
        return replace(self, primitives=False, is_portable=True) if self.primitives else self


@cache
def _records() -> dict[str, dict[str, Any]]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, if there
    records: dict[str, dict[str, Any]] = {}
    for file in ("targets.yaml", "asic.yaml"):
        text = (files("hw") / "data" / file).read_text(encoding="utf-8")
        records |= yaml.load(text, Loader=loader)
    return records


def names() -> tuple[str, ...]:
    """Return the names of all targets."""
    return tuple(_records())


@cache
def load(name: str) -> Target:
    """Return a target by name; ``:portable`` after it forbids its primitives.

    A name that ends in .yaml is the file of a user's target, which stands on one of ours.

    Raises
    ------
    ValueError
        If there is no such target, the nearest name is suggested; or a file is not one of a target.
    OSError
        If a file cannot be read.

    """
    base, mark, variant = name.rpartition(":")
    if mark and variant == PORTABLE:
        return load(base).portable()
    if name.endswith(SUFFIXES):
        return _of_file(name)
    records = _records()
    if name not in records:
        near = difflib.get_close_matches(name, records, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"target is one of {', '.join(records)}, not {name!r}{hint}")
    return Target(name=name, **records[name])


def _of_file(path: str) -> Target:
    """Return the target of a user's file."""
    import yaml

    try:
        record = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        record = None
    base = record.get("base") if isinstance(record, dict) else None
    if not isinstance(base, str) or base not in _records():
        raise ValueError(
            f"{path}: the base of a user's target is one of {', '.join(_records())}, not {base!r}"
        )
    found = load(base)
    return replace(found, title=f"{found.title}, {record.get('tool')}", calibration=path)
