"""Floor 4. ``macloom simulate --rtl`` and ``macloom synthesize --rtl``: what they print."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from sweeps.commands import CHECK_FAILED, FINE, progress, show, simulation_options, verdict_line
from sweeps.commands_sweep import table
from sweeps.files import check_writable, write_json

if TYPE_CHECKING:
    from hw.design import Design
    from hw.foreign import ForeignRtl

_TITLES = {"lut": "LUT", "sites": "sites", "ff": "FF", "carry": "carry", "dsp": "DSP"}


def simulate(arguments: argparse.Namespace, design: Design) -> int:
    """Run foreign RTL against the golden model of a design."""
    from sim.foreign import read_port_map
    from sweeps import foreign

    if arguments.ports is None:
        raise ValueError("--rtl needs --ports, such as weight=w,activation=a,total=y")
    if arguments.output is not None:
        raise ValueError("--output is for Verilog of macloom, not for --rtl")
    pins = read_port_map(arguments.ports)
    with progress("simulation") as report:
        found = foreign.simulate(
            design,
            _rtl(arguments),
            pins,
            arguments.latency,
            **simulation_options(arguments),
            progress=report,
        )
    show(arguments, found, [verdict_line(found["top"], found)])
    return FINE if found["verdict"]["passed"] else CHECK_FAILED


def synthesize(arguments: argparse.Namespace, design: Design, target: str) -> int:
    """Count foreign RTL and our own design in the same flow."""
    from sweeps import foreign

    if arguments.output is not None:
        check_writable(arguments.output)
    found = foreign.compare(design, _rtl(arguments), target, cache=not arguments.no_cache)
    lines = _lines(found)
    if arguments.output is not None:
        path = arguments.output / f"{found['top']}.json"
        write_json(path, found)
        found["files"] = [str(path)]
        lines.append(str(path))
    show(arguments, found, lines)
    return FINE


def _rtl(arguments: argparse.Namespace) -> ForeignRtl:
    """Return the files the options name."""
    from hw.foreign import ForeignRtl

    if arguments.top is None:
        raise ValueError("--rtl needs --top, the name of the top module")
    given = []
    for text in arguments.parameter or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"a parameter is NAME=VALUE, not {text!r}")
        given.append((name, value))
    return ForeignRtl(tuple(arguments.rtl), arguments.top, tuple(given))


def _lines(found: dict[str, Any]) -> list[str]:
    """Return the two counts as a table, with their ratio."""
    from hw.design import from_record

    theirs, ours, lanes = found["theirs"], found["ours"], found["lanes"]
    slug = from_record(found["design"]).slug
    rows = [("", *_TITLES.values())]
    rows.append((found["top"], *(str(theirs[name]) for name in _TITLES)))
    rows.append((slug, *(str(ours[name]) for name in _TITLES)))
    ratios = (f"{theirs[n] / ours[n]:.2f}" if ours[n] else "–" for n in _TITLES)
    rows.append(("theirs / ours", *ratios))
    if lanes > 1:
        for name, counts in ((found["top"], theirs), (slug, ours)):
            rows.append((f"{name}, per lane", *(f"{counts[n] / lanes:.1f}" for n in _TITLES)))
    return [f"on {found['target']}, by {found['tool']}", table(rows)]
