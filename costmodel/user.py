"""Floor 2c: targets of a user's own tool: corrections of our estimates, fitted to its reports.

A file that ``macloom calibrate --from-reports`` wrote is a target wherever a target has a name. It
stands on one of ours (`base`); plan and hardware are those of it. Its LUTs are a weighted sum of
the lines of the breakdown, LUTs or sites of each, whichever predicts left-out designs better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from costmodel.cost import Cost
from hw.design import Design

VERSION = 1
OTHERS = "others"
"""The weight of parts that no design of the calibration has."""


@dataclass(frozen=True, slots=True)
class Range:
    """What the designs of a calibration span."""

    kinds: tuple[str, ...]
    accumulators: tuple[str, ...]
    operand_bits: tuple[int, int]
    lanes: tuple[int, int]
    lut: tuple[int, int]


@dataclass(frozen=True, slots=True)
class UserTarget:
    """What a file of a user's target holds.

    Parameters
    ----------
    base
        Name of the target it stands on.
    tool
        The tool whose numbers it gives, as its reports say.
    feature
        What is weighted: "lut" or "sites".
    weights
        Of each line of the breakdown, by label; `OTHERS` for the rest.
    designs
        Number of designs it was fitted to.
    mean, percentile_95, worst
        Absolute error of left-out designs, percent.
    span
        What the designs span.

    """

    base: str
    tool: str
    feature: str
    weights: Mapping[str, float]
    designs: int
    mean: float
    percentile_95: float
    worst: float
    span: Range

    def lut(self, label: str, cost: Cost) -> float:
        """Return the LUTs of a line of a breakdown."""
        weight = self.weights.get(label, self.weights[OTHERS])
        return weight * float(getattr(cost, self.feature))

    def outside(self, design: Design, lut: float) -> tuple[str, ...]:
        """Return in what a design lies outside the designs of the calibration."""
        span = self.span
        bits = design.weight.bits, design.activation.bits
        found = []
        if design.kind not in span.kinds:
            found.append(f"kind {design.kind} (calibrated: {', '.join(span.kinds)})")
        if design.accumulator.kind.value not in span.accumulators:
            known = ", ".join(span.accumulators)
            found.append(f"accumulator {design.accumulator.kind.value} (calibrated: {known})")
        for what, values, (low, high) in (
            ("operand bits", bits, span.operand_bits),
            ("lanes", (design.lanes,), span.lanes),
            ("LUT", (round(lut),), span.lut),
        ):
            if min(values) < low or max(values) > high:
                found.append(f"{what} {'/'.join(map(str, values))} (calibrated: {low} … {high})")
        return tuple(found)


def corrected(lines: Mapping[str, tuple[int, Cost]], path: str) -> dict[str, tuple[int, Cost]]:
    """Return the lines of a breakdown (count and cost) as a user's tool has them.

    Sites are the same as LUTs; registers, carry cells and DSP blocks stay.
    """
    user = load(path)
    found = {}
    for label, (count, cost) in lines.items():
        lut = user.lut(label, cost)
        found[label] = count, replace(cost, lut=lut, sites=lut)
    return found


@cache
def load(path: str) -> UserTarget:
    """Return the user's target of a file.

    Raises
    ------
    ValueError
        If the file is not one of ``macloom calibrate --from-reports``; the message says what lacks.
    OSError
        If it cannot be read.

    """
    import yaml

    try:
        record = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        if not isinstance(record, dict) or record.get("version") != VERSION:
            raise ValueError(f"version is {VERSION} in a file of `macloom calibrate`")
        return _from_record(record)
    except KeyError as error:
        raise ValueError(f"{path}: a user's target needs the key {error}") from None
    except (TypeError, yaml.YAMLError, ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no target of a user: {error}") from None


def _from_record(record: Mapping[str, Any]) -> UserTarget:
    error, span = record["error_percent"], record["range"]
    weights = {str(label): float(value) for label, value in record["weights"].items()}
    if OTHERS not in weights:
        raise KeyError(f"weights.{OTHERS}")
    if record["feature"] not in ("lut", "sites"):
        raise ValueError(f"feature is lut or sites, not {record['feature']!r}")
    return UserTarget(
        base=str(record["base"]),
        tool=str(record["tool"]),
        feature=str(record["feature"]),
        weights=weights,
        designs=int(record["designs"]),
        mean=float(error["mean"]),
        percentile_95=float(error["percentile_95"]),
        worst=float(error["worst"]),
        span=Range(
            kinds=tuple(span["kinds"]),
            accumulators=tuple(span["accumulators"]),
            operand_bits=_pair(span["operand_bits"]),
            lanes=_pair(span["lanes"]),
            lut=_pair(span["lut"]),
        ),
    )


def _pair(value: Any) -> tuple[int, int]:
    low, high = value
    return int(low), int(high)
