"""Measure arrays of 8 × 8 for weights of 1 to 8 bits, fixed and serial, at equal MAC per cycle.

Usage: ``python tests/benchmarks/area_mixed.py [--only TARGET,…] [--folder DIR]``, or
``make bench-area ARGS="--only xcup --rows mixed"``. Each organisation is built for each width of
weights it can be built for, and used for each width it serves; what it takes is divided by the
multiply-accumulates it does in a cycle at that width. The table goes to ``build/area_mixed.json``,
the figure to ``build/area_mixed.png`` (and ``.svg``). Every synthesis is kept in the cache.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from hw.design import Design, SerialDesign, from_record
from hw.errors import MissingTool
from hw.rtl import emit
from hw.rtl.emit import Emitted
from hw.synthesis import synthesize
from hw.target import Target, load
from sweeps.autotune import resolve
from sweeps.progress import Progress

SIDE = 8
TARGETS = ("xcup", "xc7", "ecp5", "ice40")
ACTIVATIONS = ("int8", "fp16")
WEIGHTS = {
    1.0: "binary", 1.58: "ternary", 2.0: "int2", 3.0: "int3", 4.0: "int4", 6.0: "int6", 8.0: "int8"
}  # fmt: skip
TERMS = {3.0: 2, 4.0: 2, 6.0: 3, 8.0: 4}
"""Cycles of BitMoD's element by width: FP3, FP4, INT6, INT8."""
BITMOD_LANES = 4
"""Products of a BitMoD element in those cycles."""
PLANES = 8
"""Lanes of a bit-plane cell."""


@dataclass(frozen=True, slots=True)
class Family:
    """One organisation of an array.

    Parameters
    ----------
    key, title
        Name in the record; name for people.
    activation
        Format of the activations.
    record
        The design for a width of weights (or the one for all of them); None: not for this width.
    macs_per_cycle
        What an array of it does at a width.

    """

    key: str
    title: str
    activation: str
    record: Callable[[float], dict[str, Any] | None]
    macs_per_cycle: Callable[[float], Fraction]


@dataclass(frozen=True, slots=True)
class Point:
    """One array at one width of weights; the counts are those of the whole array."""

    family: str
    weight_bits: float
    activation: str
    target: str
    design: str
    macs_per_cycle: float
    lut: int
    sites: int
    ff: int
    transistors: int | None

    def per_mac(self, what: str) -> float | None:
        """Return a count per multiply-accumulate and cycle."""
        value = getattr(self, what)
        return None if value is None else value / self.macs_per_cycle


def _array(activation: str, lanes: int = 1) -> Callable[[float], dict[str, Any]]:
    return lambda bits: {
        "kind": "array", "rows": SIDE, "columns": SIDE, "weight": WEIGHTS[bits],
        "activation": activation, "accumulator": "exact:256", "specials": "ignore", "lanes": lanes,
    }  # fmt: skip


def _planes(organisation: str, weight: str = "int8") -> Callable[[float], dict[str, Any]]:
    return lambda bits: {
        "kind": "bitplane", "organisation": organisation, "rows": SIDE, "columns": SIDE,
        "lanes": PLANES, "weight": weight, "activation": "int8",
    }  # fmt: skip


def _tile(activation: str) -> Callable[[float], dict[str, Any] | None]:
    record = {
        "kind": "bitmodtile", "rows": SIDE, "columns": SIDE, "activation": activation,
        "specials": "ignore",
    }  # fmt: skip
    return lambda bits: record if bits in TERMS else None


