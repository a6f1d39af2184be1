"""Floor 4. The commands about many formats at once: ``sweep``, ``plot`` and ``demo``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.files import json_text, write_whole

if TYPE_CHECKING:
    from sweeps.foreign import Peer
    from sweeps.points import Point

FINE, CHECK_FAILED = 0, 1
_SUFFIXES = (".png", ".svg", ".pdf")
_LEAST_ACCURACY_PERCENT = 90.0
"""Front points less accurate than this are not listed for people."""


def sweep(arguments: argparse.Namespace) -> int:
    """``macloom sweep SPEC.yaml``."""
    from sweeps import runs
    from sweeps.spec import read_spec
    from sweeps.store import Store

    start = time.perf_counter()
    spec = read_spec(_spec_path(arguments.spec))
    folder = arguments.output or spec.output
    with Store(folder / runs.STORE_NAME) as store:
        points = runs.run(spec, store, workers=arguments.workers)
    paths = runs.write_results(points, folder)
    front = [point for point in points if point.on_front]
    if arguments.json:
        print(
            json_text(
                {
                    "points": len(points),
                    "front": [asdict(point) for point in front],
                    "files": [str(path) for path in paths],
                    "seconds": round(time.perf_counter() - start, 3),
                }
            )
        )
        return FINE
    print("\n".join([f"{len(points)} points; the front:", front_table(front), *map(str, paths)]))
    return FINE


def plot(arguments: argparse.Namespace) -> int:
    """``macloom plot POINTS.csv``."""
    from sweeps.foreign import read_peers
    from sweeps.points import read_points

    points = read_points(arguments.points)
    peers = read_peers(arguments.peer)
    if not points:
        raise ValueError(f"{arguments.points} holds no points")
    stem = arguments.output or arguments.points.with_name("pareto")
    paths: list[Path] = []
    targets = list(dict.fromkeys(point.target for point in points))
    for peer in peers:
        if peer.target not in targets:
            raise ValueError(
                f"the points are on {', '.join(targets)}, {peer.name} was counted on {peer.target}"
            )
    for target in targets:
        name = stem.name if len(targets) == 1 else f"{stem.stem}_{target}{stem.suffix}"
        chosen = [point for point in points if point.target == target]
        local = [peer for peer in peers if peer.target == target]
        paths += _draw(chosen, stem.with_name(name), local)
    if arguments.json:
        print(json_text({"points": len(points), "files": [str(path) for path in paths]}))
    else:
        print("\n".join(map(str, paths)))
    return FINE


def demo(arguments: argparse.Namespace) -> int:
    """``macloom demo``."""
    from sweeps import demo as job
    from sweeps.demo_report import text

    outcome = job.run(arguments.output, arguments.simulator)
    print(json_text(outcome.to_record()) if arguments.json else text(outcome))
    return FINE if outcome.mismatches == 0 else CHECK_FAILED


def front_table(front: Sequence[Point]) -> str:
    """Return the front points for people, smallest first: area beside accuracy."""
    chosen = [p for p in front if p.accuracy_percent >= _LEAST_ACCURACY_PERCENT] or front
    rows = [("weight × activation", "accuracy %", "95 % interval", "sites/lane", "measured")]
    for point in sorted(chosen, key=lambda point: (point.target, point.sites_per_lane)):
        measured = point.sites_per_lane_measured
        rows.append(
            (
                f"{point.weight} × {point.activation}",
                f"{point.accuracy_percent:.1f}",
                f"{point.accuracy_low_percent:.1f} … {point.accuracy_high_percent:.1f}",
                f"{point.sites_per_lane:.1f}",
                "-" if measured is None else f"{measured:.1f}",
            )
        )
    return table(rows)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned text under the first one, which is the heading.

    Columns of which every cell starts with a digit, a sign or a dash stand on the right.
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [all(cell[0] in "0123456789+-" for cell in column[1:]) for column in columns]
    lines = [
        "  ".join(
            cell.rjust(width) if on_right else cell.ljust(width)
            for cell, width, on_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _spec_path(path: Path) -> Path:
    """Return the file, or the shipped one of that name."""
    from sweeps.spec import SPECS

    shipped = SPECS / f"{path.name}.yaml"
    return shipped if not path.exists() and path.name == str(path) and shipped.exists() else path


def _draw(points: Sequence[Point], path: Path, peers: Sequence[Peer] = ()) -> Sequence[Path]:
    """Draw one figure: PNG and SVG, or the one the suffix asks for."""
    from sweeps.plot import render, save_figure

    if not path.suffix:
        return save_figure(points, path, peers=peers)
    if path.suffix not in _SUFFIXES:
        raise ValueError(f"a figure is one of {', '.join(_SUFFIXES)}, not {path.suffix!r}")
    write_whole(path, render(points, path.suffix[1:], peers=peers))
    return [path]


__all__: list[Any] = ["demo", "front_table", "plot", "sweep", "table"]
