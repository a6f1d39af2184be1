"""Floor 4: the designs on which the cost model is fitted and judged, and their measured cost.

Designs are drawn by a seed from one distribution (`draw`), synthesised, and written as CSV beside
the coefficients. A set drawn with another seed than the fitted one is never fitted on.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from hw.accumulators import Accumulator, AccumulatorKind
from hw.design import Design, from_record
from hw.formats import FixedFormat, Format, parse
from hw.plan import structures
from hw.target import Target

COLUMNS = ("design", "lut", "sites", "ff", "carry", "dsp", "tool")
LANES = (2, 3, 4, 5, 8, 12, 16, 24, 32)
SIDES = (1, 2, 3, 4, 5, 6)
MAXIMUM_CELLS = 12
TERMS = (16, 64, 256, 1024)


def draw(seed: int, count: int) -> list[Design]:
    """Return designs drawn from the distribution of the calibration; no two are the same.

    35 % MACs, 45 % dot products, 20 % arrays; integers, fixed point and minifloats of up to 8 bits
    with all specials, mixed and equal; all accumulators; each structure that can serve.
    """
    source = random.Random(seed)
    found: dict[str, Design] = {}
    while len(found) < count:
        design = _one(source)
        if design is not None:
            found.setdefault(design.slug, design)
    return list(found.values())


def measure(
    designs: Iterable[Design],
    target: Target,
    workers: int | None = None,
    progress: Callable[[int, int, Any], None] | None = None,
) -> list[dict[str, Any]]:
    """Synthesise designs (results are cached) and return a row of `COLUMNS` for each."""
    from hw.rtl import emit
    from hw.synthesis import Job, synthesize_many

    wanted = list(designs)
    jobs = []
    for design in wanted:
        emitted = emit(design, target)
        jobs.append(Job(emitted.verilog, emitted.top, target.name, design.structure == "dsp"))
    measured = synthesize_many(jobs, workers, progress)
    return [
        {
            "design": json.dumps(design.to_record(), separators=(",", ":")),
            **{name: getattr(result, name) for name in COLUMNS[1:]},
        }
        for design, result in zip(wanted, measured, strict=True)
    ]


def to_csv(rows: Iterable[dict[str, Any]]) -> str:
    """Return rows as the text of a CSV file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_csv(path: Path) -> Iterator[tuple[Design, dict[str, int]]]:
    """Yield the designs of a CSV file with their measured numbers."""
    for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        numbers = {name: int(row[name]) for name in COLUMNS[1:-1]}
        yield from_record(json.loads(row["design"])), numbers


def _one(source: random.Random) -> Design | None:
    """Return one design, or None where the parts drawn do not go together."""
    weight = _format(source)
    activation = weight if source.random() < 0.4 else _format(source)
    record: dict[str, Any] = {
        "kind": source.choices(("mac", "dot", "array"), (35, 45, 20))[0],
        "weight": weight.name,
        "activation": activation.name,
        "specials": source.choice(("flag", "ignore")),
    }
    if record["kind"] == "dot":
        record["lanes"] = source.choice(LANES)
    if record["kind"] == "array":
        record["rows"], record["columns"] = source.choice(SIDES), source.choice(SIDES)
        if record["rows"] * record["columns"] > MAXIMUM_CELLS:
            return None
    accumulator = _accumulator(source, from_record(record))
    if accumulator is None:
        return None
    design = from_record(record | {"accumulator": accumulator.name})
    return design.with_structure(source.choice(structures(design)))


def _format(source: random.Random) -> Format:
    """Return a format of at most 8 bits."""
    kind = source.choices(("int", "uint", "fixed", "minifloat"), (30, 15, 10, 45))[0]
    if kind == "int":
        return parse(f"int{source.randint(2, 8)}")
    if kind == "uint":
        return parse(f"uint{source.randint(1, 8)}")
    if kind == "fixed":
        bits = source.randint(2, 8)
        return FixedFormat(bits, source.randint(0, bits), source.random() < 0.7)
    while True:
        bits = source.randint(3, 8)
        exponent = source.randint(1, bits - 1)
        suffix = source.choice(("finite", "fn", "fnuz", ""))
        try:
            return parse(f"e{exponent}m{bits - 1 - exponent}{suffix}")
        except ValueError:
            continue


def _accumulator(source: random.Random, design: Design) -> Accumulator | None:
    """Return an accumulator that suits a design's products."""
    kinds = (
        AccumulatorKind.EXACT,
        AccumulatorKind.WRAP,
        AccumulatorKind.SATURATE,
        AccumulatorKind.WINDOW,
    )
    kind = source.choices(kinds, (50, 15, 20, 15))[0]
    terms = source.choice([terms for terms in TERMS if terms >= design.lanes])
    if kind is AccumulatorKind.EXACT:
        return Accumulator(kind, terms=terms)
    if kind is AccumulatorKind.WINDOW:
        bits = source.randint(design.significand_product_bits, 32)
        return Accumulator(kind, bits=max(bits, 4), terms=terms)
    bits = design.product_bits + source.randint(0, 10)
    return Accumulator(kind, bits=bits) if 4 <= bits <= 80 else None
