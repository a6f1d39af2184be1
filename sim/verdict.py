"""Floor 3: what a simulation found, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first difference found.

    Parameters
    ----------
    where
        Cycle, or segment and result, of the bench.
    port
        Output that differs.
    expected, got
        Its bits, highest first; X for a bit that is neither 0 nor 1.

    """

    where: str
    port: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a simulation of one design found.

    Parameters
    ----------
    design
        Name of the design.
    vectors
        Steps of a MAC or dot product, result words of an array, that were compared.
    mismatches
        Clock cycles (MAC, dot product) or result beats (array) with a wrong bit, and broken
        protocol rules.
    exhaustive
        Whether every pair of codes was among the vectors.
    cycles
        Clock cycles simulated.
    seconds
        Time this design took in the simulator, building excluded.
    simulator
        Name and version.
    first
        The first difference.

    """

    design: str
    vectors: int
    mismatches: int
    exhaustive: bool
    cycles: int
    seconds: float
    simulator: str
    first: Mismatch | None = None

    @property
    def passed(self) -> bool:
        """Whether vectors were compared and none differed."""
        return self.vectors > 0 and self.mismatches == 0

    def to_record(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)
