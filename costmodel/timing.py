"""Floor 2c: the clock a design reaches, by formula: delays along its longest path, added up.

Each stretch of a path (`costmodel.paths`) is a number of things in a row (levels of LUTs, rows of
the carry chain, bits that a carry runs through), each of which takes a time; the times are fitted
to clocks that nextpnr reports after placing and routing out of context (`hw.timing`), relative
errors least, none negative. `sweeps.clock` measures and fits.

Of a pipelined design the path is that of `hw.pipeline`, which places the registers in the netlist.

On xcup and xc7 nothing places and routes; there the times are fitted to published delays along the
mapped netlist (`hw.logical`), and every clock says so (`Clock.calibrated`) with what it may be
wrong by.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from costmodel.path_things import THINGS, Path
from costmodel.paths import path
from hw.plan import Plan

__all__ = ["CLOCKED", "THINGS", "Clock", "Delays", "Path", "clock", "delays", "path"]

CLOCKED = ("ecp5", "ice40", "xcup", "xc7")


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock by formula.

    Parameters
    ----------
    fmax_mhz
        Estimate of the median over three seeds of placement.
    path_ns
        The period it comes from.
    error_percent
        Mean absolute error on designs the times were not fitted to; of one that is not calibrated,
        what it may be wrong by.
    calibrated
        Whether designs were placed and routed to learn the times; else it is an extrapolation.

    """

    fmax_mhz: float
    path_ns: float
    error_percent: float
    calibrated: bool = True


@dataclass(frozen=True, slots=True)
class Delays:
    """Times of a target.

    Parameters
    ----------
    things_ns
        Of each of `THINGS`.
    stage_ns, stage_factor
        A pipelined design's period is ``stage_ns + stage_factor · path``.
    error_percent, calibrated
        See `Clock`.
    formula_error_percent
        Of times that are not calibrated: mean error of the formula against the published delays
        along the mapped netlist, in designs it was not fitted to.
    unknown
        Things that no measured design had: a path with one of them has no clock.

    """

    things_ns: dict[str, float]
    stage_ns: float
    stage_factor: float
    error_percent: float
    calibrated: bool = True
    formula_error_percent: float = 0.0
    unknown: tuple[str, ...] = ()

    @property
    def error(self) -> str:
        """The error in words."""
        if self.calibrated:
            return f"mean error on designs held out: {self.error_percent:g} %"
        return f"not calibrated by place and route; ± {self.error_percent:g} %"

    def period_ns(self, things: Path) -> float:
        """Return the time of a path.

        Raises
        ------
        ValueError
            If a thing's time is not known.

        """
        for name in self.unknown:
            if name in things:
                raise ValueError(f"the model of clocks has no time here for {THINGS[name]}")
        return sum(self.things_ns[name] * count for name, count in things.items())

    def staged_ns(self, stage_path_ns: float) -> float:
        """Return the period of a pipelined design by the path of `hw.pipeline`."""
        return self.stage_ns + self.stage_factor * stage_path_ns

    def stage_path_ns(self, period_ns: float) -> float:
        """Return the path of `hw.pipeline` that a period leaves room for."""
        return (period_ns - self.stage_ns) / self.stage_factor


@cache
def delays(target: str) -> Delays:
    """Return the times of a target.

    Raises
    ------
    ValueError
        If they are not known.

    """
    if target not in CLOCKED:
        raise ValueError(f"clocks are estimated for {', '.join(CLOCKED)}, not for {target}")
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, if there
    text = (files("costmodel") / "data" / f"clock_{target}.yaml").read_text(encoding="utf-8")
    record = yaml.load(text, Loader=loader)
    return Delays(**{**record, "unknown": tuple(record.get("unknown", ()))})


def clock(built: Plan, stage_ns: float | None = None) -> Clock:
    """Return the clock of a plan.

    Parameters
    ----------
    built
        The plan.
    stage_ns
        Of a pipelined design: the longest path between its registers as `hw.pipeline` has it (the
        `path_ns` of the emitted record).

    Raises
    ------
    ValueError
        If the target's times are not known, the model has no path for the design, or a pipelined
        design comes without its path.

    """
    known = delays(built.target.name)
    if built.design.pipeline:
        if stage_ns is None:
            raise ValueError(
                f"the path of {built.design.slug} depends on where its registers are placed: "
                f"emit it first"
            )
        period = known.staged_ns(stage_ns)
    else:
        period = known.period_ns(path(built))
    return Clock(1000 / period, period, known.error_percent, known.calibrated)
