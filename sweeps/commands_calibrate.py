"""Floor 4. ``macloom calibrate``: the error of the cost model, and targets of a user's own tool."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hw.design import Design, from_record
from hw.target import Target, load
from sweeps.arguments import DEFAULT_TARGET, add_json, at_least

OUTPUT = Path("build/calibration")
WORKERS = 2
COUNT = 40
EPILOG = (
    "Without --show and --from-reports, designs are synthesised by Yosys (Ctrl-C loses nothing, "
    "the same command goes on), the error of our estimates is told, and a target that corrects "
    "them is written. --target takes that file everywhere."
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EPILOG
    parser.add_argument("--target", metavar="T", help=f"what it stands on ({DEFAULT_TARGET})")
    parser.add_argument(
        "--show", action="store_true", help="only the errors on the held-out designs shipped"
    )
    parser.add_argument("--figure", type=Path, metavar="FILE", help="with --show: draw them too")
    parser.add_argument(
        "--designs",
        type=Path,
        metavar="FILE",
        help="designs to take: YAML or JSON list, CSV with a column design, folder of sidecars",
    )
    parser.add_argument(
        "--from-reports",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="utilisation reports of Vivado, Quartus, Diamond, nextpnr or Yosys; or folders",
    )
    parser.add_argument(
        "--map", type=Path, metavar="FILE", help="YAML: name of a report → slug of a design"
    )
    parser.add_argument("--seed", type=at_least(0), default=1, metavar="N", help="of drawn designs")
    parser.add_argument(
        "--count", type=at_least(3), default=COUNT, metavar="N", help=f"of drawn designs ({COUNT})"
    )
    parser.add_argument(
        "--workers", type=at_least(1), default=WORKERS, metavar="N", help=f"at a time ({WORKERS})"
    )
    parser.add_argument(
        "--parts",
        action="store_true",
        help="measure the small modules of the model itself again, in this checkout",
    )
    parser.add_argument(
        "--judge",
        action="store_true",
        help="measure the held-out designs of the model anew, in this checkout",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", default=OUTPUT, help=f"({OUTPUT})"
    )
    add_json(parser)


def calibrate(arguments: argparse.Namespace) -> int:
    """Show errors, or write a user's target."""
    if arguments.show:
        return _show(arguments)
    target = load(arguments.target or DEFAULT_TARGET)
    if target.calibration:
        raise ValueError(f"a calibration stands on one of our targets, not on {target.label}")
    if arguments.parts:
        from sweeps.calibrate import DATA, calibrate_parts

        calibrate_parts(target)
        print(DATA / f"measured_{target.name}.csv")
        return 0
    if arguments.judge:
        return _judge(arguments, target)
    if arguments.from_reports:
        return _from_reports(arguments, target)
    return _measured(arguments, target)


def _show(arguments: argparse.Namespace) -> int:
    """Print the residual table."""
    from sweeps.residuals import judged, rows_of, table

    wanted = [arguments.target] if arguments.target else judged()
    for name in wanted:
        if name not in judged():
            raise ValueError(f"held-out designs are there for {', '.join(judged())}, not {name!r}")
    rows = [row for name in wanted for row in rows_of(name)]
    print(json.dumps(rows, indent=2) if arguments.json else table(rows))
    if arguments.figure:
        from sweeps.residual_figure import draw

        draw(wanted, arguments.figure)
        if not arguments.json:
            print(arguments.figure)
    return 0


def _judge(arguments: argparse.Namespace, target: Target) -> int:
    """Measure the held-out designs of the distributions and their seeds; write them."""
    from sweeps.calibrate import DATA, held_out, measure, to_csv
    from sweeps.files import write_whole
    from sweeps.heldout import SEEDS, VERSION, Drawn, distribution, draw
    from sweeps.progress import Progress
    from sweeps.residuals import expected_yaml, judged

    older = sum(distribution(one)["count"][target.name] for one in SEEDS if one != VERSION)
    earlier = held_out(target.name)[:older]
    drawn = [Drawn(one.design, one.asked, one.target) for one in earlier]
    drawn += draw(target, SEEDS[VERSION])
    with Progress("synthesis", len(drawn)) as progress:
        found = measure(drawn, arguments.workers, progress)
    file = DATA / f"heldout_{target.name}.csv"
    write_whole(file, to_csv(one.to_row() for one in found))
    write_whole(DATA / "residuals.yaml", expected_yaml(judged()))
    print(file)
    return 0


