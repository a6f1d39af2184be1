"""Floor 4: published delays against others' routed paths: ``python -m sweeps.clock_outside``.

On xcup and xc7 nothing of ours places and routes, so clocks there come from published delays
(`hw.logical`). Here they are judged by routed paths of other people's designs, cell by cell
(``costmodel/data/clock_outside.yaml``). What differs is what placement does to single wires; what
Yosys maps otherwise than Vivado is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from hw.logical import Published, published

CARRIES_PER_BLOCK = {"xcup": 2, "xc7": 1}
"""CARRY4 in a block as the reports count them: CARRY8 on UltraScale+."""
CHAIN = ("enter", "pass", "leave", "sum")


@dataclass(frozen=True, slots=True)
class Outside:
    """A published path.

    Parameters
    ----------
    what, of, target
        The design, where it is published, and the family.
    published_ns, estimated_ns
        The path by Vivado, and by the delays of `hw.logical`.

    """

    what: str
    of: str
    target: str
    published_ns: float
    estimated_ns: float

    @property
    def residual_percent(self) -> float:
        """How much longer the estimate is."""
        return 100 * (self.estimated_ns / self.published_ns - 1)


@cache
def _record() -> dict[str, Any]:
    import yaml

    text = (files("costmodel") / "data" / "clock_outside.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def points() -> Iterator[Outside]:
    """Give all published paths with their estimates."""
    for point in _record()["points"]:
        known = published(point["target"])
        if point["of"] == "lakeroad":
            known = replace(known, wires=tuple(map(tuple, _record()["wires"])))
        yield Outside(
            point["what"], point["of"], point["target"], point["ns"], path_ns(point, known)
        )


def path_ns(point: dict[str, Any], known: Published) -> float:
    """Return the time of a path given by its cells and the sinks of its wires."""
    chain = sum(known.carry[name] * point[name] for name in CHAIN)
    chain += known.carry["pass"] * point["pass"] * (CARRIES_PER_BLOCK[point["target"]] - 1)
    cells = known.lut * point["lut"] + known.mux * point["mux"] + chain
    wires = sum(map(known.wire, point["sinks"]))
    return float(known.clock_to_output + cells + wires)


def main() -> int:
    """Print the residuals."""
    found = list(points())
    for one in found:
        print(
            f"{one.target:5}{one.what:36}{one.published_ns:7.2f} ns published,"
            f"{one.estimated_ns:6.2f} by cells and wires: {one.residual_percent:+.0f} %  {one.of}"
        )
    for target in dict.fromkeys(one.target for one in found):
        sizes = [abs(one.residual_percent) for one in found if one.target == target]
        mean = sum(sizes) / len(sizes)
        print(f"{target}: {len(sizes)} paths, mean {mean:.0f} %, worst {max(sizes):.0f} %")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
