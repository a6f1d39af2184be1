"""Floor 4. The commands about one format or one design; each takes parsed arguments and returns
an exit code. What they do is in `sweeps.workflow`; here is only what they print.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sweeps.arguments import design_of
from sweeps.files import check_writable, json_text

if TYPE_CHECKING:
    from hw.design import Design

FINE, CHECK_FAILED = 0, 1
_TITLES = {"lut": "LUT", "sites": "sites", "ff": "FF", "carry": "carry", "dsp": "DSP"}


def formats(arguments: argparse.Namespace) -> int:
    """``macloom formats [NAME …] [--plot FILE]``."""
    from sweeps import describe

    if arguments.plot is not None:
        return _plot_formats(arguments)
    if not arguments.names:
        rows = describe.catalogue()
        print(json_text(rows) if arguments.json else describe.catalogue_text(rows))
    elif arguments.json:
        records = [describe.record(name) for name in arguments.names]
        print(json_text(records if len(records) > 1 else records[0]))
    else:
        print("\n\n".join(describe.text(name) for name in arguments.names))
    return FINE


def _plot_formats(arguments: argparse.Namespace) -> int:
    from sweeps.codebooks import parse_or_read
    from sweeps.format_figure import save_formats

    if not arguments.names:
        raise ValueError("--plot needs the names of formats to draw")
    shown = [parse_or_read(name) for name in arguments.names]
    paths = [str(path) for path in save_formats(shown, arguments.plot, arguments.absolute)]
    names = [format.name for format in shown]
    print(json_text({"formats": names, "files": paths}) if arguments.json else "\n".join(paths))
    return FINE


def generate(arguments: argparse.Namespace) -> int:
    """``macloom generate``."""
    from sweeps import workflow

    design, target = _checked(arguments)
    emitted = workflow.emit(design, target)
    if arguments.output is None:
        if arguments.json:
            print(json_text({**emitted.record, "verilog": emitted.verilog}))
        else:
            sys.stdout.write(emitted.verilog)
        return FINE
    paths = workflow.write(emitted, arguments.output, **_chosen(arguments))
    show(arguments, {**emitted.record, "files": [str(path) for path in paths]}, paths)
    return FINE


def simulate(arguments: argparse.Namespace) -> int:
    """``macloom simulate``."""
    from sweeps import workflow

    if arguments.rtl:
        from sweeps import commands_foreign

        return commands_foreign.simulate(arguments, design_of(arguments)[0])
    if arguments.netlist:
        from sweeps import commands_energy

        return commands_energy.simulate_netlist(arguments)
    design, target = _checked(arguments)
    emitted = workflow.emit(design, target)
    case = workflow.case_of(emitted)
    with progress("simulation") as report:
        found = workflow.run_case(case, target, **simulation_options(arguments), progress=report)
    lines = [verdict_line(emitted.top, found)]
    if arguments.output is not None:
        findings = {"verdict": found["verdict"], **_chosen(arguments)}
        paths = workflow.write(emitted, arguments.output, **findings)
        found["files"] = [str(path) for path in paths]
        lines += found["files"]
    show(arguments, found, lines)
    return FINE if found["verdict"]["passed"] else CHECK_FAILED


def verify(arguments: argparse.Namespace) -> int:
    """``macloom verify FILE.v``."""
    from sweeps import workflow

    with progress("simulation") as report:
        found = workflow.verify(arguments.file, **simulation_options(arguments), progress=report)
    lines = ["the text was edited after macloom wrote it"] if found["edited"] else []
    lines.append(verdict_line(str(arguments.file), found))
    show(arguments, found, lines)
    return FINE if found["verdict"]["passed"] else CHECK_FAILED


def estimate(arguments: argparse.Namespace) -> int:
    """``macloom estimate``."""
    from sweeps import workflow
    from sweeps.commands_estimate import show_estimate
    from sweeps.interchange import WITH_ENERGY

    found = workflow.estimate(
        *_clocked(arguments),
        breakdown=arguments.breakdown or arguments.plot is not None,
        extrapolate=arguments.extrapolate,
        energy=arguments.format in WITH_ENERGY,
    )
    show_estimate(arguments, found, _area_lines(found))
    return FINE


def synthesize(arguments: argparse.Namespace) -> int:
    """``macloom synthesize``."""
    from sweeps import workflow

    if arguments.rtl:
        from sweeps import commands_foreign

        return commands_foreign.synthesize(arguments, *design_of(arguments))
    design, target = _checked(arguments)
    emitted = workflow.emit(design, target)
    found = workflow.measured(emitted, not arguments.no_cache, arguments.liberty)
    lines = _area_lines(found)
    if arguments.clock:
        found["clock"] = workflow.clock(emitted, cache=not arguments.no_cache)
        lines.append(_clock_line(found["clock"]))
    if arguments.output is not None:
        extra = [name for name in ("transistors", "gates", "liberty") if name in found]
        counts = {name: found[name] for name in (*workflow.COUNTS, *extra, "tool")}
        paths = workflow.write(emitted, arguments.output, measured=counts, **_chosen(arguments))
        found["files"] = [str(path) for path in paths]
        lines += found["files"]
    show(arguments, found, lines)
    return FINE


def doctor(arguments: argparse.Namespace) -> int:
    """``macloom doctor``."""
    from sweeps import doctor as examination

    pieces = examination.examine()
    if arguments.json:
        print(json_text([piece.to_record() for piece in pieces]))
    else:
        print(examination.text(pieces))
    return FINE


def show(arguments: argparse.Namespace, record: dict[str, Any], lines: list[Any]) -> None:
    """Print a record, or lines for people."""
    print(json_text(record) if arguments.json else "\n".join(map(str, lines)))


def _checked(arguments: argparse.Namespace) -> tuple[Design, str]:
    """Return the design and its target; complain about an unwritable folder before any work."""
    if arguments.output is not None:
        check_writable(arguments.output)
    return _clocked(arguments)


def _optimized(arguments: argparse.Namespace, design: Design, target: str) -> Design:
    """Return the design with the structure `--optimize` asks for, and say why on stderr."""
    if arguments.optimize is None:
        if arguments.verify:
            raise ValueError("--verify measures the best of --optimize, which is missing")
        return design
    from hw.target import load
    from sweeps.choice import choose

    choice = choose(design, load(target), arguments.optimize, arguments.verify)
    arguments.choice = choice.to_record()
    print(_choice_text(arguments.choice), file=sys.stderr)
    return choice.design


def _choice_text(choice: dict[str, Any]) -> str:
    """Return the ranking as a table, the chosen structure first."""
    from sweeps.commands_sweep import table

    first = choice["candidates"][0]
    known = ("lut", "sites", "ff", "dsp", "path_ns", "energy_pj_per_mac")
    names = [name for name in known if first[name] is not None]
    titles = {**_TITLES, "path_ns": "path ns", "energy_pj_per_mac": "pJ per MAC"}
    rows = [("structure", *(titles[name] for name in names), "counts")]
    for candidate in choice["candidates"]:
        counts = [f"{candidate[name]:{'.4g' if 'pj' in name else 'g'}}" for name in names]
        by = "measured" if candidate["verified"] else "estimated"
        rows.append((candidate["structure"], *counts, by))
    why = "".join(
        f"\n{name} is left out: {reason}" for name, reason in choice.get("left_out", {}).items()
    )
    return f"for {choice['objective']}:\n{table(rows)}{why}"


def _chosen(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the sidecar says of the choice of structure, if one was made."""
    choice = getattr(arguments, "choice", None)
    return {} if choice is None else {"choice": choice}


