"""Floor 2c: what a part costs, and how costs add."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Cost:
    """Resources of a part, or of many.

    Parameters
    ----------
    lut
        Look-up tables as Yosys counts them.
    sites
        Places a device needs for them: LUTs, and carry bits without a LUT of their own (see
        `hw.area`).
    ff
        Registers.
    carry
        Carry primitives (CARRY4, CCU2C, SB_CARRY).
    dsp
        Multiplier blocks.
    bram
        Memory blocks, each cell one: RAMB18 or RAMB36, DP16KD, SB_RAM40_4K.

    Numbers may be fractions where a formula is fitted; `Estimate` rounds the sum once.
    """

    lut: float = 0
    sites: float = 0
    ff: int = 0
    carry: int = 0
    dsp: int = 0
    bram: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.lut + other.lut,
            self.sites + other.sites,
            self.ff + other.ff,
            self.carry + other.carry,
            self.dsp + other.dsp,
            self.bram + other.bram,
        )

    def __mul__(self, times: int) -> Cost:
        return Cost(
            self.lut * times,
            self.sites * times,
            self.ff * times,
            self.carry * times,
            self.dsp * times,
            self.bram * times,
        )


GRAIN = 1 / 1024
"""Costs of parts are multiples of it, so that sums and multiples are exact in any order."""


def grained(cost: Cost) -> Cost:
    """Return a cost to the nearest multiple of `GRAIN`."""
    lut, sites = round(cost.lut / GRAIN) * GRAIN, round(cost.sites / GRAIN) * GRAIN
    return replace(cost, lut=lut, sites=sites)


def luts(count: float, ff: int = 0) -> Cost:
    """Return the cost of plain LUTs (a site each) and registers."""
    return Cost(lut=count, sites=count, ff=ff)


def total(costs: Iterable[Cost]) -> Cost:
    """Return the sum of costs."""
    result = Cost()
    for cost in costs:
        result = result + cost
    return result
