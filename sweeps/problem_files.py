"""Floor 4. Allocation problems in files: CSV for one row per layer and format, JSON for arrays."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.allocation import Cell, Problem, Values
from sweeps.files import read_record, read_text

KEYS = ("layer", "format", "loss")
_JSON_KEYS = ("layers", "formats", "loss", "costs")


def to_csv(
    layers: tuple[str, ...], formats: tuple[str, ...], loss: Values, costs: Mapping[str, Values]
) -> str:
    """Return one row per layer and format: `layer,format,loss` and a column per cost."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*KEYS, *costs])
    for i, layer in enumerate(layers):
        for j, name in enumerate(formats):
            cells = [f"{array[i, j]:.12g}" for array in (loss, *costs.values())]
            writer.writerow([layer, name, *cells])
    return stream.getvalue()


def read_problem(path: Path) -> Problem:
    """Read a problem.

    A CSV file has the columns `layer`, `format` and `loss`, and one for each cost; formats that a
    layer has no row for, or no loss in it, it may not have. A JSON file has `layers`, `formats`,
    `loss` and `costs` (arrays layer by layer), and perhaps `tied`, lists of layers, and `pairs`,
    rows of a layer, its format, a later layer, its format, and what both lose beyond the sum.

    Raises
    ------
    ValueError
        If it is not such a file; says where.
    OSError
        If it cannot be read.
    """
    if path.suffix == ".csv":
        return _from_csv(path)
    if path.suffix == ".json":
        return _from_json(path)
    raise ValueError(f"a problem is a .csv or .json file, not {path}")


def _from_csv(path: Path) -> Problem:
    reader = csv.DictReader(io.StringIO(read_text(path)))
    names = list(reader.fieldnames or ())
    missing = [key for key in KEYS if key not in names]
    if missing:
        raise ValueError(f"{path} is no allocation problem: it has no column {missing[0]!r}")
    costs = [name for name in names if name not in KEYS]
    cells: dict[tuple[str, str], list[float]] = {}
    for line, row in enumerate(reader, start=2):
        cell = (str(row["layer"]), str(row["format"]))
        if cell in cells:
            raise ValueError(f"{path}:{line}: layer {cell[0]} has format {cell[1]} twice")
        cells[cell] = [_number(row[name], name, f"{path}:{line}") for name in ("loss", *costs)]
    layers = tuple(dict.fromkeys(layer for layer, _ in cells))
    formats = tuple(dict.fromkeys(name for _, name in cells))
    if not cells:
        raise ValueError(f"{path} is no allocation problem: it has no row")
    none = [np.inf, *(0.0 for _ in costs)]
    table = np.array([[cells.get((i, j), none) for j in formats] for i in layers])
    return Problem(
        layers, formats, table[..., 0], {n: table[..., k] for k, n in enumerate(costs, start=1)}
    )


def _number(text: str | None, name: str, where: str) -> float:
    if name == "loss" and text == "":
        return float("inf")
    try:
        return float(text or "")
    except ValueError:
        raise ValueError(f"{where}: {name} is a number, not {text!r}") from None


def _from_json(path: Path) -> Problem:
    record = read_record(path)
    missing = [key for key in _JSON_KEYS if key not in record]
    if missing:
        raise ValueError(f"{path} is no allocation problem: it has no {missing[0]!r}")
    try:
        layers = tuple(map(str, record["layers"]))
        formats = tuple(map(str, record["formats"]))
        return Problem(
            layers,
            formats,
            _array(record["loss"]),
            {str(name): _array(rows) for name, rows in record["costs"].items()},
            pairs=dict(_pair(row, layers, formats) for row in record.get("pairs", ())),
            tied=tuple(tuple(map(str, group)) for group in record.get("tied", ())),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: {error}") from None


def _pair(
    row: Any, layers: tuple[str, ...], formats: tuple[str, ...]
) -> tuple[tuple[Cell, Cell], float]:
    if not isinstance(row, list) or len(row) != 5:
        raise ValueError(f"a pair is [layer, format, layer, format, loss], not {row!r}")
    for name, known in zip(row[:4], (layers, formats) * 2, strict=True):
        if name not in known:
            raise ValueError(f"a pair is of {', '.join(known)}, not {name!r}")
    first, second = ((layers.index(row[n]), formats.index(row[n + 1])) for n in (0, 2))
    return (first, second), float(row[4])


def _array(rows: Any) -> Values:
    return np.array(
        [[np.inf if cell is None else cell for cell in row] for row in rows], dtype=np.float64
    )
