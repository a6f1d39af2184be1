"""Floor 1a: a memory with one write port and one read port, in blocks of the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hw.design.checks import whole, within
from hw.design.serial import Ports, SerialDesign
from hw.formats import FixedFormat, Format

MOST_WIDTH = 1024
MOST_DEPTH = 1 << 15
BIT = FixedFormat(1, 1, is_signed=False)
"""A memory has no operands; its words are of unsigned bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory(SerialDesign):
    """Simple dual-port memory: a word is written and a word is read in every cycle.

    Parameters
    ----------
    width
        Bits of a word, 1 to 1024.
    depth
        Words, 2 to 32768; a target's blocks may allow fewer (`hw.plan.memory`).

    Notes
    -----
    Ports, beside ``clk``: `rst` (in its cycle nothing is written; contents and `read_data` stay
    what they are), `write_enable`, `write_address`, `write_data`, `read_address`, `read_data`.
    Latency 1 cycle, a word in and a word out in every cycle. What is read is undefined before the
    address was written, in the cycle in which it is written, and beyond the depth; an address
    beyond the depth must not be written.

    """

    kind: ClassVar[str] = "memory"
    keys: ClassVar[tuple[str, ...]] = ("width", "depth")

    weight: Format = BIT
    activation: Format = BIT
    width: int = 8
    depth: int = 512

    def __post_init__(self) -> None:
        """Reject sizes out of range."""
        within("width", self.width, 1, MOST_WIDTH)
        within("depth", self.depth, 2, MOST_DEPTH)

    @property
    def address_bits(self) -> int:
        """Width of an address."""
        return (self.depth - 1).bit_length()

    @property
    def input_fields(self) -> Ports:
        """Inputs but the clock."""
        return (
            ("rst", 1),
            ("write_enable", 1),
            ("write_address", self.address_bits),
            ("write_data", self.width),
            ("read_address", self.address_bits),
        )

    @property
    def output_fields(self) -> Ports:
        """The word that was asked for one cycle before."""
        return (("read_data", self.width),)

    @property
    def slug(self) -> str:
        """Name of the module and of its files."""
        return f"memory_{self.width}x{self.depth}"

    def to_record(self) -> dict[str, Any]:
        """Return the design as plain JSON values; `from_record` gives it back."""
        return {"kind": self.kind, "width": self.width, "depth": self.depth}

    @classmethod
    def from_keys(cls, record: Mapping[str, Any]) -> Self:
        """Return the design of a record; errors as for `hw.design.from_record`."""
        sizes: dict[str, Any] = {
            key: whole(key, record[key]) for key in cls.keys if record.get(key) is not None
        }
        return cls(**sizes)
