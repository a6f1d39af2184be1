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
    from sweeps.grid_front import GridFront
    from sweeps.sweep import Sweep

FINE = 0
KINDS = ("dot", "tile", "array")
FOLDER = Path("build/grid")
USUAL = {
    "targets": "xcup",
    "kind": "tile",
    "structures": "rows,table",
    "accumulators": "exact:network",
    "lanes": "4,8,16,32",
    "rows": "1..16",
    "columns": "1..16",
    "objectives": "loss,sites_per_product",
}
ALSO = {"energy": "energy_pj_per_mac", "clock": "period_ns"}
"""Short names of objectives."""
_RANGE = re.compile(r"(\d+)(?:\.\.(\d+))?")
_MOST_LISTED = 24


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``macloom grid``."""
    parser.epilog = (
        "Areas are estimates, to the LUT those of `macloom estimate`; losses those of "
        "`macloom sweep`, error in percent or bits per byte, kept in DIR/points.sqlite. "
        "Objectives: loss, products (per step; more is better), lut, sites, ff, carry, dsp, and "
        "these _per_product; energy (pJ per MAC, random codes) and clock (its period in ns), of "
        "designs whose models are known: the others are left out and counted. Constraints are of "
        "the same, of accuracy (%), bits (per byte) and mhz. SPEC.yaml has the options as keys; "
        "options that are given replace them."
    )
    add = parser.add_argument
    add("spec", type=Path, nargs="?", metavar="SPEC.yaml", help="the options as keys, in a file")
    add_sweep(parser, FOLDER, "front.csv and losses are kept here", required=False)
    add("--targets", metavar="NAMES", help="technologies, between commas (xcup)")
    add("--kind", type=word(*KINDS), metavar="KIND", help="dot, tile or array (tile)")
    add("--structures", metavar="NAMES", help="of products (rows,table)")
    add("--accumulators", metavar="NAMES", help="exact:network or others (exact:network)")
    add("--lanes", metavar="NUMBERS", help="such as 4,8 or 1..16 (4,8,16,32)")
    add("--rows", metavar="NUMBERS", help="of tiles and arrays (1..16)")
    add("--columns", metavar="NUMBERS", help="of tiles and arrays (1..16)")
    add("--objectives", metavar="NAMES", help="2 to 4 (loss,sites_per_product)")
    add("--where", action="append", metavar="TEXT", help="such as 'sites <= 2000'; repeatable")
    add_json(parser)


def options_of(arguments: argparse.Namespace) -> argparse.Namespace:
    """Return all options: those given, those of the file, the usual ones.

    Raises
    ------
    ValueError
        If the file is wrong, or no network is named.
    OSError
        If the file cannot be read.

    """
    from sweeps.grid_spec import read_grid

    given = {name: value for name, value in vars(arguments).items() if value is not None}
    file: dict[str, Any] = {}
    if arguments.spec is not None:
        file |= read_grid(arguments.spec)
    if "output" in file:
        file["output"] = Path(file["output"])
        if given["output"] == FOLDER:
            del given["output"]
    found = argparse.Namespace(**{**vars(arguments), **USUAL, **file, **given})
    if found.network is None:
        raise ValueError("a grid needs --network N, or a SPEC.yaml that names one")
    if found.kind not in KINDS:
        raise ValueError(f"a grid is of kind {', '.join(KINDS)}, not {found.kind!r}")
    return found


def grid(arguments: argparse.Namespace) -> int:
    """``macloom grid``."""
    from costmodel.grid import prepare
    from sweeps import grid_losses, runs
    from sweeps.grid_front import front_of_grid
    from sweeps.locks import alone_in
    from sweeps.store import Store

    arguments = options_of(arguments)
    lanes = _numbers(arguments.lanes, "lanes")
    target = arguments.targets.split(",")[0]
    sweep = sweep_of(argparse.Namespace(**vars(arguments) | {"lanes": 16, "target": target}))
    accumulators = arguments.accumulators.split(",")
    axes = _grid(arguments, sweep, lanes, grid_losses.terms_of(sweep, lanes))
    words = [ALSO.get(name, name) for name in arguments.objectives.split(",")]
    limits = grid_losses.limits_of(arguments.where or (), sweep)
    start = time.perf_counter()
    table = prepare(axes)
    extras = grid_losses.extras_of(table, [*words, *(limit.name for limit in limits)])
    planned = time.perf_counter() - start
    place = arguments.output
    with alone_in(place), Store(place / runs.STORE_NAME) as store, hands_of(arguments) as hands:
        losses = grid_losses.losses_of(table, sweep, accumulators, store, hands)
    found = front_of_grid(table, losses, words, extras=extras, limits=limits)
    if not len(found.numbers):
        left = f", {found.unknown} of them not known by formula" if found.unknown else ""
        raise ValueError(f"none of {found.points} points meets all constraints{left}")
    path = arguments.output / "front.csv"
    write_whole(path, _csv(table, found))
    if arguments.json:
        print(json_text(_record(table, found, planned, path)))
    else:
        print("\n".join([*_lines(table, found, planned), str(path)]))
    return FINE


def _grid(arguments: argparse.Namespace, sweep: Sweep, lanes: tuple[int, ...], terms: int) -> Grid:
    from costmodel.grid import Grid
    from hw import target
    from sweeps.grid_losses import accumulator_of, elements

    has_sides = arguments.kind != "dot"
    return Grid(
        kind=arguments.kind,
        weights=elements(sweep.weights),
        activations=elements(sweep.activations),
        targets=tuple(target.load(name) for name in arguments.targets.split(",")),
        structures=tuple(arguments.structures.split(",")),
        accumulators=tuple(accumulator_of(n, terms) for n in arguments.accumulators.split(",")),
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
        "unknown": found.unknown,
        "within_constraints": found.met,
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
    said = [head, text_table(rows), *([f"… {more} more in the file"] if more > 0 else [])]
    if found.unknown:
        said.append(f"{found.unknown} points left out: no formula for an objective of theirs")
    if found.met + found.unknown < found.points:
        said.append(f"{found.met} points meet the constraints")
    return said
