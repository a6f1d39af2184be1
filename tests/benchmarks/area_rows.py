"""The rows of the area table as records: designs, the figures asked for, the peers' figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hw.design import Design, from_record

FILE = Path(__file__).with_name("area_rows.yaml")
TARGETS = ("xcup", "xc7", "ecp5", "ice40")
ASKED_ON = "xcup"
_OURS = ("asked", "asked_per_dsp", "peer", "peers", "name")
_PER = ("lane", "mac", "design")


@dataclass(frozen=True, slots=True)
class Group:
    """Rows with one unit: `per` says what their figures are divided by."""

    key: str
    title: str
    unit: str
    per: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One design of the table, and what it is measured against.

    Parameters
    ----------
    group
        Its group.
    design
        What is built.
    name
        How the row is called.
    asked
        Most LUTs, and sites, on `ASKED_ON`, in the unit of the group; None if nothing is asked.
    asked_per_dsp
        Fewest products per DSP block there.
    peer, peers
        Name of the peer, and its LUTs by target.

    """

    group: Group
    design: Design
    name: str
    asked: float | None
    asked_per_dsp: float | None
    peer: str
    peers: Mapping[str, float]

    @property
    def divisor(self) -> int:
        """What totals are divided by."""
        counts = {"lane": self.design.lanes, "mac": self.design.lanes * self.design.cores}
        return counts.get(self.group.per, 1)


def load_rows(path: Path = FILE) -> tuple[list[Row], list[Design]]:
    """Return the rows of all groups, and the designs that show the price of the flags."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    rows: list[Row] = []
    for key, record in data["groups"].items():
        if record["per"] not in _PER:
            raise ValueError(f"group {key}: per is one of {', '.join(_PER)}, not {record['per']!r}")
        targets = tuple(record.get("targets", TARGETS))
        group = Group(key, record["title"], record["unit"], record["per"], targets)
        rows += _rows(group, {**data["defaults"], **record["design"]}, record["rows"])
    flags = [from_record({**data["flags"]["design"], **row}) for row in data["flags"]["rows"]]
    return rows, flags


def _rows(group: Group, shared: Mapping[str, Any], records: Sequence[Any]) -> Iterator[Row]:
    for record in records:
        own = {key: value for key, value in record.items() if key not in _OURS}
        design = from_record({**shared, **own})
        yield Row(
            group,
            design,
            record.get("name") or _name(design, own),
            record.get("asked"),
            record.get("asked_per_dsp"),
            record.get("peer", ""),
            record.get("peers", {}),
        )


def _name(design: Design, own: Mapping[str, Any]) -> str:
    """Return the format of a row, and its accumulator where the row gives one."""
    if "accumulator" not in own:
        return design.weight.name
    accumulator = str(own["accumulator"])
    kind, _, bits = accumulator.partition(":")
    short = f"{bits} bits" if kind == "wrap" else f"{kind} {bits}".strip()
    lanes = f"{design.lanes} × " if 1 < design.lanes < 32 else ""
    return f"{lanes}{design.weight.name}, {short}"
