"""Floor 2c: what error to expect of an estimate: that of held-out designs of its kind.

``data/residuals.yaml`` holds the errors of LUTs of designs that nothing was fitted on; a user's
target brings those of its own left-out designs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from costmodel import user
from hw.design import Design, WeightStationaryArray
from hw.target import Target

FEWEST = 12
"""Held-out designs a kind needs to speak for itself; else all kinds together do."""
WIDENED = 2.0
"""An extrapolation's error is that of the held-out designs times this."""
PACKED = "packed"
FURTHER = 8
"""A design is an extrapolation beyond so many times the LUTs of the largest held-out one."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of the error of an estimate of LUTs.

    Parameters
    ----------
    percent
        95 % of the held-out designs lie within plus or minus so much; widened if `outside`.
    mean
        Mean absolute error in percent, not widened.
    designs
        Number of these designs.
    of
        Which designs they are.
    outside
        In what the design lies outside them; empty if in nothing.

    """

    percent: float
    mean: float
    designs: int
    of: str
    outside: tuple[str, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "percent": round(self.percent, 1),
            "mean_percent": round(self.mean, 2),
            "designs": self.designs,
            "of": self.of,
            "outside": list(self.outside),
        }


def group_of(design: Design) -> str:
    """Return which designs speak for a design: of its kind, dataflow, or packed ones."""
    if isinstance(design, WeightStationaryArray):
        return design.dataflow
    return PACKED if design.structure == PACKED else design.kind


def expected(design: Design, target: Target, lut: float) -> Expected | None:
    """Return the error to expect of an estimate; None where no design of its kind was held out.

    Parameters
    ----------
    design, target
        What was estimated.
    lut
        Its estimated LUTs.

    Raises
    ------
    ValueError, OSError
        If the file of a user's target cannot be read.

    """
    if target.calibration:
        known = user.load(target.calibration)
        outside = known.outside(design, lut)
        found = Expected(known.percentile_95, known.mean, known.designs, known.tool, outside)
    else:
        groups = _residuals().get(target.name, {})
        kind = group_of(design)
        name = "floating" if design.is_floating else kind
        group = groups.get(name)
        if group is None or kind not in groups:
            return None
        if group["designs"] < FEWEST:
            name, group = "all", groups["all"]
        limit = FURTHER * group["largest_lut"]
        too_large = (f"LUT {round(lut)} (held out: up to {group['largest_lut']})",)
        found = Expected(
            group["percentile_95"],
            group["mean"],
            group["designs"],
            f"{name} held out on {target.name}",
            too_large if lut > limit else (),
        )
    if not found.outside:
        return found
    return Expected(WIDENED * found.percent, found.mean, found.designs, found.of, found.outside)


@cache
def _residuals() -> dict[str, dict[str, Any]]:
    import yaml

    file = files("costmodel") / "data" / "residuals.yaml"
    found: dict[str, dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found
