"""Floor 4. Points of a sweep: one record, one CSV row each; units in the names of the columns."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from hw.formats import parse
from sweeps.accuracy import wilson
from sweeps.metrics import METRICS, Metric, find_metric
from sweeps.pareto import front
from sweeps.quantize import find_method
from sweeps.scales import OWN, Scheme
from sweeps.space import BLOCKS, pair_family


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One pair of formats in one design on one target; the fields are the columns of the CSV.

    `metric` says which columns tell how well the network does (`sweeps.metrics`), the others are
    None. Accuracies are percentages of held-out images (or other labelled inputs), bits per byte
    are of held-out contexts of a text; `…_low…` and `…_high…` are their 95 % confidence interval
    (Wilson's, and a bootstrap's). Costs are those of the whole design, and per lane; `…_measured`
    ones are None where nothing was measured. `on_front` is relative to all points of the same
    target, `on_family_front` to those of the same pair of families among them. Of front points
    `indistinct_from_best` says that a paired bootstrap does not tell them from the best of their
    target. `command` generates the Verilog.

    A lane is a product per clock cycle. Bits are those of a code; `…_storage_bits` add its share of
    the scales of blocks and groups. Where there is no hardware for a pair, `no_hardware` says why,
    costs are NaN (blank in the CSV), and the point is on no front. Energy and the clock's period
    are there where they were asked for and a formula covers the design; else `unknown` says why.

    Raises
    ------
    ValueError
        For an unknown metric, or if one of its columns is None.
    """

    weight: str
    activation: str
    weight_bits: int
    activation_bits: int
    design: str
    lanes: int
    accumulator: str
    accumulator_bits: int
    structure: str
    target: str
    network: str
    method: str
    metric: str = "accuracy"
    images: int | None = None
    correct: int | None = None
    float_correct: int | None = None
    accuracy_percent: float | None = None
    accuracy_low_percent: float | None = None
    accuracy_high_percent: float | None = None
    error_percent: float | None = None
    float_accuracy_percent: float | None = None
    contexts: int | None = None
    bits_per_byte: float | None = None
    bits_per_byte_low: float | None = None
    bits_per_byte_high: float | None = None
    float_bits_per_byte: float | None = None
    float_bits_per_byte_low: float | None = None
    float_bits_per_byte_high: float | None = None
    weight_storage_bits: float | None = None
    activation_storage_bits: float | None = None
    no_hardware: str = ""
    lut: float
    sites: float
    ff: float
    carry: float
    dsp: float
    lut_per_lane: float
    sites_per_lane: float
    ff_per_lane: float
    dsp_per_lane: float
    energy_pj_per_mac: float | None = None
    period_ns: float | None = None
    unknown: str = ""
    on_front: bool = False
    on_family_front: bool = False
    indistinct_from_best: bool = False
    lut_measured: float | None = None
    sites_measured: float | None = None
    ff_measured: float | None = None
    carry_measured: float | None = None
    lut_per_lane_measured: float | None = None
    sites_per_lane_measured: float | None = None
    command: str = ""

    def __post_init__(self) -> None:
        metric = find_metric(self.metric)
        for name in (*_of_value(metric), metric.inputs, metric.objective):
            self._number(name)

    def _number(self, name: str) -> float:
        value = getattr(self, name)
        if value is None:
            raise ValueError(f"a point judged by {self.metric} needs {name}")
        return float(value)

    @property
    def judged(self) -> Metric:
        """The metric."""
        return METRICS[self.metric]

    @property
    def value(self) -> float:
        """The metric's value: percent, or bits per byte."""
        return self._number(self.judged.value)

    @property
    def interval(self) -> tuple[float, float]:
        """Low and high end of the value's 95 % interval."""
        return self._number(self.judged.low), self._number(self.judged.high)

    @property
    def float_value(self) -> float:
        """The float network's value on the same inputs."""
        return self._number(self.judged.float_value)

    @property
    def float_interval(self) -> tuple[float, float]:
        """Low and high end of its 95 % interval."""
        if self.metric == "accuracy":
            low, high = wilson(int(self._number("float_correct")), self.inputs)
            return 100 * low, 100 * high
        name = self.judged.float_value
        return self._number(f"{name}_low"), self._number(f"{name}_high")

    @property
    def inputs(self) -> int:
        """How many held-out inputs the value is of."""
        return int(self._number(self.judged.inputs))

    @property
    def loss(self) -> float:
        """What is minimised of the metric: error in percent, or bits per byte."""
        return self._number(self.judged.objective)

    @property
    def family(self) -> str:
        """`integer × integer` and so on, weights first."""
        if self.scheme.has_power_groups:
            return BLOCKS
        return pair_family(parse(self.weight), parse(self.activation))

    @property
    def scheme(self) -> Scheme:
        """How scales are chosen and shared, as far as they are not the formats' own."""
        return Scheme() if self.method == OWN else find_method(self.method).scheme

    @property
    def pair(self) -> str:
        """The pair as labels show it: `int4×uint4`, and what shares scales if that is unusual."""
        return f"{self.weight}×{self.activation}{self.scheme.sharing}"

    @property
    def has_hardware(self) -> bool:
        """Whether there is a design with a cost."""
        return not math.isnan(self.sites)


