"""Floor 1c: special flags of many lanes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FlagTree:
    """Or of each special flag over the lanes."""

    flags: int
    lanes: int
