"""Floor 4. What ``macloom grid`` joins with areas: losses, energies, clocks, constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from costmodel.grid import Chunk, Extra, Table
from costmodel.grid_columns import clock_column, energy_column
from hw.accumulators import Accumulator
from hw.formats import Format
from sweeps.executors import Hands
from sweeps.grid_front import LOSS, OBJECTIVES, PER_PRODUCT, Values
from sweeps.limits import Limit, parse_limit
from sweeps.metrics import find_metric
from sweeps.store import Store
from sweeps.sweep import NETWORK_ACCUMULATOR, Sweep

if TYPE_CHECKING:
    from hw.design import Design

ENERGY, MHZ, PERIOD = "energy_pj_per_mac", "fmax_mhz", "period_ns"
EXTRAS = (ENERGY, MHZ, PERIOD)


def terms_of(sweep: Sweep, lanes: Sequence[int]) -> int:
    """Return the terms of an accumulator that is exact for the network, and for one step."""
    from sweeps.models import load

    return max(load(sweep.network).largest_fan_in, *lanes)


def elements(formats: Sequence[Any]) -> tuple[Format, ...]:
    """Return formats of single codes as they are; ValueError for formats of blocks."""
    for one in formats:
        if not isinstance(one, Format):
            raise ValueError(f"a grid is of formats of single codes, not of blocks as {one}")
    return tuple(formats)


def accumulator_of(name: str, terms: int) -> Accumulator:
    """Return the accumulator of a name; ``exact:network`` is exact for so many terms."""
    from hw.accumulators import parse_accumulator

    found = Accumulator.exact(terms) if name == NETWORK_ACCUMULATOR else parse_accumulator(name)
    if not isinstance(found, Accumulator):
        raise ValueError(f"an accumulator of a grid is exact, wrap, saturate, …, not {name!r}")
    return found


def losses_of(
    table: Table, sweep: Sweep, accumulators: Sequence[str], store: Store, hands: Hands
) -> Values:
    """Return the loss of each core, evaluated or from the store.

    An accumulator that is exact for the network loses nothing, whatever the lanes; others are
    evaluated for each number of lanes.
    """
    found: dict[tuple[str, str, str, int], float] = {}
    for name in accumulators:
        exact = name == NETWORK_ACCUMULATOR
        for lanes in (16,) if exact else table.grid.lanes:
            for point in _run(sweep, name, lanes, store, hands):
                found[point.weight, point.activation, name, 0 if exact else lanes] = point.loss

    def loss(design: Design, number: int) -> float:
        name = accumulators[number]
        lanes = 0 if name == NETWORK_ACCUMULATOR else design.lanes
        return found[design.weight.name, design.activation.name, name, lanes]

    numbers = table.axes[:, 4]
    return np.array(
        [loss(core.design, int(n)) for core, n in zip(table.cores, numbers, strict=True)]
    )


def _run(sweep: Sweep, accumulator: str, lanes: int, store: Store, hands: Hands) -> list[Any]:
    from sweeps import runs

    design = tuple({**dict(sweep.design), "lanes": lanes}.items())
    one = replace(sweep, accumulators=(accumulator,), design=design)
    return runs.run(one, store, **hands.options())


def extras_of(table: Table, names: Sequence[str]) -> dict[str, Extra]:
    """Return the columns that are asked for beside areas, masked where a model has no answer."""
    from sweeps.activity import stream_statistics

    wanted = {name.removesuffix(PER_PRODUCT) for name in names}
    found: dict[str, Extra] = {}
    if ENERGY in wanted:
        column = energy_column(table, stream_statistics(), "mask")
        found[ENERGY] = column
        _check_known(column.covered, column.reasons, "energy")
    if wanted & {MHZ, PERIOD}:
        clock = clock_column(table, "mask")
        found[MHZ] = clock
        _check_known(clock.covered, clock.reasons, "clock")

        def period(chunk: Chunk) -> Any:
            return 1000.0 / clock(chunk)

        found[PERIOD] = period
    return found


def _check_known(covered: Any, reasons: dict[int, str], what: str) -> None:
    if not covered.any():
        raise ValueError(f"no {what} of the grid is known by formula: {reasons[min(reasons)]}")


def limits_of(texts: Sequence[str], sweep: Sweep) -> tuple[Limit, ...]:
    """Return constraints on what may be an objective, on the accuracy or the bits, and the clock.

    Raises
    ------
    ValueError
        For what is no constraint, or an accuracy of what is not judged by it.

    """
    from sweeps.datasets import load_dataset

    metric = find_metric(load_dataset(sweep.dataset).metric)
    own = "accuracy" if metric.rises else "bits"
    also = {"energy": ENERGY, "clock": MHZ, "mhz": MHZ, own: own}
    found = []
    for text in texts:
        limit = parse_limit(text, (*OBJECTIVES, *EXTRAS), also)
        if limit.name == "accuracy":
            turned = limit.relation.translate(str.maketrans("<>", "><"))
            limit = Limit(LOSS, turned, 100 - limit.value)
        elif limit.name == "bits":
            limit = replace(limit, name=LOSS)
        found.append(limit)
    return tuple(found)
