"""Floor 1a: what designs share that take several clock cycles for one step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hw.design.base import Design

Ports = tuple[tuple[str, int], ...]
"""Names and widths of ports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialDesign(Design, ABC):
    """A design with ports and a protocol of its own, driven without back-pressure.

    It takes words on its inputs in every clock cycle and shows words on its outputs in every
    clock cycle; nothing it shows depends on an input of the same cycle. What is sent and what must
    be shown is told by the kind's module in `sim` (see `sim.cycles`). The formats of `Design` are
    the widest operands the hardware serves; its structure is no choice. Those that are `staged` may
    have pipeline stages, and then do the same so many cycles later.
    """

    keys: ClassVar[tuple[str, ...]] = ()
    """Keys of its record besides ``kind``, and ``pipeline`` of one that is `staged`."""
    staged: ClassVar[bool] = False
    """Whether there is logic before its accumulators in which registers can be placed."""

    def _with_stages(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a record with the stages, if there are any."""
        return record | ({"pipeline": self.pipeline} if self.pipeline else {})

    def _stages_slug(self) -> str:
        """Return what the name says of stages."""
        return f"_p{self.pipeline}" if self.pipeline else ""

    @property
    @abstractmethod
    def input_fields(self) -> Ports:
        """Inputs but the clock; the first is ``("rst", 1)``, a synchronous reset."""

    @property
    @abstractmethod
    def output_fields(self) -> Ports:
        """Outputs, all of them functions of registers."""

    @classmethod
    @abstractmethod
    def from_keys(cls, record: Mapping[str, Any]) -> Self:
        """Return the design of a record whose keys are known to be among `keys`.

        Raises
        ------
        ValueError
            For a missing key or a value out of range.

        """
