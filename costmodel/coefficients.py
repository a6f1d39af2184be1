"""Floor 2c: what the formulas know about a target, read lazily from ``costmodel/data``.

``<target>.yaml`` holds the numbers that follow from how the target's cells are used,
``fitted_<target>.yaml`` those that `costmodel.fit` found; each with its provenance. A number that
is missing is an error, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from costmodel.cost import Cost


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Numbers of one target; `of` reads them.

    Parameters
    ----------
    target
        Name of the target.
    family
        How carry chains take their operands: "xilinx", "ecp5", "ice40" or "gowin".
    lut_inputs
        Inputs of a LUT.

    """

    target: str
    family: str
    lut_inputs: int

    def of(self, group: str, name: str) -> float:
        """Return a number, or raise ValueError if the target does not have it."""
        try:
            value = _groups(self.target)[group][name]
        except KeyError:
            raise ValueError(
                f"the cost model of {self.target} has no coefficient {group}.{name}"
            ) from None
        return float(value["value"])

    def row(self, group: str, name: str) -> tuple[float, ...]:
        """Return a list of numbers, or raise ValueError if the target does not have it."""
        try:
            value = _groups(self.target)[group][name]
        except KeyError:
            raise ValueError(
                f"the cost model of {self.target} has no coefficients {group}.{name}"
            ) from None
        return tuple(float(number) for number in value["value"])


Formula = Callable[[Any, Coefficients], Cost]
Formulas = Mapping[type, tuple[tuple[str, Formula], ...]]
"""The formulas of types of parts, with the names they have in a breakdown."""


@cache
def load(target: str) -> Coefficients:
    """Return the coefficients of a target.

    Raises
    ------
    ValueError
        If the cost model does not know the target.

    """
    record = _record(target)
    return Coefficients(target, record["family"], record["lut_inputs"])


@cache
def _record(name: str) -> dict[str, Any]:
    import yaml

    file = files("costmodel") / "data" / f"{name}.yaml"
    if not file.is_file():
        raise ValueError(f"there is no cost model of the target {name.removeprefix('fitted_')!r}")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, if there
    record: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)
    return record


@cache
def _groups(target: str) -> dict[str, Any]:
    groups: dict[str, Any] = _record(target)["coefficients"]
    fitted: dict[str, Any] = _record(f"fitted_{target}")["coefficients"]
    return groups | fitted
