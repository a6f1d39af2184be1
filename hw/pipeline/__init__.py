"""Floor 2a: registers placed in a finished netlist by a model of its delays.

`insert` takes the modules of an emitted design as Yosys writes them in JSON, gives every
combinational net the stage in which it is ready, and puts registers on every connection that leads
to a later stage; `valid`, `last` and the reset pass the same number of stages. So the pipelined
design does what the plain one does, that many cycles later, whatever its structure.

Adder rows and other small modules stay whole where they fit into a cycle, so that they map as they
do without registers; longer ones are cut inside, lanes always. Where a LUT of six inputs holds what
is selected and its sum, rows are never cut: it would take two LUTs a bit. Logic that a register of
the design feeds (the loop of an accumulator or of an alignment window) is never cut, and neither is
a cascade of DSP blocks: what one passes to the next is no net that a register could take.

In a grid the cells are cut, all by as many stages; what comes to a cell of a weight-stationary
array from the one above (`hw.pipeline.netlist.ABOVE`) comes that much later by itself.

The delays are those of an ECP5 of speed grade 6, as nextpnr 0.11 routes single rows between
registers; other targets are cut in the same proportions.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from hw.pipeline.delays import CROWDING, levels
from hw.pipeline.job import Job, Pipelined
from hw.pipeline.netlist import Netlist
from hw.pipeline.placing import TooShort, Unreachable

__all__ = ["Pipelined", "Unreachable", "insert", "levels", "stages_for"]


def insert(netlist: Netlist, top: str, stages: int, lut_inputs: int) -> Pipelined:
    """Return a design with registers for so many stages, placed for the shortest cycle.

    Raises
    ------
    ValueError
        If there are no registers to lead to.

    """
    free = Job(netlist, top, lut_inputs)
    low, high = 0.0, free.run(0).path_ns
    best = None
    for _ in range(24):
        middle = (low + high) / 2
        try:
            needed = free.within(middle).stages_needed()
        except TooShort:
            low = middle
            continue
        if needed <= stages:
            best, high = middle, middle
        else:
            low = middle
    period = high if best is None else best
    return free.within(period * (1 + 1e-9)).run(stages)


def stages_for(
    netlist: Netlist,
    top: str,
    period_ns: float,
    lut_inputs: int,
    crowding: float = CROWDING,
    period_of: Callable[[float], float] | None = None,
) -> int:
    """Return the fewest stages for a clock.

    Parameters
    ----------
    netlist, top, lut_inputs
        As for `insert`.
    period_ns
        What a stage may take by the model of delays.
    crowding
        How much shorter paths must be, to leave room for the routing.
    period_of
        What a path of the model takes on another target, for messages.

    Raises
    ------
    Unreachable
        A ValueError: a part that is never cut takes longer; it tells the clock that can be reached.

    """
    free = Job(netlist, top, lut_inputs)
    fault = _slowest(free, period_ns)
    if fault is None:
        try:
            return free.within(period_ns / crowding).stages_needed()
        except TooShort as crowded:
            fault = crowded
    needed = fault.path_ns if fault.path_ns > period_ns else fault.path_ns * crowding
    allowed = period_ns
    if period_of is not None:
        needed, allowed = period_of(needed), period_of(period_ns)
    most = math.floor(1000 / needed)
    raise Unreachable(
        f"no registers can be placed within {fault.part}, which takes {needed:.2f} ns, "
        f"more than {allowed:.2f} ns: at most {most} MHz",
        most,
    )


def _slowest(free: Job, period_ns: float) -> TooShort | None:
    """Return the part that is never cut and takes longest, if that is longer than a period."""
    fault = None
    while True:
        try:
            free.within(period_ns, strict=True).stages_needed()
            return fault
        except TooShort as found:
            fault = found
            period_ns = found.path_ns * (1 + 1e-9)
