"""Measure the table of areas: asked, reached, structure chosen, behavioural baseline, peer.

Usage: ``python tests/benchmarks/area.py [--only TARGET,…] [--rows GROUP,…] [--vectors N]``, or
``make bench-area ARGS="--only xcup"``. Nothing passes or fails here. The table goes to
``build/area.json``, the figures to ``build/area.png`` and ``build/area_flags.png`` (and ``.svg``);
those of the group ``mixed`` are told in ``area_mixed.py``.
Every synthesis is kept in the cache, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import area_mixed
from area_clock import TARGET as CLOCKED
from area_clock import Speed, measure_clock
from area_figure import drawable, save_areas, save_flags
from area_measure import Area, Result, map_design, measure_row
from area_rows import ASKED_ON, TARGETS, Group, Row, load_rows

from hw import yosys
from hw.design import Design
from hw.errors import MissingTool
from hw.target import load
from sweeps.autotune import resolve
from sweeps.progress import Progress

FOLDER = Path("build")
MORE = ("flags", "clock", "mixed")
_COLUMNS = (
    f"  {'what':<22} {'asked':>7} {'LUT':>8} {'sites':>8}  {'structure':<12}"
    f"{'baseline':>9} {'ratio':>6}  {'peer':>7} {'ratio':>6}  {'met':<4}"
)


def main(words: Sequence[str] | None = None) -> int:
    rows, flags = load_rows()
    groups = list(dict.fromkeys(row.group.key for row in rows))
    try:
        options = _options(groups, words)
        targets = _chosen("target", options.only, TARGETS)
        keys = _chosen("group", options.rows, [*groups, *MORE])
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rows = [row for row in rows if row.group.key in keys]
    flags = flags if "flags" in keys and ASKED_ON in targets else []
    try:
        clock = "clock" in keys and CLOCKED in targets
        code = 0
        if rows or flags or clock:
            code = _run(rows, flags, targets, clock, options)
        if code == 0 and "mixed" in keys and ASKED_ON in targets:
            code = area_mixed.run([ASKED_ON], options.folder)
        return code
    except MissingTool as error:
        print(f"error: {error}", file=sys.stderr)
        return 3


def _options(groups: Sequence[str], words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="area.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default="", help=f"targets out of {','.join(TARGETS)}")
    parser.add_argument("--rows", default="", help=f"groups out of {','.join([*groups, *MORE])}")
    parser.add_argument(
        "--vectors", type=int, default=0, help="check each chosen design with so many vectors"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where results go")
    options = parser.parse_args(words)
    if options.vectors < 0:
        raise ValueError(f"--vectors is at least 0, not {options.vectors}")
    return options


def _chosen(what: str, text: str, known: Sequence[str]) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in known:
            raise ValueError(f"{what} is one of {', '.join(known)}, not {name!r}")
    return [name for name in known if name in names or not names]


@dataclass(slots=True)
class Found:
    """What was measured so far; `speed` and `prices` only where asked for."""

    results: list[Result] = field(default_factory=list)
    prices: list[tuple[Design, Area]] = field(default_factory=list)
    speed: Speed | None = None
    complete: bool = False

    def to_record(self) -> dict[str, Any]:
        """Return a JSON-able record."""
        return {
            "tool": yosys.version(),
            "complete": self.complete,
            "rows": [result.to_record() for result in self.results],
            "flags": [
                {"design": design.to_record(), "lut": area.lut, "sites": area.sites}
                for design, area in self.prices
            ],
            "clock": self.speed.to_record() if self.speed else None,
        }


def _run(
    rows: Sequence[Row],
    flags: Sequence[Design],
    targets: Sequence[str],
    clock: bool,
    options: argparse.Namespace,
) -> int:
    """Measure, then show and write what there is, also after Ctrl-C."""
    found = Found()
    jobs = [(row, name) for name in targets for row in rows if name in row.group.targets]
    try:
        with Progress("area", len(jobs) + len(flags) + clock) as progress:
            _measure(found, jobs, flags, clock, options.vectors, progress)
        found.complete = True
    except KeyboardInterrupt:
        pass
    groups = {row.group.key: row.group for row in rows}
    print(table(found.results, groups), end="")
    if found.prices:
        print(price_table(found.prices), end="")
    if found.speed:
        print(found.speed.line(), end="")
    print("\nwritten: " + ", ".join(str(path) for path in _write(found, groups, options.folder)))
    if not found.complete:
        print("stopped: what was measured is kept, the same command goes on", file=sys.stderr)
    return 0 if found.complete else 130


def _measure(
    found: Found,
    jobs: Sequence[tuple[Row, str]],
    flags: Sequence[Design],
    clock: bool,
    vectors: int,
    progress: Progress,
) -> None:
    def step(what: str) -> None:
        progress.advance(0, what)

    for row, name in jobs:
        found.results.append(measure_row(row, name, name == ASKED_ON, vectors, step=step))
        progress.advance()
    for design in flags:
        step(f"{design.slug} on {ASKED_ON}")
        found.prices.append((design, _price(design)))
        progress.advance()
    if clock:
        found.speed = measure_clock(step)
        progress.advance()


def _write(found: Found, groups: Mapping[str, Group], folder: Path) -> list[Path]:
    """Write the results and figures; return their files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "area.json"]
    text = json.dumps(found.to_record(), indent=1) + "\n"
    written[0].write_text(text, encoding="utf-8")
    if drawable(found.results):
        written += save_areas(found.results, groups, folder)
    if found.prices:
        written += save_flags(found.prices, folder)
    return written


