"""Floor 4. ``macloom grid``: the front of millions of designs by formula, for a network."""

from __future__ import annotations

import argparse
import csv
import io
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.arguments import add_json, word
from sweeps.commands_recommend import add_sweep, sweep_of
from sweeps.executors import hands_of
from sweeps.files import json_text, write_whole

if TYPE_CHECKING:
    from costmodel.grid import Grid, Table
    from hw.design import Design
    from hw.formats import Format
    from sweeps.grid_front import GridFront
    from sweeps.sweep import Sweep

FINE = 0
KINDS = ("dot", "tile", "array")
_RANGE = re.compile(r"(\d+)(?:\.\.(\d+))?")
_MOST_LISTED = 24


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``macloom grid``."""
    parser.epilog = (
        "Areas are estimates, to the LUT those of `macloom estimate`; losses those of "
        "`macloom sweep`, error in percent or bits per byte, kept in DIR/points.sqlite. "
        "Objectives: loss, products (per step; more is better), lut, sites, ff, carry, dsp, and "
        "these _per_product."
    )
    add_sweep(parser, Path("build/grid"), "front.csv and losses are kept here")
    add = parser.add_argument
    add("--targets", default="xcup", metavar="NAMES", help="technologies, between commas (xcup)")
    add("--kind", type=word(*KINDS), default="tile", metavar="KIND", help="dot, tile or array")
    add("--structures", default="rows,table", metavar="NAMES", help="of products (rows,table)")
    add("--lanes", default="4,8,16,32", metavar="NUMBERS", help="such as 4,8 or 1..16 (4,8,16,32)")
    add("--rows", default="1..16", metavar="NUMBERS", help="of tiles and arrays (1..16)")
    add("--columns", default="1..16", metavar="NUMBERS", help="of tiles and arrays (1..16)")
    add(
        "--objectives",
        default="loss,sites_per_product",
        metavar="NAMES",
        help="2 to 4 (loss,sites_per_product)",
    )
    add_json(parser)


def grid(arguments: argparse.Namespace) -> int:
    """``macloom grid``."""
    from costmodel.grid import prepare
    from sweeps import runs
    from sweeps.grid_front import front_of_grid
    from sweeps.store import Store

    lanes = _numbers(arguments.lanes, "lanes")
    target = arguments.targets.split(",")[0]
    sweep = sweep_of(argparse.Namespace(**vars(arguments) | {"lanes": 16, "target": target}))
    axes = _grid(arguments, sweep, lanes)
    start = time.perf_counter()
    table = prepare(axes)
    planned = time.perf_counter() - start
    with Store(arguments.output / runs.STORE_NAME) as store, hands_of(arguments) as hands:
        points = runs.run(sweep, store, **hands.options())
    pairs = dict.fromkeys(sweep.pairs, 0.0)
    names = {(w.name, a.name): (w, a) for w, a in pairs}
    for point in points:
        pairs[names[point.weight, point.activation]] = point.loss
    found = front_of_grid(table, pairs, tuple(arguments.objectives.split(",")))
    path = arguments.output / "front.csv"
    write_whole(path, _csv(table, found))
    if arguments.json:
        print(json_text(_record(table, found, planned, path)))
    else:
        print("\n".join([*_lines(table, found, planned), str(path)]))
    return FINE


def _grid(arguments: argparse.Namespace, sweep: Sweep, lanes: tuple[int, ...]) -> Grid:
    from costmodel.grid import Grid
    from hw import target
    from hw.accumulators import Accumulator
    from sweeps.models import load

    has_sides = arguments.kind != "dot"
    terms = max(load(sweep.network).largest_fan_in, *lanes)
    weights: tuple[Format, ...] = sweep.weights
    return Grid(
        kind=arguments.kind,
        weights=weights,
        activations=sweep.activations,
        targets=tuple(target.load(name) for name in arguments.targets.split(",")),
        structures=tuple(arguments.structures.split(",")),
        accumulators=(Accumulator.exact(terms),),
        lanes=lanes,
        rows=_numbers(arguments.rows, "rows") if has_sides else (1,),
        columns=_numbers(arguments.columns, "columns") if has_sides else (1,),
        specials="ignore",
    )


def _numbers(text: str, name: str) -> tuple[int, ...]:
    """Read `4,8` or `1..16`, or both between commas."""
    found: list[int] = []
    for item in text.split(","):
        match = _RANGE.fullmatch(item.strip())
        if match is None or int(match[1]) < 1 or int(match[2] or match[1]) < int(match[1]):
            raise ValueError(f"{name} are numbers such as 4,8 or 1..16, not {text!r}")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(dict.fromkeys(found))


def _rows(table: Table, found: GridFront) -> list[tuple[Design, str, list[float]]]:
    from sweeps.grid_front import PRODUCTS

    rows = []
    for number, costs in zip(found.numbers, found.costs, strict=True):
        values = [
            -value if name == PRODUCTS else value
            for name, value in zip(found.objectives, costs.tolist(), strict=True)
        ]
        rows.append((table.design(int(number)), table.target(int(number)).name, values))
    return rows


def _csv(table: Table, found: GridFront) -> str:
    from sweeps.generate_command import generate_command

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["design", "target", *found.objectives, "command"])
    for design, target, values in _rows(table, found):
        cells = [f"{value:.9g}" for value in values]
        writer.writerow([design.slug, target, *cells, generate_command(design, target)])
    return stream.getvalue()


def _record(table: Table, found: GridFront, planned: float, path: Path) -> dict[str, Any]:
    return {
        "points": found.points,
        "refused": len(table.refused) * table.sides,
        "cores": len(table.cores),
        "plan_seconds": round(planned, 3),
        "front_seconds": round(found.seconds, 3),
        "points_per_second": round(found.points_per_second),
        "front": [
            {"design": design.to_record(), "target": target}
            | dict(zip(found.objectives, values, strict=True))
            for design, target, values in _rows(table, found)
        ],
        "files": [str(path)],
    }


def _lines(table: Table, found: GridFront, planned: float) -> list[str]:
    from sweeps.commands_sweep import table as text_table

    listed = _rows(table, found)
    rows = [("design", "target", *found.objectives)]
    for design, target, values in listed[:_MOST_LISTED]:
        rows.append((design.slug, target, *(f"{value:.5g}" for value in values)))
    more = len(listed) - _MOST_LISTED
    head = (
        f"{found.points} points of {len(table.cores)} cores planned in {planned:.1f} s; front of "
        f"{len(listed)} in {found.seconds:.2f} s ({found.points_per_second / 1e6:.1f} M points/s)"
    )
    return [head, text_table(rows), *([f"… {more} more in the file"] if more > 0 else [])]
