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
    from sweeps.store import Store
    from sweeps.sweep import Sweep

FINE, CHECK_FAILED = 0, 1
_UNITS = {"energy_pj_per_mac": "pJ/MAC", "period_ns": "ns"}
_SUFFIXES = (".png", ".svg", ".pdf")
_MOST_LOST = 12
"""Points without hardware that are listed."""
_LEAST_ACCURACY_PERCENT = 90.0
"""Front points less accurate than this are not listed for people."""


def sweep(arguments: argparse.Namespace) -> int:
    """``macloom sweep SPEC.yaml``."""
    from sweeps import runs
    from sweeps.locks import alone_in
    from sweeps.spec import read_spec
    from sweeps.store import Store

    start = time.perf_counter()
    spec = read_spec(_spec_path(arguments.spec))
    folder = arguments.output or spec.output
    with alone_in(folder), Store(folder / runs.STORE_NAME) as store:
        points = _run(spec, store, arguments)
        paths = runs.write_results(points, folder)
    front = [point for point in points if point.on_front]
    if arguments.json:
        print(
            json_text(
                {
                    "points": len(points),
                    "front": [asdict(point) for point in front],
                    "without_hardware": {
                        point.pair: point.no_hardware for point in points if not point.has_hardware
                    },
                    "files": [str(path) for path in paths],
                    "seconds": round(time.perf_counter() - start, 3),
                }
            )
        )
        return FINE
    lost = [without_hardware(points)] if any(not point.has_hardware for point in points) else []
    head = f"{len(points)} points; the front:"
    print("\n".join([head, front_table(front), *lost, *map(str, paths)]))
    return FINE


def _run(spec: Sweep, store: Store, arguments: argparse.Namespace) -> list[Point]:
    """Run a sweep on this machine, or on a Dask cluster."""
    from sweeps import runs
    from sweeps.executors import hands_of

    with hands_of(arguments) as hands:
        return runs.run(spec, store, **hands.options())


def plot(arguments: argparse.Namespace) -> int:
    """``macloom plot POINTS.csv``."""
    from sweeps.foreign import read_peers
    from sweeps.points import read_points

    points = read_points(arguments.points)
    peers = read_peers(arguments.peer)
    if not points:
        raise ValueError(f"{arguments.points} holds no points")
    stem = arguments.output or arguments.points.with_name("pareto")
    if stem.suffix == ".html":
        return _page(points, stem, arguments)
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
    if len(targets) > 1:
        paths.append(_draw_together(points, stem, peers))
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
    """Return the front points for people, smallest first: area beside accuracy.

    Under the table: which of them a paired bootstrap does not tell from the best.
    """
    good = [p for p in front if p.metric != "accuracy" or p.value >= _LEAST_ACCURACY_PERCENT]
    chosen = good or front
    if not chosen:
        return "no points"
    texts = []
    for target in dict.fromkeys(point.target for point in chosen):
        own = [point for point in chosen if point.target == target]
        own.sort(key=lambda point: point.sites_per_lane)
        texts += [f"{target}:"] if len({point.target for point in chosen}) > 1 else []
        texts.append(_front_of_target(own))
    return "\n".join(texts)


def _front_of_target(front: Sequence[Point]) -> str:
    from sweeps.points import FIGURES

    metric = front[0].judged
    heads = ("weight × activation", metric.heading, "95 % interval", "sites/lane", "measured")
    known = [name for name in FIGURES if any(getattr(p, name) is not None for p in front)]
    rows: list[tuple[str, ...]] = [(*heads, *(_UNITS[name] for name in known))]
    for point in front:
        measured = point.sites_per_lane_measured
        low, high = point.interval
        rows.append(
            (
                f"{point.weight} × {point.activation}{point.scheme.sharing}",
                metric.text(point.value),
                f"{metric.text(low)} … {metric.text(high)}",
                f"{point.sites_per_lane:.1f}",
                "-" if measured is None else f"{measured:.1f}",
                *(f"{getattr(point, name):.3g}" for name in known),
            )
        )
    best = min(front, key=lambda point: point.loss)
    same = [point.pair for point in front if point.indistinct_from_best and point is not best]
    if not same:
        return table(rows)
    return f"{table(rows)}\nnot told from {best.pair} by a paired bootstrap: {', '.join(same)}"


def without_hardware(points: Sequence[Point]) -> str:
    """Return the points that no design multiplies, with the reasons, the best first."""
    lost = {point.pair: point for point in points if not point.has_hardware}
    metric = points[0].judged
    rows = [("without hardware", metric.heading, "reason")]
    for point in sorted(lost.values(), key=lambda point: point.loss)[:_MOST_LOST]:
        rows.append((point.pair, metric.text(point.value), point.no_hardware))
    more = len(lost) - _MOST_LOST
    return table(rows) + (f"\n… {more} more in points.csv" if more > 0 else "")


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
        raise ValueError(f"a figure is one of {', '.join(_SUFFIXES)} or .html, not {path.suffix!r}")
    write_whole(path, render(points, path.suffix[1:], peers=peers))
    return [path]


def _page(points: Sequence[Point], path: Path, arguments: argparse.Namespace) -> int:
    """Write the interactive page."""
    from sweeps.page import save_page

    if arguments.peer:
        raise ValueError("--peer is for figures, a .html page does not show foreign RTL")
    save_page(points, path)
    record = {"points": len(points), "files": [str(path)]}
    print(json_text(record) if arguments.json else path)
    return FINE


def _draw_together(points: Sequence[Point], path: Path, peers: Sequence[Peer]) -> Path:
    """Draw a panel per target in one file, a PNG unless the suffix asks for another kind."""
    from sweeps.plot import render_targets

    path = path if path.suffix else path.with_name(f"{path.name}.png")
    write_whole(path, render_targets(points, path.suffix[1:], peers))
    return path


__all__: list[Any] = ["demo", "front_table", "plot", "sweep", "table"]