def _whole(bits: float) -> int:
    """Return the planes of a width: two for a ternary weight."""
    return -int(-bits // 1)


CELLS = SIDE * SIDE
FAMILIES = (
    Family("fixed", "made for one width", "int8", _array("int8"), lambda b: Fraction(CELLS)),
    Family(
        "wide", f"made for one width, {PLANES} lanes", "int8", _array("int8", PLANES),
        lambda b: Fraction(CELLS * PLANES),
    ),
    Family(
        "serial", f"bit-plane, weights serial, {PLANES} lanes", "int8", _planes("weight-serial"),
        lambda b: Fraction(CELLS * PLANES, _whole(b)),
    ),
    Family(
        "planes", f"bit-plane, both serial, {PLANES} lanes", "int8", _planes("both-serial"),
        lambda b: Fraction(CELLS * PLANES, 8 * _whole(b)),
    ),
    Family(
        "bitmod", "BitMoD tile", "int8", _tile("int8"),
        lambda b: Fraction(CELLS * BITMOD_LANES, TERMS[b]),
    ),
    Family("fixed", "made for one width", "fp16", _array("fp16"), lambda b: Fraction(CELLS)),
    Family(
        "wide", f"made for one width, {BITMOD_LANES} lanes", "fp16",
        _array("fp16", BITMOD_LANES), lambda b: Fraction(CELLS * BITMOD_LANES),
    ),
    Family(
        "bitmod", "BitMoD tile", "fp16", _tile("fp16"),
        lambda b: Fraction(CELLS * BITMOD_LANES, TERMS[b]),
    ),
)  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="area_mixed.py", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--only", default="xcup", help=f"targets out of {','.join(TARGETS)}")
    parser.add_argument("--folder", type=Path, default=Path("build"), help="where results go")
    options = parser.parse_args(words)
    targets = [name for name in options.only.split(",") if name]
    for name in targets:
        if name not in TARGETS:
            print(f"error: target is one of {', '.join(TARGETS)}, not {name!r}", file=sys.stderr)
            return 2
    try:
        return run(targets, options.folder)
    except MissingTool as error:
        print(f"error: {error}", file=sys.stderr)
        return 3


def run(targets: Sequence[str], folder: Path, families: Sequence[Family] = FAMILIES) -> int:
    """Measure, print, and write the results of every target."""
    from area_mixed_figure import save

    points, missing = measure(targets, families)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "area_mixed.json"
    record = {"points": [asdict(point) for point in points], "left out": missing}
    file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    paths = [file]
    for target in targets:
        local = [point for point in points if point.target == target]
        print(table(local, families))
        print(*crossings(local), sep="\n")
        if target == targets[0]:
            paths += save(local, families, folder)
    for reason in missing:
        print(f"left out: {reason}")
    print("written: " + ", ".join(map(str, paths)))
    return 0


def measure(targets: Sequence[str], families: Sequence[Family]) -> tuple[list[Point], list[str]]:
    """Return the points, and why others are not there."""
    jobs = [(t, f, bits) for t in targets for f in families for bits in WEIGHTS]
    points: list[Point] = []
    missing: dict[str, None] = {}
    with Progress("area", len(jobs)) as progress:
        for target, family, bits in jobs:
            record = family.record(bits)
            if record is not None:
                progress.advance(0, f"{family.title}, {WEIGHTS[bits]} × {family.activation}")
                try:
                    design = from_record(record)
                except ValueError as error:
                    missing[f"{family.title} × {family.activation}: {error}"] = None
                else:
                    points.append(_point(target, family, bits, design))
            progress.advance()
    return points, list(missing)


def _point(target: str, family: Family, bits: float, design: Design) -> Point:
    counts, transistors = _counts(design, target), _transistors(design)
    macs = float(family.macs_per_cycle(bits))
    return Point(
        *(family.key, bits, family.activation, target, design.slug, macs), *counts, transistors
    )


@cache
def _counts(design: Design, name: str) -> tuple[int, int, int]:
    """Return LUT, sites and FF of a design."""
    emitted = _emitted(design, load(name))
    found = synthesize(emitted.verilog, emitted.top, name, dsp=False)
    return found.lut, found.sites, found.ff


@cache
def _transistors(design: Design) -> int:
    """Return the transistors of a design in static CMOS, from plain Verilog."""
    emitted = _emitted(design, load("xcup").portable())
    return synthesize(emitted.verilog, emitted.top, "cmos").transistors


def _emitted(design: Design, target: Target) -> Emitted:
    settled = design if isinstance(design, SerialDesign) else resolve(design, target)
    return emit(settled, target)


def table(points: Sequence[Point], families: Sequence[Family]) -> str:
    """Return the points as text, a part per activation."""
    lines: list[str] = []
    for activation in ACTIVATIONS:
        lines += ["", f"{SIDE} × {SIDE}, activations {activation}; last two per MAC and cycle"]
        lines.append(
            f"  {'organisation':<36}{'weights':>8}{'MAC/cycle':>10}{'LUT':>8}{'sites':>8}{'FF':>7}"
            f"{'transistors':>12}{'sites':>8}{'transistors':>12}"
        )
        lines += [_line(point, families) for point in points if point.activation == activation]
    return "\n".join(lines)


def _line(point: Point, families: Sequence[Family]) -> str:
    title = next(
        f.title for f in families if (f.key, f.activation) == (point.family, point.activation)
    )
    transistors, each = point.transistors, point.per_mac("transistors")
    return (
        f"  {title:<36}{point.weight_bits:>8g}{point.macs_per_cycle:>10.4g}{point.lut:>8}"
        f"{point.sites:>8}{point.ff:>7}{transistors or '-':>12}{point.per_mac('sites'):>8.1f}"
        f"{'-' if each is None else f'{each:.0f}':>12}"
    )


def crossings(points: Sequence[Point]) -> Iterator[str]:
    """Yield where organisations that serve all widths need less than those made for one.

    Compared with the least of the arrays made for the same width, and with the least of those for
    8 bits, which serve them all too, at their full rate.
    """
    for activation in ACTIVATIONS:
        local = [point for point in points if point.activation == activation]
        serving = dict.fromkeys(p.family for p in local if p.family not in ("fixed", "wide"))
        for family, what in product(serving, ("sites", "transistors")):
            serial = {p.weight_bits: p for p in local if p.family == family}
            fixed: dict[float, float] = {}
            for other in (p for p in local if p.family in ("fixed", "wide")):
                least = fixed.get(other.weight_bits, float("inf"))
                fixed[other.weight_bits] = min(least, _each(other, what))
            if not fixed:
                continue
            widest = dict.fromkeys(serial, fixed[max(fixed)])
            yield (
                f"  {family} × {activation}, {what}: less than arrays of the same width at "
                f"{_smaller(serial, fixed, what)}; less than arrays of 8 bits at "
                f"{_smaller(serial, widest, what)}"
            )


def _each(point: Point, what: str) -> float:
    found = point.per_mac(what)
    return float("inf") if found is None else found


def _smaller(serial: Mapping[float, Point], other: Mapping[float, float], what: str) -> str:
    """Return the widths at which a count per MAC and cycle is below some limits."""
    bits = [b for b in serial if b in other and _each(serial[b], what) < other[b]]
    return ", ".join(f"{b:g}" for b in bits) + " bits" if bits else "no width"


if __name__ == "__main__":
    sys.exit(main())
