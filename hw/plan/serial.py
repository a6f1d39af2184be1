"""Floor 1c: what the plans of serial designs share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable


class SerialCorePlan(ABC):
    """How a serial design is built, as a whole; subclasses are frozen dataclasses."""

    __slots__ = ()

    @property
    @abstractmethod
    def latency_cycles(self) -> int:
        """Clock cycles from the last input of a result to the result being visible."""

    @property
    @abstractmethod
    def initiation_interval(self) -> int:
        """Clock cycles between two steps, at the widest operands."""

    @abstractmethod
    def parts(self) -> Counter[Hashable]:
        """Return all primitives with their counts."""
