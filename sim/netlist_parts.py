"""Floor 3: what a mapped netlist is made of: truth tables and registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Net = int | str
"""A bit of Yosys' JSON: a number, "0", "1" or "x"; or the name of a net inside a cell."""


class Kind(StrEnum):
    """What drives a net: energy is told apart by it."""

    INPUT = "input"
    LOGIC = "logic"
    CARRY = "carry"
    REGISTER = "register"


@dataclass(frozen=True, slots=True)
class Gate:
    """One output of a cell: bit ``i`` of `table` is it where input ``k`` is bit ``k`` of ``i``."""

    output: Net
    inputs: tuple[Net, ...]
    table: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Register:
    """A flip-flop on the rising edge of the one clock.

    Parameters
    ----------
    output, data
        Nets.
    initial
        Value at power-up; an unknown one is 0.
    enable
        Net, and the level at which it takes data; None if it always does.
    reset
        Net, and the level at which it takes `value`; None if there is none.
    value
        What a reset loads.
    reset_needs_enable
        Whether a reset waits for the enable (iCE40).
    asynchronous
        Whether a reset acts at once.
    clock
        Net of its clock.

    """

    output: Net
    data: Net
    clock: Net
    initial: int = 0
    enable: tuple[Net, int] | None = None
    reset: tuple[Net, int] | None = None
    value: int = 0
    reset_needs_enable: bool = False
    asynchronous: bool = False


Part = Gate | Register
Pins = Mapping[str, list[Net]]
Parameters = Mapping[str, Any]


def bits_of(given: Parameters, name: str, default: int = 0) -> int:
    """Return a parameter of bits; what is unknown is 0."""
    text = given.get(name)
    if text is None:
        return default
    if isinstance(text, int):
        return text
    return int("".join("1" if bit == "1" else "0" for bit in text.strip()) or "0", 2)


def word_of(given: Parameters, name: str, default: str) -> str:
    """Return a parameter of text."""
    return str(given.get(name, default)).strip()
