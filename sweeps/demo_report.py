"""Floor 4. What the demo found, as records for programs and as tables for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sweeps.commands_sweep import front_table, table
from sweeps.points import Point


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; LUT figures are those of the dot product.

    `accuracy_percent` is that of the digits network in these formats on its held-out images,
    `low_percent` and `high_percent` its 95 % confidence interval.
    """

    weight: str
    activation: str
    vectors: int
    mismatches: int
    lut_estimate: float
    lut_measured: int
    error_percent: float
    accuracy_percent: float
    low_percent: float
    high_percent: float
    verilog: str

    @property
    def name(self) -> str:
        """Name of the pair, once where both are the same."""
        same = self.weight == self.activation
        return self.weight if same else f"{self.weight} × {self.activation}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demo found and where it left it."""

    rows: tuple[Row, ...]
    front: tuple[Point, ...]
    points: int
    seconds: dict[str, float]
    folder: Path
    files: tuple[Path, ...]

    @property
    def mismatches(self) -> int:
        """Mismatches of all simulations."""
        return sum(row.mismatches for row in self.rows)

    def to_record(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "formats": [asdict(row) for row in self.rows],
            "front": [asdict(point) for point in self.front],
            "points": self.points,
            "mismatches": self.mismatches,
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
            "files": [str(path) for path in self.files],
        }


def text(outcome: Outcome) -> str:
    """Return the report for people: front, table, times, files."""
    heading = (
        *("format", "vectors checked", "mismatches", "LUT estimate", "LUT measured", "error %"),
        *("accuracy % (95 %)", "Verilog"),
    )
    rows = [heading, *(_cells(row) for row in outcome.rows)]
    times = " · ".join(f"{name} {value:.1f} s" for name, value in outcome.seconds.items())
    return "\n".join(
        [
            "",
            f"The front of {outcome.points} pairs (weight × activation):",
            front_table(outcome.front),
            "",
            times + f" · together {sum(outcome.seconds.values()):.1f} s",
            "",
            "LUT: 16-lane dot product on UltraScale+ without DSP blocks, by Yosys; accuracy: "
            "the network on held-out images",
            table(rows),
            "",
            f"Verilog, sidecars, points.csv and pareto.png/.svg are in {outcome.folder}/",
        ]
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        f"{row.vectors}",
        f"{row.mismatches}",
        f"{row.lut_estimate:.0f}",
        f"{row.lut_measured}",
        f"{row.error_percent:+.1f}",
        f"{row.accuracy_percent:.1f} ({row.low_percent:.1f} … {row.high_percent:.1f})",
        row.verilog,
    )
