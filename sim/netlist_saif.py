"""Floor 3: toggle counts as a SAIF file for power tools, and back.

Switching Activity Interchange Format 2.0 (IEEE 1801-2018, annex I), backward: for each net the time
at 0 and at 1 and the number of changes. All streams count as one run, one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sim.netlist import Activity
from sim.netlist_graph import Graph

DEFAULT_PERIOD_NS = 10
_SPECIAL = re.compile(r"([^A-Za-z0-9_])")
_TOKEN = re.compile(r'"[^"]*"|[()]|(?:\\.|[^\s()"\\])+')


@dataclass(frozen=True, slots=True)
class NetActivity:
    """Activity of one net.

    Parameters
    ----------
    low, high
        Nanoseconds at 0 and at 1 (T0, T1).
    changes
        Number of changes (TC).

    """

    low: int
    high: int
    changes: int


def saif(graph: Graph, activity: Activity, top: str, period_ns: int = DEFAULT_PERIOD_NS) -> str:
    """Return the text of a SAIF file.

    Parameters
    ----------
    graph, activity
        Nets and their toggles.
    top
        Name of the design, the one instance.
    period_ns
        Length of a clock cycle.

    Raises
    ------
    ValueError
        If the period is not a positive whole number.

    """
    if period_ns < 1 or period_ns != int(period_ns):
        raise ValueError(f"a period in whole ns is at least 1, not {period_ns}")
    duration = activity.cycles * period_ns
    lines = [
        "(SAIFILE",
        '(SAIFVERSION "2.0")',
        '(DIRECTION "backward")',
        f'(DESIGN "{top}")',
        '(VENDOR "macloom")',
        '(PROGRAM_NAME "macloom")',
        "(DIVIDER / )",
        "(TIMESCALE 1 ns)",
        f"(DURATION {duration})",
        f"(INSTANCE {top}",
        "  (NET",
    ]
    for name, net in sorted(activities(graph, activity, period_ns).items()):
        plain = _SPECIAL.sub(r"\\\1", name)
        counts = f"(T0 {net.low}) (T1 {net.high}) (TX 0) (TC {net.changes}) (IG 0)"
        lines.append(f"    ({plain} {counts})")
    return "\n".join([*lines, "  )", ")", ")", ""])


def activities(graph: Graph, activity: Activity, period_ns: int) -> dict[str, NetActivity]:
    """Return the activity of each net that has a name, the clock included."""
    duration = activity.cycles * period_ns
    found = {}
    for net, toggles, high in zip(graph.nets, activity.toggles, activity.high, strict=True):
        if net in graph.names:
            up = int(high) * period_ns
            found[graph.names[net]] = NetActivity(duration - up, up, int(toggles))
    if graph.clock:
        half = duration // 2
        found[graph.clock] = NetActivity(duration - half, half, 2 * activity.cycles)
    return found


def read_saif(text: str) -> tuple[int, dict[str, NetActivity]]:
    """Return the duration in units of its time scale, and the activity of each net.

    Raises
    ------
    ValueError
        If the text is no SAIF file.

    """
    tokens = iter(_TOKEN.findall(text))
    if next(tokens, "") != "(":
        raise ValueError("a SAIF file begins with (SAIFILE")
    root = _list(tokens)
    if not root or root[0] != "SAIFILE":
        raise ValueError(f"a SAIF file begins with (SAIFILE, not with ({root[:1]}")
    durations = [item[1] for item in root if isinstance(item, list) and item[0] == "DURATION"]
    if len(durations) != 1:
        raise ValueError(f"a SAIF file has one DURATION, not {len(durations)}")
    return int(str(durations[0])), dict(_nets(root))


Items = list["str | Items"]


def _list(tokens: Iterator[str]) -> Items:
    """Return the items up to the closing bracket."""
    found: Items = []
    for token in tokens:
        if token == "(":
            found.append(_list(tokens))
        elif token == ")":
            return found
        else:
            found.append(token)
    raise ValueError("a bracket of the SAIF file is not closed")


def _nets(items: Items) -> Iterator[tuple[str, NetActivity]]:
    for item in items:
        if not isinstance(item, list) or not item:
            continue
        if item[0] == "INSTANCE":
            yield from _nets(item)
        elif item[0] == "NET":
            for net in item[1:]:
                yield _net(net)


def _net(item: str | Items) -> tuple[str, NetActivity]:
    if not isinstance(item, list) or not isinstance(item[0], str):
        raise ValueError(f"a net of a SAIF file is (name (T0 …) …), not {item}")
    pairs = {str(pair[0]): int(str(pair[1])) for pair in item[1:] if isinstance(pair, list)}
    missing = [name for name in ("T0", "T1", "TC") if name not in pairs]
    if missing:
        raise ValueError(f"net {item[0]} of the SAIF file lacks {', '.join(missing)}")
    name = re.sub(r"\\(.)", r"\1", item[0])
    return name, NetActivity(pairs["T0"], pairs["T1"], pairs["TC"])