def _of_value(metric: Metric) -> tuple[str, ...]:
    return metric.value, metric.low, metric.high, metric.float_value


COLUMNS = tuple(field.name for field in fields(Point))
FIGURES = ("energy_pj_per_mac", "period_ns")
"""Columns that are blank where no formula covers a design: `unknown` says why."""
_NEEDED = tuple(field.name for field in fields(Point) if field.default is MISSING)
_TYPES = {field.name: str(field.type) for field in fields(Point)}


def with_hardware(points: Sequence[Point]) -> list[Point]:
    """The points that have a cost; ValueError if there are points and none has."""
    found = [point for point in points if point.has_hardware]
    if points and not found:
        raise ValueError(f"none of the points has a cost: {points[0].no_hardware}")
    return found


def lanes_text(points: Sequence[Point]) -> str:
    """Their lanes in words: `16-lane`, `16–32-lane`."""
    lanes = sorted({point.lanes for point in points})
    return f"{lanes[0]}-lane" if len(lanes) == 1 else f"{lanes[0]}–{lanes[-1]}-lane"


def front_numbers(points: Sequence[Point], objectives: Sequence[str]) -> list[int]:
    """Numbers of the non-dominated points, rising in the last objective; of those with a cost.

    Raises
    ------
    ValueError
        If an objective is unknown or has no value at a point.
    """
    for name in objectives:
        if name not in COLUMNS or _TYPES[name].removesuffix(" | None") not in ("int", "float"):
            raise ValueError(f"an objective is a column of numbers, not {name!r}")
    figures = [name for name in FIGURES if name in objectives]
    known = [
        number
        for number, point in enumerate(points)
        if point.has_hardware and all(getattr(point, name) is not None for name in figures)
    ]
    if not known:
        return []
    costs = [[getattr(points[n], name) for name in reversed(objectives)] for n in known]
    return [known[int(number)] for number in front(np.array(costs, dtype=np.float64))]


def check_single(points: Sequence[Point], *columns: str) -> None:
    """Raise ValueError unless there are points, all with the same values in these columns."""
    if not points:
        raise ValueError("a figure needs at least one point, there are none")
    for what in columns:
        values = sorted({str(getattr(point, what)) for point in points})
        if len(values) > 1:
            raise ValueError(f"a figure shows one {what}, not {', '.join(values)}")


def to_csv(points: Iterable[Point]) -> str:
    """The points as CSV text with a header; `from_csv` gives exactly these points back."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(getattr(point, name)) for name in COLUMNS] for point in points)
    return stream.getvalue()


def from_csv(text: str, source: str = "the file") -> list[Point]:
    """Read what `to_csv` wrote; more columns are let be, those with a default may be missing.

    Raises
    ------
    ValueError
        If a column is missing, or a cell does not hold what its column does.
    """
    reader = csv.DictReader(io.StringIO(text))
    present = [name for name in COLUMNS if name in (reader.fieldnames or ())]
    missing = [name for name in _NEEDED if name not in present]
    if missing:
        raise ValueError(f"{source} is no table of sweep points: it has no column {missing[0]!r}")
    points = []
    for number, row in enumerate(reader, start=2):
        try:
            points.append(Point(**{name: _value(name, row[name]) for name in present}))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{source}:{number}: {error}") from None
    return points


def read_points(path: Path) -> list[Point]:
    """Read the CSV of a sweep; errors as `from_csv`, and OSError if it cannot be read."""
    try:
        return from_csv(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no table of sweep points: not UTF-8 text") from None


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _value(name: str, cell: str) -> Any:
    match _TYPES[name]:
        case "str":
            return cell
        case "bool":
            if cell not in ("true", "false"):
                raise ValueError(f"{name} must be true or false, not {cell!r}")
            return cell == "true"
        case "float | None" | "int | None" if cell == "":
            return None
        case "float" if cell == "":
            return math.nan
    try:
        return int(cell) if _TYPES[name].startswith("int") else float(cell)
    except (ValueError, TypeError):
        raise ValueError(f"{name} must be a number, not {cell!r}") from None