def _measured(arguments: argparse.Namespace, target: Target) -> int:
    """Synthesise designs, tell the errors, write the designs and the target."""
    from sweeps.calibrate import measure, to_csv
    from sweeps.files import write_whole
    from sweeps.heldout import PLAIN_VERSION, Drawn, draw, settled
    from sweeps.progress import Progress
    from sweeps.user_fit import Point

    if arguments.designs:
        designs = read_designs(arguments.designs)
        drawn: list[Drawn] = [settled(design, design.structure, target) for design in designs]
    else:
        drawn = draw(target, arguments.seed, arguments.count, PLAIN_VERSION)
    with Progress("synthesis", len(drawn)) as progress:
        found = measure(drawn, arguments.workers, progress)
    csv_file = arguments.output / f"designs_{target.name}.csv"
    write_whole(csv_file, to_csv(one.to_row() for one in found))
    points = [Point(one.design, one.numbers["lut"], one.tool) for one in found]
    return _write_target(arguments, target, points, found[0].tool, [csv_file])


def _from_reports(arguments: argparse.Namespace, target: Target) -> int:
    """Read reports, match them with designs, write the target."""
    from sweeps.reports import find_reports, parse_report
    from sweeps.user_fit import Point

    if not arguments.designs:
        raise ValueError("reports need --designs: the file or folder that describes their designs")
    designs = {design.slug: design for design in read_designs(arguments.designs)}
    names = _names(arguments.map)
    points = []
    tools = set()
    for path in find_reports(arguments.from_reports):
        report = parse_report(path)
        points.append(
            Point(_match(report.name, path, designs, names), report.lut, f"{path}: {report.tool}")
        )
        tools.add(report.tool)
    return _write_target(arguments, target, points, ", ".join(sorted(tools)), [])


def _write_target(
    arguments: argparse.Namespace,
    target: Target,
    points: Sequence[Any],
    tool: str,
    written: list[Path],
) -> int:
    """Fit, write the file of the target and say what it is worth."""
    from dataclasses import asdict

    from sweeps.files import write_whole
    from sweeps.user_fit import fit_user, to_yaml

    fitted = fit_user(points, target)
    file = arguments.output / f"{target.name}.yaml"
    write_whole(file, to_yaml(points, fitted, target, tool))
    if arguments.json:
        record = {"target": str(file), "tool": tool, "designs": len(points)}
        errors = {"before": asdict(fitted.before), "after": asdict(fitted.after)}
        print(json.dumps(record | {"feature": fitted.feature} | errors, indent=2))
        return 0
    print(f"{len(points)} designs on {target.name}, measured by {tool}")
    for when, found in (("our estimates", fitted.before), ("corrected, left out", fitted.after)):
        print(
            f"{when:20s} LUT error: mean {found.mean:.2f} %, 95 % within "
            f"{found.percentile_95:.1f} %, worst {found.worst:.1f} %"
        )
    for path in (*written, file):
        print(path)
    return 0


def read_designs(path: Path) -> list[Design]:
    """Return the designs of a YAML or JSON list, a CSV with a column `design`, or sidecars.

    Raises
    ------
    ValueError
        If the file has no designs, or one of them is none; the message says which.

    """
    found: list[Design] = []
    for number, record in enumerate(_records(path), start=1):
        try:
            found.append(from_record(record))
        except ValueError as error:
            raise ValueError(f"{path}, design {number}: {error}") from None
    if not found:
        raise ValueError(f"{path} has no designs")
    return found


def _records(path: Path) -> Iterable[Any]:
    import yaml

    from sweeps.files import read_record, read_text

    if path.is_dir():
        sidecars = (read_record(file) for file in sorted(path.glob("*.json")))
        return [record["design"] for record in sidecars if isinstance(record.get("design"), dict)]
    text = read_text(path)
    if path.suffix == ".csv":
        rows = list(csv.DictReader(text.splitlines()))
        if not rows or "design" not in rows[0]:
            raise ValueError(f"{path}: a CSV file of designs has a column 'design'")
        return [json.loads(row["design"]) for row in rows]
    try:
        records = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}") from None
    if not isinstance(records, list):
        raise ValueError(f"{path}: designs are a list, not a {type(records).__name__}")
    return records


def _names(path: Path | None) -> dict[str, str]:
    """Return the mapping of names of reports to slugs."""
    import yaml

    from sweeps.files import read_text

    if path is None:
        return {}
    found = yaml.safe_load(read_text(path))
    if not isinstance(found, dict):
        raise ValueError(f"{path}: a mapping of names of reports to slugs was expected")
    return {str(name): str(slug) for name, slug in found.items()}


def _match(name: str, path: Path, designs: dict[str, Design], names: dict[str, str]) -> Design:
    """Return the design of a report: by the mapping, by its top module, or by its file."""
    stem = path.name.partition(".")[0]
    for key in (name, path.name, stem):
        if key in names:
            if names[key] not in designs:
                raise ValueError(f"{path}: no design {names[key]!r}, which the mapping gives it")
            return designs[names[key]]
    for key in (name, stem):
        if key in designs:
            return designs[key]
    inside = [slug for slug in designs if slug in stem]
    if inside:
        return designs[max(inside, key=len)]
    raise ValueError(f"{path}: no design is called {name!r} or {stem!r}; --map FILE can say which")