def _clocked(arguments: argparse.Namespace) -> tuple[Design, str]:
    """Return the design and its target, with the stages that a clock asks for."""
    from hw.design import SerialDesign
    from hw.target import load
    from sweeps.clocking import for_clock

    design, target = design_of(arguments)
    design = _optimized(arguments, design, target)
    if arguments.target_mhz is None:
        return design, target
    if arguments.pipeline is not None:
        raise ValueError("--target-mhz chooses the stages: leave out --pipeline")
    found = for_clock(design, load(target), arguments.target_mhz)
    if design.structure == "auto" and not isinstance(design, SerialDesign):
        arguments.choice = found.to_record()
        print(f"{_choice_text(arguments.choice)}\n{found.reason}", file=sys.stderr)
    return found.design, target


def simulation_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the options say of the simulation."""
    return {name: getattr(arguments, name) for name in ("simulator", "vectors", "seed")}


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int, str], None] | None]:
    """Show progress on a terminal only: a single design is soon done."""
    if not sys.stderr.isatty():
        yield None
        return
    from sweeps.progress import Progress

    with Progress(label) as shown:
        yield lambda done, total, note: shown(done, total, note=note)


def verdict_line(name: str, found: dict[str, Any]) -> str:
    """Return one line: what was compared, and the first difference if there was one."""
    verdict = found["verdict"]
    outcome = "agrees with the golden model" if verdict["passed"] else "DIFFERS"
    line = (
        f"{name}: {outcome}: {found['vectors']} vectors ({verdict['coverage']}), "
        f"{found['mismatches']} mismatches, {verdict['tools']['simulator']}, "
        f"{found['seconds']:.1f} s"
    )
    first = found["first_mismatch"]
    if first is not None:
        line += (
            f"; first at {first['where']}: {first['port']} "
            f"expected {first['expected']}, got {first['got']}"
        )
    return line


def _clock_line(clock: dict[str, Any]) -> str:
    if not clock.get("calibrated", True):
        return (
            f"clock {clock['fmax_mhz']:.0f} MHz (not calibrated by place and route; "
            f"± {clock['error_percent']:g} %), by {clock['tool']}"
        )
    seeds = ", ".join(f"{mhz:.0f}" for mhz in clock["seed_mhz"])
    return f"clock {clock['fmax_mhz']:.0f} MHz (median of seeds {seeds}), by {clock['tool']}"


def _area_lines(found: dict[str, Any]) -> list[str]:
    """Return the counts of an estimate or a measurement, then its parts."""
    from hw.design import from_record

    if "transistors" in found:
        from sweeps import asic

        return asic.lines(found)
    design = from_record(found["design"])
    counts = " · ".join(f"{_TITLES[name]} {found[name]}" for name in _TITLES)
    by = f"by {found['tool']} in {found['seconds']:.1f} s" if "tool" in found else "estimated"
    lines = [f"{design.slug} on {found['target']}, {by}", counts]
    lanes = design.lanes * design.cores
    if lanes > 1:
        per_lane = (f"{_TITLES[name]} {found[name] / lanes:.1f}" for name in ("lut", "sites"))
        lines.append(f"per lane: {' · '.join(per_lane)}")
    if error := found.get("expected_error"):
        lines.append(
            f"expected error of LUT: ± {error['percent']:g} % "
            f"(95 % of {error['designs']} designs: {error['of']})"
        )
        lines += [f"extrapolated: {what}" for what in error["outside"]]
    clock = found.get("clock")
    if clock and "path_ns" in clock:
        error = (
            f"mean error on designs held out: {clock['error_percent']:g} %"
            if clock["calibrated"]
            else f"not calibrated by place and route; ± {clock['error_percent']:g} %"
        )
        lines.append(f"clock {clock['fmax_mhz']:.0f} MHz ({error})")
    return lines + _part_lines(found.get("parts", []))


def _part_lines(parts: list[dict[str, Any]]) -> list[str]:
    """Return the kinds of parts as a table, the largest first."""
    if not parts:
        return []
    from sweeps.commands_sweep import table

    names = ("lut", "sites", "ff", "carry")
    rows = [("part", "number", *(_TITLES[name] for name in names))]
    for part in sorted(parts, key=lambda part: -part["sites"]):
        counts = [f"{part[name]}" for name in names]
        rows.append((part["label"], f"{part['count']}", *counts))
    return ["", table(rows)]