def _price(design: Design) -> Area:
    settled = resolve(design, load(ASKED_ON))
    found = map_design(settled, load(ASKED_ON), dsp=False)
    return Area(found.lut / design.lanes, found.sites / design.lanes)


def table(results: Sequence[Result], groups: Mapping[str, Group]) -> str:
    """Return the results as text, a part per target and group."""
    lines: list[str] = []
    for target, key in dict.fromkeys((result.target, result.group) for result in results):
        group = groups[key]
        lines += [
            "",
            f"{target}: {group.title}, {group.unit}",
            _COLUMNS,
        ]
        lines += [
            _line(result) for result in results if (result.target, result.group) == (target, key)
        ]
    asked = [result for result in results if result.met is not None]
    if asked:
        met = sum(bool(result.met) for result in asked)
        lines += ["", f"{met} of {len(asked)} as asked in LUT and in sites on {ASKED_ON}"]
    lines.append("baseline: sites of behavioural Verilog; peer: LUT; ratios: over our sites")
    return "\n".join([*lines, ""])


def _line(result: Result) -> str:
    ours, peer = result.ours, result.peer_lut
    against = "" if peer is None else f"{peer:.1f}"
    times = "" if peer is None else f"{peer / ours.sites:.2f}"
    asked = "" if result.asked is None else f"{result.asked:g}"
    met = "" if result.met is None else ("yes" if result.met else "no")
    notes = [result.peer] if peer is not None else []
    if result.products_per_dsp:
        notes.append(f"{result.products_per_dsp:g} MAC per DSP")
    if result.vectors:
        notes.append(f"{result.vectors} vectors")
    return (
        f"  {result.name:<22} {asked:>7} {ours.lut:>8.1f} {ours.sites:>8.1f}  "
        f"{result.structure:<12}{result.baseline.sites:>9.1f} {result.ratio:>6.2f}  "
        f"{against:>7} {times:>6}  {met:<4} {', '.join(notes)}"
    ).rstrip()


def price_table(prices: Sequence[tuple[Design, Area]]) -> str:
    """Return what the flags cost as text."""
    lines = ["", f"{ASKED_ON}: specials in an exact dot product of 32 lanes, per lane"]
    for design, area in prices:
        policy = design.specials if design.has_specials else "has none"
        lines.append(f"  {design.weight.name:<14} {policy:<9} {area.lut:>8.1f} {area.sites:>8.1f}")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
